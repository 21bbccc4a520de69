//! Logs and metrics of a process.

use prometheus::core::Collector;
use prometheus::proto::{MetricFamily, MetricType};
use prometheus::{Encoder, Registry, TextEncoder};
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};
use tracing_subscriber::EnvFilter;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// For people.
    Text,
    /// One object a line.
    Json,
}

/// Says anew which lines are logged.
pub struct LogFilter(Box<dyn Fn(EnvFilter) -> Result<(), String> + Send + Sync>);

impl LogFilter {
    /// Whether a filter is one.
    pub fn check(filter: &str) -> Result<(), TelemetryError> {
        parsed(filter).map(drop)
    }

    /// Logs by this filter from now on.
    pub fn set(&self, filter: &str) -> Result<(), TelemetryError> {
        (self.0)(parsed(filter)?).map_err(TelemetryError::Filter)
    }
}

fn parsed(filter: &str) -> Result<EnvFilter, TelemetryError> {
    EnvFilter::try_new(filter).map_err(|error| TelemetryError::Filter(error.to_string()))
}

/// Starts logging to standard error. `filter` is in the form of `tracing`'s `EnvFilter`, such as `info,router=debug`.
pub fn init_logs(format: LogFormat, filter: &str) -> Result<LogFilter, TelemetryError> {
    let filter = parsed(filter)?;
    let json = match format {
        LogFormat::Auto => !std::io::stderr().is_terminal(),
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(true);
    let (started, set) = if json {
        let builder = builder.json().flatten_event(true).with_filter_reloading();
        let handle = builder.reload_handle();
        let set = LogFilter(Box::new(move |filter| {
            handle.reload(filter).map_err(|error| error.to_string())
        }));
        (builder.try_init(), set)
    } else {
        let builder = builder
            .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
            .with_filter_reloading();
        let handle = builder.reload_handle();
        let set = LogFilter(Box::new(move |filter| {
            handle.reload(filter).map_err(|error| error.to_string())
        }));
        (builder.try_init(), set)
    };
    match started {
        Ok(()) => Ok(set),
        Err(error) => Err(TelemetryError::Started(error.to_string())),
    }
}

/// Why telemetry could not start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter does not parse.
    #[error("log filter is not valid: {0}")]
    Filter(String),
    /// Somebody started it before.
    #[error("logging was started before: {0}")]
    Started(String),
}

/// The metrics of a process. A cheap handle; services of one process share it.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    registry: Registry,
    table: Arc<Mutex<Vec<Described>>>,
}

/// A metric as it is documented.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Described {
    /// Its name.
    pub name: String,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// Its labels.
    pub labels: Vec<String>,
    /// What it says.
    pub help: String,
}

impl Described {
    fn of(metric: &impl Collector) -> Vec<Self> {
        let families = metric.collect();
        let kind = match families.first().map(MetricFamily::get_field_type) {
            Some(MetricType::COUNTER) => "counter",
            Some(MetricType::HISTOGRAM) => "histogram",
            _ => "gauge",
        };
        let described = metric.desc().into_iter().map(|desc| Self {
            name: desc.fq_name.clone(),
            kind,
            labels: desc.variable_labels.clone(),
            help: desc.help.clone(),
        });
        described.collect()
    }

    /// What it is measured in, as its name says it.
    pub fn unit(&self) -> &'static str {
        let name = self.name.strip_suffix("_total").unwrap_or(&self.name);
        let units = [
            ("_timestamp_seconds", "seconds since 1970"),
            ("_seconds", "seconds"),
            ("_bytes", "bytes"),
            ("_percent", "percent"),
            ("_ratio", "0 to 1"),
            ("_records", "records"),
            ("_lines", "lines"),
            ("_points", "lines"),
            ("_info", "always 1"),
        ];
        let unit = units.iter().find(|(ending, _)| name.ends_with(ending));
        unit.map_or("number", |(_, unit)| unit)
    }
}

impl Metrics {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a metric and hands it back. Panics when the name is taken: names are fixed in code, each in one place.
    pub fn add<C: Collector + Clone + 'static>(&self, metric: prometheus::Result<C>) -> C {
        let metric = metric.expect("the name and labels of a metric are valid");
        self.table
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(Described::of(&metric));
        self.registry
            .register(Box::new(metric.clone()))
            .expect("a metric is registered once");
        metric
    }

    /// Every metric that was added, also one that has no value yet, by name.
    pub fn table(&self) -> Vec<Described> {
        let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let mut table = table.clone();
        table.sort();
        table
    }

    /// All metrics in Prometheus' text format.
    pub fn render(&self) -> String {
        let mut text = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            tracing::error!(%error, "metrics could not be rendered");
        }
        String::from_utf8(text).unwrap_or_default()
    }
}
