//! Spans of the day on some days: `mon-fri 18:00 to 09:00, not on holidays`.

use jiff::civil::{Date, DateTime, Time, Weekday};
use schemas::catalogue::{self, Day, OnHolidays};
use std::collections::BTreeSet;

/// When somebody of a layer is on call at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hours {
    /// Whether they begin on that day, from Monday.
    days: [bool; 7],
    from: Time,
    to: Time,
    holidays: OnHolidays,
}

impl Hours {
    pub(crate) fn compile(hours: &catalogue::Hours) -> Self {
        let mut days = [hours.days.is_empty(); 7];
        for day in &hours.days {
            let index = match day {
                Day::Mon => 0,
                Day::Tue => 1,
                Day::Wed => 2,
                Day::Thu => 3,
                Day::Fri => 4,
                Day::Sat => 5,
                Day::Sun => 6,
            };
            days[index] = true;
        }
        Self {
            days,
            from: hours.from,
            to: hours.to,
            holidays: hours.holidays,
        }
    }

    /// Office hours: Monday to Friday, nine to six, not on holidays.
    pub(crate) fn office() -> Self {
        let mut days = [true; 7];
        days[5] = false;
        days[6] = false;
        Self {
            days,
            from: Time::constant(9, 0, 0, 0),
            to: Time::constant(18, 0, 0, 0),
            holidays: OnHolidays::Not,
        }
    }

    /// Whether the clock's reading lies in them.
    pub(crate) fn hold(&self, reading: DateTime, holidays: &BTreeSet<Date>) -> bool {
        let (date, time) = (reading.date(), reading.time());
        if self.from < self.to {
            return self.begin_on(date, holidays) && self.from <= time && time < self.to;
        }
        let since_today = time >= self.from && self.begin_on(date, holidays);
        let since_yesterday = time < self.to
            && date
                .yesterday()
                .is_ok_and(|date| self.begin_on(date, holidays));
        since_today || since_yesterday
    }

    fn begin_on(&self, date: Date, holidays: &BTreeSet<Date>) -> bool {
        let day = Weekday::to_monday_zero_offset(date.weekday());
        let free = holidays.contains(&date);
        self.days[usize::from(day.unsigned_abs())]
            && match self.holidays {
                OnHolidays::Too => true,
                OnHolidays::Not => !free,
                OnHolidays::Only => free,
            }
    }

    /// The two readings of the clock on `date` at which the answer can change.
    pub(crate) fn edges(&self, date: Date) -> [DateTime; 2] {
        [date.to_datetime(self.from), date.to_datetime(self.to)]
    }
}
