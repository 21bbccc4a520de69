//! The console: what its pages show, what they never run, and who may press their buttons.

mod support;

use axum::http::StatusCode;
use futures_util::StreamExt;
use notifier::core::{ChannelKind, Fate, ProviderRef, Purpose};
use support::desk::FakeDesk;
use support::sample;
use support::web::{FORM, TOKEN, Web, request};

const KOREAN: (&str, &str) = ("accept-language", "ko-KR,ko;q=0.9");
const HOSTILE: &str = r#"<script>alert(1)</script>"'><img src=x onerror=alert(1)>"#;

fn contains_all(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no `{part}` in:\n{text}");
    }
}

#[tokio::test]
async fn the_first_page_shows_what_is_open_and_what_became_of_the_pages() {
    let web = Web::open(FakeDesk::sample()).await;
    let page = web.get("/").await;
    assert_eq!(page.status, StatusCode::OK);
    contains_all(
        &page.text,
        &[
            "<html lang=\"en\">",
            "(1) Incidents",
            "CPU usage is critically high",
            "acme",
            "web-1",
            "prod",
            "97.2 %",
            "threshold 90 %",
            "12 min",
            "4:32",
            "left to acknowledge",
            "ops-alerts · chat · delivered",
            "김민수 · SMS · accepted",
            "Lee Jiwon · SMS · failed",
            "Acknowledge",
            "Close",
        ],
    );
    let korean = web.get_with("/", &[KOREAN]).await.text;
    contains_all(
        &korean,
        &[
            "<html lang=\"ko\">",
            "열린 인시던트",
            "CPU 사용률이 매우 높습니다",
            "기준 90 %",
            "12분",
            "남은 확인 시간",
            "김민수 · 문자 · 접수됨",
            "확인",
            "종료",
        ],
    );
    let fragment = web.get("/fragments/incidents").await.text;
    assert!(
        fragment.contains("web-1") && !fragment.contains("<html"),
        "{fragment}"
    );
    let calm = Web::open(FakeDesk::with(Vec::new()))
        .await
        .get("/")
        .await
        .text;
    contains_all(&calm, &["All quiet"]);
}

#[tokio::test]
async fn an_incidents_page_shows_its_account() {
    let web = Web::open(FakeDesk::sample()).await;
    let id = sample::incident(1).id;
    let page = web.get(&format!("/incidents/{id}")).await.text;
    contains_all(
        &page,
        &[
            "fired as P1: 97.2 % is above 90 % for 10m",
            "looking at the batch job",
            "Lee Jiwon (chat)",
            "ESCALATED",
            "failed",
            "https://wiki.example.com/cpu?a=1&#38;b=2",
            "Close until resolved",
        ],
    );
    for path in [
        "/incidents/nonsense",
        "/incidents/ffffffffffffffffffffffffffffffff",
    ] {
        let page = web.get(path).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND);
        contains_all(&page.text, &["There is no such incident"]);
    }
}

#[tokio::test]
async fn hostile_tags_are_shown_and_never_run() {
    let mut detail = sample::detail();
    let incident = &mut detail.incident;
    for field in [
        &mut incident.title,
        &mut incident.why,
        &mut incident.template,
        &mut incident.unit,
    ] {
        *field = HOSTILE.to_owned();
    }
    incident.title_ko = Some(HOSTILE.to_owned());
    incident.env = Some(HOSTILE.to_owned());
    incident.group = vec![
        ("host".to_owned(), HOSTILE.to_owned()),
        (HOSTILE.to_owned(), HOSTILE.to_owned()),
    ];
    incident.runbook = Some("javascript:alert(1)".to_owned());
    detail.timeline[0].text = HOSTILE.to_owned();
    detail.deliveries[0].recipient.name = HOSTILE.to_owned();
    detail.deliveries[0].reason = Some(HOSTILE.to_owned());
    let desk = FakeDesk::with(vec![detail.clone()]);
    let mut message = sample::message(detail.incident, Purpose::Firing, sample::room());
    message.recipient.name = HOSTILE.to_owned();
    message.ack_url = "javascript:alert(1)".to_owned();
    let record = |channel| {
        sample::delivery(
            message.incident.id,
            Purpose::Firing,
            channel,
            sample::room(),
            Fate::Delivered,
        )
    };
    desk.show(vec![
        (message.clone(), record(ChannelKind::Chat)),
        (message.clone(), record(ChannelKind::Sms)),
    ]);
    let web = Web::open(desk).await;
    let one = format!("/incidents/{}", sample::incident(1).id);
    for path in [
        "/",
        &one,
        "/inbox",
        "/fragments/incidents",
        "/fragments/inbox",
        "/a/good-token",
    ] {
        for language in ["en", "ko"] {
            let page = web.get_with(path, &[("accept-language", language)]).await;
            assert_eq!(page.status, StatusCode::OK, "{path}");
            for tag in ["<script>alert", "<img src=x", "javascript:", "\"'><"] {
                assert!(!page.text.contains(tag), "{tag} in {path}:\n{}", page.text);
            }
        }
    }
}

