//! Records of a tenant's topic as the core reads them, and the two kinds that an owner appends.

use crate::core::{Derived, Payload};
use bytes::Bytes;
use model::Timestamp;
use stream::{NewRecord, Record, TopicPartition};

const KIND: &str = "bongsu";
const TICK: &str = "tick";
const BUNDLE: &str = "bundle";
const REVISION: &str = "revision";
const HASH: &str = "hash";
const DERIVED: &str = "derived";
const AT: &str = "at";
const FROM: &str = "from";
const LINES: &str = "lines";

/// What a record says. One with a value is always lines, whatever its headers.
pub(crate) fn payload<'a>(record: &Record<'a>) -> Payload<'a> {
    if let Some(lines) = record.value {
        return Payload::Lines(lines);
    }
    let text = |name| {
        record
            .header(name)
            .and_then(|value| str::from_utf8(value).ok())
    };
    match text(KIND) {
        Some(TICK) => Payload::Tick,
        Some(BUNDLE) => match (text(REVISION).and_then(|r| r.parse().ok()), text(HASH)) {
            (Some(revision), Some(hash)) => Payload::BundleMark { revision, hash },
            _ => Payload::Unknown,
        },
        Some(DERIVED) => {
            let at = text(AT).and_then(|at| at.parse().ok());
            let from = text(FROM).and_then(|from| from.parse().ok());
            match (at, from, text(LINES)) {
                (Some(at), Some(from), Some(lines)) => Payload::Derived {
                    at: Timestamp::from_nanos(at),
                    from,
                    lines,
                },
                _ => Payload::Unknown,
            }
        }
        _ => Payload::Unknown,
    }
}

/// A record that only says "now".
pub(crate) fn tick(target: &TopicPartition) -> NewRecord {
    with_headers(
        target,
        vec![(KIND.to_owned(), Bytes::from_static(TICK.as_bytes()))],
    )
}

/// A record from which on a bundle holds.
pub(crate) fn bundle_mark(target: &TopicPartition, revision: u64, hash: &str) -> NewRecord {
    with_headers(
        target,
        vec![
            (KIND.to_owned(), Bytes::from_static(BUNDLE.as_bytes())),
            (REVISION.to_owned(), Bytes::from(revision.to_string())),
            (HASH.to_owned(), Bytes::copy_from_slice(hash.as_bytes())),
        ],
    )
}

/// What a partition reports, in the tenant's first partition. Without a value, so that nobody
/// stores it.
pub(crate) fn derived(source: &TopicPartition, derived: &Derived) -> NewRecord {
    let home = TopicPartition::new(source.topic.clone(), 0);
    with_headers(
        &home,
        vec![
            (KIND.to_owned(), Bytes::from_static(DERIVED.as_bytes())),
            (
                AT.to_owned(),
                Bytes::from(derived.at.as_nanos().to_string()),
            ),
            (FROM.to_owned(), Bytes::from(derived.from.to_string())),
            (LINES.to_owned(), Bytes::from(derived.lines.clone())),
        ],
    )
}

fn with_headers(target: &TopicPartition, headers: Vec<(String, Bytes)>) -> NewRecord {
    NewRecord {
        target: target.clone(),
        key: None,
        value: None,
        headers,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::TopicName;
    use stream::BatchBuilder;

    fn read(value: Option<&[u8]>, headers: &[(&str, &str)]) -> String {
        let source = TopicPartition::new(TopicName::listed("metrics.acme").unwrap(), 0);
        let headers = headers
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec()))
            .collect();
        let mut batch = BatchBuilder::new(source, 1);
        batch.push(0, Timestamp::default(), None, value, headers);
        let batch = batch.finish();
        let record = batch.records().next().unwrap();
        match payload(&record) {
            Payload::Lines(lines) => format!("lines {}", lines.len()),
            Payload::Read(lines) => format!("{} lines that were read", lines.len()),
            Payload::Tick => "tick".to_owned(),
            Payload::BundleMark { revision, hash } => format!("bundle {revision} {hash}"),
            Payload::Derived { at, from, lines } => {
                format!("derived {} {from} {lines}", at.as_nanos())
            }
            Payload::Unknown => "unknown".to_owned(),
        }
    }

    /// The headers of version 1. An older owner that reads more than these leaves it out of account.
    #[test]
    fn what_owners_append_is_written_as_it_always_was() {
        let source = TopicPartition::new(TopicName::listed("metrics.acme").unwrap(), 3);
        let report = Derived {
            at: Timestamp::from_nanos(60),
            from: 3,
            lines: "bongsu_census hosts_known=1i 60\n".to_owned(),
        };
        for (record, partition, known) in [
            (tick(&source), 3, "bongsu=tick"),
            (
                bundle_mark(&source, 7, "ab"),
                3,
                "bongsu=bundle revision=7 hash=ab",
            ),
            (
                derived(&source, &report),
                0,
                "bongsu=derived at=60 from=3 lines=bongsu_census hosts_known=1i 60\n",
            ),
        ] {
            assert_eq!((record.key, record.value), (None, None), "{known}");
            assert_eq!(record.target.partition, partition, "{known}");
            let headers = record.headers.iter();
            let headers = headers.map(|(name, value)| format!("{name}={}", text(value)));
            assert_eq!(headers.collect::<Vec<_>>().join(" "), known);
            let mut read_back: Vec<_> = record
                .headers
                .iter()
                .map(|(name, value)| (name.as_str(), text(value)))
                .collect();
            let what = read(None, &read_back);
            assert_ne!(what, "unknown", "{known}");
            read_back.push(("of_a_newer_version", "1"));
            assert_eq!(read(None, &read_back), what, "{known}");
        }
    }

    fn text(value: &Bytes) -> &str {
        str::from_utf8(value).unwrap()
    }

    #[test]
    fn only_a_record_without_a_value_is_read_by_its_headers() {
        let mark = [("bongsu", "bundle"), ("revision", "7"), ("hash", "ab")];
        let report = [
            ("bongsu", "derived"),
            ("at", "60"),
            ("from", "3"),
            ("lines", "m v=1"),
        ];
        for (value, headers, what) in [
            (Some("cpu v=1"), &mark[..], "lines 7"),
            (None, &mark[..], "bundle 7 ab"),
            (None, &mark[..2], "unknown"),
            (None, &report[..], "derived 60 3 m v=1"),
            (None, &report[..3], "unknown"),
            (None, &[("bongsu", "tick")][..], "tick"),
            (
                None,
                &[("bongsu", "bundle"), ("revision", "-1"), ("hash", "")][..],
                "unknown",
            ),
            (None, &[][..], "unknown"),
        ] {
            assert_eq!(read(value.map(str::as_bytes), headers), what);
        }
    }
}
