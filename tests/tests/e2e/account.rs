//! Accounts of points: what Telegraf wrote, what the log holds, what the stores hold. Lines are read by the tests'
//! own means, so that a bug of the product's scan cannot hide itself.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use tests::influxdb::Row;
use tests::kafka::Record;
use tests::{Influxdb, Kafka};

/// A field of a series at a time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Point {
    pub(crate) measurement: String,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) field: String,
    /// Nanoseconds since 1970.
    pub(crate) time: i64,
}

/// Points and their values.
pub(crate) type Points = BTreeMap<Point, f64>;

/// The points of lines that have a timestamp, plain names and numbers, as all lines of the tests that are to be
/// stored have.
pub(crate) fn of_lines(text: &str) -> Points {
    let mut points = Points::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        points.extend(of_line(line).unwrap_or_else(|error| panic!("`{line}`: {error:#}")));
    }
    points
}

fn of_line(line: &str) -> Result<Vec<(Point, f64)>> {
    let mut parts = line.split(' ');
    let mut next = |what| parts.next().with_context(|| format!("there is no {what}"));
    let (series, fields, time) = (next("series")?, next("fields")?, next("timestamp")?);
    let time = time.parse().context("the timestamp is no number")?;
    let mut names = series.split(',');
    let measurement = names.next().unwrap_or_default().to_owned();
    let pair = |text: &str| {
        let (key, value) = text
            .split_once('=')
            .with_context(|| format!("`{text}` has no ="))?;
        Ok::<_, anyhow::Error>((key.to_owned(), value.to_owned()))
    };
    let tags: BTreeMap<_, _> = names.map(pair).collect::<Result<_>>()?;
    let mut points = Vec::new();
    for field in fields.split(',') {
        let (field, value) = pair(field)?;
        let value = value
            .trim_end_matches('i')
            .parse()
            .context("a value is no number")?;
        let (measurement, tags) = (measurement.clone(), tags.clone());
        points.push((
            Point {
                measurement,
                tags,
                field,
                time,
            },
            value,
        ));
    }
    Ok(points)
}

/// What Telegraf wrote with `outputs.file`.
pub(crate) fn of_file(path: &Path) -> Points {
    let text = std::fs::read_to_string(path);
    of_lines(&text.unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display())))
}

/// The records of a topic of points that hold lines; ticks and marks hold none.
pub(crate) async fn records_of_topic(kafka: &Kafka, topic: &str) -> Vec<Record> {
    let records = kafka.read_all(topic).await;
    let records = records.unwrap_or_else(|error| panic!("cannot read {topic}: {error:#}"));
    records
        .into_iter()
        .filter(|record| record.value.is_some())
        .collect()
}

/// The points of a topic, without the lines that `left_out` says yes to.
pub(crate) async fn of_topic(
    kafka: &Kafka,
    topic: &str,
    left_out: impl Fn(&str) -> bool,
) -> Points {
    let mut points = Points::new();
    for record in records_of_topic(kafka, topic).await {
        for line in record.text().lines().filter(|line| !left_out(line)) {
            points.extend(of_lines(line));
        }
    }
    points
}

/// The points of a bucket; none when there is no such bucket.
pub(crate) async fn of_bucket(shard: &Influxdb, bucket: &str) -> Result<Points> {
    let flux = format!("from(bucket: \"{bucket}\") |> range(start: 0, stop: 2200-01-01T00:00:00Z)");
    let rows = match shard.query(&flux).await {
        Err(error) if format!("{error:#}").contains("could not find bucket") => Vec::new(),
        rows => rows?,
    };
    rows.into_iter().map(of_row).collect()
}

fn of_row(mut row: Row) -> Result<(Point, f64)> {
    for column in ["result", "table", "_start", "_stop"] {
        row.remove(column);
    }
    let mut take = |name: &str| {
        row.remove(name)
            .with_context(|| format!("a row has no {name}"))
    };
    let (measurement, field) = (take("_measurement")?, take("_field")?);
    let time: jiff::Timestamp = take("_time")?.parse()?;
    let value = take("_value")?
        .parse()
        .context("a stored value is no number")?;
    let tags = row
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .collect();
    let time = i64::try_from(time.as_nanosecond())?;
    Ok((
        Point {
            measurement,
            tags,
            field,
            time,
        },
        value,
    ))
}

/// What both shards hold of a tenant. An InfluxDB in which the bucket is being made answers 500 for a moment.
///
/// # Panics
/// When a point is in both of them.
pub(crate) async fn of_shards(shards: &[Influxdb; 2], tenant: &str) -> Result<[Points; 2]> {
    let mut held = [Points::new(), Points::new()];
    for (held, shard) in held.iter_mut().zip(shards) {
        *held = of_bucket(shard, tenant).await?;
    }
    let twice: Vec<_> = held[0]
        .keys()
        .filter(|point| held[1].contains_key(point))
        .collect();
    assert!(
        twice.is_empty(),
        "points of {tenant} are in both shards: {twice:#?}"
    );
    Ok(held)
}

/// Says how two accounts differ; none when they are the same.
pub(crate) fn difference(what: &str, want: &Points, have: &Points) -> Option<String> {
    let missing = want.iter().filter(|(point, _)| !have.contains_key(point));
    let missing: Vec<_> = missing.collect();
    let strange: Vec<_> = have
        .iter()
        .filter(|(point, _)| !want.contains_key(point))
        .collect();
    let wrong: Vec<_> = want
        .iter()
        .filter_map(|(point, value)| Some((point, value, have.get(point)?)))
        .filter(|(_, want, have)| want.to_bits() != have.to_bits())
        .collect();
    if missing.is_empty() && strange.is_empty() && wrong.is_empty() {
        return None;
    }
    let show = |points: &[(&Point, &f64)]| -> Vec<String> {
        points
            .iter()
            .take(3)
            .map(|(point, value)| format!("{point:?} = {value}"))
            .collect()
    };
    Some(format!(
        "{what}: {} of {} points are missing, such as {:#?}; {} are there that should not be, such as {:#?}; {} have \
         another value, such as {:?}",
        missing.len(),
        want.len(),
        show(&missing),
        strange.len(),
        show(&strange),
        wrong.len(),
        wrong.first()
    ))
}
