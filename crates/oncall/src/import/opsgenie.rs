//! Opsgenie, as its REST API gives it out (docs.opsgenie.com: user, team, schedule with `expand=rotation`, schedule override,
//! escalation): one object with `users`, `teams`, `schedules`, `overrides` and `escalations`, each a list or a page.

use super::ImportError;
use super::book::{Book, NewStep, wall, zone};
use super::export::{Export, Item};
use super::hours::{Span, day, hours};
use jiff::tz::TimeZone;
use model::Span as Time;
use schemas::catalogue::{Ends, Every, EveryUnit, Layer, ScheduleOverride, StepTarget, Turn};

const NAMES: [&str; 4] = ["users", "teams", "schedules", "escalations"];
const DAY: i64 = 24 * 60;

pub(super) fn read(file: &Export, book: &mut Book) -> Result<(), ImportError> {
    file.has(&NAMES, "users, teams, schedules and escalations")?;
    for user in file.list("users") {
        let email = user.text("username");
        if user.is("blocked") {
            book.lost(&format!("user {email}"), "blocked users are left out");
            continue;
        }
        let (id, name) = (user.text("id"), user.text("fullName"));
        if book.is_nameless(id, name, email) {
            continue;
        }
        let phone = phone(user);
        let contact = book.contact(&[id], name, email);
        contact.phone = phone;
        if user.text("locale").starts_with("ko") {
            contact.language = schemas::catalogue::Language::Ko;
        }
    }
    for team in file.list("teams") {
        let called = team.text("name");
        let members = team.list("members");
        let ids: Vec<&str> = members
            .iter()
            .map(|member| id_of(member.item("user")))
            .collect();
        let people = book.people(&format!("team {called}"), &ids);
        book.team(team.text("id"), called, people);
    }
    let overrides = file.list("overrides");
    for schedule in file.list("schedules") {
        read_schedule(schedule, &overrides, book);
    }
    for escalation in file.list("escalations") {
        read_escalation(escalation, book);
    }
    Ok(())
}

/// The first number of a user's contacts (`expand=contact`): `1-2025550100`.
fn phone(user: Item<'_>) -> Option<String> {
    let contacts = user.list("userContacts");
    let found = contacts
        .iter()
        .find(|contact| matches!(contact.text("contactMethod"), "sms" | "voice"))?;
    let digits: String = found
        .text("to")
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    ((7..=15).contains(&digits.len()) && !digits.starts_with('0')).then(|| format!("+{digits}"))
}

/// The id of a user, else the e-mail address that stands for one.
fn id_of<'a>(user: Item<'a>) -> &'a str {
    match user.text("id") {
        "" => user.text("username"),
        id => id,
    }
}

fn read_schedule(one: Item<'_>, overrides: &[Item<'_>], book: &mut Book) {
    let (id, called) = (one.text("id"), one.text("name"));
    let what = format!("schedule {called}");
    if one.0["enabled"] == false {
        return book.lost(&what, "it is disabled");
    }
    let own = zone(one.text("timezone"), &what, book);
    let rotations = one.list("rotations");
    let layers: Vec<Layer> = rotations
        .iter()
        .filter_map(|rotation| layer(*rotation, &what, &own, book))
        .collect();
    if layers.len() > 1 {
        book.other(&what, "rotations of Opsgenie are on call together where they overlap; here the later layer wins");
    }
    let mine = overrides.iter().filter(|each| {
        let parent = each.item("_parent");
        [
            each.text("scheduleId"),
            parent.text("id"),
            parent.text("name"),
        ]
        .iter()
        .any(|of| !of.is_empty() && [id, called].contains(of))
    });
    let mut taken = Vec::new();
    for each in mine {
        let what = format!("{what}, override {}", each.text("alias"));
        let notify = who(each.item("user"), &what, book);
        let (from, to) = (
            wall(each.text("startDate"), &own, &own),
            wall(each.text("endDate"), &own, &own),
        );
        if !each.list("rotations").is_empty() {
            book.other(
                &what,
                "it was for some rotations only; here an override wins over all layers",
            );
        }
        match (from, to) {
            (Some(from), Some(to)) if to > from && !notify.is_empty() => {
                taken.push(ScheduleOverride {
                    from,
                    to,
                    notify,
                    note: None,
                });
            }
            _ => book.lost(&what, "it has no people, no beginning or no end"),
        }
    }
    book.schedule(&[id, called], called, &own, layers, taken);
}

/// The people of a participant.
fn who(one: Item<'_>, what: &str, book: &mut Book) -> Vec<String> {
    match one.text("type") {
        "user" => book.people(what, &[id_of(one)]),
        "none" => Vec::new(),
        other => {
            let name = if one.text("name").is_empty() {
                one.text("id")
            } else {
                one.text("name")
            };
            book.lost(what, format!("the {other} `{name}` has turns there; here a turn is people, so that its turns are empty"));
            Vec::new()
        }
    }
}

fn layer(rotation: Item<'_>, schedule: &str, own: &TimeZone, book: &mut Book) -> Option<Layer> {
    let name = match rotation.text("name").trim() {
        "" => "rotation",
        name => name,
    };
    let what = format!("{schedule}, rotation {name}");
    let participants = rotation.list("participants");
    let people: Vec<Turn> = participants
        .iter()
        .map(|one| Turn(who(*one, &what, book)))
        .collect();
    if people.iter().all(|turn| turn.0.is_empty()) {
        book.lost(&what, "none of its participants is a person of the file");
        return None;
    }
    let unit = match rotation.text("type") {
        "hourly" => EveryUnit::Hours,
        "daily" => EveryUnit::Days,
        "weekly" => EveryUnit::Weeks,
        other => {
            book.lost(
                &what,
                format!("turns that are `{other}` are not known here"),
            );
            return None;
        }
    };
    let Some(from) = wall(rotation.text("startDate"), own, own) else {
        book.lost(&what, "its `startDate` is no time");
        return None;
    };
    let length = rotation.number("length").unwrap_or(1).clamp(1, 1_000);
    Some(Layer {
        layer: name.to_owned(),
        people,
        every: Every {
            count: u32::try_from(length).unwrap_or(1),
            unit,
        },
        from,
        until: wall(rotation.text("endDate"), own, own).filter(|until| *until > from),
        hours: hours(&restrictions(rotation.item("timeRestriction"))),
    })
}

