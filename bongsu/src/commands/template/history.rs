//! Points of the past from one InfluxDB or several, in the order of time.

use crate::cli::Backtest as Args;
use crate::failure::{Exit, Failure, Outcome};
use influx::{FieldValue, HttpShard, Point, Shard};
use model::{Span, TenantId, Timestamp};
use runtime::Secret;
use std::collections::BTreeSet;

/// So much is asked for at once, to begin with.
const SLICE: Span = Span::from_secs(3_600);
/// And at least so much.
const LEAST: Span = Span::from_secs(10);
/// A slice with more points than this is halved: they are held in memory.
const MOST_POINTS: u64 = 200_000;
/// 1980-01-01 and 2200-01-01: nobody has points of before, and no clock is believed that shows more.
const BELIEVED: [Timestamp; 2] = [
    Timestamp::from_millis(315_532_800_000),
    Timestamp::from_millis(7_258_118_400_000),
];

/// The shards that hold a tenant's history, its bucket, and the measurements that are wanted: none for all.
struct History {
    shards: Vec<Shard>,
    bucket: String,
    wanted: Option<BTreeSet<String>>,
}

/// Reads the measurements between `--from` and `--to`, slice by slice; none: all of them.
pub(super) async fn read(
    args: &Args,
    wanted: Option<BTreeSet<String>>,
    tenant: &TenantId,
    mut take: impl FnMut(&[u8]),
) -> Outcome {
    let shards = shards(args)?;
    let (from, to) = range(args)?;
    let history = History {
        shards,
        bucket: args.bucket.clone().unwrap_or_else(|| tenant.to_string()),
        wanted,
    };
    let (mut begin, mut slice) = (from, SLICE);
    while begin < to {
        let end = begin.plus(slice).min(to);
        let count = history.count(begin, end).await?;
        if count > MOST_POINTS && slice > LEAST {
            slice = Span::from_nanos(slice.as_nanos() / 2).max(LEAST);
            continue;
        }
        if count > 0 {
            take(history.lines(begin, end).await?.as_bytes());
        }
        if count < MOST_POINTS / 4 {
            slice = slice.times(2);
        }
        begin = end;
    }
    Ok(())
}

fn usage(what: impl Into<String>) -> Failure {
    Failure::new(Exit::Usage, what.into())
}

fn shards(args: &Args) -> Outcome<Vec<Shard>> {
    let (urls, files) = (&args.influx, &args.influx_token_file);
    if urls.is_empty() || files.is_empty() {
        return Err(usage(
            "where history is: --influx URL with --influx-token-file FILE, or --points FILE",
        ));
    }
    if files.len() != 1 && files.len() != urls.len() {
        let (urls, files) = (urls.len(), files.len());
        return Err(usage(format!(
            "{urls} times --influx and {files} times --influx-token-file: one file for all, or one for each"
        )));
    }
    let shard = |(url, file): (&String, &std::path::PathBuf)| {
        let token = std::fs::read_to_string(file)
            .map_err(|error| usage(format!("cannot read {}: {error}", file.display())))?;
        let secret = Secret::new(token.trim());
        let config = HttpShard::new(url.clone(), args.influx_org.clone(), secret);
        Shard::http(&config).map_err(|error| Failure::from_error(Exit::Usage, &error))
    };
    urls.iter().zip(files.iter().cycle()).map(shard).collect()
}

fn range(args: &Args) -> Outcome<(Timestamp, Timestamp)> {
    let (Some(from), Some(to)) = (&args.from, &args.to) else {
        return Err(usage(
            "which history: --from and --to, such as 2026-01-01T00:00:00Z",
        ));
    };
    let range = (instant("--from", from)?, instant("--to", to)?);
    if range.0 >= range.1 {
        return Err(usage(format!("--from {from} is not before --to {to}")));
    }
    Ok(range)
}

impl History {
    async fn count(&self, from: Timestamp, to: Timestamp) -> Outcome<u64> {
        let mut count = 0;
        for shard in &self.shards {
            let found = shard.count(&self.bucket, from, to).await;
            count += found.map_err(|error| Failure::from_error(Exit::Unreachable, &error))?;
        }
        Ok(count)
    }

    async fn lines(&self, from: Timestamp, to: Timestamp) -> Outcome<String> {
        let fail = |error| Failure::from_error(Exit::Unreachable, &error);
        let mut points = Vec::new();
        for shard in &self.shards {
            let names = match &self.wanted {
                Some(wanted) => wanted.iter().cloned().collect(),
                None => shard
                    .measurements(&self.bucket, from, to)
                    .await
                    .map_err(fail)?,
            };
            for name in names {
                points.extend(
                    shard
                        .points(&self.bucket, &name, from, to)
                        .await
                        .map_err(fail)?,
                );
            }
        }
        points.sort_by_key(|point| point.timestamp);
        Ok(points.iter().map(line).collect())
    }
}

fn instant(flag: &str, text: &str) -> Outcome<Timestamp> {
    let read = text.parse::<jiff::Timestamp>().map_err(|error| {
        usage(format!("{flag} `{text}` is no instant: {error}")).hint("write 2026-01-01T00:00:00Z")
    })?;
    let at = Timestamp::from_millis(read.as_millisecond());
    if at < BELIEVED[0] || at > BELIEVED[1] {
        return Err(usage(format!(
            "{flag} {text}: there is no history before 1980 or after 2200"
        )));
    }
    Ok(at)
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
