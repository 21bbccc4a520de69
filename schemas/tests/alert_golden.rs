//! The bytes of every version of the alert stream's records. A change of these files is a new
//! version.

use model::{
    AlertEvent, AlertKind, CaughtUp, Fingerprint, IncidentId, Priority, StreamEvent, TenantId,
    Timestamp,
};
use schemas::alert::{DecodeError, decode, encode};
use std::path::PathBuf;

fn firing() -> AlertEvent {
    let tenant = TenantId::parse("acme").unwrap();
    let group = vec![
        ("host".to_owned(), "web-1".to_owned()),
        ("path".to_owned(), "/var".to_owned()),
    ];
    let started_at = Timestamp::from_nanos(1_700_000_000_000_000_000);
    let incident_id = IncidentId::of(
        Fingerprint::of(&tenant, "disk-usage", &group),
        0,
        started_at,
    );
    AlertEvent {
        event_id: incident_id.event(1),
        incident_id,
        sequence: 1,
        tenant,
        partition: 3,
        template: "disk-usage".to_owned(),
        group,
        kind: AlertKind::Firing,
        priority: Some(Priority::P1),
        value: Some(95.25),
        threshold: Some(90.0),
        unit: "percent".to_owned(),
        at: started_at,
        started_at,
        arrival: Timestamp::from_nanos(1_700_000_031_000_000_000),
        env: Some("prod".to_owned()),
        title: "Disk /var on web-1".to_owned(),
        title_ko: Some("web-1 디스크 /var 사용률".to_owned()),
        why: "min of 5m is 95.25, above 90 for 5m".to_owned(),
        runbook: None,
    }
}

fn resolved() -> AlertEvent {
    let firing = firing();
    AlertEvent {
        event_id: firing.incident_id.event(2),
        sequence: 2,
        kind: AlertKind::Resolved,
        priority: None,
        value: None,
        threshold: None,
        unit: String::new(),
        env: None,
        title_ko: None,
        runbook: Some("https://wiki.example.com/disk".to_owned()),
        ..firing
    }
}

fn caught_up() -> CaughtUp {
    CaughtUp {
        tenant: TenantId::parse("acme").unwrap(),
        partition: 3,
        offset: -1,
        arrival: Timestamp::from_nanos(1_700_000_031_000_000_000),
    }
}

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("golden/alert")
        .join(name)
}

/// Every event and its file; `BLESS=1` writes the files of a new version.
fn golden() -> Vec<(&'static str, StreamEvent)> {
    vec![
        ("firing-v1.avro", StreamEvent::Alert(Box::new(firing()))),
        ("resolved-v1.avro", StreamEvent::Alert(Box::new(resolved()))),
        ("caught-up-v1.avro", StreamEvent::CaughtUp(caught_up())),
    ]
}

#[test]
fn version_1_is_written_and_read_as_it_always_was() {
    for (name, event) in golden() {
        let bytes = encode(&event);
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(file(name), &bytes).unwrap();
        }
        let known = std::fs::read(file(name)).unwrap();
        assert_eq!(hex::encode(&bytes), hex::encode(&known), "{name}");
        assert_eq!(decode(&known).unwrap(), event, "{name}");
    }
}

#[test]
fn every_kind_and_priority_survives_the_wire() {
    use AlertKind::*;
    for kind in [
        Firing, Reopened, Raised, Lowered, Resolved, Expired, Flapping, Held, Inhibited,
    ] {
        for priority in [
            None,
            Some(Priority::P1),
            Some(Priority::P2),
            Some(Priority::P3),
        ] {
            let event = StreamEvent::Alert(Box::new(AlertEvent {
                kind,
                priority,
                ..firing()
            }));
            assert_eq!(decode(&encode(&event)).unwrap(), event);
        }
    }
}

#[test]
fn what_is_no_known_event_is_an_error_that_says_why() {
    let good = encode(&StreamEvent::CaughtUp(caught_up()));
    let mut unknown = good.clone();
    unknown[2] ^= 0xff;
    let mut longer = good.clone();
    longer.push(0);
    for (bytes, why) in [
        (&b""[..], "not in Avro single-object encoding"),
        (b"cpu,host=a v=1", "not in Avro single-object encoding"),
        (&unknown, "a newer version wrote it"),
        (&good[..12], "damaged"),
        (&longer, "1 bytes behind its end"),
    ] {
        let error = decode(bytes).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
    assert!(matches!(
        decode(&unknown),
        Err(DecodeError::UnknownSchema { .. })
    ));
}

#[test]
fn a_damaged_event_never_panics() {
    let good = encode(&StreamEvent::Alert(Box::new(firing())));
    for at in 10..good.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut bytes = good.clone();
            bytes[at] ^= flip;
            // Either it is read as another event, or refused.
            drop(decode(&bytes));
        }
        drop(decode(&good[..at]));
    }
}
