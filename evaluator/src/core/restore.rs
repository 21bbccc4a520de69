//! Taking up saved state: parts that are ahead of the log wait until the log has come to them.

use super::codec::CodecError;
use super::group::{Group, GroupKey};
use super::host::{Host, Run};
use super::ledger::Grave;
use super::part::{Held, Piece, Slot, decode_checkpoint, decode_piece, offset_of};
use super::partition::Partition;
use super::plan::Plans;
use super::position::Position;
use model::TenantId;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Why saved state cannot be taken up.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The bytes are not what this version or an earlier one wrote.
    #[error("{part} of the saved state cannot be read: {reason}")]
    Unreadable {
        /// The part's key, printable, or `the checkpoint`.
        part: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The bundle that was in force is not in the catalogue any more.
    #[error(
        "the checkpoint needs bundle revision {revision} with hash {hash}, \
         which the catalogue does not hold"
    )]
    BundleGone {
        /// Its revision.
        revision: u64,
        /// Its hash.
        hash: String,
    },
}

impl RestoreError {
    fn unreadable(part: impl Into<String>, error: &CodecError) -> Self {
        Self::Unreadable {
            part: part.into(),
            reason: error.to_string(),
        }
    }
}

/// The input offset that a part or a checkpoint carries: of several records of one key the highest
/// wins.
pub fn decode_part_offset(bytes: &[u8]) -> Result<i64, RestoreError> {
    offset_of(bytes).map_err(|error| RestoreError::unreadable("a record", &error))
}

/// Restored parts by the offset up to which they are applied.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    by_offset: BTreeMap<(i64, Arc<str>, Slot), Piece>,
    by_host: BTreeMap<Arc<str>, Vec<Slot>>,
}

impl Waiting {
    pub(crate) fn is_empty(&self) -> bool {
        self.by_offset.is_empty()
    }

    /// Shares of a host that are ahead of the log.
    pub(crate) fn of(&self, host: &str) -> &[Slot] {
        self.by_host.get(host).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn holds_any(&self, host: &str) -> bool {
        !self.of(host).is_empty()
    }

    /// Whether all of a host is ahead of the log.
    pub(crate) fn holds_all(&self, host: &str) -> bool {
        let share = |slot: &Slot| 1_u64 << (32 - u32::from(slot.depth));
        self.of(host).iter().map(share).sum::<u64>() == 1 << 32
    }

    fn insert(&mut self, piece: Piece) {
        self.by_host
            .entry(Arc::clone(&piece.host))
            .or_default()
            .push(piece.slot);
        let key = (piece.applied, Arc::clone(&piece.host), piece.slot);
        self.by_offset.insert(key, piece);
    }

    /// The next piece to which the log has come.
    fn pop_before(&mut self, offset: i64) -> Option<Piece> {
        let first = self.by_offset.first_entry()?;
        if first.key().0 >= offset {
            return None;
        }
        let piece = first.remove();
        if let Some(slots) = self.by_host.get_mut(&piece.host) {
            slots.retain(|slot| *slot != piece.slot);
            if slots.is_empty() {
                self.by_host.remove(&piece.host);
            }
        }
        Some(piece)
    }
}

impl Partition {
    /// Takes up the state that a checkpoint and parts hold. Of several records of one share the one
    /// with the highest input offset is taken. Reading goes on at [`Partition::next_offset`]; what
    /// a part has seen is skipped for it.
    pub fn restore<'a>(
        tenant: TenantId,
        partition: u32,
        checkpoint: Option<&[u8]>,
        parts: impl IntoIterator<Item = (&'a [u8], &'a [u8])>,
        plans: &Plans,
    ) -> Result<Self, RestoreError> {
        let mut restored = Self::new(tenant, partition);
        if let Some(bytes) = checkpoint {
            let position = decode_checkpoint(bytes)
                .map_err(|error| RestoreError::unreadable("the checkpoint", &error))?;
            restored.go_to(position, plans)?;
        }
        let mut by_host: BTreeMap<Arc<str>, Vec<Piece>> = BTreeMap::new();
        for (key, bytes) in parts {
            let piece = decode_piece(bytes)
                .map_err(|error| RestoreError::unreadable(String::from_utf8_lossy(key), &error))?;
            by_host
                .entry(Arc::clone(&piece.host))
                .or_default()
                .push(piece);
        }
        for pieces in by_host.into_values() {
            newest_shares(pieces)
                .into_iter()
                .for_each(|piece| restored.waiting.insert(piece));
        }
        Ok(restored)
    }

