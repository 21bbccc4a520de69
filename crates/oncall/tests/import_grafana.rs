//! Moving in from Grafana OnCall, form by form: what each kind of shift and step becomes, and what is said of the rest.

mod shown;

use oncall::import::Origin;
use serde_json::{Value, json};
use shown::shown;

/// An export of two people with these shifts in one schedule of Seoul.
fn export(shifts: &[Value]) -> Value {
    let ids: Vec<&Value> = shifts.iter().map(|shift| &shift["id"]).collect();
    json!({
        "users": [
            {"id": "U1", "username": "kim", "email": "kim@example.com"},
            {"id": "U2", "username": "lee", "email": "lee@example.com"}
        ],
        "schedules": [{"id": "S1", "name": "noc", "time_zone": "Asia/Seoul", "shifts": ids}],
        "on_call_shifts": shifts
    })
}

/// A shift of Kim from Tuesday 2026-09-08 09:30 on, with these fields beside or instead.
fn shift(fields: Value) -> Value {
    let mut shift = json!({
        "id": "A", "name": "a", "type": "recurrent_event", "start": "2026-09-08T09:30:00", "duration": 28_800,
        "frequency": "weekly", "interval": 1, "users": ["U1"]
    });
    for (name, value) in fields.as_object().expect("an object") {
        shift[name] = value.clone();
    }
    shift
}

/// What an export made beside the contacts, and without what is said of their phones.
fn of(export: &Value) -> Vec<String> {
    let mut lines = shown(Origin::GrafanaOncall, export);
    lines.retain(|line| !line.starts_with("contact ") && !line.starts_with("other contacts "));
    lines
}

#[test]
fn each_frequency_becomes_turns_and_hours_or_says_why_not() {
    let nobody =
        "lost schedule noc: nothing of it could be taken over, so that nobody would be on call";
    let rolling = json!([["U1"], ["U2"]]);
    let hour = 3_600;
    for (fields, expected) in [
        (
            json!({}),
            "a: 1 week from 2026-09-08T09:30:00, kim, Tue 09:30-17:30",
        ),
        // Named days begin with the week, which is Monday's unless it is said.
        (
            json!({"by_day": ["MO", "WE"]}),
            "a: 1 week from 2026-09-07T00:00:00, kim, Mon,Wed 09:30-17:30",
        ),
        (
            json!({"by_day": ["MO"], "week_start": "SU"}),
            "a: 1 week from 2026-09-06T00:00:00, kim, Mon 09:30-17:30",
        ),
        // On call in every second week: a turn of nobody between.
        (
            json!({"interval": 2}),
            "a: 1 week from 2026-09-08T09:30:00, kim|-, Tue 09:30-17:30",
        ),
        (
            json!({"interval": 2, "type": "rolling_users", "rolling_users": rolling}),
            "a: 2 weeks from 2026-09-08T09:30:00, kim|lee, Tue 09:30-17:30",
        ),
        (
            json!({"frequency": "daily"}),
            "a: 1 day from 2026-09-08T09:30:00, kim,  09:30-17:30",
        ),
        (
            json!({"frequency": "daily", "by_day": ["SA"]}),
            "a: 1 day from 2026-09-08T09:30:00, kim, Sat 09:30-17:30",
        ),
        (
            json!({"frequency": "daily", "duration": 24 * hour}),
            "a: 1 day from 2026-09-08T09:30:00, kim,  09:30-00:00;  00:00-09:30",
        ),
        (
            json!({"frequency": "daily", "duration": 24 * hour, "by_day": ["SA"]}),
            "a: 1 day from 2026-09-08T09:30:00, kim, Sat 09:30-00:00; Sun 00:00-09:30",
        ),
        (
            json!({"frequency": "daily", "interval": 2}),
            "a: 1 day from 2026-09-08T09:30:00, kim|-,  09:30-17:30",
        ),
        (
            json!({"frequency": "daily", "interval": 2, "duration": 24 * hour}),
            "a: 1 day from 2026-09-08T09:30:00, kim|-,  09:30-00:00;  00:00-09:30",
        ),
        (
            json!({"frequency": "daily", "interval": 2, "duration": 48 * hour, "type": "rolling_users", "rolling_users": rolling}),
            "a: 2 days from 2026-09-08T09:30:00, kim|lee, ",
        ),
        (
            json!({"frequency": "hourly", "interval": 12, "duration": 12 * hour, "type": "rolling_users", "rolling_users": rolling}),
            "a: 12 hours from 2026-09-08T09:30:00, kim|lee, ",
        ),
        (
            json!({"until": "2026-12-01T00:00:00"}),
            "a: 1 week from 2026-09-08T09:30:00 until 2026-12-01T00:00:00, kim, Tue 09:30-17:30",
        ),
        // An end that is no later than the beginning is no end.
        (
            json!({"until": "2026-09-08T09:30:00"}),
            "a: 1 week from 2026-09-08T09:30:00, kim, Tue 09:30-17:30",
        ),
    ] {
        assert_eq!(
            of(&export(&[shift(fields.clone())])),
            [expected],
            "{fields}"
        );
    }
    let overlaps = "it overlaps itself: a daily shift lasts longer than its interval";
    let paused = "a shift of several days with a pause between is not known here";
    let months = "days of a month and months are not known here";
    for (fields, why) in [
        (
            json!({"frequency": "daily", "duration": 25 * hour}),
            overlaps,
        ),
        (
            json!({"frequency": "daily", "interval": 2, "duration": 49 * hour}),
            overlaps,
        ),
        (
            json!({"frequency": "daily", "interval": 2, "duration": 36 * hour}),
            paused,
        ),
        (
            json!({"frequency": "hourly", "interval": 12}),
            "a shift of hours with a pause between is not known here",
        ),
        (
            json!({"frequency": "monthly"}),
            "turns of months are not known here: their lengths differ",
        ),
        (
            json!({"frequency": "yearly"}),
            "its `frequency` is not known",
        ),
        (json!({"by_monthday": [1]}), months),
        (json!({"by_month": [1]}), months),
        (
            json!({"duration": 59}),
            "its `duration` is shorter than a minute",
        ),
        (json!({"start": "soon"}), "its `start` is no time"),
        (
            json!({"users": ["U9"]}),
            "none of its people is in the file",
        ),
    ] {
        let told = of(&export(&[shift(fields.clone())]));
        assert!(
            told.contains(&format!("lost schedule noc, shift a: {why}")),
            "{fields}: {told:?}"
        );
        assert_eq!(told.last().map(String::as_str), Some(nobody), "{fields}");
    }
}

