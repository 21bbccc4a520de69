//! A person's own rules: by which channels a page of each urgency reaches them at once, and by which later, as long as nobody
//! has the incident. The next step of the policy does not cancel what is still to come.

use super::action::{Action, EntryKind};
use super::directory::{Directory, Person};
use super::incident::{Incident, Told};
use super::matcher::Labels;
use super::message::Purpose;
use super::silence::SilenceKind;
use super::step::Turn;
use super::words::{ChannelKind, Status};
use model::{Priority, Span, Timestamp};
use std::collections::BTreeSet;

/// A silence that holds a follow-up may be ended by hand: it is looked at again this often.
const LOOK_AGAIN: Span = Span::from_secs(60);

/// One of a person's own rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnRule {
    /// By these channels.
    pub by: Vec<ChannelKind>,
    /// So long after the page.
    pub after: Span,
}

/// A message of a person's own rules that is still to come.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FollowUp {
    /// When.
    pub at: Timestamp,
    /// To whom.
    pub contact: String,
    /// How.
    pub channel: ChannelKind,
    /// Why they were paged.
    pub purpose: Purpose,
    /// A silence holds it, and the timeline says so.
    pub held: bool,
}

/// How a page reaches a person.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Ways {
    /// At once.
    pub(super) now: BTreeSet<ChannelKind>,
    /// So long after it.
    pub(super) later: Vec<(ChannelKind, Span)>,
    /// What of their own rules cannot be done, and why.
    pub(super) missing: Vec<String>,
}

/// How a page of that priority reaches a person: by their own rules, or by the channels of the policy where they have none, or where
/// none of those that should be first can reach them.
pub(super) fn ways(
    directory: &Directory,
    person: &Person,
    priority: Priority,
    of_policy: &BTreeSet<ChannelKind>,
) -> Ways {
    let mut ways = Ways::default();
    let rules = person.own_rules(priority);
    for (n, rule) in rules.iter().enumerate() {
        for channel in &rule.by {
            if !directory.channels.contains(channel) {
                let reason = format!(
                    "own rules of {}: no provider of {channel} is configured",
                    person.name
                );
                ways.missing.push(reason);
            } else if person.address(*channel).is_none() {
                let reason = format!("own rules of {}: no address for {channel}", person.name);
                ways.missing.push(reason);
            } else if n == 0 {
                ways.now.insert(*channel);
            } else {
                ways.later.push((*channel, rule.after));
            }
        }
    }
    if ways.now.is_empty() {
        if !rules.is_empty() {
            ways.missing.push(format!(
                "own rules of {} begin with nothing that reaches them: the channels of the policy stand in",
                person.name
            ));
        }
        ways.now.clone_from(of_policy);
    }
    ways
}

impl Incident {
    /// When the next follow-up is due.
    pub(super) fn follows_up_at(&self) -> Option<Timestamp> {
        self.follow_ups.iter().map(|each| each.at).min()
    }
}

