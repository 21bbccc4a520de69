//! Parts of `tenant:` that say who takes care of its incidents: routing, dependencies, grouping.

use super::StepTarget;
use super::text::{self, shape, text_form};
use model::{Priority, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// Which incidents are meant. Every part that is given must hold; without any all are meant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Selector {
    /// Name of the template.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// One of these priorities.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub priority: Vec<PriorityWord>,
    /// Tags of the group, or `env`, with these values.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// A text that the title or the reason contains, upper and lower case alike.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// A priority as a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PriorityWord(pub Priority);

text_form!(PriorityWord, "PriorityWord", {"enum": ["P1", "P2", "P3"]});

impl fmt::Display for PriorityWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for PriorityWord {
    type Err = model::InvalidName;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        word.parse().map(Self)
    }
}

/// Where some incidents of a tenant go instead of its own policy. The first that fits holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RoutingRule {
    /// Which incidents.
    #[serde(default)]
    pub when: Selector,
    /// Where to: `policy:NAME`, a contact, `schedule:NAME`, `team:NAME`, or `nobody`.
    pub to: RouteTarget,
}

/// Where a routing rule leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RouteTarget {
    /// `policy:NAME`.
    Policy(String),
    /// One step that tells them, by the channels of the tenant's own policy.
    To(StepTarget),
    /// `nobody`: it is only recorded. Never holds for a P1.
    Nobody,
}

impl fmt::Display for RouteTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Policy(name) => write!(f, "policy:{name}"),
            Self::To(target) => fmt::Display::fmt(target, f),
            Self::Nobody => f.write_str("nobody"),
        }
    }
}

impl FromStr for RouteTarget {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word.split_once(':') {
            None if word == "nobody" => Ok(Self::Nobody),
            Some(("policy", name)) => Ok(Self::Policy(name.to_owned())),
            _ => match word.parse::<StepTarget>() {
                Ok(StepTarget::AllBefore) | Err(_) => Err(format!(
                    "`{word}` leads nowhere: write `policy:NAME`, a contact, `schedule:NAME`, `team:NAME`, `one-of:TEAM` or `nobody`"
                )),
                Ok(target) => Ok(Self::To(target)),
            },
        }
    }
}

text_form!(RouteTarget, "RouteTarget", {
    "type": "string",
    "pattern": "^((policy|schedule|team|one-of):)?[a-z0-9-]+$",
    "description": "`policy:NAME`, a contact, `schedule:NAME`, `team:NAME`, `one-of:TEAM` or `nobody`"
});

/// Incidents that another one explains: while it is open they do not page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dependency {
    /// What the timeline calls it.
    pub dependency: String,
    /// Template of the incident that explains.
    pub on: String,
    /// Which incidents it explains, where they are not more urgent than it is.
    pub hides: Selector,
    /// Tags that both must have with the same value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub same: Vec<String>,
}

/// Incidents that belong together page once, and those that join are told together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Grouping {
    /// What must be equal: `template`, or tags of the group such as `service`; `env` too.
    #[schemars(length(min = 1, max = 8))]
    pub by: Vec<String>,
    /// How long the first of a group waits for others before it pages. A P1 does not wait.
    #[serde(default = "wait", with = "text")]
    #[schemars(with = "shape::Duration")]
    pub wait: Span,
    /// How often those who joined are told.
    #[serde(default = "interval", with = "text")]
    #[schemars(with = "shape::Duration")]
    pub interval: Span,
    /// Up to so many are told by name; more are a digest of numbers.
    #[serde(default = "cap")]
    #[schemars(range(min = 1, max = 100))]
    pub cap: u32,
}

fn wait() -> Span {
    Span::from_secs(30)
}

fn interval() -> Span {
    Span::from_secs(5 * 60)
}

const fn cap() -> u32 {
    10
}
