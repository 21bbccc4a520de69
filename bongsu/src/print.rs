//! Results on standard output: a table for people, JSON for scripts. Messages go to standard error.
#![expect(clippy::print_stderr, reason = "this file is the command line's voice")]

use crate::cli::{Form, Lang, Output};
use crate::failure::Exit;
use crate::words;
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write};

/// A result: rows under headings. The keys of the JSON form are the headings.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<Value>>,
}

impl Table {
    /// An empty table.
    pub(crate) fn new(headings: &[&'static str]) -> Self {
        Self {
            headings: headings.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row, one value a heading.
    pub(crate) fn row(&mut self, values: Vec<Value>) {
        debug_assert_eq!(values.len(), self.headings.len());
        self.rows.push(values);
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table as text.
    pub(crate) fn render(&self, form: impl Into<Form>) -> String {
        let Form { output, lang } = form.into();
        match output {
            Output::Table => self.columns(lang),
            Output::Csv => self.separated(),
            Output::Yaml => {
                let objects: Vec<Value> = self.objects().collect();
                yaml(&Value::Array(objects))
            }
            Output::Json => format!("{:#}\n", Value::Array(self.objects().collect())),
            Output::Jsonl => self.objects().map(|object| format!("{object}\n")).collect(),
        }
    }

    fn objects(&self) -> impl Iterator<Item = Value> + '_ {
        self.rows.iter().map(|row| {
            let pairs = self
                .headings
                .iter()
                .map(|h| (*h).to_owned())
                .zip(row.iter().cloned());
            Value::Object(Map::from_iter(pairs))
        })
    }

    /// Commas between, CRLF behind each row, and quotes where a cell needs them.
    fn separated(&self) -> String {
        let headings = self.headings.iter().map(|heading| (*heading).to_owned());
        let headings = std::iter::once(headings.collect::<Vec<_>>());
        let rows = self.rows.iter().map(|row| row.iter().map(field).collect());
        headings
            .chain(rows)
            .map(|row| format!("{}\r\n", row.join(",")))
            .collect()
    }

    /// Only headings have a language: what stands below them is what scripts read as well.
    fn columns(&self, lang: Lang) -> String {
        let cells: Vec<Vec<String>> = std::iter::once(
            self.headings
                .iter()
                .map(|heading| match lang.pick(None, words::korean(heading)) {
                    Some(korean) => korean.to_owned(),
                    None => heading.to_uppercase().replace('_', " "),
                })
                .collect(),
        )
        .chain(self.rows.iter().map(|row| row.iter().map(cell).collect()))
        .collect();
        let widths: Vec<usize> = (0..self.headings.len())
            .map(|column| {
                cells
                    .iter()
                    .map(|row| width(&row[column]))
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        let mut text = String::new();
        for row in &cells {
            let mut line = String::new();
            for (value, wide) in row.iter().zip(&widths) {
                line.push_str(value);
                line.push_str(&" ".repeat(wide - width(value) + 2));
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// A value as a person reads it in a column.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => shown(&text.replace(['\n', '\r', '\t'], " ")).into_owned(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// Text for people's terminals: what would steer one, or turn the order of what it shows, stands as its number. Lines,
/// tags and titles are their senders' to choose.
pub(crate) fn shown(text: &str) -> Cow<'_, str> {
    let steers = |c: char| {
        let turns = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        turns || (c.is_control() && c != '\n' && c != '\t')
    };
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match steers(c) {
            true => safe.extend(c.escape_unicode()),
            false => safe.push(c),
        }
    }
    Cow::Owned(safe)
}

/// A cell of CSV. What a spreadsheet would take for a formula is marked as text.
fn field(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) if text.starts_with(['=', '+', '-', '@', '\t', '\r']) => {
            format!("'{text}")
        }
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(field).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    };
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

/// A cell of CSV; what is nested stands in it as JSON.
pub(crate) fn csv_cell(value: &Value) -> String {
    match value {
        Value::Array(_) | Value::Object(_) => field(&Value::String(value.to_string())),
        plain => field(plain),
    }
}

/// A value as a YAML document.
pub(crate) fn yaml(value: &Value) -> String {
    let text = serde_saphyr::to_string(value);
    // What JSON can say, YAML can.
    let mut text = text.unwrap_or_else(|_| format!("{value:#}"));
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// Columns of a terminal that a text takes: Hangul and other wide letters take two (Unicode Standard Annex 11).
fn width(text: &str) -> usize {
    text.chars()
        .map(|c| match u32::from(c) {
            0x1100..=0x115f
            | 0x2e80..=0xa4cf
            | 0xac00..=0xd7a3
            | 0xf900..=0xfaff
            | 0xff00..=0xff60 => 2,
            _ => 1,
        })
        .sum()
}

/// Writes to standard output. Whoever reads may have seen enough (`| head`); that something else keeps a result from being
/// written ends the process, for who asked would believe that there is none.
fn out(text: &str) {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(text.as_bytes());
    match written.and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("error[failed]: standard output takes nothing: {error}");
            std::process::exit(1);
        }
        _ => {}
    }
}

/// Prints a result.
pub(crate) fn table(table: &Table, form: impl Into<Form>) {
    out(&table.render(form));
}

/// Prints one object in a form for scripts.
pub(crate) fn value(value: &Value, output: Output) {
    out(&scripted(std::slice::from_ref(value), output, false));
}

/// Prints objects in a form for scripts.
pub(crate) fn values(values: &[Value], output: Output) {
    out(&scripted(values, output, true));
}

/// One object, or a list of them, in a form for scripts. As CSV the columns are the keys of all objects; what is
/// nested stands in its cell as JSON.
fn scripted(values: &[Value], output: Output, list: bool) -> String {
    match (output, values) {
        (Output::Jsonl, values) => values.iter().map(|value| format!("{value}\n")).collect(),
        (Output::Csv, values) => {
            let objects = || values.iter().filter_map(Value::as_object);
            let keys: BTreeSet<&str> = objects()
                .flat_map(|map| map.keys())
                .map(String::as_str)
                .collect();
            let row = |cells: Vec<String>| format!("{}\r\n", cells.join(","));
            let mut text = row(keys.iter().map(|key| (*key).to_owned()).collect());
            for object in objects() {
                let cell = |key: &&str| object.get(*key).map_or_else(String::new, csv_cell);
                text.push_str(&row(keys.iter().map(cell).collect()));
            }
            text
        }
        (Output::Yaml, [one]) if !list => yaml(one),
        (Output::Yaml, values) => yaml(&json!(values)),
        (_, [one]) if !list => format!("{one:#}\n"),
        (_, values) => format!("{:#}\n", json!(values)),
    }
}

/// Prints text that is the result itself.
pub(crate) fn text(text: &str) {
    out(&shown(text));
}

/// Standard output for results that come one by one. An error of writing is the caller's: whoever
/// reads may have seen enough.
pub(crate) struct Lines(io::BufWriter<io::StdoutLock<'static>>);

impl Lines {
    /// Takes standard output for itself until it is dropped.
    pub(crate) fn stdout() -> Self {
        Self(io::BufWriter::with_capacity(64 * 1024, io::stdout().lock()))
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Says something to the person; scripts do not read it.
pub(crate) fn message(text: &str) {
    eprintln!("{}", shown(text));
}

/// Writes over the line of a terminal that the cursor is in; nothing empties it.
pub(crate) fn over(text: &str) {
    eprint!("\r\x1b[2K{text}");
}

/// Says why a command line was refused, in colour where a terminal shows it and NO_COLOR does not forbid it.
pub(crate) fn refused(error: &clap::Error) {
    let text = error.render();
    let text = match colours() {
        true => text.ansi().to_string(),
        false => text.to_string(),
    };
    eprint!(
        "{}",
        text.replacen("error:", &format!("error[{}]:", Exit::Usage.code()), 1)
    );
}

/// Whether messages may have colours (no-color.org).
fn colours() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|said| said.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Table {
        let mut table = Table::new(&["tenant", "hosts"]);
        table.row(vec!["한빛".into(), 3.into()]);
        table.row(vec!["acme".into(), Value::Null]);
        table
    }

    #[test]
    fn columns_line_up_under_wide_letters() {
        assert_eq!(
            sample().render(Output::Table),
            "TENANT  HOSTS\n한빛    3\nacme    -\n"
        );
    }

    #[test]
    fn what_others_sent_steers_no_terminal_and_stays_what_it_is_for_programs() {
        let hostile = "a\u{1b}[2J\u{7}\u{9b}31m\u{202e}b";
        let mut table = Table::new(&["line"]);
        table.row(vec![hostile.into()]);
        let escaped = "a\\u{1b}[2J\\u{7}\\u{9b}31m\\u{202e}b";
        assert_eq!(table.render(Output::Table), format!("LINE\n{escaped}\n"));
        assert_eq!(shown(hostile), escaped);
        assert_eq!(shown("한빛\tok\n"), "한빛\tok\n");
        let object: Value = serde_json::from_str(&table.render(Output::Jsonl)).unwrap();
        assert_eq!(object["line"], hostile);
    }

    #[test]
    fn spreadsheets_get_fields_that_are_no_formulas() {
        let mut table = Table::new(&["name", "note"]);
        table.row(vec!["a,b".into(), "say \"so\"".into()]);
        table.row(vec!["=1+1".into(), Value::Null]);
        assert_eq!(
            table.render(Output::Csv),
            "name,note\r\n\"a,b\",\"say \"\"so\"\"\"\r\n'=1+1,\r\n"
        );
    }

    #[test]
    fn objects_have_every_form() {
        let objects = [json!({"a": 1, "b": [1, 2]}), json!({"c": {"d": "x"}})];
        assert_eq!(
            scripted(&objects, Output::Csv, true),
            "a,b,c\r\n1,\"[1,2]\",\r\n,,\"{\"\"d\"\":\"\"x\"\"}\"\r\n"
        );
        assert_eq!(
            scripted(&objects, Output::Jsonl, true),
            "{\"a\":1,\"b\":[1,2]}\n{\"c\":{\"d\":\"x\"}}\n"
        );
        for output in [Output::Json, Output::Yaml] {
            let list: Value = serde_saphyr::from_str(&scripted(&objects, output, true)).unwrap();
            assert_eq!(list, json!(objects));
            let one: Value =
                serde_saphyr::from_str(&scripted(&objects[..1], output, false)).unwrap();
            assert_eq!(one, objects[0]);
        }
    }

    #[test]
    fn yaml_is_what_json_is() {
        let text = sample().render(Output::Yaml);
        let value: Value = serde_saphyr::from_str(&text).unwrap();
        let json: Value = serde_json::from_str(&sample().render(Output::Json)).unwrap();
        assert_eq!(value, json, "{text}");
    }

    #[test]
    fn scripts_get_objects() {
        assert_eq!(
            sample().render(Output::Jsonl),
            "{\"hosts\":3,\"tenant\":\"한빛\"}\n{\"hosts\":null,\"tenant\":\"acme\"}\n"
        );
    }
}
