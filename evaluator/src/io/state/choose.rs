//! Which records of earlier owners a new owner begins with.
//!
//! Evaluation is deterministic, so of two records of a part the one with the higher input offset
//! has seen more and is right, whoever wrote it.
//!
//! The checkpoint is that of the highest epoch which has one. An owner writes its first checkpoint
//! only when every part is written under its own epoch, and only owners above it delete its keys,
//! and that behind a checkpoint of their own: so the parts beside this checkpoint are complete. A
//! checkpoint of a lower epoch may lie further, but the parts that it counts on may have been
//! deleted by an owner that never saw it. Beginning earlier costs a few records that are evaluated
//! again, with the same events; beginning too late loses what lies between.
//!
//! A part that only other epochs show, from before this checkpoint, has ended since.

use super::checkpoint::{self, Gone};
use super::key::StateKey;
use crate::core::RestoreError;
use bytes::Bytes;
use std::collections::{BTreeMap, HashMap};

/// Reads the input offset out of the core's bytes.
pub(crate) type OffsetOf = fn(&[u8]) -> Result<i64, RestoreError>;

/// What the records of an input say, applied in the order of the log.
#[derive(Debug)]
pub(crate) struct History {
    offset_of: OffsetOf,
    parts: HashMap<Bytes, BTreeMap<i64, Part>>,
    checkpoints: BTreeMap<i64, Checkpoint>,
    unreadable: Option<RestoreError>,
}

#[derive(Debug)]
struct Part {
    offset: i64,
    bytes: Bytes,
}

#[derive(Debug)]
struct Checkpoint {
    offset: i64,
    core: Bytes,
    gone: Gone,
}

/// What a new owner begins with.
#[derive(Debug, Default)]
pub(crate) struct Chosen {
    /// The core's checkpoint; none when there never was one.
    pub(crate) checkpoint: Option<Bytes>,
    /// The parts that live, by id.
    pub(crate) parts: BTreeMap<Bytes, Bytes>,
    /// Every key that earlier owners have left, to delete once the new owner has written all of its
    /// own.
    pub(crate) earlier: Vec<StateKey>,
}

impl History {
    /// No record yet.
    pub(crate) fn new(offset_of: OffsetOf) -> Self {
        Self {
            offset_of,
            parts: HashMap::new(),
            checkpoints: BTreeMap::new(),
            unreadable: None,
        }
    }

    /// Applies the next record. A tombstone counts for its own key only.
    pub(crate) fn apply(&mut self, key: StateKey, value: Option<&[u8]>) {
        let applied = match (key, value) {
            (StateKey::Claim, _) => Ok(()),
            (StateKey::Checkpoint { epoch }, None) => {
                self.checkpoints.remove(&epoch);
                Ok(())
            }
            (StateKey::Checkpoint { epoch }, Some(value)) => self.checkpoint(epoch, value),
            (StateKey::Part { epoch, id }, None) => {
                if let Some(epochs) = self.parts.get_mut(&id) {
                    epochs.remove(&epoch);
                }
                Ok(())
            }
            (StateKey::Part { epoch, id }, Some(value)) => self.part(epoch, id, value),
        };
        if let Err(error) = applied {
            self.unreadable.get_or_insert(error);
        }
    }

    fn part(&mut self, epoch: i64, id: Bytes, value: &[u8]) -> Result<(), RestoreError> {
        let offset = (self.offset_of)(value)?;
        let epochs = self.parts.entry(id).or_default();
        if epochs
            .get(&epoch)
            .is_none_or(|known| known.offset <= offset)
        {
            let bytes = Bytes::copy_from_slice(value);
            epochs.insert(epoch, Part { offset, bytes });
        }
        Ok(())
    }

    fn checkpoint(&mut self, epoch: i64, value: &[u8]) -> Result<(), RestoreError> {
        let (core, gone) = checkpoint::decode(Bytes::copy_from_slice(value)).ok_or_else(|| {
            RestoreError::Unreadable {
                part: "checkpoint".to_owned(),
                reason: "it is damaged, or a newer version wrote it".to_owned(),
            }
        })?;
        let offset = (self.offset_of)(&core)?;
        let known = self.checkpoints.get(&epoch);
        if known.is_none_or(|known| known.offset <= offset) {
            let next = Checkpoint { offset, core, gone };
            self.checkpoints.insert(epoch, next);
        }
        Ok(())
    }

