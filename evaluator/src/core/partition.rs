//! The state of one partition, and how it is saved.

use super::clock::LogClock;
use super::host::Host;
use super::hosts::Hosts;
use super::ledger::{Grave, Ledger, PartKey};
use super::part::{Slot, encode_checkpoint, encode_gone, encode_host};
use super::plan::Plan;
use super::position::Position;
use super::restore::Waiting;
use super::routes::Routes;
use super::usage::TENANT;
use model::{TenantId, Timestamp};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A part of the state is at most so large, as long as it holds more than one group.
const PART_BYTES: usize = 256 * 1024;

/// The state of one partition.
#[derive(Debug)]
pub struct Partition {
    pub(crate) tenant: TenantId,
    pub(crate) number: u32,
    pub(crate) next_offset: i64,
    pub(crate) log: LogClock,
    /// The bundle in force.
    pub(crate) plan: Option<Arc<Plan>>,
    pub(crate) hosts: Hosts,
    pub(crate) routes: Routes,
    /// When a host is looked at, in log time: at the latest when its next grid point closes.
    pub(crate) timers: BTreeSet<(Timestamp, Arc<str>)>,
    /// Restored parts that are ahead of the log.
    pub(crate) waiting: Waiting,
    pub(crate) ledger: Ledger,
    pub(crate) part_bytes: usize,
}

impl Partition {
    /// The state before the first record of a log.
    pub fn new(tenant: TenantId, partition: u32) -> Self {
        Self {
            tenant,
            number: partition,
            next_offset: 0,
            log: LogClock::default(),
            plan: None,
            hosts: Hosts::default(),
            routes: Routes::default(),
            timers: BTreeSet::new(),
            waiting: Waiting::default(),
            ledger: Ledger::default(),
            part_bytes: PART_BYTES,
        }
    }

    /// The same with another size of parts, for tests of hosts with much state.
    #[must_use]
    pub fn with_part_bytes(mut self, part_bytes: usize) -> Self {
        self.part_bytes = part_bytes;
        self
    }

    /// Where reading must go on. [`super::step`] ignores records before it.
    pub fn next_offset(&self) -> i64 {
        self.next_offset
    }

    /// Log time at the last record; none before the first.
    pub fn log_time(&self) -> Option<Timestamp> {
        self.log.last.map(|(_, log)| log)
    }

    /// Revision of the bundle in force; none before the first mark.
    pub fn newest_revision(&self) -> Option<u64> {
        self.plan.as_ref().map(|plan| plan.revision())
    }

    /// The templates in force, by name.
    pub fn templates(&self) -> Vec<String> {
        let plan = self.plan.as_ref();
        plan.map_or_else(Vec::new, |plan| plan.names().map(str::to_owned).collect())
    }

    /// How many partitions the tenant has, by the bundle in force; 1 before the first.
    pub fn partitions(&self) -> u32 {
        self.plan.as_ref().map_or(1, |plan| plan.partitions())
    }

    /// Hosts that are known.
    pub fn hosts(&self) -> usize {
        let tenant = usize::from(self.hosts.contains(TENANT));
        self.hosts.len() - tenant
    }

    /// Groups that are known.
    pub fn groups(&self) -> usize {
        self.hosts.iter().map(|(_, host)| host.groups.len()).sum()
    }

    /// How many hosts have changes that [`Partition::take_dirty`] has not given out.
    pub fn dirty_parts(&self) -> usize {
        self.ledger.dirty()
    }

    /// Whether every restored part has been given out again: with the checkpoint behind them, what
    /// this owner wrote is all there is, and records of earlier owners can be deleted.
    pub fn is_whole(&self) -> bool {
        self.waiting.is_empty() && !self.ledger.has_inherited()
    }

