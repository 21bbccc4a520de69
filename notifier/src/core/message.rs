//! What is said to a person or room, and what a provider answers.

use super::hold::Hold;
use super::words::{Actor, ChannelKind, Language, Status, not_a};
use model::{IncidentId, InvalidName, Priority, Span, TenantId, Timestamp};
use std::fmt;
use xxhash_rust::xxh3::xxh3_128;

/// Identity of one delivery: a function of what is said to whom, so that deciding the same again is
/// no second delivery. It is our reference at providers that take one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeliveryId([u8; 16]);

impl DeliveryId {
    /// The delivery that change `revision` of `incident` decided for `address` on `channel`.
    pub fn of(
        incident: IncidentId,
        revision: u64,
        purpose: Purpose,
        channel: ChannelKind,
        address: &str,
    ) -> Self {
        let mut bytes = Vec::with_capacity(96);
        bytes.extend_from_slice(&incident.to_bytes());
        bytes.extend_from_slice(&revision.to_le_bytes());
        for part in [purpose.as_str(), channel.as_str(), address] {
            bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        Self(xxh3_128(&bytes).to_be_bytes())
    }

    /// Reads 32 hexadecimal digits.
    pub fn parse(s: &str) -> Result<Self, InvalidName> {
        // The form is that of the other ids; only the meaning differs.
        Ok(Self(IncidentId::parse(s)?.to_bytes()))
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a message is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Purpose {
    /// The condition holds: act.
    Firing,
    /// It fires again, or was closed by hand and still fires: act.
    Reopened,
    /// The priority went up: act.
    Raised,
    /// Those who were told before have not acknowledged: act.
    Escalated,
    /// The policy ran out and nobody has acknowledged; goes to everyone in it.
    RanOut,
    /// The acknowledgement ran out: its owner is asked whether they still work on it.
    AckRanOut,
    /// Somebody gave it to this person: act.
    Assigned,
    /// The time that it was put off for is over: act.
    SnoozeOver,
    /// Others joined its group.
    Digest,
    /// Somebody has it.
    Acknowledged,
    /// Closed by hand.
    Closed,
    /// The condition is over.
    Resolved,
    /// Nothing was heard for so long that it was closed without a recovery.
    Expired,
    /// A person wrote a comment; chat only.
    Comment,
    /// Something for one person that is about no incident: a test, a code, a hand-over.
    Notice,
}

impl Purpose {
    /// All, in the order of their declaration.
    pub const ALL: [Self; 15] = [
        Self::Firing,
        Self::Reopened,
        Self::Raised,
        Self::Escalated,
        Self::RanOut,
        Self::AckRanOut,
        Self::Assigned,
        Self::SnoozeOver,
        Self::Digest,
        Self::Acknowledged,
        Self::Closed,
        Self::Resolved,
        Self::Expired,
        Self::Comment,
        Self::Notice,
    ];

    /// The word in the store and on the screen.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Reopened => "reopened",
            Self::Raised => "raised",
            Self::Escalated => "escalated",
            Self::RanOut => "ran_out",
            Self::AckRanOut => "ack_ran_out",
            Self::Assigned => "assigned",
            Self::SnoozeOver => "snooze_over",
            Self::Digest => "digest",
            Self::Acknowledged => "acknowledged",
            Self::Closed => "closed",
            Self::Resolved => "resolved",
            Self::Expired => "expired",
            Self::Comment => "comment",
            Self::Notice => "notice",
        }
    }

    /// Reads the word.
    pub fn parse(s: &str) -> Result<Self, InvalidName> {
        Self::ALL
            .into_iter()
            .find(|purpose| purpose.as_str() == s)
            .ok_or_else(|| not_a("purpose", s, "the name of a purpose"))
    }

    /// Whether it asks somebody to act. Who hears one of these hears of the end.
    pub const fn is_page(self) -> bool {
        match self {
            Self::Firing
            | Self::Reopened
            | Self::Raised
            | Self::Escalated
            | Self::RanOut
            | Self::AckRanOut
            | Self::Assigned
            | Self::SnoozeOver => true,
            Self::Digest
            | Self::Acknowledged
            | Self::Closed
            | Self::Resolved
            | Self::Expired
            | Self::Comment
            | Self::Notice => false,
        }
    }
}

/// Whom a message goes to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Recipient {
    /// Name of the contact in the catalogue; none for a room.
    pub contact: Option<String>,
    /// What people call them: the person's name, or the room.
    pub name: String,
    /// The language that they read.
    pub language: Language,
    /// Where the channel reaches them: a room or member id, a phone number in E.164.
    pub address: String,
}

/// What a provider calls a message that it took, in the provider's own form.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ProviderRef(pub String);

