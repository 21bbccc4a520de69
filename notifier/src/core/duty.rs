//! Who is meant by a step of a policy at the time of the page, and whether a tenant's contract holds then.

use super::words::ChannelKind;
use jiff::Timestamp as Instant;
use model::{TenantId, Timestamp};
use oncall::Schedule;
use schemas::catalogue::{Catalogue, Contract, StepTarget};
use std::collections::{BTreeMap, BTreeSet};
use xxhash_rust::xxh3::xxh3_64;

/// How far ahead the next hour of a contract is looked for; every break of the calendar is shorter.
const NEXT_HOURS_WITHIN: i64 = 30 * 86_400;

/// Schedules and teams of one revision of the catalogue, and who pays for nights.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roster {
    /// Schedules by name.
    pub schedules: BTreeMap<String, Schedule>,
    /// How schedules that tell of their hand-overs do so.
    pub hand_over: BTreeMap<String, Vec<ChannelKind>>,
    /// Members by the name of their team.
    pub teams: BTreeMap<String, Vec<String>>,
    /// The hours of an 8x5 contract; none when there is no such tenant.
    pub office: Option<Schedule>,
    /// Tenants with such a contract.
    pub office_tenants: BTreeSet<TenantId>,
}

/// When and for which page a step is asked whom it means.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment<'a> {
    /// When.
    pub(super) now: Timestamp,
    /// Of which incident; who is drawn from a team depends on it.
    pub(super) incident: &'a str,
    /// How many steps of the incident's policy came before; none means everybody who may be meant.
    pub(super) nth: Option<u32>,
}

/// Whom a step means.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Meant {
    /// Contacts, each once.
    pub(super) contacts: Vec<String>,
    /// How they were found, where the step does not name them.
    pub(super) because: Vec<String>,
    /// Why it means nobody in places.
    pub(super) missing: Vec<String>,
    /// Everybody who was told before is meant too.
    pub(super) all_before: bool,
}

impl Roster {
    /// Takes schedules and teams out of the catalogue. A schedule that cannot be read is left out: a step that names it says so.
    pub(super) fn of(catalogue: &Catalogue) -> Self {
        let schedules = catalogue
            .schedules
            .iter()
            .filter_map(|(name, schedule)| Some((name.clone(), Schedule::compile(schedule).ok()?)));
        let teams = catalogue.teams.iter();
        let office_tenants: BTreeSet<TenantId> = catalogue
            .tenants
            .values()
            .filter(|tenant| tenant.contract == Contract::OfficeHours)
            .map(|tenant| tenant.tenant.clone())
            .collect();
        let office = (!office_tenants.is_empty())
            .then(|| Schedule::office_hours("Asia/Seoul", "office").ok())
            .flatten();
        let hand_over = catalogue.schedules.iter();
        let hand_over = hand_over.filter(|(_, schedule)| !schedule.hand_over.is_empty());
        let hand_over = hand_over.map(|(name, schedule)| {
            let by = schedule.hand_over.iter();
            (name.clone(), by.map(|by| ChannelKind::from(*by)).collect())
        });
        Self {
            hand_over: hand_over.collect(),
            schedules: schedules.collect(),
            teams: teams
                .map(|(name, team)| (name.clone(), team.members.clone()))
                .collect(),
            office,
            office_tenants,
        }
    }

    /// When a tenant's contract begins to hold, where it does not hold now.
    pub(super) fn opens_at(&self, tenant: &TenantId, now: Timestamp) -> Option<Timestamp> {
        let office = self.office.as_ref()?;
        if !self.office_tenants.contains(tenant) {
            return None;
        }
        let at = instant(now);
        if !office.at(at).people.is_empty() {
            return None;
        }
        let end = Instant::from_second(at.as_second().saturating_add(NEXT_HOURS_WITHIN)).ok()?;
        let spans = office.spans(at, end);
        let next = spans.iter().find(|span| !span.duty.people.is_empty())?;
        i64::try_from(next.from.as_nanosecond())
            .ok()
            .map(Timestamp::from_nanos)
    }

    /// Whom the targets of a step mean.
    pub(super) fn meant(&self, targets: &[StepTarget], moment: Moment<'_>) -> Meant {
        let mut meant = Meant::default();
        for target in targets {
            match target {
                StepTarget::Contact(name) => meant.add(name),
                StepTarget::Schedule(name) => self.on_call(name, moment, &mut meant),
                StepTarget::Team(name) => match self.teams.get(name) {
                    Some(members) => members.iter().for_each(|member| meant.add(member)),
                    None => meant.no_team(name),
                },
                StepTarget::OneOf(name) => self.one_of(name, moment, &mut meant),
                StepTarget::AllBefore => meant.all_before = true,
            }
        }
        meant
    }

    fn on_call(&self, name: &str, moment: Moment<'_>, meant: &mut Meant) {
        let Some(schedule) = self.schedules.get(name) else {
            let reason = format!("schedule `{name}` is not in the catalogue");
            return meant.missing.push(reason);
        };
        let duty = schedule.at(instant(moment.now));
        let why = duty.why.told_in(schedule.zone());
        if duty.people.is_empty() {
            let reason = format!("schedule {name}: nobody is on call: {why}");
            return meant.missing.push(reason);
        }
        let people = duty.people.join(", ");
        meant
            .because
            .push(format!("schedule {name} has {people}: {why}"));
        for person in duty.people {
            meant.add(person);
        }
    }

    fn one_of(&self, name: &str, moment: Moment<'_>, meant: &mut Meant) {
        let Some(members) = self.teams.get(name).filter(|members| !members.is_empty()) else {
            return meant.no_team(name);
        };
        let Some(nth) = moment.nth else {
            return members.iter().for_each(|member| meant.add(member));
        };
        let drawn = &members[drawn(moment.incident, nth, members.len())];
        meant
            .because
            .push(format!("{drawn} was drawn from team {name}"));
        meant.add(drawn);
    }
}

impl Meant {
    fn add(&mut self, contact: &str) {
        if !self.contacts.iter().any(|have| have == contact) {
            self.contacts.push(contact.to_owned());
        }
    }

    fn no_team(&mut self, name: &str) {
        self.missing
            .push(format!("team `{name}` is not in the catalogue"));
    }
}

/// Which of `count` members the step has that comes after `nth` others: drawn by the incident's id, so that every replica and every
/// restart draws the same, and never the one who was drawn before.
fn drawn(incident: &str, nth: u32, count: usize) -> usize {
    let number = |n: u32| xxh3_64(format!("{incident}/{n}").as_bytes());
    let count = u64::try_from(count).unwrap_or(u64::MAX);
    let mut place = number(0) % count;
    if count > 1 {
        for n in 1..=nth {
            place = (place + 1 + number(n) % (count - 1)) % count;
        }
    }
    usize::try_from(place).unwrap_or(0)
}

/// The same instant for schedules; the ends of time where it lies beyond them.
pub(super) fn instant(at: Timestamp) -> Instant {
    Instant::from_nanosecond(i128::from(at.as_nanos())).unwrap_or(Instant::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_never_takes_the_same_member_twice_running_and_takes_all_of_them() {
        for incident in ["a", "b", "c"] {
            for count in [2, 3, 7] {
                let draws: Vec<usize> = (0..200).map(|nth| drawn(incident, nth, count)).collect();
                assert!(draws.windows(2).all(|pair| pair[0] != pair[1]));
                assert_eq!(draws.iter().collect::<BTreeSet<_>>().len(), count);
            }
            assert_eq!(drawn(incident, 5, 1), 0);
        }
    }
}
