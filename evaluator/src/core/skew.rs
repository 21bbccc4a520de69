//! How far a host's clock lies ahead of the log's, and when a jump of it is believed.

use super::clock::FARTHEST;
use super::codec::{CodecError, Reader, Writer};
use model::{Span, Timestamp};
use std::collections::VecDeque;

/// The offset is that of the accepted points of so long.
const REMEMBERED: Span = Span::from_secs(600);
/// Offsets are kept by the minute of their arrival.
const MINUTE: Span = Span::from_secs(60);
/// A jump is believed after so many gathers.
const GATHERS: u32 = 3;
/// In which (event - arrival) stays within this.
const STEADY: Span = Span::from_secs(30);

/// What a host's points have shown of its clock.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Skew {
    /// Minute of arrival and the largest (event - arrival) in it; those that a later one exceeds
    /// are left out, so that the first is the largest.
    largest: VecDeque<(i64, Span)>,
    jump: Option<Jump>,
    /// How often a jump was adopted.
    pub(crate) step: u32,
}

/// Points that would be normal if the clock had jumped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Jump {
    gathers: u32,
    /// Smallest and largest (event - arrival).
    least: Span,
    most: Span,
    /// Event time and arrival of the last gather that counted.
    event: Timestamp,
    arrival: Timestamp,
}

impl Skew {
    /// The host's clock less the log's: the largest (event - arrival), because a delay can only
    /// lower it. A host that was silent for long has its last one.
    pub(crate) fn offset(&self) -> Span {
        self.largest
            .front()
            .map_or(Span::ZERO, |(_, offset)| *offset)
    }

    /// A point was accepted: the clock is what it was.
    pub(crate) fn accept(&mut self, event: Timestamp, arrival: Timestamp) {
        self.jump = None;
        self.remember(event.since(arrival), arrival);
    }

    fn remember(&mut self, offset: Span, arrival: Timestamp) {
        let minute = arrival.floor_to(MINUTE).as_nanos();
        let oldest = arrival.minus(REMEMBERED).minus(MINUTE).as_nanos();
        while self
            .largest
            .back()
            .is_some_and(|(_, known)| *known <= offset)
        {
            self.largest.pop_back();
        }
        if self.largest.back().is_none_or(|(known, _)| *known < minute) {
            self.largest.push_back((minute, offset));
        }
        while self.largest.len() > 1 && self.largest.front().is_some_and(|(m, _)| *m < oldest) {
            self.largest.pop_front();
        }
    }

    /// A point was late or quarantined. Whether it is the one by which a jump is adopted.
    ///
    /// A gather counts when it comes about as long after the one before as its time says: in a
    /// buffer that is being flushed event times run, and arrivals stand.
    pub(crate) fn doubt(&mut self, event: Timestamp, arrival: Timestamp) -> bool {
        if event >= FARTHEST {
            return false;
        }
        let offset = event.since(arrival);
        let fresh = Jump {
            gathers: 1,
            least: offset,
            most: offset,
            event,
            arrival,
        };
        let Some(jump) = &mut self.jump else {
            self.jump = Some(fresh);
            return false;
        };
        let (least, most) = (jump.least.min(offset), jump.most.max(offset));
        if Timestamp::default()
            .plus(most)
            .since(Timestamp::default().plus(least))
            > STEADY
        {
            self.jump = Some(fresh);
            return false;
        }
        (jump.least, jump.most) = (least, most);
        let (ran, passed) = (event.since(jump.event), arrival.since(jump.arrival));
        if ran > Span::ZERO && passed > Span::ZERO && passed.times(2) >= ran {
            jump.gathers += 1;
            (jump.event, jump.arrival) = (event, arrival);
        }
        if jump.gathers < GATHERS {
            return false;
        }
        self.jump = None;
        self.largest.clear();
        self.step += 1;
        self.remember(offset, arrival);
        true
    }

    pub(crate) fn encode(&self, to: &mut Writer) {
        to.list(self.largest.iter(), |to, (minute, offset)| {
            to.signed(*minute);
            to.signed(offset.as_nanos());
        });
        to.option(self.jump.as_ref(), |to, jump| {
            to.unsigned(u64::from(jump.gathers));
            to.signed(jump.least.as_nanos());
            to.signed(jump.most.as_nanos());
            to.signed(jump.event.as_nanos());
            to.signed(jump.arrival.as_nanos());
        });
        to.unsigned(u64::from(self.step));
    }

