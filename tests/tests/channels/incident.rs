//! An incident and its messages.

use model::{IncidentId, Priority, TenantId, Timestamp};
use notifier::core::{
    ChannelKind, DeliveryId, IncidentSummary, Language, Message, Purpose, Recipient, Status,
};

/// 2026-11-21 14:00:00 in Korea.
const NOW: Timestamp = Timestamp::from_millis(1_795_237_200_000);

/// CPU usage at 97.2 %, open, P1.
pub(crate) fn incident() -> IncidentSummary {
    IncidentSummary {
        id: IncidentId::from_bytes([7; 16]),
        tenant: TenantId::parse("acme").expect("a name"),
        template: "cpu-usage".to_owned(),
        group: vec![("host".to_owned(), "web-1".to_owned())],
        env: Some("prod".to_owned()),
        priority: Priority::P1,
        status: Status::Open,
        firing: true,
        title: "CPU usage is critically high".to_owned(),
        title_ko: Some("CPU 사용률이 매우 높습니다".to_owned()),
        why: "average of cpu usage over 5m is 97.2 %, above 90 % for 10m".to_owned(),
        value: Some(97.214),
        threshold: Some(90.0),
        unit: "percent".to_owned(),
        runbook: Some("https://wiki.example.com/cpu?a=1&b=2".to_owned()),
        started_at: NOW,
        opened_at: NOW,
        acknowledged: None,
        assigned: None,
        hold: None,
        closed: None,
        due: None,
        until_resolved: false,
        revision: 1,
    }
}

/// Somebody who reads Korean, at that address.
pub(crate) fn kim(address: &str) -> Recipient {
    Recipient {
        contact: Some("kim".to_owned()),
        name: "김민지".to_owned(),
        language: Language::Ko,
        address: address.to_owned(),
    }
}

/// Somebody who reads English, at that address.
pub(crate) fn lee(address: &str) -> Recipient {
    Recipient {
        contact: Some("lee".to_owned()),
        name: "Lee Jiwon".to_owned(),
        language: Language::En,
        address: address.to_owned(),
    }
}

/// A page about the incident to somebody.
pub(crate) fn page(to: Recipient) -> Message {
    message(incident(), Purpose::Firing, to)
}

/// A message about an incident to somebody.
pub(crate) fn message(incident: IncidentSummary, purpose: Purpose, to: Recipient) -> Message {
    let id = incident.id;
    Message {
        delivery: DeliveryId::of(
            id,
            incident.revision,
            purpose,
            ChannelKind::Sms,
            &to.address,
        ),
        purpose,
        incident,
        recipient: to,
        mentions: Vec::new(),
        thread: None,
        possible_repeat: false,
        note: None,
        ack_url: "https://bongsu.example.com/a/x7Kd93mQ".to_owned(),
        incident_url: format!("https://bongsu.example.com/incidents/{id}"),
    }
}

/// The same, with names that try to be more than names.
pub(crate) fn hostile(to: Recipient) -> Message {
    let mut incident = incident();
    let bad =
        "x\r\nBcc: victim@example.com\r\n\r\n<script>\"'&</Say><Dial>+1</Dial> {{7*7}} <!channel>";
    incident.title = bad.to_owned();
    incident.title_ko = None;
    incident.group = vec![("host".to_owned(), bad.to_owned())];
    incident.env = Some(bad.to_owned());
    incident.why = bad.to_owned();
    let mut message = message(incident, Purpose::Firing, to);
    message.note = Some(bad.to_owned());
    message.recipient.name = format!("Lee\r\nBcc: victim@example.com {}", message.recipient.name);
    message
}
