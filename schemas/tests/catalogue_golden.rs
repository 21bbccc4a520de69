//! The bytes of records of `bongsu.catalog`: those of every version are read, and those that are written stay as they
//! are. `BLESS=1` writes the file of a new version.
//!
//! The topic is compacted and kept for ever, so a record of the first version may be read by any later one. A reader
//! that is older than a record leaves it out with an error, and everything else holds.

use schemas::catalogue::{
    Bundle, BundleContent, Catalogue, Entry, Kind, Record, decode_value, encode_value, parse_yaml,
};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// A declaration of each kind with most of what it can say. Held as bytes in `golden/catalogue/records-v1.jsonl`.
const DECLARED: &str = include_str!("../golden/catalogue/declared-v1.yaml");
const REVISION: u64 = 41;

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/catalogue/records-v1.jsonl")
}

fn declared() -> Vec<Entry> {
    let located = parse_yaml("declared-v1.yaml", DECLARED);
    let located = located.unwrap_or_else(|errors| panic!("{errors:#?}"));
    located.into_iter().map(|located| located.value).collect()
}

/// What the declarations make of the tenant's evaluation, without the shipped templates, which change.
fn bundle(entries: &[Entry]) -> Bundle {
    let (mut templates, mut overrides, mut tenants) = (Vec::new(), Vec::new(), Vec::new());
    for entry in entries {
        match entry {
            Entry::Template(template) => templates.push((**template).clone()),
            Entry::Override(one) => overrides.push((**one).clone()),
            Entry::Tenant(tenant) => tenants.push(tenant.clone()),
            _ => {}
        }
    }
    let tenant = tenants.remove(0);
    let content = BundleContent {
        templates,
        overrides,
        inventory: tenant.inventory.clone(),
        partitions: tenant.partitions,
        tick: tenant.evaluation.tick,
        lateness: tenant.evaluation.lateness,
    };
    Bundle::new(tenant.tenant.clone(), REVISION, content)
}

/// A record a line: its key, a tab, its value.
fn written() -> String {
    let entries = declared();
    let bundle = bundle(&entries);
    let bundle_key = format!("bundle/{}/{REVISION}", bundle.tenant);
    let mut records: Vec<(String, Record)> = entries
        .into_iter()
        .map(|entry| (entry.key(), Record::Entry(entry)))
        .collect();
    records.push((bundle_key, Record::Bundle(Box::new(bundle))));
    let line = |(key, record): &(String, Record)| {
        let value = encode_value(REVISION, record);
        format!("{key}\t{}\n", String::from_utf8(value).unwrap())
    };
    records.iter().map(line).collect()
}

fn known() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(file()).unwrap();
    let pairs = text.lines().map(|line| line.split_once('\t').unwrap());
    pairs
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn records_are_written_as_they_always_were() {
    let written = written();
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(file(), &written).unwrap();
    }
    assert_eq!(written, std::fs::read_to_string(file()).unwrap());
    let kinds: BTreeSet<_> = declared()
        .iter()
        .map(|entry| entry.kind().as_str())
        .collect();
    let all: BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(kinds, all, "each kind has its record");
}

#[test]
fn records_of_every_version_are_read_and_mean_what_was_declared() {
    let mut catalogue = Catalogue::default();
    for (key, value) in known() {
        let (revision, record) = decode_value(key.as_bytes(), value.as_bytes())
            .unwrap_or_else(|error| panic!("{key}: {error}"));
        assert_eq!(revision, REVISION, "{key}");
        assert_eq!(encode_value(revision, &record), value.as_bytes(), "{key}");
        catalogue
            .apply_record(key.as_bytes(), Some(value.as_bytes()))
            .unwrap();
    }
    for entry in declared() {
        let read = catalogue.get(entry.kind(), entry.name());
        assert_eq!(read.as_ref(), Some(&entry));
    }
    // A bundle is under the hash of its content: what a later version adds must not change it.
    let bundle = bundle(&declared());
    let read = catalogue.bundle(&bundle.tenant, REVISION, &bundle.hash);
    assert_eq!(read.map(|read| &**read), Some(&bundle));
}

#[test]
fn a_record_of_a_newer_version_is_left_out_and_everything_else_holds() {
    let mut catalogue = Catalogue::default();
    for (key, value) in known() {
        catalogue
            .apply_record(key.as_bytes(), Some(value.as_bytes()))
            .unwrap();
    }
    let before = catalogue.clone();
    for (key, value) in known() {
        for newer in [
            value.replacen("\"spec\":{", "\"spec\":{\"of_a_newer_version\":1,", 1),
            value.replacen(
                "{\"revision\":",
                "{\"of_a_newer_version\":1,\"revision\":",
                1,
            ),
        ] {
            let refused = catalogue
                .apply_record(key.as_bytes(), Some(newer.as_bytes()))
                .unwrap_err()
                .to_string();
            assert!(
                refused.contains(&key) && refused.contains("of_a_newer_version"),
                "{refused}"
            );
        }
    }
    let unknown = catalogue.apply_record(b"dashboard/main", Some(b"{\"revision\":1,\"spec\":{}}"));
    assert!(unknown.unwrap_err().to_string().contains("known kind"));
    assert_eq!(catalogue, before);
}
