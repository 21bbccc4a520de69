//! The health of this process as points of the tenant `bongsu-system`, by the way that all points take.
//!
//! One line every 10 s with a chosen list of figures: so Bongsu's own templates judge Bongsu, and its size
//! does not grow with tenants. What only rises is written as its increase since the line before.

use catalog::LiveCatalog;
use model::{Span, TenantId, TopicName, host_partition};
use runtime::{Clock, Context, Metrics, OnEnd};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use stream::{NewRecord, Stream, StreamError, TopicPartition, TopicSpec};

/// The tenant of Bongsu itself.
pub(crate) const TENANT: &str = schemas::catalogue::SYSTEM_TENANT;
/// Measurement of the lines.
const MEASUREMENT: &str = "bongsu_health";
const RETENTION: Span = Span::from_secs(24 * 3600);

/// Points of this process's own health.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Health {
    /// Whether they are written where the tenant `bongsu-system` is declared.
    pub(crate) enabled: bool,
    /// How often.
    #[serde(with = "runtime::config::span")]
    pub(crate) every: Span,
    /// Tag `host` of the points; the machine's name and the service when left out.
    pub(crate) host: Option<String>,
    /// Tag `env` of the points, by which priorities are limited.
    pub(crate) env: String,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            enabled: true,
            every: Span::from_secs(10),
            host: None,
            env: "prod".to_owned(),
        }
    }
}

/// How the series of a metric become one figure.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fold {
    /// The largest of all series.
    Largest,
    /// The sum of all series.
    Sum,
    /// The sum, as its increase since the line before.
    Increase,
}

/// What is written: name of the metric, name of the field, how. A metric that a process does not have is
/// left out of its line.
const FIGURES: [(&str, &str, Fold); 17] = [
    ("bongsu_consumer_lag_records", "lag_records", Fold::Largest),
    (
        "bongsu_consumer_paused_partitions",
        "paused_partitions",
        Fold::Sum,
    ),
    ("bongsu_consumer_paused_lanes", "paused_lanes", Fold::Sum),
    (
        "bongsu_consumer_oldest_record_seconds",
        "oldest_record_s",
        Fold::Largest,
    ),
    (
        "bongsu_consumer_retention_used_percent",
        "retention_used",
        Fold::Largest,
    ),
    (
        "bongsu_consumer_handoff_waiting_records",
        "handoff_waiting_records",
        Fold::Sum,
    ),
    (
        "bongsu_consumer_handoff_retention_used_percent",
        "handoff_retention_used",
        Fold::Largest,
    ),
    (
        "bongsu_consumer_handoff_lost_records_total",
        "handoff_lost_records",
        Fold::Increase,
    ),
    (
        "bongsu_consumer_lost_records_total",
        "lost_records",
        Fold::Increase,
    ),
    (
        "bongsu_consumer_log_errors_total",
        "log_errors",
        Fold::Increase,
    ),
    (
        "bongsu_consumer_buffered_bytes",
        "buffered_bytes",
        Fold::Sum,
    ),
    ("bongsu_dead_letters_total", "dead_letters", Fold::Increase),
    ("bongsu_router_points_total", "points", Fold::Increase),
    (
        "bongsu_eval_partitions_stopped",
        "stopped_partitions",
        Fold::Sum,
    ),
    (
        "bongsu_eval_lost_records_total",
        "eval_lost_records",
        Fold::Increase,
    ),
    ("bongsu_eval_refused_bundles", "refused_bundles", Fold::Sum),
    (
        "bongsu_notifier_oldest_delivery_seconds",
        "oldest_delivery_s",
        Fold::Largest,
    ),
];

/// Starts writing, until the shutdown, while the tenant is declared: points of a tenant that nobody declared would
/// be judged for nobody. `service` is the tag of that name.
pub(crate) fn start(
    config: &Health,
    service: &'static str,
    stream: &Stream,
    catalog: &LiveCatalog,
    ctx: &Context,
) {
    if !config.enabled {
        return;
    }
    let host = config
        .host
        .clone()
        .unwrap_or_else(|| format!("{}-{service}", machine()));
    let writer = Writer {
        tags: format!(
            "env={},host={},service={service}",
            escaped(&config.env),
            escaped(&host)
        ),
        host,
        stream: stream.clone(),
        started: ctx.clock.now_nanos() / 1_000_000_000,
        clock: ctx.clock.clone(),
        metrics: ctx.metrics.clone(),
    };
    let (every, order) = (config.every.to_std(), ctx.tasks.shutdown().clone());
    let catalog = catalog.clone();
    ctx.tasks.spawn("health-points", OnEnd::Fine, async move {
        let mut pace = tokio::time::interval(every);
        pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let (mut before, mut well) = (None, true);
        loop {
            tokio::select! {
                () = order.begun() => return Ok::<(), String>(()),
                _ = pace.tick() => {}
            }
            if !catalog.is_loaded() {
                continue;
            }
            if !catalog
                .current()
                .tenants
                .keys()
                .any(|tenant| tenant.as_str() == TENANT)
            {
                // A process that runs already when the tenant is declared has not been started anew.
                before = Some(sums(&writer.metrics.render()));
                continue;
            }
            let now = sums(&writer.metrics.render());
            let line = writer.line(&now, before.as_ref());
            match writer.write(line).await {
                Ok(()) => {
                    // What was not taken is told by the next line.
                    before = Some(now);
                    well = true;
                }
                // Once: the next attempt is 10 s away, and the log of a dead broker is long enough.
                Err(error) if well => {
                    well = false;
                    tracing::warn!(%error, "health points of this process were not taken");
                }
                Err(_) => {}
            }
        }
    });
}

