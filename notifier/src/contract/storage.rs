//! What the store keeps, finds and refuses.

use super::world::{World, first};
use crate::commands::{CommandError, Filter, Page};
use crate::core::{
    Action, ChannelKind, Directory, Entry, EntryKind, Fate, Incident, Input, Life, Next, Policy,
    Purpose, Seen, Status, Step, Via, step,
};
use crate::io::store::{Loaded, Store, Tx, Wanted, destination};
use model::{AlertEvent, AlertKind, Priority, Span, TenantId, Timestamp};

const PRIORITIES: [Priority; 3] = Priority::ALL;

fn now(world: &World) -> Timestamp {
    Timestamp::from_nanos(world.clock.now_nanos())
}

async fn open(world: &World) -> Store {
    Store::open(&world.config.database)
        .await
        .expect("the store opens")
}

async fn locked(tx: &mut Tx, event: &AlertEvent, now: Timestamp) -> Loaded {
    tx.lock_for(event, now).await.expect("it is locked")
}

/// A directory whose one step is the room.
fn room_only() -> Directory {
    let policy = Policy {
        room: Some("C0".to_owned()),
        rooms: Vec::new(),
        channels: [const { Vec::new() }; 3].map(|_: Vec<ChannelKind>| vec![ChannelKind::Chat]),
        within: [Some(Span::from_secs(900)); 3],
        steps: vec![Step {
            notify: Vec::new(),
            after: None,
            channels: Vec::new(),
        }],
        repeat: 0,
        ends: Default::default(),
    };
    Directory {
        policies: [("default".to_owned(), policy)].into(),
        channels: [ChannelKind::Chat, ChannelKind::Sms].into(),
        ..Directory::default()
    }
}

async fn keep(store: &Store, event: &AlertEvent, now: Timestamp) -> Incident {
    let mut tx = store.begin().await.expect("it begins");
    let mut loaded = locked(&mut tx, event, now).await;
    let directory = room_only();
    let input = Input::Alert {
        event,
        appended_at: now,
        seen: Seen::Never,
    };
    let route = directory.route(&event.tenant);
    let actions = step(&mut loaded.incident, input, route, &Life::default(), now);
    tx.save(&loaded, &actions, now).await.expect("it is kept");
    tx.commit().await.expect("it is durable");
    loaded.incident
}

/// Every column, with and without a value, through a second handle.
pub async fn incidents_are_read_back_as_they_were_kept(world: World) {
    let store = open(&world).await;
    let mut event = world.event("acme", 1, 1, AlertKind::Firing, Some(Priority::P1));
    event.env = Some("prod".to_owned());
    event.runbook = Some("https://runbook.example/it's \"100 %\" \\ 한글".to_owned());
    let mut kept = keep(&store, &event, now(&world)).await;
    let second = open(&world).await;
    let mut tx = second.begin().await.expect("it begins");
    let read = tx
        .lock(kept.id)
        .await
        .expect("it is read")
        .expect("it is there");
    assert_eq!(read.incident, kept);
    assert!(!kept.told.is_empty());

    let mut loaded = read;
    kept.status = Status::Closed;
    kept.acknowledged = Some((first(), now(&world)));
    kept.closed = Some((Some(first()), now(&world)));
    kept.until_resolved = true;
    (kept.value, kept.threshold, kept.title_ko, kept.env) = (None, None, None, None);
    kept.reopens_at = Some(now(&world));
    kept.ack_runs_out_at = kept.reopens_at;
    kept.catches_up_at = kept.reopens_at;
    kept.assigned = Some(first());
    kept.pinned = true;
    kept.hold = Some(crate::core::Hold {
        kind: crate::core::HoldKind::Merged,
        by: Some(kept.id),
        why: "it's the \"same\"".to_owned(),
        since: now(&world),
        until: now(&world),
    });
    kept.grouped_by = Some("template=cpu-usage".to_owned());
    kept.digest_at = kept.reopens_at;
    kept.follow_ups = vec![crate::core::FollowUp {
        at: now(&world),
        contact: "kim".to_owned(),
        channel: ChannelKind::Voice,
        purpose: Purpose::Firing,
        held: true,
    }];
    kept.told.clear();
    kept.escalation.target = Some(crate::core::Target::Everyone);
    loaded.incident = kept.clone();
    let entry = Entry {
        kind: EntryKind::Comment,
        actor: Some((first(), Via::Api)),
        text: "100 % 'quoted'".to_owned(),
    };
    let actions = [Action::Record(entry)];
    tx.save(&loaded, &actions, now(&world))
        .await
        .expect("it is kept");
    tx.commit().await.expect("it is durable");
    let mut tx = store.begin().await.expect("it begins");
    let read = tx
        .lock(kept.id)
        .await
        .expect("it is read")
        .expect("it is there");
    assert_eq!(read.incident, kept);
    drop(tx);
    let detail = store
        .detail(kept.id)
        .await
        .expect("it is read")
        .expect("it is there");
    let last = detail.timeline.last().expect("an entry");
    assert_eq!(
        (last.text.as_str(), last.actor.clone()),
        ("100 % 'quoted'", Some((first(), Via::Api)))
    );
}

