//! Replicas on one database, tenants and destinations beside each other.

use super::recorder::lines;
use super::world::{World, first, kinds, until, until_listed, until_recorded};
use crate::core::{Escalation, Fate, Input, Message, Status, Via};
use crate::engine::Effects;
use crate::io::timers::Timers;
use model::{AlertKind, Priority};
use std::collections::BTreeSet;
use std::time::Duration;

/// Work is shared by claims: nothing twice, nothing marked, nothing left.
pub async fn two_replicas_send_each_message_once(world: World) {
    let (one, other) = (world.replica().await, world.replica().await);
    let incidents = 60;
    for n in 0..incidents {
        let tenant = if n % 2 == 0 { "acme" } else { "globex" };
        world.fires(tenant, n, Priority::P1).await;
    }
    world.sms.until(|sent| sent.len() == incidents).await;
    world.chat.until(|sent| sent.len() == incidents).await;
    until_recorded(&one.commands).await;
    world.pass(900);
    let sms = world.sms.until(|sent| sent.len() == 2 * incidents).await;
    let chat = world.chat.until(|sent| sent.len() == 2 * incidents).await;
    for sent in [sms, chat] {
        let ids: BTreeSet<_> = sent.iter().map(|message| message.delivery).collect();
        assert_eq!(ids.len(), sent.len(), "no delivery twice");
        assert!(sent.iter().all(|message| !message.possible_repeat));
    }
    drop((one, other));
}

/// What one replica does, subscribers of the other hear of.
pub async fn changes_of_one_replica_are_seen_at_the_other(world: World) {
    let (one, other) = (world.replica().await, world.replica().await);
    let id = world.fires("acme", 1, Priority::P1).await;
    world.sms.until(|sent| sent.len() == 1).await;
    let mut changes = other.commands.subscribe();
    let acted = one.commands.acknowledge(id, first(), Via::Console).await;
    assert!(acted.is_ok());
    let heard = async {
        while changes
            .recv()
            .await
            .is_ok_and(|changed| changed.incident != id)
        {}
    };
    let waited = tokio::time::timeout(Duration::from_secs(30), heard).await;
    waited.expect("it is heard of in time");
}

/// A phone whose provider does not answer, and a page to another.
pub async fn a_slow_destination_stalls_nobody_else(mut world: World) {
    world.config.engine.in_flight = 8;
    world.config.engine.in_flight_p1 = 1;
    for _ in 0..40 {
        world.sms.script("phone-first0", super::Script::TakeAndHang);
    }
    let replica = world.replica().await;
    for n in 0..40 {
        world.fires("acme", n, Priority::P2).await;
    }
    world.sms.until(|sent| sent.len() >= 2).await;
    world.fires("globex", 99, Priority::P2).await;
    let sms = world
        .sms
        .until(|sent| {
            sent.iter()
                .any(|message| message.recipient.address == "phone-first1")
        })
        .await;
    assert!(sms.len() <= 8, "{:?}", lines(&sms));
    drop(replica);
}

/// A tenant's pages of P1 go to many, and their provider does not answer: they leave places for another tenant's.
pub async fn pages_of_one_tenant_leave_places_for_others(mut world: World) {
    world.config.engine.in_flight = 6;
    world.config.engine.in_flight_p1 = 1;
    let replica = world.replica().await;
    for n in 0..10 {
        world.fires("acme", n, Priority::P1).await;
    }
    world.sms.until(|sent| sent.len() == 10).await;
    until_recorded(&replica.commands).await;
    for phone in ["phone-first0", "phone-second0"] {
        for _ in 0..40 {
            world.sms.script(phone, super::Script::TakeAndHang);
        }
    }
    // The second person is paged for all, and the first for others; both have more than there are places.
    world.pass(900);
    for n in 10..20 {
        world.fires("acme", n, Priority::P1).await;
    }
    until_listed(&replica.commands, 20).await;
    world.sms.until(|sent| sent.len() >= 14).await;
    world.fires("globex", 99, Priority::P1).await;
    let to_globex = |sent: &[Message]| {
        let mut to = sent.iter().map(|one| one.recipient.address.as_str());
        to.any(|to| to == "phone-first1")
    };
    world.sms.until(to_globex).await;
    drop(replica);
}

