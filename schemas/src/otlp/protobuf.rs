//! `ExportMetricsServiceRequest` as protobuf.

use super::any::key_value;
use super::emit::{Attributes, Emit, Kind, Number, Point};
use crate::points::protobuf::{Malformed, Value, each, fields};
use crate::points::{Decoded, Undecodable};

/// `AGGREGATION_TEMPORALITY_DELTA`
const DELTA: u64 = 1;

/// Appends the data points of a request to `out` as lines, at most `most` bytes of them.
///
/// # Errors
/// When the body is no such message or too large; what was appended then is to be thrown away.
pub fn decode(body: &[u8], most: usize, out: &mut Vec<u8>) -> Result<Decoded, Undecodable> {
    let mut emit = Emit::new(out, most);
    each(body, 1, |resource_metrics| {
        let message = resource_metrics.bytes()?;
        let mut resource = Attributes::default();
        each(message, 1, |found| {
            each(found.bytes()?, 1, |pair| attribute(pair, &mut resource))
        })?;
        each(message, 2, |found| {
            scope_metrics(found.bytes()?, &resource, &mut emit)
        })
    })?;
    Ok(emit.finish())
}

fn attribute<'a>(pair: Value<'a>, into: &mut Attributes<'a>) -> Result<(), Undecodable> {
    let (key, value) = key_value(pair.bytes()?)?;
    into.push(key, value);
    Ok(())
}

fn scope_metrics(
    message: &[u8],
    resource: &Attributes<'_>,
    emit: &mut Emit<'_>,
) -> Result<(), Undecodable> {
    let mut scope = Attributes::default();
    each(message, 1, |found| {
        for field in fields(found.bytes()?) {
            match field? {
                (1, name) => scope.push("otel.scope.name", name.text()?),
                (2, version) => scope.push("otel.scope.version", version.text()?),
                (3, pair) => attribute(pair, &mut scope)?,
                _ => {}
            }
        }
        Ok(())
    })?;
    each(message, 2, |found| {
        metric(found.bytes()?, [resource, &scope], emit)
    })
}

fn metric(
    message: &[u8],
    around: [&Attributes<'_>; 2],
    emit: &mut Emit<'_>,
) -> Result<(), Undecodable> {
    let mut name = "";
    each(message, 1, |found| {
        name = found.text()?;
        Ok(())
    })?;
    let mut known = false;
    for field in fields(message) {
        let (number, data) = field?;
        if !matches!(number, 5 | 7 | 9 | 10 | 11) {
            continue;
        }
        known = true;
        let data = data.bytes()?;
        let kind = kind_of(number, data)?;
        each(data, 1, |found| {
            let point = read_point(kind, found.bytes()?)?;
            emit.point(around, (name, kind), &point)
        })?;
    }
    if !known {
        emit.unknown(name);
    }
    Ok(())
}

/// The kind of the metric's data, by the number of its field, its temporality (2) and whether it only rises (3).
fn kind_of(number: u32, data: &[u8]) -> Result<Kind, Malformed> {
    let (mut delta, mut monotonic) = (false, false);
    for field in fields(data) {
        match field? {
            (2, found) => delta = found.varint()? == DELTA,
            (3, found) => monotonic = found.varint()? != 0,
            _ => {}
        }
    }
    Ok(match number {
        5 => Kind::Gauge,
        7 => Kind::Sum { monotonic, delta },
        9 => Kind::Histogram { delta },
        10 => Kind::Exponential { delta },
        _ => Kind::Summary,
    })
}

fn read_point(kind: Kind, message: &[u8]) -> Result<Point<'_>, Undecodable> {
    let mut point = Point::default();
    let (attributes, flags) = match kind {
        Kind::Gauge | Kind::Sum { .. } | Kind::Summary => (7, 8),
        Kind::Histogram { .. } => (9, 10),
        Kind::Exponential { .. } => (1, 10),
    };
    for field in fields(message) {
        let (number, value) = field?;
        if number == attributes {
            attribute(value, &mut point.attributes)?;
        } else if number == flags {
            point.flags = value.varint()?;
        } else if number == 3 {
            point.nanos = value.fixed64()?;
        } else {
            match kind {
                Kind::Gauge | Kind::Sum { .. } => number_field(number, value, &mut point)?,
                Kind::Histogram { .. } => histogram_field(number, value, &mut point)?,
                Kind::Exponential { .. } => exponential_field(number, value, &mut point)?,
                Kind::Summary => summary_field(number, value, &mut point)?,
            }
        }
    }
    Ok(point)
}

fn number_field(number: u32, value: Value<'_>, point: &mut Point<'_>) -> Result<(), Malformed> {
    match number {
        4 => point.value = Some(Number::Float(value.double()?)),
        6 => point.value = Some(Number::Whole(value.fixed64()?.cast_signed())),
        _ => {}
    }
    Ok(())
}

fn histogram_field(number: u32, value: Value<'_>, point: &mut Point<'_>) -> Result<(), Malformed> {
    match number {
        4 => point.count = value.fixed64()?,
        5 => point.sum = Some(value.double()?),
        6 => value.each_fixed64(|count| point.buckets.push(count))?,
        7 => value.each_fixed64(|bits| point.bounds.push(f64::from_bits(bits)))?,
        11 => point.min = Some(value.double()?),
        12 => point.max = Some(value.double()?),
        _ => {}
    }
    Ok(())
}

fn exponential_field(
    number: u32,
    value: Value<'_>,
    point: &mut Point<'_>,
) -> Result<(), Malformed> {
    match number {
        4 => point.count = value.fixed64()?,
        5 => point.sum = Some(value.double()?),
        7 => point.zero_count = value.fixed64()?,
        12 => point.min = Some(value.double()?),
        13 => point.max = Some(value.double()?),
        _ => {}
    }
    Ok(())
}

fn summary_field(number: u32, value: Value<'_>, point: &mut Point<'_>) -> Result<(), Malformed> {
    match number {
        4 => point.count = value.fixed64()?,
        5 => point.sum = Some(value.double()?),
        6 => {
            let (mut quantile, mut at) = (0.0, 0.0);
            for field in fields(value.bytes()?) {
                match field? {
                    (1, found) => quantile = found.double()?,
                    (2, found) => at = found.double()?,
                    _ => {}
                }
            }
            point.quantiles.push((quantile, at));
        }
        _ => {}
    }
    Ok(())
}
