//! What is written as a line reads back as it was meant, or is rejected with a reason.

use super::protobuf::{Value, fields};
use super::*;
use crate::line::{FieldValue, scan};
use proptest::prelude::*;

fn write(name: &str, tags: &[(&str, &str)], key: &str, text: &str) -> (Decoded, Vec<u8>) {
    let (mut out, mut start) = (Vec::new(), Vec::new());
    let mut lines = Lines::new(&mut out, 1 << 20);
    let mut set = Tags::default();
    let pushed = tags
        .iter()
        .try_for_each(|(key, value)| set.push(key, value));
    match pushed.and_then(|()| head(&mut start, name, &mut set)) {
        Ok(()) => lines
            .point(name, &start, Some(7), |out| {
                field_key(out, key)?;
                field_text(out, text)
            })
            .unwrap(),
        Err(problem) => lines.reject(name, problem),
    }
    (lines.finish(), out)
}

proptest! {
    #[test]
    fn a_line_says_what_the_point_said_or_is_not_written(
        name in "[a-z#,= \\\\\"\n\t\u{e9}]{0,6}",
        key in "[a-z,= \\\\\"\n]{0,4}",
        value in "[a-z,= \\\\\"\n\r\0]{0,6}",
        field in "[a-z,= \\\\\"\n#]{1,4}",
        text in "[a-z,= \\\\\"\n\r\0]{0,6}",
    ) {
        let (decoded, out) = write(&name, &[(&key, &value)], &field, &text);
        let lines: Vec<_> = scan(&out).collect();
        prop_assert_eq!(lines.len(), decoded.lines);
        prop_assert_eq!(decoded.lines + decoded.rejected_points, 1);
        for line in lines {
            let line = line.unwrap();
            prop_assert_eq!(line.measurement(), name.as_str());
            let tags: Vec<_> = line.tags().map(|(k, v)| (k.into_owned(), v.into_owned())).collect();
            let meant: &[(String, String)] = if value.is_empty() { &[] } else { &[(key.clone(), value.clone())] };
            prop_assert_eq!(tags.as_slice(), meant);
            prop_assert_eq!(line.field(&field), Some(FieldValue::Text(text.as_str().into())));
            prop_assert_eq!(line.timestamp(), Some(7));
        }
    }

    #[test]
    fn a_number_reads_back_as_itself(value in any::<f64>()) {
        let mut out = b"m v=".to_vec();
        match float(&mut out, value) {
            Ok(()) => {
                let line = scan(&out).next().unwrap().unwrap();
                let Some(FieldValue::Float(read)) = line.field("v") else { panic!("a float") };
                prop_assert_eq!(read.to_bits(), value.to_bits());
            }
            Err(problem) => prop_assert!(!value.is_finite(), "{} {}", problem, value),
        }
    }

    #[test]
    fn no_bytes_bring_the_protobuf_reader_down(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let read = fields(&bytes).count();
        prop_assert!(read <= bytes.len());
    }
}

#[test]
fn a_host_is_added_where_one_can_be_known() {
    for (tags, line) in [
        (
            &[("instance", "web-1:9100")][..],
            "m,host=web-1,instance=web-1:9100 v=\"\" 7\n",
        ),
        (
            &[("host.name", "a"), ("instance", "b:1")],
            "m,host=a,host.name=a,instance=b:1 v=\"\" 7\n",
        ),
        (
            &[("host", "c"), ("host.name", "a")],
            "m,host=c,host.name=a v=\"\" 7\n",
        ),
        (&[("host", ""), ("job", "x")], "m,job=x v=\"\" 7\n"),
    ] {
        let (_, out) = write("m", tags, "v", "");
        assert_eq!(String::from_utf8(out).unwrap(), line);
    }
}

#[test]
fn a_tag_that_is_given_twice_is_a_reason() {
    let (decoded, out) = write("m", &[("a", "1"), ("a", "2")], "v", "");
    assert_eq!(decoded.rejected[0].problem, Problem::Twice("a".to_owned()));
    assert!(out.is_empty());
}

#[test]
fn what_is_written_has_a_limit_and_what_is_named_too() {
    let mut out = Vec::new();
    let mut lines = Lines::new(&mut out, 20);
    let point = |lines: &mut Lines<'_>| {
        lines.point("m", b"m", None, |out| {
            field_key(out, "v")?;
            float(out, 1.5)
        })
    };
    assert_eq!((point(&mut lines), point(&mut lines)), (Ok(()), Ok(())));
    assert_eq!(point(&mut lines), Err(Undecodable::TooLarge { most: 20 }));
    for _ in 0..100 {
        lines.reject("m", Problem::NotANumber);
    }
    let decoded = lines.finish();
    assert_eq!((decoded.rejected.len(), decoded.rejected_points), (20, 100));
    assert_eq!(
        decoded.rejected[0].to_string(),
        "point 4, `m`: its value is NaN, which cannot be stored"
    );
}

#[test]
fn whole_numbers_are_floats_when_they_are_exact() {
    assert_eq!(exact(1 << 53), Ok(9_007_199_254_740_992.0));
    assert_eq!(
        exact((1 << 53) + 1),
        Err(Problem::NotExact("9007199254740993".to_owned()))
    );
    assert_eq!(
        exact(i128::from(i64::MIN)),
        Ok(-9_223_372_036_854_775_808.0)
    );
    assert!(exact(i128::from(u64::MAX)).is_err());
}

#[test]
fn protobuf_fields_are_read_or_said_to_be_wrong() {
    let read: Vec<_> = fields(&[0x08, 0x96, 0x01, 0x12, 0x01, b'a', 0x1d, 1, 0, 0, 0]).collect();
    assert_eq!(
        read,
        [
            Ok((1, Value::Varint(150))),
            Ok((2, Value::Bytes(b"a"))),
            Ok((3, Value::Fixed32(1)))
        ]
    );
    for wrong in [
        &[0x08][..],
        &[
            0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02,
        ],
        &[0x12, 0x05, b'a'],
        &[0x0b],
        &[0x00, 0x01],
        &[0x09, 1, 2],
    ] {
        assert!(fields(wrong).next().unwrap().is_err(), "{wrong:?}");
        assert_eq!(fields(wrong).count(), 1);
    }
}
