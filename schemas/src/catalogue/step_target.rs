//! Whom a step of an escalation policy names: a contact, or who is found at the time of the page.

use super::text::text_form;
use std::fmt;
use std::str::FromStr;

/// Whom a step tells, written as one word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepTarget {
    /// `kim`: that contact.
    Contact(String),
    /// `schedule:noc`: who is on call in it at that time.
    Schedule(String),
    /// `team:dba`: everybody in it.
    Team(String),
    /// `one-of:dba`: one of the team, never the same twice running within an incident.
    OneOf(String),
    /// `all-before`: everybody whom the steps before have told.
    AllBefore,
}

impl fmt::Display for StepTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Contact(name) => f.write_str(name),
            Self::Schedule(name) => write!(f, "schedule:{name}"),
            Self::Team(name) => write!(f, "team:{name}"),
            Self::OneOf(name) => write!(f, "one-of:{name}"),
            Self::AllBefore => f.write_str("all-before"),
        }
    }
}

impl FromStr for StepTarget {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word.split_once(':') {
            None if word == "all-before" => Ok(Self::AllBefore),
            None => Ok(Self::Contact(word.to_owned())),
            Some(("schedule", name)) => Ok(Self::Schedule(name.to_owned())),
            Some(("team", name)) => Ok(Self::Team(name.to_owned())),
            Some(("one-of", name)) => Ok(Self::OneOf(name.to_owned())),
            Some((kind, _)) => Err(format!(
                "`{kind}:` is nobody: write a contact, `schedule:NAME`, `team:NAME`, `one-of:TEAM` or `all-before`"
            )),
        }
    }
}

text_form!(StepTarget, "StepTarget", {
    "type": "string",
    "pattern": "^((schedule|team|one-of):)?[a-z0-9-]+$",
    "description": "a contact, `schedule:NAME`, `team:NAME`, `one-of:TEAM` or `all-before`"
});