#[tokio::test]
async fn every_page_forbids_whatever_is_not_ours() {
    let web = Web::open(FakeDesk::sample()).await;
    for path in [
        "/",
        "/inbox",
        "/a/good-token",
        "/a/unknown",
        "/api/v1/incidents",
        "/static/console.css",
    ] {
        let page = web.get(path).await;
        let policy = page.header("content-security-policy");
        contains_all(
            policy,
            &[
                "default-src 'none'",
                "script-src 'self'",
                "frame-ancestors 'none'",
            ],
        );
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(page.header("x-content-type-options"), "nosniff", "{path}");
        assert!(!page.text.contains(" style="), "no inline styles in {path}");
        assert!(
            !page.text.contains(" onclick="),
            "no inline handlers in {path}"
        );
    }
    assert!(
        web.get("/static/console.js")
            .await
            .header("cache-control")
            .contains("immutable")
    );
    assert_eq!(web.get("/").await.header("cache-control"), "no-store");
    assert_eq!(web.get("/static/other").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn buttons_act_and_lead_back() {
    let web = Web::open(FakeDesk::sample()).await;
    let id = sample::incident(1).id;
    let answer = web
        .form(&format!("/incidents/{id}/ack"), "back=incident")
        .await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
    assert_eq!(answer.header("location"), format!("/incidents/{id}"));
    let answer = web
        .form(
            &format!("/incidents/{id}/close"),
            "back=https://evil.example&until_resolved=true",
        )
        .await;
    assert_eq!(answer.header("location"), "/");
    let done = web.desk.done();
    assert_eq!(
        done,
        [
            format!("ack {id} console  console"),
            format!("close {id} console console true")
        ]
    );
    let page = web.get("/").await.text;
    contains_all(&page, &["All quiet", "Closed lately"]);
}

#[tokio::test]
async fn a_form_that_is_not_ours_does_nothing() {
    let web = Web::open(FakeDesk::sample()).await;
    let path = format!("/incidents/{}/ack", sample::incident(1).id);
    let cookie = web.get("/").await.cookie("bongsu_csrf");
    let value = cookie.split_once('=').unwrap().1;
    let (form, ours) = (("content-type", FORM), ("cookie", &*cookie));
    let right = format!("csrf={value}");
    let other = format!("csrf={}", "0".repeat(32));
    for (headers, body) in [
        (vec![form], right.as_str()),
        (vec![form, ours], ""),
        (vec![form, ours], "csrf="),
        (vec![form, ours], &other),
        (vec![form, ours, ("origin", "https://evil.example")], &right),
        (vec![form, ours, ("sec-fetch-site", "cross-site")], &right),
        (vec![form, ours, ("host", "evil.example")], &right),
    ] {
        let answer = web.post(&path, &headers, body).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{headers:?} {body}");
    }
    assert!(web.desk.done().is_empty());
    let cookie = web.get("/").await;
    let set = cookie.header("set-cookie");
    contains_all(set, &["HttpOnly", "SameSite=Strict", "Secure", "Path=/"]);
}

#[tokio::test]
async fn with_a_token_people_sign_in_and_out() {
    let web = Web::guarded(FakeDesk::sample()).await;
    let id = sample::incident(1).id;
    let one = format!("/incidents/{id}");
    for (path, to) in [
        ("/", "/login?next=/".to_owned()),
        (&one, format!("/login?next={one}")),
        ("/events", "/login?next=/".to_owned()),
    ] {
        let answer = web.get(path).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path}");
        assert_eq!(answer.header("location"), to);
    }
    // A link in a chat message: the strict cookie stays away, so the page asks itself again.
    let from_chat = web
        .get_with(&one, &[("sec-fetch-site", "cross-site")])
        .await;
    contains_all(&from_chat.text, &["http-equiv=\"refresh\"", &one]);
    contains_all(
        &web.get("/login").await.text,
        &["API token", "type=\"password\""],
    );
    let wrong = web
        .post("/login", &[("content-type", FORM)], "token=wrong&next=/")
        .await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    contains_all(&wrong.text, &["This token is not the one."]);
    for (next, to) in [
        (one.as_str(), one.as_str()),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
    ] {
        let body = format!("token={TOKEN}&next={next}");
        let answer = web.post("/login", &[("content-type", FORM)], &body).await;
        assert_eq!(answer.header("location"), to, "{next}");
    }
    let signed = web
        .post(
            "/login",
            &[("content-type", FORM)],
            &format!("token={TOKEN}"),
        )
        .await;
    contains_all(
        signed.header("set-cookie"),
        &["HttpOnly", "SameSite=Strict", "Secure", "Max-Age=43200"],
    );
    let session = signed.cookie("bongsu_session");
    let page = web.get_with("/", &[("cookie", &session)]).await;
    assert_eq!(page.status, StatusCode::OK);
    let csrf = page.cookie("bongsu_csrf");
    let cookies = format!("{session}; {csrf}");
    let headers = [("content-type", FORM), ("cookie", &*cookies)];
    let body = format!("csrf={}", csrf.split_once('=').unwrap().1);
    let answer = web.post(&format!("{one}/ack"), &headers, &body).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
    let out = web.post("/logout", &headers, &body).await;
    contains_all(out.header("set-cookie"), &["bongsu_session=;", "Max-Age=0"]);
    web.clock
        .advance(std::time::Duration::from_secs(12 * 3_600 + 1));
    let late = web.get_with("/", &[("cookie", &session)]).await;
    assert_eq!(late.status, StatusCode::SEE_OTHER, "the session is over");
}

#[tokio::test]
async fn the_stream_greets_pushes_changes_and_ends_with_the_service() {
    let web = Web::open(FakeDesk::sample()).await;
    let response =
        tower::ServiceExt::oneshot(web.router.clone(), request("GET", "/events", &[], ""))
            .await
            .unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut stream = response.into_body().into_data_stream();
    let mut next = async || {
        let chunk = stream.next().await?.unwrap();
        Some(String::from_utf8(chunk.to_vec()).unwrap())
    };
    contains_all(&next().await.unwrap(), &["event: hello"]);
    web.desk.change(1);
    let id = sample::incident(1).id.to_string();
    contains_all(
        &next().await.unwrap(),
        &["event: change", &id, "\"revision\":7"],
    );
    web.tasks.shutdown().begin();
    assert_eq!(next().await, None, "a drain does not wait for browsers");
}

#[tokio::test]
async fn the_inbox_shows_messages_as_a_room_and_a_phone_would() {
    let desk = FakeDesk::sample();
    let incident = sample::incident(1);
    let id = incident.id;
    let mut late = incident.clone();
    late.status = notifier::core::Status::Acknowledged;
    let mut reply = sample::message(late, Purpose::Acknowledged, sample::room());
    // The store knows the thread of every message, that of the first one too: itself.
    let thread = ProviderRef("inbox:1".to_owned());
    reply.thread = Some(thread.clone());
    let mut root = sample::message(incident.clone(), Purpose::Firing, sample::room());
    root.thread = Some(thread.clone());
    let record = |purpose, channel, to| sample::delivery(id, purpose, channel, to, Fate::Delivered);
    let (chat, sms) = (ChannelKind::Chat, ChannelKind::Sms);
    let mut first = record(Purpose::Firing, chat, sample::room());
    first.reference = Some(thread);
    desk.show(vec![
        (reply, record(Purpose::Acknowledged, chat, sample::room())),
        (
            sample::message(incident, Purpose::Firing, sample::kim()),
            record(Purpose::Firing, sms, sample::kim()),
        ),
        (root, first),
    ]);
    let web = Web::open(desk).await;
    let page = web.get("/inbox").await.text;
    contains_all(
        &page,
        &[
            "# ops-alerts",
            "[P1] FIRING CPU usage is critically high",
            "97.2 % (threshold 90 %)",
            "[P1] ACKNOWLEDGED",
            "김민수",
            "+821012345678",
            "[P1 발생] CPU 사용률이 매우 높습니다",
            "LMS",
            "11-21 13:48",
            "href=\"https://bongsu.example.com/a/x7Kd93mQ\"",
        ],
    );
    let button = format!("action=\"/incidents/{id}/ack\"");
    contains_all(&page, &[&button]);
    let answer = web
        .form(&format!("/incidents/{id}/ack"), "back=inbox")
        .await;
    assert_eq!(answer.header("location"), "/inbox");
}

#[tokio::test]
async fn a_messages_link_asks_and_only_its_button_acknowledges() {
    let web = Web::guarded(FakeDesk::sample()).await;
    for method in ["GET", "HEAD"] {
        let page = web.send(request(method, "/a/good-token", &[], "")).await;
        assert_eq!(page.status, StatusCode::OK);
        assert_eq!(page.header("x-robots-tag"), "noindex");
    }
    let page = web.get("/a/good-token").await.text;
    contains_all(
        &page,
        &[
            "<html lang=\"ko\">",
            "확인자: <b>김민수</b>",
            "method=\"post\" action=\"/a/good-token\"",
        ],
    );
    assert!(web.desk.done().is_empty(), "a preview acknowledges nothing");
    let answer = web.post("/a/good-token", &[], "").await;
    assert_eq!(answer.header("location"), "/a/good-token");
    let id = sample::incident(1).id;
    assert_eq!(web.desk.done(), [format!("ack {id} 김민수 kim link")]);
    contains_all(&web.get("/a/good-token").await.text, &["확인되었습니다"]);
    for token in ["unknown", "..%2f..", &"x".repeat(500)] {
        let page = web.get(&format!("/a/{token}")).await;
        assert_eq!(page.status, StatusCode::GONE, "{token}");
        assert_eq!(
            web.post(&format!("/a/{token}"), &[], "").await.status,
            StatusCode::GONE
        );
    }
    web.clock
        .advance(std::time::Duration::from_secs(4 * 86_400));
    let late = web.get("/a/good-token").await;
    assert_eq!(late.status, StatusCode::GONE, "a link runs out");
    assert_eq!(web.desk.done().len(), 1);
}
