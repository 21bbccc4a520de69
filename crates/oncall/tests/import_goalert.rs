//! Moving in from GoAlert, form by form, and what every import does alike: names, long policies, zones.

mod shown;

use oncall::import::Origin;
use serde_json::{Value, json};
use shown::shown;

fn export(schedule: &Value, overrides: &Value) -> Value {
    json!({
        "users": [{"id": "U1", "name": "Kim"}, {"id": "U2", "name": "Lee"}],
        "schedules": [schedule],
        "userOverrides": overrides
    })
}

/// A schedule of Seoul of which Kim has these hours of every day.
fn schedule(zone: &str, start: &str, end: &str) -> Value {
    let rules = json!([{"start": start, "end": end}]);
    json!({
        "id": "S1", "name": "noc", "timeZone": zone,
        "targets": [{"target": {"type": "user", "id": "U1"}, "rules": rules}]
    })
}

/// What an export made beside the contacts, and without what is said of their phones.
fn of(export: &Value) -> Vec<String> {
    let mut lines = shown(Origin::Goalert, export);
    lines.retain(|line| !line.starts_with("contact ") && !line.starts_with("other contacts "));
    lines
}

#[test]
fn hours_are_taken_to_the_minute_and_one_target_overlaps_with_nobody() {
    for (start, end, hours) in [
        ("09:30", "17:45", " 09:30-17:45"),
        ("22:15", "06:05", " 22:15-06:05"),
        // A whole day of each day, in two pieces.
        ("09:30", "09:30", " 09:30-00:00;  00:00-09:30"),
        ("00:00", "00:00", ""),
    ] {
        let expected = format!("kim: 1 week from 2000-01-03T00:00:00, kim, {hours}");
        assert_eq!(
            of(&export(&schedule("Asia/Seoul", start, end), &json!([]))),
            [expected]
        );
    }
    let mut twice = schedule("Asia/Seoul", "09:00", "17:00");
    // The same hours twice are those hours.
    twice["targets"][0]["rules"] =
        json!([{"start": "09:00", "end": "17:00"}, {"start": "09:00", "end": "17:00"}]);
    let once = "kim: 1 week from 2000-01-03T00:00:00, kim,  09:00-17:00";
    assert_eq!(of(&export(&twice, &json!([]))), [once]);
    let target = twice["targets"][0].clone();
    twice["targets"] = json!([target, target]);
    let two = of(&export(&twice, &json!([])));
    assert!(
        two.last()
            .is_some_and(|line| line.contains("on call together where their rules overlap")),
        "{two:?}"
    );
}

#[test]
fn an_override_needs_people_a_beginning_and_an_end() {
    let of = |fields: Value| {
        let mut each = json!({
            "target": {"id": "S1"}, "addUserID": "U2", "removeUserID": "U1",
            "start": "2026-12-24T00:00:00Z", "end": "2026-12-25T00:00:00Z"
        });
        for (name, value) in fields.as_object().expect("an object") {
            each[name] = value.clone();
        }
        of(&export(
            &schedule("Asia/Seoul", "09:00", "18:00"),
            &json!([each]),
        ))[1..]
            .to_vec()
    };
    assert_eq!(
        of(json!({})),
        ["override lee from 2026-12-24T09:00:00 to 2026-12-25T09:00:00"]
    );
    let lost = "lost schedule noc, override from 2026-12-24T00:00:00Z: it has no people, no beginning or no end";
    assert_eq!(of(json!({"end": "2026-12-24T00:00:00Z"})), [lost]);
    assert_eq!(of(json!({"end": ""})), [lost]);
    let unknown = of(json!({"addUserID": "U9"}));
    assert_eq!(
        unknown.last().map(String::as_str),
        Some(lost),
        "{unknown:?}"
    );
    assert!(
        !unknown.iter().any(|line| line.starts_with("override")),
        "{unknown:?}"
    );
}

#[test]
fn the_first_method_that_is_on_and_takes_a_call_or_a_message_is_the_phone() {
    let method = |kind: &str, value: &str, disabled: bool| json!({"type": kind, "value": value, "disabled": disabled});
    for (methods, taken) in [
        (
            vec![method("SMS", "+82 10-1111-1111", false)],
            "+821011111111",
        ),
        (
            vec![
                method("SMS", "+821011111111", true),
                method("VOICE", "+821022222222", false),
            ],
            "+821022222222",
        ),
        (
            vec![
                method("EMAIL", "+821011111111", false),
                method("VOICE", "+821022222222", false),
            ],
            "+821022222222",
        ),
        (vec![method("SMS", "+123456", false)], ""),
        (vec![method("SMS", "821011111111", false)], ""),
        (vec![method("SMS", "+8210x1111111", false)], ""),
    ] {
        let user = json!({"id": "U1", "name": "Kim", "contactMethods": methods});
        let lines = shown(Origin::Goalert, &json!({"users": [user]}));
        assert_eq!(lines[0], format!("contact kim: {taken}"), "{methods:?}");
    }
}

