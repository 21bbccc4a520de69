//! Providers that fail, records that cannot be read, and a process that dies at the worst moment.

use super::recorder::{Script, lines};
use super::world::{World, kinds, until, until_recorded};
use crate::core::{Asked, Fate, Outcome, ProviderRef};
use model::{Priority, Span};

/// After the provider took the message and before its fate was recorded: each answer of the
/// provider to the question whether it has it, and what follows.
pub async fn killed_between_send_and_record(world: World) {
    let reference = || ProviderRef("theirs".to_owned());
    let table = [
        (
            Asked::CannotTell {
                reason: "no".to_owned(),
            },
            true,
            Fate::Accepted,
        ),
        (
            Asked::Accepted {
                reference: reference(),
            },
            false,
            Fate::Accepted,
        ),
        (
            Asked::Delivered {
                reference: reference(),
            },
            false,
            Fate::Delivered,
        ),
    ];
    for (n, (asked, again, fate)) in table.into_iter().enumerate() {
        world.sms.answers(asked.clone());
        world.sms.script("phone-first0", Script::TakeAndHang);
        let before = world.sms.sent().len();
        let replica = world.replica().await;
        let id = world.fires("acme", n, Priority::P1).await;
        world.sms.until(|sent| sent.len() == before + 1).await;
        replica.kill();
        world.pass(31);
        let replica = world.replica().await;
        let detail = until(&replica.commands, id, |detail| {
            let mut sms = detail.deliveries.iter();
            sms.any(|delivery| {
                delivery.recipient.address == "phone-first0" && delivery.fate == fate
            })
        })
        .await;
        let sent = lines(&world.sms.sent()[before..]);
        if again {
            let expected = [
                "firing phone-first0",
                "firing phone-first0 (possible repeat)",
            ];
            assert_eq!(sent, expected, "{asked:?}");
            assert!(kinds(&detail).contains(&"repeated"), "{asked:?}");
        } else {
            assert_eq!(sent, ["firing phone-first0"], "{asked:?}");
        }
        drop(replica);
    }
    a_p3_is_not_sent_twice(&world).await;
}

async fn a_p3_is_not_sent_twice(world: &World) {
    let unknown = Asked::CannotTell {
        reason: "no".to_owned(),
    };
    world.chat.answers(unknown);
    world.chat.script("C1", Script::TakeAndHang);
    let replica = world.replica().await;
    let id = world.fires("globex", 9, Priority::P3).await;
    let to_room = |sent: &[crate::core::Message]| {
        sent.iter()
            .filter(|message| message.recipient.address == "C1")
            .count()
    };
    world.chat.until(|sent| to_room(sent) == 1).await;
    replica.kill();
    world.pass(31);
    let replica = world.replica().await;
    let detail = until(&replica.commands, id, |detail| {
        detail
            .deliveries
            .iter()
            .all(|delivery| delivery.fate == Fate::Unknown)
    })
    .await;
    assert!(kinds(&detail).contains(&"unknown"));
    assert_eq!(to_room(&world.chat.sent()), 1);
    drop(replica);
}

/// A bad number is no reason to wait a quarter of an hour.
pub async fn a_refused_page_advances_the_escalation_at_once(world: World) {
    let reason = "no such number".to_owned();
    world
        .sms
        .script("phone-first0", Script::Answer(Outcome::Refused { reason }));
    let replica = world.replica().await;
    let id = world.fires("acme", 1, Priority::P1).await;
    let sms = world.sms.until(|sent| sent.len() == 1).await;
    assert_eq!(lines(&sms), ["escalated phone-second0"]);
    let detail = until(&replica.commands, id, |detail| {
        kinds(detail).contains(&"undelivered")
    })
    .await;
    let failed = detail
        .deliveries
        .iter()
        .find(|delivery| delivery.fate == Fate::Failed);
    assert_eq!(
        failed.and_then(|delivery| delivery.reason.as_deref()),
        Some("no such number")
    );
    world.recovers("acme", 1, 2).await;
    let sms = world.sms.until(|sent| sent.len() == 2).await;
    assert_eq!(lines(&sms[1..]), ["resolved phone-second0"]);
}

/// Accepted, and later reported as not delivered: as bad as refused.
pub async fn an_undelivered_receipt_advances_the_escalation_at_once(world: World) {
    let reason = "the phone is switched off".to_owned();
    world.sms.receipts(Asked::Refused { reason });
    let replica = world.replica().await;
    let id = world.fires("acme", 1, Priority::P1).await;
    world.sms.until(|sent| sent.len() == 1).await;
    world.chat.until(|sent| sent.len() == 1).await;
    until_recorded(&replica.commands).await;
    world.pass(3);
    let sms = world.sms.until(|sent| sent.len() == 2).await;
    assert_eq!(
        lines(&sms),
        ["firing phone-first0", "escalated phone-second0"]
    );
    let detail = until(&replica.commands, id, |detail| {
        kinds(detail).contains(&"undelivered")
    });
    let failed = detail
        .await
        .deliveries
        .into_iter()
        .find(|one| one.fate == Fate::Failed);
    assert_eq!(
        failed.and_then(|one| one.reason).as_deref(),
        Some("the phone is switched off")
    );
}

