//! What follows from the outcome of an attempt to deliver.

use super::action::{Entry, EntryKind};
use super::message::{Asked, Outcome, ProviderRef};
use super::words::Fate;
use model::{Priority, Span, Timestamp};

/// After so many attempts whose outcome is unknown, no further one is made.
const MOST_UNKNOWNS: u32 = 3;
/// So often a provider that cannot be asked is asked again.
const MOST_ASKS: u32 = 3;
/// The longest wait between two attempts, unless the provider asks for more.
const LONGEST_WAIT: Span = Span::from_secs(30);

/// The attempt that ended, with what came before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// Priority of the incident when the delivery was decided.
    pub priority: Priority,
    /// How often it was tried, this time included.
    pub attempts: u32,
    /// How often the outcome was unknown, this time included if so.
    pub unknowns: u32,
    /// How often the provider was asked, this time included if so.
    pub asks: u32,
    /// It is already marked as a possible repeat.
    pub possible_repeat: bool,
    /// It has waited too long for its receipt, and the next was told.
    pub overdue: bool,
    /// Which providers have refused it before, a bit each.
    pub refusals: u32,
    /// Which provider made the attempt, from 0.
    pub provider: u32,
    /// How many providers its channel has.
    pub providers: u32,
    /// When it was decided.
    pub created_at: Timestamp,
}

/// Bounds of deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A delivery that could not be made for so long is given up.
    pub give_up_after: Span,
}

/// What is to be done with a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// It has its fate.
    Settle {
        /// Which.
        fate: Fate,
        /// What the provider calls it, if it took it.
        reference: Option<ProviderRef>,
        /// Why, where it did not go well.
        reason: Option<String>,
    },
    /// It is tried again.
    Again {
        /// When.
        at: Timestamp,
        /// With the mark that it may arrive twice.
        possible_repeat: bool,
        /// By whom.
        by: By,
        /// Why.
        reason: String,
    },
    /// The provider is to be asked whether it has it.
    Ask {
        /// When.
        at: Timestamp,
        /// Why.
        reason: String,
    },
}

/// By whom a delivery is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The same provider.
    Same,
    /// The next provider of its channel, because this one is too slow for the urgency.
    Other,
    /// The next provider, because this one refused it.
    OtherAfterRefusal,
}

/// What follows from an outcome.
pub fn after_sending(attempt: &Attempt, outcome: Outcome, limits: &Limits, now: Timestamp) -> Next {
    match outcome {
        Outcome::Accepted { reference } => settled(Fate::Accepted, Some(reference), None),
        Outcome::Delivered { reference } => settled(Fate::Delivered, Some(reference), None),
        Outcome::Refused { reason } if others(attempt) > 0 => Next::Again {
            at: now,
            possible_repeat: attempt.possible_repeat,
            by: By::OtherAfterRefusal,
            reason,
        },
        Outcome::Refused { reason } => settled(Fate::Failed, None, Some(reason)),
        Outcome::Unknown { reason } => Next::Ask { at: now, reason },
        Outcome::Retry { after, reason } => {
            let asked = after.unwrap_or(Span::ZERO).max(back_off(attempt.attempts));
            let (wait, by) = match asked > patience(attempt.priority) {
                true if others(attempt) > 0 => (around(attempt), By::Other),
                _ => (asked, By::Same),
            };
            let at = now.plus(wait);
            if at.since(attempt.created_at) > limits.give_up_after {
                let reason = format!("given up after {} attempts: {reason}", attempt.attempts);
                return settled(Fate::Failed, None, Some(reason));
            }
            Next::Again {
                at,
                possible_repeat: attempt.possible_repeat,
                by,
                reason,
            }
        }
    }
}

/// Whether a delivery that is tried again comes so late that whoever is next must hear now: none of its providers takes it
/// in the time that its urgency leaves. It goes out all the same, and is said to be late once.
pub fn outruns(attempt: &Attempt, next: &Next) -> Option<String> {
    let within = match attempt.priority {
        Priority::P1 => Span::from_secs(60),
        Priority::P2 => Span::from_secs(600),
        Priority::P3 => return None,
    };
    match next {
        Next::Again { at, reason, .. } if !attempt.overdue => {
            let late = at.since(attempt.created_at);
            let priority = attempt.priority;
            (late > within).then(|| {
                format!(
                    "{reason}; it goes out {late} after it was decided, too late for a {priority}"
                )
            })
        }
        _ => None,
    }
}

