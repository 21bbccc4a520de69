//! Events that were read and are not applied yet: which come next, and up to where all are done.
//!
//! Tenants take turns, so that none waits for what another one's storm brings. Within a tenant P1 goes first; what an
//! incident goes through keeps its order.

use model::{IncidentId, Priority, StreamEvent, TenantId, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

/// An event as it came from a source, which is a partition of a topic.
#[derive(Debug, Clone)]
pub struct Arrived<S> {
    /// Where it stands.
    pub source: S,
    /// At which offset.
    pub offset: i64,
    /// What it says.
    pub event: StreamEvent,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// When it was appended.
    pub appended_at: Timestamp,
}

impl<S> Arrived<S> {
    /// Whose it is.
    pub fn tenant(&self) -> &TenantId {
        match &self.event {
            StreamEvent::Alert(event) => &event.tenant,
            StreamEvent::CaughtUp(caught_up) => &caught_up.tenant,
        }
    }

    fn incident(&self) -> Option<IncidentId> {
        match &self.event {
            StreamEvent::Alert(event) => Some(event.incident_id),
            StreamEvent::CaughtUp(_) => None,
        }
    }

    fn is_urgent(&self) -> bool {
        matches!(&self.event, StreamEvent::Alert(event) if event.priority == Some(Priority::P1))
    }
}

/// What waits to be applied.
#[derive(Debug)]
pub struct Backlog<S> {
    lines: BTreeMap<TenantId, Line<S>>,
    /// Who has something waiting; the first is next.
    turns: VecDeque<TenantId>,
    places: BTreeMap<S, Place>,
    len: usize,
}

/// What waits of a tenant.
#[derive(Debug)]
struct Line<S> {
    urgent: VecDeque<Arrived<S>>,
    rest: VecDeque<Arrived<S>>,
    /// How many events of an incident stand in `rest`: later ones of it go behind them.
    behind: HashMap<IncidentId, usize>,
}

/// How far a source is read and applied.
#[derive(Debug, Default)]
struct Place {
    waiting: BTreeSet<i64>,
    /// Behind the last that was read.
    next: i64,
    /// What was last said to be done.
    said: Option<i64>,
}

impl<S> Default for Backlog<S> {
    fn default() -> Self {
        Self {
            lines: BTreeMap::new(),
            turns: VecDeque::new(),
            places: BTreeMap::new(),
            len: 0,
        }
    }
}

impl<S> Default for Line<S> {
    fn default() -> Self {
        Self {
            urgent: VecDeque::new(),
            rest: VecDeque::new(),
            behind: HashMap::new(),
        }
    }
}

impl<S: Ord + Clone> Backlog<S> {
    /// How many events wait to be taken.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether none waits to be taken.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A record was read that holds no event.
    pub fn pass(&mut self, source: &S, offset: i64) {
        self.place(source).next = offset + 1;
    }

    /// An event was read.
    pub fn push(&mut self, arrived: Arrived<S>) {
        let place = self.place(&arrived.source);
        place.waiting.insert(arrived.offset);
        place.next = arrived.offset + 1;
        let tenant = arrived.tenant().clone();
        let line = self.lines.entry(tenant.clone()).or_insert_with(|| {
            self.turns.push_back(tenant);
            Line::default()
        });
        line.push(arrived);
        self.len += 1;
    }

    /// The next events, at most so many: one of each tenant in turn.
    pub fn take(&mut self, most: usize) -> Vec<Arrived<S>> {
        let mut taken = Vec::with_capacity(most.min(self.len));
        while taken.len() < most
            && let Some(tenant) = self.turns.pop_front()
        {
            let Some(line) = self.lines.get_mut(&tenant) else {
                continue;
            };
            taken.extend(line.pop());
            if line.is_empty() {
                self.lines.remove(&tenant);
            } else {
                self.turns.push_back(tenant);
            }
        }
        self.len -= taken.len();
        taken
    }

    /// Events that were taken are applied.
    pub fn done(&mut self, applied: &[Arrived<S>]) {
        for arrived in applied {
            if let Some(place) = self.places.get_mut(&arrived.source) {
                place.waiting.remove(&arrived.offset);
            }
        }
    }

    /// The next offset of each source below which all is applied, where it has moved since it was last asked for.
    pub fn positions(&mut self) -> Vec<(S, i64)> {
        let mut moved = Vec::new();
        for (source, place) in &mut self.places {
            let position = place.waiting.first().copied().unwrap_or(place.next);
            if place.said != Some(position) {
                place.said = Some(position);
                moved.push((source.clone(), position));
            }
        }
        moved
    }

    /// A source is somebody else's now: what was read of it is theirs to apply.
    pub fn forget(&mut self, source: &S) {
        self.places.remove(source);
        for line in self.lines.values_mut() {
            line.forget(source);
        }
        self.lines.retain(|_, line| !line.is_empty());
        self.turns.retain(|tenant| self.lines.contains_key(tenant));
        self.len = self.lines.values().map(Line::len).sum();
    }

    fn place(&mut self, source: &S) -> &mut Place {
        self.places.entry(source.clone()).or_default()
    }
}

impl<S: PartialEq> Line<S> {
    fn len(&self) -> usize {
        self.urgent.len() + self.rest.len()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn push(&mut self, arrived: Arrived<S>) {
        let incident = arrived.incident();
        let is_behind = incident.is_some_and(|incident| self.behind.contains_key(&incident));
        if arrived.is_urgent() && !is_behind {
            self.urgent.push_back(arrived);
            return;
        }
        if let Some(incident) = incident {
            *self.behind.entry(incident).or_default() += 1;
        }
        self.rest.push_back(arrived);
    }

    fn pop(&mut self) -> Option<Arrived<S>> {
        if let Some(arrived) = self.urgent.pop_front() {
            return Some(arrived);
        }
        let arrived = self.rest.pop_front()?;
        if let Some(incident) = arrived.incident()
            && let Some(count) = self.behind.get_mut(&incident)
        {
            *count -= 1;
            if *count == 0 {
                self.behind.remove(&incident);
            }
        }
        Some(arrived)
    }

    fn forget(&mut self, source: &S) {
        self.urgent.retain(|arrived| arrived.source != *source);
        self.behind.clear();
        for arrived in std::mem::take(&mut self.rest) {
            if arrived.source == *source {
                continue;
            }
            if let Some(incident) = arrived.incident() {
                *self.behind.entry(incident).or_default() += 1;
            }
            self.rest.push_back(arrived);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::world::event;
    use model::AlertKind;
    use proptest::prelude::*;

    /// Partition, offset, tenant, incident, priority; 0 resolves.
    type Read = (u8, i64, &'static str, u8, u8);

    fn arrived((source, offset, whose, incident, priority): Read) -> Arrived<u8> {
        let mut event = event(1, AlertKind::Firing, None);
        event.incident_id = IncidentId::from_bytes([incident; 16]);
        event.tenant = TenantId::parse(whose).unwrap();
        event.priority = match priority {
            0 => None,
            1 => Some(Priority::P1),
            2 => Some(Priority::P2),
            _ => Some(Priority::P3),
        };
        Arrived {
            source,
            offset,
            event: StreamEvent::Alert(Box::new(event)),
            bytes: Vec::new(),
            appended_at: Timestamp::from_nanos(0),
        }
    }

    fn of(reads: &[Read]) -> Backlog<u8> {
        let mut backlog = Backlog::default();
        reads.iter().for_each(|read| backlog.push(arrived(*read)));
        backlog
    }

    fn offsets(taken: &[Arrived<u8>]) -> Vec<i64> {
        taken.iter().map(|arrived| arrived.offset).collect()
    }

    #[test]
    fn tenants_take_turns_however_much_one_has_waiting() {
        let storm = (0..1_000).map(|n| (0, n, "stormy", (n % 250) as u8, 3));
        let reads: Vec<Read> = storm.chain([(0, 1_000, "calm", 1, 1)]).collect();
        let mut backlog = of(&reads);
        assert_eq!(offsets(&backlog.take(2)), [0, 1_000]);
        assert_eq!(backlog.len(), 999);
    }

    #[test]
    fn p1_goes_first_and_an_incident_keeps_its_order() {
        let mut backlog = of(&[
            (0, 0, "acme", 1, 3),
            (0, 1, "acme", 2, 3),
            // Raised: it stays behind what the incident was before.
            (0, 2, "acme", 2, 1),
            (0, 3, "acme", 3, 1),
            (0, 4, "acme", 3, 0),
        ]);
        assert_eq!(offsets(&backlog.take(9)), [3, 0, 1, 2, 4]);
        assert!(backlog.is_empty());
    }

    #[test]
    fn a_p1_goes_first_again_once_what_its_incident_was_before_is_taken() {
        let mut backlog = of(&[
            (0, 0, "acme", 1, 3),
            (0, 1, "acme", 1, 3),
            (0, 2, "acme", 2, 3),
            (0, 3, "acme", 2, 3),
        ]);
        assert_eq!(offsets(&backlog.take(1)), [0]);
        backlog.push(arrived((0, 4, "acme", 1, 1)));
        assert_eq!(offsets(&backlog.take(3)), [1, 2, 3], "1 was before it");
        backlog.push(arrived((0, 5, "acme", 2, 1)));
        assert_eq!(offsets(&backlog.take(1)), [5], "nothing is before it");
        assert_eq!(offsets(&backlog.take(1)), [4]);
    }

    #[test]
    fn a_position_stays_below_what_is_not_applied() {
        let mut backlog = of(&[(0, 7, "acme", 1, 3), (0, 8, "acme", 2, 1)]);
        backlog.pass(&0, 9);
        let urgent = backlog.take(1);
        assert_eq!(offsets(&urgent), [8]);
        backlog.done(&urgent);
        assert_eq!(backlog.positions(), [(0, 7)]);
        assert_eq!(backlog.positions(), [], "it has not moved");
        let rest = backlog.take(1);
        backlog.done(&rest);
        assert_eq!(backlog.positions(), [(0, 10)]);
    }

    #[test]
    fn what_was_read_of_a_source_that_is_given_up_is_not_applied() {
        let mut backlog = of(&[
            (0, 1, "acme", 1, 3),
            (1, 5, "acme", 2, 3),
            (0, 2, "calm", 1, 1),
        ]);
        backlog.forget(&0);
        assert_eq!(backlog.len(), 1);
        let rest = backlog.take(9);
        assert_eq!(offsets(&rest), [5]);
        backlog.done(&rest);
        assert_eq!(backlog.positions(), [(1, 6)]);
    }

    proptest! {
        #[test]
        fn every_event_comes_once_and_those_of_an_incident_in_their_order(
            reads in proptest::collection::vec((0..3u8, 0..3usize, 0..4u8, 0..4u8), 0..60),
            sizes in proptest::collection::vec(1..9usize, 60),
        ) {
            let names = ["acme", "calm", "stormy"];
            let mut backlog = Backlog::default();
            let mut seen: Vec<Arrived<u8>> = Vec::new();
            let mut sizes = sizes.into_iter();
            for (offset, (source, whose, incident, priority)) in (0..).zip(&reads) {
                backlog.push(arrived((*source, offset, names[*whose], *incident, *priority)));
                if offset % 7 == 0 {
                    seen.extend(backlog.take(sizes.next().unwrap_or(1)));
                }
            }
            while !backlog.is_empty() {
                seen.extend(backlog.take(sizes.next().unwrap_or(1)));
            }
            let mut all = offsets(&seen);
            all.sort_unstable();
            prop_assert_eq!(all, (0..reads.len() as i64).collect::<Vec<_>>());
            let mut last: HashMap<(String, IncidentId), i64> = HashMap::new();
            for one in &seen {
                let key = (one.tenant().to_string(), one.incident().unwrap());
                prop_assert!(last.insert(key, one.offset).is_none_or(|before| before < one.offset));
            }
            backlog.done(&seen);
            for (source, position) in backlog.positions() {
                let ends = seen.iter().filter(|one| one.source == source).map(|one| one.offset + 1);
                prop_assert_eq!(Some(position), ends.max());
            }
        }
    }
}
