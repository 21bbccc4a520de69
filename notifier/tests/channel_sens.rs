//! The SENS channel against a server that answers as NAVER Cloud's guide says.

mod support;

use notifier::config;
use notifier::core::{Asked, Message, Outcome, ProviderRef, Purpose, Recipient};
use notifier::io::channel::{Channel, ChannelError, Sens};
use runtime::Clock;
use support::sample;
use support::server::{Reply, Server};

const TAKEN: &str = r#"{"requestId":"RSLA-1","requestTime":"2026-11-21T14:00:00.000",
    "statusCode":"202","statusName":"success"}"#;

fn config(server: &Server, dir: &std::path::Path) -> config::Sens {
    let secret = |name: &str, text: &str| {
        let path = dir.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    config::Sens {
        service_id: "ncp:sms:kr:100000000001:bongsu".to_owned(),
        access_key_file: secret("access", "access"),
        secret_key_file: secret("secret", "secret"),
        from: "0215880000".to_owned(),
        lms: config::Lms::Auto,
        api_url: server.url.clone(),
    }
}

fn sens(server: &Server) -> Sens {
    let dir = tempfile::tempdir().unwrap();
    Sens::new(
        &config(server, dir.path()),
        Clock::manual(sample::NOW.as_nanos()),
    )
    .unwrap()
}

fn page(to: Recipient) -> Message {
    sample::message(sample::incident(1), Purpose::Firing, to)
}

#[tokio::test]
async fn a_text_is_signed_and_counted_in_bytes() {
    let server = Server::start(vec![Reply::json(202, TAKEN), Reply::json(202, TAKEN)]).await;
    let sens = sens(&server);
    let reference = ProviderRef("RSLA-1".to_owned());
    assert_eq!(
        sens.send(&page(sample::kim())).await,
        Outcome::Accepted { reference }
    );
    let asked = server.asked().remove(0);
    let path = "/sms/v2/services/ncp:sms:kr:100000000001:bongsu/messages";
    assert_eq!(asked.line, format!("POST {path}"));
    assert_eq!(asked.header("x-ncp-apigw-timestamp"), "1795237200000");
    assert_eq!(asked.header("x-ncp-iam-access-key"), "access");
    // printf 'POST /sms/v2/services/ncp:sms:kr:100000000001:bongsu/messages\n1795237200000\naccess' |
    //   openssl dgst -sha256 -hmac secret -binary | base64
    assert_eq!(asked.header("x-ncp-apigw-signature-v2"), SIGNATURE);
    let body = asked.json();
    assert_eq!(body["type"], "LMS");
    assert_eq!(body["countryCode"], "82");
    assert_eq!(body["from"], "0215880000");
    assert_eq!(
        body["messages"],
        serde_json::json!([{ "to": "01012345678" }])
    );
    assert_eq!(body["subject"], "[P1 발생] acme web-1 prod");
    let abroad = Recipient {
        address: "+14155550100".to_owned(),
        ..sample::lee()
    };
    assert!(matches!(
        sens.send(&page(abroad)).await,
        Outcome::Accepted { .. }
    ));
    let body = server.asked().remove(1).json();
    assert_eq!(
        (&body["type"], &body["countryCode"]),
        (&"SMS".into(), &"1".into())
    );
    assert!(body["subject"].is_null());
}

const SIGNATURE: &str = "O4w7N0reJdU9gnd3wTkG8tgnWHyQ7Q9orns7iAnzmas=";

#[tokio::test]
async fn every_failure_is_told_apart() {
    let error = |status: u16| {
        let text =
            r#"{"error":{"errorCode":"200","message":"Authentication Failed","details":"x"}}"#;
        Reply::json(status, text)
    };
    for (reply, expected) in [
        (error(400), "Refused"),
        (error(401), "Refused"),
        (error(403), "Refused"),
        (error(404), "Refused"),
        (error(429).with("retry-after: 5"), "Retry"),
        (error(503), "Retry"),
        (error(500), "Unknown"),
        (error(504), "Unknown"),
        (
            Reply::json(301, "").with("location: http://127.0.0.1:9/"),
            "Refused",
        ),
        (Reply::json(202, "{}"), "Unknown"),
        (Reply::HangUp, "Unknown"),
    ] {
        let server = Server::start(vec![reply.clone()]).await;
        let outcome = format!("{:?}", sens(&server).send(&page(sample::kim())).await);
        assert!(outcome.starts_with(expected), "{reply:?}: {outcome}");
        assert_eq!(server.asked().len(), 1, "{reply:?}: sent once");
    }
    let server = Server::start(vec![error(401)]).await;
    let outcome = format!("{:?}", sens(&server).send(&page(sample::kim())).await);
    assert!(outcome.contains("200 Authentication Failed x"), "{outcome}");
}

#[tokio::test]
async fn a_number_that_is_none_is_refused_without_asking() {
    let server = Server::start(vec![]).await;
    for address in ["01012345678", "", "+82-10", "+82101234567890123"] {
        let to = Recipient {
            address: address.to_owned(),
            ..sample::kim()
        };
        let outcome = sens(&server).send(&page(to)).await;
        assert!(
            matches!(outcome, Outcome::Refused { .. }),
            "{address}: {outcome:?}"
        );
    }
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn what_was_accepted_can_be_asked_for() {
    let list = r#"{"messages":[{"messageId":"0-1","status":"COMPLETED"}]}"#;
    for (result, expected) in [
        (
            r#"{"status":"COMPLETED","statusName":"success"}"#,
            "Delivered",
        ),
        (r#"{"status":"PROCESSING"}"#, "Accepted"),
        (
            r#"{"status":"COMPLETED","statusName":"fail","statusCode":"3018","statusMessage":"off"}"#,
            "Refused { reason: \"3018 off\" }",
        ),
    ] {
        let result = format!(r#"{{"messages":[{result}]}}"#);
        let server = Server::start(vec![Reply::json(200, list), Reply::json(200, &result)]).await;
        let asked = sens(&server)
            .receipt(&ProviderRef("RSLA-1".to_owned()))
            .await;
        assert!(format!("{asked:?}").starts_with(expected), "{asked:?}");
        let lines: Vec<_> = server.asked().into_iter().map(|asked| asked.line).collect();
        let path = "/sms/v2/services/ncp:sms:kr:100000000001:bongsu/messages";
        assert_eq!(
            lines,
            [
                format!("GET {path}?requestId=RSLA-1"),
                format!("GET {path}/0-1")
            ]
        );
    }
    let server = Server::start(vec![]).await;
    let hostile = ProviderRef("x&requestId=y".to_owned());
    assert!(matches!(
        sens(&server).receipt(&hostile).await,
        Asked::CannotTell { .. }
    ));
    let id = page(sample::kim()).delivery;
    let asked = sens(&server).ask(&id, "+821012345678", sample::NOW).await;
    assert!(matches!(asked, Asked::CannotTell { .. }));
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn a_configuration_that_cannot_work_is_refused_at_the_start() {
    let server = Server::start(vec![]).await;
    let dir = tempfile::tempdir().unwrap();
    let good = config(&server, dir.path());
    let sens = |config| Sens::new(&config, Clock::system()).map(drop);
    assert!(sens(good.clone()).is_ok());
    for broken in [
        config::Sens {
            from: "02-1588-0000".to_owned(),
            ..good.clone()
        },
        config::Sens {
            from: String::new(),
            ..good.clone()
        },
        config::Sens {
            service_id: "a/../b".to_owned(),
            ..good.clone()
        },
    ] {
        assert!(matches!(sens(broken), Err(ChannelError::Config { .. })));
    }
    let missing = config::Sens {
        secret_key_file: dir.path().join("none"),
        ..good
    };
    assert!(matches!(sens(missing), Err(ChannelError::Secret { .. })));
}