/// An incident as messages and screens show it.
#[derive(Debug, Clone, PartialEq)]
pub struct IncidentSummary {
    /// Its id.
    pub id: IncidentId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Name of the template that decided it.
    pub template: String,
    /// What it is about: tags, sorted by key.
    pub group: Vec<(String, String)>,
    /// Environment of the host, where known.
    pub env: Option<String>,
    /// How urgent it is now; when it is over, how urgent it was last.
    pub priority: Priority,
    /// Where it is in its life.
    pub status: Status,
    /// Whether its condition still holds.
    pub firing: bool,
    /// One line, English.
    pub title: String,
    /// One line, Korean, where the template has it.
    pub title_ko: Option<String>,
    /// Why, in one sentence.
    pub why: String,
    /// The latest value.
    pub value: Option<f64>,
    /// The threshold that it was held against.
    pub threshold: Option<f64>,
    /// Unit of both; empty when the template names none.
    pub unit: String,
    /// What to do about it, where the template links to it.
    pub runbook: Option<String>,
    /// Event time of the first firing.
    pub started_at: Timestamp,
    /// When it was opened here, the last time.
    pub opened_at: Timestamp,
    /// Who has it, and since when.
    pub acknowledged: Option<(Actor, Timestamp)>,
    /// When it was closed, and by whom; no actor when it closed by itself.
    pub closed: Option<(Option<Actor>, Timestamp)>,
    /// When escalation goes on by itself: open, when the next step is told unless somebody
    /// acknowledges; acknowledged, when the acknowledgement runs out. None when nothing is due.
    pub due: Option<Timestamp>,
    /// Closed by hand until its condition is over: it does not reopen after 10 minutes.
    pub until_resolved: bool,
    /// Whom somebody gave it to.
    pub assigned: Option<Actor>,
    /// What holds it back: it is open and does not page.
    pub hold: Option<Hold>,
    /// Counts every change; a screen that has a higher one is newer.
    pub revision: u64,
}

impl IncidentSummary {
    /// The `host` of its group; empty when the group has none.
    pub fn host(&self) -> &str {
        self.group
            .iter()
            .find(|(key, _)| key == "host")
            .map_or("", |(_, value)| value)
    }

    /// The title in the language where there is one, else in English.
    pub fn title_in(&self, language: Language) -> &str {
        match (language, &self.title_ko) {
            (Language::Ko, Some(title)) => title,
            _ => &self.title,
        }
    }
}

/// One message to one recipient over one channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Its stable identity, and our reference at the provider.
    pub delivery: DeliveryId,
    /// Why it is sent.
    pub purpose: Purpose,
    /// The incident as it is when the message is sent.
    pub incident: IncidentSummary,
    /// Whom it goes to.
    pub recipient: Recipient,
    /// In a room: who is to act, by what the provider knows them (member ids), or by name.
    pub mentions: Vec<Recipient>,
    /// In a room: the first message about this incident there, which this one updates and follows.
    pub thread: Option<ProviderRef>,
    /// An earlier attempt may have arrived; the text must say so.
    pub possible_repeat: bool,
    /// What a person wrote, or what happened, where the purpose alone does not say it.
    pub note: Option<String>,
    /// A page that acknowledges on POST; for channels without buttons.
    pub ack_url: String,
    /// The incident in the console.
    pub incident_url: String,
}

impl Message {
    /// What it is about, in one line: the incident's title; of a notice, what is to be said.
    pub fn title(&self) -> &str {
        match (self.purpose, &self.note) {
            (Purpose::Notice, Some(said)) => said,
            _ => self.incident.title_in(self.recipient.language),
        }
    }

    /// What a person wrote, or what happened, besides what it is about.
    pub fn remark(&self) -> Option<&str> {
        self.note
            .as_deref()
            .filter(|_| self.purpose != Purpose::Notice)
    }
}

/// What became of an attempt to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The provider took it and will try.
    Accepted {
        /// What the provider calls it.
        reference: ProviderRef,
    },
    /// It is where it was to go.
    Delivered {
        /// What the provider calls it.
        reference: ProviderRef,
    },
    /// It will never be taken like this: bad number, unknown room, revoked token.
    Refused {
        /// What the provider said.
        reason: String,
    },
    /// It was certainly not taken, and may be later: 429, 5xx before anything was done, no
    /// connection.
    Retry {
        /// What the provider asked us to wait.
        after: Option<Span>,
        /// What it said.
        reason: String,
    },
    /// It may or may not have been taken: the answer was lost or made no sense.
    Unknown {
        /// What happened.
        reason: String,
    },
}

/// What a provider knows of a delivery, asked by our reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// It has it.
    Accepted {
        /// What the provider calls it.
        reference: ProviderRef,
    },
    /// It was delivered.
    Delivered {
        /// What the provider calls it.
        reference: ProviderRef,
    },
    /// The provider has it and could not deliver it.
    Refused {
        /// What the provider said.
        reason: String,
    },
    /// The provider is sure that it never got it.
    NeverSent,
    /// This provider cannot say.
    CannotTell {
        /// Why not.
        reason: String,
    },
    /// The provider could not be asked; try again.
    Retry {
        /// What happened.
        reason: String,
    },
}