    fn go_to(&mut self, position: Position, plans: &Plans) -> Result<(), RestoreError> {
        self.next_offset = position.offset;
        self.ledger.checkpoint = position.offset;
        self.log = position.log;
        if let Some((revision, hash)) = position.bundle {
            let plan = plans.get(revision, &hash);
            self.plan = Some(plan.ok_or_else(|| RestoreError::BundleGone {
                revision,
                hash: hash.to_string(),
            })?);
        }
        Ok(())
    }

    /// Takes the parts in to which the log has come: all that are applied up to before this record.
    pub(crate) fn take_in(&mut self, run: &mut Run<'_>) {
        while let Some(piece) = self.waiting.pop_before(run.offset) {
            let name = Arc::clone(&piece.host);
            self.ledger.inherit(&name);
            self.ledger.touch(&name, &run.position);
            let Some(held) = piece.state else {
                let grave = Grave {
                    at: piece.applied,
                    depth: piece.deepest,
                    marked: false,
                };
                self.ledger.graves.insert(name, grave);
                continue;
            };
            if !self.hosts.contains(&name) {
                let host = Host::new(held.clock, held.skew, piece.deepest);
                self.hosts.insert(Arc::clone(&name), host);
            }
            let Some(host) = self.hosts.get_mut(&name) else {
                continue;
            };
            debug_assert_eq!(
                host.clock, held.clock,
                "shares of one host agree once they meet"
            );
            host.depth = host.depth.max(piece.deepest);
            host.tags_seen |= held.tags_seen;
            host.usage = host.usage.take().or(held.usage);
            host.groups.extend(held.groups);
            host.adopt(&name, run);
            self.schedule(&name);
        }
    }
}

/// Shares of one host that do not overlap: for each group the piece that has seen most.
fn newest_shares(mut pieces: Vec<Piece>) -> Vec<Piece> {
    pieces.sort_by_key(|piece| (std::cmp::Reverse(piece.applied), piece.slot));
    let deepest = pieces
        .iter()
        .map(|piece| piece.slot.depth)
        .max()
        .unwrap_or(0);
    let mut taken: BTreeMap<Slot, usize> = BTreeMap::new();
    for (n, piece) in pieces.iter().enumerate() {
        for leaf in Slot::all(deepest).filter(|leaf| piece.slot.covers(*leaf)) {
            taken.entry(leaf).or_insert(n);
        }
    }
    let mut shares = Vec::new();
    for (n, mut piece) in pieces.into_iter().enumerate() {
        piece.deepest = deepest;
        let leaves: Vec<Slot> = taken
            .iter()
            .filter(|(_, owner)| **owner == n)
            .map(|(leaf, _)| *leaf)
            .collect();
        shares.extend(split(piece, &leaves, deepest));
    }
    shares
}

/// A piece cut down to the leaves that are left to it.
fn split(piece: Piece, leaves: &[Slot], deepest: u8) -> Vec<Piece> {
    if leaves.len() == 1 << (deepest - piece.slot.depth) {
        return vec![piece];
    }
    let share = |leaf: &Slot| {
        let state = piece.state.as_ref().map(|held| {
            let inside: BTreeMap<GroupKey, Group> = held
                .groups
                .iter()
                .filter(|(key, _)| leaf.holds(key))
                .map(|(key, group)| (key.clone(), group.clone()))
                .collect();
            Held {
                clock: held.clock,
                skew: held.skew.clone(),
                tags_seen: held.tags_seen,
                usage: held.usage.clone().filter(|_| leaf.prefix == 0),
                groups: inside,
            }
        });
        Piece {
            host: Arc::clone(&piece.host),
            applied: piece.applied,
            slot: *leaf,
            deepest,
            state,
        }
    };
    leaves.iter().map(share).collect()
}
