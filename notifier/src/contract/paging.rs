//! From an event to people, step by step.

use super::recorder::lines;
use super::world::{World, first, kinds, until, until_recorded};
use crate::commands::Acted;
use crate::core::{Fate, Status, Via};
use model::{AlertKind, CaughtUp, Priority, Span, StreamEvent};

/// The whole life: paged, acknowledged, recovered.
pub async fn a_p1_goes_to_room_and_phone_and_the_recovery_to_the_same(world: World) {
    let replica = world.replica().await;
    let id = world.fires("acme", 1, Priority::P1).await;
    let sms = world.sms.until(|sent| sent.len() == 1).await;
    let chat = world.chat.until(|sent| sent.len() == 1).await;
    assert_eq!(lines(&sms), ["firing phone-first0"]);
    assert_eq!(lines(&chat), ["firing C0"]);
    assert_eq!(chat[0].mentions[0].address, "U-first0");

    let (_, token) = sms[0].ack_url.rsplit_once('/').expect("a link");
    let link = replica
        .commands
        .link_target(token)
        .await
        .expect("the store answers");
    let link = link.expect("the link is known");
    assert_eq!(
        (link.incident.id, link.recipient.address),
        (id, "phone-first0".to_owned())
    );

    let acted = replica.commands.acknowledge(id, first(), Via::Link).await;
    assert!(matches!(acted, Ok(Acted::Done(incident)) if incident.status == Status::Acknowledged));
    let again = replica.commands.acknowledge(id, first(), Via::Link).await;
    assert!(matches!(again, Ok(Acted::Unchanged { .. })));
    world.recovers("acme", 1, 2).await;
    let chat = world.chat.until(|sent| sent.len() == 3).await;
    let sms = world.sms.until(|sent| sent.len() == 2).await;
    assert_eq!(
        lines(&chat),
        ["firing C0", "acknowledged C0", "resolved C0"]
    );
    assert_eq!(
        lines(&sms),
        ["firing phone-first0", "resolved phone-first0"]
    );
    let thread = chat[2].thread.as_ref().map(|thread| thread.0.clone());
    assert_eq!(
        thread,
        Some(format!("ref-{}", chat[0].delivery)),
        "it follows the first message"
    );

    let accepted = |fate: Fate| fate == Fate::Accepted;
    let detail = until(&replica.commands, id, |detail| {
        detail
            .deliveries
            .iter()
            .all(|delivery| accepted(delivery.fate))
    })
    .await;
    assert_eq!(detail.incident.status, Status::Closed);
    assert_eq!(detail.deliveries.len(), 5);
    for kind in [
        "firing",
        "page",
        "delivered",
        "acknowledged",
        "resolved",
        "notice",
    ] {
        assert!(
            kinds(&detail).contains(&kind),
            "{kind} in {:?}",
            kinds(&detail)
        );
    }
}

/// The same bytes three times: one page, and the timeline says it once.
pub async fn an_event_that_comes_again_changes_nothing(world: World) {
    let replica = world.replica().await;
    let event = world.event("acme", 1, 1, AlertKind::Firing, Some(Priority::P1));
    for _ in 0..3 {
        world.emit(&event).await;
    }
    world.recovers("acme", 1, 2).await;
    let sms = world.sms.until(|sent| sent.len() == 2).await;
    assert_eq!(
        lines(&sms),
        ["firing phone-first0", "resolved phone-first0"]
    );
    let detail = until(&replica.commands, event.incident_id, |detail| {
        detail.incident.status == Status::Closed
    })
    .await;
    let repeats = kinds(&detail)
        .iter()
        .filter(|kind| **kind == "duplicate")
        .count();
    assert_eq!(repeats, 1);
}

/// The second person after the policy's time, and both hear of the recovery.
pub async fn nobody_acknowledges_and_the_next_is_paged(world: World) {
    let replica = world.replica().await;
    world.fires("acme", 1, Priority::P1).await;
    world.sms.until(|sent| sent.len() == 1).await;
    world.chat.until(|sent| sent.len() == 1).await;
    until_recorded(&replica.commands).await;
    world.pass(899);
    world.fires("globex", 2, Priority::P1).await;
    world.sms.until(|sent| sent.len() == 2).await;
    world.chat.until(|sent| sent.len() == 2).await;
    until_recorded(&replica.commands).await;
    world.pass(1);
    let sms = world.sms.until(|sent| sent.len() == 3).await;
    assert_eq!(
        lines(&sms),
        [
            "firing phone-first0",
            "firing phone-first1",
            "escalated phone-second0"
        ]
    );
    world.recovers("acme", 1, 2).await;
    let sms = world.sms.until(|sent| sent.len() == 5).await;
    let mut over = lines(&sms[3..]);
    over.sort();
    assert_eq!(over, ["resolved phone-first0", "resolved phone-second0"]);
    drop(replica);
}

/// A deadline that passes while nothing runs is kept by whoever runs next.
pub async fn a_restart_keeps_the_deadlines(world: World) {
    let replica = world.replica().await;
    world.fires("acme", 1, Priority::P1).await;
    world.sms.until(|sent| sent.len() == 1).await;
    world.chat.until(|sent| sent.len() == 1).await;
    until_recorded(&replica.commands).await;
    replica.kill();
    world.pass(900);
    let replica = world.replica().await;
    let sms = world
        .sms
        .until(|sent| {
            sent.iter()
                .any(|message| message.recipient.address == "phone-second0")
        })
        .await;
    assert!(lines(&sms).contains(&"escalated phone-second0".to_owned()));
    drop(replica);
}

/// Decided long after its point arrived: stored as open, paged once at "caught up".
pub async fn late_events_page_when_the_evaluator_caught_up(world: World) {
    let replica = world.replica().await;
    let mut late = world.event("acme", 1, 1, AlertKind::Firing, Some(Priority::P1));
    late.arrival = late.arrival.minus(Span::from_secs(16 * 60));
    world.emit(&late).await;
    let mut over = world.event("acme", 2, 1, AlertKind::Firing, Some(Priority::P1));
    over.arrival = late.arrival;
    world.emit(&over).await;
    world.recovers("acme", 2, 2).await;
    let detail = until(&replica.commands, over.incident_id, |detail| {
        detail.incident.status == Status::Closed
    })
    .await;
    assert!(
        detail.deliveries.is_empty(),
        "it was over before anybody could know"
    );
    assert!(world.sms.sent().is_empty());

    let caught_up = CaughtUp {
        tenant: late.tenant.clone(),
        partition: 0,
        offset: 7,
        arrival: late.at,
    };
    let bytes = schemas::alert::encode(&StreamEvent::CaughtUp(caught_up));
    world.append("acme", bytes.clone()).await;
    world.append("acme", bytes).await;
    let sms = world.sms.until(|sent| !sent.is_empty()).await;
    assert_eq!(sms[0].incident.id, late.incident_id);
    world.recovers("acme", 1, 2).await;
    let sms = world.sms.until(|sent| sent.len() == 2).await;
    assert_eq!(
        lines(&sms),
        ["firing phone-first0", "resolved phone-first0"]
    );
}
