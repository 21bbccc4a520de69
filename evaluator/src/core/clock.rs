//! Log time, and the clock of a host.

use model::{Span, Timestamp};

/// At most so many tick periods pass between two records.
const MOST_TICKS: i64 = 3;

/// A point so far ahead of its arrival and its host's offset is quarantined.
const AHEAD: Span = Span::from_secs(120);

/// 2200-01-01: no clock is believed that shows this or more. Near the last time that can be counted (2262) no time lies ahead
/// of another, and grid points would close without end.
pub(crate) const FARTHEST: Timestamp = Timestamp::from_millis(7_258_118_400_000);

/// Log time: advances from record to record by the difference of their arrival, never back, and
/// never by more than three tick periods. So an outage or a backlog is not taken for silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct LogClock {
    /// Arrival of the last record, and log time at it; none before the first.
    pub(crate) last: Option<(Timestamp, Timestamp)>,
}

impl LogClock {
    /// Takes the arrival of the next record. Whether log time passed a multiple of the tick period.
    pub(crate) fn advance(&mut self, arrival: Timestamp, tick: Span) -> Passed {
        let Some((before, log)) = self.last else {
            self.last = Some((arrival, arrival));
            return Passed::NoTick;
        };
        let passed = arrival
            .since(before)
            .max(Span::ZERO)
            .min(Self::stride(tick));
        let now = log.plus(passed);
        self.last = Some((arrival, now));
        if now.floor_to(tick) > log.floor_to(tick) {
            Passed::Tick
        } else {
            Passed::NoTick
        }
    }

    /// The most that passes between two records.
    pub(crate) fn stride(tick: Span) -> Span {
        tick.times(MOST_TICKS)
    }

    /// Log time at the last record.
    pub(crate) fn now(&self) -> Timestamp {
        self.last.map_or_else(Timestamp::default, |(_, log)| log)
    }
}

/// Whether a multiple of the tick period was passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passed {
    /// One or more: due timers fire.
    Tick,
    /// None.
    NoTick,
}

/// The clock of a host: its newest point's time, moved on by log time from its last point on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HostClock {
    /// The largest accepted event time; none while all points were quarantined.
    pub(crate) newest: Option<Timestamp>,
    /// What the clock showed at the host's last point.
    pub(crate) heard_event: Timestamp,
    /// Log time at the host's last point.
    pub(crate) heard_log: Timestamp,
}

/// What becomes of a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It counts.
    Accepted,
    /// Older than the host's lateness allows.
    Late,
    /// Too far ahead of its arrival.
    Quarantined,
}

impl HostClock {
    /// The clock of a host whose first point has time `at`, and whether that point counts.
    pub(crate) fn first(at: Timestamp, arrival: Timestamp, log: Timestamp) -> (Self, Verdict) {
        let (newest, heard_event, verdict) = if is_ahead(at, arrival) {
            (None, arrival, Verdict::Quarantined)
        } else {
            (Some(at), at, Verdict::Accepted)
        };
        let clock = Self {
            newest,
            heard_event,
            heard_log: log,
        };
        (clock, verdict)
    }

    /// Takes the host's next point; `offset` is how far its clock lies ahead. A late or quarantined one proves that the host lives, and lets
    /// the clock run on.
    pub(crate) fn hear(
        &mut self,
        at: Timestamp,
        arrival: Timestamp,
        log: Timestamp,
        (lateness, offset): (Span, Span),
    ) -> Verdict {
        let verdict = if is_ahead(at, arrival.plus(offset)) {
            Verdict::Quarantined
        } else if self
            .newest
            .is_some_and(|newest| at < newest.minus(lateness))
        {
            Verdict::Late
        } else {
            Verdict::Accepted
        };
        self.heard_event = match verdict {
            Verdict::Accepted => {
                let newest = self.newest.map_or(at, |newest| newest.max(at));
                self.newest = Some(newest);
                newest
            }
            Verdict::Late | Verdict::Quarantined => self.at(log),
        };
        self.heard_log = log;
        verdict
    }

    /// What the clock shows at that log time.
    pub(crate) fn at(&self, log: Timestamp) -> Timestamp {
        self.heard_event
            .plus(log.since(self.heard_log).max(Span::ZERO))
    }

    /// The log time at which the clock shows `event` if nothing is heard until then.
    pub(crate) fn log_time_of(&self, event: Timestamp) -> Timestamp {
        self.heard_log.plus(event.since(self.heard_event))
    }

    /// How long nothing was heard, in log time.
    pub(crate) fn silence(&self, log: Timestamp) -> Span {
        log.since(self.heard_log).max(Span::ZERO)
    }
}

fn is_ahead(at: Timestamp, arrival: Timestamp) -> bool {
    at > arrival.plus(AHEAD) || at >= FARTHEST
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(secs: i64) -> Timestamp {
        Timestamp::from_millis(secs * 1_000)
    }

    #[test]
    fn log_time_never_goes_back_and_never_leaps() {
        let tick = Span::from_secs(10);
        let mut clock = LogClock::default();
        for (arrival, log, passed) in [
            (100, 100, Passed::NoTick),
            (109, 109, Passed::NoTick),
            (110, 110, Passed::Tick),
            (50, 110, Passed::NoTick),
            (55, 115, Passed::NoTick),
            (4_000, 145, Passed::Tick),
            (4_001, 146, Passed::NoTick),
        ] {
            assert_eq!(clock.advance(s(arrival), tick), passed, "arrival {arrival}");
            assert_eq!(clock.now(), s(log), "arrival {arrival}");
        }
    }

    #[test]
    fn a_late_or_quarantined_point_proves_life_and_moves_no_event_time() {
        let lateness = Span::from_secs(30);
        let (mut clock, verdict) = HostClock::first(s(100), s(100), s(100));
        assert_eq!(verdict, Verdict::Accepted);
        for (at, log, verdict, newest, shown) in [
            (70, 105, Verdict::Accepted, 100, 100),
            (69, 110, Verdict::Late, 100, 105),
            (500, 115, Verdict::Quarantined, 100, 110),
            (120, 120, Verdict::Accepted, 120, 120),
        ] {
            assert_eq!(
                clock.hear(s(at), s(log), s(log), (lateness, Span::ZERO)),
                verdict,
                "{at}"
            );
            assert_eq!(clock.newest, Some(s(newest)), "{at}");
            assert_eq!(clock.at(s(log)), s(shown), "{at}");
            assert_eq!(clock.silence(s(log + 7)), Span::from_secs(7));
        }
        assert_eq!(clock.log_time_of(s(150)), s(150));
    }

    #[test]
    fn a_point_is_ahead_by_more_than_two_minutes_and_not_by_two() {
        let offset = Span::from_secs(7);
        let mut clock = HostClock::first(s(100), s(100), s(100)).0;
        let mut hear = |at| clock.hear(at, s(100), s(100), (Span::ZERO, offset));
        assert_eq!(hear(s(227)), Verdict::Accepted);
        assert_eq!(hear(s(227).plus(Span::from_nanos(1))), Verdict::Quarantined);
    }

    #[test]
    fn a_host_that_is_only_ever_ahead_lives_by_its_arrivals() {
        let (mut clock, verdict) = HostClock::first(s(1_000), s(100), s(100));
        assert_eq!((verdict, clock.at(s(110))), (Verdict::Quarantined, s(110)));
        let verdict = clock.hear(s(90), s(110), s(110), (Span::ZERO, Span::ZERO));
        assert_eq!((verdict, clock.newest), (Verdict::Accepted, Some(s(90))));
    }
}
