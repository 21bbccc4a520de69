//! Rules of other systems as templates, as far as they can be said, and what could not with the
//! reason.

mod draft;
mod prometheus;
mod promql;
mod tick;

pub use prometheus::from_prometheus;
pub use tick::from_tickscript;

use draft::{Draft, merge_ladders};
use model::Span;

/// What became of a file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Imported {
    /// Templates, YAML.
    pub yaml: String,
    /// How many there are.
    pub templates: usize,
    /// What is said with a difference, each with its rule.
    pub notes: Vec<String>,
    /// What could not be said.
    pub refused: Vec<Refused>,
}

/// A rule that could not be said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its name.
    pub rule: String,
    /// Why.
    pub why: String,
}

/// The grid of a group that spans hosts: full minutes, or the one of a minute that is left out.
fn minutes(every: Option<String>, rule: &str, drafts: &mut Drafts) -> Option<String> {
    let every = every?;
    let minute = Span::from_secs(60).as_nanos();
    if Span::parse(&every).is_ok_and(|span| span.as_nanos() % minute == 0) {
        return Some(every);
    }
    let what = format!("judged every minute, not every {every}: it spans hosts");
    drafts.note(rule, &what);
    None
}

/// What was read so far.
#[derive(Debug, Default)]
struct Drafts {
    drafts: Vec<Draft>,
    notes: Vec<String>,
    refused: Vec<Refused>,
}

impl Drafts {
    fn refuse(&mut self, rule: &str, why: impl Into<String>) {
        self.refused.push(Refused {
            rule: rule.to_owned(),
            why: why.into(),
        });
    }

    fn note(&mut self, rule: &str, what: &str) {
        self.notes.push(format!("{rule}: {what}"));
    }

    /// Joins levels of the same check into one ladder, and keeps what the engine takes.
    fn finish(mut self) -> Imported {
        let mut imported = Imported::default();
        for draft in merge_ladders(std::mem::take(&mut self.drafts)) {
            let text = draft.yaml();
            let files = [(draft.name.clone(), text.clone())];
            let wrong = match super::Rules::read(&files, None) {
                Ok(rules) => rules.plan().err().unwrap_or_default(),
                Err(errors) => errors,
            };
            match wrong.first() {
                Some(error) => self.refuse(&draft.name, error.what.clone()),
                None => {
                    if imported.templates > 0 {
                        imported.yaml.push_str("---\n");
                    }
                    imported.yaml.push_str(&text);
                    imported.templates += 1;
                }
            }
        }
        imported.notes = self.notes;
        imported.refused = self.refused;
        imported
    }
}