#[test]
fn a_policy_keeps_twenty_steps_waits_of_a_week_and_twenty_rounds_and_says_what_is_less() {
    let policy = |steps: usize, minutes: i64, repeat: i64| {
        let step = |n| json!({"stepNumber": n, "delayMinutes": minutes, "targets": [{"type": "user", "id": "U1"}]});
        let steps: Vec<Value> = (0..steps).map(step).collect();
        let policy = json!({"id": "P1", "name": "Ops", "repeat": repeat, "steps": steps});
        let mut lines =
            of(&json!({"users": [{"id": "U1", "name": "Kim"}], "escalationPolicies": [policy]}));
        let made = lines.remove(0);
        (
            made.matches("kim").count(),
            made.split_once("; ").map(|(_, end)| end.to_owned()),
            lines,
        )
    };
    let week = 7 * 24 * 60;
    assert_eq!(
        policy(20, week, 20),
        (20, Some("20 times".to_owned()), Vec::new())
    );
    let said = [
        "lost policy Ops: a policy has 20 steps at most; those behind them are gone",
        "other policy Ops: a step waits 7 days at most",
        "other policy Ops: it is repeated 20 times at most",
    ];
    let more = policy(21, week + 1, 21);
    assert_eq!(
        more,
        (
            20,
            Some("20 times".to_owned()),
            said.map(str::to_owned).to_vec()
        )
    );
    let twice = policy(22, week + 2, 40);
    assert_eq!(twice, more);
}

#[test]
fn names_are_small_letters_digits_and_single_dashes() {
    for (called, name) in [
        ("Kim Lee", "kim-lee"),
        ("  Kim & Lee!", "kim-lee"),
        ("--Kim--2--", "kim-2"),
        ("김민지", "contact"),
    ] {
        let lines = shown(
            Origin::Goalert,
            &json!({"users": [{"id": "U1", "name": called}]}),
        );
        assert_eq!(lines[0], format!("contact {name}: "));
    }
}

#[test]
fn a_zone_that_is_not_known_is_said_and_where_none_is_named_it_is_utc() {
    let layer = "kim: 1 week from 2000-01-03T00:00:00, kim,  09:00-18:00";
    let of = |zone: &str| of(&export(&schedule(zone, "09:00", "18:00"), &json!([])));
    assert_eq!(of(""), [layer]);
    assert_eq!(
        of("Seoul/Asia"),
        [
            layer,
            "other schedule noc: `Seoul/Asia` is no time zone: UTC stands in"
        ]
    );
}

#[test]
fn who_is_called_alike_is_numbered_and_who_is_listed_twice_is_one() {
    let users: Vec<Value> = (1..=3)
        .map(|n| json!({"id": format!("U{n}"), "name": "Kim"}))
        .collect();
    let lines = shown(Origin::Goalert, &json!({"users": users}));
    assert_eq!(
        lines[..3],
        ["contact kim: ", "contact kim-2: ", "contact kim-3: "]
    );
    let shift = json!({
        "id": "A", "name": "a", "type": "recurrent_event", "start": "2026-09-08T09:30:00", "duration": 3_600,
        "frequency": "weekly", "users": ["U1", "U2", "U1"]
    });
    let export = json!({
        "users": [{"id": "U1", "username": "kim"}, {"id": "U2", "username": "lee"}],
        "schedules": [{"id": "S1", "name": "noc", "time_zone": "Asia/Seoul", "shifts": ["A"]}],
        "on_call_shifts": [shift]
    });
    let lines = shown(Origin::GrafanaOncall, &export);
    assert!(
        lines.iter().any(|line| line.contains(", kim+lee, ")),
        "{lines:?}"
    );
}

#[test]
fn an_address_is_taken_where_it_has_a_name_and_a_domain() {
    for (email, taken) in [
        ("kim@example.com", true),
        ("@example.com", false),
        ("kim@localhost", false),
        ("kim@a@example.com", false),
        ("kim lee@example.com", false),
        ("kim@example.com,lee@example.com", false),
        ("kim", false),
    ] {
        let user = json!({"id": "U1", "name": "Kim", "email": email});
        let lines = shown(Origin::Goalert, &json!({"users": [user]}));
        let (_, fields) = lines[0].split_once(": ").expect("a contact");
        assert_eq!(fields, if taken { email } else { "" }, "{email}");
    }
}
