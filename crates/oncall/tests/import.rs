//! Moving in: exports in the form of the providers' published references become a catalogue, and what does not is told.
//!
//! The fixtures follow the examples of grafana.com/docs/oncall/latest/oncall-api-reference, of docs.opsgenie.com (user, team,
//! schedule, override and escalation API) and of graphql2/schema.graphql of target/goalert.

use jiff::Timestamp;
use oncall::Schedule;
use oncall::import::{ImportError, Imported, Origin, import};
use schemas::catalogue::{Catalogue, parse_yaml};

fn imported(origin: Origin, text: &str) -> (Imported, Catalogue) {
    let imported = import(origin, text).expect("an import");
    // What is written is read again, as `bongsu apply` reads it.
    let located = parse_yaml("imported.yaml", &imported.yaml()).expect("a catalogue");
    let mut catalogue = Catalogue::default();
    for entry in located {
        catalogue.insert(entry.value);
    }
    (imported, catalogue)
}

fn report(imported: &Imported) -> String {
    let notes: Vec<String> = imported
        .notes
        .iter()
        .map(|note| {
            format!(
                "{} {}: {}",
                if note.lost { "lost" } else { "other" },
                note.what,
                note.why
            )
        })
        .collect();
    format!("{}\n{}\n", imported.yaml(), notes.join("\n"))
}

fn at(catalogue: &Catalogue, schedule: &str, instant: &str) -> Vec<String> {
    let schedule = Schedule::compile(&catalogue.schedules[schedule]).expect("it compiles");
    let instant: Timestamp = instant.parse().expect("a time");
    schedule
        .at(instant)
        .people
        .into_iter()
        .map(str::to_owned)
        .collect()
}

#[test]
fn grafana_oncall_comes_over() {
    let (imported, catalogue) = imported(
        Origin::GrafanaOncall,
        include_str!("fixtures/grafana-oncall.json"),
    );
    insta::assert_snapshot!("grafana-oncall", report(&imported));
    let on_call = |instant: &str| at(&catalogue, "primary-on-call", instant);
    // The rotation begins with the second group; turns are of weeks from Monday nine in New York.
    assert_eq!(on_call("2026-09-07T13:00:00Z"), ["maria", "kim-minji"]);
    assert_eq!(on_call("2026-09-14T13:00:00Z"), ["alex"]);
    assert_eq!(on_call("2026-09-14T12:59:00Z"), ["maria", "kim-minji"]);
    // The single event wins.
    assert_eq!(on_call("2026-12-24T13:00:00Z"), ["maria"]);
    // Every second Saturday, ten in Seoul is nine in the evening before in New York.
    assert_eq!(on_call("2026-09-12T02:00:00Z"), ["kim-minji"]);
}

#[test]
fn opsgenie_comes_over() {
    let (imported, catalogue) = imported(Origin::Opsgenie, include_str!("fixtures/opsgenie.json"));
    insta::assert_snapshot!("opsgenie", report(&imported));
    let on_call = |instant: &str| at(&catalogue, "ops-team-schedule", instant);
    // Monday 10:00 in Seoul in the first week of the rotation, which begins on a Friday.
    assert_eq!(on_call("2026-02-09T01:00:00Z"), ["john-doe"]);
    assert_eq!(on_call("2026-02-16T01:00:00Z"), ["minji"]);
    assert!(
        on_call("2026-02-23T01:00:00Z").is_empty(),
        "a turn of nobody"
    );
    // The override.
    assert_eq!(on_call("2026-12-24T00:00:00Z"), ["minji"]);
}

#[test]
fn goalert_comes_over() {
    let (imported, catalogue) = imported(Origin::Goalert, include_str!("fixtures/goalert.json"));
    insta::assert_snapshot!("goalert", report(&imported));
    let on_call = |instant: &str| at(&catalogue, "main", instant);
    // Monday 10:00 and 20:00 in Chicago.
    assert_eq!(on_call("2026-03-02T16:00:00Z"), ["chell"]);
    assert_eq!(on_call("2026-03-09T15:00:00Z"), ["rick-sanchez"]);
    assert_eq!(on_call("2026-03-03T02:00:00Z"), ["rick"]);
    // Sunday is one person's.
    assert_eq!(on_call("2026-03-08T18:00:00Z"), ["rick"]);
    assert_eq!(
        on_call("2026-12-24T12:00:00Z"),
        ["chell"],
        "a temporary schedule"
    );
}

#[test]
fn what_is_no_export_is_told() {
    assert!(matches!(
        import(Origin::Opsgenie, "{\"users\": ["),
        Err(ImportError::Json(_))
    ));
    for text in ["{}", "[]", "{\"users\": []}", "{\"users\": \"x\"}", "null"] {
        for origin in [Origin::GrafanaOncall, Origin::Opsgenie, Origin::Goalert] {
            assert!(
                matches!(import(origin, text), Err(ImportError::Nothing { .. })),
                "{text}"
            );
        }
    }
    // Anything in the place of anything is a note, and never a panic.
    let odd = "{\"users\": [{}, 1, null, \"x\", {\"id\": 7}], \"schedules\": [{\"rotations\": [{}], \"shifts\": [1]}, 5], \
        \"rotations\": [{}], \"on_call_shifts\": [{}], \"escalation_chains\": [{}], \"escalations\": [{\"rules\": [{}]}], \
        \"escalation_policies\": [{}], \"escalationPolicies\": [{\"steps\": [{\"targets\": [{}]}]}]}";
    for origin in [Origin::GrafanaOncall, Origin::Opsgenie, Origin::Goalert] {
        let imported = import(origin, odd).expect("an import");
        assert!(!imported.notes.is_empty());
    }
}

#[test]
fn the_file_of_another_system_makes_no_people_without_names() {
    let opsgenie = include_str!("fixtures/opsgenie.json");
    let imported = import(Origin::Goalert, opsgenie).expect("an import");
    let people = imported.entries.iter();
    let people = people.filter(|entry| entry.kind() == schemas::catalogue::Kind::Contact);
    assert_eq!(people.count(), 0);
    let asked = imported.notes.iter().filter(|note| note.lost);
    assert!(
        asked
            .clone()
            .any(|note| note.why.contains("is the file one of this system?"))
    );
}
