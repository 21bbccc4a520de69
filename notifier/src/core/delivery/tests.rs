//! What follows from each outcome, as tables.

use super::*;

const CREATED: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const LIMITS: Limits = Limits {
    give_up_after: Span::from_secs(1800),
};

fn attempt(priority: Priority, attempts: u32, unknowns: u32, asks: u32) -> Attempt {
    Attempt {
        priority,
        attempts,
        unknowns,
        asks,
        possible_repeat: false,
        overdue: false,
        refusals: 0,
        provider: 0,
        providers: 1,
        created_at: CREATED,
    }
}

fn retry(after: Option<i64>) -> Outcome {
    Outcome::Retry {
        after: after.map(Span::from_secs),
        reason: "busy".to_owned(),
    }
}

#[test]
fn what_was_not_taken_waits_longer_each_time_and_as_the_provider_asks() {
    let cases = [
        (1, None, 1),
        (2, None, 2),
        (4, None, 8),
        (9, None, 30),
        (1, Some(90), 90),
    ];
    for (attempts, after, seconds) in cases {
        let attempt = attempt(Priority::P1, attempts, 0, 0);
        let next = after_sending(&attempt, retry(after), &LIMITS, CREATED);
        let Next::Again {
            at,
            possible_repeat,
            ..
        } = next
        else {
            panic!("{next:?}");
        };
        assert_eq!(
            (at.since(CREATED), possible_repeat),
            (Span::from_secs(seconds), false)
        );
    }
}

#[test]
fn a_wait_that_outruns_the_urgency_is_said_once_so_that_the_next_is_told() {
    for (priority, after, late) in [
        (Priority::P1, 60, false),
        (Priority::P1, 61, true),
        (Priority::P2, 600, false),
        (Priority::P2, 601, true),
        (Priority::P3, 1_500, false),
    ] {
        let attempt = attempt(priority, 1, 0, 0);
        let next = after_sending(&attempt, retry(Some(after)), &LIMITS, CREATED);
        let said = outruns(&attempt, &next);
        assert_eq!(said.is_some(), late, "{priority} {after}");
        let overdue = Attempt {
            overdue: true,
            ..attempt
        };
        assert_eq!(outruns(&overdue, &next), None, "once");
    }
}

#[test]
fn the_second_provider_is_asked_when_the_wait_outruns_the_urgency() {
    let of_two = |priority, attempts, refusals| Attempt {
        refusals,
        providers: 2,
        ..attempt(priority, attempts, 0, 0)
    };
    let again = |attempt: &Attempt, outcome| match after_sending(attempt, outcome, &LIMITS, CREATED)
    {
        Next::Again { at, by, .. } => Some((by, at.since(CREATED).as_nanos() / 1_000_000_000)),
        _ => None,
    };
    for (priority, attempts, after, expected) in [
        (Priority::P1, 1, None, (By::Other, 0)),
        (Priority::P1, 1, Some(600), (By::Other, 0)),
        // Each has had its turn: the first again, and not in a spin.
        (Priority::P1, 2, None, (By::Other, 1)),
        (Priority::P1, 3, None, (By::Other, 0)),
        (Priority::P1, 4, None, (By::Other, 2)),
        (Priority::P2, 1, Some(60), (By::Same, 60)),
        (Priority::P2, 1, Some(61), (By::Other, 0)),
        (Priority::P3, 1, Some(600), (By::Same, 600)),
        (Priority::P3, 1, Some(601), (By::Other, 0)),
    ] {
        let found = again(&of_two(priority, attempts, 0), retry(after));
        assert_eq!(found, Some(expected), "{priority} {attempts} {after:?}");
    }
    let refused = || Outcome::Refused {
        reason: "no credit".to_owned(),
    };
    let first = again(&of_two(Priority::P3, 1, 0), refused());
    assert_eq!(first, Some((By::OtherAfterRefusal, 0)));
    // The second refuses after the first did; and the first asks for patience after the second refused.
    let second = Attempt {
        provider: 1,
        ..of_two(Priority::P1, 2, 0b01)
    };
    assert_eq!(again(&second, refused()), None, "both refused");
    let first = of_two(Priority::P1, 3, 0b10);
    assert_eq!(again(&first, retry(Some(9))), Some((By::Same, 9)));
    assert_eq!(
        again(&attempt(Priority::P1, 1, 0, 0), refused()),
        None,
        "there is one"
    );
    let lost = Asked::CannotTell {
        reason: String::new(),
    };
    let next = after_asking(&of_two(Priority::P1, 1, 0), lost, CREATED);
    assert!(
        matches!(
            next,
            Next::Again {
                by: By::Other,
                possible_repeat: true,
                ..
            }
        ),
        "{next:?}"
    );
}

