//! What the evaluator counts. Every name is here and nowhere else.

use crate::core::{Action, TagCompliance};
use model::Timestamp;
use prometheus::{
    GaugeVec, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
};
use stream::NewRecord;

/// A cheap handle on the evaluator's metrics.
#[derive(Clone)]
pub(crate) struct Metrics {
    delay: Histogram,
    events: IntCounter,
    events_refused: IntCounter,
    tallies: IntCounterVec,
    findings: IntCounterVec,
    point_bytes: IntCounter,
    state_bytes: IntCounter,
    state_records: IntCounter,
    owned: IntGauge,
    stopped: IntGaugeVec,
    fenced: IntCounter,
    lost: IntCounter,
    refused_bundles: IntGauge,
    tag_compliance: GaugeVec,
}

impl Metrics {
    /// Registers all.
    pub(crate) fn register(metrics: &runtime::Metrics) -> Self {
        let counter = |name, help| metrics.add(IntCounter::new(name, help));
        let counters =
            |name, help, label| metrics.add(IntCounterVec::new(Opts::new(name, help), &[label]));
        let gauge = |name, help| metrics.add(IntGauge::new(name, help));
        let delay = HistogramOpts::new(
            "bongsu_eval_delay_seconds",
            "From the arrival of the record that decided an event to the event's append.",
        )
        .buckets(vec![
            0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0,
            3600.0,
        ]);
        Self {
            delay: metrics.add(Histogram::with_opts(delay)),
            events: counter("bongsu_eval_events_total", "Alert events acknowledged."),
            events_refused: counter(
                "bongsu_eval_events_refused_total",
                "Alert events that the log will never take.",
            ),
            tallies: counters(
                "bongsu_eval_points_total",
                "What became of points and records, by kind; `lines` are all lines read.",
                "what",
            ),
            findings: counters(
                "bongsu_eval_findings_total",
                "Findings raised, by kind.",
                "kind",
            ),
            point_bytes: counter(
                "bongsu_eval_point_bytes_total",
                "Bytes of points evaluated.",
            ),
            state_bytes: counter("bongsu_eval_state_bytes_total", "Bytes of state written."),
            state_records: counter(
                "bongsu_eval_state_records_total",
                "Records of state written.",
            ),
            owned: gauge(
                "bongsu_eval_partitions_owned",
                "Partitions that are evaluated here.",
            ),
            stopped: metrics.add(IntGaugeVec::new(
                Opts::new(
                    "bongsu_eval_partitions_stopped",
                    "Partitions assigned here that are not evaluated, by reason.",
                ),
                &["reason"],
            )),
            fenced: counter(
                "bongsu_eval_fenced_total",
                "Partitions given up because another evaluator had claimed them.",
            ),
            lost: counter(
                "bongsu_eval_lost_records_total",
                "Records that retention removed before they were evaluated, at most.",
            ),
            refused_bundles: gauge(
                "bongsu_eval_refused_bundles",
                "Bundles of the catalogue that do not compile.",
            ),
            tag_compliance: metrics.add(GaugeVec::new(
                Opts::new(
                    "bongsu_tag_compliance_ratio",
                    "Share of the tenant's known hosts, 0 to 1, that lack none of the tags `env`, `service` and `os`; \
                     said by the evaluator that has the tenant's first partition, each minute.",
                ),
                &["tenant"],
            )),
        }
    }

    /// An alert event was acknowledged; `appended` is the broker's time of it, where it is known.
    pub(crate) fn event_appended(&self, arrival: Timestamp, appended: Option<Timestamp>) {
        self.events.inc();
        if let Some(appended) = appended {
            self.delay
                .observe(appended.since(arrival).as_secs_f64().max(0.0));
        }
    }

    /// An alert event can never be sent.
    pub(crate) fn event_refused(&self) {
        self.events_refused.inc();
    }

    /// What a step counted or found; events are counted when they are acknowledged.
    pub(crate) fn action(&self, action: &Action) {
        match action {
            Action::Emit(_) | Action::Derive(_) | Action::Tags(_) => {}
            Action::Find(finding) => self
                .findings
                .with_label_values(&[finding.kind.as_str()])
                .inc(),
            Action::Count(counter) => self
                .tallies
                .with_label_values(&[counter.what.as_str()])
                .inc_by(counter.n),
        }
    }

    /// So many bytes of points were evaluated.
    pub(crate) fn points_read(&self, bytes: usize) {
        self.point_bytes.inc_by(bytes as u64);
    }

    /// A record of state is acknowledged.
    pub(crate) fn state_written(&self, record: &NewRecord) {
        let length = |bytes: &Option<bytes::Bytes>| bytes.as_ref().map_or(0, bytes::Bytes::len);
        self.state_records.inc();
        self.state_bytes
            .inc_by((length(&record.key) + length(&record.value)) as u64);
    }

    /// Retention has removed records.
    pub(crate) fn records_lost(&self, records: i64) {
        self.lost.inc_by(records.unsigned_abs());
    }

    /// Another evaluator has claimed a partition.
    pub(crate) fn fenced(&self) {
        self.fenced.inc();
    }

    /// So many bundles do not compile.
    pub(crate) fn refused_bundles(&self, count: usize) {
        self.refused_bundles.set(count as i64);
    }

    /// Counts a partition as owned until the guard is dropped.
    pub(crate) fn own(&self) -> Owned {
        self.owned.inc();
        Owned(self.owned.clone())
    }

    /// How a tenant keeps to the standard of tags; nothing is told of it any more when what is handed out is dropped.
    pub(crate) fn tag_compliance(&self, tenant: &str) -> Compliance {
        Compliance {
            all: self.tag_compliance.clone(),
            tenant: tenant.to_owned(),
        }
    }

    /// Counts a partition as stopped until the guard is dropped.
    pub(crate) fn stopped(&self, reason: &str) -> Owned {
        let gauge = self.stopped.with_label_values(&[reason]);
        gauge.inc();
        Owned(gauge)
    }
}

/// A tenant's compliance while this evaluator has its first partition.
pub(crate) struct Compliance {
    all: GaugeVec,
    tenant: String,
}

impl Compliance {
    /// What was summed up last.
    pub(crate) fn set(&self, seen: TagCompliance) {
        let gauge = self.all.with_label_values(&[&self.tenant]);
        gauge.set(seen.ratio());
    }
}

impl Drop for Compliance {
    fn drop(&mut self) {
        // Other partitions than the first have never set it.
        self.all.remove_label_values(&[&self.tenant]).ok();
    }
}

/// One more on a gauge while it lives.
pub(crate) struct Owned(IntGauge);

impl Drop for Owned {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenants_compliance_is_told_while_its_first_partition_is_here() {
        let all = runtime::Metrics::new();
        let told = Metrics::register(&all).tag_compliance("acme");
        let line = "bongsu_tag_compliance_ratio{tenant=\"acme\"} 0.75\n";
        told.set(TagCompliance {
            hosts: 8,
            lacking: 2,
        });
        assert!(all.render().contains(line), "{}", all.render());
        drop(told);
        assert!(!all.render().contains("acme"), "{}", all.render());
    }
}
