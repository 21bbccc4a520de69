//! Alimtalk of NAVER Cloud SENS, with the text message where KakaoTalk cannot deliver.

use notifier::Config;
use notifier::config::{self, Lms};
use notifier::core::{ChannelKind, Outcome};
use tests::Sens;
use tests::fake::Fault;
use tests::sens::{self, Delivery};
use tests::workdir::Workdir;

use super::incident::{hostile, kim, lee, page};
use super::{channel, secret, send, word};

const PHONE: &str = "+821012345678";
const DIALLED: &str = "01012345678";

fn config(sens: &Sens, folder: &Workdir, failover: bool) -> Config {
    let template = |code: &str| config::SensTemplate {
        code: code.to_owned(),
        text: sens::TALK_TEMPLATE.1.to_owned(),
    };
    Config {
        sens_alimtalk: Some(config::SensAlimtalk {
            service_id: sens::TALK_SERVICE_ID.to_owned(),
            access_key_file: secret(folder, "access", sens::ACCESS_KEY),
            secret_key_file: secret(folder, "secret", sens::SECRET_KEY),
            channel: sens::TALK_CHANNEL.to_owned(),
            templates: config::SensTemplates {
                page: template(sens::TALK_TEMPLATE.0),
                news: template("bongsunews"),
            },
            failover_from: failover.then(|| sens::SENDER.to_owned()),
            lms: Lms::Auto,
            api_url: sens.url(),
        }),
        ..Config::default()
    }
}

#[tokio::test]
async fn an_alimtalk_is_its_approved_text_and_falls_back_to_a_text_message() {
    let (sens, folder) = (Sens::start().await, Workdir::new("naver"));
    let talk = channel(&config(&sens, &folder, true), ChannelKind::Alimtalk);
    let Outcome::Accepted { reference } = talk.send(&page(kim(PHONE))).await else {
        panic!("{}", sens.journal().describe());
    };
    let taken = sens.talks().remove(0);
    insta::assert_snapshot!("naver-alimtalk", taken.content);
    let (kind, text) = taken.failover.expect("a text message");
    assert_eq!(kind, "LMS");
    assert!(
        text.contains("https://bongsu.example.com/a/x7Kd93mQ"),
        "{text}"
    );
    let failed = Delivery::Failed {
        code: "3019".to_owned(),
        message: "카카오톡 미사용자".to_owned(),
    };
    for (delivery, expected) in [
        (Delivery::Underway, "Accepted"),
        (Delivery::Delivered, "Delivered"),
        (failed.clone(), "Delivered"),
    ] {
        sens.deliver(DIALLED, delivery);
        let asked = format!("{:?}", talk.receipt(&reference).await);
        assert!(asked.starts_with(expected), "{asked}");
    }

    // Without a sender number there is no such message, and the failure is told.
    sens.deliver(DIALLED, failed);
    let talk = channel(&config(&sens, &folder, false), ChannelKind::Alimtalk);
    let Outcome::Accepted { reference } = talk.send(&page(kim(PHONE))).await else {
        panic!("{}", sens.journal().describe());
    };
    assert_eq!(sens.talks()[1].failover, None);
    let asked = format!("{:?}", talk.receipt(&reference).await);
    assert_eq!(asked, "Refused { reason: \"3019 카카오톡 미사용자\" }");
}

#[tokio::test]
async fn hostile_names_stay_within_the_template_and_strangers_are_refused() {
    let (sens, folder) = (Sens::start().await, Workdir::new("naver"));
    let config = config(&sens, &folder, true);
    let outcome = send(&config, ChannelKind::Alimtalk, &hostile(lee(PHONE))).await;
    assert_eq!(word(&outcome), "accepted", "{outcome:?}");
    let abroad = send(&config, ChannelKind::Alimtalk, &page(lee("+14155550100"))).await;
    assert_eq!(word(&abroad), "refused");
    // A text that is not as it was registered.
    let mut other = config.clone();
    if let Some(talk) = &mut other.sens_alimtalk {
        talk.templates.page.text = "#{head} #{link}".to_owned();
    }
    let outcome = send(&other, ChannelKind::Alimtalk, &page(kim(PHONE))).await;
    assert!(
        format!("{outcome:?}").contains("does not match the template"),
        "{outcome:?}"
    );
    for (fault, expected) in [
        (Fault::too_many_requests(3), "retry"),
        (Fault::status(401), "refused"),
        (Fault::status(500), "unknown"),
        (Fault::ResetAfterAccepting, "unknown"),
    ] {
        sens.faults().next(1, fault.clone());
        let outcome = send(&config, ChannelKind::Alimtalk, &page(kim(PHONE))).await;
        assert_eq!(word(&outcome), expected, "{fault:?}: {outcome:?}");
        assert!(!format!("{outcome:?}").contains(sens::SECRET_KEY));
    }
}
