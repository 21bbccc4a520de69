//! Incidents, messages and deliveries to show.

use model::{IncidentId, Priority, Span, TenantId, Timestamp};
use notifier::commands::{DeliveryRecord, IncidentDetail, TimelineEntry};
use notifier::core::{
    Actor, ChannelKind, DeliveryId, Fate, IncidentSummary, Language, Message, Purpose, Recipient,
    Status, Via,
};

/// 2026-11-21 14:00:00 in Korea.
pub const NOW: Timestamp = Timestamp::from_millis(1_795_237_200_000);

pub fn before(span: &str) -> Timestamp {
    NOW.minus(Span::parse(span).unwrap())
}

pub fn after(span: &str) -> Timestamp {
    NOW.plus(Span::parse(span).unwrap())
}

/// An incident of CPU usage at 97.2 %, open, P1, fired 12 minutes ago.
pub fn incident(number: u8) -> IncidentSummary {
    IncidentSummary {
        id: IncidentId::from_bytes([number; 16]),
        tenant: TenantId::parse("acme").unwrap(),
        template: "cpu-usage".to_owned(),
        group: vec![("host".to_owned(), format!("web-{number}"))],
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
        started_at: before("12m"),
        opened_at: before("12m"),
        acknowledged: None,
        closed: None,
        due: Some(after("4m32s")),
        until_resolved: false,
        assigned: None,
        hold: None,
        revision: 1,
    }
}

pub fn kim() -> Recipient {
    Recipient {
        contact: Some("kim".to_owned()),
        name: "김민수".to_owned(),
        language: Language::Ko,
        address: "+821012345678".to_owned(),
    }
}

pub fn lee() -> Recipient {
    Recipient {
        contact: Some("lee".to_owned()),
        name: "Lee Jiwon".to_owned(),
        language: Language::En,
        address: "+821098765432".to_owned(),
    }
}

pub fn room() -> Recipient {
    Recipient {
        contact: None,
        name: "ops-alerts".to_owned(),
        language: Language::En,
        address: "C0000000001".to_owned(),
    }
}

/// A page about an incident to somebody.
pub fn message(incident: IncidentSummary, purpose: Purpose, recipient: Recipient) -> Message {
    let id = incident.id;
    let delivery = DeliveryId::of(
        id,
        incident.revision,
        purpose,
        ChannelKind::Sms,
        &recipient.address,
    );
    Message {
        delivery,
        purpose,
        incident,
        recipient,
        mentions: Vec::new(),
        thread: None,
        possible_repeat: false,
        note: None,
        ack_url: "https://bongsu.example.com/a/x7Kd93mQ".to_owned(),
        incident_url: format!("https://bongsu.example.com/incidents/{id}"),
    }
}

pub fn delivery(
    id: IncidentId,
    purpose: Purpose,
    channel: ChannelKind,
    recipient: Recipient,
    fate: Fate,
) -> DeliveryRecord {
    DeliveryRecord {
        id: DeliveryId::of(id, 1, purpose, channel, &recipient.address),
        purpose,
        channel,
        recipient,
        fate,
        reason: None,
        attempts: 1,
        possible_repeat: false,
        reference: None,
        created_at: before("12m"),
        updated_at: before("11m"),
    }
}

pub fn entry(ordinal: u64, at: &str, kind: &str, text: &str, by: Option<&str>) -> TimelineEntry {
    let actor = by.map(|name| {
        (
            Actor {
                name: name.to_owned(),
                contact: None,
            },
            Via::Chat,
        )
    });
    let (kind, text) = (kind.to_owned(), text.to_owned());
    TimelineEntry {
        ordinal,
        at: before(at),
        kind,
        actor,
        text,
    }
}

/// The first incident with an account: paged to a room and a phone.
pub fn detail() -> IncidentDetail {
    let incident = incident(1);
    let id = incident.id;
    let (chat, sms) = (ChannelKind::Chat, ChannelKind::Sms);
    IncidentDetail {
        timeline: vec![
            entry(
                1,
                "12m",
                "firing",
                "fired as P1: 97.2 % is above 90 % for 10m",
                None,
            ),
            entry(
                2,
                "12m",
                "page",
                "paged step 1 of 2: 김민수 by chat and SMS",
                None,
            ),
            entry(
                3,
                "11m",
                "delivered",
                "SMS to 김민수 was accepted by sens",
                None,
            ),
            entry(
                4,
                "2m",
                "comment",
                "looking at the batch job",
                Some("Lee Jiwon"),
            ),
        ],
        deliveries: vec![
            delivery(id, Purpose::Firing, chat, room(), Fate::Delivered),
            delivery(id, Purpose::Firing, sms, kim(), Fate::Accepted),
            delivery(id, Purpose::Escalated, sms, lee(), Fate::Failed),
        ],
        incident,
    }
}
