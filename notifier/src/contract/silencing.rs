//! Silences in the store, and what waits for their end.

use super::recorder::lines;
use super::world::{World, first, kinds, until, until_recorded};
use crate::core::{Matcher, SilenceKind, SilenceSpec, SilenceState, Status, Via, Weekly};
use crate::silences::{Hand, SilenceError};
use model::{Priority, Span, TenantId, Timestamp};

const HAND: Hand<'_> = Hand {
    name: "kim",
    via: "test",
    tenant: None,
};

fn tenant(name: &str) -> TenantId {
    TenantId::parse(name).expect("a name")
}

fn spec(world: &World, of: Option<&str>, matchers: &[&str], minutes: i64) -> SilenceSpec {
    let starts_at = Timestamp::from_nanos(world.clock.now_nanos());
    let matchers = matchers.iter().map(|text| Matcher::parse(text));
    SilenceSpec {
        tenant: of.map(tenant),
        kind: SilenceKind::Silence,
        matchers: matchers.collect::<Result<_, _>>().expect("matchers"),
        author: "first0".to_owned(),
        comment: "it's \"planned\" 100 %".to_owned(),
        starts_at,
        ends_at: starts_at.plus(Span::from_secs(minutes * 60)),
        weekly: None,
    }
}

/// A silence holds the page back on every replica, says so, and its end pages.
pub async fn a_silence_holds_pages_back_and_its_end_pages(world: World) {
    let replica = world.replica().await;
    let commands = &replica.commands;
    let silence = spec(&world, Some("acme"), &["host=~web-.*"], 30);
    let silence = commands
        .put_silence(None, silence, HAND)
        .await
        .expect("made");
    let id = world.fires("acme", 1, Priority::P1).await;
    world.fires("globex", 1, Priority::P2).await;
    let sms = world.sms.until(|sent| sent.len() == 1).await;
    assert_eq!(
        lines(&sms),
        ["firing phone-first1"],
        "globex is not silenced"
    );
    let detail = until(commands, id, |detail| kinds(detail).contains(&"silenced")).await;
    assert!(detail.deliveries.is_empty());
    let reason = &detail.timeline.last().expect("an entry").text;
    assert!(
        reason.contains(&silence.id) && reason.contains("it's \"planned\""),
        "{reason}"
    );

    let covered = commands.covered(&silence.spec).await.expect("read");
    assert_eq!(covered.iter().map(|one| one.id).collect::<Vec<_>>(), [id]);
    until_recorded(commands).await;
    world.pass(1_800);
    let sms = world.sms.until(|sent| sent.len() == 2).await;
    assert_eq!(lines(&sms[1..]), ["firing phone-first0"]);
    world.recovers("acme", 1, 2).await;
    let sms = world.sms.until(|sent| sent.len() == 3).await;
    assert_eq!(lines(&sms[2..]), ["resolved phone-first0"]);
}

/// Ended by hand, what it held back pages at once; what another silence still holds does not.
pub async fn ending_a_silence_pages_what_it_held_back(world: World) {
    let replica = world.replica().await;
    let commands = &replica.commands;
    let all = spec(&world, None, &["template=cpu-usage"], 600);
    let one = spec(&world, Some("acme"), &["host=web-2"], 60);
    let all = commands.put_silence(None, all, HAND).await.expect("made");
    commands.put_silence(None, one, HAND).await.expect("made");
    let paged = world.fires("acme", 1, Priority::P1).await;
    let quiet = world.fires("acme", 2, Priority::P1).await;
    for id in [paged, quiet] {
        until(commands, id, |detail| kinds(detail).contains(&"silenced")).await;
    }
    let by_globex = commands
        .expire_silence(
            &all.id,
            Hand {
                tenant: Some(&tenant("globex")),
                ..HAND
            },
        )
        .await;
    assert!(
        matches!(by_globex, Err(SilenceError::NoSilence(_))),
        "it is not theirs"
    );
    let ended = commands.expire_silence(&all.id, HAND).await.expect("ended");
    assert_eq!(ended.spec.state(commands.now()), SilenceState::Expired);
    let sms = world.sms.until(|sent| !sent.is_empty()).await;
    assert_eq!(sms[0].incident.id, paged);
    let twice = |detail: &crate::commands::IncidentDetail| {
        kinds(detail)
            .iter()
            .filter(|kind| **kind == "silenced")
            .count()
            == 2
    };
    let detail = until(commands, quiet, twice).await;
    assert!(detail.deliveries.is_empty());
    commands
        .acknowledge(quiet, first(), Via::Api)
        .await
        .expect("acknowledged");
    let detail = commands.get(quiet).await.expect("read");
    assert_eq!(detail.incident.status, Status::Acknowledged);
}

/// Every column is read back, and a change that would tell another history makes another silence.
pub async fn silences_are_read_back_and_changed_as_alertmanager_does(world: World) {
    let replica = world.replica().await;
    let commands = &replica.commands;
    let matchers = ["host=\"a \\\"b\\\"\"", "env!=prod", "x=~\"a|b\"", "y!~c"];
    let mut first = spec(&world, Some("acme"), &matchers, 60);
    first.kind = SilenceKind::Maintenance;
    first.weekly = Some(Weekly::parse("sat,sun 22:00-02:00", "Asia/Seoul").expect("hours"));
    let made = commands
        .put_silence(None, first.clone(), HAND)
        .await
        .expect("made");
    assert_eq!(made.spec, first);
    let read = commands
        .silences(Some(&tenant("acme")))
        .await
        .expect("read");
    assert_eq!(read, std::slice::from_ref(&made));
    assert!(
        commands
            .silences(Some(&tenant("globex")))
            .await
            .expect("read")
            .is_empty()
    );

    let mut longer = made.spec.clone();
    longer.ends_at = longer.ends_at.plus(Span::from_secs(60));
    let changed = commands
        .put_silence(Some(&made.id), longer.clone(), HAND)
        .await
        .expect("changed");
    assert_eq!((&changed.id, &changed.spec), (&made.id, &longer));
    world.pass(60);
    let mut other = longer.clone();
    other.matchers.pop();
    let other = commands
        .put_silence(Some(&made.id), other, HAND)
        .await
        .expect("another");
    assert_ne!(other.id, made.id);
    assert_eq!(
        other.spec.starts_at,
        commands.now(),
        "the past stays as it was"
    );
    let read = commands.silences(None).await.expect("read");
    let old = read.iter().find(|one| one.id == made.id).expect("kept");
    assert_eq!(old.spec.state(commands.now()), SilenceState::Expired);
    let unknown = commands.put_silence(Some("none"), longer, HAND).await;
    assert!(matches!(unknown, Err(SilenceError::NoSilence(_))));
}