/// Filters, text with the signs that patterns use, and pages that neither repeat nor leave out.
pub async fn lists_are_filtered_searched_and_paged(world: World) {
    let store = open(&world).await;
    for n in 0..30 {
        let tenant = if n < 20 { "acme" } else { "globex" };
        let priority = PRIORITIES[n % 3];
        let mut event = world.event(tenant, n, 1, AlertKind::Firing, Some(priority));
        if n == 7 {
            event.title = "100%_FULL".to_owned();
        }
        // Several opened at the same instant.
        let at = Timestamp::from_millis(1_000 * i64::try_from(n / 4).unwrap_or_default());
        keep(&store, &event, at).await;
    }
    let all = Page {
        limit: 500,
        after: None,
    };
    let count = async |filter: Filter| {
        store
            .list(&filter, &all)
            .await
            .expect("it lists")
            .incidents
            .len()
    };
    let tenant = TenantId::parse("acme").ok();
    let text = |text: &str| Some(text.to_owned());
    let any = Filter::default;
    assert_eq!(count(any()).await, 30);
    assert_eq!(
        count(Filter {
            tenant: tenant.clone(),
            ..any()
        })
        .await,
        20
    );
    assert_eq!(
        count(Filter {
            priority: vec![Priority::P1],
            ..any()
        })
        .await,
        10
    );
    assert_eq!(
        count(Filter {
            priority: vec![Priority::P1, Priority::P3],
            ..any()
        })
        .await,
        20
    );
    assert_eq!(
        count(Filter {
            status: vec![Status::Closed],
            ..any()
        })
        .await,
        0
    );
    assert_eq!(
        count(Filter {
            text: text("100%_full"),
            ..any()
        })
        .await,
        1
    );
    assert_eq!(
        count(Filter {
            text: text("%"),
            ..any()
        })
        .await,
        1,
        "no pattern"
    );
    assert_eq!(
        count(Filter {
            text: text("WEB-29"),
            ..any()
        })
        .await,
        1
    );
    assert_eq!(
        count(Filter {
            text: text("사용률"),
            tenant,
            ..any()
        })
        .await,
        20
    );

    // Any part of a word, also of one that a later event brought; no character means something else.
    let mut renamed = world.event("acme", 3, 2, AlertKind::Raised, Some(Priority::P1));
    renamed.title = "say \"hello\" to C:\\temp".to_owned();
    keep(&store, &renamed, Timestamp::from_millis(9_000)).await;
    for (part, found) in [
        ("y \"HELLO\" t", 1),
        ("c:\\te", 1),
        ("o\"", 1),
        ("\\", 1),
        ("hello there", 0),
        ("_full", 1),
    ] {
        let filter = Filter {
            text: text(part),
            ..any()
        };
        assert_eq!(count(filter).await, found, "{part}");
    }

    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = Page { limit: 7, after };
        let listing = store.list(&any(), &page).await.expect("it lists");
        seen.extend(listing.incidents.iter().map(|one| (one.opened_at, one.id)));
        after = listing.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 30);
    assert!(
        seen.is_sorted_by(|one, next| one > next),
        "newest first, none twice"
    );
    for cursor in ["", "x", "1.2", "9999999999999999999.aa"] {
        let page = Page {
            limit: 7,
            after: Some(cursor.to_owned()),
        };
        let refused = store.list(&any(), &page).await;
        assert!(
            matches!(refused, Err(CommandError::BadCursor(_))),
            "{cursor}"
        );
    }
}

/// Who was thought dead may not overwrite what his successor recorded.
pub async fn an_outdated_lease_records_nothing(world: World) {
    let store = open(&world).await;
    let event = world.event("acme", 1, 1, AlertKind::Firing, Some(Priority::P1));
    let begun = now(&world);
    let incident = keep(&store, &event, begun).await;
    let wanted = Wanted {
        first_provider: "p".to_owned(),
        ..Wanted::all(10)
    };
    let until = begun.plus(Span::from_secs(30));
    let chat = ChannelKind::Chat;
    let busy = Wanted {
        not_to: vec!["X".to_owned(), destination("p", "acme", "C0")],
        ..wanted.clone()
    };
    let none = store
        .claim_ready(chat, &busy, begun, until)
        .await
        .expect("it claims");
    assert!(none.is_empty(), "that destination has enough in flight");
    let paced = Wanted {
        paced_p1: vec![destination("p", "acme", "C0")],
        outrun: begun.minus(Span::from_secs(5)),
        ..wanted.clone()
    };
    let none = store
        .claim_ready(chat, &paced, begun, until)
        .await
        .expect("it claims");
    assert!(none.is_empty(), "that destination had enough pages of P1");
    let old = store
        .claim_ready(chat, &wanted, begun, until)
        .await
        .expect("it claims");
    assert_eq!(old.len(), 1);
    let again = store
        .claim_ready(chat, &wanted, begun, until)
        .await
        .expect("it claims");
    assert!(again.is_empty(), "it is taken");
    let early = store
        .claim_expired(chat, 10, begun, until)
        .await
        .expect("it claims");
    assert!(early.is_empty(), "its lease holds");
    let later = until.plus(Span::from_secs(30));
    let new = store
        .claim_expired(chat, 10, until, later)
        .await
        .expect("it claims");
    assert_eq!(
        (new.len(), new[0].attempt.unknowns, new[0].attempt.asks),
        (1, 1, 1)
    );

    let settle = async |claimed, fate| {
        let next = Next::Settle {
            fate,
            reference: None,
            reason: None,
        };
        let mut tx = store.begin().await.expect("it begins");
        tx.lock(incident.id).await.expect("it is locked");
        let settled = tx.settle(claimed, &next, until).await.expect("it settles");
        tx.commit().await.expect("it is durable");
        settled
    };
    assert!(!settle(&old[0], Fate::Failed).await, "outdated");
    assert!(settle(&new[0], Fate::Accepted).await);
    assert!(!settle(&new[0], Fate::Failed).await, "it has its fate");
    let detail = store
        .detail(incident.id)
        .await
        .expect("it is read")
        .expect("it is there");
    assert_eq!(detail.deliveries[0].fate, Fate::Accepted);
}
