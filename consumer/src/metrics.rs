//! Names and labels of the consumer's metrics, all in this place.

use crate::core::Account;
use crate::core::handoff::LaneSums;
use model::TenantId;
use prometheus::{
    Histogram, HistogramOpts, IntCounterVec, IntGauge, IntGaugeVec, Opts, histogram_opts,
};

/// The consumer's metrics. A cheap handle.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    lag: IntGaugeVec,
    oldest: IntGaugeVec,
    retention_used: IntGaugeVec,
    stored: IntCounterVec,
    dead: IntCounterVec,
    retries: IntCounterVec,
    lost: IntCounterVec,
    account: IntGaugeVec,
    log_errors: IntCounterVec,
    shards: IntGaugeVec,
    concurrency: IntGaugeVec,
    concurrency_changes: IntCounterVec,
    handed_off: IntCounterVec,
    handoff: IntGaugeVec,
    handoff_waiting: IntGaugeVec,
    handoff_oldest: IntGaugeVec,
    handoff_retention: IntGaugeVec,
    handoff_lost: IntCounterVec,
    /// Bytes read and not yet stored.
    pub(crate) buffered: IntGauge,
    /// Partitions that are paused because the buffer is full.
    pub(crate) paused: IntGauge,
    paused_lanes: IntGauge,
    /// Topics with a partition that was assigned, and a setting that may lose or mistime records.
    pub(crate) flawed_topics: IntGauge,
    /// Seconds of one write, retries not included.
    pub(crate) write_seconds: Histogram,
}

/// Counts a lane among those that are paused.
pub(crate) struct PausedLane(IntGauge);

impl Drop for PausedLane {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    pub(crate) fn register(metrics: &runtime::Metrics) -> Self {
        let counter = |name: &str, help: &str, labels: &[&str]| {
            metrics.add(IntCounterVec::new(Opts::new(name, help), labels))
        };
        let gauges = |name: &str, help: &str, labels: &[&str]| {
            metrics.add(IntGaugeVec::new(Opts::new(name, help), labels))
        };
        let seconds: HistogramOpts = histogram_opts!(
            "bongsu_consumer_write_seconds",
            "Seconds of one write to a shard, repeats counted apart.",
            vec![0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0]
        );
        let gauge = |name: &str, help: &str| metrics.add(IntGauge::new(name, help));
        Self {
            lag: gauges(
                "bongsu_consumer_lag_records",
                "Records in the log behind the last one that is stored.",
                &["tenant", "partition"],
            ),
            oldest: gauges(
                "bongsu_consumer_oldest_record_seconds",
                "Age of the oldest record that was read and is not stored, by the log's time; 0 without one.",
                &["tenant", "partition"],
            ),
            retention_used: gauges(
                "bongsu_consumer_retention_used_percent",
                "Of the time that the topic keeps records, what the oldest one that is not stored has behind it.",
                &["tenant", "partition"],
            ),
            stored: counter(
                "bongsu_consumer_points_stored_total",
                "Lines that a shard has stored.",
                &["tenant"],
            ),
            dead: counter(
                "bongsu_dead_letters_total",
                "Lines that can never be stored, by reason.",
                &["reason"],
            ),
            retries: counter(
                "bongsu_consumer_retries_total",
                "Writes that had to be repeated, by shard and reason.",
                &["shard", "reason"],
            ),
            lost: counter(
                "bongsu_consumer_lost_records_total",
                "Records that were gone from the log before they could be read.",
                &["tenant"],
            ),
            account: gauges(
                "bongsu_consumer_account_lines",
                "Lines up to the committed offset, by fate; copies = stored + dead_lettered + \
                 handed_off, and copies is read times the replicas.",
                &["tenant", "partition", "fate"],
            ),
            log_errors: counter(
                "bongsu_consumer_log_errors_total",
                "Errors of the log, by what was tried.",
                &["what"],
            ),
            shards: gauges(
                "bongsu_consumer_shard_info",
                "Always 1: what each shard said that it is.",
                &["shard", "product"],
            ),
            concurrency: gauges(
                "bongsu_consumer_shard_concurrency",
                "Writes that may be in flight to a shard at once.",
                &["shard"],
            ),
            concurrency_changes: counter(
                "bongsu_consumer_shard_concurrency_changes_total",
                "Changes of the writes that may be in flight, by reason.",
                &["shard", "reason"],
            ),
            handed_off: counter(
                "bongsu_consumer_handed_off_total",
                "Lines that went to the handoff of their shard, since the process began.",
                &["shard"],
            ),
            handoff: gauges(
                "bongsu_consumer_handoff_lines",
                "Lines of a handoff partition up to where it is drained, by fate; read = stored + \
                 dead_lettered + repeated + fenced.",
                &["shard", "partition", "fate"],
            ),
            handoff_waiting: gauges(
                "bongsu_consumer_handoff_waiting_records",
                "Records of a handoff partition that are not drained.",
                &["shard", "partition"],
            ),
            handoff_oldest: gauges(
                "bongsu_consumer_handoff_oldest_seconds",
                "Age of the oldest record of a handoff partition that is not drained; 0 without one.",
                &["shard", "partition"],
            ),
            handoff_retention: gauges(
                "bongsu_consumer_handoff_retention_used_percent",
                "Of the time that a handoff keeps records, what the oldest one that is not drained has behind it.",
                &["shard", "partition"],
            ),
            handoff_lost: counter(
                "bongsu_consumer_handoff_lost_records_total",
                "Records that were gone from the handoff before they could be drained.",
                &["shard"],
            ),
            buffered: gauge(
                "bongsu_consumer_buffered_bytes",
                "Bytes that were read and are not yet stored.",
            ),
            paused: gauge(
                "bongsu_consumer_paused_partitions",
                "Partitions that are paused because the buffer is full.",
            ),
            paused_lanes: gauge(
                "bongsu_consumer_paused_lanes",
                "Lanes that wait for a person: their shard refuses the token or is set up wrongly.",
            ),
            flawed_topics: gauge(
                "bongsu_consumer_flawed_topics",
                "Topics of which a partition was assigned here and whose settings may lose or mistime records; the \
                 log and `bongsu doctor` say which.",
            ),
            write_seconds: metrics.add(Histogram::with_opts(seconds)),
        }
    }