impl Turn<'_> {
    /// Notes what is still to come after a page. What is to come earlier by the same channel stays as it is: who is paged again and
    /// again is called all the same.
    pub(super) fn promise(
        &mut self,
        purpose: Purpose,
        contact: &str,
        later: &[(ChannelKind, Span)],
    ) {
        for (channel, after) in later {
            let at = self.now.plus(*after);
            let follow_ups = &mut self.incident.follow_ups;
            let known = follow_ups
                .iter()
                .any(|have| have.contact == contact && have.channel == *channel && have.at <= at);
            if known {
                continue;
            }
            follow_ups.retain(|have| have.contact != contact || have.channel != *channel);
            follow_ups.push(FollowUp {
                at,
                contact: contact.to_owned(),
                channel: *channel,
                purpose,
                held: false,
            });
            follow_ups.sort();
        }
    }

    /// Sends the follow-ups whose time has come. After the policy, so that nobody gets the same message twice in one step.
    pub(super) fn follow_up(&mut self) {
        let now = self.now;
        if self.incident.follows_up_at().is_none_or(|at| at > now) {
            return;
        }
        if self.incident.status != Status::Open {
            self.incident.follow_ups.clear();
            return self.keep();
        }
        if self.is_held_back() || self.follow_ups_wait() {
            return;
        }
        let all = std::mem::take(&mut self.incident.follow_ups);
        let (due, rest): (Vec<_>, Vec<_>) = all.into_iter().partition(|each| each.at <= now);
        self.incident.follow_ups = rest;
        for each in due {
            self.follow_up_by(&each);
        }
        // Where everything fell away there is nothing to say.
        self.keep();
    }

    /// What is due while a silence holds, or out of the hours of the contract, waits for the end of that.
    fn follow_ups_wait(&mut self) -> bool {
        let now = self.now;
        let labels = Labels::from(&*self.incident);
        let said = self.incident.follow_ups.iter().any(|each| each.held);
        let wait = match self.route.silences.quiet(&labels, now) {
            Some(quiet) => {
                let kind = match quiet.silence.spec.kind {
                    SilenceKind::Silence => EntryKind::Silenced,
                    SilenceKind::Maintenance => EntryKind::Maintenance,
                };
                let until = quiet.until.min(now.plus(LOOK_AGAIN));
                Some((kind, quiet.reason(now), until))
            }
            None if self.incident.priority == Priority::P1 => None,
            None => {
                let roster = &self.route.directory.roster;
                let opens = roster.opens_at(&self.incident.tenant, now);
                opens.map(|opens| {
                    let text = "out of the hours of the contract (8x5)".to_owned();
                    (EntryKind::OutOfHours, text, opens)
                })
            }
        };
        let Some((kind, why, until)) = wait else {
            return false;
        };
        for each in &mut self.incident.follow_ups {
            if each.at <= now {
                each.at = until;
                each.held = true;
            }
        }
        if said {
            self.keep();
        } else {
            self.record(kind, format!("what own rules would send now waits: {why}"));
        }
        true
    }

    fn follow_up_by(&mut self, each: &FollowUp) {
        let directory = self.route.directory;
        let person = directory.people.get(&each.contact);
        let recipient = person
            .filter(|_| directory.channels.contains(&each.channel))
            .and_then(|person| person.recipient(&each.contact, each.channel));
        let Some(recipient) = recipient else {
            let text = format!(
                "own rules of {}: {} does not reach them any more",
                each.contact, each.channel
            );
            return self.record(EntryKind::Skipped, text);
        };
        // The policy's step of this very moment said the same.
        let said = self.actions.iter().any(|action| match action {
            Action::Send(sent) => {
                sent.purpose.is_page()
                    && sent.channel == each.channel
                    && sent.recipient.address == recipient.address
            }
            _ => false,
        });
        if said {
            return;
        }
        let text = format!(
            "own rules of {}: {} by {}",
            recipient.name,
            each.purpose.as_str(),
            each.channel
        );
        self.record(EntryKind::Page, text);
        let told = Told {
            channel: each.channel,
            recipient,
        };
        self.send(each.purpose, told, Vec::new(), None);
    }

    /// A page to a person was not delivered: what their own rules have next comes at once. Whether there was something.
    pub(super) fn follow_up_at_once(&mut self, contact: Option<&str>) -> bool {
        let now = self.now;
        let follow_ups = self.incident.follow_ups.iter_mut();
        let of_person =
            follow_ups.filter(|each| Some(each.contact.as_str()) == contact && !each.held);
        let mut of_person: Vec<_> = of_person.collect();
        let Some(first) = of_person.iter().map(|each| each.at).min() else {
            return false;
        };
        of_person
            .iter_mut()
            .filter(|each| each.at == first)
            .for_each(|each| each.at = now);
        let pages = |actions: &[Action]| {
            let sends = actions.iter().filter(|a| matches!(a, Action::Send(_)));
            sends.count()
        };
        let before = pages(&self.actions);
        self.follow_up();
        pages(&self.actions) > before
    }
}
