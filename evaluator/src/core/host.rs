//! One host: its clock and its groups.

use super::across::has_members_only;
use super::clock::{HostClock, LogClock};
use super::group::{Group, GroupKey};
use super::groups::Groups;
use super::input::{Action, Finding, FindingKind, Input, Outcome, Tally};
use super::judge::{Judged, Scene, grid_point, retire};
use super::plan::{Chosen, Plan, Resolved, Rule, TemplatePlan};
use super::position::Position;
use super::skew::Skew;
use super::tags::Tags;
use super::usage::{TENANT, Usage};
use model::{Span, TenantId, Timestamp};
use std::sync::Arc;

/// A host without groups is forgotten after this time.
const FORGET_AFTER: Span = Span::from_secs(86_400);

/// One step in the making: what holds while a record is applied, and what follows from it.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    pub(crate) tenant: &'a TenantId,
    pub(crate) partition: u32,
    pub(crate) plan: Arc<Plan>,
    pub(crate) offset: i64,
    pub(crate) arrival: Timestamp,
    pub(crate) log: Timestamp,
    /// The log before this record.
    pub(crate) position: Arc<Position>,
    pub(crate) outcome: Outcome,
}

impl<'a> Run<'a> {
    pub(crate) fn new(
        (tenant, partition): (&'a TenantId, u32),
        plan: Arc<Plan>,
        input: Input<'_>,
        position: Arc<Position>,
        outcome: Outcome,
    ) -> Self {
        Self {
            tenant,
            partition,
            plan,
            offset: input.offset,
            arrival: input.arrival,
            log: position.log.now(),
            position,
            outcome,
        }
    }

    pub(crate) fn scene(&self, (clock, clock_step): (HostClock, u32)) -> Scene<'_> {
        Scene {
            tenant: self.tenant,
            partition: self.partition,
            arrival: self.arrival,
            log: self.log,
            clock,
            clock_step,
            lateness: self.plan.lateness(),
            stride: LogClock::stride(self.plan.tick()),
        }
    }

    /// Takes what was judged. A missing `env` is told once per group, with its first event.
    pub(crate) fn take(&mut self, host: &str, group: &mut Group, judged: Judged) {
        let Some(event) = judged.event else { return };
        if event.env.is_none() && !group.env_told && host != TENANT {
            group.env_told = true;
            self.outcome.actions.push(Action::Find(Finding {
                kind: FindingKind::MissingTag,
                host: Some(host.to_owned()),
                detail: format!(
                    "points of host {host} for template {} lack the tag env, \
                     so no environment caps its priority",
                    event.template
                ),
                offset: self.offset,
            }));
        }
        self.outcome.actions.push(Action::Emit(event));
    }
}

/// The state of a host.
#[derive(Debug, Clone)]
pub(crate) struct Host {
    pub(crate) clock: HostClock,
    pub(crate) skew: Skew,
    pub(crate) groups: Groups,
    /// Which tags of the tenant's standard its points have had, one bit each.
    pub(crate) tags_seen: u8,
    /// What was counted of the tenant; of the host that stands for it only.
    pub(crate) usage: Option<Box<Usage>>,
    /// In how many parts it is saved: 2 to this power.
    pub(crate) depth: u8,
    /// What the host's clock shows when its next grid point closes.
    pub(crate) due: Timestamp,
    /// A group has come, or has another grid: `due` must be found again.
    pub(crate) due_is_new: bool,
    /// Its place in the queue of timers: when it is looked at, at the latest when it is due.
    pub(crate) scheduled: Option<Timestamp>,
    /// It has changes that the ledger knows of.
    pub(crate) unsaved: bool,
}

impl Host {
    pub(crate) fn new(clock: HostClock, skew: Skew, depth: u8) -> Self {
        let mut host = Self {
            clock,
            skew,
            groups: Groups::default(),
            tags_seen: 0,
            usage: None,
            depth,
            due: clock.heard_event,
            due_is_new: false,
            scheduled: None,
            unsaved: false,
        };
        host.find_due(Span::ZERO);
        host
    }

    /// Finds when the next grid point closes, or when the host is forgotten.
    pub(crate) fn find_due(&mut self, lateness: Span) {
        self.due_is_new = false;
        let closes = self
            .groups
            .iter()
            .filter_map(|(_, group)| closes(group, lateness));
        // What stands for the tenant is never forgotten.
        let forgotten = match self.usage {
            Some(_) => Timestamp::from_nanos(i64::MAX),
            None => self.clock.heard_event.plus(FORGET_AFTER),
        };
        self.due = closes.min().unwrap_or(forgotten);
    }

    /// The same, where a point may have changed it.
    pub(crate) fn find_due_of_new(&mut self, lateness: Span) {
        if self.due_is_new || self.groups.is_empty() {
            self.find_due(lateness);
        }
    }

    /// Its clock, and how often a jump of it was adopted.
    pub(crate) fn time(&self) -> (HostClock, u32) {
        (self.clock, self.skew.step)
    }

