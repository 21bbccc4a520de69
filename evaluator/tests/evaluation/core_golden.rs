//! Saved state of every version of its format is read, and gives the events that it must.

use super::core_support::{self, Log, Points, bundle, short, tenant};
use evaluator::core::{Action, Partition, Payload, Plan};
use schemas::catalogue::Bundle;
use std::fmt::Write as _;

const RULES: &str = "template: cpu\ntitle: \"CPU of {host}\"\napplies_to: {measurement: cpu}\n\
     one_alert_per: [host]\ncheck: 100 - idle\nunit: percent\nover: average of 5m\nevery: 60s\n\
     interval: 60s\nlevels:\n  P1: {above: 90, for: 2m}\n  P2: {above: 80}\nwhen_missing: P2\n\
     ---\ntemplate: down\ntitle: \"{host}\"\napplies_to: {measurement: any}\n\
     one_alert_per: [host]\ncheck: time_since_last_point\nlevels: {P1: {above: 3m}}\n";

/// The saved state of [`begun`] in each version of the format.
const GOLDEN: &[(u8, &str)] = &[
    (1, include_str!("golden/state-v1.txt")),
    (2, include_str!("golden/state-v2.txt")),
    (3, include_str!("golden/state-v3.txt")),
    (4, include_str!("golden/state-v4.txt")),
];

fn begun() -> Log {
    let mut log = Log::new(vec![Plan::compile(&bundle(1, RULES, 30)).unwrap()]);
    log.mark(0, 1);
    for n in 1..=8 {
        let lines = Points::default()
            .at(n * 60, "cpu,host=a,env=prod idle", 4)
            .at(n * 60, "cpu,host=b,env=dev idle", 15)
            .body();
        log.take(n * 60, Payload::Lines(lines.as_bytes()));
    }
    log
}

fn goes_on(log: &mut Log) -> Vec<String> {
    log.actions.clear();
    for n in 9..=16 {
        let lines = Points::default()
            .at(n * 60, "cpu,host=a,env=prod idle", 95)
            .body();
        log.take(n * 60, Payload::Lines(lines.as_bytes()));
    }
    let actions: Vec<Action> = log.actions.clone();
    short(&core_support::events(actions))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2)
        .map(|n| u8::from_str_radix(&text[2 * n..2 * n + 2], 16).unwrap())
        .collect()
}

/// A line a record: key and value in hexadecimal; the checkpoint has the key `-`.
fn saved(log: &mut Log) -> String {
    let mut text = String::new();
    for (key, bytes) in log.partition.take_dirty(usize::MAX) {
        writeln!(text, "{} {}", hex(&key), hex(&bytes.unwrap())).unwrap();
    }
    writeln!(text, "- {}", hex(&log.partition.checkpoint())).unwrap();
    text
}

fn restored(golden: &str, log: &Log) -> Partition {
    let records: Vec<(Option<Vec<u8>>, Vec<u8>)> = golden
        .lines()
        .map(|line| {
            let (key, value) = line.split_once(' ').unwrap();
            ((key != "-").then(|| unhex(key)), unhex(value))
        })
        .collect();
    let parts = records
        .iter()
        .filter_map(|(key, value)| Some((key.as_deref()?, value.as_slice())));
    let checkpoint = records.iter().find(|(key, _)| key.is_none());
    let checkpoint = checkpoint.map(|(_, value)| value.as_slice());
    Partition::restore(tenant(), 0, checkpoint, parts, &log.plans).unwrap()
}

#[test]
fn state_of_every_version_is_read_and_goes_on_with_the_same_events() {
    let expected = goes_on(&mut begun());
    assert!(expected.len() >= 2, "{expected:?}");
    for (version, golden) in GOLDEN {
        let mut log = begun();
        log.partition = restored(golden, &log);
        assert_eq!(goes_on(&mut log), expected, "version {version}");
    }
}

#[test]
fn the_bytes_of_the_newest_version_stay_as_they_are() {
    let (_, newest) = GOLDEN.last().unwrap();
    assert_eq!(saved(&mut begun()), *newest);
}

/// A tenant of three partitions, whose last reports are so long that they are packed.
fn of_long_reports() -> Log {
    let yaml = "template: much\ntitle: t\napplies_to: {measurement: bongsu_census}\n\
         one_alert_per: [tenant]\ncheck: points_day\nover: last of 5m\nevery: 60s\ninterval: 60s\n\
         levels: {P3: {above: 5}}\nwhen_missing: fine\n";
    let mut content = bundle(1, yaml, 30).content;
    content.partitions = 3;
    let bundle = Bundle::new(tenant(), 1, content);
    let mut log = Log::new(vec![Plan::compile(&bundle).unwrap()]);
    log.mark(0, 1);
    for minute in 1..=4 {
        a_minute(&mut log, minute);
    }
    log
}

/// A line of the tenant, and what each partition reports of it.
fn a_minute(log: &mut Log, minute: i64) {
    let lines = Points::default().at(minute * 60, "cpu,host=a v", 1).body();
    let own = log.take(minute * 60, Payload::Lines(lines.as_bytes()));
    let own = own.into_iter().find_map(|action| match action {
        Action::Derive(report) => Some(report),
        _ => None,
    });
    let Some(own) = own else { return };
    let others = own.lines.repeat(200_000 / own.lines.len());
    for (from, lines) in [(0, &own.lines), (1, &others), (2, &others)] {
        log.take(
            minute * 60 + 1,
            Payload::Derived {
                at: own.at,
                from,
                lines,
            },
        );
    }
}

#[test]
fn packed_reports_of_version_5_are_read_and_lead_to_the_same_state() {
    let golden = include_str!("golden/state-v5.txt");
    let on = |log: &mut Log| {
        a_minute(log, 5);
        saved(log)
    };
    let mut log = of_long_reports();
    let now = saved(&mut log);
    assert!(
        golden.len() < 50_000 && now.contains(" 424805"),
        "{}",
        now.len()
    );
    let expected = on(&mut log);
    let mut read = of_long_reports();
    read.partition = restored(golden, &read);
    assert_eq!(on(&mut read), expected);
}
