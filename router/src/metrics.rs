//! What the router counts. Every name is here and nowhere else.

use model::TenantId;
use prometheus::{
    Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
};
use std::time::Duration;

/// A cheap handle on the router's metrics.
#[derive(Clone)]
pub(crate) struct Metrics {
    points: IntCounterVec,
    bytes: IntCounterVec,
    limited: IntCounterVec,
    series: IntGaugeVec,
    clusters: IntGaugeVec,
    in_flight: IntGauge,
    records: IntCounter,
    answers: IntCounterVec,
    seconds: Histogram,
    reads: IntCounterVec,
    read_seconds: Histogram,
}

/// A tenant's own metrics, found once.
#[derive(Debug)]
pub(crate) struct TenantMetrics {
    points: [IntCounter; PointResult::ALL.len()],
    bytes: IntCounter,
    series: IntGauge,
    records: IntCounter,
}

/// What became of lines.
#[derive(Debug, Clone, Copy)]
pub(crate) enum PointResult {
    /// The log acknowledged them and every other line of their body, which was answered 2xx.
    Accepted,
    /// The log acknowledged them, and others of their body are rejected.
    Partial,
    /// They can never be stored.
    Rejected,
    /// The log did not acknowledge them; the agent still has them.
    Unacknowledged,
    /// They say that a series has no value any more, and are not stored.
    Stale,
}

impl PointResult {
    const ALL: [Self; 5] = [
        Self::Accepted,
        Self::Partial,
        Self::Rejected,
        Self::Unacknowledged,
        Self::Stale,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Partial => "partial",
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
        let gauges = |name, help, labels: &[&str]| {
            metrics.add(IntGaugeVec::new(Opts::new(name, help), labels))
        };
        Self {
            points: counters(
                "bongsu_router_points_total",
                "Lines by tenant and result: accepted (the log has the whole body, answered 2xx: never more than the log's own count), \
                 partial (the log has them, others of their body are rejected), rejected, unacknowledged, stale (markers without a value).",
                &["tenant", "result"],
            ),
            bytes: counters(
                "bongsu_tenant_bytes_total",
                "Bytes of line protocol that the router put on the tenant's topic.",
                &["tenant"],
            ),
            limited: counters(
                "bongsu_router_limited_total",
                "Requests that were answered 429, by tenant and limit.",
                &["tenant", "limit"],
            ),
            series: gauges(
                "bongsu_router_active_series",
                "Different series of the tenant within the window.",
                &["tenant"],
            ),
            clusters: gauges(
                "bongsu_router_cluster_up",
                "Whether the Kafka cluster answered when it was last asked.",
                &["cluster"],
            ),
            in_flight: metrics.add(IntGauge::new(
                "bongsu_router_in_flight_bytes",
                "Bytes of bodies, open records and records that wait for the log.",
            )),
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

    /// The metrics of a tenant.
    pub(crate) fn of(&self, tenant: &TenantId) -> TenantMetrics {
        let tenant = tenant.as_str();
        TenantMetrics {
            points: PointResult::ALL
                .map(|result| self.points.with_label_values(&[tenant, result.as_str()])),
            bytes: self.bytes.with_label_values(&[tenant]),
            series: self.series.with_label_values(&[tenant]),
            records: self.records.clone(),
        }
    }

    /// A tenant is no more.
    pub(crate) fn forget(&self, tenant: &TenantId) {
        let tenant = tenant.as_str();
        // What was never counted is not there.
        for result in PointResult::ALL {
            drop(self.points.remove_label_values(&[tenant, result.as_str()]));
        }
        drop(self.bytes.remove_label_values(&[tenant]));
        drop(self.series.remove_label_values(&[tenant]));
        for limit in ["router", "share", "bytes_per_s", "points_per_s"] {
            drop(self.limited.remove_label_values(&[tenant, limit]));
        }
    }

    pub(crate) fn limited(&self, tenant: &TenantId, limit: &str) {
        self.limited
            .with_label_values(&[tenant.as_str(), limit])
            .inc();
    }

    pub(crate) fn cluster(&self, name: &str, up: bool) {
        self.clusters.with_label_values(&[name]).set(i64::from(up));
    }

    pub(crate) fn in_flight(&self, bytes: usize) {
        self.in_flight.set(i64::try_from(bytes).unwrap_or(i64::MAX));
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

impl TenantMetrics {
    pub(crate) fn points(&self, result: PointResult, lines: usize) {
        self.points[result as usize].inc_by(lines as u64);
    }

    pub(crate) fn stored(&self, bytes: usize) {
        self.records.inc();
        self.bytes.inc_by(bytes as u64);
    }

    pub(crate) fn active_series(&self, series: usize) {
        self.series.set(i64::try_from(series).unwrap_or(i64::MAX));
    }
}
