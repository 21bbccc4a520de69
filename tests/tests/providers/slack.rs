//! The stand-in for Slack.

use axum::http::HeaderMap;
use axum::routing::post;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tests::slack::{self, Press};
use tests::{Slack, web};

use super::{JSON_UTF8, SOON};

async fn call(slack: &Slack, method: &str, body: &Value) -> (StatusCode, Value) {
    let request = web::client()
        .post(format!("{}/api/{method}", slack.url()))
        .bearer_auth(slack::TOKEN)
        .header("Content-Type", JSON_UTF8)
        .body(body.to_string());
    let answer = request.send().await.unwrap();
    (answer.status(), answer.json().await.unwrap())
}

fn button(action_id: &str, text: &str, value: &str) -> Value {
    json!({ "type": "button", "action_id": action_id, "value": value,
        "text": { "type": "plain_text", "text": text } })
}

fn section(text: &str) -> Value {
    json!({ "type": "section", "text": { "type": "mrkdwn", "text": text } })
}

#[tokio::test]
async fn slack_posts_updates_and_threads_messages() {
    let slack = Slack::start().await;
    let channel = slack.add_channel("prod");
    let blocks = json!([section("CPU 97 %"), { "type": "actions", "elements": [
        button("ack", "Acknowledge", "incident-1"), button("close", "Close", "incident-1")] }]);
    let message = json!({ "channel": "#prod", "text": "P1 web-1", "blocks": blocks });
    let (status, posted) = call(&slack, "chat.postMessage", &message).await;
    assert_eq!(
        (status, &posted["ok"], &posted["channel"]),
        (StatusCode::OK, &json!(true), &json!(channel))
    );

    let reply = json!({ "channel": channel, "text": "still high", "thread_ts": posted["ts"] });
    assert_eq!(call(&slack, "chat.postMessage", &reply).await.1["ok"], true);
    let update =
        json!({ "channel": channel, "ts": posted["ts"], "text": "P1 web-1: acknowledged" });
    assert_eq!(call(&slack, "chat.update", &update).await.1["ok"], true);

    let message = slack
        .wait_for("the update", SOON, |message| {
            message.contains("acknowledged")
        })
        .await;
    assert_eq!(message.updates, 1);
    assert!(
        message.contains("CPU 97 %"),
        "the blocks stay where an update has none"
    );
    assert_eq!(
        slack.messages()[1].thread_ts.as_deref(),
        posted["ts"].as_str()
    );
    assert_eq!(slack.journal().accepted().len(), 3);
}

#[tokio::test]
async fn slack_refuses_what_its_reference_says_it_refuses() {
    let slack = Slack::start().await;
    let foreign = slack.add_foreign_channel("private");
    let post = |blocks: Value| {
        (
            "chat.postMessage",
            json!({ "channel": "alerts", "blocks": blocks }),
        )
    };
    let actions = |elements: Value| post(json!([{ "type": "actions", "elements": elements }]));
    let many: Vec<_> = (0..51).map(|_| json!({ "type": "divider" })).collect();
    let long: Vec<_> = (0..5).map(|_| section(&"a".repeat(2_900))).collect();
    let header = |text: &str| {
        post(json!([{ "type": "header", "text": { "type": "plain_text", "text": text } }]))
    };
    let cases = [
        (
            "invalid_arguments",
            ("chat.postMessage", json!({ "text": "x" })),
        ),
        (
            "channel_not_found",
            (
                "chat.postMessage",
                json!({ "channel": "nope", "text": "x" }),
            ),
        ),
        (
            "not_in_channel",
            (
                "chat.postMessage",
                json!({ "channel": foreign, "text": "x" }),
            ),
        ),
        (
            "no_text",
            ("chat.postMessage", json!({ "channel": "alerts" })),
        ),
        (
            "msg_too_long",
            (
                "chat.postMessage",
                json!({ "channel": "alerts", "text": "a".repeat(40_001) }),
            ),
        ),
        (
            "thread_not_found",
            (
                "chat.postMessage",
                json!({ "channel": "alerts", "text": "x", "thread_ts": "1.0" }),
            ),
        ),
        (
            "channel_not_found",
            (
                "chat.update",
                json!({ "channel": "alerts", "ts": "1.0", "text": "x" }),
            ),
        ),
        (
            "message_not_found",
            (
                "chat.update",
                json!({ "channel": "C0000000001", "ts": "1.0", "text": "x" }),
            ),
        ),
        (
            "msg_too_long",
            (
                "chat.update",
                json!({ "channel": "C0000000001", "ts": "1.0", "text": "<".repeat(1_001) }),
            ),
        ),
        ("invalid_blocks", post(json!(many))),
        (
            "invalid_blocks",
            post(json!([section(&"가".repeat(3_001))])),
        ),
        ("invalid_blocks", post(json!([{ "type": "no-such-block" }]))),
        ("invalid_blocks", header(&"a".repeat(151))),
        (
            "invalid_blocks",
            post(json!([{ "type": "header", "text": { "type": "mrkdwn", "text": "x" } }])),
        ),
        (
            "invalid_blocks",
            actions(json!([button("ack", &"a".repeat(76), "v")])),
        ),
        (
            "invalid_blocks",
            actions(json!([button(&"a".repeat(256), "Ack", "v")])),
        ),
        (
            "invalid_blocks",
            actions(json!([button("ack", "Ack", &"v".repeat(2_001))])),
        ),
        (
            "invalid_blocks",
            actions(json!([button("ack", "A", "v"), button("ack", "B", "v")])),
        ),
        ("msg_blocks_too_long", post(json!(long))),
    ];
    for (expected, (method, body)) in cases {
        let (status, answer) = call(&slack, method, &body).await;
        assert_eq!(status, StatusCode::OK, "Slack's errors have status 200");
        assert_eq!(
            (&answer["ok"], &answer["error"]),
            (&json!(false), &json!(expected)),
            "{method} {answer}"
        );
    }
    assert_eq!(slack.messages().len(), 0);
    assert_eq!(
        slack.journal().refused().len(),
        slack.journal().entries().len()
    );
}

