//! GoAlert, as its GraphQL API gives it out (graphql2/schema.graphql of target/goalert): the answer to a query of `users`,
//! `rotations`, `schedules`, `userOverrides` and `escalationPolicies`, each with its `nodes`.

use super::ImportError;
use super::book::{Book, NewStep, wall, zone};
use super::export::{Export, Item};
use super::hours::{Span, hours};
use jiff::tz::TimeZone;
use model::Span as Time;
use schemas::catalogue::{Ends, Every, EveryUnit, Layer, ScheduleOverride, StepTarget, Turn};

const NAMES: [&str; 4] = ["users", "rotations", "schedules", "escalationPolicies"];
const DAY: i64 = 24 * 60;

pub(super) fn read(file: &Export, book: &mut Book) -> Result<(), ImportError> {
    file.has(&NAMES, "users, rotations, schedules and escalationPolicies")?;
    for user in file.list("users") {
        let methods = user.list("contactMethods");
        let number = methods.iter().find(|method| {
            matches!(method.text("type"), "SMS" | "VOICE") && !method.is("disabled")
        });
        let number = number.map(|method| method.text("value").replace([' ', '-'], ""));
        let fits = |number: &String| {
            let digits = number.strip_prefix('+').unwrap_or_default();
            (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
        };
        let (id, name, email) = (user.text("id"), user.text("name"), user.text("email"));
        if book.is_nameless(id, name, email) {
            continue;
        }
        let contact = book.contact(&[id], name, email);
        contact.phone = number.filter(fits);
    }
    let rotations = file.list("rotations");
    let overrides = file.list("userOverrides");
    for schedule in file.list("schedules") {
        read_schedule(schedule, &rotations, &overrides, book);
    }
    for policy in file.list("escalationPolicies") {
        read_policy(policy, &rotations, book);
    }
    Ok(())
}

/// Who follows whom in a rotation, how long, and since when.
fn rotation(one: Item<'_>, what: &str, own: &TimeZone, book: &mut Book) -> Option<Layer> {
    let what = format!("{what}, rotation {}", one.text("name"));
    let theirs = zone(one.text("timeZone"), &what, book);
    if theirs != *own {
        book.other(
            &what,
            "its handovers are on another clock: where summer times differ they move by an hour",
        );
    }
    let mut ids = one.texts("userIDs");
    if ids.is_empty() {
        ids = one
            .list("users")
            .iter()
            .map(|user| user.text("id"))
            .collect();
    }
    let people: Vec<Turn> = ids
        .iter()
        .map(|id| Turn(book.people(&what, &[id])))
        .collect();
    let unit = match one.text("type") {
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
    let from = wall(one.text("start"), &theirs, own);
    let (Some(from), false) = (from, people.iter().all(|turn| turn.0.is_empty())) else {
        book.lost(&what, "it has no beginning, or nobody who is in the file");
        return None;
    };
    let length = one.number("shiftLength").unwrap_or(1).clamp(1, 1_000);
    Some(Layer {
        layer: one.text("name").to_owned(),
        people,
        every: Every {
            count: u32::try_from(length).unwrap_or(1),
            unit,
        },
        from,
        until: None,
        hours: Vec::new(),
    })
}

fn read_schedule(one: Item<'_>, rotations: &[Item<'_>], overrides: &[Item<'_>], book: &mut Book) {
    let (id, called) = (one.text("id"), one.text("name"));
    let what = format!("schedule {called}");
    let own = zone(one.text("timeZone"), &what, book);
    let mut layers = Vec::new();
    for rules in one.list("targets") {
        let target = rules.item("target");
        let layer = match target.text("type") {
            "rotation" => match rotations
                .iter()
                .find(|rotation| rotation.text("id") == target.text("id"))
            {
                Some(found) => rotation(*found, &what, &own, book),
                None => {
                    book.lost(
                        &what,
                        format!("its rotation `{}` is not in the file", target.text("name")),
                    );
                    None
                }
            },
            "user" => person(target, &what, book),
            other => {
                book.lost(
                    &what,
                    format!("a target of the kind `{other}` is not known here"),
                );
                None
            }
        };
        let spans: Vec<Span> = rules
            .list("rules")
            .iter()
            .flat_map(|rule| spans(*rule))
            .collect();
        if let Some(mut layer) = layer.filter(|_| !spans.is_empty()) {
            layer.hours = hours(&spans);
            layers.push(layer);
        }
    }
    if layers.len() > 1 {
        book.other(
            &what,
            "its targets are on call together where their rules overlap; here the later layer wins",
        );
    }
    let taken = stand_ins(one, overrides, &what, &own, book);
    book.schedule(&[id, called], called, &own, layers, taken);
}

/// A person by themselves, as a layer.
fn person(target: Item<'_>, what: &str, book: &mut Book) -> Option<Layer> {
    let people = book.people(what, &[target.text("id")]);
    let name = people.first()?.clone();
    Some(Layer {
        layer: name,
        people: vec![Turn(people)],
        every: Every {
            count: 1,
            unit: EveryUnit::Weeks,
        },
        // A Monday before anything that an import could be asked about.
        from: jiff::civil::date(2000, 1, 3).at(0, 0, 0, 0),
        until: None,
        hours: Vec::new(),
    })
}

/// The spans of a rule: `weekdayFilter` from Sunday, `start` and `end` as `HH:MM`; both alike mean a whole day.
fn spans(rule: Item<'_>) -> Vec<Span> {
    let minute = |text: &str| -> i64 {
        let (hour, minute) = text.split_once(':').unwrap_or((text, "0"));
        hour.parse::<i64>().unwrap_or(0) * 60 + minute.parse::<i64>().unwrap_or(0)
    };
    let (from, to) = (minute(rule.text("start")), minute(rule.text("end")));
    let minutes = (to - from - 1).rem_euclid(DAY) + 1;
    let filter = rule.0["weekdayFilter"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let days = (0..7_i64).filter(|day| {
        // From Sunday there, from Monday here.
        let place = usize::try_from((day + 1) % 7).unwrap_or(0);
        filter.get(place).is_none_or(|on| *on == true)
    });
    days.map(|day| Span {
        from: day * DAY + from,
        minutes,
    })
    .collect()
}

/// Overrides of users, and temporary schedules.
fn stand_ins(
    one: Item<'_>,
    overrides: &[Item<'_>],
    what: &str,
    own: &TimeZone,
    book: &mut Book,
) -> Vec<ScheduleOverride> {
    let mut taken = Vec::new();
    let mut take = |book: &mut Book, what: &str, user: &str, each: Item<'_>| {
        let notify = book.people(what, &[user]);
        match (
            wall(each.text("start"), own, own),
            wall(each.text("end"), own, own),
        ) {
            (Some(from), Some(to)) if to > from && !notify.is_empty() => {
                taken.push(ScheduleOverride {
                    from,
                    to,
                    notify,
                    note: None,
                });
            }
            _ => book.lost(what, "it has no people, no beginning or no end"),
        }
    };
    for each in overrides
        .iter()
        .filter(|each| each.item("target").text("id") == one.text("id"))
    {
        let what = format!("{what}, override from {}", each.text("start"));
        let (add, remove) = (each.text("addUserID"), each.text("removeUserID"));
        if add.is_empty() {
            book.lost(
                &what,
                "it only takes somebody out; here an override says who is on call instead",
            );
            continue;
        }
        if remove.is_empty() {
            book.other(
                &what,
                "who was on call stayed so beside; here an override wins over all layers",
            );
        }
        take(book, &what, add, *each);
    }
    for temporary in one.list("temporarySchedules") {
        for shift in temporary.list("shifts") {
            let what = format!(
                "{what}, temporary schedule from {}",
                temporary.text("start")
            );
            take(book, &what, shift.text("userID"), shift);
        }
    }
    taken
}

fn read_policy(one: Item<'_>, rotations: &[Item<'_>], book: &mut Book) {
    let called = one.text("name");
    let what = format!("policy {called}");
    let mut all = one.list("steps");
    all.sort_by_key(|step| step.number("stepNumber").unwrap_or(0));
    let (mut steps, mut wait) = (Vec::new(), 0);
    for (n, step) in all.into_iter().enumerate() {
        let what = format!("{what}, step {}", n + 1);
        let mut notify = Vec::new();
        for target in step.list("targets") {
            notify.extend(told(target, &what, rotations, book));
        }
        steps.push(NewStep {
            notify,
            after: Time::from_secs(wait),
        });
        // The wait behind a step there is the wait before the next one here.
        wait = step.number("delayMinutes").unwrap_or(0).max(0) * 60;
    }
    book.policy(
        one.text("id"),
        called,
        steps,
        one.number("repeat").unwrap_or(0),
        Ends::Acknowledged,
    );
}

fn told(target: Item<'_>, what: &str, rotations: &[Item<'_>], book: &mut Book) -> Vec<StepTarget> {
    let (kind, id, name) = (target.text("type"), target.text("id"), target.text("name"));
    match kind {
        "user" => book
            .people(what, &[id])
            .into_iter()
            .map(StepTarget::Contact)
            .collect(),
        "schedule" | "rotation" => {
            let known = book.schedule_named(id).or_else(|| {
                let found = rotations
                    .iter()
                    .find(|one| kind == "rotation" && one.text("id") == id)?;
                let own = zone(found.text("timeZone"), what, book);
                let layer = rotation(*found, what, &own, book)?;
                book.schedule(&[id], found.text("name"), &own, vec![layer], Vec::new())
            });
            match known {
                Some(name) => vec![StepTarget::Schedule(name)],
                None => {
                    book.lost(
                        what,
                        format!(
                            "the {kind} `{name}` is not in the file, or could not be taken over"
                        ),
                    );
                    Vec::new()
                }
            }
        }
        "slackChannel" => {
            book.lost(
                what,
                format!(
                    "the room `{name}` is not a target here: a policy's `chat` sees every incident"
                ),
            );
            Vec::new()
        }
        other => {
            book.lost(
                what,
                format!("a target of the kind `{other}` is not known here"),
            );
            Vec::new()
        }
    }
}
