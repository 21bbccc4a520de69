//! A place that a policy tells beside people: a webhook, a room of a chat.

use super::people::ChannelKind;
use super::text::text_form;
use std::fmt;
use std::str::FromStr;

/// A channel and the name that the notifier's configuration gives the place, written as one word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomTarget {
    /// `webhook`, `teams`, `telegram`, `pagerduty` or `opsgenie`.
    pub channel: ChannelKind,
    /// Its name there.
    pub name: String,
}

/// The words before the colon.
const KINDS: [(&str, ChannelKind); 5] = [
    ("webhook", ChannelKind::Webhook),
    ("teams", ChannelKind::Teams),
    ("telegram", ChannelKind::Telegram),
    ("pagerduty", ChannelKind::Pagerduty),
    ("opsgenie", ChannelKind::Opsgenie),
];

impl fmt::Display for RoomTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = KINDS.iter().find(|(_, channel)| *channel == self.channel);
        write!(
            f,
            "{}:{}",
            kind.map_or("webhook", |(word, _)| word),
            self.name
        )
    }
}

impl FromStr for RoomTarget {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let found = word.split_once(':').and_then(|(kind, name)| {
            let (_, channel) = KINDS.iter().find(|(word, _)| *word == kind)?;
            Some((*channel, name))
        });
        let Some((channel, name)) = found else {
            let forms = KINDS.map(|(word, _)| format!("`{word}:NAME`")).join(", ");
            return Err(format!("`{word}` is no room: write one of {forms}"));
        };
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.is_empty() || !name.bytes().all(plain) {
            return Err(format!(
                "`{name}` is no name of the notifier's configuration: small letters, digits and `-`"
            ));
        }
        Ok(Self {
            channel,
            name: name.to_owned(),
        })
    }
}

text_form!(RoomTarget, "RoomTarget", {
    "type": "string",
    "pattern": "^(webhook|teams|telegram|pagerduty|opsgenie):[a-z0-9-]+$",
    "description": "A kind of room and its name in the notifier's configuration, such as `webhook:itsm`"
});