/// The longest wait for a provider while there is another.
const fn patience(priority: Priority) -> Span {
    match priority {
        Priority::P1 => Span::ZERO,
        Priority::P2 => Span::from_secs(60),
        Priority::P3 => Span::from_secs(600),
    }
}

/// How many other providers there are that have not refused it.
fn others(attempt: &Attempt) -> u32 {
    let out = attempt.refusals | 1_u32.checked_shl(attempt.provider).unwrap_or(0);
    attempt.providers.saturating_sub(out.count_ones())
}

/// The wait before the next provider is tried: none until each has had its turn.
fn around(attempt: &Attempt) -> Span {
    let takers = others(attempt) + 1;
    let rounds = attempt.attempts / takers;
    match attempt.attempts % takers {
        0 => back_off(rounds),
        _ => Span::ZERO,
    }
}

/// What follows from a provider's answer about a delivery whose outcome is unknown.
pub fn after_asking(attempt: &Attempt, asked: Asked, now: Timestamp) -> Next {
    match asked {
        Asked::Accepted { reference } => settled(Fate::Accepted, Some(reference), None),
        Asked::Delivered { reference } => settled(Fate::Delivered, Some(reference), None),
        Asked::Refused { reason } => settled(Fate::Failed, None, Some(reason)),
        Asked::NeverSent => Next::Again {
            at: now,
            possible_repeat: attempt.possible_repeat,
            by: By::Same,
            reason: "the provider never got it".to_owned(),
        },
        Asked::Retry { reason } if attempt.asks < MOST_ASKS => Next::Ask {
            at: now.plus(back_off(attempt.asks)),
            reason: format!("the provider could not be asked: {reason}"),
        },
        Asked::Retry { reason } | Asked::CannotTell { reason } => unknown(attempt, &reason, now),
    }
}

/// Nobody can say whether it arrived: told twice is better than never, but only where somebody must
/// act.
fn unknown(attempt: &Attempt, reason: &str, now: Timestamp) -> Next {
    if attempt.priority == Priority::P3 {
        let reason = format!("it may have arrived, and a P3 is not sent twice: {reason}");
        return settled(Fate::Unknown, None, Some(reason));
    }
    if attempt.unknowns >= MOST_UNKNOWNS {
        let reason = format!("{} attempts may have arrived: {reason}", attempt.unknowns);
        return settled(Fate::Unknown, None, Some(reason));
    }
    let wait = match attempt.unknowns {
        0 | 1 => Span::ZERO,
        more => back_off(more),
    };
    Next::Again {
        at: now.plus(wait),
        possible_repeat: true,
        by: if others(attempt) > 0 {
            By::Other
        } else {
            By::Same
        },
        reason: format!("it may have arrived already: {reason}"),
    }
}

/// What follows from looking for the receipt of an accepted message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Receipt {
    /// It arrived, or will not.
    Known {
        /// Which.
        fate: Fate,
        /// Why, where it did not.
        reason: Option<String>,
    },
    /// Not yet: it is looked for again.
    Look {
        /// When.
        at: Timestamp,
    },
    /// It is missing for so long that whoever is next must hear.
    Overdue {
        /// Why.
        reason: String,
    },
    /// There will be none.
    Never,
}

/// After this an accepted message's receipt is looked for.
pub const FIRST_LOOK: Span = Span::from_secs(3);
/// After this it is looked for no more.
const LAST_LOOK: Span = Span::from_secs(30 * 60);

/// How long an accepted message may be without its receipt before the next is told; with the pause
/// between two looks no more than three minutes for a P1.
const fn receipt_within(priority: Priority) -> Option<Span> {
    match priority {
        Priority::P1 => Some(Span::from_secs(140)),
        Priority::P2 => Some(Span::from_secs(600)),
        Priority::P3 => None,
    }
}

