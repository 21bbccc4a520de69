//! The stand-in for SENS, and the faults that all stand-ins have in common.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::{Value, json};
use tests::fake::{Fault, Outcome};
use tests::sens::{self, Delivery};
use tests::{Sens, web};

use super::{JSON_UTF8, SOON};

async fn text(sens: &Sens, body: &Value) -> (StatusCode, Value) {
    let path = format!("/sms/v2/services/{}/messages", sens::SERVICE_ID);
    sent(sens, "POST", &path, Some(body), now_ms(), sens::SECRET_KEY)
        .await
        .unwrap()
}

fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

async fn sent(
    sens: &Sens,
    method: &str,
    path: &str,
    body: Option<&Value>,
    timestamp: i64,
    secret: &str,
) -> reqwest::Result<(StatusCode, Value)> {
    let timestamp = timestamp.to_string();
    let signature = sens::sign(secret, method, path, &timestamp, sens::ACCESS_KEY);
    let url = format!("{}{path}", sens.url());
    let client = web::client();
    let request = match body {
        Some(body) => client
            .post(url)
            .header("Content-Type", JSON_UTF8)
            .body(body.to_string()),
        None => client.get(url),
    };
    let answer = request
        .header("x-ncp-apigw-timestamp", timestamp)
        .header("x-ncp-iam-access-key", sens::ACCESS_KEY)
        .header("x-ncp-apigw-signature-v2", signature)
        .send()
        .await?;
    let status = answer.status();
    Ok((status, answer.json().await.unwrap_or_default()))
}

fn sms(content: &str) -> Value {
    json!({ "type": "SMS", "contentType": "COMM", "countryCode": "82", "from": sens::SENDER,
        "content": content, "messages": [{ "to": "01000000001" }] })
}

#[tokio::test]
async fn sens_takes_a_message_and_tells_its_result() {
    let sens = Sens::start().await;
    let (status, answer) = text(&sens, &sms("[P1] web-1 CPU 97%")).await;
    assert_eq!(
        (status, &answer["statusCode"], &answer["statusName"]),
        (StatusCode::ACCEPTED, &json!("202"), &json!("success"))
    );
    let taken = sens
        .wait_for("the host", SOON, |sms| sms.content.contains("web-1"))
        .await;
    assert_eq!(taken.to, "01000000001");

    let base = format!("/sms/v2/services/{}/messages", sens::SERVICE_ID);
    let path = format!("{base}?requestId={}", answer["requestId"].as_str().unwrap());
    let list = sent(&sens, "GET", &path, None, now_ms(), sens::SECRET_KEY)
        .await
        .unwrap()
        .1;
    let path = format!(
        "{base}/{}",
        list["messages"][0]["messageId"].as_str().unwrap()
    );
    let failed = Delivery::Failed {
        code: "3018".to_owned(),
        message: "발신번호 스푸핑 방지".to_owned(),
    };
    for (delivery, status, code) in [
        (Delivery::Waiting, "READY", json!(null)),
        (Delivery::Delivered, "COMPLETED", json!("0")),
        (failed, "COMPLETED", json!("3018")),
    ] {
        sens.deliver("01000000001", delivery);
        let result = sent(&sens, "GET", &path, None, now_ms(), sens::SECRET_KEY)
            .await
            .unwrap()
            .1;
        assert_eq!(
            (
                &result["messages"][0]["status"],
                &result["messages"][0]["statusCode"]
            ),
            (&json!(status), &code)
        );
    }
}

