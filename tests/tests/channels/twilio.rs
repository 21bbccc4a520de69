//! Text messages and calls by Twilio.

use notifier::Config;
use notifier::core::{Asked, ChannelKind, Outcome, ProviderRef, Purpose};
use tests::fake::Fault;
use tests::twilio::{self, Twilio};
use tests::workdir::Workdir;

use super::incident::{hostile, incident, kim, lee, message, page};
use super::{channel, secret, send, word};

const PHONE: &str = "+821012345678";

fn config(twilio: &Twilio, folder: &Workdir) -> Config {
    Config {
        twilio: Some(notifier::config::Twilio {
            account_sid: twilio::ACCOUNT.to_owned(),
            auth_token_file: secret(folder, "token", twilio::TOKEN),
            alternate_token_file: None,
            sms_from: Some(twilio::NUMBER.to_owned()),
            voice_from: Some(twilio::NUMBER.to_owned()),
            api_url: twilio.url(),
        }),
        ..Config::default()
    }
}

#[tokio::test]
async fn a_text_message_is_taken_and_its_state_is_asked_for() {
    let (twilio, folder) = (Twilio::start().await, Workdir::new("twilio"));
    let sms = channel(&config(&twilio, &folder), ChannelKind::Sms);
    let outcome = sms.send(&page(kim(PHONE))).await;
    let taken = twilio.taken().remove(0);
    let reference = ProviderRef(taken.sid.clone());
    assert_eq!(
        outcome,
        Outcome::Accepted {
            reference: reference.clone()
        }
    );
    assert!(
        taken.content.starts_with("[P1 발생] CPU"),
        "{}",
        taken.content
    );
    let callback = "https://bongsu.example.com/twilio/sms/x7Kd93mQ";
    assert_eq!(taken.callback.as_deref(), Some(callback));
    for (status, expected) in [
        ("queued", "Accepted"),
        ("sent", "Accepted"),
        ("delivered", "Delivered"),
        (
            "undelivered",
            "Refused { reason: \"undelivered, error 30003\" }",
        ),
    ] {
        twilio.set(&taken.sid, status);
        let asked = format!("{:?}", sms.receipt(&reference).await);
        assert!(asked.starts_with(expected), "{status}: {asked}");
    }
    let foreign = ProviderRef("../../x".to_owned());
    assert!(matches!(
        sms.receipt(&foreign).await,
        Asked::CannotTell { .. }
    ));
}

#[tokio::test]
async fn a_call_speaks_the_readers_language_and_takes_a_digit() {
    let (twilio, folder) = (Twilio::start().await, Workdir::new("twilio"));
    let config = config(&twilio, &folder);
    for message in [
        page(kim(PHONE)),
        page(lee(PHONE)),
        message(incident(), Purpose::Resolved, lee(PHONE)),
        hostile(lee(PHONE)),
    ] {
        let outcome = send(&config, ChannelKind::Voice, &message).await;
        assert_eq!(word(&outcome), "accepted", "{outcome:?}");
    }
    let said: Vec<_> = twilio.taken().into_iter().map(|one| one.content).collect();
    insta::assert_snapshot!("calls", said[..3].join("\n\n"));
    assert!(!said[3].contains("<Dial>"), "{}", said[3]);
}

#[tokio::test]
async fn every_failure_is_told_apart() {
    let folder = Workdir::new("twilio");
    for (fault, expected) in [
        (Fault::too_many_requests(7), "retry"),
        (Fault::status(503), "retry"),
        (Fault::status(500), "unknown"),
        (Fault::status(502), "unknown"),
        (Fault::Reset, "unknown"),
        (Fault::ResetAfterAccepting, "unknown"),
    ] {
        for kind in [ChannelKind::Sms, ChannelKind::Voice] {
            let twilio = Twilio::start().await;
            twilio.faults().next(1, fault.clone());
            let outcome = send(&config(&twilio, &folder), kind, &page(kim(PHONE))).await;
            assert_eq!(word(&outcome), expected, "{fault:?}: {outcome:?}");
            assert!(!format!("{outcome:?}").contains(twilio::TOKEN));
        }
    }
    let twilio = Twilio::start().await;
    let outcome = send(
        &config(&twilio, &folder),
        ChannelKind::Sms,
        &page(kim("010")),
    )
    .await;
    let text = format!("{outcome:?}");
    assert!(
        text.contains("21211") && word(&outcome) == "refused",
        "{text}"
    );
}

#[tokio::test]
async fn a_token_may_be_rotated_without_a_page_lost() {
    let (twilio, folder) = (Twilio::start().await, Workdir::new("twilio"));
    let mut config = config(&twilio, &folder);
    twilio.rotate("the-new-token-of-the-account");
    let outcome = send(&config, ChannelKind::Sms, &page(kim(PHONE))).await;
    assert_eq!(word(&outcome), "refused", "{outcome:?}");
    let new = secret(&folder, "new", "the-new-token-of-the-account");
    if let Some(twilio) = &mut config.twilio {
        twilio.alternate_token_file = Some(new);
    }
    let outcome = send(&config, ChannelKind::Sms, &page(kim(PHONE))).await;
    assert_eq!(word(&outcome), "accepted", "{outcome:?}");
    assert_eq!(twilio.taken().len(), 1);
}
