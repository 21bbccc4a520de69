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
    let gaps = |name: &str| {
        let schedule = Schedule::compile(catalogue.schedules.get(name)?).ok()?;
        Some(schedule.gaps(from, to))
    };
    let targets = policy.steps.iter().flat_map(|step| &step.notify);
    uncovered_by(targets, gaps, (from, to), least)
}

/// The same for the targets of all steps; `gaps` are those of a schedule between `from` and `to`, none where it is not known.
pub fn uncovered_by<'a>(
    targets: impl IntoIterator<Item = &'a StepTarget>,
    gaps: impl Fn(&str) -> Option<Vec<(Timestamp, Timestamp)>>,
    (from, to): (Timestamp, Timestamp),
    least: SignedDuration,
) -> Vec<(Timestamp, Timestamp)> {
    let mut open = vec![(from, to)];
    for target in targets {
        match target {
            StepTarget::Contact(_) | StepTarget::Team(_) | StepTarget::OneOf(_) => {
                return Vec::new();
            }
            StepTarget::AllBefore => {}
            StepTarget::Schedule(name) => {
                if let Some(gaps) = gaps(name) {
                    open = overlap(&open, &gaps);
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
