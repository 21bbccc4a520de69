//! The policy: who is paged when, who is skipped and why, and who hears of the end.

use super::action::{AlarmKind, EntryKind};
use super::around::HOST_DOWN;
use super::directory::RouteTo;
use super::duty::Moment;
use super::hold::HoldKind;
use super::incident::{Escalation, Target, Told};
use super::matcher::Labels;
use super::message::{Purpose, Recipient};
use super::own_rules::ways;
use super::people::{Promised, Reach, reach};
use super::silence::SilenceKind;
use super::step::Turn;
use super::words::ChannelKind;
use model::{Priority, Span};

/// No configuration makes a call to everyone a flood.
const LEAST_WAIT: Span = Span::from_secs(1);

/// Where a routing rule leads, for the timeline.
fn way(to: Option<&RouteTo>) -> String {
    match to {
        Some(RouteTo::Policy(name)) => format!("it goes to the policy `{name}`"),
        Some(RouteTo::Step(policy)) => {
            let targets = policy.steps.iter().flat_map(|step| &step.notify);
            let names: Vec<String> = targets.map(ToString::to_string).collect();
            format!("it goes to {}", names.join(", "))
        }
        Some(RouteTo::Nobody) | None => "nobody is told; it is only recorded".to_owned(),
    }
}

