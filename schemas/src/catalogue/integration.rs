//! `integration:` — what another system sends alerts with: its tenant, its format, its key.

use super::check::Flaws;
use super::tenant::Token;
use super::text::{self, shape};
use model::{Span, TenantId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The least and the most that a heartbeat may be apart.
const HEARTBEAT: std::ops::RangeInclusive<Span> =
    Span::from_secs(30)..=Span::from_secs(31 * 24 * 3600);

/// Bytes of a mapping.
const MAPPING: usize = 32 << 10;

/// A way for another system's alerts to come in. The tenant is this declaration's, whatever the alerts say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Integration {
    /// Its name.
    pub integration: String,
    /// Whose alerts they are.
    #[serde(with = "text")]
    #[schemars(with = "shape::PlainId")]
    pub tenant: TenantId,
    /// What it sends.
    pub format: IntegrationFormat,
    /// Keys, known by their hash; two at most, so that one can be rotated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 2))]
    pub tokens: Vec<Token>,
    /// A heartbeat must come at least this often.
    #[serde(
        default,
        with = "text::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<shape::Duration>")]
    pub every: Option<Span>,
    /// A webhook is read by this template (minijinja): it sees `body` and makes the JSON of one event of the standard
    /// integration, of a list of them, or nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32768))]
    pub mapping: Option<String>,
}

/// What an integration sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum IntegrationFormat {
    /// Alertmanager's API v2: Prometheus itself, and `amtool`.
    Alertmanager,
    /// The webhook of an Alertmanager, version 4.
    AlertmanagerWebhook,
    /// PagerDuty's Events API v2.
    Pagerduty,
    /// The standard integration.
    Standard,
    /// A sign of life.
    Heartbeat,
    /// E-mail: its key is the address.
    Email,
    /// JSON of any form, read by a mapping.
    Webhook,
}

impl IntegrationFormat {
    /// All, in the order of their declaration.
    pub const ALL: [Self; 7] = [
        Self::Alertmanager,
        Self::AlertmanagerWebhook,
        Self::Pagerduty,
        Self::Standard,
        Self::Heartbeat,
        Self::Email,
        Self::Webhook,
    ];

    /// The word in files and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alertmanager => "alertmanager",
            Self::AlertmanagerWebhook => "alertmanager-webhook",
            Self::Pagerduty => "pagerduty",
            Self::Standard => "standard",
            Self::Heartbeat => "heartbeat",
            Self::Email => "email",
            Self::Webhook => "webhook",
        }
    }
}

pub(super) fn check_integration(integration: &Integration, flaws: &mut Flaws) {
    flaws.unless(
        integration.tokens.len() <= 2,
        "tokens",
        "an integration has two keys at most",
    );
    let mapped = integration.format == IntegrationFormat::Webhook;
    let fits = match &integration.mapping {
        Some(mapping) => mapped && (1..=MAPPING).contains(&mapping.len()),
        None => !mapped,
    };
    flaws.unless(
        fits,
        "mapping",
        "a webhook has a mapping of at most 32 KiB, and nothing else has one",
    );
    let beats = integration.format == IntegrationFormat::Heartbeat;
    let fits = match integration.every {
        Some(every) => beats && HEARTBEAT.contains(&every),
        None => !beats,
    };
    flaws.unless(
        fits,
        "every",
        "a heartbeat says how often it comes, 30s to 31d, and nothing else does",
    );
}