/// The spans of the week of a `timeRestriction`; the whole week where there is none.
fn restrictions(restriction: Item<'_>) -> Vec<Span> {
    let minute = |of: Item<'_>, hour: &str, min: &str| {
        of.number(hour).unwrap_or(0) * 60 + of.number(min).unwrap_or(0)
    };
    match restriction.text("type") {
        "time-of-day" => {
            let one = restriction.item("restriction");
            let (from, to) = (
                minute(one, "startHour", "startMin"),
                minute(one, "endHour", "endMin"),
            );
            let minutes = (to - from - 1).rem_euclid(DAY) + 1;
            (0..7)
                .map(|day| Span {
                    from: day * DAY + from,
                    minutes,
                })
                .collect()
        }
        "weekday-and-time-of-day" => {
            let all = restriction.list("restrictions");
            let one = |each: &Item<'_>| {
                let (first, last) = (day(each.text("startDay"))?, day(each.text("endDay"))?);
                let from = first * DAY + minute(*each, "startHour", "startMin");
                let to = last * DAY + minute(*each, "endHour", "endMin");
                Some(Span {
                    from,
                    minutes: (to - from - 1).rem_euclid(7 * DAY) + 1,
                })
            };
            all.iter().filter_map(one).collect()
        }
        _ => Vec::new(),
    }
}

fn read_escalation(one: Item<'_>, book: &mut Book) {
    let called = one.text("name");
    let what = format!("policy {called}");
    // Delays are counted from the alert's beginning there, and from the step before here.
    let mut rules: Vec<(i64, Item<'_>)> = one
        .list("rules")
        .into_iter()
        .map(|rule| (delay(rule.item("delay")), rule))
        .collect();
    rules.sort_by_key(|(delay, _)| *delay);
    let open = rules
        .iter()
        .filter(|(_, rule)| rule.text("condition") == "if-not-closed")
        .count();
    let ends = if open > 0 && open == rules.len() {
        Ends::Closed
    } else {
        Ends::Acknowledged
    };
    if open > 0 && open < rules.len() {
        book.other(&what, "some of its rules go on until the alert is closed; here the whole policy ends when it is acknowledged");
    }
    let (mut steps, mut last): (Vec<NewStep>, i64) = (Vec::new(), 0);
    for (n, (delay, rule)) in rules.into_iter().enumerate() {
        let notify = targets(rule, &format!("{what}, rule {}", n + 1), book);
        match steps.last_mut().filter(|_| delay == last) {
            Some(step) => step.notify.extend(notify),
            None => steps.push(NewStep {
                notify,
                after: Time::from_secs(delay - last),
            }),
        }
        last = delay;
    }
    let repeat = one.item("repeat");
    if repeat.is("closeAlertAfterAll") {
        book.lost(
            &what,
            "`closeAlertAfterAll`: an incident is never closed because nobody answered",
        );
    }
    if repeat.number("waitInterval").unwrap_or(0) > 0 {
        book.other(
            &what,
            "a round begins again after `acknowledge_within`, not after `waitInterval`",
        );
    }
    book.policy(
        one.text("id"),
        called,
        steps,
        repeat.number("count").unwrap_or(0),
        ends,
    );
}

/// Seconds.
fn delay(delay: Item<'_>) -> i64 {
    let unit = match delay.text("timeUnit") {
        "seconds" => 1,
        "hours" => 3_600,
        "days" => 86_400,
        _ => 60,
    };
    delay.number("timeAmount").unwrap_or(0).max(0) * unit
}

fn targets(rule: Item<'_>, what: &str, book: &mut Book) -> Vec<StepTarget> {
    let recipient = rule.item("recipient");
    let (kind, id) = (recipient.text("type"), recipient.text("id"));
    let how = rule.text("notifyType");
    match kind {
        "user" => book
            .people(what, &[id_of(recipient)])
            .into_iter()
            .map(StepTarget::Contact)
            .collect(),
        "schedule" => match book
            .schedule_named(id)
            .or_else(|| book.schedule_named(recipient.text("name")))
        {
            Some(name) => {
                if !matches!(how, "" | "default") {
                    book.other(what, format!("`{how}` of the schedule: who is on call at the time of the page is told"));
                }
                vec![StepTarget::Schedule(name)]
            }
            None => {
                book.lost(
                    what,
                    format!(
                        "the schedule `{}` is not in the file, or could not be taken over",
                        recipient.text("name")
                    ),
                );
                Vec::new()
            }
        },
        "team" => match book.team_named(id) {
            Some(name) if how == "random" => vec![StepTarget::OneOf(name)],
            Some(name) => {
                if !matches!(how, "all" | "users") {
                    book.other(
                        what,
                        format!("`{how}` of the team: everybody in it is told"),
                    );
                }
                vec![StepTarget::Team(name)]
            }
            None => {
                book.lost(
                    what,
                    format!(
                        "the team `{}` is not in the file, or has no members in it",
                        recipient.text("name")
                    ),
                );
                Vec::new()
            }
        },
        other => {
            book.lost(
                what,
                format!("a recipient of the kind `{other}` is not known here"),
            );
            Vec::new()
        }
    }
}
