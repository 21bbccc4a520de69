//! PagerDuty and Opsgenie: their alert follows the incident.

use std::collections::BTreeMap;

use notifier::Config;
use notifier::config::{OpsgenieIntegration, PagerdutyService};
use notifier::core::{ChannelKind, Language, Message, Outcome, Purpose, Recipient, Status};
use serde_json::Value;
use tests::fake::Fault;
use tests::opsgenie::{self, Opsgenie};
use tests::pagerduty::{self, Pagerduty};
use tests::workdir::Workdir;

use super::incident::{hostile, incident, message};
use super::{channel, secret, send, word};

fn ops() -> Recipient {
    Recipient {
        contact: None,
        name: "ops".to_owned(),
        language: Language::En,
        address: "ops".to_owned(),
    }
}

/// What a room hears in an incident's life, in its order.
fn life() -> Vec<Message> {
    let told = |purpose, status, note: Option<&str>| {
        let mut incident = incident();
        incident.status = status;
        let mut message = message(incident, purpose, ops());
        message.note = note.map(str::to_owned);
        message
    };
    vec![
        told(Purpose::Firing, Status::Open, None),
        told(Purpose::Escalated, Status::Open, None),
        told(
            Purpose::Comment,
            Status::Open,
            Some("disk is being swapped"),
        ),
        told(Purpose::Acknowledged, Status::Acknowledged, None),
        told(Purpose::Raised, Status::Acknowledged, None),
        told(Purpose::Resolved, Status::Closed, None),
        told(Purpose::Reopened, Status::Open, None),
    ]
}

#[tokio::test]
async fn an_alert_of_pagerduty_follows_the_incident() {
    let (pagerduty, folder) = (Pagerduty::start().await, Workdir::new("services"));
    let config = pagerduty_config(&pagerduty, &folder);
    let mut seen = Vec::new();
    for message in life() {
        let outcome = send(&config, ChannelKind::Pagerduty, &message).await;
        assert_eq!(word(&outcome), "delivered", "{outcome:?}");
        let alerts = pagerduty.alerts();
        assert_eq!(alerts.len(), 1, "the incident's id is the key");
        let alert = &alerts[&message.incident.id.to_string()];
        seen.push(format!(
            "{} {} {}",
            alert.state, alert.severity, alert.opened
        ));
    }
    let (open, taken) = ("triggered critical 1", "acknowledged critical 1");
    let expected = [
        open,
        open,
        open,
        taken,
        taken,
        "resolved critical 1",
        "triggered critical 2",
    ];
    assert_eq!(seen, expected);
    // What is said of a closed one does not open it again.
    let mut late = life().remove(2);
    late.incident.status = Status::Closed;
    let outcome = send(&config, ChannelKind::Pagerduty, &late).await;
    assert_eq!(word(&outcome), "refused", "{outcome:?}");
    let outcome = send(&config, ChannelKind::Pagerduty, &hostile(ops())).await;
    assert_eq!(word(&outcome), "delivered", "{outcome:?}");
    let mut event = pagerduty.journal().accepted()[0].body.clone();
    event["routing_key"] = Value::Null;
    insta::assert_json_snapshot!("pagerduty", event);
}

