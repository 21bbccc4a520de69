//! Lines for a version 3 shard, where tenants share a database and are told apart by a tag.

use crate::BadLine;
use bytes::Bytes;
use influxdb_line_protocol::{EscapedStr, FieldValue, ParsedLine, parse_lines, split_lines};
use std::fmt::Write as _;

/// The tag that holds the tenant. It is the consumer's: a line's own tag of that name is taken out.
pub const TENANT_TAG: &str = "bongsu_tenant";

/// What can be sent of some lines.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Tagged {
    /// The lines with the tenant's tag.
    pub(crate) body: Bytes,
    /// Which line each of them was, from 0.
    pub(crate) lines: Vec<usize>,
    /// Lines that are none, and are not in the body. Rising.
    pub(crate) bad: Vec<BadLine>,
}

/// Sets the tenant's tag in every line. The parser is the one that version 3 is built on, so that no
/// line can hide a second one from us: what it does not understand is not sent. None when it sees
/// another number of lines.
pub(crate) fn tag(body: &[u8], lines: usize, tenant: &str) -> Option<Tagged> {
    let text = std::str::from_utf8(body).ok()?;
    let mut tagged = String::with_capacity(text.len() + lines * (TENANT_TAG.len() + 48));
    let (mut sent, mut bad) = (Vec::with_capacity(lines), Vec::new());
    let mut seen = 0;
    for raw in split_lines(text).filter(|line| !line.trim().is_empty()) {
        let line = seen;
        seen += 1;
        let mut parts = parse_lines(raw);
        match (parts.next(), parts.next()) {
            (Some(Ok(mut parsed)), None) => {
                let tags = parsed.series.tag_set.get_or_insert_default();
                tags.retain(|(key, _)| *key != TENANT_TAG);
                let key = EscapedStr::SingleSlice(TENANT_TAG);
                tags.insert(0, (key, EscapedStr::SingleSlice(tenant)));
                write_line(&mut tagged, &parsed);
                sent.push(line);
            }
            (Some(Err(error)), None) => bad.push(BadLine {
                line,
                reason: error.to_string(),
            }),
            _ => return None,
        }
    }
    (seen == lines).then(|| Tagged {
        body: tagged.into(),
        lines: sent,
        bad,
    })
}

/// Writes a line as it was. (The parser's own way leaves out the quotes of texts.)
fn write_line(out: &mut String, line: &ParsedLine<'_>) {
    // Writing to a string does not fail.
    write!(out, "{}", line.series).unwrap_or_default();
    for (n, (key, value)) in line.field_set.iter().enumerate() {
        out.push(if n == 0 { ' ' } else { ',' });
        escape(out, key, &[',', '=', ' ']);
        out.push('=');
        match value {
            FieldValue::I64(integer) => write!(out, "{integer}i"),
            FieldValue::U64(unsigned) => write!(out, "{unsigned}u"),
            FieldValue::F64(float) => write!(out, "{float}"),
            FieldValue::Boolean(boolean) => write!(out, "{boolean}"),
            FieldValue::String(text) => {
                out.push('"');
                escape(out, text, &['"', '\\']);
                out.push('"');
                Ok(())
            }
        }
        .unwrap_or_default();
    }
    if let Some(timestamp) = line.timestamp {
        write!(out, " {timestamp}").unwrap_or_default();
    }
    out.push('\n');
}

fn escape(out: &mut String, text: &str, marks: &[char]) {
    for character in text.chars() {
        if marks.contains(&character) {
            out.push('\\');
        }
        out.push(character);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(body: &str, count: usize) -> Tagged {
        tag(body.as_bytes(), count, "acme").unwrap()
    }

    #[test]
    fn the_tag_is_set_and_one_that_is_there_is_taken_out() {
        let body = "m v=1 5\n\
                    m,host=a,bongsu_tenant=globex v=1i,s=\"a, \\\"b\\\"\nc\" 6\n\
                    a\\ b,x\\=y=1 v=1.5 7\n";
        let expected = "m,bongsu_tenant=acme v=1 5\n\
                        m,bongsu_tenant=acme,host=a v=1i,s=\"a, \\\"b\\\"\nc\" 6\n\
                        a\\ b,bongsu_tenant=acme,x\\=y=1 v=1.5 7\n";
        let tagged = lines(body, 3);
        assert_eq!(tagged.body, expected);
        assert_eq!((tagged.lines, tagged.bad), (vec![0, 1, 2], vec![]));
    }

    #[test]
    fn a_line_that_does_not_parse_is_named_and_not_sent() {
        let tagged = lines("m v=1 1\nm v=\nm v=2 2\n", 3);
        assert_eq!(
            tagged.body,
            "m,bongsu_tenant=acme v=1 1\nm,bongsu_tenant=acme v=2 2\n"
        );
        assert_eq!(tagged.lines, [0, 2]);
        assert_eq!(tagged.bad.len(), 1);
        assert_eq!(tagged.bad[0].line, 1);
    }

    #[test]
    fn another_number_of_lines_than_was_said_is_nothing_to_send() {
        assert_eq!(tag(b"m v=1 1\nm v=2 2\n", 1, "acme"), None);
        assert_eq!(tag(b"m v=\xff 1\n", 1, "acme"), None);
    }
}
