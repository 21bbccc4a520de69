//! Text messages and Alimtalk of Korea's providers.

use notifier::Config;
use notifier::config::{self, AlimtalkTemplates, Lms};
use notifier::core::{ChannelKind, Message, Outcome};
use tests::aligo::{self, Aligo};
use tests::fake::Fault;
use tests::nhn::{self, Nhn};
use tests::workdir::Workdir;

use super::incident::{hostile, kim, lee, page};
use super::{channel, secret, send, word};

const PHONE: &str = "+821012345678";

fn nhn_config(nhn: &Nhn, folder: &Workdir, lms: Lms) -> Config {
    let secret_key_file = secret(folder, "nhn", nhn::SECRET_KEY);
    Config {
        nhn_sms: Some(config::NhnSms {
            app_key: nhn::APP_KEY.to_owned(),
            secret_key_file: secret_key_file.clone(),
            from: nhn::SENDER.to_owned(),
            lms,
            api_url: nhn.url(),
        }),
        nhn_alimtalk: Some(config::NhnAlimtalk {
            app_key: nhn::APP_KEY.to_owned(),
            secret_key_file,
            sender_key: nhn::SENDER_KEY.to_owned(),
            templates: AlimtalkTemplates {
                page: nhn::TEMPLATE.0.to_owned(),
                news: "bongsu-news".to_owned(),
            },
            api_url: nhn.url(),
        }),
        ..Config::default()
    }
}

fn aligo_config(aligo: &Aligo, folder: &Workdir, lms: Lms) -> Config {
    Config {
        aligo: Some(config::Aligo {
            key_file: secret(folder, "aligo", aligo::KEY),
            user_id: aligo::USER.to_owned(),
            from: aligo::SENDER.to_owned(),
            lms,
            api_url: aligo.url(),
        }),
        ..Config::default()
    }
}

/// Emoji, syllables beyond KS X 1001, and a title that no text message holds.
fn long() -> Message {
    let mut message = page(kim(PHONE));
    message.incident.title_ko = Some(format!("🔥 뷁 {}", "디스크가 가득 찼습니다 ".repeat(12)));
    message
}

#[tokio::test]
async fn a_text_fits_in_bytes_as_short_or_long_message_at_each_provider() {
    let folder = Workdir::new("korea");
    let (nhn, aligo) = (Nhn::start().await, Aligo::start().await);
    for message in [page(kim(PHONE)), long(), hostile(lee(PHONE))] {
        for lms in [Lms::Auto, Lms::Never] {
            for config in [
                nhn_config(&nhn, &folder, lms),
                aligo_config(&aligo, &folder, lms),
            ] {
                let outcome = send(&config, ChannelKind::Sms, &message).await;
                assert_eq!(word(&outcome), "accepted", "{outcome:?}");
            }
        }
    }
    let kinds: Vec<_> = nhn.taken().iter().map(|one| one.kind).collect();
    assert_eq!(kinds, ["mms", "sms", "mms", "sms", "mms", "sms"]);
    let kinds: Vec<_> = aligo.taken().into_iter().map(|one| one.kind).collect();
    assert_eq!(kinds, ["LMS", "SMS", "LMS", "SMS", "LMS", "SMS"]);
    assert!(aligo.taken()[2].content.contains("[U+1F525] ㅂㅞㄺ"));
    let config = aligo_config(&aligo, &folder, Lms::Auto);
    let abroad = send(&config, ChannelKind::Sms, &page(lee("+14155550100"))).await;
    assert_eq!(word(&abroad), "refused");
}

#[tokio::test]
async fn an_error_in_the_body_of_a_200_is_a_refusal() {
    let folder = Workdir::new("korea");
    let (nhn, aligo) = (Nhn::start().await, Aligo::start().await);
    aligo.run_dry();
    let config = aligo_config(&aligo, &folder, Lms::Auto);
    let outcome = send(&config, ChannelKind::Sms, &page(kim(PHONE))).await;
    let text = format!("{outcome:?}");
    assert!(
        word(&outcome) == "refused" && text.contains("-201"),
        "{text}"
    );

    let mut config = nhn_config(&nhn, &folder, Lms::Auto);
    if let Some(sms) = &mut config.nhn_sms {
        sms.from = "0212345678".to_owned();
    }
    let outcome = send(&config, ChannelKind::Sms, &page(kim(PHONE))).await;
    let text = format!("{outcome:?}");
    assert!(
        word(&outcome) == "refused" && text.contains("-2007"),
        "{text}"
    );
    assert!(nhn.taken().is_empty() && aligo.taken().is_empty());
}

