//! The audit log, tokens and sessions in the store.

use super::world::{World, first, until_recorded};
use crate::core::audit_log::{Linked, Walk};
use crate::core::{Grant, Proof, Tenants, Via, Who};
use crate::io::store::{ApiToken, Note, Session, SignIn, Store};
use futures_util::future::join_all;
use model::{Priority, Role, Span, TenantId, Timestamp};

async fn all(store: &Store, tenants: &Tenants) -> Vec<Linked> {
    while store.link_audit().await.expect("it is linked") > 0 {}
    let read = store.audit_log(0, 10_000, tenants).await;
    read.expect("it is read")
}

/// Two replicas write and link at once: every entry stands in one whole chain, pages and what people did among them.
pub async fn the_audit_log_is_one_chain_however_many_write_and_link_it(world: World) {
    let (one, two) = (world.replica().await, world.replica().await);
    let id = world.fires("acme", 1, Priority::P2).await;
    // A page to a room, and one to a phone.
    world.chat.until(|sent| sent.len() == 1).await;
    world.sms.until(|sent| sent.len() == 1).await;
    until_recorded(&one.commands).await;
    let acted = one.commands.acknowledge(id, first(), Via::Api).await;
    acted.expect("it is acknowledged");
    let stores = [&one, &two].map(|replica| replica.commands.engine().store.clone());
    let at = Timestamp::from_nanos(world.clock.now_nanos());
    let writes = (0..60).map(|n: usize| {
        let store = &stores[n % 2];
        async move {
            let note = Note {
                kind: "noted",
                actor: "kim",
                via: "test",
                tenant: None,
                subject: &n.to_string(),
                detail: "it's \"quoted\" 100 % 한글",
            };
            store.audit(&note, at).await.expect("it is written");
            store.link_audit().await.expect("it is linked");
        }
    });
    join_all(writes).await;
    let log = all(&stores[0], &Tenants::All).await;
    let mut walk = Walk::new(None);
    for entry in &log {
        walk.take(entry).expect("the chain is whole");
    }
    let kinds = |kind: &str| {
        log.iter()
            .filter(|entry| entry.happened.kind == kind)
            .count()
    };
    assert_eq!(kinds("noted"), 60);
    assert_eq!(
        (kinds("acknowledged"), kinds("page attempt")),
        (1, 2),
        "{log:#?}"
    );
    let page = log
        .iter()
        .find(|entry| entry.happened.kind == "page attempt");
    let page = &page.expect("a page").happened;
    assert_eq!(page.tenant.as_deref(), Some("acme"));
    assert_eq!(page.subject, id.to_string());
    let globex = TenantId::parse("globex").expect("a name");
    let other = Tenants::These([globex].into());
    assert!(all(&stores[1], &other).await.is_empty());
    assert!(all(&stores[1], &Tenants::NONE).await.is_empty());
    drop((one, two));
}

/// Tokens, sessions and sign-ins are read back as they were kept, and end.
pub async fn tokens_sessions_and_sign_ins_are_kept_and_end(world: World) {
    let replica = world.replica().await;
    let store = &replica.commands.engine().store;
    let now = Timestamp::from_nanos(world.clock.now_nanos());
    let later = now.plus(Span::from_secs(60));
    let admin = Who::admin("lee", Proof::Machine);
    let token = ApiToken {
        id: "ab".repeat(16),
        name: "ci".to_owned(),
        grant: Grant {
            role: Role::Viewer,
            tenants: Tenants::parse(["acme", "globex"]).expect("names"),
        },
        created_by: "lee".to_owned(),
        created_at: now,
        ends_at: Some(later),
        revoked_at: None,
    };
    let mut tx = store.begin().await.expect("a transaction");
    let kept = tx.put_token(&token, "secret-of-ci", &admin).await;
    kept.expect("it is kept");
    tx.commit().await.expect("it is durable");
    let read = store.token("secret-of-ci", now).await.expect("it is read");
    assert_eq!(read.as_ref(), Some(&token));
    assert_eq!(
        store.token("secret-of-ci", later).await.expect("read"),
        None
    );
    assert_eq!(store.token("secret", now).await.expect("read"), None);
    let session = Session {
        who: token.who(),
        credential: String::new(),
    };
    for secret in ["one", "two"] {
        let begun = store.begin_session(secret, &session, (now, later)).await;
        begun.expect("it begins");
    }
    let read = store.session("one", now).await.expect("read");
    assert_eq!(read.as_ref(), Some(&session));
    assert_eq!(store.session("one", later).await.expect("read"), None);
    let ended = store.end_session("one", &session.who, now).await;
    ended.expect("it ends");
    assert_eq!(store.session("one", now).await.expect("read"), None);
    let mut tx = store.begin().await.expect("a transaction");
    tx.end_token(&token, &admin, now).await.expect("revoked");
    tx.commit().await.expect("it is durable");
    assert_eq!(store.token("secret-of-ci", now).await.expect("read"), None);
    let gone = store.session("two", now).await.expect("read");
    assert_eq!(gone, None, "a session ends with its token");
    let sign_in = SignIn {
        state: "state".to_owned(),
        nonce: "nonce".to_owned(),
        verifier: "verifier".to_owned(),
        next: "/".to_owned(),
    };
    let begun = store.begin_sign_in("browser", &sign_in, (now, later)).await;
    begun.expect("it begins");
    let taken = store.take_sign_in("browser", now).await.expect("read");
    assert_eq!(taken, Some(sign_in));
    let again = store.take_sign_in("browser", now).await.expect("read");
    assert_eq!(again, None, "it is finished once");
}
