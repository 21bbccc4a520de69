//! `template:` — what is checked, and when it is an alert.

pub(super) mod env_limits;
mod forms;
mod given;

pub use given::{Given, GivenSeries};

use super::text::{self, shape, text_form};
use super::{Over, PerPriority};
use model::{Priority, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// A rule for all groups that it applies to.
///
/// What may be left out is an `Option`, so that `extends` knows what was written; the methods give
/// the values in force.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// Its name.
    pub template: String,
    /// One line for people, with tags of the group in braces; left out: the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The same in Korean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title_ko: Option<String>,
    /// Who keeps the rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Link to what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runbook: Option<String>,
    /// A template whose fields hold where this one says nothing; one level deep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extends: Option<String>,
    /// Which points are meant. Required, unless inherited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applies_to: Option<AppliesTo>,
    /// Tags that make a group; left out: `[host]`. Without `host` a group spans all hosts of the tenant;
    /// `[tenant]` is one group of all of them.
    #[serde(
        default,
        deserialize_with = "some_tags",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub one_alert_per: Vec<String>,
    /// Arithmetic over fields, or `time_since_last_point`. Required, unless inherited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
    /// `percent`, `seconds`, ...; `percent` decides the default recovery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The window. Required, unless inherited, or the check is `time_since_last_point`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<Over>,
    /// The grid; left out: 60 s.
    #[serde(
        default,
        with = "text::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<shape::Duration>")]
    pub every: Option<Span>,
    /// The expected distance of two samples of a series; left out: 60 s.
    #[serde(
        default,
        with = "text::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<shape::Duration>")]
    pub interval: Option<Span>,
    /// A condition over fields of the same point, without which it is no sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only_when: Option<String>,
    /// Arithmetic over fields that an event tells beside the value, gathered like it; it decides nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shows: Option<String>,
    /// The rungs. At least one, unless inherited.
    #[serde(default, skip_serializing_if = "PerPriority::is_empty")]
    pub levels: PerPriority<Level>,
    /// What missing data means; left out: `follow host-down`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when_missing: Option<WhenMissing>,
    /// After how long data counts as missing; left out: 3 intervals.
    #[serde(
        default,
        with = "text::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<shape::Duration>")]
    pub missing_after: Option<Span>,
    /// After how long an event-like incident closes by itself.
    #[serde(
        default,
        with = "text::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<shape::Duration>")]
    pub close_after: Option<Span>,
    /// After how long without data a group is forgotten.
    #[serde(
        default,
        with = "text::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<shape::Duration>")]
    pub expire_after: Option<Span>,
    /// What the value is held against, such as `same weekday`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compared_to: Option<String>,
    /// The highest priority that each environment may show; left out: prod P1, stg and dev P3.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "env_limits")]
    #[schemars(with = "Option<BTreeMap<String, shape::Priority>>")]
    pub limit_by_env: Option<BTreeMap<String, Priority>>,
    /// What `bongsu template test` runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tests: Vec<TemplateTest>,
}

/// Which points a template means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AppliesTo {
    /// Name of the measurement, or `any`.
    pub measurement: String,
    /// Tags that the points have, each with a value or a list of values.
    #[serde(default, rename = "where", skip_serializing_if = "BTreeMap::is_empty")]
    pub where_: BTreeMap<String, OneOrMany>,
    /// Tags that they do not have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub where_not: BTreeMap<String, OneOrMany>,
}

/// A text or a list of texts.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(untagged)]
pub enum OneOrMany {
    /// One.
    One(String),
    /// Any of these.
    Many(Vec<String>),
}

impl OneOrMany {
    /// The values.
    pub fn values(&self) -> &[String] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::Many(values) => values,
        }
    }

    /// Whether `value` is one of them.
    pub fn contains(&self, value: &str) -> bool {
        self.values().iter().any(|known| known == value)
    }
}

/// One rung of the ladder.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Level {
    /// True above this; with `until_below` as its recovery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<Threshold>,
    /// Recovered below this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_below: Option<Threshold>,
    /// True below this; with `until_above` as its recovery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<Threshold>,
    /// Recovered above this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_above: Option<Threshold>,
    /// True when the check, a condition, is that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is: Option<bool>,
    /// How long it must be true; left out: 0.
    #[serde(
        default,
        rename = "for",
        with = "text::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<shape::Duration>")]
    pub for_: Option<Span>,
    /// How long it must be recovered; left out: 0.
    #[serde(
        default,
        with = "text::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<shape::Duration>")]
    pub recover_for: Option<Span>,
    /// A check of its own, where rungs differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
    /// A window of its own, where rungs differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<Over>,
}

impl Level {
    /// `for`, or 0.
    pub fn for_span(&self) -> Span {
        self.for_.unwrap_or_default()
    }

