//! Telegram's button presses over HTTP.

mod support;

use axum::http::StatusCode;
use notifier::core::{ChannelKind, ProviderRef};
use serde_json::{Value, json};
use support::desk::FakeDesk;
use support::sample;
use support::web::{Answer, TELEGRAM_SECRET, Web};

/// The chat and message that the sample's incident was told in.
const CHAT: i64 = -1_001_234_567_890;
const MESSAGE: i64 = 42;

/// A site whose incident was told in that chat.
async fn site() -> Web {
    let mut detail = sample::detail();
    detail.deliveries[0].channel = ChannelKind::Telegram;
    detail.deliveries[0].reference = Some(ProviderRef(format!("{CHAT}:{MESSAGE}")));
    Web::guarded(FakeDesk::with(vec![detail])).await
}

fn press(chat: i64, message: i64, data: &str) -> Value {
    json!({
        "update_id": 10_000,
        "callback_query": {
            "id": "4382bfdwdsb323b2d9",
            "from": { "id": 1, "is_bot": false, "first_name": "Kim", "language_code": "en" },
            "message": { "message_id": message, "date": 1, "chat": { "id": chat, "type": "supergroup" } },
            "chat_instance": "1",
            "data": data,
        },
    })
}

async fn send(web: &Web, body: &Value, secret: Option<&str>) -> Answer {
    let mut headers = vec![
        ("content-type", "application/json"),
        ("host", "bongsu.example.com"),
    ];
    headers.extend(secret.map(|secret| ("x-telegram-bot-api-secret-token", secret)));
    web.post("/telegram/updates", &headers, &body.to_string())
        .await
}

fn acknowledges() -> String {
    format!("ack:{}", sample::incident(1).id)
}

#[tokio::test]
async fn a_press_acknowledges_once_and_is_answered_in_the_answer() {
    let web = site().await;
    let body = press(CHAT, MESSAGE, &acknowledges());
    let answer = send(&web, &body, Some(TELEGRAM_SECRET)).await;
    assert_eq!(answer.status, StatusCode::OK);
    let said = answer.json();
    assert_eq!(said["method"], "answerCallbackQuery");
    assert_eq!(said["callback_query_id"], "4382bfdwdsb323b2d9");
    assert_eq!(said["text"], "Thank you. You have the incident.");
    let id = sample::incident(1).id;
    assert_eq!(web.desk.done(), [format!("ack {id} Kim  chat")]);
    // Telegram sends again what it believes unanswered.
    let answer = send(&web, &body, Some(TELEGRAM_SECRET)).await;
    assert_eq!(
        answer.json()["text"],
        "Somebody has it already, or it is over."
    );
    assert_eq!(web.desk.done().len(), 1);
}

#[tokio::test]
async fn without_the_secret_nothing_is_done() {
    let web = site().await;
    let body = press(CHAT, MESSAGE, &acknowledges());
    for secret in [
        None,
        Some(""),
        Some("telegram-secret_"),
        Some("TELEGRAM-SECRET_1"),
    ] {
        let answer = send(&web, &body, secret).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{secret:?}");
    }
    assert!(web.desk.done().is_empty());
}

#[tokio::test]
async fn a_press_counts_only_where_the_incident_was_told() {
    let web = site().await;
    for (chat, message, data) in [
        (CHAT + 1, MESSAGE, acknowledges()),
        (CHAT, MESSAGE + 1, acknowledges()),
        (CHAT, MESSAGE, format!("ack:{}", sample::incident(9).id)),
        (CHAT, MESSAGE, "ack:".to_owned()),
        (CHAT, MESSAGE, sample::incident(1).id.to_string()),
        (CHAT, MESSAGE, String::new()),
    ] {
        let answer = send(&web, &press(chat, message, &data), Some(TELEGRAM_SECRET)).await;
        assert_eq!(answer.status, StatusCode::OK, "{data}");
        assert!(
            answer.json()["text"]
                .as_str()
                .unwrap_or_default()
                .contains("could not")
        );
    }
    assert!(web.desk.done().is_empty());
    // What is no press is taken and left alone; what is no update is refused.
    let other = json!({ "update_id": 1, "message": { "message_id": 1, "text": "/start" } });
    let answer = send(&web, &other, Some(TELEGRAM_SECRET)).await;
    assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, ""));
    let answer = send(&web, &json!([]), Some(TELEGRAM_SECRET)).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
}