/// The P1 comes last and goes first.
pub async fn a_p1_overtakes_a_flood_of_p3(world: World) {
    world.chat.set_open(false);
    let replica = world.replica().await;
    for n in 0..150 {
        world.fires("acme", n, Priority::P3).await;
    }
    until_listed(&replica.commands, 150).await;
    world.fires("globex", 500, Priority::P1).await;
    until_listed(&replica.commands, 151).await;
    world.chat.set_open(true);
    let is_p1 = |message: &Message| message.incident.priority == Priority::P1;
    let chat = world.chat.until(|sent| sent.iter().any(is_p1)).await;
    let place = chat.iter().position(is_p1);
    assert!(
        place < Some(world.config.engine.in_flight + 8),
        "{place:?} of 151"
    );
    drop(replica);
}

/// Two hundred steps of every priority of a tenant are due before the one of another tenant, and before a P1 of their own:
/// both are done in the first batch, and all in the end.
pub async fn a_step_that_is_due_waits_for_no_storm_of_others(world: World) {
    let engine = world.engine().await;
    let storm = 200;
    let fire = async |tenant: &str, hosts: std::ops::Range<usize>, priority| {
        let mut tx = engine.store.begin().await.expect("the store answers");
        let (mut effects, mut ids) = (Effects::default(), Vec::new());
        for n in hosts {
            let event = world.event(tenant, n, 1, AlertKind::Firing, Some(priority));
            let taken = engine.take_event(&mut tx, &event, &[], event.at, &mut effects);
            taken.await.expect("it is taken");
            ids.push(event.incident_id);
        }
        tx.commit().await.expect("it is kept");
        ids
    };
    fire("acme", 0..storm, Priority::P2).await;
    // Due 60 minutes after that, and these 15 minutes: the storm comes first by the clock.
    world.pass(3_600 - 900 - 2);
    fire("acme", storm..2 * storm, Priority::P1).await;
    world.pass(1);
    let own = fire("acme", 900..901, Priority::P1).await;
    let others = fire("globex", 1..2, Priority::P1).await;
    world.pass(3_600);
    let is_due = async |id| {
        let found = engine.store.summary(id).await.expect("the store answers");
        let due = found.expect("it is there").due;
        due.is_some_and(|at| at <= engine.now())
    };
    let mut timers = Timers::default();
    let mut done = timers.batch(&engine).await.expect("the store answers");
    assert!(!is_due(others[0]).await, "another tenant's is done at once");
    assert!(
        is_due(own[0]).await,
        "what came first in the tenant is first"
    );
    while timers.has_more() {
        done += timers.batch(&engine).await.expect("the store answers");
    }
    assert_eq!(done, 2 * storm + 2);
    assert!(!is_due(own[0]).await);
}

/// A person takes a P1 in the very moment in which it escalates, again and again: whichever comes first, it has an owner,
/// and nobody is paged behind the acknowledgement.
pub async fn an_acknowledgement_races_the_escalation(world: World) {
    let (one, other) = (world.replica().await, world.replica().await);
    for n in 0..20 {
        let id = world.fires("acme", n, Priority::P1).await;
        until(&one.commands, id, |detail| {
            let mut fates = detail.deliveries.iter().map(|delivery| delivery.fate);
            !detail.deliveries.is_empty() && fates.all(|fate| fate == Fate::Accepted)
        })
        .await;
        // Both replicas' timers find it due while the acknowledgement is on its way.
        world.pass(900);
        let acted = other.commands.acknowledge(id, first(), Via::Api).await;
        assert!(acted.is_ok(), "{acted:?}");
        let detail = until(&one.commands, id, |detail| {
            let mut fates = detail.deliveries.iter().map(|delivery| delivery.fate);
            detail.incident.status == Status::Acknowledged
                && fates.all(|fate| fate == Fate::Accepted)
        })
        .await;
        assert!(detail.incident.due.is_some(), "it is asked for again");
        let kinds = kinds(&detail);
        let taken = kinds.iter().position(|kind| *kind == "acknowledged");
        let behind = &kinds[taken.expect("it was taken")..];
        assert!(!behind.contains(&"page"), "{kinds:?}");
        let pages = kinds.iter().filter(|kind| **kind == "page").count();
        assert!((1..=2).contains(&pages), "one or two steps: {kinds:?}");
        let close = Input::Close {
            actor: first(),
            via: Via::Api,
            until_resolved: true,
        };
        one.commands.act(id, close).await.expect("it is closed");
    }
}

