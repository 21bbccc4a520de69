//! A value held against the same hour of earlier weeks.

use super::codec::{CodecError, Reader, Writer};
use model::{Span, Timestamp};

const HOUR: Span = Span::from_secs(3_600);
const HOURS: i64 = 168;
/// So many weeks are remembered.
const WEEKS: i64 = 4;
/// It is looked at, but nobody is paged, for so long.
const SHADOW: Span = Span::from_secs(21 * 86_400);
/// Fewer values of earlier weeks say nothing.
const LEAST: usize = 2;
/// The median absolute deviation of a normal distribution is its standard deviation by this.
const MAD_TO_SIGMA: f64 = 1.4826;
/// Less than this share of the median is no deviation: with few weeks chance makes it too small.
const LEAST_SPREAD: f64 = 0.05;
/// So many hours on each side tell how far values lie from their median.
const BESIDE: i64 = 3;

/// The mean of each hour of the last weeks: 2.7 kB, so it is opt-in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Season {
    since: Timestamp,
    /// Of hour of week `h` and week `w`: at `h * WEEKS + w % WEEKS`; NaN where there is none.
    means: Vec<f32>,
    /// The hour that is being filled, its sum and its values.
    hour: i64,
    sum: f64,
    values: u32,
    /// The shadow is over, and what it held was let go.
    pub(crate) live: bool,
}

impl Season {
    /// It begins at that grid point.
    pub(crate) fn new(at: Timestamp) -> Self {
        Self {
            since: at,
            means: vec![f32::NAN; (HOURS * WEEKS) as usize],
            hour: hour_of(at),
            sum: 0.0,
            values: 0,
            live: false,
        }
    }

    /// Whether it only watches so far.
    pub(crate) fn is_shadow(&self, at: Timestamp) -> bool {
        at.since(self.since) < SHADOW
    }

    /// Takes the value at a grid point.
    pub(crate) fn take(&mut self, at: Timestamp, value: f64) {
        let hour = hour_of(at);
        if hour != self.hour {
            if self.values > 0 {
                let place = place(self.hour);
                self.means[place] = (self.sum / f64::from(self.values)) as f32;
            }
            (self.hour, self.sum, self.values) = (hour, 0.0, 0);
        }
        self.sum += value;
        self.values += 1;
    }

    /// By how many percent the value lies above the same hour a week ago; below: negative.
    pub(crate) fn growth(&self, at: Timestamp, value: f64) -> Option<f64> {
        let then = f64::from(self.means[place(hour_of(at) - HOURS)]);
        let growth = 100.0 * (value - then) / then;
        growth.is_finite().then_some(growth)
    }

    /// How many deviations the value lies above the median of this hour in earlier weeks; below:
    /// negative. A deviation is that of this hour and those beside it, each from its own median.
    pub(crate) fn deviation(&self, at: Timestamp, value: f64) -> Option<f64> {
        let now = hour_of(at);
        let mut usual = self.earlier(now);
        if usual.len() < LEAST {
            return None;
        }
        let middle = median(&mut usual);
        let mut distances = Vec::new();
        for hour in now - BESIDE..=now + BESIDE {
            let mut weeks = self.earlier(hour);
            if !weeks.is_empty() {
                let middle = median(&mut weeks);
                distances.extend(weeks.iter().map(|mean| (mean - middle).abs()));
            }
        }
        let spread = (MAD_TO_SIGMA * median(&mut distances)).max(LEAST_SPREAD * middle.abs());
        let deviation = (value - middle) / spread;
        deviation.is_finite().then_some(deviation)
    }

    /// The means of that hour in the weeks before it.
    fn earlier(&self, hour: i64) -> Vec<f64> {
        // Four weeks ago may have been overwritten by this week's.
        let weeks = if hour < self.hour {
            1..WEEKS
        } else {
            1..WEEKS + 1
        };
        let means = weeks.map(|week| f64::from(self.means[place(hour - week * HOURS)]));
        means.filter(|mean| mean.is_finite()).collect()
    }

    pub(crate) fn encode(&self, to: &mut Writer) {
        to.signed(self.since.as_nanos());
        for mean in &self.means {
            to.raw(&mean.to_bits().to_le_bytes());
        }
        to.signed(self.hour);
        to.float(self.sum);
        to.unsigned(u64::from(self.values));
        to.boolean(self.live);
    }

    pub(crate) fn decode(from: &mut Reader<'_>) -> Result<Self, CodecError> {
        let since = Timestamp::from_nanos(from.signed()?);
        let mut season = Self::new(since);
        for mean in &mut season.means {
            let mut bits = [0; 4];
            bits.copy_from_slice(from.raw(4)?);
            *mean = f32::from_bits(u32::from_le_bytes(bits));
        }
        season.hour = from.signed()?;
        season.sum = from.float()?;
        let values = u32::try_from(from.unsigned()?);
        season.values = values.map_err(|_| CodecError::Range("an hour's values"))?;
        season.live = from.boolean()?;
        Ok(season)
    }
}

/// The grid point that ends an hour belongs to it.
fn hour_of(at: Timestamp) -> i64 {
    let nanos = at.minus(Span::from_nanos(1)).as_nanos();
    nanos.div_euclid(HOUR.as_nanos())
}

