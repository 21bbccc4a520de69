//! What people do to our alerts in PagerDuty and Opsgenie: an acknowledgement and an end there are one here.
//!
//! PagerDuty signs its webhooks (v3): `X-PagerDuty-Signature` has one `v1=` with the hexadecimal HMAC-SHA256 of the raw body
//! for each secret of the subscription ("Verifying Signatures"). Opsgenie signs nothing; its webhook integration sends the
//! headers that it is given, and so a secret in `Authorization: Bearer`.
//!
//! Neither proves when a request was made. What comes back of our own calls is passed over, an event of PagerDuty counts
//! once and for an hour, and both count only for incidents that the service was told of.

use super::{Here, Site, proof};
use crate::commands::CommandError;
use crate::core::{Actor, ChannelKind, Via};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use model::{IncidentId, Span, Timestamp};
use runtime::Secret;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use subtle::ConstantTimeEq;

/// The header of PagerDuty's signatures.
const SIGNATURE: &str = "x-pagerduty-signature";
/// Signatures of one request that are looked at: a subscription has one secret, and a second while it is changed.
const SIGNATURES: usize = 8;
/// What happened longer ago is not done any more; PagerDuty sends again for about 20 minutes.
const FRESH: Span = Span::from_secs(3_600);

/// The secrets of webhooks, by the name that policies call the service by.
#[derive(Debug, Clone)]
pub struct WebhookSecrets(BTreeMap<String, Secret>);

impl WebhookSecrets {
    /// With the secrets of these services.
    pub fn new(secrets: BTreeMap<String, Secret>) -> Self {
        Self(secrets)
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The services whose secret has signed a body for PagerDuty's header.
    pub fn signed_by(&self, given: Option<&str>, body: &[u8]) -> BTreeSet<&str> {
        let given: Vec<&str> = given
            .unwrap_or_default()
            .split(',')
            .filter_map(|each| each.trim().strip_prefix("v1="))
            .take(SIGNATURES)
            .collect();
        self.those(|secret| {
            let mut given = given.iter();
            given.any(|each| proof::has_signed(secret, &[body], each))
        })
    }

    /// The services whose secret stands in `Authorization: Bearer`.
    pub fn brought_by(&self, given: Option<&str>) -> BTreeSet<&str> {
        let Some(given) = given.and_then(proof::bearer) else {
            return BTreeSet::new();
        };
        self.those(|secret| secret.expose().as_bytes().ct_eq(given.as_bytes()).into())
    }

    fn those(&self, fits: impl Fn(&Secret) -> bool) -> BTreeSet<&str> {
        let fitting = self.0.iter().filter(|(_, secret)| fits(secret));
        fitting.map(|(name, _)| name.as_str()).collect()
    }
}

/// What somebody did there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Acknowledge,
    Close,
}

/// What a webhook tells.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    /// Somebody did this to the alert of an incident.
    Deed(Deed, IncidentId, String),
    /// Nothing that is to be done here, and why.
    Nothing(&'static str),
}

/// A webhook of PagerDuty (v3): one event.
#[derive(Debug, Deserialize)]
struct Webhook {
    event: Event,
}

#[derive(Debug, Deserialize)]
struct Event {
    id: String,
    event_type: String,
    #[serde(default)]
    occurred_at: String,
    #[serde(default)]
    agent: Option<Agent>,
    #[serde(default)]
    data: Data,
}

