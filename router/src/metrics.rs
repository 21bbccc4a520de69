//! What the router counts. Every name is here and nowhere else.

use model::TenantId;
use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, Opts};
use std::time::Duration;

/// A cheap handle on the router's metrics.
#[derive(Clone)]
pub(crate) struct Metrics {
    points: IntCounterVec,
    bytes: IntCounterVec,
    records: IntCounter,
    answers: IntCounterVec,
    seconds: Histogram,
    reads: IntCounterVec,
    read_seconds: Histogram,
}

/// What became of lines.
#[derive(Debug, Clone, Copy)]
pub(crate) enum PointResult {
    /// The log acknowledged them.
    Accepted,
    /// They can never be stored.
    Rejected,
    /// The log did not acknowledge them; the agent still has them.
    Unacknowledged,
    /// They say that a series has no value any more, and are not stored.
    Stale,
}

impl PointResult {
    fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Unacknowledged => "unacknowledged",
            Self::Stale => "stale",
        }
    }
}

impl Metrics {
    /// Registers all.
    pub(crate) fn register(metrics: &runtime::Metrics) -> Self {
        let counters = |name, help, labels: &[&str]| {
            metrics.add(IntCounterVec::new(Opts::new(name, help), labels))
        };
        Self {
            points: counters(
                "bongsu_router_points_total",
                "Lines by tenant and result: accepted (the log has them), rejected, unacknowledged, stale (markers without a value).",
                &["tenant", "result"],
            ),
            bytes: counters(
                "bongsu_tenant_bytes_total",
                "Bytes of line protocol that the router put on the tenant's topic.",
                &["tenant"],
            ),
            records: metrics.add(IntCounter::new(
                "bongsu_router_records_total",
                "Records that the log acknowledged.",
            )),
            answers: counters(
                "bongsu_router_requests_total",
                "Answers to writes by status.",
                &["status"],
            ),
            seconds: metrics.add(Histogram::with_opts(
                HistogramOpts::new(
                    "bongsu_router_request_seconds",
                    "From a whole request to its answer, the log's acknowledgement included.",
                )
                .buckets(vec![
                    0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0,
                ]),
            )),
            reads: counters(
                "bongsu_router_reads_total",
                "Answers to queries by language (influxql, flux) and status.",
                &["language", "status"],
            ),
            read_seconds: metrics.add(Histogram::with_opts(
                HistogramOpts::new(
                    "bongsu_router_read_seconds",
                    "From a query to the beginning of its answer.",
                )
                .buckets(vec![0.005, 0.025, 0.1, 0.25, 1.0, 5.0, 25.0, 60.0]),
            )),
        }
    }

    pub(crate) fn points(&self, tenant: &TenantId, result: PointResult, lines: usize) {
        if lines > 0 {
            self.points
                .with_label_values(&[tenant.as_str(), result.as_str()])
                .inc_by(lines as u64);
        }
    }

    pub(crate) fn appended(&self, tenant: &TenantId, records: usize, bytes: usize) {
        self.records.inc_by(records as u64);
        self.bytes
            .with_label_values(&[tenant.as_str()])
            .inc_by(bytes as u64);
    }

    pub(crate) fn read(&self, language: &str, status: u16, took: Duration) {
        self.reads
            .with_label_values(&[language, &status.to_string()])
            .inc();
        self.read_seconds.observe(took.as_secs_f64());
    }

    pub(crate) fn answered(&self, status: u16, took: Duration) {
        self.answers.with_label_values(&[&status.to_string()]).inc();
        self.seconds.observe(took.as_secs_f64());
    }
}