#[test]
fn a_single_event_is_an_override_where_it_has_people_a_beginning_and_a_length() {
    let event = |fields: Value| {
        let mut event =
            shift(json!({"id": "B", "name": "b", "type": "single_event", "duration": 3_600}));
        for (name, value) in fields.as_object().expect("an object") {
            event[name] = value.clone();
        }
        of(&export(&[shift(json!({})), event]))
    };
    let weeks = "a: 1 week from 2026-09-08T09:30:00, kim, Tue 09:30-17:30";
    assert_eq!(
        event(json!({})),
        [
            weeks,
            "override kim from 2026-09-08T09:30:00 to 2026-09-08T10:30:00",
            "other schedule noc: its single events are overrides, which win over every layer whatever their level was",
        ]
    );
    let lost = "lost schedule noc, shift b: it has no people, no beginning or no length";
    for fields in [
        json!({"duration": 0}),
        json!({"start": ""}),
        json!({"users": []}),
    ] {
        assert_eq!(event(fields.clone()), [weeks, lost], "{fields}");
    }
}

#[test]
fn layers_of_one_name_are_numbered_and_those_of_one_level_are_said() {
    let three = ["A", "B", "C"].map(|id| shift(json!({"id": id})));
    let lines = of(&export(&three));
    let names: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.split_once(": 1 week"))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, ["a", "a 2", "a 3"]);
    assert!(
        lines
            .iter()
            .any(|line| line.contains("shifts of one level")),
        "{lines:?}"
    );
    let two = [("A", 0), ("B", 1)].map(|(id, level)| shift(json!({"id": id, "level": level})));
    assert_eq!(
        of(&export(&two)).len(),
        2,
        "of two levels nothing is to be said"
    );
}

#[test]
fn a_member_id_of_slack_is_taken_where_it_is_one() {
    for (id, taken) in [
        ("U024BE7LH", true),
        ("W012A3CDE", true),
        ("U", false),
        ("C024BE7LH", false),
        ("U024be7lh", false),
        ("U024-BE7LH", false),
    ] {
        let users = json!({"users": [{"id": "1", "username": "kim", "slack": [{"user_id": id}]}]});
        let lines = shown(Origin::GrafanaOncall, &users);
        let expected = if taken {
            format!("contact kim: {id}")
        } else {
            "contact kim: ".to_owned()
        };
        assert_eq!(lines[0], expected);
    }
}

#[test]
fn steps_become_one_where_nothing_is_between_and_those_that_have_no_place_say_which_has_it() {
    let step = |n: i64, fields: Value| {
        let mut step = json!({"escalation_chain_id": "C1", "position": n});
        for (name, value) in fields.as_object().expect("an object") {
            step[name] = value.clone();
        }
        step
    };
    let person = |id: &str| json!({"type": "notify_persons", "persons_to_notify": [id]});
    let chain = |steps: Vec<Value>| {
        let steps: Vec<Value> = (0..)
            .zip(steps)
            .map(|(n, fields)| step(n, fields))
            .collect();
        let mut export = export(&[]);
        export["schedules"] = json!([]);
        export["escalation_chains"] = json!([{"id": "C1", "name": "Ops"}]);
        export["escalation_policies"] = json!(steps);
        of(&export)
    };
    let wait = |seconds: i64| json!({"type": "wait", "duration": seconds});
    assert_eq!(
        chain(vec![
            person("U1"),
            person("U2"),
            wait(60),
            wait(240),
            person("U1"),
            wait(60),
            person("U2")
        ]),
        ["policy ops: 0 kim+lee, 5m kim, 1m lee; 0 times"]
    );
    for (kind, why) in [
        ("resolve", "an incident is over when its condition is"),
        (
            "trigger_webhook",
            "a webhook is a room of the policy: `rooms: [\"webhook:NAME\"]`",
        ),
        (
            "trigger_action",
            "a webhook is a room of the policy: `rooms: [\"webhook:NAME\"]`",
        ),
        ("notify_whole_channel", "a chat room is the policy's `chat`"),
        (
            "notify_user_group",
            "groups of Slack are not known here: declare a team",
        ),
        (
            "notify_team_members",
            "the file does not say who is in the team: declare it",
        ),
        (
            "notify_if_time_from_to",
            "a step has no condition: hours belong to a schedule, numbers to grouping",
        ),
        (
            "notify_if_num_alerts_in_window",
            "a step has no condition: hours belong to a schedule, numbers to grouping",
        ),
        ("dance", "this kind of step is not known here"),
    ] {
        let expected = [
            "policy ops: 0 kim; 0 times".to_owned(),
            format!("lost policy Ops, step 2: `{kind}`: {why}"),
        ];
        assert_eq!(chain(vec![person("U1"), json!({"type": kind})]), expected);
    }
}