/// One tenant's flood to a room: a burst, then one a second, while the same tenant's P1, another tenant and another room go
/// at once; a P1 waits for our own pace 5 s and no longer.
pub async fn messages_keep_a_pace_that_delays_no_p1_and_nobody_else(mut world: World) {
    world.config.engine.message_burst = 3;
    let replica = world.replica().await;
    for n in 0..12 {
        world.fires("acme", n, Priority::P3).await;
    }
    let chat = world.chat.until(|sent| sent.len() >= 3).await;
    world.fires("globex", 20, Priority::P3).await;
    world.fires("acme", 21, Priority::P1).await;
    let all = world
        .chat
        .until(|sent| {
            let to_globex = sent.iter().any(|one| one.recipient.address == "C1");
            let p1 = sent.iter().any(|one| one.incident.priority == Priority::P1);
            to_globex && p1
        })
        .await;
    until_listed(&replica.commands, 14).await;
    until_recorded(&replica.commands).await;
    let of_p3 = |sent: &[Message]| {
        let flood = sent
            .iter()
            .filter(|one| one.recipient.address == "C0" && one.incident.priority == Priority::P3);
        flood.count()
    };
    // Those that one look takes may be a few more than the burst.
    let burst = of_p3(&all).max(of_p3(&chat));
    assert!((3..=6).contains(&burst), "{burst}");
    // Second by second one more, once what the burst took too many is made up for.
    let mut seconds = 0;
    let mut sent = burst;
    while sent < 12 {
        world.pass(1);
        seconds += 1;
        let due = (3 + seconds).min(12);
        let now = world.chat.until(|all| of_p3(all) >= due.max(sent)).await;
        until_recorded(&replica.commands).await;
        sent = of_p3(&now).max(of_p3(&world.chat.sent()));
        assert!(sent <= due + 3, "{sent} after {seconds} s");
    }
    assert!(
        seconds >= 6,
        "12 messages with a burst of 3 took {seconds} s"
    );
    // Pages of P1 have a pace of their own, and outrun it.
    for n in 30..40 {
        world.fires("acme", n, Priority::P1).await;
    }
    let of_p1 = |sent: &[Message]| {
        let pages = sent
            .iter()
            .filter(|one| one.incident.priority == Priority::P1);
        pages.count()
    };
    until_listed(&replica.commands, 24).await;
    until_recorded(&replica.commands).await;
    assert!(of_p1(&world.sms.sent()) < 11, "they have a pace");
    world.pass(6);
    world.sms.until(|sent| of_p1(sent) == 11).await;
}

/// A P1 that the engine forgot: the auditor finds it in the bare store, and everyone is told.
pub async fn a_p1_that_was_forgotten_is_found_by_the_auditor_and_pages_everyone(world: World) {
    let replica = world.replica().await;
    let id = world.fires("acme", 1, Priority::P1).await;
    world.sms.until(|sent| sent.len() == 1).await;
    until_recorded(&replica.commands).await;
    replica.kill();
    // What no decision does: its next step is gone.
    let engine = world.engine().await;
    let mut tx = engine.store.begin().await.expect("the store answers");
    let loaded = tx.lock(id).await.expect("the store answers");
    let mut loaded = loaded.expect("it is there");
    loaded.incident.escalation = Escalation::idle();
    assert_eq!(loaded.incident.due_at(), None);
    let saved = tx.save(&loaded, &[], engine.now());
    saved.await.expect("it is kept");
    tx.commit().await.expect("it is kept");
    engine.store.close().await;

    let replica = world.replica().await;
    let detail = until(&replica.commands, id, |detail| {
        kinds(detail).contains(&"audited")
    })
    .await;
    assert!(detail.incident.due.is_some(), "it has a future again");
    let everyone = |sent: &[Message]| {
        let mut to = sent.iter().map(|one| one.recipient.address.as_str());
        to.any(|to| to == "phone-second0")
    };
    world.sms.until(everyone).await;
}
