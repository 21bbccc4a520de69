//! "Full in 4 h": when a value that falls reaches zero.
//!
//! The slope is the median of the slopes between all pairs (Theil 1950, Sen 1968) of the last
//! values of up to 24 spans of 15 minutes. A value that leaps up, a clean-up, starts it again.

use super::codec::{CodecError, Reader, Writer};
use model::{Span, Timestamp};
use std::collections::VecDeque;

const SPAN: Span = Span::from_secs(900);
const MOST: usize = 24;
const LEAST: usize = 12;
/// A rise by more than this share of the total is a clean-up.
const CLEAN_UP: f64 = 0.05;

/// The last values of the newest spans: 8 B each, 192 B at most.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Trend {
    spans: VecDeque<(u32, f32)>,
    /// The largest value so far, where the total is not known.
    largest: f64,
    /// Change per second, as it was found last.
    pub(crate) slope: Option<f64>,
}

/// When the value reaches zero.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Until {
    /// In so many seconds.
    Zero(f64),
    /// It does not fall.
    Never,
    /// There are too few spans to say.
    TooEarly,
}

impl Trend {
    /// Takes the value at a grid point. `total`: what 5 % are meant of; none: the largest value so
    /// far.
    pub(crate) fn take(&mut self, at: Timestamp, value: f64, total: Option<f64>) {
        self.largest = self.largest.max(value);
        let total = total.unwrap_or(self.largest);
        let last = self.spans.back().copied();
        if last.is_some_and(|(_, last)| value - f64::from(last) > CLEAN_UP * total) {
            self.spans.clear();
        }
        // The grid point that ends a span belongs to it.
        let nanos = at.minus(Span::from_nanos(1)).as_nanos();
        let span = u32::try_from(nanos.div_euclid(SPAN.as_nanos())).unwrap_or(0);
        match self.spans.back_mut() {
            Some((known, last)) if *known == span => *last = value as f32,
            _ => self.spans.push_back((span, value as f32)),
        }
        while let Some((oldest, _)) = self.spans.front()
            && (span.saturating_sub(*oldest) as usize >= MOST || self.spans.len() > MOST)
        {
            self.spans.pop_front();
        }
    }

    /// When `value`, the newest, reaches zero.
    pub(crate) fn until_zero(&mut self, value: f64) -> Until {
        self.slope = None;
        if self.spans.len() < LEAST {
            return Until::TooEarly;
        }
        let slope = self.median_slope();
        self.slope = Some(slope);
        let left = value.max(0.0) / -slope;
        if slope < 0.0 && left.is_finite() {
            Until::Zero(left)
        } else {
            Until::Never
        }
    }

    fn median_slope(&self) -> f64 {
        let mut slopes = Vec::with_capacity(MOST * (MOST - 1) / 2);
        for (n, (later, value)) in self.spans.iter().enumerate() {
            for (earlier, before) in self.spans.iter().take(n) {
                let secs = f64::from(later - earlier) * SPAN.as_secs_f64();
                slopes.push((f64::from(*value) - f64::from(*before)) / secs);
            }
        }
        slopes.sort_unstable_by(f64::total_cmp);
        let middle = slopes.len() / 2;
        if slopes.len() % 2 == 1 {
            slopes[middle]
        } else {
            (slopes[middle - 1] + slopes[middle]) / 2.0
        }
    }

    pub(crate) fn encode(&self, to: &mut Writer) {
        to.list(self.spans.iter(), |to, (span, value)| {
            to.unsigned(u64::from(*span));
            to.raw(&value.to_bits().to_le_bytes());
        });
        to.float(self.largest);
        to.option(self.slope, Writer::float);
    }