#[tokio::test]
async fn an_alimtalk_is_its_approved_template_and_goes_once() {
    let (nhn, folder) = (Nhn::start().await, Workdir::new("korea"));
    let talk = channel(&nhn_config(&nhn, &folder, Lms::Auto), ChannelKind::Alimtalk);
    // Taken, and the answer lost: it is found by our reference.
    nhn.faults().next(1, Fault::ResetAfterAccepting);
    let mut message = page(kim(PHONE));
    assert_eq!(word(&talk.send(&message).await), "unknown");
    insta::assert_snapshot!("alimtalk", nhn.taken()[0].content);
    let now = model::Timestamp::from_nanos(runtime::Clock::system().now_nanos());
    let asked = talk.ask(&message.delivery, PHONE, now).await;
    assert!(format!("{asked:?}").starts_with("Accepted"), "{asked:?}");
    // Sent again all the same: the key keeps it from going twice, and it counts as taken.
    message.possible_repeat = true;
    message.incident.opened_at = now;
    let outcome = talk.send(&message).await;
    let Outcome::Accepted { reference } = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(nhn.taken().len(), 1, "one message");
    for (status, expected) in [
        ("", "Accepted"),
        ("COMPLETED", "Delivered"),
        (
            "FAILED",
            "Refused { reason: \"3018 메시지를 전송할 수 없음\" }",
        ),
    ] {
        nhn.settle(status);
        let asked = format!("{:?}", talk.receipt(&reference).await);
        assert!(asked.starts_with(expected), "{status}: {asked}");
    }
}

#[tokio::test]
async fn receipts_are_read_in_each_providers_words() {
    let folder = Workdir::new("korea");
    let (nhn, aligo) = (Nhn::start().await, Aligo::start().await);
    let sms = channel(&nhn_config(&nhn, &folder, Lms::Auto), ChannelKind::Sms);
    let Outcome::Accepted { reference } = sms.send(&page(kim(PHONE))).await else {
        panic!("not taken");
    };
    for (status, expected) in [
        ("2", "Accepted"),
        ("3", "Delivered"),
        ("0", "Refused { reason: \"3003 전원 꺼짐\" }"),
    ] {
        nhn.settle(status);
        let asked = format!("{:?}", sms.receipt(&reference).await);
        assert!(asked.starts_with(expected), "{status}: {asked}");
    }
    let sms = channel(&aligo_config(&aligo, &folder, Lms::Auto), ChannelKind::Sms);
    let Outcome::Accepted { reference } = sms.send(&page(kim(PHONE))).await else {
        panic!("not taken");
    };
    for (state, expected) in [
        ("전송중", "Accepted"),
        ("발송완료", "Delivered"),
        ("전송실패", "Refused"),
    ] {
        aligo.settle(state);
        let asked = format!("{:?}", sms.receipt(&reference).await);
        assert!(asked.starts_with(expected), "{state}: {asked}");
    }
}

#[tokio::test]
async fn every_failure_is_told_apart() {
    let folder = Workdir::new("korea");
    for (fault, expected) in [
        (Fault::too_many_requests(3), "retry"),
        (Fault::status(503), "retry"),
        (Fault::status(401), "refused"),
        (Fault::status(500), "unknown"),
        (Fault::Reset, "unknown"),
        (Fault::ResetAfterAccepting, "unknown"),
    ] {
        let (nhn, aligo) = (Nhn::start().await, Aligo::start().await);
        nhn.faults().next(2, fault.clone());
        aligo.faults().next(1, fault.clone());
        let nhn_config = nhn_config(&nhn, &folder, Lms::Auto);
        let aligo_config = aligo_config(&aligo, &folder, Lms::Auto);
        for (config, kind) in [
            (&nhn_config, ChannelKind::Sms),
            (&nhn_config, ChannelKind::Alimtalk),
            (&aligo_config, ChannelKind::Sms),
        ] {
            let outcome = send(config, kind, &page(kim(PHONE))).await;
            assert_eq!(word(&outcome), expected, "{kind} {fault:?}: {outcome:?}");
            let text = format!("{outcome:?}");
            assert!(!text.contains(nhn::SECRET_KEY) && !text.contains(aligo::KEY));
        }
    }
}
