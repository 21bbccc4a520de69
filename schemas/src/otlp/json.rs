//! `ExportMetricsServiceRequest` as JSON: proto3's mapping, with 64-bit numbers as texts or as numbers.

use super::any::{Pair, text_of_json};
use super::emit::{Attributes, Emit, Kind, Number, Point};
use crate::points::json::{each_value, malformed, object};
use crate::points::{Decoded, Undecodable};
use serde::Deserialize;
use serde_json::value::RawValue;

type Raw<'a> = Option<&'a RawValue>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow, default)]
    resource_metrics: Raw<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourceMetrics<'a> {
    #[serde(borrow, default)]
    resource: Option<Attributed<'a>>,
    #[serde(borrow, default)]
    scope_metrics: Raw<'a>,
}

#[derive(Deserialize)]
struct ScopeMetrics<'a> {
    #[serde(borrow, default)]
    scope: Option<Attributed<'a>>,
    #[serde(borrow, default)]
    metrics: Raw<'a>,
}

/// A resource, or a scope, which has a name as well.
#[derive(Deserialize)]
struct Attributed<'a> {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    version: Option<String>,
    #[serde(borrow, default)]
    attributes: Raw<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metric<'a> {
    #[serde(default)]
    name: String,
    #[serde(borrow, default)]
    gauge: Option<Data<'a>>,
    #[serde(borrow, default)]
    sum: Option<Data<'a>>,
    #[serde(borrow, default)]
    histogram: Option<Data<'a>>,
    #[serde(borrow, default)]
    exponential_histogram: Option<Data<'a>>,
    #[serde(borrow, default)]
    summary: Option<Data<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    #[serde(borrow, default)]
    data_points: Raw<'a>,
    #[serde(borrow, default)]
    aggregation_temporality: Raw<'a>,
    #[serde(default)]
    is_monotonic: Option<bool>,
}

/// A point of any kind: the kinds use the same names for the same things.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DataPoint<'a> {
    #[serde(borrow, default)]
    attributes: Raw<'a>,
    #[serde(borrow, default)]
    time_unix_nano: Raw<'a>,
    #[serde(borrow, default)]
    flags: Raw<'a>,
    #[serde(borrow, default)]
    as_double: Raw<'a>,
    #[serde(borrow, default)]
    as_int: Raw<'a>,
    #[serde(borrow, default)]
    count: Raw<'a>,
    #[serde(borrow, default)]
    sum: Raw<'a>,
    #[serde(borrow, default)]
    min: Raw<'a>,
    #[serde(borrow, default)]
    max: Raw<'a>,
    #[serde(borrow, default)]
    zero_count: Raw<'a>,
    #[serde(borrow, default)]
    bucket_counts: Raw<'a>,
    #[serde(borrow, default)]
    explicit_bounds: Raw<'a>,
    #[serde(borrow, default)]
    quantile_values: Raw<'a>,
}

#[derive(Deserialize)]
struct Quantile<'a> {
    #[serde(borrow, default)]
    quantile: Raw<'a>,
    #[serde(borrow, default)]
    value: Raw<'a>,
}

/// Appends the data points of a request to `out` as lines, at most `most` bytes of them.
///
/// # Errors
/// When the body is no such message or too large; what was appended then is to be thrown away.
pub fn decode(body: &[u8], most: usize, out: &mut Vec<u8>) -> Result<Decoded, Undecodable> {
    let text = std::str::from_utf8(body).map_err(|_| malformed("it is no UTF-8"))?;
    let request: Request<'_> = object(text).map_err(malformed)?;
    let mut emit = Emit::new(out, most);
    each(request.resource_metrics, &mut |raw| {
        let found: ResourceMetrics<'_> = read(raw)?;
        let resource = attributes(found.resource)?;
        each(found.scope_metrics, &mut |raw| {
            let found: ScopeMetrics<'_> = read(raw)?;
            let scope = attributes(found.scope)?;
            each(found.metrics, &mut |raw| {
                metric(&read(raw)?, [&resource, &scope], &mut emit)
            })
        })
    })?;
    Ok(emit.finish())
}

/// Each value of an array that may be missing.
pub(super) fn each<'a>(
    array: Raw<'a>,
    take: &mut dyn FnMut(&'a RawValue) -> Result<(), Undecodable>,
) -> Result<(), Undecodable> {
    array.map_or(Ok(()), |array| each_value(array.get(), take))
}

fn read<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Result<T, Undecodable> {
    object(raw.get()).map_err(malformed)
}

