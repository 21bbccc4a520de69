//! Alertmanager's API v2 as JSON: alerts and silences, in its own words.

use super::facts::of_prometheus;
use crate::core::{
    External, Labels, MatchOp, Matcher, Report, Says, Silence, SilenceKind, SilenceSpec,
    priority_of,
};
use crate::io::http::api_types::rfc3339;
use model::{Span, TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// An alert without an end is over after this, unless it is sent again.
const TIMEOUT: Span = Span::from_secs(5 * 60);

/// An alert that is sent. What Alertmanager adds to its own is read over.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PostedAlert {
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    starts_at: Option<String>,
    ends_at: Option<String>,
    #[serde(rename = "generatorURL", default)]
    generator_url: String,
}

/// An alert as it is shown.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ShownAlert {
    pub(super) labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    starts_at: String,
    ends_at: String,
    updated_at: String,
    #[serde(rename = "generatorURL")]
    generator_url: String,
    fingerprint: String,
    receivers: Vec<Name>,
    pub(super) status: AlertStatus,
}

/// Whether an alert is silenced.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AlertStatus {
    state: &'static str,
    pub(super) silenced_by: Vec<String>,
    inhibited_by: Vec<String>,
    muted_by: Vec<String>,
}

/// A receiver.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Name {
    pub(super) name: &'static str,
}

/// Who receives: Bongsu's own policies decide whom that means.
pub(super) const RECEIVER: &str = "bongsu";

/// A silence that is sent.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PostedSilence {
    pub(super) id: Option<String>,
    matchers: Vec<MatcherJson>,
    starts_at: String,
    ends_at: String,
    created_by: String,
    comment: String,
}

/// A silence as it is shown.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ShownSilence {
    id: String,
    status: SilenceStatus,
    updated_at: String,
    matchers: Vec<MatcherJson>,
    starts_at: String,
    ends_at: String,
    created_by: String,
    comment: String,
}

#[derive(Debug, Serialize)]
struct SilenceStatus {
    state: &'static str,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MatcherJson {
    name: String,
    value: String,
    is_regex: bool,
    #[serde(default = "yes")]
    is_equal: bool,
}

fn yes() -> bool {
    true
}

/// A time of Go: none where it is Go's zero.
fn time(text: Option<&str>) -> Result<Option<Timestamp>, String> {
    let Some(text) = text.filter(|text| !text.is_empty() && !text.starts_with("0001-01-01")) else {
        return Ok(None);
    };
    crate::core::instant(text).map(Some)
}

impl PostedAlert {
    /// The report in it; the sentence says why there is none.
    pub(super) fn report(self, now: Timestamp) -> Result<Report, String> {
        let (starts_at, ends_at) = (
            time(self.starts_at.as_deref())?,
            time(self.ends_at.as_deref())?,
        );
        let starts_at = starts_at.or(ends_at).unwrap_or(now);
        let timeout = ends_at.unwrap_or_else(|| now.plus(TIMEOUT));
        if timeout < starts_at {
            return Err("start time must be before end time".to_owned());
        }
        let facts = of_prometheus(self.labels, self.annotations, self.generator_url)
            .map_err(|error| error.to_string())?;
        let label = |name: &str| {
            let found = facts.labels.iter().find(|(label, _)| label == name);
            found.map(|(_, value)| value.as_str())
        };
        Ok(Report {
            key: key(&facts.labels),
            says: if timeout <= now {
                Says::Resolved
            } else {
                Says::Firing(Some(timeout))
            },
            starts_at,
            priority: priority_of(label),
            reopens: true,
            facts,
        })
    }
}