    /// `recover_for`, or 0.
    pub fn recover_span(&self) -> Span {
        self.recover_for.unwrap_or_default()
    }
}

/// A threshold: a number, or a duration that stands for its seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Threshold {
    /// As written.
    Number(f64),
    /// `4h`: 14,400 s.
    Duration(Span),
}

impl Threshold {
    /// The number; of a duration its seconds.
    pub fn value(self) -> f64 {
        match self {
            Self::Number(number) => number,
            Self::Duration(span) => span.as_secs_f64(),
        }
    }
}

/// What missing data means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenMissing {
    /// `follow host-down`: an alert of the host, not of the rule.
    #[default]
    FollowHostDown,
    /// An alert of that priority.
    Priority(Priority),
    /// `fine`: sparse data.
    Fine,
    /// `resolve`: the end of the incident.
    Resolve,
}

/// A test that a template carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TemplateTest {
    /// Values of the check and for how long, such as `95 for 11m, then 50 for 10m` or `silence for
    /// 5m`; or named series with phrases for their fields.
    pub given: Given,
    /// How it stands at the end.
    pub expect: Expectation,
}

/// How a rule stands at the end of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expectation {
    /// Firing at that priority.
    Priority(Priority),
    /// `nothing`: never fired.
    Nothing,
    /// `resolved`: fired, and over.
    Resolved,
}

impl Template {
    /// The grid.
    pub fn every(&self) -> Span {
        self.every.unwrap_or(Span::from_secs(60))
    }

    /// The expected distance of two samples.
    pub fn interval(&self) -> Span {
        self.interval.unwrap_or(Span::from_secs(60))
    }

    /// What missing data means.
    pub fn when_missing(&self) -> WhenMissing {
        self.when_missing.unwrap_or_default()
    }

    /// The title, or the name.
    pub fn title(&self) -> &str {
        self.title.as_deref().unwrap_or(&self.template)
    }

    /// Tags that make a group: those of `one_alert_per`, sorted, or `host` where none is named.
    pub fn group_tags(&self) -> Vec<String> {
        let mut tags = self.one_alert_per.clone();
        if tags.is_empty() {
            tags.push("host".to_owned());
        }
        tags.sort_unstable();
        tags.dedup();
        tags
    }

    /// The highest priority of each environment: what the template says over what holds where it
    /// says nothing, prod P1, stg and dev P3.
    pub fn limits(&self) -> BTreeMap<String, Priority> {
        let mut limits = standard_limits();
        let own = self.limit_by_env.iter().flatten();
        limits.extend(own.map(|(env, limit)| (env.clone(), *limit)));
        limits
    }

    /// The highest priority that may be shown for `env`; a missing or unknown one is uncapped.
    pub fn limit(&self, env: Option<&str>) -> Priority {
        env.and_then(|env| self.limits().get(env).copied())
            .unwrap_or(Priority::P1)
    }
}

/// A list without a tag could mean each host or all of them, so it must say which.
fn some_tags<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let tags = Vec::<String>::deserialize(from)?;
    if tags.is_empty() {
        return Err(de::Error::custom(
            "name at least one tag: `[host]` is an alert for each host, `[tenant]` one for all of them",
        ));
    }
    Ok(tags)
}

/// What holds where a template says nothing, so that setting one environment keeps the others.
pub(super) fn standard_limits() -> BTreeMap<String, Priority> {
    [
        ("prod", Priority::P1),
        ("stg", Priority::P3),
        ("dev", Priority::P3),
    ]
    .map(|(env, limit)| (env.to_owned(), limit))
    .into()
}

text_form!(WhenMissing, "WhenMissing", {
    "enum": ["follow host-down", "P1", "P2", "P3", "fine", "resolve"]
});

impl fmt::Display for WhenMissing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FollowHostDown => "follow host-down",
            Self::Priority(priority) => priority.as_str(),
            Self::Fine => "fine",
            Self::Resolve => "resolve",
        })
    }
}

impl FromStr for WhenMissing {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "follow host-down" => Ok(Self::FollowHostDown),
            "fine" => Ok(Self::Fine),
            "resolve" => Ok(Self::Resolve),
            _ => Priority::parse(text).map(Self::Priority).map_err(|_| {
                format!("`{text}` is not one of follow host-down, P1, P2, P3, fine, resolve")
            }),
        }
    }
}

text_form!(Expectation, "Expectation", {"enum": ["P1", "P2", "P3", "nothing", "resolved"]});

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Priority(priority) => priority.as_str(),
            Self::Nothing => "nothing",
            Self::Resolved => "resolved",
        })
    }
}

impl FromStr for Expectation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "nothing" => Ok(Self::Nothing),
            "resolved" => Ok(Self::Resolved),
            _ => Priority::parse(text)
                .map(Self::Priority)
                .map_err(|_| format!("`{text}` is not one of P1, P2, P3, nothing, resolved")),
        }
    }
}
