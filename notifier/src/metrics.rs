//! What the notifier counts. Names are here and nowhere else.

use crate::core::{Alarm, ChannelKind};
use crate::io::store::Counts;
use prometheus::{Gauge, Histogram, HistogramOpts, IntCounterVec, IntGaugeVec, Opts};

/// The notifier's metrics. A cheap handle.
#[derive(Debug, Clone)]
pub struct Metrics {
    incidents: IntGaugeVec,
    ack_seconds: Histogram,
    notifications: IntCounterVec,
    events: IntCounterVec,
    alarms: IntCounterVec,
    oldest_waiting: Gauge,
    heartbeats: IntCounterVec,
}

impl Metrics {
    /// Adds them to the process'.
    pub fn new(all: &runtime::Metrics) -> Self {
        let counter = |name: &str, help: &str, labels: &[&str]| {
            all.add(IntCounterVec::new(Opts::new(name, help), labels))
        };
        Self {
            incidents: all.add(IntGaugeVec::new(
                Opts::new("bongsu_incidents", "Incidents that are not closed."),
                &["tenant", "priority", "state"],
            )),
            ack_seconds: all.add(Histogram::with_opts(
                HistogramOpts::new(
                    "bongsu_incident_ack_seconds",
                    "From the opening of an incident to its acknowledgement.",
                )
                .buckets(vec![
                    15.0, 60.0, 180.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 14400.0,
                ]),
            )),
            notifications: counter(
                "bongsu_notifications_total",
                "Attempts to notify, by what came of them.",
                &["channel", "result"],
            ),
            events: counter(
                "bongsu_notifier_events_total",
                "Records of the alert topic, by what came of them.",
                &["result"],
            ),
            alarms: counter(
                "bongsu_notifier_alarms_total",
                "What those who run Bongsu must see.",
                &["kind"],
            ),
            oldest_waiting: all.add(Gauge::with_opts(Opts::new(
                "bongsu_notifier_oldest_delivery_seconds",
                "Age of the oldest delivery without a fate; 0 when there is none.",
            ))),
            heartbeats: counter(
                "bongsu_notifier_heartbeats_total",
                "Signs of life to the dead-man's switch, by what came of them.",
                &["result"],
            ),
        }
    }

    /// An attempt to notify ended.
    pub fn notified(&self, channel: ChannelKind, result: &str) {
        let labels = [channel.as_str(), result];
        self.notifications.with_label_values(&labels).inc();
    }

    /// A sign of life was `sent`, `failed`, or `withheld` because something is wrong.
    pub fn heartbeat(&self, result: &str) {
        self.heartbeats.with_label_values(&[result]).inc();
    }

    /// A record of the alert topic was taken.
    pub fn event(&self, result: &str) {
        self.events.with_label_values(&[result]).inc();
    }

    /// Logs an alarm, with the incident and the tenant that it is about, and counts it.
    pub fn alarm(&self, of: Option<(&model::TenantId, model::IncidentId)>, alarm: &Alarm) {
        let kind = alarm.kind.as_str();
        let (tenant, id) = of.unzip();
        let tenant = tenant.map(model::TenantId::as_str);
        let incident_id = id.map(|id| id.to_string());
        tracing::error!(kind, tenant, incident_id, "{}", alarm.text);
        self.alarms.with_label_values(&[kind]).inc();
    }

    /// Somebody took an incident.
    pub fn acknowledged(&self, after: model::Span) {
        self.ack_seconds.observe(after.as_secs_f64().max(0.0));
    }

    /// The incidents that are not closed now.
    pub fn set_incidents(&self, counts: &[Counts]) {
        self.incidents.reset();
        for counted in counts {
            self.incidents
                .with_label_values(&[
                    counted.tenant.as_str(),
                    counted.priority.as_str(),
                    counted.status.as_str(),
                ])
                .set(counted.count);
        }
    }

    /// Age of the oldest delivery without a fate.
    pub fn set_oldest_waiting(&self, age: Option<model::Span>) {
        let age = age.unwrap_or(model::Span::ZERO);
        self.oldest_waiting.set(age.as_secs_f64().max(0.0));
    }
}
