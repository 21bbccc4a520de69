//! Configuration of what keeps the notifier from falling silent: its watch, its heartbeat, break-glass.

use model::Span;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The watch over blindness.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Watch {
    /// A tenant that no evaluator says is evaluated up to the present for so long, or a cluster that cannot be reached
    /// for so long, is a P1 of its own. At least twice the evaluators' `caught_up_every`.
    #[serde(with = "runtime::config::span")]
    pub blind_after: Span,
}

/// A sign of life to a dead-man's switch outside: a service that alarms when it hears nothing.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {
    /// File with the address that is called by POST, which often holds a secret.
    pub url_file: PathBuf,
    /// How often it is called, while the notifier's auditor and its watch are content.
    #[serde(default = "every", with = "runtime::config::span")]
    pub every: Span,
}

/// Whom a P1 goes to while the store of incidents does not answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BreakGlass {
    /// File on this machine with the contacts, each a document as in the catalogue (`contact: ...`). They are told by every
    /// personal channel that they have an address for and that has a provider.
    pub contacts_file: PathBuf,
    /// How long the store may be gone before.
    #[serde(default = "after", with = "runtime::config::span")]
    pub after: Span,
}

fn every() -> Span {
    Span::from_secs(30)
}

fn after() -> Span {
    Span::from_secs(10)
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            blind_after: Span::from_secs(120),
        }
    }
}

impl super::Config {
    /// What is wrong with these values, as a sentence.
    pub(super) fn check_vigil(&self) -> Result<(), String> {
        let least = Span::from_secs(10);
        if self.watch.blind_after < least {
            return Err(format!("`watch.blind_after` must be at least {least}"));
        }
        let beat = self.heartbeat.as_ref();
        if beat.is_some_and(|beat| beat.every < Span::from_secs(1)) {
            return Err("`heartbeat.every` must be at least 1s".to_owned());
        }
        let glass = self.break_glass.as_ref();
        if glass.is_some_and(|glass| glass.after < Span::from_secs(1)) {
            return Err("`break_glass.after` must be at least 1s".to_owned());
        }
        Ok(())
    }
}
