//! Tests of what InfluxQL may do.

use super::*;

const NOW: i64 = 1_767_225_600_000_000_000;
const HOUR: i64 = 3_600_000_000_000;

fn checked(text: &str) -> Result<InfluxQl, Refused> {
    check(text, &TenantId::parse("acme").unwrap(), NOW)
}

#[test]
fn what_a_reader_may_ask_passes() {
    for text in [
        "SELECT \"v\" FROM \"cpu\" WHERE time > now() - 1h",
        "select * from acme.autogen.cpu; select * from \"acme\"..\"cpu\"",
        "SELECT mean(v) FROM autogen.cpu WHERE host =~ /^a.b.c$/ GROUP BY time(1m)",
        "SHOW TAG VALUES ON acme WITH KEY = host",
        "SELECT v FROM cpu -- globex..cpu\n WHERE host = 'globex..cpu'",
        "SELECT v/2.5 FROM cpu",
    ] {
        assert!(checked(text).is_ok(), "{text}: {:?}", checked(text));
    }
}

#[test]
fn what_leads_out_of_the_own_database_or_writes_is_refused() {
    for (text, why) in [
        ("SELECT * FROM globex.autogen.cpu", "not yours"),
        ("SELECT * FROM \"globex\"..cpu", "not yours"),
        (
            "SELECT * FROM cpu; SELECT * FROM globex../c.*/",
            "not yours",
        ),
        ("SELECT * FROM globex/**/.autogen/**/.cpu", "not yours"),
        ("SHOW MEASUREMENTS ON globex", "not yours"),
        (
            "SHOW TAG VALUES FROM globex.autogen.cpu WITH KEY = host",
            "not yours",
        ),
        ("SELECT * INTO x FROM cpu", "writes"),
        ("DROP MEASUREMENT cpu", "reads"),
        ("SELECT v FROM cpu; DELETE FROM cpu", "reads"),
        ("CREATE DATABASE x", "reads"),
        ("", "missing"),
    ] {
        let error = checked(text).unwrap_err().to_string();
        assert!(error.contains(why), "{text}: {error}");
    }
}

#[test]
fn the_time_of_a_query_is_read_from_its_conditions() {
    for (condition, from, to) in [
        (
            "time >= 1767222000000ms and time <= 1767225600000ms",
            NOW - HOUR,
            NOW,
        ),
        ("time > now() - 1h", NOW - HOUR + 1, i64::MAX),
        (
            "host = 'a' AND time >= '2026-01-01T00:00:00Z' AND time < now()",
            NOW,
            NOW - 1,
        ),
        ("time = 1767225600000000000", NOW, NOW),
        ("time > now() - 1h OR host = 'a'", i64::MIN, i64::MAX),
        ("host = 'a'", i64::MIN, i64::MAX),
        ("time > now() - 1h * 2", i64::MIN, i64::MAX),
        (
            "time >= '2026-01-01 00:00:00' AND time < '2026-01-01T00:00:01Z' tz('Asia/Seoul')",
            NOW - 14 * HOUR,
            NOW + HOUR / 3_600 - 1,
        ),
    ] {
        let found = checked(&format!("SELECT v FROM cpu WHERE {condition}"))
            .unwrap()
            .window;
        assert_eq!((found.from, found.to), (from, to), "{condition}");
    }
}

#[test]
fn only_rows_and_names_can_be_put_together() {
    let merge = |text: &str| checked(text).unwrap().merge;
    assert_eq!(
        merge("SELECT v, w FROM cpu WHERE (host = 'a') GROUP BY host"),
        Merge::Rows
    );
    assert_eq!(merge("SELECT * FROM cpu ORDER BY time DESC"), Merge::Rows);
    assert_eq!(merge("SHOW TAG KEYS"), Merge::Names);
    // What Grafana asks when a data source is tried, and for the list of measurements.
    assert_eq!(merge("SHOW MEASUREMENTS LIMIT 1"), Merge::Names);
    assert_eq!(merge("SELECT v FROM cpu LIMIT 1"), Merge::Rows);
    for whole in [
        "SELECT mean(v) FROM cpu",
        "SELECT v FROM cpu LIMIT 1 OFFSET 1",
        "SELECT v FROM cpu GROUP BY host SLIMIT 1",
        "SHOW MEASUREMENTS LIMIT 1 OFFSET 1",
        "SELECT v FROM (SELECT v FROM cpu)",
        "SELECT v FROM cpu; SELECT v FROM mem",
        "SHOW TAG VALUES CARDINALITY WITH KEY = host",
    ] {
        assert!(matches!(merge(whole), Merge::Not(_)), "{whole}");
    }
}

#[test]
fn what_a_data_source_asks_first_needs_no_shard() {
    assert_eq!(checked("SHOW DATABASES").unwrap().own, Some(Own::Databases));
    let policies = checked("SHOW RETENTION POLICIES ON \"acme\"").unwrap();
    assert_eq!(policies.own, Some(Own::RetentionPolicies));
    assert_eq!(checked("SHOW DATABASES; SHOW TAG KEYS").unwrap().own, None);
}

#[test]
fn how_many_rows_are_wanted_is_known() {
    for (text, most) in [
        ("SHOW MEASUREMENTS LIMIT 100", Some(100)),
        ("SELECT v FROM cpu ORDER BY time DESC limit 1", Some(1)),
        ("SELECT v FROM cpu LIMIT 0", None),
        ("SELECT \"limit\" FROM cpu", None),
    ] {
        assert_eq!(checked(text).unwrap().most, most, "{text}");
    }
    assert_eq!(
        checked("SHOW TAG KEYS; SHOW TAG KEYS;").unwrap().statements,
        2
    );
}
