//! The second solver, and random schedules.

use super::Random;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time, date};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, ToSpan};
use schemas::catalogue::{
    Day, Every, EveryUnit, HolidayCalendar, Hours, Layer, OnHolidays, Schedule, ScheduleOverride,
    Turn,
};
use std::collections::BTreeSet;

/// Zones without and with summer time, with a half-hour one among them, on both sides of the equator.
pub(crate) const ZONES: [&str; 4] = [
    "Asia/Seoul",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
];

/// What the clock of a zone reads in each minute of two years.
pub(crate) struct World {
    pub(crate) zone: &'static str,
    /// The first minute, in seconds since the epoch.
    pub(crate) begin: i64,
    readings: Vec<i64>,
    /// The greatest reading up to each minute: a handover happens when it is passed.
    passed: Vec<i64>,
}

const DAY: i64 = 24 * 60;

/// Minutes on the wall clock since the first day of 2000.
fn wall_minutes(wall: DateTime) -> i64 {
    wall.duration_since(date(2000, 1, 1).at(0, 0, 0, 0))
        .as_mins()
}

impl World {
    pub(crate) fn of(name: &'static str) -> Self {
        let zone = TimeZone::get(name).expect("a known zone");
        let begin = date(2026, 1, 1)
            .to_zoned(TimeZone::UTC)
            .expect("a date")
            .timestamp();
        let minutes = 2 * 365 * DAY;
        let readings: Vec<i64> = (0..minutes)
            .map(|minute| {
                let at: Timestamp = begin + SignedDuration::from_mins(minute);
                wall_minutes(zone.to_datetime(at))
            })
            .collect();
        let mut greatest = i64::MIN;
        let passed = readings
            .iter()
            .map(|reading| {
                greatest = greatest.max(*reading);
                greatest
            })
            .collect();
        let begin = begin.as_second();
        Self {
            zone: name,
            begin,
            readings,
            passed,
        }
    }

    pub(crate) fn minutes(&self) -> usize {
        self.readings.len()
    }
}

/// Answers by looking at the table.
pub(crate) struct Solver<'a> {
    world: &'a World,
    schedule: &'a Schedule,
    holidays: BTreeSet<Date>,
}

impl<'a> Solver<'a> {
    pub(crate) fn of(schedule: &'a Schedule, world: &'a World) -> Self {
        let mut holidays: BTreeSet<Date> = schedule.closed.iter().copied().collect();
        if schedule.holidays == HolidayCalendar::Kr {
            holidays.extend(oncall::korean().keys());
        }
        Self {
            world,
            schedule,
            holidays,
        }
    }

    pub(crate) fn at(&self, minute: usize) -> Vec<&'a str> {
        let (reading, passed) = (self.world.readings[minute], self.world.passed[minute]);
        let mut people = Vec::new();
        let mut stands_in = false;
        for each in &self.schedule.overrides {
            if passed >= wall_minutes(each.from) && passed < wall_minutes(each.to) {
                stands_in = true;
                add(&mut people, &each.notify);
            }
        }
        if stands_in {
            return people;
        }
        for layer in self.schedule.layers.iter().rev() {
            let began = wall_minutes(layer.from);
            let ended = layer
                .until
                .is_some_and(|until| passed >= wall_minutes(until));
            let hours = layer.hours.is_empty()
                || layer.hours.iter().any(|hours| self.holds(hours, reading));
            if passed < began || ended || !hours {
                continue;
            }
            let length = i64::from(layer.every.hours()) * 60;
            let turn = usize::try_from((passed - began) / length).unwrap_or(0) % layer.people.len();
            add(&mut people, &layer.people[turn].0);
            if !people.is_empty() {
                return people;
            }
        }
        people
    }

    fn holds(&self, hours: &Hours, reading: i64) -> bool {
        // Every day on which the span could have begun, and the length it then has.
        let (from, to) = (minutes_of(hours.from), minutes_of(hours.to));
        let length = if to > from {
            to - from
        } else {
            to + DAY - from
        };
        [0, 1].into_iter().any(|back| {
            let day = reading.div_euclid(DAY) - back;
            let begins = day * DAY + from;
            let date = date(2000, 1, 1).saturating_add(day.days());
            let free = self.holidays.contains(&date);
            let meant = match hours.holidays {
                OnHolidays::Too => true,
                OnHolidays::Not => !free,
                OnHolidays::Only => free,
            };
            // The first day of 2000 was a Saturday.
            let name = [
                Day::Sat,
                Day::Sun,
                Day::Mon,
                Day::Tue,
                Day::Wed,
                Day::Thu,
                Day::Fri,
            ][usize::try_from(day.rem_euclid(7)).unwrap_or(0)];
            let named = hours.days.is_empty() || hours.days.contains(&name);
            meant && named && (begins..begins + length).contains(&reading)
        })
    }
}

