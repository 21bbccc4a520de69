//! How right the detectors of trends and of seasons are, over series whose truth is known because they
//! are made here. `docs/detectors.md` describes the process and holds the figures; this prints them:
//! `cargo test --release -p evaluator --test evaluation detectors -- --nocapture`.

use super::core_support::{START, run};
use super::detectors_support::{Dice, Disk, Kind, Score, Wave, ols_onsets};
use model::{AlertEvent, AlertKind, Priority};
use std::collections::BTreeMap;

/// Minutes that the detector sees of each disk; the process goes on behind them.
const SEEN: usize = 36 * 60;
const OF_EACH_KIND: usize = 12;
const HOUR: f64 = 60.0;

fn disks() -> Vec<Disk> {
    let mut dice = Dice::of(7);
    Disk::KINDS
        .iter()
        .flat_map(|kind| {
            (0..OF_EACH_KIND)
                .map(|_| Disk::made(*kind, &mut dice))
                .collect::<Vec<_>>()
        })
        .collect()
}

/// When alerts of at least that priority began, in minutes, by disk.
fn onsets(events: &[AlertEvent], least: Priority) -> BTreeMap<usize, Vec<usize>> {
    let mut by_disk: BTreeMap<usize, (bool, Vec<usize>)> = BTreeMap::new();
    for event in events {
        let host = event.group.iter().find(|(key, _)| key == "host").unwrap();
        let disk = host.1.trim_start_matches('h').parse().unwrap();
        let (on, begun) = by_disk.entry(disk).or_default();
        let is_on = event.priority.is_some_and(|priority| priority >= least);
        if is_on && !*on {
            begun.push(usize::try_from(event.at.as_millis() / 60_000 - START / 60).unwrap());
        }
        *on = is_on;
    }
    by_disk
        .into_iter()
        .map(|(disk, (_, begun))| (disk, begun))
        .collect()
}

/// An onset is right if the disk, left alone, is full within 1.5 horizons. A disk that becomes full is found
/// by an onset half an hour before.
fn score(disks: &[Disk], onsets: &BTreeMap<usize, Vec<usize>>, horizon: f64) -> (Score, String) {
    let mut score = Score::default();
    let mut wrong: BTreeMap<Kind, usize> = BTreeMap::new();
    for (n, disk) in disks.iter().enumerate() {
        let begun = onsets.get(&n).map_or(&[][..], Vec::as_slice);
        for at in begun {
            let full = disk.full_left_alone(*at);
            let right = full.is_some_and(|full| (full - *at) as f64 <= 1.5 * horizon * HOUR);
            score.told(right);
            *wrong.entry(disk.kind).or_default() += usize::from(!right);
        }
        if let Some(full) = disk.full().filter(|full| *full < SEEN) {
            score.there_was(begun.iter().any(|at| at + 30 <= full));
        }
    }
    let wrong = wrong.into_iter().filter(|(_, n)| *n > 0);
    let wrong: Vec<String> = wrong.map(|(kind, n)| format!("{kind:?} {n}")).collect();
    (score, format!("{score}; wrong: {}", wrong.join(", ")))
}

#[test]
fn disks_that_become_full_are_told_hours_before() {
    let disks = disks();
    let template = include_str!("../../../templates/disk-full-soon.yaml")
        .replace("interval: 10s", "interval: 60s");
    let mut body = String::new();
    for minute in 0..SEEN {
        let at = (START + 60 * minute as i64) * 1_000_000_000;
        for (n, disk) in disks.iter().enumerate() {
            let used = disk.used(minute);
            body.push_str(&format!(
                "disk,host=h{n},path=/,env=prod used_percent={used:.3} {at}\n"
            ));
        }
    }
    let events = run(&template, &body, 40);
    println!(
        "{} disks, {} kinds, {} h",
        disks.len(),
        Disk::KINDS.len(),
        SEEN / 60
    );
    let mut found = Vec::new();
    for (priority, horizon, share) in [(Priority::P1, 4.0, 80.0), (Priority::P2, 24.0, 60.0)] {
        let (ours, text) = score(&disks, &onsets(&events, priority), horizon);
        println!("full in {horizon} h: {text}");
        let lines = disks
            .iter()
            .map(|disk| ols_onsets(disk, SEEN, horizon * HOUR, share));
        let (_, text) = score(&disks, &lines.enumerate().collect(), horizon);
        println!("    a line through 6 h, used above {share} %, for 1 h: {text}");
        found.push(ours);
    }
    assert!(found[0].precision() >= 0.75 && found[0].recall() >= 0.95);
    assert!(found[1].precision() >= 0.55 && found[1].recall() >= 0.95);
}

#[test]
fn what_is_unusual_for_its_hour_is_told() {
    let mut dice = Dice::of(11);
    let waves: Vec<Wave> = (0..60).map(|_| Wave::made(&mut dice)).collect();
    let mut body = String::new();
    for hour in 1..=Wave::HOURS {
        let at = (START + 3_600 * hour as i64) * 1_000_000_000;
        for (n, wave) in waves.iter().enumerate() {
            let value = wave.value(hour);
            body.push_str(&format!("m,host=h{n},env=prod v={value:.3} {at}\n"));
        }
    }
    println!(
        "{} series, {} weeks, {} anomalies",
        waves.len(),
        Wave::HOURS / 168,
        waves.iter().map(|w| w.odd.len()).sum::<usize>()
    );
    const DEVIATIONS: [f64; 4] = [3.0, 4.0, 6.0, 8.0];
    let templates = DEVIATIONS.map(|deviations| {
        format!(
            "template: above-{deviations}\ntitle: t\napplies_to: {{measurement: m}}\none_alert_per: [host]\n\
             check: v\nover: average of 1h\nevery: 1h\ninterval: 1h\n\
             compared_to: same hour of the week\n\
             levels: {{P3: {{above: {deviations}, until_below: {}}}}}\n",
            deviations / 2.0
        )
    });
    let mut told: BTreeMap<(String, usize), Vec<usize>> = BTreeMap::new();
    for event in run(&templates.join("---\n"), &body, 40) {
        if matches!(event.kind, AlertKind::Firing | AlertKind::Reopened) {
            let series = event.group[0].1.trim_start_matches('h').parse().unwrap();
            let hour = usize::try_from((event.at.as_millis() / 1_000 - START) / 3_600).unwrap();
            told.entry((event.template.clone(), series))
                .or_default()
                .push(hour);
        }
    }
    let scores = DEVIATIONS.map(|deviations| {
        let mut score = Score::default();
        for (n, wave) in waves.iter().enumerate() {
            let told = told.get(&(format!("above-{deviations}"), n));
            let told = told.map_or(&[][..], Vec::as_slice);
            let odd = || wave.odd.iter().map(|(from, to, _)| *from..=*to);
            told.iter()
                .for_each(|hour| score.told(odd().any(|odd| odd.contains(hour))));
            odd().for_each(|odd| score.there_was(told.iter().any(|hour| odd.contains(hour))));
        }
        println!("above {deviations} deviations: {score}");
        score
    });
    assert!(scores[3].precision() >= 0.9 && scores[3].recall() >= 0.9);
    assert!(scores[0].precision() < scores[3].precision());
}