impl Turn<'_> {
    /// Begins the policy anew: at once, after a moment in which another incident may explain this
    /// one, or not at all when one does.
    pub(super) fn begin_policy(&mut self, opening: Purpose) {
        self.incident.escalation = Escalation {
            opening,
            ..Escalation::idle()
        };
        if self.waits_a_moment() || self.is_held_back() {
            return;
        }
        self.page_now(opening);
    }

    /// Whether the first page waits: a host's silence for its tenant's, the first of a group for
    /// the others.
    fn waits_a_moment(&mut self) -> bool {
        let care = self.route.directory.care.get(&self.incident.tenant);
        let grouping = care.and_then(|care| care.grouping.as_ref());
        self.incident.grouped_by = grouping.and_then(|grouping| self.incident.group_of(grouping));
        let of_group = grouping
            .filter(|_| self.incident.grouped_by.is_some())
            .filter(|_| self.incident.priority < Priority::P1)
            .filter(|_| self.route.around.leader.is_none())
            .map_or(Span::ZERO, |grouping| grouping.wait);
        let down = self.incident.template == HOST_DOWN;
        let of_host = if down {
            self.life.host_down_waits
        } else {
            Span::ZERO
        };
        let (wait, why) = if of_host >= of_group {
            (
                of_host,
                "a host's silence waits for the word that its whole tenant is silent",
            )
        } else {
            (of_group, "the first of its group waits for others")
        };
        if wait <= Span::ZERO {
            return false;
        }
        self.hold(HoldKind::Waits, None, self.now.plus(wait), why);
        self.record(EntryKind::Waits, format!("waits {wait}: {why}"));
        true
    }

    /// Begins the policy from its first step.
    pub(super) fn page_now(&mut self, opening: Purpose) {
        let care = self.route.directory.care.get(&self.incident.tenant);
        let grouping = care.and_then(|care| care.grouping.as_ref());
        let grouped = grouping.filter(|_| self.incident.grouped_by.is_some());
        self.incident.digest_at = grouped.map(|grouping| self.now.plus(grouping.interval));
        if let Some(rule) = self.route.rule {
            let chosen = care.and_then(|care| care.routing.get(rule.checked_sub(1)?));
            let to = way(chosen.map(|rule| &rule.to));
            self.record(
                EntryKind::Routed,
                format!("routing rule {rule} of the tenant: {to}"),
            );
        }
        if self.route.nobody {
            return;
        }
        if let Some(problem) = self.route.problem {
            let text = problem.to_string();
            self.record(EntryKind::Misconfigured, text.clone());
            self.alarm(AlarmKind::Misconfigured, text);
        }
        let steps = self.route.policy.map_or(&[][..], |policy| &policy.steps);
        let first = steps.first().and_then(|step| step.after);
        self.incident.escalation = Escalation {
            opening,
            target: Some(Target::Step(0)),
            at: Some(self.now.plus(first.unwrap_or(Span::ZERO))),
            ..Escalation::idle()
        };
        self.run_policy();
    }

    /// Tells whoever is due. A step that reaches nobody gives way to the next at once, within one
    /// round.
    pub(super) fn run_policy(&mut self) {
        // Every branch moves the time on, or the target towards "everyone", which moves the time
        // on.
        while self.incident.escalation.at.is_some_and(|at| at <= self.now) {
            if self.is_held_back() || self.is_silenced() || self.waits_for_the_morning() {
                return;
            }
            match self.incident.escalation.target {
                Some(Target::Step(position)) => self.run_step(position),
                Some(Target::Everyone) => self.run_out(),
                None => {
                    self.incident.escalation.at = None;
                    self.record(EntryKind::Skipped, "nobody is left to escalate to");
                }
            }
        }
    }

    /// What is due while a silence or a maintenance window holds waits for its end. Who heard of the firing hears of
    /// the end all the same.
    fn is_silenced(&mut self) -> bool {
        let labels = Labels::from(&*self.incident);
        let Some(quiet) = self.route.silences.quiet(&labels, self.now) else {
            self.incident.escalation.held = false;
            return false;
        };
        let kind = match quiet.silence.spec.kind {
            SilenceKind::Silence => EntryKind::Silenced,
            SilenceKind::Maintenance => EntryKind::Maintenance,
        };
        let text = quiet.reason(self.now);
        self.incident.escalation.at = Some(quiet.until);
        self.incident.escalation.held = true;
        self.record(kind, text);
        true
    }

    /// Out of the hours of the tenant's contract only a P1 pages; the rest waits until they begin.
    fn waits_for_the_morning(&mut self) -> bool {
        if self.incident.priority == Priority::P1 {
            return false;
        }
        let tenant = &self.incident.tenant;
        let Some(opens) = self.route.directory.roster.opens_at(tenant, self.now) else {
            return false;
        };
        self.incident.escalation.at = Some(opens);
        // Nobody reads milliseconds; a part of a second counts as a whole one.
        let wait = Span::from_secs((opens.since(self.now).as_millis() + 999) / 1_000);
        let priority = self.incident.priority;
        let text = format!(
            "out of the hours of the contract (8x5): a {priority} waits {wait}, until they begin"
        );
        self.record(EntryKind::OutOfHours, text);
        true
    }

    fn run_step(&mut self, position: u32) {
        let policy = self.route.policy;
        let Some(step) = policy.and_then(|policy| policy.steps.get(position as usize)) else {
            // The policy is gone, or was cut shorter than where it stood.
            self.incident.escalation.target = Some(Target::Everyone);
            return;
        };
        let steps = policy.map_or(0, |policy| policy.steps.len());
        let round = self.incident.escalation.round;
        let nth = u32::try_from(steps)
            .ok()
            .and_then(|steps| steps.checked_mul(round));
        let moment = Moment {
            now: self.now,
            incident: &self.incident.id.to_string(),
            nth: Some(nth.unwrap_or(0).saturating_add(position)),
        };
        let found = reach(self.route, [step], self.incident.priority, moment);
        let name = format!("step {}", position + 1);
        let told_before = found.all_before && self.incident.told.iter().any(Told::is_a_person);
        let reached = found.reaches_somebody() || told_before;
        let first = !self.incident.escalation.paged;
        let purpose = if first {
            self.incident.escalation.opening
        } else {
            Purpose::Escalated
        };
        self.note_missing(&name, &found);
        if reached || (first && found.room.is_some()) {
            let also = match purpose {
                _ if found.all_before => self.incident.told.clone(),
                Purpose::Raised => self.incident.told.clone(),
                _ => Vec::new(),
            };
            self.page(purpose, &name, found, also);
        }
        if !reached {
            let text = format!("{name} reaches nobody: skipped at once");
            self.record(EntryKind::Skipped, text.clone());
            self.alarm(AlarmKind::NobodyReached, text);
        }
        self.schedule_after(position, reached);
    }

    /// Sets who is next after the step, and when.
    fn schedule_after(&mut self, position: u32, reached: bool) {
        let steps = self.route.policy.map_or(&[][..], |policy| &policy.steps);
        let repeat = self.route.policy.map_or(0, |policy| policy.repeat);
        let within = self.route.within(self.incident.priority);
        let escalation = &mut self.incident.escalation;
        let next = steps.get(position as usize + 1);
        let (target, wait) = match (next, within) {
            // A P3 does not escalate, but what reaches nobody gives way to the next step.
            (_, None) if reached => (None, None),
            (None, None) => (None, None),
            (Some(step), _) => {
                let wait = step.after.or(within).filter(|_| reached);
                (Some(Target::Step(position + 1)), wait.or(Some(Span::ZERO)))
            }
            (None, Some(within)) if escalation.round < repeat && escalation.paged => {
                escalation.round += 1;
                // Even when the last step was skipped: a round must not turn into a spin.
                (Some(Target::Step(0)), Some(within))
            }
            (None, Some(within)) => {
                let wait = if reached { within } else { Span::ZERO };
                (Some(Target::Everyone), Some(wait))
            }
        };
        escalation.target = target;
        escalation.at = wait.map(|wait| self.now.plus(wait));
    }

    /// Nobody acknowledged: tells everyone in the policy. A P1 is told again until somebody acts.
    fn run_out(&mut self) {
        let steps = self.route.policy.map_or(&[][..], |policy| &policy.steps);
        let moment = Moment {
            now: self.now,
            incident: &self.incident.id.to_string(),
            nth: None,
        };
        let found = reach(self.route, steps, self.incident.priority, moment);
        let reached = found.reaches_somebody() || found.room.is_some();
        let (priority, known) = (self.incident.priority, self.incident.escalation.nobody);
        self.incident.escalation.target = Some(Target::Everyone);
        self.incident.escalation.nobody = !reached;
        if reached {
            let again = priority == Priority::P1;
            let text = if again {
                "the policy ran out and nobody acknowledged: everyone is told, \
                 and again until somebody acts"
            } else {
                "the policy ran out and nobody acknowledged: everyone is told a last time"
            };
            self.record(EntryKind::RanOut, text);
            self.page(Purpose::RanOut, "everyone", found, Vec::new());
            // The last call keeps its own pace, whatever becomes of its messages.
            self.incident.escalation.step_revision = None;
            let wait = self.life.ran_out_again.max(LEAST_WAIT);
            self.incident.escalation.at = again.then(|| self.now.plus(wait));
            if !again {
                self.incident.escalation.target = None;
            }
            return;
        }
        let text = format!("a {priority} could reach nobody at all");
        if !known {
            self.note_missing("everyone", &found);
            let again = self.life.nobody_again;
            self.record(
                EntryKind::Skipped,
                format!("{text}; tried again every {again}"),
            );
        }
        self.alarm(AlarmKind::NobodyReached, text);
        self.incident.escalation.at = Some(self.now.plus(self.life.nobody_again.max(LEAST_WAIT)));
    }

    /// Records and sends a page to all that were found, and to those in `also`.
    fn page(&mut self, purpose: Purpose, name: &str, found: Reach, also: Vec<Told>) {
        let because = found.because.iter().cloned().chain(found.promises());
        let because = because.collect::<Vec<_>>().join("; ");
        let mut to = Vec::with_capacity(found.personal.len() + also.len() + 1);
        to.extend(found.room.map(|recipient| Told {
            channel: ChannelKind::Chat,
            recipient,
        }));
        to.extend(self.route.rooms());
        for told in found.personal.into_iter().chain(also) {
            let again = |have: &Told| {
                have.channel == told.channel && have.recipient.address == told.recipient.address
            };
            if !to.iter().any(again) {
                to.push(told);
            }
        }
        let mut text = format!("{name}: {} by {}", purpose.as_str(), names(&to));
        if !because.is_empty() {
            text = format!("{text} ({because})");
        }
        self.record(EntryKind::Page, text);
        for told in to {
            let mentions = if told.recipient.contact.is_none() {
                found.mentions.clone()
            } else {
                Vec::new()
            };
            self.send(purpose, told, mentions, None);
        }
        for Promised { contact, later, .. } in &found.later {
            self.promise(purpose, contact, later);
        }
        self.incident.escalation.paged = true;
        self.incident.escalation.step_revision = Some(self.incident.revision);
    }

    fn note_missing(&mut self, name: &str, found: &Reach) {
        if found.missing.is_empty() {
            return;
        }
        let text = format!("{name}: {}", found.missing.join("; "));
        self.record(EntryKind::Skipped, text.clone());
        self.alarm(AlarmKind::Misconfigured, text);
    }

    /// Asks the owner of an acknowledgement that ran out. False when nobody could be asked.
    pub(super) fn ask_owner(&mut self, contact: Option<&str>) -> bool {
        let labels = Labels::from(&*self.incident);
        if self.route.silences.quiet(&labels, self.now).is_some() {
            return false;
        }
        contact.is_some_and(|contact| self.page_person(Purpose::AckRanOut, contact, None))
    }

    /// Pages one contact by the channels of the priority. False when there is no way to them.
    pub(super) fn page_person(
        &mut self,
        purpose: Purpose,
        contact: &str,
        note: Option<String>,
    ) -> bool {
        let Some(person) = self.route.directory.people.get(contact) else {
            return false;
        };
        let priority = self.incident.priority;
        let of_policy = self
            .route
            .policy
            .map_or(&[][..], |policy| policy.channels(priority));
        let of_policy = of_policy.iter().copied().collect();
        let ways = ways(self.route.directory, person, priority, &of_policy);
        let to: Vec<Told> = ways
            .now
            .iter()
            .filter(|channel| self.route.directory.channels.contains(channel))
            .filter_map(|channel| {
                person.recipient(contact, *channel).map(|recipient| Told {
                    channel: *channel,
                    recipient,
                })
            })
            .collect();
        if to.is_empty() {
            return false;
        }
        let text = match purpose {
            Purpose::AckRanOut => {
                format!("asked whether it is still in hand: {}", names(&to))
            }
            _ => format!("{} by {}", purpose.as_str(), names(&to)),
        };
        self.record(EntryKind::Page, text);
        for told in to {
            self.send(purpose, told, Vec::new(), note.clone());
        }
        self.promise(purpose, contact, &ways.later);
        true
    }

    /// The leader of a group tells of those that joined it.
    pub(super) fn digest(&mut self) {
        let care = self.route.directory.care.get(&self.incident.tenant);
        let grouping = care.and_then(|care| care.grouping.as_ref());
        self.incident.digest_at = grouping.map(|grouping| self.now.plus(grouping.interval));
        let news = &self.route.around.news;
        let told = self.incident.told.clone();
        if news.joined == 0 || told.is_empty() {
            return self.keep();
        }
        let text = news.told(grouping.map_or(u32::MAX, |grouping| grouping.cap));
        self.record(
            EntryKind::Digest,
            format!("{text}; told to {}", names(&told)),
        );
        for told in told {
            self.send(Purpose::Digest, told, Vec::new(), Some(text.clone()));
        }
    }

    /// Who was told of the firing is told of the end.
    pub(super) fn tell_the_end(&mut self, purpose: Purpose) {
        let told = std::mem::take(&mut self.incident.told);
        if told.is_empty() {
            return;
        }
        self.record(
            EntryKind::Notice,
            format!("{} is told to {}", purpose.as_str(), names(&told)),
        );
        for told in told {
            self.send(purpose, told, Vec::new(), None);
        }
    }

    /// Tells the rooms that follow the incident.
    pub(super) fn tell_rooms(&mut self, purpose: Purpose, note: Option<String>) {
        let rooms: Vec<Told> = self
            .incident
            .told
            .iter()
            .filter(|told| told.channel.is_kept_up_to_date() || !told.is_a_person())
            .cloned()
            .collect();
        for told in rooms {
            self.send(purpose, told, Vec::new(), note.clone());
        }
    }

    pub(super) fn stop_escalation(&mut self) {
        self.incident.escalation = Escalation {
            opening: self.incident.escalation.opening,
            ..Escalation::idle()
        };
    }

    /// A page of that revision reached nobody: whoever is next in this round is told now.
    ///
    /// Where the own rules of somebody in it went on to their next channel, that is waited for instead.
    pub(super) fn nobody_of_step_reached(&mut self, revision: u64, goes_on: bool) {
        let now_revision = self.incident.revision;
        let escalation = &mut self.incident.escalation;
        let waits = escalation.at.is_some_and(|at| at > self.now);
        let within_round = match escalation.target {
            // A round that begins again keeps its pace; who was asked before the first step does not.
            Some(Target::Step(position)) => position > 0 || escalation.round == 0,
            Some(Target::Everyone) => true,
            None => false,
        };
        if escalation.step_revision == Some(revision) && goes_on {
            escalation.step_revision = Some(now_revision);
            return;
        }
        if escalation.step_revision == Some(revision) && waits && within_round {
            escalation.at = Some(self.now);
            let text = "none of the step's messages could be delivered: escalated at once";
            self.record(EntryKind::Skipped, text);
            self.run_policy();
        }
    }
}

/// People and rooms for a sentence: `chat #ops, sms Kim`.
fn names(to: &[Told]) -> String {
    let one = |told: &Told| {
        let Recipient { name, .. } = &told.recipient;
        format!("{} {name}", told.channel)
    };
    to.iter().map(one).collect::<Vec<_>>().join(", ")
}
