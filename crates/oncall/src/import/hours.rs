//! Spans of a week as hours of a layer, which begin on a day and end within a day.

use jiff::civil::Time;
use schemas::catalogue::{Day, Hours, OnHolidays};

/// Minutes of a day and of a week.
const DAY: i64 = 24 * 60;
const WEEK: i64 = 7 * DAY;

/// The days, from Monday.
pub(super) const DAYS: [Day; 7] = [
    Day::Mon,
    Day::Tue,
    Day::Wed,
    Day::Thu,
    Day::Fri,
    Day::Sat,
    Day::Sun,
];

/// A span of the week: its first minute from Monday 00:00, and its length in minutes, of at most a week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: i64,
    pub(super) minutes: i64,
}

/// The place of a day, from Monday, by the beginning of its English name.
pub(super) fn day(name: &str) -> Option<i64> {
    let name = name.to_lowercase();
    let known = ["mo", "tu", "we", "th", "fr", "sa", "su"];
    let found = known.iter().position(|day| name.starts_with(day))?;
    i64::try_from(found).ok()
}

/// The hours of these spans; empty when they are the whole week, which is what a layer without hours has.
pub(super) fn hours(spans: &[Span]) -> Vec<Hours> {
    if spans.iter().any(|span| span.minutes >= WEEK) {
        return Vec::new();
    }
    // By the two times of the day, so that days with the same hours stand together.
    let mut found: Vec<(i64, i64, Vec<Day>)> = Vec::new();
    for span in spans {
        let (mut from, mut left) = (span.from.rem_euclid(WEEK), span.minutes);
        while left > 0 {
            let begins = from % DAY;
            // Up to the same time of the next day at most: longer is another piece.
            let piece = match left {
                left if left < DAY => left,
                _ => DAY - begins,
            };
            let (ends, day) = (
                (begins + piece) % DAY,
                DAYS[usize::try_from(from / DAY).unwrap_or(0) % 7],
            );
            match found
                .iter_mut()
                .find(|(b, e, _)| (*b, *e) == (begins, ends))
            {
                Some((_, _, days)) if days.contains(&day) => {}
                Some((_, _, days)) => days.push(day),
                None => found.push((begins, ends, vec![day])),
            }
            from += piece;
            left -= piece;
        }
    }
    let whole = |(from, to, days): &(i64, i64, Vec<Day>)| from == to && days.len() == 7;
    if found.iter().any(whole) {
        return Vec::new();
    }
    let hours = found.into_iter().map(|(from, to, days)| Hours {
        days: if days.len() == 7 { Vec::new() } else { days },
        from: time(from),
        to: time(to),
        holidays: OnHolidays::Too,
    });
    hours.collect()
}

fn time(minute: i64) -> Time {
    let (hour, minute) = (minute / 60 % 24, minute % 60);
    let small = |number: i64| i8::try_from(number).unwrap_or(0);
    Time::new(small(hour), small(minute), 0, 0).unwrap_or(Time::midnight())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(spans: &[(i64, i64)]) -> Vec<String> {
        let spans: Vec<Span> = spans
            .iter()
            .map(|(from, minutes)| Span {
                from: *from,
                minutes: *minutes,
            })
            .collect();
        let one = |hours: &Hours| {
            let days: Vec<_> = hours.days.iter().map(|day| format!("{day:?}")).collect();
            format!("{} {} {}", days.join(","), hours.from, hours.to)
        };
        hours(&spans).iter().map(one).collect()
    }

    #[test]
    fn spans_of_a_week_become_hours_of_days() {
        // Nine to five on two days.
        let office = [(9 * 60, 480), (DAY + 9 * 60, 480)];
        assert_eq!(shown(&office), ["Mon,Tue 09:00:00 17:00:00"]);
        // Through the night.
        assert_eq!(shown(&[(18 * 60, 900)]), ["Mon 18:00:00 09:00:00"]);
        // A weekend: Friday evening, two whole days, Monday morning.
        assert_eq!(
            shown(&[(4 * DAY + 18 * 60, 60 * 60)]),
            [
                "Fri 18:00:00 00:00:00",
                "Sat,Sun 00:00:00 00:00:00",
                "Mon 00:00:00 06:00:00"
            ]
        );
        // Every day the same, and always.
        let nights: Vec<_> = (0..7).map(|day| (day * DAY + 22 * 60, 480)).collect();
        assert_eq!(shown(&nights), [" 22:00:00 06:00:00"]);
        let days: Vec<_> = (0..7).map(|day| (day * DAY, DAY)).collect();
        assert!(shown(&days).is_empty());
        assert!(shown(&[(300, WEEK)]).is_empty());
        // A day from noon to noon.
        assert_eq!(
            shown(&[(12 * 60, DAY)]),
            ["Mon 12:00:00 00:00:00", "Tue 00:00:00 12:00:00"]
        );
    }

    #[test]
    fn days_are_known_by_their_short_and_long_names() {
        assert_eq!(
            (day("MO"), day("sunday"), day("Thu"), day("x")),
            (Some(0), Some(6), Some(3), None)
        );
    }
}
