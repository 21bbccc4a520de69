//! Grafana OnCall, as its HTTP API gives it out (grafana.com/docs/oncall/latest/oncall-api-reference: users, schedules,
//! on_call_shifts, escalation_chains, escalation_policies): one object with these names, each a list or a page.

use super::ImportError;
use super::book::{Book, NewStep, wall, zone};
use super::export::{Export, Item};
use super::hours::{Span, day, hours};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use model::Span as Time;
use schemas::catalogue::{Ends, Every, EveryUnit, Layer, ScheduleOverride, StepTarget, Turn};

const NAMES: [&str; 5] = [
    "users",
    "schedules",
    "on_call_shifts",
    "escalation_chains",
    "escalation_policies",
];
/// Rounds of `repeat_escalation`, as Grafana OnCall has them.
const ROUNDS: i64 = 5;
/// Minutes of a day and of a week.
const DAY: i64 = 24 * 60;
const WEEK: i64 = 7 * DAY;

pub(super) fn read(file: &Export, book: &mut Book) -> Result<(), ImportError> {
    let expected = "users, schedules, on_call_shifts, escalation_chains and escalation_policies";
    file.has(&NAMES, expected)?;
    for user in file.list("users") {
        let (id, name, email) = (user.text("id"), user.text("username"), user.text("email"));
        let slack = user
            .list("slack")
            .first()
            .map(|slack| slack.text("user_id").to_owned());
        if book.is_nameless(id, name, email) {
            continue;
        }
        let contact = book.contact(&[id, name], name, email);
        let fits = |id: &String| {
            id.len() > 1
                && id.starts_with(['U', 'W'])
                && id
                    .bytes()
                    .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        };
        contact.slack = slack.filter(fits);
    }
    let shifts = file.list("on_call_shifts");
    for one in file.list("schedules") {
        schedule(one, &shifts, book);
    }
    chains(file, book);
    Ok(())
}

fn schedule(one: Item<'_>, shifts: &[Item<'_>], book: &mut Book) {
    let called = one.text("name");
    let what = format!("schedule {called}");
    let own = zone(one.text("time_zone"), &what, book);
    for name in ["ical_url_primary", "ical_url_overrides"] {
        if !one.text(name).is_empty() {
            book.lost(
                &what,
                format!(
                    "`{name}`: calendars of others are not read; declare their shifts as layers"
                ),
            );
        }
    }
    let ids = one.texts("shifts");
    let mut found: Vec<Item<'_>> = Vec::new();
    for id in ids {
        match shifts.iter().find(|shift| shift.text("id") == id) {
            Some(shift) => found.push(*shift),
            None => book.lost(&what, format!("its shift `{id}` is not in the file")),
        }
    }
    // The higher level wins there, the later layer here.
    found.sort_by_key(|shift| shift.number("level").unwrap_or(0));
    let (mut layers, mut overrides, mut levels) = (Vec::new(), Vec::new(), Vec::new());
    for shift in found {
        let what = format!("{what}, shift {}", shift.text("name"));
        if shift.text("type") == "single_event" {
            overrides.extend(single(shift, &what, &own, book));
        } else if let Some(layer) = layer(shift, &what, &own, book) {
            levels.push(shift.number("level").unwrap_or(0));
            layers.push(layer);
        }
    }
    if levels.windows(2).any(|pair| pair[0] == pair[1]) {
        book.other(&what, "shifts of one level are on call together where they overlap; here the later layer wins");
    }
    if !overrides.is_empty() && !layers.is_empty() {
        book.other(
            &what,
            "its single events are overrides, which win over every layer whatever their level was",
        );
    }
    book.schedule(&[one.text("id"), called], called, &own, layers, overrides);
}

/// The zone of a shift's own clock.
fn clock(shift: Item<'_>, what: &str, own: &TimeZone, book: &mut Book) -> TimeZone {
    match shift.text("time_zone") {
        "" => own.clone(),
        name => {
            let theirs = zone(name, what, book);
            if theirs != *own {
                book.other(what, format!("its times are on the clock of {name}: where summer times differ they move by an hour"));
            }
            theirs
        }
    }
}

fn single(
    shift: Item<'_>,
    what: &str,
    own: &TimeZone,
    book: &mut Book,
) -> Option<ScheduleOverride> {
    let theirs = clock(shift, what, own, book);
    let notify = book.people(what, &users(shift));
    let from = wall(shift.text("start"), &theirs, own);
    let seconds = shift.number("duration").unwrap_or(0);
    let to = from.and_then(|from| {
        from.checked_add(jiff::SignedDuration::from_secs(seconds))
            .ok()
    });
    match (from, to) {
        (Some(from), Some(to)) if to > from && !notify.is_empty() => Some(ScheduleOverride {
            from,
            to,
            notify,
            note: Some(shift.text("name").to_owned()).filter(|name| !name.trim().is_empty()),
        }),
        _ => {
            book.lost(what, "it has no people, no beginning or no length");
            None
        }
    }
}