    pub(crate) fn decode(from: &mut Reader<'_>) -> Result<Self, CodecError> {
        let largest = from.list(|from| Ok((from.signed()?, Span::from_nanos(from.signed()?))))?;
        let jump = from.option(|from| {
            let gathers = u32::try_from(from.unsigned()?);
            Ok(Jump {
                gathers: gathers.map_err(|_| CodecError::Range("a number of gathers"))?,
                least: Span::from_nanos(from.signed()?),
                most: Span::from_nanos(from.signed()?),
                event: Timestamp::from_nanos(from.signed()?),
                arrival: Timestamp::from_nanos(from.signed()?),
            })
        })?;
        Ok(Self {
            largest: largest.into(),
            jump,
            step: u32::try_from(from.unsigned()?).map_err(|_| CodecError::Range("a clock step"))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(secs: i64) -> Timestamp {
        Timestamp::from_millis(secs * 1_000)
    }

    #[test]
    fn the_offset_is_the_largest_of_ten_minutes_and_a_delay_only_lowers_it() {
        let mut skew = Skew::default();
        for (event, arrival, offset) in [
            (100, 100, 0),
            (165, 160, 5),
            (170, 220, 5),
            (700, 740, 5),
            (770, 780, 5),
            // The 5 s are of 160, which is over 10 minutes ago now.
            (840, 850, -10),
        ] {
            skew.accept(s(event), s(arrival));
            assert_eq!(
                skew.offset(),
                Span::from_secs(offset),
                "{event} at {arrival}"
            );
        }
    }

    #[test]
    fn a_jump_that_stays_for_three_gathers_is_adopted() {
        for jump in [3_600, -3_600] {
            let mut skew = Skew::default();
            skew.accept(s(100), s(100));
            let at = |n: i64| (s(100 + n * 10 + jump), s(100 + n * 10 + n % 2));
            let adopted: Vec<bool> = (1..=3).map(|n| skew.doubt(at(n).0, at(n).1)).collect();
            assert_eq!(adopted, [false, false, true]);
            assert_eq!((skew.step, skew.offset()), (1, Span::from_secs(jump - 1)));
        }
    }

    #[test]
    fn a_jump_is_steady_within_thirty_seconds_and_runs_as_its_times_say() {
        let far = FARTHEST.as_millis() / 1_000;
        for (gathers, adopted) in [
            // Event and arrival: 30 s apart, and more than that.
            ([(3_610, 10), (3_650, 50), (3_720, 90)], true),
            ([(3_610, 10), (3_650, 50), (3_721, 90)], false),
            // Twice as fast as the log, and faster.
            ([(3_610, 10), (3_630, 20), (3_650, 30)], true),
            ([(3_610, 10), (3_631, 20), (3_652, 30)], false),
            // Time that stands.
            ([(3_610, 10), (3_610, 12), (3_610, 14)], false),
            ([(far - 30, 10), (far - 20, 20), (far - 10, 30)], true),
            ([(far - 20, 10), (far - 10, 20), (far, 30)], false),
        ] {
            let mut skew = Skew::default();
            let believed = gathers.map(|(event, arrival)| skew.doubt(s(event), s(arrival)));
            assert_eq!(believed, [false, false, adopted], "{gathers:?}");
        }
    }

    #[test]
    fn a_buffer_that_is_flushed_and_a_point_in_between_are_no_jump() {
        let mut skew = Skew::default();
        skew.accept(s(4_000), s(4_000));
        // 300 gathers of an hour ago in three requests within two seconds.
        for n in 0..300 {
            assert!(!skew.doubt(s(n * 10), s(4_001 + n / 100)), "{n}");
        }
        for n in 1..10 {
            let (event, arrival) = (s(400 + n * 10), s(4_010 + n * 10));
            assert!(!skew.doubt(event, arrival));
            skew.accept(arrival, arrival);
        }
        assert_eq!(skew.step, 0);
    }
}
