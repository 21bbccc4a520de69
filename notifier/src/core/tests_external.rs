//! Reports of other systems: what opens, changes and ends an incident, and what is nothing new.

use super::world::{MINUTE, START, tenant};
use super::{Actor, External, Facts, Report, Says, Taken, priority_of, take};
use model::{AlertEvent, AlertKind, Priority, Timestamp};

fn report(says: Says) -> Report {
    Report {
        key: "k".to_owned(),
        says,
        starts_at: START,
        priority: Priority::P2,
        reopens: true,
        facts: Facts {
            name: "DiskFull".to_owned(),
            labels: vec![("host".to_owned(), "web-1".to_owned())],
            annotations: Vec::new(),
            title: "DiskFull on web-1".to_owned(),
            why: "98 % of /var is used".to_owned(),
            runbook: None,
            generator: String::new(),
        },
    }
}

fn firing() -> Report {
    report(Says::Firing(Some(START.plus(MINUTE.times(5)))))
}

#[derive(Default)]
struct Alerts {
    known: Option<External>,
    now: Timestamp,
}

impl Alerts {
    fn at(minutes: i64) -> Self {
        Self {
            known: None,
            now: START.plus(MINUTE.times(minutes)),
        }
    }

    fn keep(&mut self, taken: Taken) -> Option<AlertEvent> {
        let Taken::Kept(alert, event) = taken else {
            return None;
        };
        self.known = Some(*alert);
        event.map(|event| *event)
    }

    fn take(&mut self, report: Report) -> Option<AlertEvent> {
        let taken = take(self.known.clone(), &tenant(), "prom", report, self.now);
        self.keep(taken)
    }

    fn pass(&mut self, minutes: i64) -> &mut Self {
        self.now = self.now.plus(MINUTE.times(minutes));
        self
    }
}

#[test]
fn an_alert_opens_once_whatever_is_sent_again_and_keeps_its_earliest_start() {
    let mut alerts = Alerts::at(1);
    let event = alerts.take(firing()).unwrap();
    assert_eq!((event.kind, event.sequence), (AlertKind::Firing, 1));
    assert_eq!((event.started_at, event.arrival), (START, alerts.now));
    assert_eq!(event.template, "DiskFull");
    let mut earlier = firing();
    earlier.starts_at = START.minus(MINUTE);
    assert_eq!(alerts.pass(1).take(earlier), None);
    assert_eq!(alerts.pass(1).take(firing()), None);
    assert_eq!(alerts.known.unwrap().starts_at, START.minus(MINUTE));
}

#[test]
fn what_is_resolved_again_and_again_is_a_no_op_and_never_opens_an_incident() {
    let mut alerts = Alerts::at(1);
    assert_eq!(alerts.take(report(Says::Resolved)), None);
    assert_eq!(alerts.known, None);
    alerts.take(firing());
    let over = alerts.pass(1).take(report(Says::Resolved)).unwrap();
    assert_eq!(
        (over.kind, over.sequence, over.priority),
        (AlertKind::Resolved, 2, None)
    );
    for _ in 0..3 {
        assert_eq!(alerts.pass(1).take(report(Says::Resolved)), None);
    }
}

#[test]
fn soon_after_its_end_it_is_the_same_incident_and_later_another() {
    let mut alerts = Alerts::at(0);
    let first = alerts.take(firing()).unwrap();
    alerts.pass(1).take(report(Says::Resolved));
    let again = alerts.pass(9).take(firing()).unwrap();
    assert_eq!((again.kind, again.sequence), (AlertKind::Reopened, 3));
    assert_eq!(again.incident_id, first.incident_id);
    alerts.pass(1).take(report(Says::Resolved));
    let later = alerts.pass(10).take(firing()).unwrap();
    assert_eq!((later.kind, later.sequence), (AlertKind::Firing, 1));
    assert_ne!(later.incident_id, first.incident_id);

    alerts.pass(1).take(report(Says::Resolved));
    let mut pagerduty = firing();
    pagerduty.reopens = false;
    let new = alerts.take(pagerduty).unwrap();
    assert_eq!((new.kind, new.sequence), (AlertKind::Firing, 1));
    assert_ne!(new.incident_id, later.incident_id);
}

#[test]
fn what_is_not_reported_again_is_over_when_its_time_has_passed() {
    let mut alerts = Alerts::at(0);
    alerts.take(firing());
    let known = alerts.pass(5).known.clone().unwrap();
    let over = alerts.keep(known.passed(alerts.now)).unwrap();
    assert_eq!((over.kind, over.sequence), (AlertKind::Resolved, 2));
    let known = alerts.known.unwrap();
    assert_eq!((known.firing, known.ends_at), (false, None));
}

