//! The API: its routes, its errors, and who is let in.

mod support;

use axum::http::StatusCode;
use model::{Priority, TenantId};
use notifier::Config;
use notifier::commands::IncidentDetail;
use notifier::core::Status;
use notifier::io::http::{Settings, SettingsError};
use support::desk::FakeDesk;
use support::sample;
use support::web::{FORM, TOKEN, Web};

const JSON: (&str, &str) = ("content-type", "application/json");

fn detail(number: u8, tenant: &str, priority: Priority, status: Status) -> IncidentDetail {
    let mut incident = sample::incident(number);
    incident.tenant = TenantId::parse(tenant).unwrap();
    (incident.priority, incident.status) = (priority, status);
    IncidentDetail {
        incident,
        timeline: Vec::new(),
        deliveries: Vec::new(),
    }
}

fn three() -> FakeDesk {
    FakeDesk::with(vec![
        detail(1, "acme", Priority::P1, Status::Open),
        detail(2, "beta", Priority::P2, Status::Acknowledged),
        detail(3, "acme", Priority::P3, Status::Closed),
    ])
}

#[tokio::test]
async fn incidents_are_listed_by_state_tenant_and_priority_and_in_pages() {
    let web = Web::open(three()).await;
    for (query, expected) in [
        ("", &["01", "02", "03"][..]),
        ("?state=open", &["01"]),
        ("?state=open,acknowledged", &["01", "02"]),
        ("?tenant=acme", &["01", "03"]),
        ("?tenant=acme&state=closed", &["03"]),
        ("?priority=P2,P3", &["02", "03"]),
        ("?q=nothing", &[]),
        ("?limit=2", &["01", "02"]),
    ] {
        let answer = web.get(&format!("/api/v1/incidents{query}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{query}: {}", answer.text);
        let json = answer.json();
        let found = json["incidents"].as_array().unwrap().iter();
        let found: Vec<_> = found
            .map(|incident| &incident["id"].as_str().unwrap()[..2])
            .collect();
        assert_eq!(found, expected, "{query}");
        assert_eq!(json["next"].is_string(), query == "?limit=2");
    }
}

#[tokio::test]
async fn what_cannot_be_asked_is_a_problem() {
    let web = Web::open(three()).await;
    for (path, status, part) in [
        ("/api/v1/incidents?state=opened", 400, "one of"),
        ("/api/v1/incidents?priority=p1", 400, "P1"),
        ("/api/v1/incidents?tenant=A!", 400, "tenant id"),
        ("/api/v1/incidents?limit=0", 400, "1 to 500"),
        ("/api/v1/incidents?limit=501", 400, "1 to 500"),
        ("/api/v1/incidents?sort=age", 400, "unknown field"),
        ("/api/v1/incidents?cursor=zzz", 400, "cursor"),
        ("/api/v1/incidents/xyz", 404, "32 hexadecimal digits"),
        ("/api/v1/nothing", 404, "openapi.json"),
        (
            "/api/v1/incidents/ffffffffffffffffffffffffffffffff",
            404,
            "no incident",
        ),
    ] {
        let answer = web.get(path).await;
        assert_eq!(answer.status.as_u16(), status, "{path}: {}", answer.text);
        assert_eq!(
            answer.header("content-type"),
            "application/problem+json",
            "{path}"
        );
        let problem = answer.json();
        assert_eq!(problem["status"], status);
        assert!(
            problem["detail"].as_str().unwrap().contains(part),
            "{path}: {problem}"
        );
    }
    let answer = web.post("/api/v1/incidents", &[], "").await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer.header("content-type"), "application/problem+json");
}

#[tokio::test]
async fn an_incident_comes_with_its_timeline_and_deliveries() {
    let web = Web::open(FakeDesk::sample()).await;
    let id = sample::incident(1).id;
    let json = web.get(&format!("/api/v1/incidents/{id}")).await.json();
    assert_eq!(json["id"], id.to_string());
    assert_eq!(json["started_at"], "2026-11-21T04:48:00Z");
    assert_eq!(json["due_at"], "2026-11-21T05:04:32Z");
    assert_eq!(json["group"]["host"], "web-1");
    assert_eq!(json["timeline"][3]["by"], "Lee Jiwon");
    assert_eq!(json["timeline"][3]["via"], "chat");
    assert_eq!(json["deliveries"][1]["fate"], "accepted");
    assert_eq!(json["deliveries"][1]["contact"], "kim");
    assert!(
        json["deliveries"][1].get("address").is_none(),
        "no phone numbers in the API"
    );
}

