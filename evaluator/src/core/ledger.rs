//! What of a partition's state is not saved yet, and from where on the log is still needed for it.

use super::position::Position;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The id of a part of the state: a host, or a share of a host whose state is large. Opaque; stable
/// across versions.
pub type PartKey = Vec<u8>;

/// A host that was forgotten. Its part says so until no restart needs it any more; only then it is
/// deleted, or a restart from before would take the host's old points for new ones.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grave {
    /// The record at which it was forgotten.
    pub(crate) at: i64,
    pub(crate) depth: u8,
    /// The part that says so was given out.
    pub(crate) marked: bool,
}

/// Unsaved changes by host.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    since: BTreeMap<Arc<str>, Arc<Position>>,
    order: BTreeSet<(i64, Arc<str>)>,
    pub(crate) graves: BTreeMap<Arc<str>, Grave>,
    /// Restored, and not written again since.
    inherited: BTreeSet<Arc<str>>,
    /// The last checkpoint that was given out.
    pub(crate) checkpoint: i64,
}

impl Ledger {
    /// A host changes at that position.
    pub(crate) fn touch(&mut self, host: &Arc<str>, position: &Arc<Position>) {
        if !self.since.contains_key(host) {
            self.since.insert(Arc::clone(host), Arc::clone(position));
            self.order.insert((position.offset, Arc::clone(host)));
        }
    }

    /// A host was taken from saved state and has not been written by this owner.
    pub(crate) fn inherit(&mut self, host: &Arc<str>) {
        self.inherited.insert(Arc::clone(host));
    }

    /// A host is given out.
    pub(crate) fn settle(&mut self, host: &Arc<str>) {
        if let Some(position) = self.since.remove(host) {
            self.order.remove(&(position.offset, Arc::clone(host)));
        }
        self.inherited.remove(host);
    }

    pub(crate) fn dirty(&self) -> usize {
        self.since.len()
    }

    /// Hosts with unsaved changes, those that wait longest first.
    pub(crate) fn in_order(&self) -> Vec<Arc<str>> {
        self.order
            .iter()
            .map(|(_, host)| Arc::clone(host))
            .collect()
    }

    /// The lowest position that is still needed.
    pub(crate) fn lowest(&self) -> Option<&Arc<Position>> {
        let (_, host) = self.order.first()?;
        self.since.get(host)
    }

    pub(crate) fn has_inherited(&self) -> bool {
        !self.inherited.is_empty()
    }

    /// Graves that no restart can need: their parts can be deleted.
    pub(crate) fn bury(&mut self) -> Vec<(Arc<str>, Grave)> {
        let checkpoint = self.checkpoint;
        let old = |grave: &Grave| grave.marked && grave.at < checkpoint;
        let buried: Vec<_> = self
            .graves
            .iter()
            .filter(|(_, grave)| old(grave))
            .map(|(host, grave)| (Arc::clone(host), *grave))
            .collect();
        self.graves.retain(|_, grave| !old(grave));
        buried
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: i64) -> Arc<Position> {
        Arc::new(Position {
            offset,
            ..Position::default()
        })
    }

    #[test]
    fn a_host_is_unsaved_from_its_first_change_until_it_is_given_out() {
        let mut ledger = Ledger::default();
        let (web, db): (Arc<str>, Arc<str>) = ("web".into(), "db".into());
        assert_eq!((ledger.dirty(), ledger.lowest()), (0, None));
        ledger.touch(&web, &at(3));
        ledger.touch(&db, &at(5));
        ledger.touch(&web, &at(7));
        assert_eq!((ledger.dirty(), ledger.lowest()), (2, Some(&at(3))));
        assert_eq!(ledger.in_order(), [Arc::clone(&web), Arc::clone(&db)]);
        ledger.settle(&web);
        assert_eq!((ledger.dirty(), ledger.lowest()), (1, Some(&at(5))));
    }

    #[test]
    fn what_was_inherited_is_so_until_it_is_written() {
        let mut ledger = Ledger::default();
        let web: Arc<str> = "web".into();
        assert!(!ledger.has_inherited());
        ledger.inherit(&web);
        assert!(ledger.has_inherited());
        ledger.settle(&web);
        assert!(!ledger.has_inherited());
    }

    /// A restart from a checkpoint reads the record at its offset again.
    #[test]
    fn a_part_is_deleted_when_it_says_so_and_the_checkpoint_is_behind_it() {
        let mut ledger = Ledger {
            checkpoint: 10,
            ..Ledger::default()
        };
        for (host, at, marked) in [
            ("before", 9, true),
            ("unmarked", 9, false),
            ("at", 10, true),
            ("behind", 11, true),
        ] {
            let depth = 0;
            let grave = Grave { at, depth, marked };
            ledger.graves.insert(host.into(), grave);
        }
        let names = |hosts: Vec<Arc<str>>| hosts.join(" ");
        let buried = ledger.bury().into_iter().map(|(host, _)| host).collect();
        assert_eq!(names(buried), "before");
        assert_eq!(
            names(ledger.graves.keys().cloned().collect()),
            "at behind unmarked"
        );
    }
}
