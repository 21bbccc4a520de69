//! An alert as an evaluator tells it, for tests of what comes of one.

use model::{AlertEvent, AlertKind, Fingerprint, IncidentId, Priority, TenantId, Timestamp};
use runtime::Clock;

/// The disk of a tenant's host is full since this moment.
pub(crate) fn disk_is_full(tenant: &str, host: &str, priority: Priority) -> AlertEvent {
    let tenant = TenantId::parse(tenant).expect("a name");
    let group = vec![("host".to_owned(), host.to_owned())];
    let now = Timestamp::from_nanos(Clock::system().now_nanos());
    let id = IncidentId::of(Fingerprint::of(&tenant, "disk", &group), 0, now);
    AlertEvent {
        event_id: id.event(1),
        incident_id: id,
        sequence: 1,
        tenant,
        partition: 0,
        template: "disk".to_owned(),
        group,
        kind: AlertKind::Firing,
        priority: Some(priority),
        value: Some(97.2),
        threshold: Some(90.0),
        unit: "percent".to_owned(),
        at: now,
        started_at: now,
        arrival: now,
        env: None,
        title: format!("The disk of {host} is full"),
        title_ko: None,
        why: "97.2 is above 90".to_owned(),
        runbook: None,
    }
}
