//! `tenant:` — a customer, its tokens, its inventory and how it is evaluated.

use super::text::{self, shape, text_form};
use super::{Dependency, Grouping, Limits, RoutingRule};
use model::{Span, TenantId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The Kafka cluster of a tenant that names none.
pub const DEFAULT_CLUSTER: &str = "default";

/// A customer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tenant {
    /// Its id, part of its topic's name.
    #[serde(with = "text")]
    #[schemars(with = "shape::PlainId")]
    pub tenant: TenantId,
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// When somebody is on duty for it.
    #[serde(default)]
    pub contract: Contract,
    /// Partitions of its topic.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1000))]
    pub partitions: u32,
    /// Tokens with which its agents write; two at most, so that one can be rotated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 2))]
    pub tokens: Vec<Token>,
    /// Name of the escalation policy of its incidents.
    #[serde(default = "default_name")]
    pub escalation_policy: String,
    /// Where some of its incidents go instead; the first rule that fits holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub routing: Vec<RoutingRule>,
    /// Which incidents explain others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub dependencies: Vec<Dependency>,
    /// Which incidents belong together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grouping: Option<Grouping>,
    /// How its points are evaluated.
    #[serde(default)]
    pub evaluation: Evaluation,
    /// How long its points are kept, from an hour on; without it for ever. Buckets are made with it,
    /// and one that exists is left as it is.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "text::option"
    )]
    #[schemars(with = "Option<shape::Duration>")]
    pub retention: Option<Span>,
    /// Hosts that must report, the ones that never did included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inventory: Vec<String>,
    /// Name of its home Kafka cluster, as the configuration knows it.
    #[serde(default = "default_name", skip_serializing_if = "is_default_name")]
    pub cluster: String,
    /// Whether it may write nothing for the time being; what is stored stays.
    #[serde(default, skip_serializing_if = "is_false")]
    pub suspended: bool,
    /// Under which SCRAM mechanism its newest Kafka password is; an older one may be under the other. Kept by
    /// `bongsu tenant`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kafka_mechanism: Option<ScramMechanism>,
    /// What its agents may write.
    #[serde(default, skip_serializing_if = "Limits::is_default")]
    pub limits: Limits,
}

/// How a Kafka password is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ScramMechanism {
    /// SCRAM over SHA-256.
    #[serde(rename = "scram-sha-256")]
    Sha256,
    /// SCRAM over SHA-512.
    #[serde(rename = "scram-sha-512")]
    Sha512,
}

/// When somebody is on duty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum Contract {
    /// Always.
    #[default]
    #[serde(rename = "24x7")]
    Always,
    /// In office hours.
    #[serde(rename = "8x5")]
    OfficeHours,
}

/// A token, known by its hash only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// SHA-256 of the whole token text, 64 hexadecimal digits.
    pub sha256: Sha256,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A SHA-256, written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sha256(pub [u8; 32]);

text_form!(Sha256, "Sha256", {"type": "string", "pattern": "^[0-9a-fA-F]{64}$"});

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Sha256 {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| {
            "a SHA-256 is 64 hexadecimal digits (`bongsu tenant add` prints one)".to_owned()
        })?;
        Ok(Self(bytes))
    }
}

/// How a tenant's points are evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Evaluation {
    /// How long a partition may be quiet before a tick is written to it.
    #[serde(with = "text")]
    #[schemars(with = "shape::Duration")]
    pub tick: Span,
    /// How far a point may lie behind its host's newest one.
    #[serde(with = "text")]
    #[schemars(with = "shape::Duration")]
    pub lateness: Span,
}

impl Default for Evaluation {
    fn default() -> Self {
        Self {
            tick: Span::from_secs(10),
            lateness: Span::from_secs(30),
        }
    }
}

const fn one() -> u32 {
    1
}

fn default_name() -> String {
    DEFAULT_CLUSTER.to_owned()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it so")]
fn is_false(flag: &bool) -> bool {
    !flag
}

fn is_default_name(name: &str) -> bool {
    name == DEFAULT_CLUSTER
}