/// The identity of a label set; 64 bits, as Alertmanager's own fingerprint is, would not do.
fn key(labels: &[(String, String)]) -> String {
    let mut hash = Sha256::new();
    for text in labels.iter().flat_map(|(name, value)| [name, value]) {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    hex::encode(&hash.finalize()[..16])
}

/// Alertmanager's fingerprint: FNV-1a of names and values, each ended by 0xff.
fn fingerprint(labels: &[(String, String)]) -> String {
    let text = labels.iter().flat_map(|(name, value)| [name, value]);
    let bytes = text.flat_map(|text| text.bytes().chain([0xff]));
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

impl ShownAlert {
    pub(super) fn of(alert: External, silences: &[Silence], now: Timestamp) -> Self {
        let labels = Labels::from(&alert);
        let silenced_by: Vec<String> = silences
            .iter()
            .filter(|silence| silence.spec.holds_until(now).is_some())
            .filter(|silence| silence.spec.is_about(&labels))
            .map(|silence| silence.id.clone())
            .collect();
        let ends_at = alert.ends_at.unwrap_or_else(|| now.plus(TIMEOUT));
        Self {
            fingerprint: fingerprint(&alert.facts.labels),
            labels: alert.facts.labels.into_iter().collect(),
            annotations: alert.facts.annotations.into_iter().collect(),
            starts_at: rfc3339(alert.starts_at),
            ends_at: rfc3339(ends_at),
            updated_at: rfc3339(alert.changed_at),
            generator_url: alert.facts.generator,
            receivers: vec![Name { name: RECEIVER }],
            status: AlertStatus {
                state: if silenced_by.is_empty() {
                    "active"
                } else {
                    "suppressed"
                },
                silenced_by,
                inhibited_by: Vec::new(),
                muted_by: Vec::new(),
            },
        }
    }
}

impl PostedSilence {
    /// The silence of that tenant; the sentence says why there is none.
    pub(super) fn spec(self, tenant: TenantId) -> Result<SilenceSpec, String> {
        let time =
            |text: &str| time(Some(text))?.ok_or_else(|| "start and end are needed".to_owned());
        let matchers = self.matchers.iter().map(|matcher| {
            let op = MatchOp::of(matcher.is_regex, matcher.is_equal);
            Matcher::new(&matcher.name, op, &matcher.value).map_err(|error| error.to_string())
        });
        Ok(SilenceSpec {
            tenant: Some(tenant),
            kind: SilenceKind::Silence,
            matchers: matchers.collect::<Result<_, _>>()?,
            starts_at: time(&self.starts_at)?,
            ends_at: time(&self.ends_at)?,
            author: self.created_by,
            comment: self.comment,
            weekly: None,
        })
    }
}

impl ShownSilence {
    pub(super) fn of(silence: Silence, now: Timestamp) -> Self {
        let Silence { id, spec, .. } = silence;
        let matchers = spec.matchers.iter().map(|matcher| MatcherJson {
            name: matcher.name().to_owned(),
            value: matcher.value().to_owned(),
            is_regex: matcher.op().is_regex(),
            is_equal: matcher.op().is_equal(),
        });
        Self {
            id,
            status: SilenceStatus {
                state: spec.state(now).as_str(),
            },
            updated_at: rfc3339(silence.updated_at),
            matchers: matchers.collect(),
            starts_at: rfc3339(spec.starts_at),
            ends_at: rfc3339(spec.ends_at),
            created_by: spec.author,
            comment: spec.comment,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn report(text: &str) -> Result<Report, String> {
        let alert: PostedAlert = serde_json::from_str(text).map_err(|error| error.to_string())?;
        alert.report(NOW)
    }

    fn at(seconds: i64) -> Timestamp {
        NOW.plus(Span::from_secs(seconds))
    }

    #[test]
    fn starts_and_ends_have_alertmanagers_defaults() {
        let (past, future) = ("2027-01-15T07:59:00Z", "2027-01-15T08:01:00Z");
        for (times, starts_at, says) in [
            (String::new(), NOW, Says::Firing(Some(at(300)))),
            (
                format!(r#","startsAt":"{past}""#),
                at(-60),
                Says::Firing(Some(at(300))),
            ),
            (
                format!(r#","startsAt":"0001-01-01T00:00:00.000Z","endsAt":"{future}""#),
                at(60),
                Says::Firing(Some(at(60))),
            ),
            (format!(r#","endsAt":"{past}""#), at(-60), Says::Resolved),
        ] {
            let report = report(&format!(r#"{{"labels":{{"alertname":"A"}}{times}}}"#)).unwrap();
            assert_eq!(
                (report.starts_at, report.says),
                (starts_at, says),
                "{times}"
            );
        }
        let wrong = format!(r#"{{"labels":{{"a":"b"}},"startsAt":"{future}","endsAt":"{past}"}}"#);
        assert_eq!(
            report(&wrong).unwrap_err(),
            "start time must be before end time"
        );
        for wrong in [
            r#"{"labels":{}}"#,
            r#"{"labels":{"a":""}}"#,
            r#"{"labels":{"a":"b"},"startsAt":"yesterday"}"#,
            r#"{"labels":{"a":1}}"#,
            r#"{"annotations":{}}"#,
        ] {
            assert!(report(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_label_set_is_the_identity_and_empty_labels_are_none() {
        let key = |text: &str| report(text).unwrap().key;
        let one = key(r#"{"labels":{"a":"b","c":"d"}}"#);
        assert_eq!(
            one,
            key(r#"{"labels":{"c":"d","a":"b","e":""},"annotations":{"x":"y"}}"#)
        );
        assert_ne!(one, key(r#"{"labels":{"a":"b"}}"#));
        assert_ne!(
            key(r#"{"labels":{"a":"bc"}}"#),
            key(r#"{"labels":{"ab":"c"}}"#)
        );
    }

    #[test]
    fn the_fingerprint_is_alertmanagers() {
        // Alertmanager 0.28.1 prints this one of these labels.
        let labels = [("alertname", "DiskFull"), ("host", "web-1")];
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(fingerprint(&labels), "82f2dd4ca1515896");
    }

    #[test]
    fn what_others_write_is_bounded_and_runs_nowhere() {
        let long = "x".repeat(2_049);
        assert!(report(&format!(r#"{{"labels":{{"a":"{long}"}}}}"#)).is_err());
        let many: Vec<_> = (0..65).map(|n| format!(r#""l{n}":"v""#)).collect();
        assert!(report(&format!(r#"{{"labels":{{{}}}}}"#, many.join(","))).is_err());
        let text = r#"{"labels":{"alertname":"A","tenant":"globex","priority":"p1"},
            "annotations":{"runbook_url":"javascript:alert(1)","summary":"<script>x</script>"},
            "generatorURL":"data:text/html,x"}"#;
        let report = report(text).unwrap();
        assert_eq!(report.facts.runbook, None);
        assert_eq!(report.facts.generator, "");
        assert_eq!(report.facts.title, "<script>x</script>", "pages escape it");
        assert_eq!(report.priority, model::Priority::P1);
    }
}