#[test]
fn an_accepted_page_without_a_receipt_is_overdue_once() {
    let reference = ProviderRef("x".to_owned());
    let on_its_way = || Asked::Accepted {
        reference: reference.clone(),
    };
    for (priority, seconds, overdue, expected) in [
        (Priority::P1, 140, false, "Look"),
        (Priority::P1, 141, false, "Overdue"),
        (Priority::P1, 141, true, "Look"),
        (Priority::P2, 600, false, "Look"),
        (Priority::P2, 601, false, "Overdue"),
        (Priority::P3, 1_700, false, "Look"),
        (Priority::P1, 1_801, false, "Never"),
    ] {
        let attempt = Attempt {
            overdue,
            ..attempt(priority, 1, 0, 20)
        };
        let now = CREATED.plus(Span::from_secs(seconds));
        let found = format!("{:?}", after_receipt(&attempt, on_its_way(), now));
        assert!(found.starts_with(expected), "{priority} {seconds}: {found}");
    }
}

#[test]
fn a_wait_beyond_the_limit_is_given_up_at_once() {
    for (after, now) in [(Some(1801), 0), (None, 1800)] {
        let attempt = attempt(Priority::P1, 1, 0, 0);
        let now = CREATED.plus(Span::from_secs(now));
        let next = after_sending(&attempt, retry(after), &LIMITS, now);
        assert!(
            matches!(
                next,
                Next::Settle {
                    fate: Fate::Failed,
                    ..
                }
            ),
            "{next:?}"
        );
    }
}

#[test]
fn at_the_limit_itself_nothing_is_given_up_yet() {
    let attempt = attempt(Priority::P1, 1, 0, 0);
    let next = after_sending(&attempt, retry(Some(1_800)), &LIMITS, CREATED);
    assert!(matches!(next, Next::Again { .. }), "{next:?}");
    let on_its_way = Asked::Accepted {
        reference: ProviderRef("x".to_owned()),
    };
    let told = Attempt {
        overdue: true,
        ..attempt
    };
    let last = CREATED.plus(LAST_LOOK);
    assert!(matches!(
        after_receipt(&told, on_its_way, last),
        Receipt::Look { .. }
    ));
}

#[test]
fn a_provider_that_refused_before_is_no_other_and_where_there_is_one_it_is_the_same() {
    // It has refused already and is asked again: there is nobody beside it.
    let refused = Attempt {
        refusals: 0b01,
        ..attempt(Priority::P1, 2, 0, 0)
    };
    assert_eq!(others(&refused), 0);
    let cannot = Asked::CannotTell {
        reason: String::new(),
    };
    let next = after_asking(&attempt(Priority::P1, 1, 1, 1), cannot, CREATED);
    assert!(matches!(next, Next::Again { by: By::Same, .. }), "{next:?}");
}

#[test]
fn the_timeline_says_what_arrived_what_may_arrive_twice_and_who_stood_in() {
    let again = |possible_repeat, by| Next::Again {
        at: CREATED,
        possible_repeat,
        by,
        reason: "busy".to_owned(),
    };
    let settled = |fate| settled(fate, None, Some("why".to_owned()));
    let ask = Next::Ask {
        at: CREATED,
        reason: String::new(),
    };
    for (next, said) in [
        (
            settled(Fate::Accepted),
            Some((EntryKind::Delivered, "page: accepted by a")),
        ),
        (
            settled(Fate::Delivered),
            Some((EntryKind::Delivered, "page: delivered by a")),
        ),
        (
            settled(Fate::Unknown),
            Some((EntryKind::Unknown, "page: why")),
        ),
        (settled(Fate::Failed), None),
        (
            again(true, By::Other),
            Some((
                EntryKind::Repeated,
                "page is sent again, marked as a possible repeat: busy",
            )),
        ),
        (
            again(false, By::Other),
            Some((
                EntryKind::Diverted,
                "page goes to the next provider: a said busy",
            )),
        ),
        (
            again(false, By::OtherAfterRefusal),
            Some((
                EntryKind::Diverted,
                "page goes to the next provider: a said busy",
            )),
        ),
        (again(false, By::Same), None),
        (ask, None),
    ] {
        let found = entry("page", "a", &next);
        let found = found
            .as_ref()
            .map(|entry| (entry.kind, entry.text.as_str()));
        assert_eq!(found, said, "{next:?}");
    }
}

