//! `contact:` and `escalation_policy:` — whom to tell, how, and who is next.

use super::text::{self, shape};
use super::{PerPriority, RoomTarget, StepTarget};
use model::{Priority, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A person who is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    /// The contact's id.
    pub contact: String,
    /// What the person is called.
    pub name: String,
    /// The language of what is sent.
    #[serde(default)]
    pub language: Language,
    /// Member id in Slack, such as `U02ABCDEF`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slack: Option<String>,
    /// Id of the person's chat with the bot of Telegram, such as `123456789`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[1-9][0-9]{0,15}$"))]
    pub telegram: Option<String>,
    /// Phone number in E.164, such as `+821012345678`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^\+[1-9][0-9]{6,14}$"))]
    pub phone: Option<String>,
    /// E-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// How pages of each priority reach the person, instead of the channels of the policy. What comes later is sent as long as
    /// nobody has the incident; the next step of the policy does not cancel it.
    #[serde(default, skip_serializing_if = "PerPriority::is_empty")]
    pub rules: PerPriority<Vec<ContactRule>>,
}

/// By which channels a person is told, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ContactRule {
    /// The channels.
    #[schemars(length(min = 1))]
    pub by: Vec<ChannelKind>,
    /// The time after the page; left out for the first, which is sent at once.
    #[serde(
        default,
        with = "text::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<shape::Duration>")]
    pub after: Option<Span>,
}

/// A language of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Korean.
    Ko,
    /// English.
    #[default]
    En,
}

/// Who is told first, and who when nobody acknowledges.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EscalationPolicy {
    /// The policy's name.
    pub escalation_policy: String,
    /// How long a step waits for an acknowledgement where it does not say itself.
    #[serde(default)]
    pub acknowledge_within: AcknowledgeWithin,
    /// How a page of each priority is sent.
    #[serde(default)]
    pub channels: Channels,
    /// The chat room (a Slack channel id) that sees every incident of the policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat: Option<String>,
    /// Places of the notifier's configuration that see every incident of the policy too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub rooms: Vec<RoomTarget>,
    /// The steps in their order.
    #[schemars(length(min = 1, max = 20))]
    pub steps: Vec<Step>,
    /// How often the steps begin again after the last one.
    #[serde(default)]
    #[schemars(range(max = 20))]
    pub repeat: u8,
    /// What ends it.
    #[serde(default, skip_serializing_if = "Ends::is_acknowledged")]
    pub ends: Ends,
}

/// What ends a policy's run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Ends {
    /// Somebody takes the incident.
    #[default]
    Acknowledged,
    /// It is closed: also an acknowledged one goes on to the next step.
    Closed,
}

impl Ends {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
    fn is_acknowledged(&self) -> bool {
        *self == Self::Acknowledged
    }
}

/// One step of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Who is told.
    #[schemars(length(min = 1))]
    pub notify: Vec<StepTarget>,
    /// The time after the previous step; left out: `acknowledge_within` of the priority.
    #[serde(
        default,
        with = "text::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<shape::Duration>")]
    pub after: Option<Span>,
    /// By these channels; left out: those of the priority.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<ChannelKind>,
}

/// How long each priority may stay without an acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AcknowledgeWithin {
    /// Of P1.
    #[serde(rename = "P1", with = "text::option")]
    #[schemars(with = "Option<shape::Duration>")]
    pub p1: Option<Span>,
    /// Of P2.
    #[serde(rename = "P2", with = "text::option")]
    #[schemars(with = "Option<shape::Duration>")]
    pub p2: Option<Span>,
    /// Of P3; none: a P3 does not escalate.
    #[serde(
        rename = "P3",
        with = "text::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<shape::Duration>")]
    pub p3: Option<Span>,
}

impl Default for AcknowledgeWithin {
    fn default() -> Self {
        Self {
            p1: Some(Span::from_secs(15 * 60)),
            p2: Some(Span::from_secs(60 * 60)),
            p3: None,
        }
    }
}

/// A way to reach a person.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum ChannelKind {
    /// A chat message.
    Chat,
    /// A text message.
    Sms,
    /// A call that reads the incident out and takes a digit.
    Voice,
    /// An e-mail.
    Email,
    /// A message of KakaoTalk from a registered template.
    Alimtalk,
    /// A request to an address of one's own.
    Webhook,
    /// A room of Microsoft Teams.
    Teams,
    /// A message of a bot of Telegram.
    Telegram,
    /// A service of PagerDuty.
    Pagerduty,
    /// An integration of Opsgenie.
    Opsgenie,
}

/// How pages of each priority are sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Channels {
    /// Of P1.
    #[serde(rename = "P1")]
    pub p1: Vec<ChannelKind>,
    /// Of P2.
    #[serde(rename = "P2")]
    pub p2: Vec<ChannelKind>,
    /// Of P3.
    #[serde(rename = "P3")]
    pub p3: Vec<ChannelKind>,
}

impl Default for Channels {
    fn default() -> Self {
        Self {
            // The group's standard: a P1 by every way.
            p1: vec![
                ChannelKind::Chat,
                ChannelKind::Sms,
                ChannelKind::Voice,
                ChannelKind::Email,
            ],
            p2: vec![ChannelKind::Chat, ChannelKind::Sms],
            p3: vec![ChannelKind::Chat],
        }
    }
}

impl EscalationPolicy {
    /// How a page of that priority is sent.
    pub fn channels_of(&self, priority: Priority) -> &[ChannelKind] {
        match priority {
            Priority::P1 => &self.channels.p1,
            Priority::P2 => &self.channels.p2,
            Priority::P3 => &self.channels.p3,
        }
    }

    /// How long after the previous step `step` (from 0) begins for an incident of that priority;
    /// none when it never does. The first step begins at once.
    pub fn step_after(&self, step: usize, priority: Priority) -> Option<Span> {
        let wanted = self.steps.get(step)?;
        let within = match priority {
            Priority::P1 => self.acknowledge_within.p1,
            Priority::P2 => self.acknowledge_within.p2,
            Priority::P3 => self.acknowledge_within.p3,
        };
        match (step, wanted.after) {
            (_, Some(after)) => Some(after),
            (0, None) => Some(Span::ZERO),
            (_, None) => within,
        }
    }
}
