//! What people and other incidents do to an incident, through the store and the clock.

use super::world::{World, first, kinds, until, until_recorded};
use crate::commands::CommandError;
use crate::core::{HoldKind, Input, Status, Via};
use model::{AlertKind, Priority, Timestamp};

fn now(world: &World) -> Timestamp {
    Timestamp::from_nanos(world.clock.now_nanos())
}

/// Given to the second, put off, judged: each is kept, and its deadline survives a restart.
pub async fn people_give_away_put_off_and_judge_anew(world: World) {
    let replica = world.replica().await;
    let id = world.fires("acme", 1, Priority::P2).await;
    world.sms.until(|sent| sent.len() == 1).await;
    let act = async |input| replica.commands.act(id, input).await.expect("it is done");
    act(Input::Assign {
        actor: first(),
        via: Via::Api,
        to: "second0".to_owned(),
    })
    .await;
    let sent = world.sms.until(|sent| sent.len() == 2).await;
    assert_eq!(sent[1].recipient.address, "phone-second0");
    let detail = until(&replica.commands, id, |_| true).await;
    assert_eq!(
        detail.incident.assigned.map(|owner| owner.name),
        Some("second0".to_owned())
    );
    let nobody = Input::Assign {
        actor: first(),
        via: Via::Api,
        to: "nobody".to_owned(),
    };
    let refused = replica.commands.act(id, nobody).await;
    assert!(
        matches!(refused, Err(CommandError::NoContact(_))),
        "{refused:?}"
    );
    act(Input::Snooze {
        actor: first(),
        via: Via::Api,
        until: now(&world).plus(model::Span::from_secs(1800)),
    })
    .await;
    until_recorded(&replica.commands).await;
    replica.kill();
    world.pass(1_801);
    let replica = world.replica().await;
    let detail = until(&replica.commands, id, |detail| {
        detail.incident.hold.is_none()
    })
    .await;
    assert_eq!(detail.incident.status, Status::Open);
    assert!(kinds(&detail).contains(&"released"), "{:?}", kinds(&detail));
    let input = Input::SetPriority {
        actor: first(),
        via: Via::Api,
        priority: Priority::P1,
    };
    replica.commands.act(id, input).await.expect("it is done");
    let detail = until(&replica.commands, id, |_| true).await;
    assert_eq!(detail.incident.priority, Priority::P1);
    let times = replica
        .commands
        .times(None, Timestamp::from_millis(0), now(&world))
        .await;
    let times = times.expect("they are read");
    let times = &times[&("acme".to_owned(), Priority::P1)];
    assert_eq!((times.opened, times.to_acknowledge.len()), (1, 1));
}

/// A host-down that waits for its tenant, and hides what its host says, until it is over.
pub async fn a_host_that_is_down_hides_its_other_alerts(world: World) {
    let replica = world.replica().await;
    let mut down = world.event("acme", 3, 1, AlertKind::Firing, Some(Priority::P1));
    down.template = "host-down".to_owned();
    down.incident_id = model::IncidentId::from_bytes([3; 16]);
    down.event_id = down.incident_id.event(1);
    world.emit(&down).await;
    let detail = until(&replica.commands, down.incident_id, |_| true).await;
    assert_eq!(
        detail.incident.hold.map(|hold| hold.kind),
        Some(HoldKind::Waits)
    );
    let cpu = world.fires("acme", 3, Priority::P2).await;
    let detail = until(&replica.commands, cpu, |_| true).await;
    assert_eq!(kinds(&detail), ["firing", "inhibited"]);
    world.pass(31);
    let sent = world.sms.until(|sent| sent.len() == 1).await;
    assert_eq!(sent[0].incident.id, down.incident_id);
    until_recorded(&replica.commands).await;
    let mut over = world.event("acme", 3, 2, AlertKind::Resolved, None);
    over.template = "host-down".to_owned();
    over.incident_id = down.incident_id;
    over.event_id = down.incident_id.event(2);
    world.emit(&over).await;
    until(&replica.commands, down.incident_id, |detail| {
        detail.incident.status == Status::Closed
    })
    .await;
    world.pass(301);
    let detail = until(&replica.commands, cpu, |detail| {
        detail.incident.hold.is_none()
    })
    .await;
    assert!(kinds(&detail).contains(&"released"), "{:?}", kinds(&detail));
}

/// A merge holds while the other is open, and not a moment longer than the next look.
pub async fn what_is_merged_pages_again_when_the_other_is_over(world: World) {
    let replica = world.replica().await;
    let (one, other) = (
        world.fires("acme", 1, Priority::P1).await,
        world.fires("acme", 2, Priority::P1).await,
    );
    world.sms.until(|sent| sent.len() == 2).await;
    let foreign = world.fires("globex", 5, Priority::P1).await;
    world.sms.until(|sent| sent.len() == 3).await;
    until_recorded(&replica.commands).await;
    let merge = async |into| {
        let input = Input::Merge {
            actor: first(),
            via: Via::Api,
            into,
        };
        replica.commands.act(one, input).await.expect("it is asked")
    };
    let refused = merge(foreign).await;
    assert!(
        format!("{refused:?}").contains("of this tenant"),
        "{refused:?}"
    );
    merge(other).await;
    let detail = until(&replica.commands, one, |_| true).await;
    assert_eq!(detail.incident.hold.and_then(|hold| hold.by), Some(other));
    world.recovers("acme", 2, 2).await;
    until(&replica.commands, other, |detail| {
        detail.incident.status == Status::Closed
    })
    .await;
    world.pass(61);
    let detail = until(&replica.commands, one, |detail| {
        detail.incident.hold.is_none()
    })
    .await;
    assert!(kinds(&detail).contains(&"released"), "{:?}", kinds(&detail));
}
