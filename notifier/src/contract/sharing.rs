//! Replicas on one database, tenants and destinations beside each other.

use super::recorder::lines;
use super::world::{World, first, until_listed, until_recorded};
use crate::core::{Message, Via};
use model::Priority;
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
