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
}
