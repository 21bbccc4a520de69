//! Hand-overs of a schedule: who goes, who comes, and what is open.

use super::directory::{Care, Directory, Policy, RouteTo};
use super::duty::instant;
use super::notice::{Notice, Said};
use super::words::Language;
use model::{Priority, TenantId, Timestamp};
use oncall::Schedule;
use schemas::catalogue::StepTarget;
use std::collections::BTreeSet;

/// Incidents that a notice names.
pub const NAMED: usize = 5;

/// One hand-over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandOver {
    /// The schedule.
    pub schedule: String,
    /// When.
    pub at: Timestamp,
    /// Who is not on call any more.
    pub goes: Vec<String>,
    /// Who is from now on.
    pub comes: Vec<String>,
    /// Whose incidents the schedule is paged about.
    pub tenants: BTreeSet<TenantId>,
    /// Why those who come are on call, and until when.
    why: String,
}

/// What is open when it happens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Open {
    /// How many of P1, P2 and P3.
    pub counts: [u64; 3],
    /// Titles of the most urgent, [`NAMED`] at most.
    pub titles: Vec<String>,
}

/// The hand-overs after `from`, up to `to`, of schedules that tell of them.
pub fn hand_overs(directory: &Directory, from: Timestamp, to: Timestamp) -> Vec<HandOver> {
    let told = directory.roster.hand_over.keys();
    let schedules = told.filter_map(|name| directory.roster.schedules.get(name));
    let all = schedules.flat_map(|schedule| of_schedule(directory, schedule, from, to));
    all.collect()
}

fn of_schedule(
    directory: &Directory,
    schedule: &Schedule,
    from: Timestamp,
    to: Timestamp,
) -> Vec<HandOver> {
    let (start, end) = (instant(from), instant(to));
    // What ends at the last instant has handed over at it.
    let spans = schedule.spans(start, end + jiff::SignedDuration::from_nanos(1));
    let people = |people: &[&str], without: &[&str]| -> Vec<String> {
        let left = people.iter().filter(|one| !without.contains(one));
        left.map(|one| (*one).to_owned()).collect()
    };
    let pairs = spans.windows(2).filter_map(|pair| {
        let [before, after] = pair else { return None };
        let goes = people(&before.duty.people, &after.duty.people);
        let comes = people(&after.duty.people, &before.duty.people);
        // The first span begins at `start`: what stands behind another began later.
        if goes.is_empty() && comes.is_empty() {
            return None;
        }
        let at = i64::try_from(after.from.as_nanosecond()).ok()?;
        Some(HandOver {
            schedule: schedule.name().to_owned(),
            at: Timestamp::from_nanos(at),
            goes,
            comes,
            tenants: tenants(directory, schedule.name()),
            why: after.duty.why.told_in(schedule.zone()),
        })
    });
    pairs.collect()
}

/// The tenants whose incidents may page the schedule: by their policy, or by a routing rule.
fn tenants(directory: &Directory, schedule: &str) -> BTreeSet<TenantId> {
    let names = |policy: Option<&Policy>| {
        let steps = policy.map_or(&[][..], |policy| &policy.steps);
        let mut targets = steps.iter().flat_map(|step| &step.notify);
        targets.any(|target| matches!(target, StepTarget::Schedule(name) if name == schedule))
    };
    let routes = |care: Option<&Care>| {
        let rules = care.map_or(&[][..], |care| &care.routing);
        rules.iter().any(|rule| match &rule.to {
            RouteTo::Policy(name) => names(directory.policies.get(name)),
            RouteTo::Step(policy) => names(Some(policy)),
            RouteTo::Nobody => false,
        })
    };
    let all = directory.tenants.keys().filter(|tenant| {
        names(directory.route(tenant).policy) || routes(directory.care.get(*tenant))
    });
    all.cloned().collect()
}

impl HandOver {
    /// What is said to those who go and to those who come.
    pub fn notice(&self, directory: &Directory, open: &Open) -> Notice {
        let by = directory.roster.hand_over.get(&self.schedule);
        let everybody: BTreeSet<&String> = self.goes.iter().chain(&self.comes).collect();
        let to = everybody.into_iter().map(|contact| {
            let person = directory.people.get(contact);
            let language = person.map_or(Language::En, |person| person.language);
            Said {
                contact: contact.clone(),
                by: by.cloned().unwrap_or_default(),
                text: self.text(directory, open, language),
            }
        });
        let schedule = &self.schedule;
        Notice {
            key: format!("hand-over/{schedule}"),
            title: format!("Hand-over of {schedule}"),
            title_ko: format!("{schedule} 당직 교대"),
            why: format!(
                "schedule {schedule}: {} hands over to {}: {}",
                names(directory, &self.goes, "nobody"),
                names(directory, &self.comes, "nobody"),
                self.why
            ),
            to: to.collect(),
        }
    }

    fn text(&self, directory: &Directory, open: &Open, language: Language) -> String {
        let [p1, p2, p3] = open.counts;
        let titles = open.titles.join(", ");
        let (schedule, why) = (&self.schedule, &self.why);
        let colon = if titles.is_empty() { "" } else { ": " };
        match language {
            Language::En => format!(
                "Hand-over of {schedule}: {} -> {}. Open: P1 {p1}, P2 {p2}, P3 {p3}{colon}{titles}. ({why})",
                names(directory, &self.goes, "nobody"),
                names(directory, &self.comes, "nobody"),
            ),
            Language::Ko => format!(
                "{schedule} 당직 교대: {} → {}. 진행 중 P1 {p1}, P2 {p2}, P3 {p3}{colon}{titles} ({why})",
                names(directory, &self.goes, "없음"),
                names(directory, &self.comes, "없음"),
            ),
        }
    }
}

impl Open {
    /// Adds what is open, the most urgent first.
    pub fn add(
        &mut self,
        priority: Priority,
        count: u64,
        titles: impl IntoIterator<Item = String>,
    ) {
        let place = match priority {
            Priority::P1 => 0,
            Priority::P2 => 1,
            Priority::P3 => 2,
        };
        self.counts[place] += count;
        let room = NAMED.saturating_sub(self.titles.len());
        self.titles.extend(titles.into_iter().take(room));
    }
}

fn names(directory: &Directory, contacts: &[String], nobody: &str) -> String {
    if contacts.is_empty() {
        return nobody.to_owned();
    }
    let name = |contact: &String| {
        let person = directory.people.get(contact);
        person.map_or_else(|| contact.clone(), |person| person.name.clone())
    };
    contacts.iter().map(name).collect::<Vec<_>>().join(", ")
}
