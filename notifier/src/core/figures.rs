//! How fast incidents are taken and ended, out of their timelines.

use super::action::EntryKind;
use model::{Priority, Span, Timestamp};
use std::collections::BTreeMap;

/// One entry of a timeline, as far as these figures need it.
#[derive(Debug, Clone)]
pub struct Moment {
    /// Whose incident.
    pub tenant: String,
    /// The highest priority that it had.
    pub priority: Priority,
    /// What happened.
    pub kind: EntryKind,
    /// When.
    pub at: Timestamp,
}

/// Times to acknowledge and to resolve of one tenant and priority.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Times {
    /// How often an incident was opened.
    pub opened: u64,
    /// From each opening to its first acknowledgement, in seconds, sorted.
    pub to_acknowledge: Vec<f64>,
    /// From each opening to its end, in seconds, sorted.
    pub to_resolve: Vec<f64>,
}

impl Times {
    /// The mean of seconds; none of nothing.
    pub fn mean(seconds: &[f64]) -> Option<f64> {
        let count = u32::try_from(seconds.len())
            .ok()
            .filter(|count| *count > 0)?;
        Some(seconds.iter().sum::<f64>() / f64::from(count))
    }

    /// The smallest value that nine of ten do not exceed; none of nothing.
    pub fn p90(seconds: &[f64]) -> Option<f64> {
        let rank = seconds.len().checked_mul(9)?.div_ceil(10);
        rank.checked_sub(1)
            .and_then(|rank| seconds.get(rank))
            .copied()
    }
}

/// Collects timelines, one incident after the other.
#[derive(Debug)]
pub struct Figures {
    since: Timestamp,
    until: Timestamp,
    times: BTreeMap<(String, Priority), Times>,
    opened: Option<Timestamp>,
    acknowledged: bool,
}

impl Figures {
    /// Figures of what was opened from `since` until before `until`.
    pub fn new(since: Timestamp, until: Timestamp) -> Self {
        Self {
            since,
            until,
            times: BTreeMap::new(),
            opened: None,
            acknowledged: false,
        }
    }

    /// The next incident's timeline begins.
    pub fn next_incident(&mut self) {
        self.opened = None;
        self.acknowledged = false;
    }

    /// The next entry of the incident's timeline.
    pub fn take(&mut self, moment: &Moment) {
        use EntryKind as Kind;
        match moment.kind {
            Kind::Firing | Kind::Reopened | Kind::Raised if self.opened.is_none() => {
                self.opened = Some(moment.at);
                self.acknowledged = false;
                if let Some(times) = self.times(moment, moment.at) {
                    times.opened += 1;
                }
            }
            Kind::Acknowledged | Kind::Snoozed if !self.acknowledged => {
                self.acknowledged = true;
                let opened = self.opened;
                if let Some((times, opened)) =
                    opened.and_then(|opened| Some((self.times(moment, opened)?, opened)))
                {
                    times.to_acknowledge.push(seconds(moment.at.since(opened)));
                }
            }
            Kind::Resolved | Kind::Expired | Kind::Closed => {
                let opened = self.opened.take();
                if let Some((times, opened)) =
                    opened.and_then(|opened| Some((self.times(moment, opened)?, opened)))
                {
                    times.to_resolve.push(seconds(moment.at.since(opened)));
                }
            }
            _ => {}
        }
    }

    /// By tenant and priority.
    pub fn done(mut self) -> BTreeMap<(String, Priority), Times> {
        for times in self.times.values_mut() {
            times.to_acknowledge.sort_by(f64::total_cmp);
            times.to_resolve.sort_by(f64::total_cmp);
        }
        self.times
    }

    fn times(&mut self, moment: &Moment, opened: Timestamp) -> Option<&mut Times> {
        let within = opened >= self.since && opened < self.until;
        let key = (moment.tenant.clone(), moment.priority);
        within.then(|| self.times.entry(key).or_default())
    }
}

fn seconds(span: Span) -> f64 {
    span.as_secs_f64().max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(entries: &[(EntryKind, i64)]) -> Times {
        let at = |minute: i64| Timestamp::from_millis(minute * 60_000);
        let mut figures = Figures::new(at(10), at(1_000));
        for (kind, minute) in entries {
            figures.take(&Moment {
                tenant: "acme".to_owned(),
                priority: Priority::P1,
                kind: *kind,
                at: at(*minute),
            });
        }
        let all = figures.done();
        all.into_values().next().unwrap_or_default()
    }

    #[test]
    fn times_run_from_each_opening_to_its_first_acknowledgement_and_its_end() {
        use EntryKind::{Acknowledged, Closed, Firing, Page, Raised, Reopened, Resolved};
        let times = figures(&[
            (Firing, 10),
            (Page, 10),
            (Acknowledged, 14),
            (Raised, 20),
            (Acknowledged, 21),
            (Closed, 40),
            (Resolved, 45),
            (Reopened, 100),
            (Acknowledged, 102),
            (Resolved, 110),
        ]);
        assert_eq!(times.opened, 2);
        assert_eq!(times.to_acknowledge, [120.0, 240.0]);
        assert_eq!(times.to_resolve, [600.0, 1_800.0]);
        assert_eq!(Times::mean(&times.to_acknowledge), Some(180.0));
    }

    #[test]
    fn the_next_incident_begins_anew_whatever_the_last_was() {
        let moment = |kind, minute: i64| Moment {
            tenant: "acme".to_owned(),
            priority: Priority::P1,
            kind,
            at: Timestamp::from_millis(minute * 60_000),
        };
        let mut figures = Figures::new(Timestamp::default(), Timestamp::from_millis(6_000_000));
        figures.take(&moment(EntryKind::Firing, 1));
        figures.take(&moment(EntryKind::Acknowledged, 2));
        figures.next_incident();
        // It opens though the last is open, and is acknowledged though the last was.
        figures.take(&moment(EntryKind::Firing, 10));
        figures.take(&moment(EntryKind::Acknowledged, 15));
        let times = figures.done().into_values().next().unwrap_or_default();
        assert_eq!(times.opened, 2);
        assert_eq!(times.to_acknowledge, [60.0, 300.0]);
    }

    #[test]
    fn what_was_opened_outside_of_the_period_does_not_count() {
        use EntryKind::{Acknowledged, Firing, Resolved};
        let times = figures(&[(Firing, 9), (Acknowledged, 12), (Resolved, 15)]);
        assert_eq!(times, Times::default());
        assert_eq!(figures(&[(Firing, 1_000)]), Times::default());
    }

    #[test]
    fn nine_of_ten_do_not_exceed_the_p90() {
        let seconds: Vec<f64> = (1..=10).map(f64::from).collect();
        assert_eq!(Times::p90(&seconds), Some(9.0));
        assert_eq!((Times::p90(&[4.0]), Times::p90(&[])), (Some(4.0), None));
        assert_eq!(Times::mean(&[]), None);
    }
}