    /// Records that are not stored, the age of the oldest, and how much of its retention that is.
    pub(crate) fn lag(
        &self,
        tenant: &TenantId,
        partition: u32,
        (records, oldest_s, used_percent): (i64, i64, i64),
    ) {
        let partition = partition.to_string();
        let labels = [tenant.as_str(), &partition];
        self.lag.with_label_values(&labels).set(records);
        self.oldest.with_label_values(&labels).set(oldest_s);
        self.retention_used
            .with_label_values(&labels)
            .set(used_percent);
    }

    /// A lane waits for a person until the guard is dropped.
    pub(crate) fn paused_lane(&self) -> PausedLane {
        self.paused_lanes.inc();
        PausedLane(self.paused_lanes.clone())
    }

    pub(crate) fn stored(&self, tenant: &TenantId, lines: u64) {
        self.stored
            .with_label_values(&[tenant.as_str()])
            .inc_by(lines);
    }

    pub(crate) fn dead_letter(&self, reason: &str) {
        self.dead.with_label_values(&[reason]).inc();
    }

    pub(crate) fn retry(&self, shard: &str, reason: &str) {
        self.retries.with_label_values(&[shard, reason]).inc();
    }

    pub(crate) fn lost(&self, tenant: &TenantId, records: u64) {
        self.lost
            .with_label_values(&[tenant.as_str()])
            .inc_by(records);
    }

    pub(crate) fn log_error(&self, what: &str) {
        self.log_errors.with_label_values(&[what]).inc();
    }

    pub(crate) fn shard(&self, shard: &str, product: &str) {
        self.shards.with_label_values(&[shard, product]).set(1);
    }

    pub(crate) fn concurrency(&self, shard: &str, writes: usize) {
        self.concurrency
            .with_label_values(&[shard])
            .set(writes as i64);
    }

    pub(crate) fn concurrency_changed(&self, shard: &str, reason: &str) {
        self.concurrency_changes
            .with_label_values(&[shard, reason])
            .inc();
    }

    pub(crate) fn account(&self, tenant: &TenantId, partition: u32, account: &Account) {
        let partition = partition.to_string();
        for (fate, lines) in [
            ("read", account.read),
            ("copies", account.copies),
            ("stored", account.fates.stored),
            ("dead_lettered", account.fates.dead_lettered),
            ("handed_off", account.fates.handed_off),
        ] {
            self.account
                .with_label_values(&[tenant.as_str(), &partition, fate])
                .set(i64::try_from(lines).unwrap_or(i64::MAX));
        }
    }

    pub(crate) fn handed_off(&self, shard: &str, lines: u64) {
        self.handed_off.with_label_values(&[shard]).inc_by(lines);
    }

    /// What of a handoff partition is drained, how many records are not, how old the oldest is, and how much of its
    /// retention that is.
    pub(crate) fn handoff(
        &self,
        shard: &str,
        partition: u32,
        sums: &LaneSums,
        (waiting, oldest_s, used_percent): (i64, i64, i64),
    ) {
        let partition = partition.to_string();
        for (fate, lines) in HANDOFF_FATES.iter().zip(fates_of(sums)) {
            self.handoff
                .with_label_values(&[shard, &partition, fate])
                .set(i64::try_from(lines).unwrap_or(i64::MAX));
        }
        self.handoff_waiting
            .with_label_values(&[shard, &partition])
            .set(waiting);
        self.handoff_oldest
            .with_label_values(&[shard, &partition])
            .set(oldest_s);
        self.handoff_retention
            .with_label_values(&[shard, &partition])
            .set(used_percent);
    }

    /// The partition of the handoff belongs to another member now.
    pub(crate) fn forget_handoff(&self, shard: &str, partition: u32) {
        let partition = partition.to_string();
        for fate in HANDOFF_FATES {
            drop(self.handoff.remove_label_values(&[shard, &partition, fate]));
        }
        for gauge in [
            &self.handoff_waiting,
            &self.handoff_oldest,
            &self.handoff_retention,
        ] {
            drop(gauge.remove_label_values(&[shard, &partition]));
        }
    }

    pub(crate) fn handoff_lost(&self, shard: &str, records: u64) {
        self.handoff_lost
            .with_label_values(&[shard])
            .inc_by(records);
    }

    /// The partition belongs to another member now, which shows it.
    pub(crate) fn forget(&self, tenant: &TenantId, partition: u32) {
        let partition = partition.to_string();
        // A label that was never set is no loss.
        for gauge in [&self.lag, &self.oldest, &self.retention_used] {
            drop(gauge.remove_label_values(&[tenant.as_str(), &partition]));
        }
        for fate in ["read", "copies", "stored", "dead_lettered", "handed_off"] {
            drop(
                self.account
                    .remove_label_values(&[tenant.as_str(), &partition, fate]),
            );
        }
    }
}

const HANDOFF_FATES: [&str; 5] = ["read", "stored", "dead_lettered", "repeated", "fenced"];

fn fates_of(sums: &LaneSums) -> [u64; 5] {
    [
        sums.read,
        sums.stored,
        sums.dead_lettered,
        sums.repeated,
        sums.fenced,
    ]
}