/// Accepted, and then silence: within three minutes the next is told, once.
pub async fn accepted_without_a_receipt_the_next_is_told(world: World) {
    let reference = ProviderRef("theirs".to_owned());
    world.sms.receipts(Asked::Accepted { reference });
    let replica = world.replica().await;
    let id = world.fires("acme", 1, Priority::P1).await;
    world.sms.until(|sent| sent.len() == 1).await;
    world.chat.until(|sent| sent.len() == 1).await;
    until_recorded(&replica.commands).await;
    world.pass(100);
    // The loops have been round: another incident is told meanwhile.
    world.fires("globex", 2, Priority::P1).await;
    let sms = world.sms.until(|sent| sent.len() == 2).await;
    assert_eq!(lines(&sms[1..]), ["firing phone-first1"]);
    until_recorded(&replica.commands).await;
    world.pass(80);
    let sms = world.sms.until(|sent| sent.len() == 3).await;
    assert_eq!(lines(&sms[2..]), ["escalated phone-second0"]);
    let detail = until(&replica.commands, id, |detail| {
        kinds(detail).contains(&"undelivered")
    })
    .await;
    let mut missing = detail.timeline.iter();
    assert!(missing.any(|entry| entry.text.contains("no receipt")));
    // Who may have heard of it hears of the end.
    world.recovers("acme", 1, 2).await;
    let told = |sent: &[crate::core::Message]| {
        let ends = lines(sent).into_iter();
        ends.filter(|line| line.starts_with("resolved")).count()
    };
    let sms = world.sms.until(|sent| told(sent) == 2).await;
    let ends = lines(&sms);
    assert!(
        ends.contains(&"resolved phone-first0".to_owned()),
        "{ends:?}"
    );
}

/// 429 with a time: not before, and no mark, for it was certainly not taken.
pub async fn what_the_provider_puts_off_is_sent_later(world: World) {
    let put_off = Outcome::Retry {
        after: Some(Span::from_secs(7)),
        reason: "too many".to_owned(),
    };
    world.sms.script("phone-first0", Script::Answer(put_off));
    let replica = world.replica().await;
    let id = world.fires("acme", 1, Priority::P1).await;
    until(&replica.commands, id, |detail| {
        let mut deliveries = detail.deliveries.iter();
        deliveries.any(|delivery| delivery.attempts == 1 && delivery.fate == Fate::Queued)
    })
    .await;
    world.pass(6);
    // Another incident is told meanwhile: the loop has been round.
    world.fires("globex", 2, Priority::P1).await;
    let sms = world.sms.until(|sent| sent.len() == 1).await;
    assert_eq!(lines(&sms), ["firing phone-first1"]);
    world.pass(1);
    let sms = world.sms.until(|sent| sent.len() == 2).await;
    assert_eq!(lines(&sms[1..]), ["firing phone-first0"]);
}

/// 429 with a time that outruns a P1, and no other provider: the next is told at once, and the message goes out when it may.
pub async fn what_is_put_off_for_too_long_advances_the_escalation_at_once(world: World) {
    let put_off = Outcome::Retry {
        after: Some(Span::from_secs(600)),
        reason: "too many".to_owned(),
    };
    world.sms.script("phone-first0", Script::Answer(put_off));
    let replica = world.replica().await;
    let id = world.fires("acme", 1, Priority::P1).await;
    let sms = world.sms.until(|sent| sent.len() == 1).await;
    assert_eq!(lines(&sms), ["escalated phone-second0"]);
    let detail = until(&replica.commands, id, |detail| {
        kinds(detail).contains(&"undelivered")
    })
    .await;
    let mut entries = detail.timeline.iter();
    assert!(entries.any(|entry| entry.text.contains("too late for a P1")));
    world.pass(600);
    let late = |sent: &[crate::core::Message]| {
        let all = lines(sent);
        all.contains(&"firing phone-first0".to_owned())
    };
    world.sms.until(late).await;
    // Who heard late hears of the end.
    world.recovers("acme", 1, 2).await;
    let ends = |sent: &[crate::core::Message]| {
        let all = lines(sent);
        all.contains(&"resolved phone-first0".to_owned())
    };
    world.sms.until(ends).await;
}

/// What is behind it is read all the same.
pub async fn an_unreadable_record_is_passed_over(world: World) {
    let replica = world.replica().await;
    world.append("acme", b"not an event".to_vec()).await;
    let id = world.fires("acme", 1, Priority::P1).await;
    world.sms.until(|sent| sent.len() == 1).await;
    assert!(replica.commands.get(id).await.is_ok());
}
