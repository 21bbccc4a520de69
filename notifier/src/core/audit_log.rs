//! The audit log: entries that are only added, each bound to the one before by a hash.
//!
//! The hash of an entry is the SHA-256 of its number, the hash before it and its fields, each with its length in front. Who
//! changes, takes out or puts in an entry has to change every later hash; who noted a later hash elsewhere sees that.

use sha2::{Digest, Sha256};

/// The hash before the first entry.
pub const BEGINNING: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happened {
    /// When, RFC 3339.
    pub at: String,
    /// A word for machines: `acknowledged`, `page attempt`, `silence made`, `token made`, `sign-in`, `catalogue changed`, ...
    pub kind: String,
    /// Who did it.
    pub actor: String,
    /// How that is known, or through what they acted.
    pub via: String,
    /// Whose it is; none when it is about no tenant alone.
    pub tenant: Option<String>,
    /// What it was done to.
    pub subject: String,
    /// What was done, for people.
    pub detail: String,
}

/// An entry with its place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linked {
    /// Counts the entries from 1.
    pub number: u64,
    /// The hash of the entry before, 64 hexadecimal digits.
    pub before: String,
    /// Its own.
    pub hash: String,
    /// What happened.
    pub happened: Happened,
}

/// Where the log is broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Entries are missing, or were put in.
    #[error("entry {wanted} should follow, but {found} does: entries were taken out or put in")]
    Missing {
        /// The number that should follow.
        wanted: u64,
        /// The one that does.
        found: u64,
    },
    /// It does not follow the entry before.
    #[error("entry {0} does not follow the entry before it: one of both was changed")]
    Torn(u64),
    /// It is not what its hash was made of.
    #[error("entry {0} is not what it was when it was written")]
    Changed(u64),
    /// The log ends before an entry that is known to have been in it.
    #[error("the log ends at entry {ends}, but it had {known}: its end was cut off")]
    Cut {
        /// The last entry.
        ends: u64,
        /// One that is known.
        known: u64,
    },
    /// The entry of that number is another than the one that is known.
    #[error("entry {0} is another than the one whose hash was noted: the log was written anew")]
    Rewritten(u64),
}

/// The hash of an entry of that number behind another.
pub fn hash_of(number: u64, before: &str, happened: &Happened) -> String {
    let Happened {
        at,
        kind,
        actor,
        via,
        tenant,
        subject,
        detail,
    } = happened;
    let number = number.to_string();
    let mut hash = Sha256::new();
    let known = [&number, before, at, kind, actor, via];
    let has_tenant = if tenant.is_some() { "1" } else { "0" };
    let tenant = tenant.as_deref().unwrap_or_default();
    for field in known
        .into_iter()
        .chain([has_tenant, tenant, subject, detail])
    {
        hash.update((field.len() as u64).to_be_bytes());
        hash.update(field.as_bytes());
    }
    hex::encode(hash.finalize())
}

impl Linked {
    /// An entry of that number behind another.
    pub fn new(number: u64, before: &str, happened: Happened) -> Self {
        Self {
            number,
            before: before.to_owned(),
            hash: hash_of(number, before, &happened),
            happened,
        }
    }
}

/// A walk along the log that looks at every entry.
#[derive(Debug, Clone)]
pub struct Walk {
    number: u64,
    hash: String,
    known: Option<(u64, String)>,
}

impl Walk {
    /// From the beginning; `known` is an entry's number and hash that somebody noted.
    pub fn new(known: Option<(u64, String)>) -> Self {
        Self {
            number: 0,
            hash: BEGINNING.to_owned(),
            known,
        }
    }

    /// The next entry.
    pub fn take(&mut self, entry: &Linked) -> Result<(), Broken> {
        let (wanted, found) = (self.number + 1, entry.number);
        if found != wanted {
            return Err(Broken::Missing { wanted, found });
        }
        if entry.before != self.hash {
            return Err(Broken::Torn(found));
        }
        if entry.hash != hash_of(found, &entry.before, &entry.happened) {
            return Err(Broken::Changed(found));
        }
        if let Some((number, hash)) = &self.known
            && *number == found
            && *hash != entry.hash
        {
            return Err(Broken::Rewritten(found));
        }
        (self.number, self.hash) = (found, entry.hash.clone());
        Ok(())
    }

