//! The Slack channel against a server that answers as Slack's reference says.

mod support;

use model::Span;
use notifier::core::{Asked, Message, Outcome, ProviderRef, Purpose, Status};
use notifier::io::channel::{Channel, Slack};
use support::sample;
use support::server::{Reply, Server};

const POSTED: &str = r#"{"ok":true,"channel":"C0000000001","ts":"1503435956.000247"}"#;

fn slack(server: &Server) -> Slack {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token");
    std::fs::write(&path, "xoxb-1\n").unwrap();
    Slack::new(&notifier::config::Slack {
        bot_token_file: path.clone(),
        signing_secret_file: path,
        api_url: format!("{}/api", server.url),
    })
    .unwrap()
}

fn page() -> Message {
    sample::message(sample::incident(1), Purpose::Firing, sample::room())
}

fn news(purpose: Purpose) -> Message {
    let mut incident = sample::incident(1);
    incident.status = Status::Closed;
    incident.firing = false;
    let mut message = sample::message(incident, purpose, sample::room());
    message.thread = Some(ProviderRef("C0000000001:1503435956.000247".to_owned()));
    message
}

#[tokio::test]
async fn a_first_message_is_posted_with_our_reference() {
    let server = Server::start(vec![Reply::json(200, POSTED)]).await;
    let message = page();
    let outcome = slack(&server).send(&message).await;
    let reference = ProviderRef("C0000000001:1503435956.000247".to_owned());
    assert_eq!(outcome, Outcome::Delivered { reference });
    let asked = server.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].line, "POST /api/chat.postMessage");
    assert_eq!(asked[0].header("authorization"), "Bearer xoxb-1");
    let body = asked[0].json();
    assert_eq!(body["channel"], "C0000000001");
    assert_eq!(
        body["metadata"]["event_payload"]["id"],
        message.delivery.to_string()
    );
    assert!(body["thread_ts"].is_null());
    assert!(
        body["blocks"]
            .to_string()
            .contains(&message.incident.id.to_string())
    );
}

#[tokio::test]
async fn news_update_the_first_message_and_follow_it() {
    for (purpose, broadcast) in [(Purpose::Resolved, false), (Purpose::Escalated, true)] {
        let replies = vec![Reply::json(200, POSTED), Reply::json(200, POSTED)];
        let server = Server::start(replies).await;
        let outcome = slack(&server).send(&news(purpose)).await;
        assert!(matches!(outcome, Outcome::Delivered { .. }), "{outcome:?}");
        let asked = server.asked();
        assert_eq!(asked[0].line, "POST /api/chat.update");
        assert_eq!(asked[0].json()["ts"], "1503435956.000247");
        assert_eq!(asked[1].line, "POST /api/chat.postMessage");
        assert_eq!(asked[1].json()["thread_ts"], "1503435956.000247");
        assert_eq!(asked[1].json()["reply_broadcast"], broadcast, "{purpose:?}");
    }
}

#[tokio::test]
async fn a_first_message_that_was_deleted_is_posted_anew() {
    let gone = r#"{"ok":false,"error":"message_not_found"}"#;
    let server = Server::start(vec![Reply::json(200, gone), Reply::json(200, POSTED)]).await;
    let outcome = slack(&server).send(&news(Purpose::Resolved)).await;
    assert!(matches!(outcome, Outcome::Delivered { .. }), "{outcome:?}");
    assert!(server.asked()[1].json()["thread_ts"].is_null());
}

#[tokio::test]
async fn a_page_does_not_wait_for_an_update_that_fails_but_news_do() {
    let busy = || Reply::json(429, "").with("retry-after: 7");
    let server = Server::start(vec![busy(), Reply::json(200, POSTED)]).await;
    let outcome = slack(&server).send(&news(Purpose::Escalated)).await;
    assert!(matches!(outcome, Outcome::Delivered { .. }), "{outcome:?}");
    let server = Server::start(vec![busy()]).await;
    let outcome = slack(&server).send(&news(Purpose::Resolved)).await;
    let after = Some(Span::from_secs(7));
    assert!(
        matches!(&outcome, Outcome::Retry { after: a, .. } if *a == after),
        "{outcome:?}"
    );
    assert_eq!(server.asked().len(), 1, "nothing was posted");
}