#[tokio::test]
async fn acknowledging_and_closing_name_who_and_how_and_repeat_without_effect() {
    let web = Web::open(FakeDesk::sample()).await;
    let id = sample::incident(1).id;
    let path = format!("/api/v1/incidents/{id}/ack");
    let first = web
        .post(&path, &[JSON], r#"{"by":"kim","via":"cli"}"#)
        .await
        .json();
    assert_eq!(
        (&first["changed"], &first["incident"]["state"]),
        (&true.into(), &"acknowledged".into())
    );
    let again = web.post(&path, &[], "").await.json();
    assert_eq!(
        (&again["changed"], &again["why"]),
        (&false.into(), &"it is so already".into())
    );
    let close = format!("/api/v1/incidents/{id}/close");
    web.post(&close, &[JSON], r#"{"until_resolved":true}"#)
        .await;
    let done = web.desk.done();
    assert_eq!(
        done,
        [
            format!("ack {id} kim  cli"),
            format!("close {id} api api true")
        ]
    );
    for (body, headers, status) in [
        ("{", &[JSON][..], 400),
        (r#"{"who":"kim"}"#, &[JSON], 400),
        (r#"{"by":"kim"}"#, &[("content-type", "text/plain")], 415),
        ("by=kim", &[("content-type", FORM)], 415),
    ] {
        let answer = web.post(&path, headers, body).await;
        assert_eq!(answer.status.as_u16(), status, "{body}: {}", answer.text);
    }
    let nobody = "/api/v1/incidents/ffffffffffffffffffffffffffffffff/ack";
    assert_eq!(
        web.post(nobody, &[], "").await.status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(web.desk.done().len(), 2);
}

#[tokio::test]
async fn with_a_token_nothing_is_answered_without_it() {
    let web = Web::guarded(FakeDesk::sample()).await;
    let id = sample::incident(1).id;
    let bearer = format!("Bearer {TOKEN}");
    let paths = [
        ("GET", "/api/v1/incidents".to_owned()),
        ("GET", format!("/api/v1/incidents/{id}")),
        ("GET", "/api/v1/openapi.json".to_owned()),
        ("POST", format!("/api/v1/incidents/{id}/ack")),
        ("POST", format!("/api/v1/incidents/{id}/close")),
    ];
    for (method, path) in &paths {
        for credential in ["", "Bearer wrong", "Basic YTpi"] {
            let request = support::web::request(method, path, &[("authorization", credential)], "");
            let answer = web.send(request).await;
            assert_eq!(
                answer.status,
                StatusCode::UNAUTHORIZED,
                "{path} {credential}"
            );
            assert_eq!(answer.header("www-authenticate"), "Bearer");
        }
    }
    assert!(web.desk.done().is_empty());
    for (method, path) in &paths {
        let request = support::web::request(method, path, &[("authorization", &bearer)], "");
        assert_eq!(web.send(request).await.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn a_foreign_page_can_neither_read_nor_act_through_the_loopback() {
    let web = Web::open(FakeDesk::sample()).await;
    let path = format!("/api/v1/incidents/{}/ack", sample::incident(1).id);
    for headers in [
        [
            ("origin", "https://evil.example"),
            ("host", "127.0.0.1:8189"),
        ],
        [("sec-fetch-site", "cross-site"), ("host", "127.0.0.1:8189")],
        [
            ("origin", "http://evil.example:8189"),
            ("host", "evil.example:8189"),
        ],
    ] {
        let answer = web.post(&path, &headers, "").await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{headers:?}");
    }
    let rebound = web
        .get_with("/api/v1/incidents", &[("host", "evil.example:8189")])
        .await;
    assert_eq!(rebound.status, StatusCode::FORBIDDEN);
    assert!(web.desk.done().is_empty());
}

#[tokio::test]
async fn the_api_describes_itself() {
    let web = Web::open(FakeDesk::sample()).await;
    let document = web.get("/api/v1/openapi.json").await.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    assert!(document["paths"]["/api/v1/incidents/{id}/close"]["post"].is_object());
    assert_eq!(
        document["components"]["securitySchemes"]["token"]["scheme"],
        "bearer"
    );
}

#[test]
fn an_open_address_without_a_token_is_refused_with_what_to_do() {
    let error = Settings::new(&Config::default(), "0.0.0.0:8189".parse().unwrap()).unwrap_err();
    assert!(matches!(error, SettingsError::Open { .. }));
    let text = error.to_string();
    assert!(
        text.contains("0.0.0.0:8189") && text.contains("api_token_file"),
        "{text}"
    );
}

fn oidc() -> notifier::config::Oidc {
    notifier::config::Oidc {
        issuer: "https://id.example.com".to_owned(),
        client_id: "bongsu".to_owned(),
        client_secret_file: None,
        ca_file: None,
        scopes: vec!["openid".to_owned()],
        name_claim: "email".to_owned(),
        groups_claim: "groups".to_owned(),
        grants: vec![notifier::config::GroupRole {
            group: "ops".to_owned(),
            role: "operator".to_owned(),
            tenants: vec!["*".to_owned()],
        }],
    }
}

#[test]
fn row_37_an_empty_secret_refuses_to_start() {
    runtime::tls::install_provider();
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty");
    std::fs::write(&empty, "\n").unwrap();
    let token = Config {
        api_token_file: Some(empty.clone()),
        ..Config::default()
    };
    let client = Config {
        oidc: Some(notifier::config::Oidc {
            client_secret_file: Some(empty.clone()),
            ..oidc()
        }),
        ..Config::default()
    };
    for config in [token, client] {
        let error = Settings::new(&config, "127.0.0.1:8189".parse().unwrap()).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("is empty") && text.contains("empty"),
            "{text}"
        );
    }
}

#[test]
fn an_identity_provider_that_cannot_be_meant_is_refused_with_what_is_wrong() {
    runtime::tls::install_provider();
    let settings = |oidc| {
        let config = Config {
            oidc: Some(oidc),
            ..Config::default()
        };
        Settings::new(&config, "0.0.0.0:8189".parse().unwrap())
    };
    assert!(
        settings(oidc()).is_ok(),
        "people sign in: any address may be listened on"
    );
    type Change = fn(&mut notifier::config::Oidc);
    let changes: [(Change, &str); 6] = [
        (
            |o| o.issuer = "http://id.example.com".to_owned(),
            "https://",
        ),
        (|o| o.issuer = "id.example.com".to_owned(), "no URL"),
        (|o| o.grants.clear(), "nobody could do anything"),
        (|o| o.scopes.clear(), "openid"),
        (|o| o.grants[0].role = "root".to_owned(), "one of viewer"),
        (|o| o.grants[0].tenants.clear(), "tenants"),
    ];
    for (change, part) in changes {
        let mut wrong = oidc();
        change(&mut wrong);
        let text = settings(wrong).unwrap_err().to_string();
        assert!(
            text.contains(part) && text.contains("notifier.oidc"),
            "{text}"
        );
    }
}