    /// How many entries there are, and the hash of the last, which a person may note.
    pub fn end(self) -> Result<(u64, String), Broken> {
        match self.known {
            Some((known, _)) if known > self.number => Err(Broken::Cut {
                ends: self.number,
                known,
            }),
            _ => Ok((self.number, self.hash)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(entries: u64) -> Vec<Linked> {
        let mut before = BEGINNING.to_owned();
        let entry = |number: u64| {
            let happened = Happened {
                at: format!("2026-11-21T18:00:{number:02}Z"),
                kind: "acknowledged".to_owned(),
                actor: "kim".to_owned(),
                via: "api".to_owned(),
                tenant: number.is_multiple_of(2).then(|| "acme".to_owned()),
                subject: number.to_string(),
                detail: String::new(),
            };
            let linked = Linked::new(number, &before, happened);
            before.clone_from(&linked.hash);
            linked
        };
        (1..=entries).map(entry).collect()
    }

    fn walked(log: &[Linked], known: Option<(u64, String)>) -> Result<(u64, String), Broken> {
        let mut walk = Walk::new(known);
        log.iter().try_for_each(|entry| walk.take(entry))?;
        walk.end()
    }

    #[test]
    fn a_whole_log_is_whole() {
        let log = log(5);
        assert_eq!(walked(&log, None), Ok((5, log[4].hash.clone())));
        assert_eq!(walked(&[], None), Ok((0, BEGINNING.to_owned())));
        for noted in [3, 5] {
            assert!(walked(&log, Some((noted, log[noted as usize - 1].hash.clone()))).is_ok());
        }
    }

    #[test]
    fn a_change_of_any_field_is_found_at_its_entry() {
        let changes: [fn(&mut Happened); 7] = [
            |h| h.at = "2026-11-21T18:00:04Z".to_owned(),
            |h| h.kind.push('x'),
            |h| h.actor = "lee".to_owned(),
            |h| h.via.clear(),
            |h| h.tenant = Some(String::new()),
            |h| h.subject = "33".to_owned(),
            |h| h.detail.push(' '),
        ];
        for change in changes {
            let mut log = log(5);
            change(&mut log[2].happened);
            assert_eq!(walked(&log, None), Err(Broken::Changed(3)));
            // With its hash made anew, the next one gives it away.
            log[2].hash = hash_of(3, &log[2].before, &log[2].happened);
            assert_eq!(walked(&log, None), Err(Broken::Torn(4)));
        }
    }

    #[test]
    fn what_moved_between_fields_is_a_change() {
        let mut log = log(2);
        log[1].happened.actor = "ki".to_owned();
        log[1].happened.via = "mapi".to_owned();
        assert_eq!(walked(&log, None), Err(Broken::Changed(2)));
    }

    #[test]
    fn an_entry_that_was_taken_out_an_end_cut_off_and_a_log_written_anew_are_found() {
        let whole = log(5);
        let mut log = whole.clone();
        log.remove(2);
        let missing = Broken::Missing {
            wanted: 3,
            found: 4,
        };
        assert_eq!(walked(&log, None), Err(missing));
        let head = Some((5, whole[4].hash.clone()));
        let cut = Broken::Cut { ends: 4, known: 5 };
        assert_eq!(walked(&whole[..4], head.clone()), Err(cut));
        let mut before = BEGINNING.to_owned();
        let anew: Vec<Linked> = whole
            .iter()
            .map(|entry| {
                let mut happened = entry.happened.clone();
                happened.actor = "nobody".to_owned();
                let linked = Linked::new(entry.number, &before, happened);
                before.clone_from(&linked.hash);
                linked
            })
            .collect();
        assert_eq!(walked(&anew, head), Err(Broken::Rewritten(5)));
    }
}
