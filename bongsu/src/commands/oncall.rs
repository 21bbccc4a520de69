//! `bongsu oncall`: who is paged when, and why.

use super::{Access, settings};
use crate::cli::{Global, Oncall as Command};
use crate::failure::{Exit, Failure, Outcome};
use crate::print::{self, Table};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use oncall::{Schedule, calendar, uncovered};
use runtime::Clock;
use schemas::catalogue::Catalogue;

/// How far ahead `gaps` and `calendar` look where nothing is said.
const AHEAD: SignedDuration = SignedDuration::from_hours(14 * 24);

pub(super) async fn run(global: &Global, command: Command) -> Outcome {
    let catalogue = Access::open(&settings(global)?).await?.catalogue().await?;
    let now = now()?;
    match command {
        Command::Show { schedule, at } => show(global, &catalogue, schedule.as_deref(), at, now),
        Command::Shifts { schedule, from, to } => {
            let schedule = find(&catalogue, &schedule)?;
            let from = instant(from.as_deref(), schedule.zone(), now)?;
            let to = instant(to.as_deref(), schedule.zone(), from + AHEAD)?;
            if to <= from {
                let zone = schedule.zone();
                let text = format!(
                    "`--to` {} is not after `--from` {}",
                    wall(to, zone),
                    wall(from, zone)
                );
                return Err(Failure::new(Exit::Usage, text).hint("name the earlier time first"));
            }
            shifts(global, &schedule, from, to);
            Ok(())
        }
        Command::Gaps => {
            gaps(global, &catalogue, now);
            Ok(())
        }
        Command::Overlaps { schedule } => {
            overlaps(global, &find(&catalogue, &schedule)?, now);
            Ok(())
        }
        Command::Calendar { schedule, person } => {
            let schedule = find(&catalogue, &schedule)?;
            if let Some(name) = person.as_deref()
                && !catalogue.contacts.contains_key(name)
            {
                let known = catalogue.contacts.keys().map(String::as_str);
                return Err(Failure::no_such(
                    "contact",
                    name,
                    known,
                    "bongsu notify contacts",
                ));
            }
            let text = calendar(&schedule, person.as_deref(), (now, now + AHEAD * 6), now);
            print::text(&text);
            Ok(())
        }
    }
}

fn now() -> Outcome<Timestamp> {
    let nanos = i128::from(Clock::system().now_nanos());
    Timestamp::from_nanosecond(nanos)
        .map_err(|error| Failure::new(Exit::Failed, format!("the clock cannot be read: {error}")))
}

fn find(catalogue: &Catalogue, name: &str) -> Outcome<Schedule> {
    let declared = catalogue.schedules.get(name).ok_or_else(|| {
        let known = catalogue.schedules.keys().map(String::as_str);
        Failure::no_such("schedule", name, known, "bongsu oncall show")
    })?;
    Schedule::compile(declared).map_err(|error| Failure::new(Exit::Failed, error.to_string()))
}

/// An instant as people write it: RFC 3339, or a time on the schedule's wall clock.
fn instant(text: Option<&str>, zone: &TimeZone, default: Timestamp) -> Outcome<Timestamp> {
    let Some(text) = text else {
        return Ok(default);
    };
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let wall = text.parse::<DateTime>();
    wall.and_then(|wall| zone.to_timestamp(wall)).map_err(|_| {
        Failure::new(Exit::Usage, format!("`{text}` is no time")).hint(
            "write it as 2026-11-21T03:00 (on the schedule's clock) or 2026-11-21T03:00:00+09:00",
        )
    })
}

fn wall(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone())
        .strftime("%Y-%m-%dT%H:%M:%S%:z")
        .to_string()
}

fn show(
    global: &Global,
    catalogue: &Catalogue,
    only: Option<&str>,
    at: Option<String>,
    now: Timestamp,
) -> Outcome {
    let names: Vec<&str> = match only {
        Some(name) => vec![name],
        None => catalogue.schedules.keys().map(String::as_str).collect(),
    };
    if names.is_empty() {
        print::message(global.say(
            "no schedule is declared: `bongsu schema schedule` prints what one looks like",
            "선언된 당직표가 없습니다: `bongsu schema schedule`이 형식을 보여 줍니다",
        ));
    }
    let mut table = Table::new(&["schedule", "at", "on_call", "why"]);
    for name in names {
        let schedule = find(catalogue, name)?;
        let at = instant(at.as_deref(), schedule.zone(), now)?;
        let duty = schedule.at(at);
        let people = duty.people.iter().map(|person| called(catalogue, person));
        table.row(vec![
            name.into(),
            wall(at, schedule.zone()).into(),
            people.collect::<Vec<_>>().join(", ").into(),
            duty.why.told_in(schedule.zone()).into(),
        ]);
    }
    print::table(&table, global.form());
    Ok(())
}

/// `kim (김민수)`.
fn called(catalogue: &Catalogue, contact: &str) -> String {
    match catalogue.contacts.get(contact) {
        Some(person) if person.name != contact => format!("{contact} ({})", person.name),
        _ => contact.to_owned(),
    }
}

fn shifts(global: &Global, schedule: &Schedule, from: Timestamp, to: Timestamp) {
    let mut table = Table::new(&["from", "to", "on_call", "why"]);
    for span in schedule.spans(from, to) {
        table.row(vec![
            wall(span.from, schedule.zone()).into(),
            wall(span.to, schedule.zone()).into(),
            span.duty.people.join(", ").into(),
            span.duty.why.told_in(schedule.zone()).into(),
        ]);
    }
    print::table(&table, global.form());
}

fn overlaps(global: &Global, schedule: &Schedule, now: Timestamp) {
    let mut table = Table::new(&["from", "to", "on_call", "why", "covered"]);
    for found in schedule.overlaps(now, now + AHEAD) {
        let covered = found.covered.iter();
        let covered: Vec<_> = covered
            .map(|(layer, people)| format!("{layer}: {}", people.join(", ")))
            .collect();
        table.row(vec![
            wall(found.from, schedule.zone()).into(),
            wall(found.to, schedule.zone()).into(),
            found.duty.people.join(", ").into(),
            found.duty.why.told_in(schedule.zone()).into(),
            covered.join("; ").into(),
        ]);
    }
    if table.is_empty() {
        print::message(global.say(
            "nobody covers anybody in the next 14 days",
            "앞으로 14일 동안 겹치는 당직이 없습니다",
        ));
    }
    print::table(&table, global.form());
}

fn gaps(global: &Global, catalogue: &Catalogue, now: Timestamp) {
    let mut table = Table::new(&["escalation_policy", "from", "to"]);
    let hour = SignedDuration::from_hours(1);
    for (name, policy) in &catalogue.escalation_policies {
        for (from, to) in uncovered(catalogue, policy, (now, now + AHEAD), hour) {
            let row = [name.clone(), from.to_string(), to.to_string()];
            table.row(row.map(Into::into).to_vec());
        }
    }
    if table.is_empty() {
        print::message(global.say(
            "every policy reaches somebody at every hour of the next 14 days",
            "앞으로 14일의 모든 시간에 모든 정책이 누군가에게 닿습니다",
        ));
    }
    print::table(&table, global.form());
}
