//! A place that a policy tells beside people: a webhook, a room of a chat.

use super::people::ChannelKind;
use super::text::text_form;
use std::fmt;
use std::str::FromStr;

/// A channel and the name that the notifier's configuration gives the place, written as one word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomTarget {
    /// `webhook` or `teams`.
    pub channel: ChannelKind,
    /// Its name there.
    pub name: String,
}

impl fmt::Display for RoomTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.channel {
            ChannelKind::Teams => "teams",
            _ => "webhook",
        };
        write!(f, "{kind}:{}", self.name)
    }
}

impl FromStr for RoomTarget {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let (channel, name) = match word.split_once(':') {
            Some(("webhook", name)) => (ChannelKind::Webhook, name),
            Some(("teams", name)) => (ChannelKind::Teams, name),
            _ => {
                return Err(format!(
                    "`{word}` is no room: write `webhook:NAME` or `teams:NAME`"
                ));
            }
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
    "pattern": "^(webhook|teams):[a-z0-9-]+$",
    "description": "`webhook:NAME` or `teams:NAME`"
});
