//! A notifier that dies at each point of a delivery: nothing is missed, and what may come twice says so.

use super::recorder::Script;
use super::world::{Replica, World, first, until};
use crate::commands::IncidentDetail;
use crate::core::{ChannelKind, Fate, Input, Message, Status, Via};
use crate::engine::Effects;
use crate::io::store::{Store, Wanted};
use model::{AlertKind, IncidentId, Priority, Span, StreamEvent};
use std::collections::BTreeMap;

/// Where it dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// The delivery is taken out of the outbox, and nothing else was done.
    Claim,
    /// The channel has the message, the provider has not.
    BeforeSend,
    /// The provider took it, and its answer is not known here.
    AfterTheAnswer,
    /// The answer is known here, and its record is not in the store.
    BeforeRecord,
    /// The record is in the store.
    AfterRecord,
}

impl Point {
    /// All, in their order.
    pub const ALL: [Self; 5] = [
        Self::Claim,
        Self::BeforeSend,
        Self::AfterTheAnswer,
        Self::BeforeRecord,
        Self::AfterRecord,
    ];

    /// How often the provider took a page when the notifier died here once.
    const fn taken(self) -> usize {
        match self {
            Self::Claim | Self::BeforeSend | Self::AfterRecord => 1,
            Self::AfterTheAnswer | Self::BeforeRecord => 2,
        }
    }
}

/// What came of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Crashes {
    /// How often the notifier died.
    pub crashes: usize,
    /// Pages that no provider got.
    pub missed: usize,
    /// Pages to the phone that a provider got twice; what else was on its way is judged alike and not counted.
    pub repeated: usize,
}

const PHONE: &str = "phone-first0";

/// Dies so often at that point, each time with a P1 of its own, and begins again. Panics where a page is missed, comes
/// more than twice, or comes again without saying so.
pub async fn crashed(world: World, point: Point, times: usize) -> Crashes {
    let mut seen = Crashes::default();
    let mut replica = Some(world.replica().await);
    for n in 0..times {
        let id = match point {
            Point::Claim => {
                if let Some(replica) = replica.take() {
                    replica.kill();
                }
                dies_with_a_claim(&world, n).await
            }
            _ => {
                let alive = replica.take().expect("one lives");
                dies(&world, alive, point, n).await
            }
        };
        seen.crashes += 1;
        // The lease of what it held runs out.
        world.pass(31);
        let again = world.replica().await;
        let detail = until(&again.commands, id, all_are_made).await;
        judge(&world, &detail, point, &mut seen);
        let close = Input::Close {
            actor: first(),
            via: Via::Api,
            until_resolved: true,
        };
        again.commands.act(id, close).await.expect("it is closed");
        until(&again.commands, id, |detail| {
            detail.incident.status == Status::Closed && all_are_made(detail)
        })
        .await;
        replica = Some(again);
    }
    seen
}

fn all_are_made(detail: &IncidentDetail) -> bool {
    let mut fates = detail.deliveries.iter().map(|delivery| delivery.fate);
    !detail.deliveries.is_empty() && fates.all(|fate| fate == Fate::Accepted)
}

/// A process that stores the event, takes its deliveries, and is gone.
async fn dies_with_a_claim(world: &World, n: usize) -> IncidentId {
    let engine = world.engine().await;
    let event = world.event("acme", n, 1, AlertKind::Firing, Some(Priority::P1));
    let bytes = schemas::alert::encode(&StreamEvent::Alert(Box::new(event.clone())));
    let mut tx = engine.store.begin().await.expect("the store answers");
    let mut effects = Effects::default();
    let now = engine.now();
    let taken = engine.take_event(&mut tx, &event, &bytes, now, &mut effects);
    taken.await.expect("it is applied");
    tx.commit().await.expect("it is stored");
    let wanted = Wanted::all(8);
    let lease_until = now.plus(Span::from_secs(30));
    for channel in [ChannelKind::Sms, ChannelKind::Chat] {
        let claimed = engine.store.claim_ready(channel, &wanted, now, lease_until);
        assert_eq!(claimed.await.expect("the store answers").len(), 1);
    }
    engine.store.close().await;
    event.incident_id
}

/// A replica that dies with a page to a phone at that point.
async fn dies(world: &World, replica: Replica, point: Point, n: usize) -> IncidentId {
    let taken = world.sms.sent().len();
    match point {
        Point::BeforeSend => world.sms.set_open(false),
        Point::AfterTheAnswer => world.sms.script(PHONE, Script::TakeAndHang),
        Point::BeforeRecord => world.sms.set_answering(false),
        Point::Claim | Point::AfterRecord => {}
    }
    let tried = world.sms.tried();
    let id = world.fires("acme", n, Priority::P1).await;
    match point {
        Point::BeforeSend => {
            world.sms.until_tried(tried + 1).await;
            replica.kill();
            world.sms.set_open(true);
        }
        Point::AfterTheAnswer => {
            world.sms.until(|sent| sent.len() > taken).await;
            replica.kill();
        }
        Point::BeforeRecord => {
            world.sms.until(|sent| sent.len() > taken).await;
            dies_before_the_record(world, replica, id).await;
        }
        Point::Claim | Point::AfterRecord => {
            let recorded = |detail: &IncidentDetail| {
                let mut made = detail.deliveries.iter();
                made.any(|one| one.recipient.address == PHONE && one.fate == Fate::Accepted)
            };
            until(&replica.commands, id, recorded).await;
            replica.kill();
        }
    }
    id
}

/// Another holds the incident, so that the answer that arrives cannot be recorded.
async fn dies_before_the_record(world: &World, replica: Replica, id: IncidentId) {
    let store = Store::open(&world.config.database).await.expect("it opens");
    let mut held = store.begin().await.expect("the store answers");
    held.lock(id).await.expect("the store answers");
    let before = replica.accepted();
    world.sms.set_answering(true);
    replica.until_accepted(before + 1.0).await;
    replica.kill();
    drop(held);
    store.close().await;
}

/// Each page is there, at most once more, and then it says so.
fn judge(world: &World, detail: &IncidentDetail, point: Point, seen: &mut Crashes) {
    let mut taken = BTreeMap::<_, Vec<Message>>::new();
    for message in world.sms.sent().into_iter().chain(world.chat.sent()) {
        if message.incident.id == detail.incident.id {
            taken.entry(message.delivery).or_default().push(message);
        }
    }
    for delivery in &detail.deliveries {
        let messages = taken.get(&delivery.id).map_or(&[][..], Vec::as_slice);
        let (to, count) = (&delivery.recipient.address, messages.len());
        seen.missed += usize::from(count == 0);
        seen.repeated += usize::from(to == PHONE && count > 1);
        assert!((1..=2).contains(&count), "{point:?}: {count} times at {to}");
        assert!(
            messages[1..].iter().all(|message| message.possible_repeat),
            "{point:?}: {to} was told again, and nothing says so"
        );
        if to == PHONE {
            assert_eq!(count, point.taken(), "{point:?}: the page to {to}");
        }
    }
}
