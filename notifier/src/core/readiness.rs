//! What should be mended before it is needed: hours in which a policy reaches nobody, and whom policies may page at all.

use super::directory::{Directory, Policy, RouteTo};
use super::duty::instant;
use jiff::SignedDuration;
use model::{Priority, Timestamp};
use oncall::uncovered_by;
use schemas::catalogue::StepTarget;
use std::collections::BTreeSet;

/// So far ahead a policy must reach somebody.
const AHEAD: SignedDuration = SignedDuration::from_hours(14 * 24);
/// A gap that is shorter is none.
const LEAST: SignedDuration = SignedDuration::from_hours(1);

impl Directory {
    /// Hours of the next 14 days in which a policy reaches nobody, a sentence for each policy that has some.
    pub fn uncovered(&self, now: Timestamp) -> Vec<String> {
        let from = instant(now);
        let to = from.saturating_add(AHEAD).unwrap_or(from);
        let said = self.policies.iter().filter_map(|(name, policy)| {
            let targets = policy.steps.iter().flat_map(|step| &step.notify);
            let gaps = |schedule: &str| {
                let schedule = self.roster.schedules.get(schedule)?;
                Some(schedule.gaps(from, to))
            };
            let open = uncovered_by(targets, gaps, (from, to), LEAST);
            let (begin, end) = open.first()?;
            Some(format!(
                "policy {name} reaches nobody in {} spans of the next 14 days, first from {begin} to {end}: \
                 `bongsu oncall gaps`",
                open.len()
            ))
        });
        said.collect()
    }

    /// Who stands in a policy and has no address for any channel by which it, or a rule of their own, pages about a P1: a
    /// sentence for each.
    pub fn out_of_reach(&self) -> Vec<String> {
        let mut said = Vec::new();
        for (name, policy) in &self.policies {
            let steps = policy.steps.iter().flat_map(|step| &step.channels);
            let channels: BTreeSet<_> = steps.chain(policy.channels(Priority::P1)).collect();
            let contacts: BTreeSet<&str> = self.paged_by(policy).into_iter().collect();
            for contact in contacts {
                let Some(person) = self.people.get(contact) else {
                    continue;
                };
                let own = person.own_rules(Priority::P1).iter();
                let mut ways = own
                    .flat_map(|rule| &rule.by)
                    .chain(channels.iter().copied());
                if ways.any(|channel| person.address(*channel).is_some()) {
                    continue;
                }
                let words: Vec<_> = channels.iter().map(|channel| channel.as_str()).collect();
                said.push(format!(
                    "policy {name} pages {} by {}, and none of these has an address in the contact `{contact}`",
                    person.name,
                    words.join(", ")
                ));
            }
        }
        said
    }

    /// The contacts whom a policy, or a routing rule, may page.
    pub fn paged(&self) -> BTreeSet<&str> {
        let ruled = self.care.values().flat_map(|care| &care.routing);
        let ruled = ruled.filter_map(|rule| match &rule.to {
            RouteTo::Step(policy) => Some(&**policy),
            RouteTo::Policy(_) | RouteTo::Nobody => None,
        });
        let policies = self.policies.values().chain(ruled);
        policies.flat_map(|policy| self.paged_by(policy)).collect()
    }

    fn paged_by<'a>(&'a self, policy: &'a Policy) -> Vec<&'a str> {
        let mut found = Vec::new();
        for target in policy.steps.iter().flat_map(|step| &step.notify) {
            match target {
                StepTarget::Contact(name) => found.push(name.as_str()),
                StepTarget::Team(name) | StepTarget::OneOf(name) => {
                    let members = self.roster.teams.get(name).into_iter().flatten();
                    found.extend(members.map(String::as_str));
                }
                StepTarget::Schedule(name) => {
                    if let Some(schedule) = self.roster.schedules.get(name) {
                        found.extend(schedule.people());
                    }
                }
                StepTarget::AllBefore => {}
            }
        }
        found
    }
}
