//! Whether an escalation policy reaches somebody at every hour.

use super::compile::Schedule;
use jiff::{SignedDuration, Timestamp};
use schemas::catalogue::{Catalogue, EscalationPolicy, StepTarget};

/// Spans of at least `least` between `from` and `to` in which no step of the policy means anybody. A contact or a team is
/// always there; a schedule where somebody is on call in it.
pub fn uncovered(
    catalogue: &Catalogue,
    policy: &EscalationPolicy,
    (from, to): (Timestamp, Timestamp),
    least: SignedDuration,
) -> Vec<(Timestamp, Timestamp)> {
    let mut open = vec![(from, to)];
    for target in policy.steps.iter().flat_map(|step| &step.notify) {
        match target {
            StepTarget::Contact(_) | StepTarget::Team(_) | StepTarget::OneOf(_) => {
                return Vec::new();
            }
            StepTarget::AllBefore => {}
            StepTarget::Schedule(name) => {
                let declared = catalogue.schedules.get(name);
                if let Some(schedule) = declared.and_then(|s| Schedule::compile(s).ok()) {
                    open = overlap(&open, &schedule.gaps(from, to));
                }
            }
        }
    }
    open.retain(|(from, to)| to.duration_since(*from) >= least);
    open
}

/// What two lists of spans have in common; both rise.
fn overlap(
    one: &[(Timestamp, Timestamp)],
    other: &[(Timestamp, Timestamp)],
) -> Vec<(Timestamp, Timestamp)> {
    let pairs = one
        .iter()
        .flat_map(|a| other.iter().map(move |b| (a.0.max(b.0), a.1.min(b.1))));
    pairs.filter(|(from, to)| from < to).collect()
}
