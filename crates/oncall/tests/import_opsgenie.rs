//! Moving in from Opsgenie, form by form: what each kind of rotation, override and rule becomes, and what is said of the rest.

mod shown;

use oncall::import::Origin;
use serde_json::{Value, json};
use shown::shown;

fn export(schedule: &Value, overrides: &Value, rules: &Value, repeat: &Value) -> Value {
    json!({
        "users": [
            {"id": "U1", "username": "kim@example.com", "fullName": "Kim"},
            {"id": "U2", "username": "lee@example.com", "fullName": "Lee"}
        ],
        "teams": [{"id": "T1", "name": "dba", "members": [{"user": {"id": "U1"}}, {"user": {"id": "U2"}}]}],
        "schedules": [schedule],
        "overrides": overrides,
        "escalations": [{"id": "E1", "name": "Ops", "rules": rules, "repeat": repeat}]
    })
}

/// A schedule of Seoul with weeks of Kim from a Monday at nine on.
fn schedule(rotations: usize) -> Value {
    let rotation = json!({
        "name": "weeks", "startDate": "2026-09-07T00:00:00Z", "type": "weekly", "length": 1,
        "participants": [{"type": "user", "id": "U1"}]
    });
    json!({"id": "S1", "name": "noc", "timezone": "Asia/Seoul", "rotations": vec![rotation; rotations]})
}

/// A rule that tells Kim, with these fields beside or instead.
fn rule(fields: &Value) -> Value {
    let mut rule = json!({
        "condition": "if-not-acked", "notifyType": "default", "delay": {"timeAmount": 0, "timeUnit": "minutes"},
        "recipient": {"type": "user", "id": "U1"}
    });
    for (name, value) in fields.as_object().expect("an object") {
        rule[name] = value.clone();
    }
    rule
}

/// What an export made beside people and teams, and without what is said of their phones.
fn of(export: &Value) -> Vec<String> {
    let mut lines = shown(Origin::Opsgenie, export);
    let people = ["contact ", "other contacts ", "team "];
    lines.retain(|line| !people.iter().any(|word| line.starts_with(word)));
    lines
}

const WEEKS: &str = "weeks: 1 week from 2026-09-07T09:00:00, kim, ";
const KIM: &str = "policy ops: 0 kim; 0 times";

#[test]
fn an_override_counts_for_its_own_schedule_and_needs_people_a_beginning_and_an_end() {
    let of = |fields: Value| {
        let mut each = json!({
            "alias": "x", "_parent": {"id": "S1", "name": "noc"}, "user": {"type": "user", "id": "U2"},
            "startDate": "2026-12-24T00:00:00Z", "endDate": "2026-12-25T00:00:00Z", "rotations": []
        });
        for (name, value) in fields.as_object().expect("an object") {
            each[name] = value.clone();
        }
        of(&export(
            &schedule(1),
            &json!([each]),
            &json!([rule(&json!({}))]),
            &json!({}),
        ))
    };
    let taken = "override lee from 2026-12-24T09:00:00 to 2026-12-25T09:00:00";
    for fields in [
        json!({}),
        json!({"_parent": {"name": "noc"}}),
        json!({"_parent": null, "scheduleId": "S1"}),
    ] {
        assert_eq!(of(fields.clone()), [WEEKS, taken, KIM], "{fields}");
    }
    for parent in [json!({"id": "S2", "name": "other"}), json!({}), Value::Null] {
        assert_eq!(of(json!({"_parent": parent})), [WEEKS, KIM], "{parent}");
    }
    let lost = "lost schedule noc, override x: it has no people, no beginning or no end";
    for fields in [
        json!({"endDate": "2026-12-24T00:00:00Z"}),
        json!({"startDate": ""}),
        json!({"endDate": ""}),
        json!({"user": {"type": "none"}}),
    ] {
        assert_eq!(of(fields.clone()), [WEEKS, KIM, lost], "{fields}");
    }
}

