//! What Twilio tells: states, and the digit that acknowledges.

mod support;

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use support::desk::FakeDesk;
use support::sample;
use support::web::{FORM, TWILIO_TOKEN, Web};

const ACCOUNT: &str = "AC00000000000000000000000000000001";

/// A request as Twilio signs it, under that token.
fn signed(token: &str, path: &str, fields: &[(&str, &str)]) -> (String, String) {
    let mut sorted = fields.to_vec();
    sorted.sort_unstable();
    let mut text = format!("https://bongsu.example.com{path}");
    for (name, value) in &sorted {
        text.push_str(name);
        text.push_str(value);
    }
    let mut mac = Hmac::<Sha1>::new_from_slice(token.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    let body: Vec<_> = fields
        .iter()
        .map(|(name, value)| format!("{name}={}", value.replace('+', "%2B")))
        .collect();
    (STANDARD.encode(mac.finalize().into_bytes()), body.join("&"))
}

async fn tell(web: &Web, path: &str, fields: &[(&str, &str)]) -> (StatusCode, String) {
    let (signature, body) = signed(TWILIO_TOKEN, path, fields);
    let headers = [
        ("content-type", FORM),
        ("x-twilio-signature", &*signature),
        ("host", "bongsu.example.com"),
    ];
    let answer = web.post(path, &headers, &body).await;
    (answer.status, answer.text)
}

fn digit(digit: &str) -> [(&'static str, &str); 3] {
    [
        ("AccountSid", ACCOUNT),
        ("CallSid", "CA1"),
        ("Digits", digit),
    ]
}

#[tokio::test]
async fn the_digit_acknowledges_once_and_a_replay_is_a_no_op() {
    let desk = FakeDesk::with(vec![sample::detail()]);
    let web = Web::guarded(desk.clone()).await;
    let path = "/twilio/digit/good-token";
    let (status, said) = tell(&web, path, &digit("9")).await;
    assert_eq!(status, StatusCode::OK);
    assert!(said.contains("<Gather") && said.contains("1번"), "{said}");
    assert!(desk.done().is_empty(), "another digit does nothing");

    let (_, said) = tell(&web, path, &digit("1")).await;
    assert!(said.contains("<Hangup/>"), "{said}");
    let id = sample::incident(1).id;
    let expected = [
        format!("ack {id} 김민수 kim voice"),
        "report answered ".to_owned(),
    ];
    assert_eq!(desk.done(), expected);

    tell(&web, path, &digit("1")).await;
    assert_eq!(desk.done(), expected, "played again");
}

#[tokio::test]
async fn what_is_not_signed_by_twilio_is_refused() {
    let desk = FakeDesk::with(vec![sample::detail()]);
    let web = Web::guarded(desk.clone()).await;
    let path = "/twilio/digit/good-token";
    let (good, body) = signed(TWILIO_TOKEN, path, &digit("1"));
    let (other, _) = signed("another-token", path, &digit("1"));
    let foreign = [("AccountSid", "AC2"), ("Digits", "1")];
    let (account, account_body) = signed(TWILIO_TOKEN, path, &foreign);
    for (path, signature, body) in [
        (path, &*other, &*body),
        (path, "", &body),
        ("/twilio/digit/good-token?x=1", &good, &body),
        (
            path,
            &good,
            "AccountSid=AC00000000000000000000000000000001&CallSid=CA2&Digits=1",
        ),
        (path, &account, &account_body),
    ] {
        let headers = [("content-type", FORM), ("x-twilio-signature", signature)];
        let answer = web.post(path, &headers, body).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} {body}");
    }
    let answer = web.post(path, &[("content-type", FORM)], &body).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "no signature");
    assert!(desk.done().is_empty());
}

#[tokio::test]
async fn a_state_is_kept_and_never_goes_back() {
    let desk = FakeDesk::with(vec![sample::detail()]);
    let web = Web::guarded(desk.clone()).await;
    let state = |status| [("AccountSid", ACCOUNT), ("MessageStatus", status)];
    for status in ["sent", "delivered", "sent", "undelivered", "delivered"] {
        let (answer, _) = tell(&web, "/twilio/sms/good-token", &state(status)).await;
        assert_eq!(answer, StatusCode::NO_CONTENT, "{status}");
    }
    assert_eq!(desk.done(), ["report delivered "]);
    let (answer, _) = tell(&web, "/twilio/call/unknown-token", &state("busy")).await;
    assert_eq!(answer, StatusCode::NO_CONTENT, "nothing of ours");
    assert_eq!(desk.done().len(), 1);
}

fn reply(
    text: &'static str,
    sid: &'static str,
    from: &'static str,
) -> [(&'static str, &'static str); 4] {
    [
        ("AccountSid", ACCOUNT),
        ("MessageSid", sid),
        ("From", from),
        ("Body", text),
    ]
}

#[tokio::test]
async fn a_text_message_that_comes_back_acknowledges_what_the_phone_was_told_of() {
    let desk = FakeDesk::with(vec![sample::detail()]);
    let web = Web::guarded(desk.clone()).await;
    let path = "/twilio/reply";
    let kim = "+821012345678";
    let (status, said) = tell(&web, path, &reply("뭐라고요?", "SM1", kim)).await;
    assert_eq!(status, StatusCode::OK);
    assert!(said.contains("1로 답장"), "{said}");
    let (_, said) = tell(&web, path, &reply("1", "SM2", "+15005550000")).await;
    assert_eq!(said, "<Response></Response>", "a stranger hears nothing");
    assert!(desk.done().is_empty());

    let (_, said) = tell(&web, path, &reply(" 확인 ", "SM3", kim)).await;
    assert!(said.contains("확인되었습니다"), "{said}");
    let id = sample::incident(1).id;
    let expected = [
        format!("ack {id} 김민수 kim sms"),
        "report answered ".to_owned(),
    ];
    assert_eq!(desk.done(), expected);
    let (_, said) = tell(&web, path, &reply(" 확인 ", "SM3", kim)).await;
    assert_eq!(said, "<Response></Response>", "played again");
    let (_, said) = tell(&web, path, &reply("1", "SM4", kim)).await;
    assert!(said.contains("이미"), "{said}");
    assert_eq!(desk.done(), expected);
}

#[tokio::test]
async fn of_several_open_incidents_none_is_guessed_and_only_twilio_is_heard() {
    let mut other = sample::detail();
    other.incident = sample::incident(2);
    let desk = FakeDesk::with(vec![sample::detail(), other]);
    let web = Web::guarded(desk.clone()).await;
    let (_, said) = tell(&web, "/twilio/reply", &reply("1", "SM1", "+821012345678")).await;
    assert!(said.contains("2건"), "{said}");
    let (signature, body) = signed(
        "another-token",
        "/twilio/reply",
        &reply("1", "SM2", "+821012345678"),
    );
    let headers = [("content-type", FORM), ("x-twilio-signature", &*signature)];
    let answer = web.post("/twilio/reply", &headers, &body).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(desk.done().is_empty());
}
