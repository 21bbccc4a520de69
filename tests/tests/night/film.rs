//! One night: a P1 at three in the morning in Seoul goes to Slack, then to a phone as a text message, then as a call, to the
//! second person, to the team, with two of three providers of text messages down; a digit acknowledges, the recovery is told to
//! all five who were called and to the room, and the timeline reads as an account of it.

use jiff::tz::TimeZone;
use model::AlertKind;
use notifier::commands::IncidentDetail;
use notifier::core::Status;
use runtime::Clock;
use tests::fake::Fault;

use super::world::{Night, THREE};

const KIM: &str = "+821000000001";
const LEE: &str = "+821000000002";
const PARK: &str = "+821000000003";
const CHOI: &str = "+821000000004";
const JUNG: &str = "+821000000005";

/// Who is told, and when.
fn catalogue(room: &str) -> String {
    format!(
        "
tenant: acme
escalation_policy: night
---
contact: kim
name: 김민지
language: ko
slack: U0000000001
phone: '{KIM}'
rules: {{P1: [{{by: [chat]}}, {{by: [sms], after: 1m}}, {{by: [voice], after: 2m}}]}}
---
contact: lee
name: Lee Jiwon
phone: '{LEE}'
---
contact: park
name: 박서준
language: ko
phone: '{PARK}'
---
contact: choi
name: 최유나
language: ko
phone: '{CHOI}'
---
contact: jung
name: 정하늘
language: ko
phone: '{JUNG}'
---
team: dba
members: [park, choi, jung]
---
escalation_policy: night
chat: {room}
acknowledge_within: {{P1: 5m}}
channels: {{P1: [chat, sms, voice]}}
steps: [{{notify: [kim]}}, {{notify: [lee]}}, {{notify: ['team:dba']}}]
"
    )
}

/// The timeline as a person reads it: when, what kind, who, and the sentence.
fn account(detail: &IncidentDetail) -> String {
    let seoul = TimeZone::get("Asia/Seoul").expect("a zone");
    let line = |entry: &notifier::commands::TimelineEntry| {
        let at = jiff::Timestamp::from_nanosecond(entry.at.as_nanos().into()).expect("a time");
        let at = at.to_zoned(seoul.clone()).strftime("%H:%M:%S").to_string();
        let by = entry.actor.as_ref();
        let by = by.map_or(String::new(), |(actor, via)| {
            format!(" [{} by {via}]", actor.name)
        });
        format!("{at} {:<12} {}{by}", entry.kind, entry.text)
    };
    let mut lines: Vec<_> = detail.timeline.iter().map(line).collect();
    // What several providers answered in the same second has no order of its own.
    let news = |line: &str| line[9..].starts_with("delivered") || line[9..].starts_with("diverted");
    lines
        .chunk_by_mut(|a, b| a[..8] == b[..8] && news(a) && news(b))
        .for_each(<[String]>::sort);
    lines.join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_p1_at_three_in_the_morning_reaches_somebody_who_answers() {
    let night = Night::begin(Clock::manual(THREE.as_nanos()), catalogue).await;
    // Two of three providers of text messages are down all night.
    night.sens.faults().next(10_000, Fault::status(503));
    night.aligo.run_dry();

    // Slack; a minute later a text message by the third provider; another minute later a call, which nobody picks up.
    let id = night.event("db-1", 1, AlertKind::Firing).await;
    night.deliveries(id, 1).await;
    night.pass(60);
    night.deliveries(id, 2).await;
    night.receipts(id).await;
    night.pass(57);
    night.deliveries(id, 3).await;
    let call = night.call(KIM);
    night.pass(30);
    let status = night
        .twilio
        .tell(&call, "no-answer")
        .await
        .expect("an answer");
    assert!(status.is_success(), "{status}");

    // Five minutes without an answer: the second person. A mailbox takes the call.
    night.pass(150);
    night
        .until(id, "the second person", |detail| {
            detail
                .deliveries
                .iter()
                .filter(|one| one.recipient.address == LEE)
                .count()
                == 2
        })
        .await;
    night.receipts(id).await;
    let call = night.call(LEE);
    night
        .twilio
        .tell(&call, "completed")
        .await
        .expect("an answer");

    // Five minutes later the whole team; somebody presses a digit.
    night.pass(297);
    night
        .until(id, "the team", |detail| {
            detail
                .deliveries
                .iter()
                .filter(|one| one.recipient.address == JUNG)
                .count()
                == 2
        })
        .await;
    night.receipts(id).await;
    let call = night.call(PARK);
    let (status, said) = night.twilio.press(&call, "1").await.expect("an answer");
    assert!(
        status.is_success() && said.contains("확인되었습니다"),
        "{status} {said}"
    );
    let detail = night
        .until(id, "an owner", |detail| {
            detail.incident.status == Status::Acknowledged
        })
        .await;
    let owner = detail.incident.acknowledged.map(|(actor, _)| actor.name);
    assert_eq!(owner.as_deref(), Some("박서준"));

    // Forty minutes later it is over, and all five who heard of it hear of that.
    night.pass(2_400);
    night.event("db-1", 2, AlertKind::Resolved).await;
    let detail = night
        .until(id, "the end", |detail| {
            detail.incident.status == Status::Closed
        })
        .await;
    let told = night.told("RESOLVED", "복구");
    assert_eq!(told, [KIM, LEE, PARK, CHOI, JUNG, "the room"]);
    insta::assert_snapshot!("timeline", account(&detail));
}
