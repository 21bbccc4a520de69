//! Tokens and sessions over a whole notifier, and the audit log of what was done with them.

mod support;

use notifier::core::audit_log::{Broken, Happened, Linked, Walk};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::Executor as _;
use sqlx::any::AnyPoolOptions;
use support::site::{ADMIN, Site};

const TOKENS: &str = "/api/v1/tokens";

/// Whether a token lets in.
async fn lets_in(site: &Site, token: &str) -> bool {
    let (status, _) = site.api("GET", "/api/v1/incidents", token, None).await;
    match status {
        StatusCode::OK => true,
        StatusCode::UNAUTHORIZED => false,
        other => panic!("{other}"),
    }
}

async fn tokens(site: &Site, of: &str) -> Vec<Value> {
    let (_, list) = site.api("GET", TOKENS, of, None).await;
    list["tokens"].as_array().unwrap().clone()
}

/// The audit log as its API tells it.
async fn log(site: &Site) -> Vec<Linked> {
    let (status, part) = site
        .api("GET", "/api/v1/audit?limit=1000", ADMIN, None)
        .await;
    assert_eq!(status, StatusCode::OK);
    let text = |entry: &Value, name: &str| entry[name].as_str().unwrap().to_owned();
    let entry = |entry: &Value| Linked {
        number: entry["number"].as_u64().unwrap(),
        before: text(entry, "before"),
        hash: text(entry, "hash"),
        happened: Happened {
            at: text(entry, "at"),
            kind: text(entry, "kind"),
            actor: text(entry, "actor"),
            via: text(entry, "via"),
            tenant: entry["tenant"].as_str().map(str::to_owned),
            subject: text(entry, "subject"),
            detail: text(entry, "detail"),
        },
    };
    part["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(entry)
        .collect()
}

fn walked(log: &[Linked]) -> Result<(u64, String), Broken> {
    let mut walk = Walk::new(None);
    log.iter().try_for_each(|entry| walk.take(entry))?;
    walk.end()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_shown_once_and_two_of_a_name_are_valid_until_one_is_revoked() {
    let site = Site::new(|_| ()).await;
    let first = site.token("ci", "viewer", &["acme"]).await;
    let second = site.token("ci", "viewer", &["acme"]).await;
    assert!(first.starts_with("bongsu_api_") && first.len() == "bongsu_api_".len() + 43);
    assert!(lets_in(&site, &first).await && lets_in(&site, &second).await);
    let third = site.token("ci", "viewer", &["acme"]).await;
    assert!(
        !lets_in(&site, &first).await,
        "the oldest of three is revoked"
    );
    assert!(lets_in(&site, &second).await && lets_in(&site, &third).await);
    let listed = tokens(&site, ADMIN).await;
    assert_eq!(listed.len(), 3);
    let text = serde_json::to_string(&listed).unwrap();
    for secret in [&first, &second, &third] {
        assert!(!text.contains(secret.as_str()));
    }
    let id = listed
        .iter()
        .find(|one| one["revoked_at"].is_null())
        .unwrap();
    let id = id["id"].as_str().unwrap();
    let (status, ended) = site
        .api("DELETE", &format!("{TOKENS}/{id}"), ADMIN, None)
        .await;
    assert_eq!(status, StatusCode::OK);
    assert!(ended["revoked_at"].is_string());
    let both = [lets_in(&site, &second).await, lets_in(&site, &third).await];
    assert_eq!(
        both.iter().filter(|valid| **valid).count(),
        1,
        "the revoked one is refused at once"
    );
    let file = std::fs::read(site.database()).unwrap();
    let wal = std::fs::read(site.database().with_extension("db-wal")).unwrap_or_default();
    for secret in [&first, &second, &third] {
        let found = |bytes: &[u8]| {
            bytes
                .windows(secret.len())
                .any(|at| at == secret.as_bytes())
        };
        assert!(
            !found(&file) && !found(&wal),
            "the database holds hashes alone"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_ends_by_its_time_and_its_sessions_with_it() {
    let site = Site::new(|_| ()).await;
    let body = json!({"name": "guest", "role": "viewer", "tenants": ["acme"], "for": "1h"});
    let (_, made) = site.api("POST", TOKENS, ADMIN, Some(body)).await;
    let token = made["token"].as_str().unwrap();
    let (cookies, _) = site.sign_in(token).await;
    let page = async |cookies: &str| {
        let request = site.request("GET", "/").header("cookie", cookies);
        request.send().await.unwrap().status()
    };
    assert_eq!(page(&cookies).await, StatusCode::OK);
    site.clock.advance(std::time::Duration::from_secs(3_601));
    assert!(!lets_in(&site, token).await);
    assert_eq!(page(&cookies).await, StatusCode::SEE_OTHER);
    // Revoked, it takes its sessions along; signed out, a session is over although its cookie is kept.
    let token = site.token("person", "viewer", &["acme"]).await;
    let (kept, _) = site.sign_in(&token).await;
    let (left, csrf) = site.sign_in(&token).await;
    let out = site.request("POST", "/logout").header("cookie", &left);
    let out = out.form(&[("csrf", &csrf)]).send().await.unwrap();
    assert_eq!(out.status(), StatusCode::SEE_OTHER);
    assert_eq!(page(&left).await, StatusCode::SEE_OTHER);
    assert_eq!(page(&kept).await, StatusCode::OK);
    let listed = tokens(&site, ADMIN).await;
    let id = listed.iter().find(|one| one["name"] == "person").unwrap();
    let path = format!("{TOKENS}/{}", id["id"].as_str().unwrap());
    site.api("DELETE", &path, ADMIN, None).await;
    assert_eq!(page(&kept).await, StatusCode::SEE_OTHER);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_of_a_tenant_gives_away_no_more_than_what_is_theirs() {
    let site = Site::new(|_| ()).await;
    let acme = site.token("acme-admin", "admin", &["acme"]).await;
    site.token("beta-admin", "admin", &["beta"]).await;
    for (tenants, status) in [
        (json!(["acme"]), StatusCode::CREATED),
        (json!(["beta"]), StatusCode::FORBIDDEN),
        (json!(["acme", "beta"]), StatusCode::FORBIDDEN),
        (json!(["*"]), StatusCode::FORBIDDEN),
        (json!([]), StatusCode::BAD_REQUEST),
        (json!(["*", "acme"]), StatusCode::BAD_REQUEST),
    ] {
        let body = json!({"name": "new", "role": "viewer", "tenants": tenants});
        let (found, said) = site.api("POST", TOKENS, &acme, Some(body)).await;
        assert_eq!(found, status, "{tenants}: {said}");
    }
    // A slip of a name is no token for nothing.
    let body = json!({"name": "slip", "role": "viewer", "tenants": ["acme", "acmee"]});
    let (found, said) = site.api("POST", TOKENS, ADMIN, Some(body)).await;
    assert_eq!(found, StatusCode::BAD_REQUEST, "{said}");
    let why = said.to_string();
    assert!(why.contains("no tenant `acmee`: add it first"), "{why}");
    let body = json!({"tenant": "acmee", "matchers": ["host=a"], "author": "kim", "comment": "x", "for": "1h"});
    let (found, said) = site
        .api("POST", "/api/v1/silences", ADMIN, Some(body))
        .await;
    assert_eq!(found, StatusCode::BAD_REQUEST, "{said}");
    // A name that another tenant's admin took is not rotated away from them.
    let body = json!({"name": "beta-admin", "role": "viewer", "tenants": ["acme"]});
    let (status, _) = site.api("POST", TOKENS, &acme, Some(body)).await;
    assert_eq!(status, StatusCode::CONFLICT);
    let listed = tokens(&site, &acme).await;
    assert!(
        listed.iter().all(|one| one["tenants"] == json!(["acme"])),
        "{listed:?}"
    );
    for body in [
        json!({"name": "A!", "role": "viewer", "tenants": ["acme"]}),
        json!({"name": "x", "role": "root", "tenants": ["acme"]}),
        json!({"name": "x", "role": "viewer", "tenants": ["acme"], "for": "soon"}),
        json!({"name": "x", "role": "viewer", "tenants": ["acme"], "more": 1}),
    ] {
        let (status, _) = site.api("POST", TOKENS, &acme, Some(body.clone())).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_do_stands_in_the_audit_log_and_a_changed_row_is_found() {
    let site = Site::new(|_| ()).await;
    let token = site.token("ops-bot", "operator", &["acme"]).await;
    let incident = site.incident("acme").await;
    let ack = format!("/api/v1/incidents/{incident}/ack");
    site.api("POST", &ack, &token, Some(json!({"by": "kim"})))
        .await;
    let silence = site.silence(&token, Some("acme")).await;
    let path = format!("/api/v1/silences/{silence}");
    site.api("DELETE", &path, &token, None).await;
    let (cookies, csrf) = site.sign_in(&token).await;
    let out = site.request("POST", "/logout").header("cookie", &cookies);
    out.form(&[("csrf", &csrf)]).send().await.unwrap();
    let entries = log(&site).await;
    let told: Vec<_> = entries
        .iter()
        .map(|entry| &entry.happened)
        .map(|h| (h.kind.as_str(), h.actor.as_str(), h.tenant.as_deref()))
        .collect();
    for expected in [
        ("token made", "api", Some("acme")),
        ("acknowledged", "kim (ops-bot)", Some("acme")),
        ("silence made", "ops-bot", Some("acme")),
        ("silence ended", "ops-bot", Some("acme")),
        ("sign-in", "ops-bot", None),
        ("sign-out", "ops-bot", None),
    ] {
        assert!(told.contains(&expected), "{expected:?} in {told:?}");
    }
    let (number, head) = walked(&entries).unwrap();
    assert_eq!((number as usize, head.len()), (entries.len(), 64));
    assert!(
        !format!("{entries:?}").contains(&token),
        "no secret stands in it"
    );
    // Of an admin of one tenant, only what is that tenant's.
    let other = site.token("beta-admin", "admin", &["beta"]).await;
    let (_, part) = site.api("GET", "/api/v1/audit", &other, None).await;
    let of: Vec<_> = part["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| &e["tenant"])
        .collect();
    assert!(of.iter().all(|tenant| **tenant == json!("beta")), "{of:?}");
    // Somebody with a hand on the database.
    sqlx::any::install_default_drivers();
    let url = format!("sqlite://{}", site.database().display());
    let pool = AnyPoolOptions::new().connect(&url).await.unwrap();
    let change = "UPDATE audit SET actor = 'lee' WHERE kind = 'acknowledged'";
    assert_eq!(pool.execute(change).await.unwrap().rows_affected(), 1);
    let at = entries
        .iter()
        .find(|entry| entry.happened.kind == "acknowledged");
    let at = at.unwrap().number;
    assert_eq!(walked(&log(&site).await), Err(Broken::Changed(at)));
    pool.execute("DELETE FROM audit WHERE kind = 'acknowledged'")
        .await
        .unwrap();
    let missing = Broken::Missing {
        wanted: at,
        found: at + 1,
    };
    assert_eq!(walked(&log(&site).await), Err(missing));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_sent_again_with_its_key_is_done_once_and_answered_alike() {
    let site = Site::new(|_| ()).await;
    let incident = site.incident("acme").await;
    let path = format!("/api/v1/incidents/{incident}/comment");
    let other = site.token("other", "admin", &["acme"]).await;
    let send = async |token: &str, key: &str, text: &str| {
        let request = site.request("POST", &path).bearer_auth(token);
        let request = request.header("idempotency-key", key);
        let answer = request.json(&json!({"text": text})).send().await.unwrap();
        let replayed = answer.headers().contains_key("idempotency-replayed");
        let kind = answer.headers()["content-type"]
            .to_str()
            .unwrap()
            .to_owned();
        (
            answer.status(),
            replayed,
            kind,
            answer.text().await.unwrap(),
        )
    };
    let (status, replayed, kind, first) = send(ADMIN, "k-1", "looking").await;
    assert_eq!((status, replayed), (StatusCode::OK, false), "{first}");
    assert_eq!(
        send(ADMIN, "k-1", "looking").await,
        (status, true, kind, first)
    );
    let (status, _, kind, _) = send(ADMIN, "k-1", "something else").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(kind, "application/problem+json");
    // Another's key of the same name is another key; a bad request is answered alike as well.
    assert!(!send(&other, "k-1", "looking").await.1);
    assert_eq!(send(ADMIN, "k-2", "").await.0, StatusCode::BAD_REQUEST);
    assert!(send(ADMIN, "k-2", "").await.1);
    assert_eq!(
        send(ADMIN, &"k".repeat(201), "x").await.0,
        StatusCode::BAD_REQUEST
    );
    // At once, it is done once: the others are told that it is under way, or what came of it.
    let at_once = (0..8).map(|_| send(ADMIN, "k-3", "at once"));
    let answers = futures_util::future::join_all(at_once).await;
    let done = answers
        .iter()
        .filter(|answer| answer.0 == StatusCode::OK && !answer.1);
    assert_eq!(done.count(), 1);
    let fine = [StatusCode::OK, StatusCode::CONFLICT];
    assert!(answers.iter().all(|answer| fine.contains(&answer.0)));
    let (_, detail) = site
        .api("GET", &path.replace("/comment", ""), ADMIN, None)
        .await;
    let comments = detail["timeline"].as_array().unwrap().iter();
    let texts: Vec<_> = comments
        .filter(|entry| entry["kind"] == "comment")
        .map(|entry| entry["text"].as_str().unwrap().to_owned())
        .collect();
    let times = |text: &str| texts.iter().filter(|found| found.contains(text)).count();
    assert_eq!((times("looking"), times("at once")), (2, 1), "{texts:?}");
    // After a day the key is free.
    site.clock
        .advance(std::time::Duration::from_secs(24 * 3_600 + 1));
    assert!(!send(ADMIN, "k-3", "at once").await.1);
}
