//! The budget's shares over any run of takings and givings.

use super::*;
use proptest::prelude::*;
use std::collections::HashSet;

fn tenant(name: &str) -> TenantId {
    name.parse().unwrap()
}

/// A tenant of which nothing is stored for so many turns.
fn stall(budget: &mut Budget, turns: u32) -> Vec<Flow> {
    (0..turns).flat_map(|_| budget.turn()).collect()
}

#[test]
fn a_quick_tenant_alone_fills_a_half_and_then_reading_waits_for_it() {
    let mut budget = Budget::new(600);
    budget.join(1, &tenant("a"));
    assert_eq!(budget.take(1, 300), []);
    assert_eq!(budget.take(1, 20), [Flow::Hold(true)]);
    assert_eq!(budget.give(1, 60), []);
    assert_eq!(budget.give(1, 60), [Flow::Hold(false)]);
    assert_eq!(budget.paused(), 0);
}

#[test]
fn a_slow_tenant_has_its_partitions_paused_and_nobody_waits() {
    let mut budget = Budget::new(600);
    for (part, name) in [(1, "slow"), (2, "slow"), (3, "quick")] {
        budget.join(part, &tenant(name));
    }
    budget.take(1, 310);
    let flows = stall(&mut budget, 6);
    assert_eq!(
        flows,
        [Flow::Pause(1), Flow::Pause(2), Flow::Hold(false)],
        "paused instead of waited for"
    );
    assert_eq!(budget.take(3, 140), []);
    assert_eq!(budget.give(3, 140), []);
    assert_eq!(
        budget.give(1, 250),
        [Flow::Resume(1), Flow::Resume(2)],
        "its shard is back"
    );
}

#[test]
fn one_answer_in_many_turns_does_not_make_a_tenant_quick() {
    let mut budget = Budget::new(600);
    budget.join(1, &tenant("a"));
    budget.take(1, 200);
    stall(&mut budget, 8);
    budget.give(1, 10);
    budget.turn();
    assert_eq!(budget.take(1, 200), [Flow::Pause(1)]);
}

#[test]
fn an_idle_tenant_is_quick_when_something_comes() {
    let mut budget = Budget::new(600);
    budget.join(1, &tenant("a"));
    stall(&mut budget, 50);
    assert_eq!(budget.take(1, 400), [Flow::Hold(true)]);
}

#[test]
fn room_for_one_more_is_always_left() {
    let mut budget = Budget::new(1 << 20);
    let names: Vec<_> = (0..20).map(|n| tenant(&format!("t{n}"))).collect();
    for (part, name) in (0..).zip(&names) {
        budget.join(part, name);
    }
    // All are slow from the start, and each takes in small steps until it is paused.
    let mut paused = HashSet::new();
    for part in 0..20 {
        budget.take(part, 1);
    }
    stall(&mut budget, 8);
    while paused.len() < 20 {
        for part in (0..20)
            .filter(|part| !paused.contains(part))
            .collect::<Vec<_>>()
        {
            for flow in budget.take(part, 1024) {
                assert_eq!(flow, Flow::Pause(part));
                paused.insert(part);
            }
        }
    }
    let free = (1 << 20) - budget.held();
    assert!(free > (1 << 20) / 40, "{free}");
}

#[test]
fn a_partition_that_leaves_gives_back_what_it_held() {
    let mut budget = Budget::new(100);
    budget.join(1, &tenant("a"));
    budget.join(2, &tenant("b"));
    assert_eq!(budget.take(1, 150), [Flow::Hold(true)]);
    assert_eq!(budget.leave(1), [Flow::Hold(false)]);
    assert_eq!(budget.held(), 0);
    assert_eq!(
        budget.give(1, 150),
        [],
        "a late report of it changes nothing"
    );
}

proptest! {
    #[test]
    fn nobody_is_left_paused_when_nothing_is_held(
        steps in proptest::collection::vec((0_u64..6, 1_usize..80, any::<bool>()), 1..200),
    ) {
        let mut budget = Budget::new(200);
        let (mut paused, mut hold) = (HashSet::new(), false);
        let mut follow = |flows: Vec<Flow>| {
            for flow in flows {
                match flow {
                    Flow::Pause(part) => assert!(paused.insert(part)),
                    Flow::Resume(part) => assert!(paused.remove(&part)),
                    Flow::Hold(wanted) => {
                        assert_ne!(hold, wanted);
                        hold = wanted;
                    }
                }
            }
            (paused.len(), hold)
        };
        let mut held = [0; 6];
        for part in 0..6 {
            follow(budget.join(part, &tenant(["a", "b", "c"][part as usize % 3])));
        }
        for (part, bytes, turn) in steps {
            held[part as usize] += bytes;
            follow(budget.take(part, bytes));
            if turn {
                follow(budget.turn());
            }
        }
        let mut left = (0, false);
        for part in 0..6 {
            left = follow(budget.give(part, held[part as usize]));
            prop_assert_eq!(left.0, budget.paused());
        }
        prop_assert_eq!((budget.held(), left), (0, (0, false)));
    }
}