#[test]
fn an_unknown_outcome_is_asked_about_then_repeated_with_the_mark_or_stopped() {
    let cannot = || Asked::CannotTell {
        reason: String::new(),
    };
    let busy = || Asked::Retry {
        reason: String::new(),
    };
    let table = [
        (Priority::P1, 1, 1, cannot(), "again, marked"),
        (Priority::P2, 2, 1, cannot(), "again, marked"),
        (Priority::P1, 3, 1, cannot(), "unknown"),
        (Priority::P3, 1, 1, cannot(), "unknown"),
        (Priority::P1, 1, 1, Asked::NeverSent, "again"),
        (Priority::P3, 1, 1, Asked::NeverSent, "again"),
        (Priority::P1, 1, 2, busy(), "ask"),
        (Priority::P1, 1, 3, busy(), "again, marked"),
        (Priority::P3, 1, 3, busy(), "unknown"),
    ];
    for (priority, unknowns, asks, asked, expected) in table {
        let attempt = attempt(priority, 1, unknowns, asks);
        let next = after_asking(&attempt, asked.clone(), CREATED);
        let word = match &next {
            Next::Again {
                possible_repeat: true,
                ..
            } => "again, marked",
            Next::Again { .. } => "again",
            Next::Ask { .. } => "ask",
            Next::Settle { fate, .. } => fate.as_str(),
        };
        assert_eq!(word, expected, "{priority} {unknowns} {asks} {asked:?}");
    }
}

#[test]
fn a_fate_never_goes_back() {
    let forward = [
        (Fate::Accepted, Fate::Delivered, true),
        (Fate::Accepted, Fate::Failed, true),
        (Fate::Delivered, Fate::Accepted, false),
        (Fate::Delivered, Fate::Failed, false),
        (Fate::Read, Fate::Delivered, false),
        (Fate::Unknown, Fate::Delivered, true),
        (Fate::Delivered, Fate::Delivered, false),
    ];
    for (current, reported, moves) in forward {
        assert_eq!(
            merge_fate(current, reported).is_some(),
            moves,
            "{current} {reported}"
        );
    }
}

#[test]
fn the_room_counts_only_where_nobody_gets_a_message_of_their_own() {
    let sibling = |personal, fate| Sibling { personal, fate };
    let table = [
        (true, vec![sibling(false, Fate::Accepted)], false),
        (true, vec![sibling(true, Fate::Queued)], true),
        (true, vec![sibling(true, Fate::Failed)], false),
        (false, vec![sibling(true, Fate::Accepted)], true),
        (false, vec![], false),
        (false, vec![sibling(false, Fate::Accepted)], true),
    ];
    for (personal, siblings, lives) in table {
        assert_eq!(
            step_lives(personal, &siblings),
            lives,
            "{personal} {siblings:?}"
        );
    }
}

#[test]
fn a_receipt_is_looked_for_until_it_is_known_or_old() {
    let accepted = || Asked::Accepted {
        reference: super::super::ProviderRef(String::new()),
    };
    let attempt = attempt(Priority::P1, 1, 0, 1);
    let soon = after_receipt(&attempt, accepted(), CREATED);
    assert!(matches!(soon, Receipt::Look { at } if at > CREATED));
    let late = CREATED.plus(Span::from_secs(1801));
    assert_eq!(after_receipt(&attempt, accepted(), late), Receipt::Never);
    let refused = Asked::Refused {
        reason: "switched off".to_owned(),
    };
    let known = after_receipt(&attempt, refused, CREATED);
    assert!(matches!(
        known,
        Receipt::Known {
            fate: Fate::Failed,
            ..
        }
    ));
}