/// What an outcome is, in a word.
fn kind(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Accepted { .. } => "accepted",
        Outcome::Delivered { .. } => "delivered",
        Outcome::Refused { .. } => "refused",
        Outcome::Retry { .. } => "retry",
        Outcome::Unknown { .. } => "unknown",
    }
}

#[tokio::test]
async fn every_failure_is_told_apart() {
    let no = |error: &str| Reply::json(200, &format!(r#"{{"ok":false,"error":"{error}"}}"#));
    for (reply, expected) in [
        (no("channel_not_found"), "refused"),
        (no("not_in_channel"), "refused"),
        (no("is_archived"), "refused"),
        (no("token_revoked"), "refused"),
        (no("invalid_blocks"), "refused"),
        (no("ratelimited"), "retry"),
        (no("service_unavailable"), "retry"),
        (no("request_timeout"), "retry"),
        (no("internal_error"), "unknown"),
        (no("fatal_error"), "unknown"),
        (Reply::json(429, "").with("retry-after: 30"), "retry"),
        (Reply::json(503, "busy"), "retry"),
        (Reply::json(500, "oops"), "unknown"),
        (Reply::json(502, "<html>"), "unknown"),
        (Reply::json(404, ""), "refused"),
        (
            Reply::json(302, "").with("location: https://elsewhere.example/"),
            "refused",
        ),
        (Reply::json(200, "<html>captive portal</html>"), "unknown"),
        (Reply::json(200, r#"{"channel":"C1"}"#), "unknown"),
        (Reply::json(200, r#"{"ok":true}"#), "unknown"),
        (Reply::HangUp, "unknown"),
        (Reply::Silence, "unknown"),
    ] {
        let server = Server::start(vec![reply.clone()]).await;
        let outcome = slack(&server).send(&page()).await;
        assert_eq!(kind(&outcome), expected, "{reply:?}: {outcome:?}");
        assert_eq!(server.asked().len(), 1, "{reply:?}: sent once");
        assert!(
            !format!("{outcome:?}").contains("xoxb"),
            "no secret in {outcome:?}"
        );
    }
}

#[tokio::test]
async fn without_a_connection_nothing_was_sent() {
    let outcome = slack(&Server::closed()).send(&page()).await;
    assert_eq!(kind(&outcome), "retry", "{outcome:?}");
}

#[tokio::test]
async fn a_lost_post_is_looked_for_in_the_rooms_history() {
    let message = page();
    let history = format!(
        r#"{{"ok":true,"messages":[{{"ts":"1.2"}},{{"ts":"1503435956.000247","metadata":
        {{"event_type":"bongsu_delivery","event_payload":{{"id":"{}"}}}}}}]}}"#,
        message.delivery
    );
    let server = Server::start(vec![Reply::json(200, &history)]).await;
    let asked = slack(&server)
        .ask(&message.delivery, "C0000000001", sample::NOW)
        .await;
    let reference = ProviderRef("C0000000001:1503435956.000247".to_owned());
    assert_eq!(asked, Asked::Delivered { reference });
    let request = server.asked()[0].json();
    assert_eq!(request["oldest"], "1795237140");
    assert_eq!(request["include_all_metadata"], true);
    for reply in [
        Reply::json(200, r#"{"ok":true,"messages":[]}"#),
        Reply::json(200, r#"{"ok":false,"error":"missing_scope"}"#),
        Reply::HangUp,
    ] {
        let server = Server::start(vec![reply]).await;
        let asked = slack(&server)
            .ask(&message.delivery, "C0000000001", sample::NOW)
            .await;
        assert!(matches!(asked, Asked::CannotTell { .. }), "{asked:?}");
    }
}