#[tokio::test]
async fn an_alert_of_opsgenie_follows_the_incident() {
    let (opsgenie, folder) = (Opsgenie::start().await, Workdir::new("services"));
    let config = opsgenie_config(&opsgenie, &folder);
    let to = channel(&config, ChannelKind::Opsgenie);
    let mut seen = Vec::new();
    for message in life() {
        let Outcome::Accepted { reference } = to.send(&message).await else {
            panic!("{:?}", opsgenie.journal().describe());
        };
        opsgenie.wait(true);
        let asked = format!("{:?}", to.receipt(&reference).await);
        assert!(
            asked.starts_with("Accepted"),
            "not carried out yet: {asked}"
        );
        opsgenie.wait(false);
        let asked = format!("{:?}", to.receipt(&reference).await);
        assert!(asked.starts_with("Delivered"), "{asked}");
        let alerts = opsgenie.alerts();
        let alert = &alerts[&message.incident.id.to_string()];
        seen.push(format!(
            "{} {} {} {}",
            alert.state,
            alert.priority,
            alert.count,
            alert.notes.len()
        ));
    }
    let expected = [
        "open P1 1 0",
        "open P1 2 0",
        "open P1 2 1",
        "acknowledged P1 2 1",
        "acknowledged P1 3 1",
        "closed P1 3 1",
        "open P1 1 1",
    ];
    assert_eq!(seen, expected);
    let raised = |call: &str| {
        opsgenie
            .journal()
            .accepted()
            .iter()
            .any(|entry| entry.path.contains(call))
    };
    assert!(
        raised("/priority?identifierType=alias"),
        "{}",
        opsgenie.journal().describe()
    );
    // Nothing was open: it is told as what it is.
    let mut stranger = life().remove(3);
    stranger.incident.id = model::IncidentId::from_bytes([9; 16]);
    let Outcome::Accepted { reference } = to.send(&stranger).await else {
        panic!("{:?}", opsgenie.journal().describe());
    };
    let asked = format!("{:?}", to.receipt(&reference).await);
    assert!(asked.contains("Alert does not exist"), "{asked}");
    assert_eq!(word(&to.send(&hostile(ops())).await), "accepted");
    insta::assert_json_snapshot!("opsgenie", opsgenie.journal().accepted()[0].body);
}

#[tokio::test]
async fn every_failure_is_told_apart_and_none_tells_the_key() {
    let folder = Workdir::new("services");
    let (pagerduty, opsgenie) = (Pagerduty::start().await, Opsgenie::start().await);
    let page = life().remove(0);
    for (fault, expected) in [
        (Fault::too_many_requests(7), "retry"),
        (Fault::status(503), "retry"),
        (Fault::status(400), "refused"),
        (Fault::status(500), "unknown"),
        (Fault::Reset, "unknown"),
        (Fault::ResetAfterAccepting, "unknown"),
    ] {
        pagerduty.faults().next(1, fault.clone());
        opsgenie.faults().next(1, fault.clone());
        for (config, kind) in [
            (
                pagerduty_config(&pagerduty, &folder),
                ChannelKind::Pagerduty,
            ),
            (opsgenie_config(&opsgenie, &folder), ChannelKind::Opsgenie),
        ] {
            let outcome = send(&config, kind, &page).await;
            assert_eq!(word(&outcome), expected, "{kind} {fault:?}: {outcome:?}");
            let text = format!("{outcome:?}");
            assert!(
                !text.contains(pagerduty::ROUTING_KEY) && !text.contains(opsgenie::KEY),
                "{text}"
            );
        }
    }
    // A key that is not known is refused in the provider's own words.
    let wrong = PagerdutyService {
        routing_key_file: secret(&folder, "wrong", "another"),
        api_url: pagerduty.url(),
    };
    let config = Config {
        pagerduty: BTreeMap::from([("ops".to_owned(), wrong)]),
        ..Config::default()
    };
    let outcome = send(&config, ChannelKind::Pagerduty, &page).await;
    assert!(
        format!("{outcome:?}").contains("Invalid routing key"),
        "{outcome:?}"
    );
}

fn pagerduty_config(pagerduty: &Pagerduty, folder: &Workdir) -> Config {
    let service = PagerdutyService {
        routing_key_file: secret(folder, "routing", pagerduty::ROUTING_KEY),
        api_url: pagerduty.url(),
    };
    Config {
        pagerduty: BTreeMap::from([("ops".to_owned(), service)]),
        ..Config::default()
    }
}

fn opsgenie_config(opsgenie: &Opsgenie, folder: &Workdir) -> Config {
    let integration = OpsgenieIntegration {
        api_key_file: secret(folder, "genie", opsgenie::KEY),
        api_url: opsgenie.url(),
    };
    Config {
        opsgenie: BTreeMap::from([("ops".to_owned(), integration)]),
        ..Config::default()
    }
}