#[test]
fn another_severity_raises_and_lowers() {
    let mut alerts = Alerts::at(0);
    alerts.take(firing());
    let mut worse = firing();
    worse.priority = Priority::P1;
    let raised = alerts.take(worse).unwrap();
    assert_eq!(
        (raised.kind, raised.priority),
        (AlertKind::Raised, Some(Priority::P1))
    );
    assert_eq!(alerts.take(firing()).unwrap().kind, AlertKind::Lowered);
}

#[test]
fn the_environment_is_the_label_of_that_name() {
    for (labels, env) in [
        (vec![("env", "prod"), ("host", "web-1")], Some("prod")),
        (
            vec![("environment", "test"), ("host", "web-1")],
            Some("test"),
        ),
        (vec![("host", "web-1")], None),
    ] {
        let mut alert = firing();
        alert.facts.labels = labels
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let event = Alerts::at(0).take(alert).unwrap();
        assert_eq!(event.env.as_deref(), env);
    }
}

#[test]
fn an_acknowledgement_needs_something_that_fires() {
    let actor = Actor {
        name: "kim".to_owned(),
        contact: None,
    };
    let ack = || report(Says::Acknowledged(actor.clone()));
    assert_eq!(take(None, &tenant(), "prom", ack(), START), Taken::Ignored);
    let mut alerts = Alerts::at(0);
    let event = alerts.take(firing()).unwrap();
    let taken = take(alerts.known.clone(), &tenant(), "prom", ack(), START);
    assert_eq!(taken, Taken::Acknowledged(event.incident_id, actor.clone()));
    alerts.take(report(Says::Resolved));
    let taken = take(alerts.known, &tenant(), "prom", ack(), START);
    assert_eq!(taken, Taken::Ignored);
}

#[test]
fn a_heartbeat_that_does_not_come_opens_an_incident_and_its_return_ends_it() {
    let mut alerts = Alerts::at(0);
    let beat = |now: Timestamp| report(Says::Alive(now.plus(MINUTE)));
    assert_eq!(alerts.take(beat(alerts.now)), None);
    let known = alerts.pass(1).known.clone().unwrap();
    let missed = alerts.keep(known.passed(alerts.now)).unwrap();
    assert_eq!((missed.kind, missed.sequence), (AlertKind::Firing, 1));
    let back = alerts
        .pass(1)
        .take(beat(START.plus(MINUTE.times(2))))
        .unwrap();
    assert_eq!(
        (back.kind, back.incident_id),
        (AlertKind::Resolved, missed.incident_id)
    );
    // Missed again within ten minutes of its return it is the same incident, however often it came meanwhile.
    assert_eq!(
        alerts.pass(7).take(beat(START.plus(MINUTE.times(10)))),
        None
    );
    let known = alerts.pass(2).known.clone().unwrap();
    let again = alerts.keep(known.passed(alerts.now)).unwrap();
    assert_eq!(
        (again.kind, again.incident_id, again.sequence),
        (AlertKind::Reopened, missed.incident_id, 3)
    );
    let back = alerts.pass(1).take(beat(START.plus(MINUTE.times(12))));
    assert_eq!(back.map(|event| event.sequence), Some(4));
    // Ten minutes after its return it is another.
    alerts.pass(9).take(beat(START.plus(MINUTE.times(21))));
    let known = alerts.pass(1).known.clone().unwrap();
    let later = alerts.keep(known.passed(alerts.now)).unwrap();
    assert_eq!((later.kind, later.sequence), (AlertKind::Firing, 1));
    assert_ne!(later.incident_id, missed.incident_id);
}

#[test]
fn two_tenants_and_two_integrations_never_share_an_incident() {
    let one = |tenant: &str, source: &str| {
        let tenant = model::TenantId::parse(tenant).unwrap();
        match take(None, &tenant, source, firing(), START) {
            Taken::Kept(alert, _) => alert.incident,
            other => panic!("{other:?}"),
        }
    };
    assert_ne!(one("acme", "prom"), one("globex", "prom"));
    assert_ne!(one("acme", "prom"), one("acme", "other"));
    assert_eq!(one("acme", "prom"), one("acme", "prom"));
}

#[test]
fn the_priority_comes_from_the_labels_and_texts_are_cut() {
    for (priority, severity, expected) in [
        (Some("P1"), Some("info"), Priority::P1),
        (Some("p3"), None, Priority::P3),
        (Some("urgent"), Some("critical"), Priority::P1),
        (None, Some("warning"), Priority::P2),
        (None, Some("INFO"), Priority::P3),
        (None, None, Priority::P2),
    ] {
        let label = |name: &str| match name {
            "priority" => priority,
            "severity" => severity,
            _ => None,
        };
        assert_eq!(priority_of(label), expected, "{priority:?} {severity:?}");
    }
    let mut long = firing();
    long.facts.title = "가".repeat(400);
    let event = Alerts::at(0).take(long).unwrap();
    assert_eq!(event.title.chars().count(), 300);
    assert!(event.title.ends_with('…'));
}
