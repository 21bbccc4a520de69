//! Every Avro schema that a record was ever written with: each writer's version against each reader's version.
//!
//! A schema that was released is never changed: what is new goes into a file of the next version, `NAME-vN.avsc`, with
//! a line in [`RELEASED`] and a golden record. It must be readable by, and read, every other version of its name.

use apache_avro::Schema;
use apache_avro::rabin::Rabin;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::schema_compatibility::{Compatibility, SchemaCompatibility};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The released schemas, with the CRC-64-AVRO of their canonical form as it stands on the wire, and a record of each.
const RELEASED: &[(&str, &str, &str)] = &[
    ("alert-event-v1", "406ef3272203f30f", "alert/firing-v1.avro"),
    (
        "caught-up-v1",
        "51cd3c9fe2da33e9",
        "alert/caught-up-v1.avro",
    ),
    ("metric-v1", "9438edde7fb6c40c", "avro/metric.avro"),
    ("metrics-v1", "6a59768b79534ee4", "avro/metrics.avro"),
];

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn text(file: &str) -> String {
    let path = folder("avro").join(format!("{file}.avsc"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn schema(file: &str) -> Schema {
    Schema::parse_str(&text(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn fingerprint(schema: &Schema) -> String {
    hex::encode(&schema.fingerprint::<Rabin>().bytes)
}

/// Why a reader's version does not read all that a writer's version writes.
fn broken(writer: &Schema, reader: &Schema) -> Option<String> {
    match SchemaCompatibility::can_read(writer, reader) {
        Ok(Compatibility::Full) => None,
        // Such as a word of an enum that the reader does not have.
        Ok(Compatibility::Partial) => Some("some values cannot be read".to_owned()),
        Err(error) => Some(error.to_string()),
    }
}

/// The versions of each name, oldest first.
fn versions() -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut versions: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (file, _, _) in RELEASED {
        let (name, _) = file.rsplit_once("-v").expect("NAME-vN");
        versions.entry(name).or_default().push(*file);
    }
    versions
}

#[test]
fn a_released_schema_is_never_changed() {
    let mut files: Vec<String> = std::fs::read_dir(folder("avro"))
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    let released: Vec<_> = RELEASED
        .iter()
        .map(|(file, ..)| format!("{file}.avsc"))
        .collect();
    assert_eq!(files, released, "each has its line in RELEASED");
    for (file, known, _) in RELEASED {
        let found = fingerprint(&schema(file));
        assert_eq!(
            found, *known,
            "{file} was released: what changes goes into a new version"
        );
    }
}

#[test]
fn every_writers_version_is_read_by_every_readers_version() {
    for (name, files) in versions() {
        for (number, file) in (1..).zip(&files) {
            assert_eq!(*file, format!("{name}-v{number}"), "versions count from 1");
        }
        for writer in &files {
            for reader in &files {
                let broken = broken(&schema(writer), &schema(reader));
                assert_eq!(broken, None, "{writer} written, {reader} reading");
            }
        }
    }
}

#[test]
fn the_record_of_every_version_is_read_by_every_readers_version() {
    for (file, known, golden) in RELEASED {
        let bytes = std::fs::read(folder("golden").join(golden)).unwrap();
        assert_eq!(hex::encode(&bytes[..2]), "c301", "{golden}");
        assert_eq!(hex::encode(&bytes[2..10]), *known, "{golden} is of {file}");
        let (name, _) = file.rsplit_once("-v").unwrap();
        for reader in &versions()[name] {
            let (writer, reading) = (schema(file), schema(reader));
            let read = GenericDatumReader::builder(&writer)
                .reader_schema(&reading)
                .build()
                .and_then(|datum| datum.read_value(&mut &bytes[10..]));
            let value = read.unwrap_or_else(|error| panic!("{golden} by {reader}: {error}"));
            assert!(value.validate(&reading), "{golden} by {reader}: {value:?}");
        }
    }
}

/// The guard itself: what must not be released as a next version is refused, what may be is taken.
#[test]
fn a_breaking_schema_is_told_from_one_that_is_none() {
    let old = text("alert-event-v1");
    let field = r#"{"name": "runbook", "type": ["null", "string"]}"#;
    let tenant = r#"{"name": "tenant", "type": "string"},"#;
    let next = |from: &str, to: &str| {
        assert_eq!(old.matches(from).count(), 1, "{from}");
        Schema::parse_str(&old.replace(from, to)).unwrap()
    };
    let first = schema("alert-event-v1");
    let both = |other: &Schema| (broken(&first, other), broken(other, &first));

    let with_default =
        format!(r#"{field}, {{"name": "team", "type": ["null", "string"], "default": null}}"#);
    assert_eq!(both(&next(field, &with_default)), (None, None));

    for (what, from, to) in [
        (
            "a new field without a default",
            field,
            format!(r#"{field}, {{"name": "team", "type": "string"}}"#),
        ),
        ("a field that is gone", tenant, String::new()),
        (
            "another type",
            tenant,
            r#"{"name": "tenant", "type": "int"},"#.to_owned(),
        ),
        (
            "another name",
            tenant,
            r#"{"name": "customer", "type": "string"},"#.to_owned(),
        ),
        (
            "a new word of an enum without a default",
            r#""inhibited"]"#,
            r#""inhibited", "merged"]"#.to_owned(),
        ),
    ] {
        let (forwards, backwards) = both(&next(from, &to));
        assert!(
            forwards.is_some() || backwards.is_some(),
            "{what} is taken for compatible"
        );
    }
}