    /// Its clock has jumped, to `at`, and stays there. Partial windows are dropped; latches, `for`
    /// and sequence numbers stay.
    pub(crate) fn adopt_clock(&mut self, name: &str, at: Timestamp, run: &mut Run<'_>) {
        let by = at.since(self.clock.at(run.log));
        self.clock = HostClock {
            newest: Some(at),
            heard_event: at,
            heard_log: run.log,
        };
        for group in self.groups.values_mut() {
            group.step_clock(by, at);
        }
        self.find_due(run.plan.lateness());
        run.outcome.actions.push(Action::Find(Finding {
            kind: FindingKind::ClockSkew,
            host: Some(name.to_owned()),
            detail: format!(
                "the clock of host {name} jumped by {by} and stays there: {} from the log's; \
                 its windows begin again. Check its time service (NTP)",
                at.since(run.arrival)
            ),
            offset: run.offset,
        }));
    }

    /// When it is due, in log time.
    pub(crate) fn deadline(&self) -> Timestamp {
        self.clock.log_time_of(self.due)
    }

    /// Whether nothing is known of it any more.
    pub(crate) fn is_forgotten(&self, log: Timestamp) -> bool {
        self.usage.is_none() && has_members_only(self) && self.clock.silence(log) >= FORGET_AFTER
    }

    /// Whether nothing was heard of it for longer than the host-down rule that holds for it allows.
    pub(crate) fn is_down(&self, name: &str, run: &Run<'_>) -> bool {
        let silence = self.clock.silence(run.log);
        // So it is with nearly every point, and nothing is looked up.
        silence > run.plan.host_down_least() && silence > self.down_after(name, run)
    }

    /// After how long without a point it is down: the shortest of what its host-down rules say, their
    /// overrides included.
    fn down_after(&self, name: &str, run: &Run<'_>) -> Span {
        let of_template = |template: &TemplatePlan| {
            let key = GroupKey {
                template: Arc::clone(template.name()),
                tags: Tags::of([("host", name)]),
            };
            if let Some(rule) = self.groups.get(&key).and_then(|group| group.rule.as_ref()) {
                return rule.silence_threshold();
            }
            let tags = [("host", name)];
            let chosen = Chosen {
                tenant: run.tenant,
                tags: &tags,
            };
            let rule = template
                .matches(&tags)
                .then(|| template.resolve(chosen).rule);
            rule.and_then(|rule| rule.silence_threshold())
        };
        let down_after = run.plan.of_silence().filter_map(of_template).min();
        down_after.unwrap_or_else(|| run.plan.host_down_after().max(self.three_intervals()))
    }

    /// 3 intervals of what it sends most often.
    fn three_intervals(&self) -> Span {
        let rules = self
            .groups
            .iter()
            .filter_map(|(_, group)| group.rule.as_ref());
        let shortest = rules.map(|rule| rule.interval).min();
        shortest.map_or(Span::ZERO, |interval| interval.times(3))
    }

    /// Judges all grid points that the host's clock has closed.
    pub(crate) fn judge_closed(&mut self, name: &str, run: &mut Run<'_>) {
        while self.due <= self.clock.at(run.log) && !self.groups.is_empty() {
            self.judge_due(name, run);
        }
    }

    /// Judges the grid points that close next, in the order (template, group).
    pub(crate) fn judge_due(&mut self, name: &str, run: &mut Run<'_>) {
        let lateness = run.plan.lateness();
        let (due, clock) = (self.due, self.time());
        self.groups.retain(|key, group| {
            if closes(group, lateness) != Some(due) {
                return true;
            }
            let Some(rule) = group.rule.clone() else {
                return true;
            };
            let judged = grid_point(group, &key.tags, &rule, &run.scene(clock));
            let stays = !judged.gone;
            run.take(name, group, judged);
            stays
        });
        self.find_due(lateness);
    }

    /// Takes the plan up: each group gets its rule; groups whose template is gone are closed.
    pub(crate) fn adopt(&mut self, name: &str, run: &mut Run<'_>) {
        let plan = Arc::clone(&run.plan);
        let clock = self.time();
        self.groups.retain(|key, group| {
            let Some(template) = plan.template(&key.template) else {
                if let Some(rule) = group.rule.take() {
                    let event = retire(group, &key.tags, &rule, &run.scene(clock));
                    run.take(name, group, Judged { event, gone: true });
                }
                return false;
            };
            let open = group.incident().is_some() && name != TENANT;
            if let Some(rule) = group.rule.clone().filter(|_| template.spans() && open) {
                // What was told of this host is told of its group from here on.
                let event = retire(group, &key.tags, &rule, &run.scene(clock));
                run.take(name, group, Judged { event, gone: true });
                *group = Group::new(template.base(), group.newest, run.log);
            }
            adopt_rule(group, key, template, run);
            true
        });
        self.find_due(plan.lateness());
    }
}

/// What the host's clock shows when the group's next grid point closes.
fn closes(group: &Group, lateness: Span) -> Option<Timestamp> {
    // A group without a host is judged when its reports are complete.
    let rule = group.rule.as_ref().filter(|rule| !rule.spans)?;
    Some(group.next(rule.every).plus(lateness))
}

/// Gives a group the rule that its tags choose under the plan in force.
pub(crate) fn adopt_rule(
    group: &mut Group,
    key: &GroupKey,
    template: &TemplatePlan,
    run: &mut Run<'_>,
) -> Arc<Rule> {
    let tags: Vec<(&str, &str)> = key.tags.iter().chain(group.context()).collect();
    let Resolved { rule, conflict } = template.resolve(Chosen {
        tenant: run.tenant,
        tags: &tags,
    });
    run.outcome
        .tallies
        .add(Tally::OverrideConflict, u64::from(conflict));
    group.adopt(Arc::clone(&rule));
    rule
}