    /// The parts that changed, those that wait longest first, until their sizes reach `max_bytes`
    /// (at least one host). `None` is a part that is gone. Write them in this order. They count as
    /// written from now on: when a write fails, restore the partition.
    pub fn take_dirty(&mut self, max_bytes: usize) -> Vec<(PartKey, Option<Vec<u8>>)> {
        let mut given = Vec::new();
        for (host, grave) in self.ledger.bury() {
            // What says that it is gone goes last, or older shares would come to life again.
            let shares = (0..=grave.depth).rev().flat_map(Slot::all);
            given.extend(shares.map(|slot| (slot.key(&host), None)));
        }
        let mut size = 0;
        for host in self.ledger.in_order() {
            if size >= max_bytes && size > 0 {
                break;
            }
            // A share that is ahead of the log would be overwritten with what was before it.
            if self.waiting.holds_any(&host) {
                continue;
            }
            let parts = self.encode(&host);
            size += parts
                .iter()
                .map(|(_, bytes)| bytes.as_ref().map_or(0, Vec::len))
                .sum::<usize>();
            given.extend(parts);
            self.ledger.settle(&host);
            if let Some(host) = self.hosts.get_mut(&host) {
                host.unsaved = false;
            }
        }
        given
    }

    fn encode(&mut self, name: &Arc<str>) -> Vec<(PartKey, Option<Vec<u8>>)> {
        let applied = self.next_offset - 1;
        if let Some(host) = self.hosts.get_mut(name) {
            let depth = host.depth;
            let mut parts: Vec<_> = encode_host(name, host, applied, self.part_bytes)
                .into_iter()
                .map(|(slot, bytes)| (slot.key(name), Some(bytes)))
                .collect();
            if host.depth != depth {
                parts.extend(Slot::all(depth).map(|slot| (slot.key(name), None)));
            }
            return parts;
        }
        let Some(grave) = self.ledger.graves.get_mut(name) else {
            return Vec::new();
        };
        grave.marked = true;
        vec![(Slot::WHOLE.key(name), Some(encode_gone(name, applied)))]
    }

    /// The lowest position that a part which was not given out yet still needs. Write it once all
    /// parts given out so far are durable, and before the next [`Partition::take_dirty`].
    pub fn checkpoint(&mut self) -> Vec<u8> {
        let here;
        let position = match self.ledger.lowest() {
            Some(position) => position.as_ref(),
            None => {
                here = self.position(self.next_offset);
                &here
            }
        };
        let bytes = encode_checkpoint(position);
        self.ledger.checkpoint = position.offset;
        bytes
    }

    /// The place before the record `offset`, which is the next.
    pub(crate) fn position(&self, offset: i64) -> Position {
        Position {
            offset,
            log: self.log,
            bundle: self.plan.as_ref().map(|plan| plan.name()),
        }
    }

    /// Puts a host's timer where its clock says.
    pub(crate) fn schedule(&mut self, name: &Arc<str>) {
        if let Some(host) = self.hosts.get_mut(name) {
            set_timer(&mut self.timers, name, host);
        }
    }

    /// Forgets a host.
    pub(crate) fn forget(&mut self, name: &Arc<str>, offset: i64) {
        if let Some(host) = self.hosts.remove(name) {
            if let Some(deadline) = host.scheduled {
                self.timers.remove(&(deadline, Arc::clone(name)));
            }
            let grave = Grave {
                at: offset,
                depth: host.depth,
                marked: false,
            };
            self.ledger.graves.insert(Arc::clone(name), grave);
        }
    }
}

/// Sees to it that a host is looked at when it is due. What moves the deadline back, as most points do, leaves the
/// timer as it is: it is set anew when the host is looked at.
pub(crate) fn set_timer(
    timers: &mut BTreeSet<(Timestamp, Arc<str>)>,
    name: &Arc<str>,
    host: &mut Host,
) {
    let deadline = host.deadline();
    if host.scheduled.is_some_and(|known| known <= deadline) {
        return;
    }
    if let Some(before) = host.scheduled.replace(deadline) {
        timers.remove(&(before, Arc::clone(name)));
    }
    timers.insert((deadline, Arc::clone(name)));
}
