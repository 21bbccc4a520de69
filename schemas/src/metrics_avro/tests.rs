//! Bodies by hand and by the crate's own writer; what another writer wrote is in `tests/metrics_golden.rs`.

use super::*;
use crate::points::Problem;
use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;
use apache_avro::{Codec, DeflateSettings, Writer};

fn metric(name: &str, tags: &[(&str, &str)], fields: Vec<(&str, Value)>, at: Option<i64>) -> Value {
    let tags = tags
        .iter()
        .map(|(key, value)| ((*key).to_owned(), Value::from(*value)));
    let fields = fields.into_iter().map(|(key, value)| {
        let branch = match value {
            Value::Long(_) => 0,
            Value::Double(_) => 1,
            Value::Boolean(_) => 2,
            _ => 3,
        };
        (key.to_owned(), Value::Union(branch, Box::new(value)))
    });
    let at = match at {
        None => Value::Union(0, Box::new(Value::Null)),
        Some(at) => Value::Union(1, Box::new(Value::Long(at))),
    };
    Value::Record(vec![
        ("name".to_owned(), Value::from(name)),
        ("tags".to_owned(), Value::Map(tags.collect())),
        ("fields".to_owned(), Value::Map(fields.collect())),
        ("timestamp".to_owned(), at),
    ])
}

fn file(codec: Codec, metrics: Vec<Value>) -> Vec<u8> {
    let schema = Schema::parse_str(SCHEMAS[0]).unwrap();
    let mut writer = Writer::with_codec(&schema, Vec::new(), codec).unwrap();
    for metric in metrics {
        writer.append_value(metric).unwrap();
    }
    writer.into_inner().unwrap()
}

fn read(body: &[u8]) -> (Decoded, String) {
    let mut out = Vec::new();
    let decoded = decode(body, 1 << 20, &mut out).unwrap();
    (decoded, String::from_utf8(out).unwrap())
}

fn one() -> Value {
    metric("m", &[("host", "a")], vec![("v", Value::Long(-3))], Some(7))
}

#[test]
fn files_of_the_library_are_read_plain_and_deflated() {
    for codec in [Codec::Null, Codec::Deflate(DeflateSettings::default())] {
        let (decoded, lines) = read(&file(codec, vec![one(), one()]));
        assert_eq!(
            (decoded.lines, &lines[..]),
            (2, "m,host=a v=-3i 7\nm,host=a v=-3i 7\n")
        );
    }
}

#[test]
fn bad_metrics_have_reasons_and_spare_the_others() {
    let value = || vec![("v", Value::Double(1.0))];
    let body = file(
        Codec::Null,
        vec![
            metric("m", &[], vec![("v", Value::Double(f64::NAN))], None),
            metric("", &[], value(), None),
            metric("m", &[], vec![], None),
            metric("m", &[("a", "x\\")], value(), None),
            one(),
        ],
    );
    let (decoded, lines) = read(&body);
    assert_eq!(lines, "m,host=a v=-3i 7\n");
    let problems: Vec<_> = decoded
        .rejected
        .into_iter()
        .map(|rejected| rejected.problem)
        .collect();
    let expected = [
        Problem::NotANumber,
        Problem::NoName,
        Problem::NoField,
        Problem::Backslash("tag value"),
    ];
    assert_eq!(problems, expected);
}