fn attributes<'a>(of: Option<Attributed<'_>>) -> Result<Attributes<'a>, Undecodable> {
    let mut into = Attributes::default();
    let Some(of) = of else { return Ok(into) };
    if let Some(name) = of.name {
        into.push("otel.scope.name", name);
    }
    if let Some(version) = of.version {
        into.push("otel.scope.version", version);
    }
    pairs(of.attributes, &mut into)?;
    Ok(into)
}

fn pairs(list: Raw<'_>, into: &mut Attributes<'_>) -> Result<(), Undecodable> {
    each(list, &mut |raw| {
        let pair: Pair<'_> = read(raw)?;
        let value = pair.value.map_or(Ok(String::new()), text_of_json)?;
        into.push(pair.key, value);
        Ok(())
    })
}

fn metric(
    metric: &Metric<'_>,
    around: [&Attributes<'_>; 2],
    emit: &mut Emit<'_>,
) -> Result<(), Undecodable> {
    let delta = |data: &Data<'_>| {
        let said = data.aggregation_temporality.map(RawValue::get);
        matches!(said, Some("1" | "\"AGGREGATION_TEMPORALITY_DELTA\""))
    };
    let mut known = false;
    for (data, place) in [
        (&metric.gauge, 0),
        (&metric.sum, 1),
        (&metric.histogram, 2),
        (&metric.exponential_histogram, 3),
        (&metric.summary, 4),
    ] {
        let Some(data) = data else { continue };
        known = true;
        let delta = delta(data);
        let kind = match place {
            0 => Kind::Gauge,
            1 => Kind::Sum {
                monotonic: data.is_monotonic.unwrap_or(false),
                delta,
            },
            2 => Kind::Histogram { delta },
            3 => Kind::Exponential { delta },
            _ => Kind::Summary,
        };
        each(data.data_points, &mut |raw| {
            let point = read_point(&read(raw)?)?;
            emit.point(around, (&metric.name, kind), &point)
        })?;
    }
    if !known {
        emit.unknown(&metric.name);
    }
    Ok(())
}

fn read_point(data: &DataPoint<'_>) -> Result<Point<'static>, Undecodable> {
    let mut point = Point {
        nanos: whole(data.time_unix_nano)?.unwrap_or(0),
        flags: whole(data.flags)?.unwrap_or(0),
        count: whole(data.count)?.unwrap_or(0),
        zero_count: whole(data.zero_count)?.unwrap_or(0),
        sum: double(data.sum)?,
        min: double(data.min)?,
        max: double(data.max)?,
        ..Point::default()
    };
    point.value = match (whole::<i64>(data.as_int)?, double(data.as_double)?) {
        (Some(value), _) => Some(Number::Whole(value)),
        (None, value) => value.map(Number::Float),
    };
    pairs(data.attributes, &mut point.attributes)?;
    each(data.bucket_counts, &mut |raw| {
        point.buckets.push(whole(Some(raw))?.unwrap_or(0));
        Ok(())
    })?;
    each(data.explicit_bounds, &mut |raw| {
        point.bounds.push(double(Some(raw))?.unwrap_or(0.0));
        Ok(())
    })?;
    each(data.quantile_values, &mut |raw| {
        let found: Quantile<'_> = read(raw)?;
        let (quantile, value) = (double(found.quantile)?, double(found.value)?);
        let pair = (quantile.unwrap_or(0.0), value.unwrap_or(0.0));
        point.quantiles.push(pair);
        Ok(())
    })?;
    Ok(point)
}

/// A number as proto3 writes it: a text for 64 bits, which senders also write as a number.
fn plain(raw: &RawValue) -> &str {
    let text = raw.get();
    text.strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(text)
}

fn whole<T: std::str::FromStr>(raw: Raw<'_>) -> Result<Option<T>, Undecodable> {
    let Some(raw) = raw else { return Ok(None) };
    let read = plain(raw).parse().map(Some);
    read.map_err(|_| not_a_number(raw, "whole number of 64 bits"))
}

fn double(raw: Raw<'_>) -> Result<Option<f64>, Undecodable> {
    let Some(raw) = raw else { return Ok(None) };
    // Rust reads `NaN`, `Infinity` and `-Infinity` as proto3 writes them.
    let read = plain(raw).parse().map(Some);
    read.map_err(|_| not_a_number(raw, "number"))
}

fn not_a_number(raw: &RawValue, wanted: &str) -> Undecodable {
    let text: String = raw.get().chars().take(30).collect();
    malformed(format!("`{text}` is no {wanted}"))
}