    pub(crate) fn decode(from: &mut Reader<'_>) -> Result<Self, CodecError> {
        let spans = from.list(|from| {
            let span = u32::try_from(from.unsigned()?);
            let span = span.map_err(|_| CodecError::Range("a span of a trend"))?;
            let mut bits = [0; 4];
            bits.copy_from_slice(from.raw(4)?);
            Ok((span, f32::from_bits(u32::from_le_bytes(bits))))
        })?;
        if !spans.iter().is_sorted_by(|a, b| a.0 < b.0) || spans.len() > MOST {
            return Err(CodecError::Range("the spans of a trend"));
        }
        Ok(Self {
            spans: spans.into(),
            largest: from.float()?,
            slope: from.option(Reader::float)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(n: i64) -> Timestamp {
        Timestamp::from_millis(1_767_225_600_000 + n * 60_000)
    }

    fn until(values: impl Iterator<Item = (i64, f64)>) -> Until {
        let mut trend = Trend::default();
        let mut newest = 0.0;
        for (at, value) in values {
            trend.take(minutes(at), value, Some(100.0));
            newest = value;
        }
        trend.until_zero(newest)
    }

    #[test]
    fn a_steady_fall_ends_when_it_must_and_a_rise_never_does() {
        // 1 point a quarter of an hour, from 40: at 24 after 16 spans, 6 h are left.
        let fall = (1..=240).map(|n| (n, 40.0 - n as f64 / 15.0));
        let Until::Zero(left) = until(fall) else {
            panic!("it falls");
        };
        assert!((left - 24.0 * 900.0).abs() < 1.0, "{left}");
        assert_eq!(until((1..=240).map(|n| (n, 10.0 + n as f64))), Until::Never);
        assert_eq!(until((1..=240).map(|n| (n, 10.0))), Until::Never);
    }

    #[test]
    fn fewer_than_twelve_spans_say_nothing() {
        assert_eq!(
            until((1..=165).map(|n| (n, 40.0 - n as f64 / 15.0))),
            Until::TooEarly
        );
        let twelve = (1..=180).map(|n| (n, 40.0 - n as f64 / 15.0));
        assert!(matches!(until(twelve), Until::Zero(_)));
    }

    #[test]
    fn a_clean_up_of_more_than_five_percent_starts_again() {
        let fall = |n: i64| 40.0 - n as f64 / 15.0;
        let jump = |height: f64| {
            (1..=240).map(move |n| (n, if n > 200 { fall(n) + height } else { fall(n) }))
        };
        assert!(matches!(until(jump(4.9)), Until::Zero(_)));
        assert_eq!(until(jump(5.2)), Until::TooEarly);
    }

    #[test]
    fn outliers_below_a_third_do_not_move_the_slope() {
        let fall = (1..=240).map(|n| {
            let noise = if n % 150 < 15 { -3.0 } else { 0.0 };
            (n, 40.0 - n as f64 / 15.0 + noise)
        });
        let Until::Zero(left) = until(fall) else {
            panic!("it falls");
        };
        assert!((left / (24.0 * 900.0) - 1.0).abs() < 0.1, "{left}");
    }

    /// The median of the slopes between all pairs, by its definition; per second.
    fn median_of_pairs(spans: &[(u32, f64)]) -> f64 {
        let mut slopes = Vec::new();
        for (n, one) in spans.iter().enumerate() {
            for other in &spans[n + 1..] {
                slopes.push((other.1 - one.1) / (f64::from(other.0 - one.0) * 900.0));
            }
        }
        slopes.sort_unstable_by(f64::total_cmp);
        let (low, high) = ((slopes.len() - 1) / 2, slopes.len() / 2);
        f64::midpoint(slopes[low], slopes[high])
    }

    #[test]
    fn the_slope_is_the_median_of_all_pairs_of_the_newest_twenty_four_spans() {
        // 12 spans have 66 pairs, 15 have 105: both halves of what a median is.
        for n in [12_u32, 13, 15, 23, 24, 25, 40] {
            // Uneven, so that no two slopes are the same, and by parts of 64, which 32 bits hold as they are.
            let values: Vec<(u32, f64)> = (1..=n)
                .map(|n| {
                    (
                        n,
                        900.0 - f64::from(n) + f64::from(n * n * 389 % 1_009) / 64.0,
                    )
                })
                .collect();
            let mut trend = Trend::default();
            for (span, value) in &values {
                trend.take(minutes(i64::from(*span) * 15), *value, Some(1_000.0));
            }
            trend.until_zero(50.0);
            let newest = &values[values.len().saturating_sub(24)..];
            let (slope, wanted) = (trend.slope.unwrap(), median_of_pairs(newest));
            assert!(
                (slope - wanted).abs() < 1e-12,
                "{n} spans: {slope}, not {wanted}"
            );
        }
    }

    #[test]
    fn a_span_of_six_hours_ago_says_nothing_any_more() {
        // Twelve spans, then nothing for hours, then another one.
        let after = |spans: i64| {
            let fall = (1..=12).map(|n| (n * 15, 40.0 - n as f64));
            until(fall.chain([((12 + spans) * 15, 20.0)]))
        };
        // 24 spans cover six hours: of the twelve all but the first are within them.
        assert!(matches!(after(12), Until::Zero(_)));
        assert!(matches!(after(13), Until::Zero(_)));
        assert_eq!(after(14), Until::TooEarly);
        assert_eq!(after(40), Until::TooEarly);
    }

    #[test]
    fn a_rise_by_five_percent_is_no_clean_up_yet() {
        for (rise, starts_again) in [(5.0, false), (5.25, true)] {
            let mut trend = Trend::default();
            for n in 1..=14 {
                let value = 40.0 - n as f64 + if n > 12 { 1.0 + rise } else { 0.0 };
                trend.take(minutes(n * 15), value, Some(100.0));
            }
            let early = trend.until_zero(20.0) == Until::TooEarly;
            assert_eq!(early, starts_again, "by {rise}");
        }
    }

    #[test]
    fn a_trend_is_read_back_as_written_and_one_that_cannot_be_is_refused() {
        let spans = |all: &[u32]| Trend {
            spans: all.iter().map(|span| (*span, 1.5)).collect(),
            largest: 7.0,
            slope: Some(-0.25),
        };
        let most: Vec<u32> = (1..=24).collect();
        let more: Vec<u32> = (1..=25).collect();
        for (trend, is_read) in [
            (Trend::default(), true),
            (spans(&[3, 4, 9]), true),
            (spans(&most), true),
            (spans(&more), false),
            (spans(&[3, 3]), false),
            (spans(&[4, 3]), false),
        ] {
            let mut to = Writer::default();
            trend.encode(&mut to);
            let bytes = to.into_bytes();
            let read = Trend::decode(&mut Reader::new(&bytes)).ok();
            assert_eq!(read, is_read.then_some(trend));
        }
    }
}