#[tokio::test]
async fn slack_refuses_wrong_tokens_and_content_types() {
    let slack = Slack::start().await;
    let cases = [
        ("not_authed", None, JSON_UTF8),
        ("invalid_auth", Some("xoxb-wrong"), JSON_UTF8),
        (
            "invalid_charset",
            Some(slack::TOKEN),
            "application/json; charset=euc-kr",
        ),
        ("invalid_post_type", Some(slack::TOKEN), "text/plain"),
    ];
    for (expected, token, content_type) in cases {
        let request = web::client().post(format!("{}/api/chat.postMessage", slack.url()));
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let body = json!({ "channel": "alerts", "text": "x" }).to_string();
        let answer = request
            .header("Content-Type", content_type)
            .body(body)
            .send()
            .await
            .unwrap();
        let answer: Value = answer.json().await.unwrap();
        assert_eq!(answer, json!({ "ok": false, "error": expected }));
    }
}

#[tokio::test]
async fn slack_takes_one_message_a_second_per_channel_when_limited() {
    let slack = Slack::start().await;
    let other = slack.add_channel("other");
    slack.limit_posts(true);
    let first = json!({ "channel": "alerts", "text": "1" });
    assert_eq!(
        call(&slack, "chat.postMessage", &first).await.0,
        StatusCode::OK
    );
    let (status, answer) = call(&slack, "chat.postMessage", &first).await;
    assert_eq!(
        (status, &answer["error"]),
        (StatusCode::TOO_MANY_REQUESTS, &json!("ratelimited"))
    );
    let elsewhere = json!({ "channel": other, "text": "1" });
    assert_eq!(
        call(&slack, "chat.postMessage", &elsewhere).await.1["ok"],
        true
    );
}

#[tokio::test]
async fn a_press_reaches_the_app_signed_and_shaped_as_slack_does_it() {
    type Seen = std::sync::Arc<std::sync::Mutex<Option<(HeaderMap, String)>>>;
    let seen = Seen::default();
    let noted = seen.clone();
    let app = axum::Router::new().route(
        "/slack/interactive",
        post(|headers: HeaderMap, body: String| async move {
            *noted.lock().unwrap() = Some((headers, body));
        }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "http://{}/slack/interactive",
        listener.local_addr().unwrap()
    );
    tokio::spawn(async move { axum::serve(listener, app).await });

    let slack = Slack::start().await;
    let blocks = json!([{ "type": "actions", "block_id": "b1",
        "elements": [button("ack", "확인", "incident 1 & more")] }]);
    let message = json!({ "channel": "alerts", "text": "P1", "blocks": blocks });
    call(&slack, "chat.postMessage", &message).await;
    let press: Press = slack.press(&slack.messages()[0], "ack", "U0000000042");
    assert_eq!(press.send(&url).await.unwrap().0, StatusCode::OK);

    let (headers, body) = seen.lock().unwrap().take().unwrap();
    assert_eq!(headers["content-type"], "application/x-www-form-urlencoded");
    let timestamp: u64 = headers["x-slack-request-timestamp"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    let signature = slack::sign(slack::SIGNING_SECRET, timestamp, &body);
    assert_eq!(headers["x-slack-signature"], signature.as_str());
    let payload = &slack.block_actions(&slack.messages()[0], "ack", "U0000000042");
    assert_eq!(
        (&payload["type"], &payload["user"]["id"]),
        (&json!("block_actions"), &json!("U0000000042"))
    );
    assert_eq!(payload["actions"][0]["value"], "incident 1 & more");
    assert_eq!(payload["actions"][0]["block_id"], "b1");
    assert!(
        body.starts_with("payload=%7B%22") && body.contains("incident+1+%26+more"),
        "{body}"
    );
}