    /// Decides. An error is a record that cannot be read: what it held must not be left out
    /// silently.
    pub(crate) fn choose(mut self) -> Result<Chosen, RestoreError> {
        let earlier = self.keys();
        if let Some(error) = self.unreadable {
            return Err(error);
        }
        let base = self.checkpoints.last_entry();
        let base = base.map(|entry| entry.remove_entry());
        // Beside the base a part is as the base says; elsewhere only what is ahead of the base can
        // live.
        let lives = |part: &Part, settled: bool| match &base {
            Some((_, base)) => settled || part.offset >= base.offset,
            None => true,
        };
        let mut chosen = Chosen::default();
        for (id, epochs) in self.parts {
            let settled = base.as_ref().is_some_and(|(epoch, checkpoint)| {
                epochs.contains_key(epoch) && !checkpoint.gone.contains(&id)
            });
            let living = epochs
                .into_iter()
                .filter(|(_, part)| lives(part, settled))
                .max_by_key(|(epoch, part)| (part.offset, *epoch));
            if let Some((_, part)) = living {
                chosen.parts.insert(id, part.bytes);
            }
        }
        chosen.checkpoint = base.map(|(_, checkpoint)| checkpoint.core);
        chosen.earlier = earlier;
        Ok(chosen)
    }

    fn keys(&self) -> Vec<StateKey> {
        let checkpoints = self.checkpoints.keys();
        let parts = self.parts.iter().flat_map(|(id, epochs)| {
            epochs.keys().map(|epoch| StateKey::Part {
                epoch: *epoch,
                id: id.clone(),
            })
        });
        // A checkpoint goes first: parts without one are no danger, a checkpoint without its parts
        // is.
        checkpoints
            .map(|epoch| StateKey::Checkpoint { epoch: *epoch })
            .chain(parts)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In these tests a part or checkpoint is its offset as text.
    fn offset_of(bytes: &[u8]) -> Result<i64, RestoreError> {
        let text = str::from_utf8(bytes)
            .ok()
            .and_then(|text| text.parse().ok());
        text.ok_or_else(|| RestoreError::Unreadable {
            part: "a test's".to_owned(),
            reason: "no number".to_owned(),
        })
    }

    enum Said {
        Part(i64, &'static str),
        Deleted(i64),
        Checkpoint(i64, &'static str),
        Ends(i64, &'static str),
    }
    use Said::{Checkpoint as At, Deleted, Ends, Part as Has};

    fn chosen(said: Vec<Said>) -> Result<(Option<Bytes>, Option<Bytes>), RestoreError> {
        let mut history = History::new(offset_of);
        let id = || Bytes::from("a");
        for each in said {
            let (key, value) = match each {
                Has(epoch, at) => (StateKey::Part { epoch, id: id() }, Some(Bytes::from(at))),
                Deleted(epoch) => (StateKey::Part { epoch, id: id() }, None),
                At(epoch, at) => {
                    let value = checkpoint::encode(at.as_bytes(), &Gone::new());
                    (StateKey::Checkpoint { epoch }, Some(value))
                }
                Ends(epoch, at) => {
                    let value = checkpoint::encode(at.as_bytes(), &Gone::from([id()]));
                    (StateKey::Checkpoint { epoch }, Some(value))
                }
            };
            history.apply(key, value.as_deref());
        }
        let chosen = history.choose()?;
        Ok((chosen.checkpoint, chosen.parts.get("a".as_bytes()).cloned()))
    }

    #[test]
    fn the_part_that_has_seen_most_lives_beside_the_checkpoint_of_the_highest_epoch() {
        for (what, said, checkpoint, part) in [
            ("nothing", vec![], None, None),
            ("no checkpoint yet", vec![Has(1, "5")], None, Some("5")),
            (
                "one owner",
                vec![Has(1, "5"), At(1, "4")],
                Some("4"),
                Some("5"),
            ),
            (
                "a lower epoch that has seen more",
                vec![At(1, "4"), Has(2, "6"), At(2, "5"), Has(1, "9")],
                Some("5"),
                Some("9"),
            ),
            (
                "a lower epoch's checkpoint that lies further",
                vec![Has(2, "6"), At(2, "5"), At(1, "8")],
                Some("5"),
                Some("6"),
            ),
            (
                "another's tombstone",
                vec![Has(1, "5"), Has(2, "6"), Deleted(1)],
                None,
                Some("6"),
            ),
            (
                "ended since",
                vec![Has(1, "5"), At(2, "7")],
                Some("7"),
                None,
            ),
            (
                "begun since",
                vec![Has(1, "8"), At(2, "7")],
                Some("7"),
                Some("8"),
            ),
            (
                "ended, not deleted yet",
                vec![Has(2, "5"), Ends(2, "7")],
                Some("7"),
                None,
            ),
            (
                "begun again",
                vec![Has(2, "9"), Ends(2, "7")],
                Some("7"),
                Some("9"),
            ),
            (
                "an older write that came late",
                vec![Has(1, "9"), Has(1, "5")],
                None,
                Some("9"),
            ),
        ] {
            let expected = (checkpoint.map(Bytes::from), part.map(Bytes::from));
            assert_eq!(chosen(said).unwrap(), expected, "{what}");
        }
        assert!(chosen(vec![Has(1, "?")]).is_err());
    }
}
