//! Single values between the program's types and the columns' few types.

use super::StoreError;
use crate::core::{Actor, ChannelKind, FollowUp, Language, Purpose, Recipient, Target};
use model::{InvalidName, Timestamp};
use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::any::AnyRow;

/// A row of a table, whose errors name the table.
pub(super) struct Cells<'r> {
    pub(super) table: &'static str,
    pub(super) row: &'r AnyRow,
}

impl Cells<'_> {
    pub(super) fn text(&self, column: &str) -> Result<String, StoreError> {
        Ok(self.row.try_get(column)?)
    }

    pub(super) fn text_or_none(&self, column: &str) -> Result<Option<String>, StoreError> {
        Ok(self.row.try_get(column)?)
    }

    pub(super) fn float_or_none(&self, column: &str) -> Result<Option<f64>, StoreError> {
        Ok(self.row.try_get(column)?)
    }

    pub(super) fn int(&self, column: &str) -> Result<i64, StoreError> {
        Ok(self.row.try_get(column)?)
    }

    pub(super) fn int_or_none(&self, column: &str) -> Result<Option<i64>, StoreError> {
        Ok(self.row.try_get(column)?)
    }

    pub(super) fn count(&self, column: &str) -> Result<u64, StoreError> {
        let value = self.int(column)?;
        u64::try_from(value).map_err(|_| self.wrong(format!("{column} is {value}")))
    }

    pub(super) fn small(&self, column: &str) -> Result<u32, StoreError> {
        let value = self.int(column)?;
        u32::try_from(value).map_err(|_| self.wrong(format!("{column} is {value}")))
    }

    pub(super) fn truth(&self, column: &str) -> Result<bool, StoreError> {
        Ok(self.int(column)? != 0)
    }

    pub(super) fn time(&self, column: &str) -> Result<Timestamp, StoreError> {
        Ok(Timestamp::from_nanos(self.int(column)?))
    }

    pub(super) fn time_or_none(&self, column: &str) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.int_or_none(column)?.map(Timestamp::from_nanos))
    }

    pub(super) fn named<T>(
        &self,
        column: &str,
        parse: impl FnOnce(&str) -> Result<T, InvalidName>,
    ) -> Result<T, StoreError> {
        parse(&self.text(column)?).map_err(|error| self.wrong(error.to_string()))
    }

    pub(super) fn json<T: serde::de::DeserializeOwned>(
        &self,
        column: &str,
    ) -> Result<T, StoreError> {
        serde_json::from_str(&self.text(column)?)
            .map_err(|error| self.wrong(format!("{column}: {error}")))
    }

    /// Somebody in two columns; none when the name is none.
    pub(super) fn actor(&self, name: &str, contact: &str) -> Result<Option<Actor>, StoreError> {
        let name = self.text_or_none(name)?;
        let contact = self.text_or_none(contact)?;
        Ok(name.map(|name| Actor { name, contact }))
    }

    pub(super) fn recipient(&self) -> Result<Recipient, StoreError> {
        Ok(Recipient {
            contact: self.text_or_none("contact")?,
            name: self.text("name")?,
            language: self.named("language", Language::parse)?,
            address: self.text("address")?,
        })
    }

    pub(super) fn wrong(&self, reason: String) -> StoreError {
        StoreError::Row {
            table: self.table,
            reason,
        }
    }
}

/// The column of who is told next.
pub(super) fn target_column(target: Option<Target>) -> Option<i64> {
    target.map(|target| match target {
        Target::Step(position) => i64::from(position),
        Target::Everyone => -1,
    })
}

pub(super) fn target_of(column: Option<i64>) -> Option<Target> {
    column.map(|value| u32::try_from(value).map_or(Target::Everyone, Target::Step))
}

/// Counters go up from 0 by one; they do not reach the end of a BIGINT.
pub(super) fn counter(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Who is called by name in a room, as JSON.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MentionJson {
    contact: Option<String>,
    name: String,
    language: String,
    address: String,
}

impl From<&Recipient> for MentionJson {
    fn from(recipient: &Recipient) -> Self {
        Self {
            contact: recipient.contact.clone(),
            name: recipient.name.clone(),
            language: recipient.language.as_str().to_owned(),
            address: recipient.address.clone(),
        }
    }
}

impl TryFrom<MentionJson> for Recipient {
    type Error = InvalidName;

    fn try_from(json: MentionJson) -> Result<Self, InvalidName> {
        Ok(Self {
            contact: json.contact,
            name: json.name,
            language: Language::parse(&json.language)?,
            address: json.address,
        })
    }
}

/// A message of a person's own rules that is still to come, as JSON.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FollowUpJson {
    at: i64,
    contact: String,
    channel: String,
    purpose: String,
    held: bool,
}

impl From<&FollowUp> for FollowUpJson {
    fn from(follow_up: &FollowUp) -> Self {
        Self {
            at: follow_up.at.as_nanos(),
            contact: follow_up.contact.clone(),
            channel: follow_up.channel.as_str().to_owned(),
            purpose: follow_up.purpose.as_str().to_owned(),
            held: follow_up.held,
        }
    }
}

impl TryFrom<FollowUpJson> for FollowUp {
    type Error = InvalidName;

    fn try_from(json: FollowUpJson) -> Result<Self, InvalidName> {
        Ok(Self {
            at: Timestamp::from_nanos(json.at),
            contact: json.contact,
            channel: ChannelKind::parse(&json.channel)?,
            purpose: Purpose::parse(&json.purpose)?,
            held: json.held,
        })
    }
}
