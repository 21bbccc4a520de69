//! Small words of this service: channels, languages, states, actors.

use model::InvalidName;
use std::fmt;

/// A word that is none of its kind.
pub(super) fn not_a(kind: &'static str, given: &str, rule: &'static str) -> InvalidName {
    InvalidName {
        kind,
        given: given.chars().take(80).collect(),
        rule,
    }
}

macro_rules! word {
    (
        $(#[$doc:meta])* $name:ident, $kind:literal {
            $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)?
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$vdoc])* $variant),+
        }

        impl $name {
            /// All, in the order of their declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word in the store, in the API and on the screen.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// Reads the word.
            pub fn parse(s: &str) -> Result<Self, InvalidName> {
                match s {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(not_a($kind, s, concat!("one of", $(" ", $text),+))),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

pub(super) use word;

word! {
    /// How people are reached.
    ChannelKind, "channel" {
        /// A room or direct message that can be updated and answered.
        Chat = "chat",
        /// A text message to a phone.
        Sms = "sms",
        /// A call that reads the incident out and takes a digit.
        Voice = "voice",
        /// An e-mail.
        Email = "email",
        /// A message of KakaoTalk from a registered template.
        Alimtalk = "alimtalk",
        /// A request to an address of one's own.
        Webhook = "webhook",
        /// A room of Microsoft Teams.
        Teams = "teams",
        /// A message of a bot of Telegram.
        Telegram = "telegram",
        /// A service of PagerDuty.
        Pagerduty = "pagerduty",
        /// An integration of Opsgenie.
        Opsgenie = "opsgenie",
    }
}

impl ChannelKind {
    /// Whether a message stays where it was sent and is changed there, so that whoever has it also
    /// sees that somebody took the incident.
    pub const fn is_kept_up_to_date(self) -> bool {
        matches!(self, Self::Chat | Self::Telegram)
    }
}

word! {
    /// The languages that messages are written in.
    Language, "language" {
        /// English.
        En = "en",
        /// Korean.
        Ko = "ko",
    }
}

word! {
    /// Where an incident is in its life.
    Status, "status" {
        /// Nobody has it yet.
        Open = "open",
        /// Somebody has it.
        Acknowledged = "acknowledged",
        /// It is over, or was declared so.
        Closed = "closed",
    }
}

word! {
    /// Through what a person acted.
    Via, "way" {
        /// The HTTP API.
        Api = "api",
        /// The console in the browser.
        Console = "console",
        /// A button in a chat message.
        Chat = "chat",
        /// The link in a message.
        Link = "link",
        /// A digit in a call.
        Voice = "voice",
        /// A text message that was sent back.
        Sms = "sms",
        /// The command line.
        Cli = "cli",
    }
}

word! {
    /// What became of a delivery so far.
    Fate, "fate" {
        /// It waits for its turn.
        Queued = "queued",
        /// A sender has it.
        Sending = "sending",
        /// The provider took it.
        Accepted = "accepted",
        /// It is where it was to go.
        Delivered = "delivered",
        /// The recipient has seen it.
        Read = "read",
        /// The recipient acted on it.
        Answered = "answered",
        /// It was refused, or given up.
        Failed = "failed",
        /// It may or may not have arrived, and is not sent again.
        Unknown = "unknown",
    }
}

/// Who acted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Actor {
    /// What the timeline shows.
    pub name: String,
    /// The contact of the catalogue, where it is known which one.
    pub contact: Option<String>,
}
