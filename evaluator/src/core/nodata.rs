//! What missing data means for a group: the no-data policy, its life, its expiry.

use super::clock::HostClock;
use super::group::{Group, Life, Seldom};
use super::plan::Rule;
use model::{Span, Timestamp};
use schemas::catalogue::WhenMissing;

/// What the policy says at a grid point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing changes.
    Nothing,
    /// The data is missing for long enough, and the policy ends the incident.
    Resolve,
    /// The group is forgotten.
    Expired,
}

/// Judges the absence of data at the grid point `at`.
pub(crate) fn judge(
    group: &mut Group,
    rule: &Rule,
    unknown: bool,
    at: Timestamp,
    clock: &HostClock,
    log: Timestamp,
) -> Verdict {
    if silence(group, rule, at, clock, log) >= rule.expire_after {
        return Verdict::Expired;
    }
    if !unknown {
        group.unknown_since = Seldom::default();
        group.missing = None;
        group.life = Life::Live;
        return Verdict::Nothing;
    }
    let since = group.unknown_since.get().unwrap_or(at);
    group.unknown_since = Seldom::of(since);
    if group.life != Life::Live || !is_missing(group, rule, since, at, clock, log) {
        return Verdict::Nothing;
    }
    group.life = Life::Silent;
    match rule.when_missing {
        WhenMissing::Priority(priority) => {
            group.missing = Some(priority);
            Verdict::Nothing
        }
        WhenMissing::Resolve => Verdict::Resolve,
        WhenMissing::FollowHostDown | WhenMissing::Fine => Verdict::Nothing,
    }
}

/// How long nothing was heard of the group, by its own time and by log time: a leap of event time
/// alone is an outage of what lies between, not silence.
fn silence(group: &Group, rule: &Rule, at: Timestamp, clock: &HostClock, log: Timestamp) -> Span {
    if rule.is_silence() {
        at.since(clock.heard_event).min(clock.silence(log))
    } else {
        at.since(group.newest).min(log.since(group.heard_log))
    }
}

/// Whether the policy decides now: Unknown for 3 intervals, without data for `missing_after`, on a
/// host that lives. The missing data of a host that is down is the host's.
fn is_missing(
    group: &Group,
    rule: &Rule,
    since: Timestamp,
    at: Timestamp,
    clock: &HostClock,
    log: Timestamp,
) -> bool {
    let long_enough = rule
        .missing_after
        .unwrap_or(Span::ZERO)
        .max(rule.intervals(3));
    let host_lives = at.since(clock.heard_event) <= rule.intervals(1);
    // A host that sent nothing says nothing; the end of an incident needs no living host.
    let heard = host_lives || rule.when_missing == WhenMissing::Resolve;
    heard
        && at.since(since) >= rule.intervals(3)
        && silence(group, rule, at, clock, log) >= long_enough
}