fn users<'a>(shift: Item<'a>) -> Vec<&'a str> {
    shift.texts("users")
}

/// Who follows whom.
fn turns(shift: Item<'_>, what: &str, book: &mut Book) -> Vec<Turn> {
    if shift.text("type") != "rolling_users" {
        return vec![Turn(book.people(what, &users(shift)))];
    }
    let groups: Vec<Vec<&str>> = shift.0["rolling_users"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|group| {
            group
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|id| id.as_str())
                .collect()
        })
        .collect();
    let mut turns: Vec<Turn> = groups
        .iter()
        .map(|group| Turn(book.people(what, group)))
        .collect();
    let first = shift.number("start_rotation_from_user_index").unwrap_or(0);
    let first = usize::try_from(first).unwrap_or(0);
    if first < turns.len() {
        turns.rotate_left(first);
    }
    turns
}

/// A shift that comes again, as a layer.
fn layer(shift: Item<'_>, what: &str, own: &TimeZone, book: &mut Book) -> Option<Layer> {
    let theirs = clock(shift, what, own, book);
    let start = wall(shift.text("start"), &theirs, own);
    let rotation = wall(shift.text("rotation_start"), &theirs, own).or(start);
    let (Some(start), Some(rotation)) = (start, rotation) else {
        book.lost(what, "its `start` is no time");
        return None;
    };
    let mut people = turns(shift, what, book);
    if people.iter().all(|turn| turn.0.is_empty()) {
        book.lost(what, "none of its people is in the file");
        return None;
    }
    let interval = shift.number("interval").unwrap_or(1).clamp(1, 1_000);
    let minutes = shift.number("duration").unwrap_or(0) / 60;
    // Days are those of the shift's own clock; here it may be the day before or behind.
    let days = wall(shift.text("start"), &theirs, &theirs).map_or(0, |own_start| {
        let apart = start.date().duration_since(own_start.date());
        apart.as_hours() / 24
    });
    let (unit, spans) = match when(shift, (start, days), minutes, interval) {
        Ok(found) => found,
        Err(why) => {
            book.lost(what, why);
            return None;
        }
    };
    let rolling = shift.text("type") == "rolling_users";
    let mut every = Every {
        count: u32::try_from(interval).unwrap_or(1),
        unit,
    };
    if !rolling && interval > 1 {
        // On call in every second week, say: turns of nobody between.
        every.count = 1;
        let empty = usize::try_from(interval - 1).unwrap_or(0).min(199);
        people.extend(std::iter::repeat_n(Turn(Vec::new()), empty));
    }
    // Turns of whole weeks change hands where the week begins there.
    let from = match (unit, shift.texts("by_day").is_empty()) {
        (EveryUnit::Weeks, false) => week_of(rotation, shift.text("week_start")),
        _ => rotation,
    };
    let until = wall(shift.text("until"), &theirs, own).filter(|until| *until > from);
    let name = match shift.text("name").trim() {
        "" => "shift",
        name => name,
    };
    Some(Layer {
        layer: name.to_owned(),
        people,
        every,
        from,
        until,
        hours: hours(&spans),
    })
}

/// The unit of a shift's turns, and the spans of the week that it covers.
fn when(
    shift: Item<'_>,
    (start, days): (DateTime, i64),
    minutes: i64,
    interval: i64,
) -> Result<(EveryUnit, Vec<Span>), &'static str> {
    if minutes <= 0 {
        return Err("its `duration` is shorter than a minute");
    }
    if !shift.0["by_monthday"].is_null() || !shift.0["by_month"].is_null() {
        return Err("days of a month and months are not known here");
    }
    let begins = i64::from(start.hour()) * 60 + i64::from(start.minute());
    let today = i64::from(start.date().weekday().to_monday_zero_offset());
    let named = shift.texts("by_day").into_iter().filter_map(day);
    let named: Vec<i64> = named.map(|day| day + days).collect();
    let span = |day: i64| Span {
        from: day * DAY + begins,
        minutes,
    };
    match shift.text("frequency") {
        "weekly" if named.is_empty() => Ok((EveryUnit::Weeks, vec![span(today)])),
        "weekly" => Ok((EveryUnit::Weeks, named.into_iter().map(span).collect())),
        "daily" if minutes > DAY * interval => {
            Err("it overlaps itself: a daily shift lasts longer than its interval")
        }
        "daily" if interval > 1 && minutes == DAY * interval => Ok((
            EveryUnit::Days,
            vec![
                span(0),
                Span {
                    from: 0,
                    minutes: WEEK,
                },
            ],
        )),
        "daily" if minutes > DAY => {
            Err("a shift of several days with a pause between is not known here")
        }
        "daily" => {
            let all = if named.is_empty() {
                (0..7).collect()
            } else {
                named
            };
            Ok((EveryUnit::Days, all.into_iter().map(span).collect()))
        }
        "hourly" if minutes == 60 * interval => Ok((
            EveryUnit::Hours,
            vec![Span {
                from: 0,
                minutes: WEEK,
            }],
        )),
        "hourly" => Err("a shift of hours with a pause between is not known here"),
        "monthly" => Err("turns of months are not known here: their lengths differ"),
        _ => Err("its `frequency` is not known"),
    }
}