#[test]
fn rotations_that_overlap_are_said_and_an_end_before_the_beginning_is_none() {
    let of = |schedule: &Value| {
        of(&export(
            schedule,
            &json!([]),
            &json!([rule(&json!({}))]),
            &json!({}),
        ))
    };
    assert_eq!(of(&schedule(1)), [WEEKS, KIM]);
    let two = of(&schedule(2));
    assert!(
        two.last()
            .is_some_and(|line| line.contains("on call together where they overlap")),
        "{two:?}"
    );
    let mut ends = schedule(1);
    for (end, expected) in [
        ("2026-09-07T00:00:00Z", ""),
        ("2026-10-07T00:00:00Z", " until 2026-10-07T09:00:00"),
    ] {
        ends["rotations"][0]["endDate"] = json!(end);
        let expected = format!("weeks: 1 week from 2026-09-07T09:00:00{expected}, kim, ");
        assert_eq!(of(&ends), [expected.as_str(), KIM], "{end}");
    }
}

#[test]
fn rules_become_steps_whose_delays_count_from_the_step_before() {
    let of = |rules: Value, repeat: Value| {
        of(&export(&schedule(1), &json!([]), &rules, &repeat))[1..].to_vec()
    };
    let delay =
        |amount: i64, unit: &str| json!({"delay": {"timeAmount": amount, "timeUnit": unit}});
    let rules: Vec<Value> = [
        delay(1, "days"),
        delay(30, "seconds"),
        delay(2, "hours"),
        delay(5, "minutes"),
    ]
    .iter()
    .map(rule)
    .collect();
    assert_eq!(
        of(json!(rules), json!({})),
        ["policy ops: 30s kim, 4m30s kim, 1h55m kim, 22h kim; 0 times"]
    );
    // What ends it is what all rules wait for.
    let until = |conditions: &[&str]| {
        let rules = conditions
            .iter()
            .map(|word| rule(&json!({"condition": word})));
        of(json!(rules.collect::<Vec<_>>()), json!({}))
    };
    let (acked, closed) = ("if-not-acked", "if-not-closed");
    assert_eq!(until(&[acked, acked]), ["policy ops: 0 kim+kim; 0 times"]);
    assert_eq!(
        until(&[closed, closed]),
        ["policy ops: 0 kim+kim; 0 times until closed"]
    );
    assert_eq!(
        until(&[closed, acked]),
        [
            "policy ops: 0 kim+kim; 0 times",
            "other policy Ops: some of its rules go on until the alert is closed; here the whole policy ends when it is acknowledged",
        ]
    );
    let one = || json!([rule(&json!({}))]);
    assert_eq!(
        of(one(), json!({"count": 3, "waitInterval": 0})),
        ["policy ops: 0 kim; 3 times"]
    );
    assert_eq!(
        of(one(), json!({"count": 3, "waitInterval": 1})),
        [
            "policy ops: 0 kim; 3 times",
            "other policy Ops: a round begins again after `acknowledge_within`, not after `waitInterval`",
        ]
    );
}

#[test]
fn a_team_is_told_whole_or_by_lot_and_what_is_another_way_is_said() {
    let of = |how: &str| {
        let recipient = json!({"type": "team", "id": "T1", "name": "dba"});
        let rules = json!([rule(&json!({"notifyType": how, "recipient": recipient}))]);
        of(&export(&schedule(1), &json!([]), &rules, &json!({})))[1..].to_vec()
    };
    assert_eq!(of("random"), ["policy ops: 0 one-of:dba; 0 times"]);
    assert_eq!(of("all"), ["policy ops: 0 team:dba; 0 times"]);
    assert_eq!(of("users"), ["policy ops: 0 team:dba; 0 times"]);
    assert_eq!(
        of("admins"),
        [
            "policy ops: 0 team:dba; 0 times",
            "other policy Ops, rule 1: `admins` of the team: everybody in it is told",
        ]
    );
}

#[test]
fn a_phone_is_taken_where_it_has_the_digits_of_one_in_the_world() {
    for (to, taken) in [
        ("82-1012345678", "+821012345678"),
        ("1-234567", "+1234567"),
        ("1-23456", ""),
        ("123456789012345", "+123456789012345"),
        ("1234567890123456", ""),
        ("0-1012345678", ""),
    ] {
        let contacts = json!([{"contactMethod": "email", "to": "1-2025550100"}, {"contactMethod": "sms", "to": to}]);
        let user = json!({"id": "U1", "fullName": "Kim", "userContacts": contacts});
        let lines = shown(Origin::Opsgenie, &json!({"users": [user]}));
        assert_eq!(lines[0], format!("contact kim: {taken}"), "{to}");
    }
}
