//! Whose due work is done next: a share for each priority, and within it tenants in turn.
//!
//! A storm of one tenant, however urgent, leaves each other tenant its turn in the next batch; the less urgent are slower beside
//! the more urgent and never stand still.

use model::{Priority, TenantId};
use std::collections::{BTreeSet, VecDeque};

/// Of 32 places so many are each priority's own, the most urgent first; what one does not need goes to the most urgent that does.
const SHARES: [usize; 3] = [16, 8, 8];

/// Incidents of one priority of one tenant, of which some are due.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lane {
    /// How urgent.
    pub priority: Priority,
    /// Whose.
    pub tenant: TenantId,
}

/// Who has something due; the first of each priority is next.
#[derive(Debug, Default)]
pub struct Turns {
    queues: [VecDeque<TenantId>; 3],
}

impl Turns {
    /// These have something due now. Who was known keeps their turn, who is new waits for all of their priority once.
    pub fn see(&mut self, due: &[Lane]) {
        for (priority, queue) in Priority::ALL.into_iter().zip(&mut self.queues) {
            let of = due.iter().filter(|lane| lane.priority == priority);
            let mut due: BTreeSet<&TenantId> = of.map(|lane| &lane.tenant).collect();
            queue.retain(|tenant| due.remove(tenant));
            queue.extend(due.into_iter().cloned());
        }
    }

    /// Whether nobody has anything due.
    pub fn is_empty(&self) -> bool {
        self.queues.iter().all(VecDeque::is_empty)
    }

    /// How much of each lane is done next; together so many at most.
    pub fn next(&mut self, most: usize) -> Vec<(Lane, usize)> {
        let mut places = [0; 3];
        let all: usize = SHARES.iter().sum();
        let mut left = most;
        for ((places, queue), share) in places.iter_mut().zip(&self.queues).zip(SHARES) {
            if !queue.is_empty() {
                *places = most * share / all;
                left -= *places;
            }
        }
        if let Some(first) = self.queues.iter().position(|queue| !queue.is_empty()) {
            places[first] += left;
        }
        let mut next = Vec::new();
        let each = Priority::ALL.into_iter().zip(&mut self.queues).zip(places);
        for ((priority, queue), places) in each {
            let takes = queue.len().min(places);
            for n in 0..takes {
                let Some(tenant) = queue.pop_front() else {
                    break;
                };
                queue.push_back(tenant.clone());
                // What does not go evenly goes to those whose turn is first.
                let count = places / takes + usize::from(n < places % takes);
                next.push((Lane { priority, tenant }, count));
            }
        }
        next
    }

    /// Nothing is left of a lane, but for what another replica has.
    pub fn ran_out(&mut self, lane: &Lane) {
        for (priority, queue) in Priority::ALL.into_iter().zip(&mut self.queues) {
            if priority == lane.priority {
                queue.retain(|tenant| *tenant != lane.tenant);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn lane(priority: Priority, tenant: &str) -> Lane {
        let tenant = TenantId::parse(tenant).unwrap();
        Lane { priority, tenant }
    }

    fn counts(next: &[(Lane, usize)]) -> Vec<(&str, &str, usize)> {
        let each = next.iter();
        each.map(|(lane, count)| (lane.priority.as_str(), lane.tenant.as_str(), *count))
            .collect()
    }

    #[test]
    fn alone_a_lane_has_all_places() {
        let mut turns = Turns::default();
        assert!(turns.is_empty());
        assert_eq!(turns.next(32), []);
        turns.see(&[lane(Priority::P3, "stormy")]);
        assert_eq!(counts(&turns.next(32)), [("P3", "stormy", 32)]);
        assert!(!turns.is_empty());
    }

    #[test]
    fn a_p1_has_its_share_beside_storms_of_every_priority() {
        let mut turns = Turns::default();
        turns.see(&[
            lane(Priority::P1, "stormy"),
            lane(Priority::P2, "stormy"),
            lane(Priority::P3, "stormy"),
            lane(Priority::P1, "calm"),
        ]);
        assert_eq!(
            counts(&turns.next(32)),
            [
                ("P1", "calm", 8),
                ("P1", "stormy", 8),
                ("P2", "stormy", 8),
                ("P3", "stormy", 8)
            ]
        );
    }

    #[test]
    fn what_one_priority_does_not_need_goes_to_the_most_urgent() {
        let mut turns = Turns::default();
        turns.see(&[lane(Priority::P1, "a"), lane(Priority::P3, "a")]);
        assert_eq!(counts(&turns.next(32)), [("P1", "a", 24), ("P3", "a", 8)]);
        turns.ran_out(&lane(Priority::P1, "a"));
        assert_eq!(counts(&turns.next(32)), [("P3", "a", 32)]);
    }

    #[test]
    fn more_tenants_than_places_take_turns_and_the_new_one_stands_behind() {
        let mut turns = Turns::default();
        let [a, b, c, d] = ["a", "b", "c", "d"].map(|name| lane(Priority::P1, name));
        turns.see(&[b.clone(), c.clone(), d.clone()]);
        assert_eq!(counts(&turns.next(2)), [("P1", "b", 1), ("P1", "c", 1)]);
        turns.see(&[a, b, c, d]);
        assert_eq!(counts(&turns.next(2)), [("P1", "d", 1), ("P1", "b", 1)]);
        assert_eq!(counts(&turns.next(2)), [("P1", "c", 1), ("P1", "a", 1)]);
        turns.see(&[]);
        assert!(turns.is_empty());
    }

    #[test]
    fn a_few_places_go_to_the_most_urgent() {
        let mut turns = Turns::default();
        turns.see(&[lane(Priority::P1, "a"), lane(Priority::P2, "a")]);
        assert_eq!(counts(&turns.next(1)), [("P1", "a", 1)]);
    }

    proptest! {
        #[test]
        fn every_place_is_given_and_every_lane_has_its_turn(
            due in proptest::collection::btree_set((0..3usize, 0..9u8), 1..20),
            most in 4..40usize,
        ) {
            let due: Vec<Lane> = due
                .iter()
                .map(|(class, name)| lane(Priority::ALL[*class], &format!("tenant-{name}")))
                .collect();
            let mut turns = Turns::default();
            turns.see(&due);
            let mut had: BTreeMap<Lane, usize> = BTreeMap::new();
            for _ in 0..due.len() {
                let next = turns.next(most);
                prop_assert_eq!(next.iter().map(|(_, count)| count).sum::<usize>(), most);
                for (lane, count) in next {
                    prop_assert!(count > 0);
                    *had.entry(lane).or_default() += count;
                }
            }
            prop_assert_eq!(had.len(), due.len(), "within as many rounds as there are lanes");
        }
    }
}