/// The beginning of the week in which a time lies.
fn week_of(at: DateTime, begins: &str) -> DateTime {
    let first = day(begins).unwrap_or(0);
    let today = i64::from(at.date().weekday().to_monday_zero_offset());
    let back = (today - first).rem_euclid(7);
    let date = at
        .date()
        .checked_sub(jiff::Span::new().days(back))
        .unwrap_or(at.date());
    date.to_datetime(jiff::civil::Time::midnight())
}

fn chains(file: &Export, book: &mut Book) {
    let all = file.list("escalation_policies");
    for chain in file.list("escalation_chains") {
        let (id, called) = (chain.text("id"), chain.text("name"));
        let what = format!("policy {called}");
        let mut own: Vec<Item<'_>> = all
            .iter()
            .copied()
            .filter(|step| step.text("escalation_chain_id") == id)
            .collect();
        own.sort_by_key(|step| step.number("position").unwrap_or(0));
        let mut steps: Vec<NewStep> = Vec::new();
        let (mut wait, mut repeat) = (0, 0);
        for (n, step) in own.into_iter().enumerate() {
            let what = format!("{what}, step {}", n + 1);
            match step.text("type") {
                "wait" => wait += step.number("duration").unwrap_or(60).max(0),
                "repeat_escalation" => {
                    repeat = ROUNDS;
                    book.other(&what, "it is repeated 5 times, as Grafana OnCall does");
                }
                _ => {
                    let notify = targets(step, &what, called, book);
                    match steps.last_mut().filter(|_| wait == 0) {
                        // Without a wait between they are one.
                        Some(last) => last.notify.extend(notify),
                        None => steps.push(NewStep {
                            notify,
                            after: Time::from_secs(wait),
                        }),
                    }
                    wait = 0;
                }
            }
        }
        book.policy(id, called, steps, repeat, Ends::Acknowledged);
    }
}

/// Whom a step tells.
fn targets(step: Item<'_>, what: &str, chain: &str, book: &mut Book) -> Vec<StepTarget> {
    if step.is("important") {
        book.other(
            what,
            "`important` chose other rules of a person; here the priority of the incident does",
        );
    }
    let contacts = |people: Vec<String>| people.into_iter().map(StepTarget::Contact).collect();
    match step.text("type") {
        "notify_persons" => contacts(book.people(what, &step.texts("persons_to_notify"))),
        "notify_person_next_each_time" => {
            let people = book.people(what, &step.texts("persons_to_notify_next_each_time"));
            let team = book.team("", &format!("{chain} next"), people);
            book.other(
                what,
                "one of them is drawn for each incident, instead of the next in turn",
            );
            team.map(StepTarget::OneOf).into_iter().collect()
        }
        "notify_on_call_from_schedule" => {
            let id = step.text("notify_on_call_from_schedule");
            match book.schedule_named(id) {
                Some(name) => vec![StepTarget::Schedule(name)],
                None => {
                    book.lost(
                        what,
                        format!(
                            "the schedule `{id}` is not in the file, or could not be taken over"
                        ),
                    );
                    Vec::new()
                }
            }
        }
        other => {
            let why = match other {
                "resolve" => "an incident is over when its condition is",
                "trigger_webhook" | "trigger_action" => {
                    "a webhook is a room of the policy: `rooms: [\"webhook:NAME\"]`"
                }
                "notify_whole_channel" => "a chat room is the policy's `chat`",
                "notify_user_group" => "groups of Slack are not known here: declare a team",
                "notify_team_members" => "the file does not say who is in the team: declare it",
                "notify_if_time_from_to" | "notify_if_num_alerts_in_window" => {
                    "a step has no condition: hours belong to a schedule, numbers to grouping"
                }
                _ => "this kind of step is not known here",
            };
            book.lost(what, format!("`{other}`: {why}"));
            Vec::new()
        }
    }
}