fn minutes_of(time: Time) -> i64 {
    i64::from(time.hour()) * 60 + i64::from(time.minute())
}

fn add<'a>(people: &mut Vec<&'a str>, more: &'a [String]) {
    for each in more {
        if !people.contains(&each.as_str()) {
            people.push(each);
        }
    }
}

/// A schedule with up to four layers and five overrides, many of its edges in the hours in which clocks change.
pub(crate) fn random_schedule(random: &mut Random, zone: &str) -> Schedule {
    let layers = (0..=random.below(4)).map(|n| layer(random, n)).collect();
    let overrides = (0..random.below(6)).map(|_| stand_in(random)).collect();
    let closed = (0..random.below(4))
        .map(|_| some_time(random).date())
        .collect();
    Schedule {
        schedule: "noc".to_owned(),
        name: None,
        time_zone: zone.to_owned(),
        holidays: if random.below(2) == 0 {
            HolidayCalendar::Kr
        } else {
            HolidayCalendar::None
        },
        closed,
        hand_over: Vec::new(),
        layers,
        overrides,
    }
}

fn layer(random: &mut Random, n: u64) -> Layer {
    let units = [EveryUnit::Hours, EveryUnit::Days, EveryUnit::Weeks];
    let unit = units[usize::try_from(random.below(3)).unwrap_or(0)];
    let most = if unit == EveryUnit::Hours { 36 } else { 4 };
    let from =
        some_time(random).saturating_sub(random.below(500).try_into().map_or(0, |d: i64| d).days());
    let until = (random.below(4) == 0)
        .then(|| from.saturating_add((1 + random.below(900).cast_signed()).days()));
    Layer {
        layer: format!("layer-{n}"),
        people: (0..=random.below(5)).map(|_| turn(random)).collect(),
        every: Every {
            count: u32::try_from(1 + random.below(most)).unwrap_or(1),
            unit,
        },
        from,
        until,
        hours: (0..random.below(3)).map(|_| hours(random)).collect(),
    }
}

fn turn(random: &mut Random) -> Turn {
    let people = ["kim", "lee", "park", "choi", "jung"];
    let count = [1, 1, 1, 1, 2, 0][usize::try_from(random.below(6)).unwrap_or(0)];
    let one =
        |random: &mut Random| people[usize::try_from(random.below(5)).unwrap_or(0)].to_owned();
    Turn((0..count).map(|_| one(random)).collect())
}

fn hours(random: &mut Random) -> Hours {
    let all = [
        Day::Mon,
        Day::Tue,
        Day::Wed,
        Day::Thu,
        Day::Fri,
        Day::Sat,
        Day::Sun,
    ];
    let rules = [OnHolidays::Too, OnHolidays::Not, OnHolidays::Only];
    Hours {
        days: all.into_iter().filter(|_| random.below(2) == 0).collect(),
        from: some_clock(random),
        to: some_clock(random),
        holidays: rules[usize::try_from(random.below(3)).unwrap_or(0)],
    }
}

/// Often an hour in which clocks change.
fn some_clock(random: &mut Random) -> Time {
    let hour = if random.below(2) == 0 {
        random.below(4)
    } else {
        random.below(24)
    };
    let minute = random.below(4) * 15;
    Time::constant(
        i8::try_from(hour).unwrap_or(0),
        i8::try_from(minute).unwrap_or(0),
        0,
        0,
    )
}

/// Often a day on which clocks change.
fn some_time(random: &mut Random) -> DateTime {
    let changes = [
        date(2026, 3, 29),
        date(2026, 10, 25),
        date(2026, 3, 8),
        date(2026, 11, 1),
        date(2026, 4, 5),
        date(2026, 10, 4),
        date(2027, 3, 28),
        date(2027, 10, 31),
    ];
    let day = if random.below(3) == 0 {
        changes[usize::try_from(random.below(8)).unwrap_or(0)]
    } else {
        date(2026, 1, 1).saturating_add(random.below(720).cast_signed().days())
    };
    day.to_datetime(some_clock(random))
}

fn stand_in(random: &mut Random) -> ScheduleOverride {
    let from = some_time(random);
    let length = 15 * (1 + random.below(400).cast_signed());
    let people = ["yoon", "kim", "han"];
    let person = people[usize::try_from(random.below(3)).unwrap_or(0)];
    ScheduleOverride {
        from,
        to: from.saturating_add(length.minutes()),
        notify: vec![person.to_owned()],
        note: None,
    }
}