struct Writer {
    host: String,
    tags: String,
    stream: Stream,
    clock: Clock,
    /// Start of the process, in seconds since 1970.
    started: i64,
    metrics: Metrics,
}

impl Writer {
    fn line(&self, now: &Sums, before: Option<&Sums>) -> String {
        let mut line = format!(
            "{MEASUREMENT},{} up=1i,started_s={}i,restarts={}i",
            self.tags,
            self.started,
            i32::from(before.is_none())
        );
        for (metric, field, fold) in FIGURES {
            let Some((sum, largest)) = now.get(metric) else {
                continue;
            };
            let value = match fold {
                Fold::Sum => *sum,
                Fold::Largest => *largest,
                Fold::Increase => {
                    let known = before.and_then(|before| before.get(metric));
                    (sum - known.map_or(0.0, |known| known.0)).max(0.0)
                }
            };
            if value.is_finite() {
                write!(line, ",{field}={value}").expect("a string takes all");
            }
        }
        writeln!(line, " {}", self.clock.now_nanos()).expect("a string takes all");
        line
    }

    async fn write(&self, line: String) -> Result<(), StreamError> {
        let topic = TopicName::metrics(&TenantId::parse(TENANT).expect("it is a tenant's name"), 1);
        let partitions = match self.stream.partitions(&topic).await? {
            Some(partitions) => partitions,
            None => {
                let spec = TopicSpec {
                    name: topic.clone(),
                    partitions: 1,
                    retention: Some(RETENTION),
                    compacted: false,
                    replicas: 3,
                };
                self.stream.ensure_topic(&spec).await?;
                1
            }
        };
        let partition = host_partition(self.host.as_bytes(), partitions);
        let target = TopicPartition::new(topic, partition);
        self.stream.send(NewRecord::value(target, line)).await?;
        Ok(())
    }
}

/// Sum and largest value of each metric over its series.
type Sums = BTreeMap<String, (f64, f64)>;

/// Reads Prometheus' text format as this process writes it.
fn sums(text: &str) -> Sums {
    let mut sums = Sums::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some((series, value)) = line.rsplit_once(' ') else {
            continue;
        };
        let name = series.split('{').next().unwrap_or(series);
        if let Ok(value) = value.parse::<f64>() {
            let (sum, largest) = sums.entry(name.to_owned()).or_insert((0.0, f64::MIN));
            *sum += value;
            *largest = largest.max(value);
        }
    }
    sums
}

fn machine() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => std::env::var("HOSTNAME").unwrap_or_else(|_| "unknown".to_owned()),
        name => name.to_owned(),
    }
}

/// A tag's value in line protocol.
fn escaped(text: &str) -> String {
    text.replace('\\', "/")
        .replace(' ', "\\ ")
        .replace(',', "\\,")
        .replace('=', "\\=")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_become_figures_and_counters_their_increase() {
        let ctx = Context::new(runtime::Shutdown::new());
        let text = "# HELP x\nbongsu_consumer_lag_records{tenant=\"a b\",partition=\"0\"} 5\n\
                    bongsu_consumer_lag_records{tenant=\"c\",partition=\"0\"} 7\nbongsu_dead_letters_total{reason=\"x\"} 3\n";
        let first = sums(text);
        let later = sums(&text.replace("} 3", "} 10"));
        let folder = tempfile::tempdir().unwrap();
        let made = tokio::runtime::Runtime::new().unwrap().block_on(async {
            let log = stream::Embedded::open(&folder.path().join("log"), ctx.clock.clone())
                .await
                .unwrap();
            let writer = Writer {
                host: "h".to_owned(),
                tags: "host=h".to_owned(),
                stream: log.into_stream(),
                clock: Clock::manual(9),
                started: 5,
                metrics: ctx.metrics.clone(),
            };
            [writer.line(&first, None), writer.line(&later, Some(&first))]
        });
        assert_eq!(
            made[0],
            "bongsu_health,host=h up=1i,started_s=5i,restarts=1i,lag_records=7,dead_letters=3 9\n"
        );
        assert_eq!(
            made[1],
            "bongsu_health,host=h up=1i,started_s=5i,restarts=0i,lag_records=7,dead_letters=7 9\n"
        );
    }
}