#[test]
fn other_schemas_codecs_and_forms_are_refused_whole() {
    let other = Schema::parse_str(r#"{"type":"array","items":"null"}"#).unwrap();
    let strange = Writer::new(&other, Vec::new())
        .unwrap()
        .into_inner()
        .unwrap();
    let mut unknown = vec![0xC3, 0x01];
    unknown.extend([7; 8]);
    for (body, reason) in [
        (strange, "not known"),
        (unknown, "not known"),
        (vec![0, 0, 0, 0, 1, 2], "registry"),
        (b"m v=1 1\n".to_vec(), "neither"),
        (b"Obj\x01\x00".to_vec(), "no schema"),
        (b"Obj\x01\x02\x14avro.codec\x0csnappy".to_vec(), "snappy"),
    ] {
        let refused = decode(&body, 1 << 20, &mut Vec::new())
            .unwrap_err()
            .to_string();
        assert!(refused.contains(reason), "{refused}");
    }
}

#[test]
fn what_a_writers_schema_says_beside_its_form_neither_matters_nor_hurts() {
    let beside = r#"{"name": "name", "symbols": null, "order": "ignore", "items": 3, "x": [{}],"#;
    let said = SCHEMAS[0].replacen(r#"{"name": "name","#, beside, 1);
    let said = said.replacen(
        r#""type": "record","#,
        r#""type": "record", "values": null, "size": [],"#,
        1,
    );
    assert!(said.contains("symbols") && said.contains("size"), "{said}");
    let head = |schema: &str| {
        let mut file = b"Obj\x01".to_vec();
        let schema = Value::Map([("avro.schema".to_owned(), Value::Bytes(schema.into()))].into());
        let shape = Schema::parse_str(r#"{"type": "map", "values": "bytes"}"#).unwrap();
        let writer = GenericDatumWriter::builder(&shape).build().unwrap();
        file.extend(writer.write_value_to_vec(schema).unwrap());
        file.extend([7; 16]);
        file
    };
    assert_eq!(read(&head(&said)).0.lines, 0);
    for odd in [
        "{}",
        "[]",
        "null",
        "3",
        r#"{"type": {"type": null}}"#,
        r#"{"type": "record", "name": "x", "fields": 1}"#,
    ] {
        assert!(
            decode(&head(odd), 1 << 20, &mut Vec::new()).is_err(),
            "{odd}"
        );
    }
}

#[test]
fn a_body_that_is_cut_anywhere_is_refused() {
    for whole in [file(Codec::Null, vec![one()]), single()] {
        for end in 1..whole.len() {
            let refused = decode(&whole[..end], 1 << 20, &mut Vec::new());
            // A file that ends behind its header is one without blocks.
            let header = refused == Ok(Decoded::default()) && whole[0] == b'O';
            assert!(refused.is_err() || header, "{end}: {refused:?}");
        }
    }
}

fn single() -> Vec<u8> {
    let schema = Schema::parse_str(SCHEMAS[0]).unwrap();
    let datum = GenericDatumWriter::builder(&schema)
        .build()
        .and_then(|writer| writer.write_value_to_vec(one()))
        .unwrap();
    [&MARKER[..], &KNOWN[0].0, &datum].concat()
}

#[test]
fn a_deflated_bomb_ends_at_the_limit() {
    let long = "x".repeat(1 << 20);
    let bomb = (0..8).map(|_| metric(&long, &[], vec![("v", Value::Long(1))], None));
    let body = file(Codec::Deflate(DeflateSettings::default()), bomb.collect());
    assert!(body.len() < 1 << 16);
    let mut out = Vec::new();
    let refused = decode(&body, 1 << 20, &mut out);
    assert_eq!(refused, Err(Undecodable::TooLarge { most: 1 << 20 }));
}

#[test]
fn a_record_of_a_topic_is_lines_or_avro() {
    let mut scratch = b"old".to_vec();
    let plain = lines_of_record(b"m v=1 1\n", &mut scratch);
    assert_eq!((plain.lines, plain.avro), (&b"m v=1 1\n"[..], None));
    let body = single();
    let made = lines_of_record(&body, &mut scratch);
    assert_eq!(made.lines, b"m,host=a v=-3i 7\n");
    assert_eq!(made.avro.unwrap().unwrap().lines, 1);
    let cut = lines_of_record(&body[..body.len() - 1], &mut scratch);
    assert!(cut.lines.is_empty() && cut.avro.unwrap().is_err());
}