#[derive(Debug, Deserialize)]
struct Agent {
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    summary: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Data {
    /// The `dedup_key` of the event that opened it.
    #[serde(default)]
    incident_key: Option<String>,
}

impl Event {
    fn told(&self, now: Timestamp) -> Told {
        let deed = match self.event_type.as_str() {
            "incident.acknowledged" => Deed::Acknowledge,
            "incident.resolved" => Deed::Close,
            _ => return Told::Nothing("it is neither an acknowledgement nor an end"),
        };
        // What we send there comes back with the integration as its agent.
        let person = self.agent.as_ref();
        let Some(person) = person.filter(|agent| agent.r#type == "user_reference") else {
            return Told::Nothing("no person did it");
        };
        let at: Option<jiff::Timestamp> = self.occurred_at.parse().ok();
        let at = at.map(|at| Timestamp::from_millis(at.as_millisecond()));
        if at.is_none_or(|at| now.since(at) > FRESH) {
            return Told::Nothing("it happened more than an hour ago");
        }
        let name = person.summary.as_deref().unwrap_or_default();
        told_of(deed, self.data.incident_key.as_deref(), name, "PagerDuty")
    }
}

/// A webhook of Opsgenie: an action on an alert.
#[derive(Debug, Deserialize)]
struct Action {
    action: String,
    #[serde(default)]
    source: Source,
    alert: Alert,
}

#[derive(Debug, Default, Deserialize)]
struct Source {
    #[serde(default)]
    r#type: String,
}

#[derive(Debug, Deserialize)]
struct Alert {
    #[serde(default)]
    alias: String,
    #[serde(default)]
    username: String,
}

impl Action {
    fn told(&self) -> Told {
        let deed = match self.action.as_str() {
            "Acknowledge" => Deed::Acknowledge,
            "Close" => Deed::Close,
            _ => return Told::Nothing("it is neither an acknowledgement nor an end"),
        };
        // Ours are made by its API; by itself Opsgenie closes what its own policies say.
        let kind = self.source.r#type.to_ascii_lowercase();
        if matches!(kind.as_str(), "api" | "system") {
            return Told::Nothing("no person did it");
        }
        told_of(
            deed,
            Some(&self.alert.alias),
            &self.alert.username,
            "Opsgenie",
        )
    }
}

fn told_of(deed: Deed, key: Option<&str>, name: &str, service: &str) -> Told {
    let Some(Ok(id)) = key.map(IncidentId::parse) else {
        return Told::Nothing("the alert is none of ours");
    };
    let name: String = name.trim().chars().take(80).collect();
    Told::Deed(
        deed,
        id,
        match name.is_empty() {
            true => service.to_owned(),
            false => format!("{name} ({service})"),
        },
    )
}

/// A webhook of PagerDuty.
pub(super) async fn pagerduty(State(site): Here, headers: HeaderMap, body: Bytes) -> Response {
    let settings = &site.0.settings;
    let given = headers.get(SIGNATURE).and_then(|value| value.to_str().ok());
    let services = settings.pagerduty.signed_by(given, &body);
    if services.is_empty() {
        return refused("PagerDuty", "its signature does not fit");
    }
    let Ok(Webhook { event }) = serde_json::from_slice(&body) else {
        return unreadable();
    };
    let told = event.told(site.now());
    if matches!(told, Told::Deed(..)) && !site.0.events.is_new(&event.id) {
        return StatusCode::ACCEPTED.into_response();
    }
    let done = carry_out(&site, told, ChannelKind::Pagerduty, &services).await;
    if done.is_err() {
        // It comes again.
        site.0.events.forget(&event.id);
    }
    answer(done)
}

/// A webhook of Opsgenie.
pub(super) async fn opsgenie(State(site): Here, headers: HeaderMap, body: Bytes) -> Response {
    let given = headers.get(header::AUTHORIZATION);
    let given = given.and_then(|value| value.to_str().ok());
    let services = site.0.settings.opsgenie.brought_by(given);
    if services.is_empty() {
        return refused("Opsgenie", "the secret does not fit");
    }
    let Ok(action) = serde_json::from_slice::<Action>(&body) else {
        return unreadable();
    };
    answer(carry_out(&site, action.told(), ChannelKind::Opsgenie, &services).await)
}

fn refused(service: &'static str, why: &'static str) -> Response {
    tracing::warn!(service, why, "refused a webhook");
    (StatusCode::UNAUTHORIZED, format!("{why}\n")).into_response()
}

fn unreadable() -> Response {
    (StatusCode::BAD_REQUEST, "this is no webhook\n").into_response()
}

fn answer(done: Result<(), CommandError>) -> Response {
    match done {
        Ok(()) => StatusCode::ACCEPTED.into_response(),
        Err(error) => {
            tracing::error!(%error, "a webhook could not be carried out");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

async fn carry_out(
    site: &Site,
    told: Told,
    channel: ChannelKind,
    services: &BTreeSet<&str>,
) -> Result<(), CommandError> {
    let (deed, id, name) = match told {
        Told::Deed(deed, id, name) => (deed, id, name),
        Told::Nothing(why) => {
            tracing::debug!(%channel, why, "a webhook changes nothing");
            return Ok(());
        }
    };
    let desk = site.whole_desk();
    // Whoever has the secret of one service may act on what that service was told, and on nothing else.
    let deliveries = desk.deliveries_of(&[id]).await?;
    let knows = deliveries.values().flatten().any(|delivery| {
        let service = delivery.recipient.address.as_str();
        delivery.channel == channel && services.contains(service)
    });
    if !knows {
        tracing::warn!(incident_id = %id, %channel, "a webhook of a service that was not told of the incident");
        return Ok(());
    }
    let actor = Actor {
        name,
        contact: None,
    };
    match deed {
        Deed::Acknowledge => desk.acknowledge(id, actor, Via::Api).await?,
        Deed::Close => desk.close(id, actor, Via::Api, false).await?,
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn secrets(all: &[(&str, &str)]) -> WebhookSecrets {
        let all = all.iter();
        let all = all.map(|(name, secret)| ((*name).to_owned(), Secret::new(*secret)));
        WebhookSecrets::new(all.collect())
    }

    /// Secret, body and signature of the tests of PagerDuty's own client (github.com/PagerDuty/go-pagerduty,
    /// `webhookv3/webhookv3_test.go`), to which "Verifying Signatures" refers.
    const SECRET: &str = "lDQHScfUeXUKaQRNF+8XIiDKZ7XX3itBAYzwU0TARw8lJqRnkKl2iB1anSb0Z+IK";
    const SIGNED: &str = "v1=0c0b9495b893a39e70d1fea2fe11fbe0a825f88b9f67846f6cc07dd2bc5476cd";
    const OTHER: &str = "v1=7020c8a7ec668a9b7012bc3dd82e483394b038f4230acc6785efbf2a7d8bcaf5";
    const BODY: &[u8] = include_bytes!("../../../tests/fixtures/pagerduty_webhook.json");

    #[test]
    fn pagerdutys_published_example_is_taken_and_nothing_else() {
        let ops = secrets(&[("ops", SECRET), ("other", "another")]);
        let by = |given: Option<&str>, body: &[u8]| -> Vec<String> {
            let found = ops.signed_by(given, body);
            found.into_iter().map(str::to_owned).collect()
        };
        assert_eq!(by(Some(SIGNED), BODY), ["ops"]);
        // While a secret is changed there are two.
        assert_eq!(by(Some(&format!("{OTHER},{SIGNED}")), BODY), ["ops"]);
        assert_eq!(by(Some(&format!("{OTHER}, {SIGNED}")), BODY), ["ops"]);
        let none: [&str; 0] = [];
        assert_eq!(by(Some(OTHER), BODY), none);
        assert_eq!(by(Some(SIGNED), b""), none);
        assert_eq!(by(Some(&SIGNED.replace("v1=", "v0=")), BODY), none);
        assert_eq!(by(Some(&SIGNED.to_uppercase()), BODY), none);
        for given in [None, Some(""), Some("v1="), Some(",,,")] {
            assert_eq!(by(given, BODY), none, "{given:?}");
        }
        let many = format!("{}{SIGNED}", format!("{OTHER},").repeat(SIGNATURES));
        assert_eq!(by(Some(&many), BODY), none, "more than are looked at");
    }

    #[test]
    fn the_example_is_read_and_changes_nothing() {
        let webhook: Webhook = serde_json::from_slice(BODY).expect("it is read");
        assert_eq!(webhook.event.id, "01BWDWL3NYY7LUFPZCC28QUCMK");
        let now = Timestamp::from_millis(1_619_458_587_458);
        assert!(matches!(webhook.event.told(now), Told::Nothing(_)));
    }

    #[test]
    fn what_a_person_did_to_our_alert_counts_for_an_hour() {
        let id = IncidentId::from_bytes([7; 16]);
        let event = |kind: &str, agent: &str, key: serde_json::Value| -> Event {
            let agent = json!({"type": agent, "summary": " Tenex Engineer "});
            serde_json::from_value(json!({
                "id": "1", "event_type": kind, "occurred_at": "2021-04-26T17:36:27.458Z", "agent": agent,
                "data": {"incident_key": key},
            }))
            .expect("an event")
        };
        let at = |seconds: i64| Timestamp::from_millis(1_619_458_587_458 + seconds * 1_000);
        let (user, key) = ("user_reference", json!(id.to_string()));
        let name = || "Tenex Engineer (PagerDuty)".to_owned();
        let taken = event("incident.acknowledged", user, key.clone());
        assert_eq!(taken.told(at(0)), Told::Deed(Deed::Acknowledge, id, name()));
        assert_eq!(
            taken.told(at(3_600)),
            Told::Deed(Deed::Acknowledge, id, name())
        );
        assert!(matches!(taken.told(at(3_601)), Told::Nothing(_)));
        let over = event("incident.resolved", user, key.clone());
        assert_eq!(over.told(at(5)), Told::Deed(Deed::Close, id, name()));
        for other in [
            event("incident.annotated", user, key.clone()),
            event(
                "incident.acknowledged",
                "inbound_integration_reference",
                key,
            ),
            event("incident.acknowledged", user, json!("another's")),
            event("incident.acknowledged", user, json!(null)),
        ] {
            assert!(matches!(other.told(at(0)), Told::Nothing(_)), "{other:?}");
        }
    }

    #[test]
    fn opsgenies_published_example_is_read_and_its_secret_is_compared_whole() {
        // "Opsgenie Edge Connector alert action data", Acknowledge, with an alias of ours.
        let id = IncidentId::from_bytes([7; 16]);
        let action = |action: &str, source: &str, alias: &str| -> Action {
            serde_json::from_value(json!({
                "source": {"name": "", "type": source},
                "alert": {
                    "updatedAt": 1_420_452_224_764_002_246_i64, "tags": ["tag1", "tag2"], "message": "test alert",
                    "username": "fili@ifountain.com", "alertId": "052652ac-5d1c-464a-812a-7dd18bbfba8c",
                    "source": "fili@ifountain.com", "alias": alias, "tinyId": "23", "createdAt": 1_420_452_191_104_i64,
                    "userId": "daed1180-0ce8-438b-8f8e-57e1a5920a2d", "entity": "",
                },
                "action": action, "integrationId": "37c8f316-17c6-49d7-899b-9c7e540c048d",
                "integrationName": "Integration1",
            }))
            .expect("an action")
        };
        let ours = id.to_string();
        let name = || "fili@ifountain.com (Opsgenie)".to_owned();
        let taken = action("Acknowledge", "web", &ours).told();
        assert_eq!(taken, Told::Deed(Deed::Acknowledge, id, name()));
        let over = action("Close", "web", &ours).told();
        assert_eq!(over, Told::Deed(Deed::Close, id, name()));
        for other in [
            action("Acknowledge", "web", "aliastest"),
            action("UnAcknowledge", "web", &ours),
            action("Acknowledge", "API", &ours),
            action("Close", "system", &ours),
        ] {
            assert!(matches!(other.told(), Told::Nothing(_)), "{other:?}");
        }
        let ops = secrets(&[("ops", "a secret")]);
        assert_eq!(ops.brought_by(Some("Bearer a secret")), ["ops"].into());
        for given in [
            None,
            Some("a secret"),
            Some("Basic a secret"),
            Some("Bearer a secre"),
            Some("Bearer "),
        ] {
            assert!(ops.brought_by(given).is_empty(), "{given:?}");
        }
    }
}
