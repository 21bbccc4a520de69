//! Telegram: messages that are edited, groups, failures, and presses of buttons.

use std::collections::BTreeMap;

use notifier::Config;
use notifier::config;
use notifier::core::{Actor, Language};
use notifier::core::{ChannelKind, Message, Outcome, ProviderRef, Purpose, Recipient, Status};
use tests::fake::Fault;
use tests::telegram::{self, Telegram};
use tests::workdir::Workdir;

use super::incident::{hostile, incident, kim, lee, message, page};
use super::{channel, secret, send, word};

fn config(telegram: &Telegram, folder: &Workdir) -> Config {
    Config {
        telegram: Some(config::Telegram {
            bot_token_file: secret(folder, "bot", telegram::TOKEN),
            webhook_secret_file: Some(secret(folder, "webhook", telegram::SECRET)),
            rooms: BTreeMap::from([
                ("ops".to_owned(), telegram::GROUP.to_string()),
                ("news".to_owned(), "@bongsu_alerts".to_owned()),
            ]),
            api_url: telegram.url(),
        }),
        ..Config::default()
    }
}

fn room(name: &str) -> Recipient {
    Recipient {
        contact: None,
        name: name.to_owned(),
        language: Language::En,
        address: name.to_owned(),
    }
}

fn acknowledged(to: Recipient, thread: &ProviderRef) -> Message {
    let mut incident = incident();
    incident.status = Status::Acknowledged;
    let by = Actor {
        name: "Lee Jiwon".to_owned(),
        contact: Some("lee".to_owned()),
    };
    incident.acknowledged = Some((by, incident.started_at));
    let mut message = message(incident, Purpose::Acknowledged, to);
    message.thread = Some(thread.clone());
    message
}

fn reference(outcome: Outcome) -> ProviderRef {
    match outcome {
        Outcome::Delivered { reference } => reference,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_person_gets_one_message_that_is_edited_when_somebody_has_it() {
    let (telegram, folder) = (Telegram::start().await, Workdir::new("telegram"));
    let chat = channel(&config(&telegram, &folder), ChannelKind::Telegram);
    let to = || kim(&telegram::PERSON.to_string());
    let first = reference(chat.send(&page(to())).await);
    let sent = telegram.messages().remove(0);
    insta::assert_snapshot!("telegram", sent.text);
    insta::assert_json_snapshot!("telegram-buttons", sent.buttons);

    // Somebody took it: it stands there, and nobody is woken for it.
    let again = reference(chat.send(&acknowledged(to(), &first)).await);
    assert_eq!(again, first);
    let shown = telegram.messages();
    assert_eq!((shown.len(), shown[0].edits), (1, 1), "{shown:?}");
    assert!(shown[0].text.contains("Lee Jiwon 님"), "{}", shown[0].text);
    assert!(
        !shown[0].buttons.to_string().contains("ack:"),
        "{}",
        shown[0].buttons
    );
    // Once more changes nothing, and is no failure.
    reference(chat.send(&acknowledged(to(), &first)).await);

    // The end is told, below it.
    let mut over = incident();
    (over.status, over.firing) = (Status::Closed, false);
    let mut end = message(over, Purpose::Resolved, to());
    end.thread = Some(first.clone());
    reference(chat.send(&end).await);
    let shown = telegram.messages();
    assert_eq!(shown[1].answers, Some(shown[0].id));
    assert!(shown[1].text.contains("복구"), "{}", shown[1].text);
}

#[tokio::test]
async fn a_room_is_told_in_an_answer_and_anew_when_its_message_is_gone() {
    let (telegram, folder) = (Telegram::start().await, Workdir::new("telegram"));
    let chat = channel(&config(&telegram, &folder), ChannelKind::Telegram);
    let first = reference(chat.send(&page(room("ops"))).await);
    reference(chat.send(&acknowledged(room("ops"), &first)).await);
    let shown = telegram.messages();
    assert_eq!(shown[1].answers, Some(shown[0].id));
    telegram.delete(shown[0].id);
    reference(chat.send(&acknowledged(room("ops"), &first)).await);
    let shown = telegram.messages();
    assert_eq!((shown.len(), shown[1].answers), (2, None), "{shown:?}");
    // A channel by its name is known by its number.
    let named = reference(chat.send(&page(room("news"))).await);
    assert!(
        named.0.starts_with(&format!("{}:", telegram::GROUP)),
        "{named:?}"
    );
    let unknown = send(
        &config(&telegram, &folder),
        ChannelKind::Telegram,
        &page(room("x")),
    )
    .await;
    assert_eq!(word(&unknown), "refused", "{unknown:?}");
}

#[tokio::test]
async fn nothing_that_a_tag_says_is_markup_and_every_text_fits() {
    let (telegram, folder) = (Telegram::start().await, Workdir::new("telegram"));
    let chat = channel(&config(&telegram, &folder), ChannelKind::Telegram);
    let mut long = page(lee(&telegram::PERSON.to_string()));
    long.incident.why = "🔥 뷁 ".repeat(3_000);
    long.incident.group = (0..60)
        .map(|n| (format!("tag{n}"), "🔥".repeat(100)))
        .collect();
    long.note = Some("x".repeat(20_000));
    for message in [hostile(lee(&telegram::PERSON.to_string())), long] {
        let first = reference(chat.send(&message).await);
        let mut second = message.clone();
        (second.thread, second.purpose) = (Some(first), Purpose::Escalated);
        reference(chat.send(&second).await);
    }
}

#[tokio::test]
async fn every_failure_is_told_apart_and_none_tells_the_token() {
    let (telegram, folder) = (Telegram::start().await, Workdir::new("telegram"));
    let config = config(&telegram, &folder);
    let page = page(kim(&telegram::PERSON.to_string()));
    for (fault, expected) in [
        (Fault::status(503), "retry"),
        (Fault::status(401), "refused"),
        (Fault::status(500), "unknown"),
        (Fault::Reset, "unknown"),
        (Fault::ResetAfterAccepting, "unknown"),
    ] {
        telegram.faults().next(1, fault.clone());
        let outcome = send(&config, ChannelKind::Telegram, &page).await;
        assert_eq!(word(&outcome), expected, "{fault:?}: {outcome:?}");
        assert!(
            !format!("{outcome:?}").contains(telegram::TOKEN),
            "{outcome:?}"
        );
    }
    // The wait stands in the body, and not in a header.
    telegram.slow_down(Some(35));
    let outcome = send(&config, ChannelKind::Telegram, &page).await;
    let Outcome::Retry {
        after: Some(after), ..
    } = outcome
    else {
        panic!("{outcome:?}");
    };
    assert_eq!(after, model::Span::from_secs(35));
    telegram.slow_down(None);
    let blocked = super::incident::page(kim(&telegram::BLOCKED.to_string()));
    let outcome = send(&config, ChannelKind::Telegram, &blocked).await;
    assert!(
        format!("{outcome:?}").contains("bot was blocked by the user"),
        "{outcome:?}"
    );
    assert_eq!(word(&outcome), "refused");
}