/// What follows from a provider's answer about the receipt of a message that it accepted.
pub fn after_receipt(attempt: &Attempt, asked: Asked, now: Timestamp) -> Receipt {
    match asked {
        Asked::Delivered { .. } => Receipt::Known {
            fate: Fate::Delivered,
            reason: None,
        },
        Asked::Refused { reason } => Receipt::Known {
            fate: Fate::Failed,
            reason: Some(reason),
        },
        Asked::NeverSent | Asked::CannotTell { .. } => Receipt::Never,
        Asked::Accepted { .. } | Asked::Retry { .. }
            if now.since(attempt.created_at) > LAST_LOOK =>
        {
            Receipt::Never
        }
        Asked::Accepted { .. } | Asked::Retry { .. }
            if !attempt.overdue
                && receipt_within(attempt.priority)
                    .is_some_and(|within| now.since(attempt.created_at) > within) =>
        {
            Receipt::Overdue {
                reason: format!(
                    "accepted, and no receipt {} after it was decided",
                    now.since(attempt.created_at)
                ),
            }
        }
        Asked::Accepted { .. } | Asked::Retry { .. } => Receipt::Look {
            at: now.plus(back_off(attempt.asks.max(2))),
        },
    }
}

fn settled(fate: Fate, reference: Option<ProviderRef>, reason: Option<String>) -> Next {
    Next::Settle {
        fate,
        reference,
        reason,
    }
}

/// 1 s, 2 s, 4 s, ... up to 30 s.
fn back_off(attempts: u32) -> Span {
    let doubled = Span::from_secs(1).times(1 << attempts.saturating_sub(1).min(10));
    doubled.min(LONGEST_WAIT)
}

/// The fate after a later word of the provider; none when it says nothing new. A fate never goes
/// back.
pub fn merge_fate(current: Fate, reported: Fate) -> Option<Fate> {
    let rank = |fate| match fate {
        Fate::Queued => 0,
        Fate::Sending => 1,
        Fate::Unknown => 2,
        Fate::Accepted => 3,
        Fate::Failed => 4,
        Fate::Delivered => 5,
        Fate::Read => 6,
        Fate::Answered => 7,
    };
    (rank(reported) > rank(current)).then_some(reported)
}

/// Another message of the step that a failed one belonged to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sibling {
    /// It goes to a person, not to a room.
    pub personal: bool,
    /// What became of it.
    pub fate: Fate,
}

/// Whether a step may still reach, or has reached, somebody when one of its messages (`personal` or
/// not) failed. Where people were to get messages of their own, the room does not count.
pub fn step_lives(personal: bool, siblings: &[Sibling]) -> bool {
    let people = personal || siblings.iter().any(|sibling| sibling.personal);
    siblings
        .iter()
        .filter(|sibling| sibling.personal || !people)
        .any(|sibling| !matches!(sibling.fate, Fate::Failed | Fate::Unknown))
}

/// What the timeline says of the next thing to be done with a delivery; none for what its own
/// record shows well enough.
pub fn entry(what: &str, provider: &str, next: &Next) -> Option<Entry> {
    let (kind, text) = match next {
        Next::Settle {
            fate: fate @ (Fate::Accepted | Fate::Delivered | Fate::Read | Fate::Answered),
            ..
        } => (
            EntryKind::Delivered,
            format!("{what}: {fate} by {provider}"),
        ),
        Next::Settle {
            fate: Fate::Unknown,
            reason,
            ..
        } => {
            let reason = reason.as_deref().unwrap_or_default();
            (EntryKind::Unknown, format!("{what}: {reason}"))
        }
        Next::Again {
            possible_repeat: true,
            reason,
            ..
        } => (
            EntryKind::Repeated,
            format!("{what} is sent again, marked as a possible repeat: {reason}"),
        ),
        Next::Again {
            by: By::Other | By::OtherAfterRefusal,
            reason,
            ..
        } => (
            EntryKind::Diverted,
            format!("{what} goes to the next provider: {provider} said {reason}"),
        ),
        // A failure is told by the incident's own step.
        Next::Settle { .. } | Next::Again { .. } | Next::Ask { .. } => return None,
    };
    Some(Entry {
        kind,
        actor: None,
        text,
    })
}

#[cfg(test)]
mod tests;