fn place(hour: i64) -> usize {
    let (week, of_week) = (hour.div_euclid(HOURS), hour.rem_euclid(HOURS));
    (of_week * WEEKS + week.rem_euclid(WEEKS)) as usize
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        (values[middle - 1] + values[middle]) / 2.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(n: i64) -> Timestamp {
        Timestamp::from_millis(1_767_225_600_000 + n * 3_600_000)
    }

    /// Busy at 9 of each day, quiet else, with some unrest.
    fn usual(hour: i64) -> f64 {
        let busy = if hour % 24 == 9 { 1_000.0 } else { 100.0 };
        busy * (1.0 + 0.02 * ((hour * 7 % 11) as f64 - 5.0) / 5.0)
    }

    fn after(weeks: i64) -> Season {
        let mut season = Season::new(hours(0));
        for hour in 1..=weeks * HOURS {
            season.take(hours(hour), usual(hour));
        }
        season
    }

    #[test]
    fn an_hour_is_held_against_the_same_hour_of_earlier_weeks() {
        let season = after(3);
        let now = 3 * HOURS + 15;
        let usual = season.deviation(hours(now), 101.0).unwrap();
        assert!(usual.abs() < 3.0, "{usual}");
        assert!(season.deviation(hours(now), 300.0).unwrap() > 10.0);
        assert!(season.deviation(hours(now), 10.0).unwrap() < -10.0);
    }

    #[test]
    fn growth_is_against_the_same_weekday_and_unknown_before_there_was_one() {
        let season = after(1);
        let now = HOURS + 5;
        let growth = season.growth(hours(now), 2.0 * usual(5)).unwrap();
        assert!((growth - 100.0).abs() < 1e-3, "{growth}");
        assert_eq!(Season::new(hours(0)).growth(hours(3), 1.0), None);
        assert_eq!(Season::new(hours(0)).deviation(hours(3), 1.0), None);
    }

    #[test]
    fn the_first_three_weeks_are_a_shadow() {
        let season = Season::new(hours(0));
        assert!(season.is_shadow(hours(3 * HOURS - 1)));
        assert!(!season.is_shadow(hours(3 * HOURS)));
    }

    #[test]
    fn a_season_is_read_back_as_written() {
        let season = after(2);
        let mut to = Writer::default();
        season.encode(&mut to);
        let bytes = to.into_bytes();
        let read = Season::decode(&mut Reader::new(&bytes)).unwrap();
        let mut again = Writer::default();
        read.encode(&mut again);
        assert_eq!(again.into_bytes(), bytes);
    }

    fn median_by_definition(mut values: Vec<f64>) -> f64 {
        values.sort_unstable_by(f64::total_cmp);
        f64::midpoint(values[(values.len() - 1) / 2], values[values.len() / 2])
    }

    /// What `deviation` is by its definition, with the means of all hours at hand; `filled` is the newest of them.
    fn deviation_by_definition(
        mean: impl Fn(i64) -> f64,
        filled: i64,
        now: i64,
        value: f64,
    ) -> f64 {
        // An hour's place is that of four weeks before it: what this week has filled is gone there.
        let earlier = |hour: i64| -> Vec<f64> {
            let weeks = if hour <= filled { 1..4 } else { 1..5 };
            let hours = weeks.map(|week| hour - week * HOURS);
            hours.filter(|hour| *hour >= 1).map(&mean).collect()
        };
        let usual = median_by_definition(earlier(now));
        let distances = (now - 3..=now + 3).flat_map(|hour| {
            let means = earlier(hour);
            let middle = (!means.is_empty()).then(|| median_by_definition(means.clone()));
            let far = move |mean: f64| middle.map(|middle| (mean - middle).abs());
            means.into_iter().filter_map(far)
        });
        let spread = 1.4826 * median_by_definition(distances.collect());
        (value - usual) / spread.max(0.05 * usual.abs())
    }

    #[test]
    fn a_deviation_is_of_this_hour_and_those_beside_it_in_up_to_four_weeks() {
        // By quarters, which 32 bits hold as they are; far enough apart for the spread to count.
        let mean = |hour: i64| 100.0 + (hour * 37 % 101) as f64 / 4.0;
        for weeks in [2, 3, 4, 5, 7] {
            let mut season = Season::new(hours(0));
            let filled = weeks * HOURS;
            for hour in 1..=filled {
                // Two values an hour, whose mean it is.
                let half = Span::from_secs(1_800);
                season.take(hours(hour).minus(half), mean(hour) - 8.0);
                season.take(hours(hour), mean(hour) + 8.0);
            }
            // The first value of an hour fills the one before it.
            let now = filled + 1;
            season.take(hours(now), 300.0);
            let found = season.deviation(hours(now), 300.0).unwrap();
            let wanted = deviation_by_definition(mean, filled, now, 300.0);
            assert!(
                (found - wanted).abs() < 1e-9,
                "{weeks} weeks: {found}, not {wanted}"
            );
        }
    }

    #[test]
    fn what_is_the_same_each_week_deviates_by_its_share_of_the_median() {
        let mut season = Season::new(hours(0));
        for hour in 1..=2 * HOURS {
            season.take(hours(hour), 200.0);
        }
        let now = hours(2 * HOURS + 1);
        season.take(now, 230.0);
        // 5 % of 200 are 10: 30 above are three.
        assert_eq!(season.deviation(now, 230.0), Some(3.0));
        // One week is too few to say.
        let mut season = Season::new(hours(0));
        for hour in 1..=HOURS + 1 {
            season.take(hours(hour), 200.0);
        }
        assert_eq!(season.deviation(hours(HOURS + 1), 230.0), None);
    }
}
