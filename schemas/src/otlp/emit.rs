//! Data points of every kind as lines.

use crate::points::{Decoded, Lines, Problem, Tags, Undecodable, exact, field_key, float, head};
use std::borrow::Cow;

/// Attributes of a resource, scope or point that are kept; more make the points unstorable.
const MOST_ATTRIBUTES: usize = 128;
/// Buckets and quantiles of a point.
pub(super) const MOST_VALUES: usize = 1024;
/// `DataPointFlags.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK`
const NO_RECORDED_VALUE: u64 = 1;

/// Attributes as texts.
#[derive(Debug, Clone, Default)]
pub(super) struct Attributes<'a> {
    list: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    too_many: bool,
}

impl<'a> Attributes<'a> {
    pub(super) fn push(&mut self, key: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, str>>) {
        if self.list.len() < MOST_ATTRIBUTES {
            self.list.push((key.into(), value.into()));
        } else {
            self.too_many = true;
        }
    }
}

/// What kind of metric a point belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Gauge,
    Sum { monotonic: bool, delta: bool },
    Histogram { delta: bool },
    Exponential { delta: bool },
    Summary,
}

/// The value of a gauge or a sum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    Float(f64),
    Whole(i64),
}

/// A point of any kind.
#[derive(Debug, Clone, Default)]
pub(super) struct Point<'a> {
    pub(super) attributes: Attributes<'a>,
    pub(super) nanos: u64,
    pub(super) flags: u64,
    pub(super) value: Option<Number>,
    pub(super) count: u64,
    pub(super) sum: Option<f64>,
    pub(super) min: Option<f64>,
    pub(super) max: Option<f64>,
    pub(super) zero_count: u64,
    pub(super) buckets: Values<u64>,
    pub(super) bounds: Values<f64>,
    pub(super) quantiles: Values<(f64, f64)>,
}

/// A list that does not grow without end.
#[derive(Debug, Clone)]
pub(super) struct Values<T> {
    list: Vec<T>,
    too_many: bool,
}

impl<T> Default for Values<T> {
    fn default() -> Self {
        Self {
            list: Vec::new(),
            too_many: false,
        }
    }
}

impl<T> Values<T> {
    pub(super) fn push(&mut self, value: T) {
        if self.list.len() < MOST_VALUES {
            self.list.push(value);
        } else {
            self.too_many = true;
        }
    }

    fn get(&self, what: &'static str) -> Result<&[T], Problem> {
        if self.too_many {
            return Err(Problem::TooMany(MOST_VALUES, what));
        }
        Ok(&self.list)
    }
}

/// Points on their way to lines.
pub(super) struct Emit<'o> {
    lines: Lines<'o>,
    head: Vec<u8>,
}

impl<'o> Emit<'o> {
    pub(super) fn new(out: &'o mut Vec<u8>, most: usize) -> Self {
        Self {
            lines: Lines::new(out, most),
            head: Vec::new(),
        }
    }

    /// A metric of a kind that is not known: one point that is rejected.
    pub(super) fn unknown(&mut self, name: &str) {
        self.lines.reject(name, Problem::Kind);
    }

    /// A point of a metric. `around` are the attributes of its resource and of its scope.
    pub(super) fn point(
        &mut self,
        around: [&Attributes<'_>; 2],
        (name, kind): (&str, Kind),
        point: &Point<'_>,
    ) -> Result<(), Undecodable> {
        if point.flags & NO_RECORDED_VALUE != 0 {
            self.lines.stale();
            return Ok(());
        }
        let [resource, scope] = around;
        let mut tags = Tags::default();
        let prepared = [resource, scope, &point.attributes]
            .into_iter()
            .try_for_each(|attributes| add(attributes, &mut tags))
            .and_then(|()| head(&mut self.head, name, &mut tags))
            .and_then(|()| match i64::try_from(point.nanos) {
                Ok(0) => Ok(None),
                Ok(nanos) => Ok(Some(nanos)),
                Err(_) => Err(Problem::Timestamp),
            });
        match prepared {
            Err(problem) => {
                self.lines.reject(name, problem);
                Ok(())
            }
            Ok(at) => self
                .lines
                .point(name, &self.head, at, |out| fields(kind, point, out)),
        }
    }

    pub(super) fn finish(self) -> Decoded {
        self.lines.finish()
    }
}

fn add<'a>(attributes: &'a Attributes<'_>, tags: &mut Tags<'a>) -> Result<(), Problem> {
    if attributes.too_many {
        return Err(Problem::TooManyTags);
    }
    for (key, value) in &attributes.list {
        tags.set(key, value)?;
    }
    Ok(())
}