#[tokio::test]
async fn sens_refuses_what_its_guide_says_it_refuses() {
    let sens = Sens::start().await;
    let with = |field: &str, value: Value| {
        let mut body = sms("x");
        body[field] = value;
        body
    };
    let recipients: Vec<_> = (0..101)
        .map(|n| json!({ "to": format!("010{n:08}") }))
        .collect();
    let mut lms = with("type", json!("LMS"));
    lms["subject"] = json!("가".repeat(21));
    let cases = [
        ("type", with("type", json!("FAX"))),
        ("contentType", with("contentType", json!("SPAM"))),
        ("registered", with("from", json!("0299999999"))),
        ("digits", with("from", json!("02-1588-0000"))),
        (
            "digits",
            with("messages", json!([{ "to": "010-0000-0001" }])),
        ),
        ("messages must be", with("messages", json!([]))),
        ("messages must be", with("messages", json!(recipients))),
        ("subject is for LMS", with("subject", json!("제목"))),
        ("subject is 42 bytes", lms),
        ("92 bytes", sms(&"가".repeat(46))),
        ("EUC-KR does not have", sms("불 🔥")),
        ("content is missing", sms("")),
    ];
    for (expected, body) in cases {
        let (status, answer) = text(&sens, &body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{expected}: {answer}");
        let details = answer["error"]["details"].as_str().unwrap();
        assert!(details.contains(expected), "{details}");
    }
    assert_eq!(
        text(&sens, &sms(&"가".repeat(45))).await.0,
        StatusCode::ACCEPTED,
        "90 bytes fit"
    );
    assert_eq!(sens.messages().len(), 1);
}

#[tokio::test]
async fn sens_lets_nobody_in_with_a_wrong_key_or_clock() {
    let sens = Sens::start().await;
    let path = format!("/sms/v2/services/{}/messages", sens::SERVICE_ID);
    let elsewhere = "/sms/v2/services/ncp:sms:kr:2:other/messages";
    let body = sms("x");
    for (path, timestamp, secret, expected) in [
        (path.as_str(), now_ms(), "wrong", StatusCode::UNAUTHORIZED),
        (
            path.as_str(),
            now_ms() - 301_000,
            sens::SECRET_KEY,
            StatusCode::UNAUTHORIZED,
        ),
        (elsewhere, now_ms(), sens::SECRET_KEY, StatusCode::NOT_FOUND),
    ] {
        let (status, answer) = sent(&sens, "POST", path, Some(&body), timestamp, secret)
            .await
            .unwrap();
        assert_eq!(status, expected, "{answer}");
    }
    assert_eq!(sens.messages().len(), 0);
}

#[tokio::test]
async fn providers_have_the_faults_that_a_test_asks_for() {
    let sens = Sens::start().await;
    let path = format!("/sms/v2/services/{}/messages", sens::SERVICE_ID);
    let try_once = async || {
        sent(
            &sens,
            "POST",
            &path,
            Some(&sms("x")),
            now_ms(),
            sens::SECRET_KEY,
        )
        .await
    };

    sens.faults().next(2, Fault::too_many_requests(3));
    sens.faults().next(1, Fault::status(503));
    assert_eq!(try_once().await.unwrap().0, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(try_once().await.unwrap().0, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(try_once().await.unwrap().0, StatusCode::SERVICE_UNAVAILABLE);

    sens.faults().next(1, Fault::Reset);
    assert!(try_once().await.is_err());
    assert_eq!(sens.messages().len(), 0);
    sens.faults().next(1, Fault::ResetAfterAccepting);
    let error = try_once().await.unwrap_err();
    assert!(!error.is_timeout(), "a reset is noticed at once: {error:?}");
    assert_eq!(
        sens.messages().len(),
        1,
        "it was accepted, though the sender cannot know"
    );

    sens.faults().next(1, Fault::Hang);
    assert!(
        tokio::time::timeout(Duration::from_millis(300), try_once())
            .await
            .is_err()
    );
    let started = Instant::now();
    sens.faults()
        .next(1, Fault::Slow(Duration::from_millis(200)));
    assert_eq!(try_once().await.unwrap().0, StatusCode::ACCEPTED);
    assert!(started.elapsed() >= Duration::from_millis(200));

    let faulted = |outcome: &Outcome| matches!(outcome, Outcome::Faulted(_));
    let entries = sens.journal().entries();
    assert_eq!(
        entries
            .iter()
            .filter(|entry| faulted(&entry.outcome))
            .count(),
        5
    );
}
