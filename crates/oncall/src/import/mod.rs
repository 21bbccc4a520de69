//! People, schedules and policies of Grafana OnCall, Opsgenie and GoAlert as entries of the catalogue, from what their APIs
//! give out, with what could not be taken over and why.

mod book;
mod export;
mod goalert;
mod grafana;
mod hours;
mod opsgenie;

use book::Book;
use export::Export;
use schemas::catalogue::{Catalogue, Entry, check_catalogue};

/// The systems that can be moved from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Grafana OnCall's HTTP API.
    GrafanaOncall,
    /// Opsgenie's REST API.
    Opsgenie,
    /// GoAlert's GraphQL API.
    Goalert,
}

/// What came of an import.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// The entries: contacts, teams, schedules, policies, in this order.
    pub entries: Vec<Entry>,
    /// What is another than it was, or is not there any more.
    pub notes: Vec<Note>,
}

/// Something that was not taken over as it was.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    /// Of what: `schedule Primary, rotation Nights`.
    pub what: String,
    /// What is so, and why.
    pub why: String,
    /// It is missing now; else it is there in another form.
    pub lost: bool,
}

/// Why a file cannot be imported at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// It is no JSON.
    #[error("this is no JSON: {0}")]
    Json(String),
    /// It holds nothing of what is looked for.
    #[error("none of {expected} is in it")]
    Nothing {
        /// The keys that are looked for.
        expected: &'static str,
    },
    /// A fault of the import: what came out is no catalogue.
    #[error("what came out is no catalogue: {0}")]
    Flawed(String),
}

impl Imported {
    /// The entries as a catalogue file.
    pub fn yaml(&self) -> String {
        let text = |entry: &Entry| match entry {
            Entry::Contact(one) => serde_saphyr::to_string(one),
            Entry::Team(one) => serde_saphyr::to_string(one),
            Entry::Schedule(one) => serde_saphyr::to_string(one),
            Entry::EscalationPolicy(one) => serde_saphyr::to_string(one),
            // An import makes no other kinds.
            _ => Ok(String::new()),
        };
        let texts: Vec<String> = self
            .entries
            .iter()
            .filter_map(|entry| text(entry).ok())
            .collect();
        texts.join("---\n")
    }
}

/// Imports what a file holds.
pub fn import(origin: Origin, text: &str) -> Result<Imported, ImportError> {
    let export = Export::read(text)?;
    let mut book = Book::default();
    match origin {
        Origin::GrafanaOncall => grafana::read(&export, &mut book)?,
        Origin::Opsgenie => opsgenie::read(&export, &mut book)?,
        Origin::Goalert => goalert::read(&export, &mut book)?,
    }
    let imported = book.finished();
    let mut catalogue = Catalogue::default();
    for entry in &imported.entries {
        catalogue.insert(entry.clone());
    }
    match check_catalogue(&catalogue).first() {
        Some(flaw) => Err(ImportError::Flawed(format!("{flaw:?}"))),
        None => Ok(imported),
    }
}