fn fields(kind: Kind, point: &Point<'_>, out: &mut Vec<u8>) -> Result<(), Problem> {
    match kind {
        Kind::Gauge => number("gauge", point, out),
        Kind::Sum {
            monotonic: true,
            delta: false,
        } => number("counter", point, out),
        Kind::Sum { .. } => number("gauge", point, out),
        Kind::Histogram { delta: true } | Kind::Exponential { delta: true } => {
            Err(Problem::DeltaHistogram)
        }
        Kind::Histogram { delta: false } => {
            totals(point, out)?;
            buckets(point, out)
        }
        Kind::Exponential { delta: false } => {
            totals(point, out)?;
            field("zero_count", exact(point.zero_count.into())?, out)
        }
        Kind::Summary => {
            totals(point, out)?;
            quantiles(point, out)
        }
    }
}

fn field(key: &str, value: f64, out: &mut Vec<u8>) -> Result<(), Problem> {
    field_key(out, key)?;
    float(out, value)
}

fn number(key: &str, point: &Point<'_>, out: &mut Vec<u8>) -> Result<(), Problem> {
    match point.value {
        None => Err(Problem::NoField),
        Some(Number::Float(value)) => field(key, value, out),
        Some(Number::Whole(whole)) => field(key, exact(whole.into())?, out),
    }
}

fn totals(point: &Point<'_>, out: &mut Vec<u8>) -> Result<(), Problem> {
    field("count", exact(point.count.into())?, out)?;
    for (key, value) in [("sum", point.sum), ("min", point.min), ("max", point.max)] {
        if let Some(value) = value {
            field(key, value, out)?;
        }
    }
    Ok(())
}

/// A field for each bound: how many were at or below it.
fn buckets(point: &Point<'_>, out: &mut Vec<u8>) -> Result<(), Problem> {
    let (counts, bounds) = (point.buckets.get("buckets")?, point.bounds.get("bounds")?);
    if counts.is_empty() && bounds.is_empty() {
        return Ok(());
    }
    let rising = bounds.windows(2).all(|pair| pair[0] < pair[1]);
    if counts.len() != bounds.len() + 1 || !rising {
        return Err(Problem::Buckets);
    }
    let (mut below, mut key) = (0_u64, Vec::new());
    for (place, count) in counts.iter().enumerate() {
        below = below.checked_add(*count).ok_or(Problem::Buckets)?;
        key.clear();
        match bounds.get(place) {
            Some(bound) => float(&mut key, *bound)?,
            None => key.extend_from_slice(b"+Inf"),
        }
        field(&String::from_utf8_lossy(&key), exact(below.into())?, out)?;
    }
    Ok(())
}

fn quantiles(point: &Point<'_>, out: &mut Vec<u8>) -> Result<(), Problem> {
    let mut seen: Vec<Vec<u8>> = Vec::new();
    for (quantile, value) in point.quantiles.get("quantiles")? {
        let mut key = Vec::new();
        float(&mut key, *quantile)?;
        let text = String::from_utf8_lossy(&key).into_owned();
        // A summary without observations has quantiles, but no values.
        if !value.is_nan() {
            if seen.contains(&key) {
                return Err(Problem::FieldTwice(text));
            }
            field(&text, *value, out)?;
            seen.push(key);
        }
    }
    Ok(())
}
