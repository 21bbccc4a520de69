//! Points of the past from an InfluxDB, in the order of time.

use crate::cli::Backtest as Args;
use crate::failure::{Exit, Failure, Outcome};
use influx::{FieldValue, HttpShard, Point, Shard};
use model::{Span, TenantId, Timestamp};
use runtime::Secret;
use std::collections::BTreeSet;

/// So much is asked for at once.
const SLICE: Span = Span::from_secs(3_600);

/// Reads the measurements between `--from` and `--to`, an hour at a time.
pub(super) async fn read(
    args: &Args,
    measurements: BTreeSet<String>,
    tenant: &TenantId,
    mut take: impl FnMut(&[u8]),
) -> Outcome {
    let usage = |what: &str| Failure::new(Exit::Usage, what.to_owned());
    let (Some(url), Some(file)) = (&args.influx, &args.influx_token_file) else {
        return Err(usage(
            "where history is: --influx URL with --influx-token-file FILE, or --points FILE",
        ));
    };
    let (Some(from), Some(to)) = (&args.from, &args.to) else {
        return Err(usage(
            "which history: --from and --to, such as 2026-01-01T00:00:00Z",
        ));
    };
    let (from, to) = (instant(from)?, instant(to)?);
    let token = std::fs::read_to_string(file)
        .map_err(|error| usage(&format!("cannot read {}: {error}", file.display())))?;
    let config = HttpShard::new(
        url.clone(),
        args.influx_org.clone(),
        Secret::new(token.trim()),
    );
    let shard = Shard::http(&config).map_err(|error| Failure::from_error(Exit::Usage, &error))?;
    let bucket = args.bucket.clone().unwrap_or_else(|| tenant.to_string());
    let mut begin = from;
    while begin < to {
        let end = begin.plus(SLICE).min(to);
        let mut points = Vec::new();
        for measurement in measurements.iter().filter(|name| *name != "any") {
            let found = shard.points(&bucket, measurement, begin, end).await;
            points.extend(found.map_err(|error| Failure::from_error(Exit::Unreachable, &error))?);
        }
        points.sort_by_key(|point| point.timestamp);
        let lines: String = points.iter().map(line).collect();
        take(lines.as_bytes());
        begin = end;
    }
    Ok(())
}

fn instant(text: &str) -> Outcome<Timestamp> {
    let read = text.parse::<jiff::Timestamp>().map_err(|error| {
        Failure::new(Exit::Usage, format!("`{text}` is no instant: {error}"))
            .hint("write 2026-01-01T00:00:00Z")
    })?;
    Ok(Timestamp::from_millis(read.as_millisecond()))
}

/// A point as it was written, in nanoseconds.
fn line(point: &Point) -> String {
    let mut text = escaped(&point.measurement, &[',', ' ']);
    for (key, value) in &point.tags {
        let special = [',', ' ', '='];
        text.push_str(&format!(
            ",{}={}",
            escaped(key, &special),
            escaped(value, &special)
        ));
    }
    for (n, (key, value)) in point.fields.iter().enumerate() {
        text.push(if n == 0 { ' ' } else { ',' });
        text.push_str(&escaped(key, &[',', ' ', '=']));
        text.push('=');
        text.push_str(&match value {
            FieldValue::Float(value) => format!("{value:?}"),
            FieldValue::Integer(value) => format!("{value}i"),
            FieldValue::Unsigned(value) => format!("{value}u"),
            FieldValue::Boolean(value) => value.to_string(),
            FieldValue::Text(value) => {
                format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
            }
        });
    }
    text.push_str(&format!(" {}\n", point.timestamp.as_nanos()));
    text
}

fn escaped(text: &str, special: &[char]) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if special.contains(&c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
