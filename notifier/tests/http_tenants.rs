//! Row 31: whatever somebody of one tenant sends to whatever route, nothing of another tenant is answered or changed.

mod support;

use reqwest::StatusCode;
use runtime::{Declared, Rule};
use serde_json::{Value, json};
use std::time::Duration;
use support::site::{ADMIN, Site};

/// What belongs to the tenant `beta`.
struct Beta {
    incident: String,
    silence: String,
    token: String,
}

impl Beta {
    async fn of(site: &Site) -> Self {
        let token = site.token("canary-beta", "admin", &["beta"]).await;
        Self {
            incident: site.incident("beta").await,
            silence: site.silence(&token, Some("beta")).await,
            token,
        }
    }

    /// A route's address with what is beta's in it.
    fn address(&self, path: &str) -> String {
        let id = match path {
            path if path.contains("silence") => &self.silence,
            path if path.contains("tokens") => "ffffffffffffffffffffffffffffffff",
            _ => &self.incident,
        };
        let path = path.replace("{id}", id).replace("{key}", "key-acme-am");
        path.replace("{token}", "guess")
            .replace("{name}", "console.css")
    }

    /// Everything of beta's that a program can ask for.
    async fn state(&self, site: &Site) -> Vec<Value> {
        let mut all = Vec::new();
        for path in [
            format!("/api/v1/incidents/{}", self.incident),
            format!("/api/v1/silences/{}", self.silence),
            "/api/v1/silences".to_owned(),
            "/api/v1/tokens".to_owned(),
        ] {
            let (status, found) = site.api("GET", &path, &self.token, None).await;
            assert_eq!(status, StatusCode::OK, "{path}: {found}");
            all.push(found);
        }
        all
    }
}

/// Bodies that a route of the API understands and that name what is beta's.
fn body(beta: &Beta) -> Value {
    json!({
        "by": "kim", "to": "kim", "text": "canary", "for": "1h", "into": beta.incident,
        "priority": "P3", "tenant": "beta", "tenants": ["beta"], "name": "x", "role": "viewer",
        "matchers": ["host=x"], "author": "kim", "comment": "x",
    })
}

/// Of [`body`], what the route takes, since others are refused for their form.
fn fitting(path: &str, body: &Value) -> Value {
    let wanted: &[&str] = match path.rsplit('/').next() {
        Some("ack" | "close") => &["by"],
        Some("assign") => &["by", "to"],
        Some("comment") => &["by", "text"],
        Some("snooze") => &["by", "for"],
        Some("merge") => &["by", "into"],
        Some("priority") => &["by", "priority"],
        Some("tokens") => &["name", "role", "tenants"],
        _ => &["tenant", "matchers", "author", "comment", "for"],
    };
    let pairs = wanted
        .iter()
        .map(|name| ((*name).to_owned(), body[*name].clone()));
    Value::Object(pairs.collect())
}

/// Who sends, and how.
enum Sender {
    Nobody,
    Bearer(String),
    Browser(String, String),
}

/// What a route answers to a sender, as far as it comes.
async fn ask(site: &Site, route: Declared, beta: &Beta, sender: &Sender) -> (StatusCode, String) {
    let mut request = site.request(route.method, &beta.address(route.path));
    request = request
        .header("x-tenant", "beta")
        .header("x-scope-orgid", "beta");
    request = match sender {
        Sender::Nobody => request,
        Sender::Bearer(token) => request.bearer_auth(token),
        Sender::Browser(cookies, _) => request.header("cookie", cookies),
    };
    request = match (route.method, sender) {
        ("POST", Sender::Browser(_, csrf)) => request.form(&[("csrf", csrf)]),
        ("POST", _) => request.json(&fitting(route.path, &body(beta))),
        _ => request.query(
            &[("tenant", "beta")].as_slice()[..usize::from(
                route.path.ends_with("incidents") || route.path.ends_with("silences"),
            )],
        ),
    };
    let mut answer = request.send().await.unwrap();
    let status = answer.status();
    let mut text = format!("{:?}", answer.headers());
    if route.path == "/events" {
        // A stream does not end; what greets is its first part.
        let first = answer.chunk().await.unwrap();
        text += &String::from_utf8_lossy(&first.unwrap_or_default());
    } else {
        text += &answer.text().await.unwrap();
    }
    (status, text)
}

#[tokio::test(flavor = "multi_thread")]
async fn row_31_no_route_answers_or_changes_what_is_another_tenants() {
    let site = Site::new(|_| ()).await;
    let beta = Beta::of(&site).await;
    site.incident("acme").await;
    let before = beta.state(&site).await;
    let mut senders = vec![("nobody", Sender::Nobody)];
    for role in ["viewer", "responder", "operator", "admin"] {
        let token = site.token(&format!("acme-{role}"), role, &["acme"]).await;
        let (cookies, csrf) = site.sign_in(&token).await;
        senders.push((role, Sender::Bearer(token)));
        senders.push((role, Sender::Browser(cookies, csrf)));
    }
    for key in ["key-acme", "key-acme-am", "bongsu_acme_agent"] {
        senders.push((key, Sender::Bearer(key.to_owned())));
    }
    let table = notifier::io::http::table();
    let mut asked = 0;
    for route in table {
        // These end the session of whoever asks, which tells nothing of another.
        if route.path == "/logout" {
            continue;
        }
        for (name, sender) in &senders {
            let (status, text) = ask(&site, route, &beta, sender).await;
            let what = format!("{} {} as {name}: {status} {text}", route.method, route.path);
            for canary in ["canary-beta", &beta.token, "\"beta\""] {
                assert!(!text.contains(canary), "{what}");
            }
            if let (Sender::Nobody, Some(_)) = (sender, route.rule.role()) {
                let refused = [StatusCode::UNAUTHORIZED, StatusCode::SEE_OTHER];
                assert!(refused.contains(&status), "{what}");
            }
            assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR, "{what}");
            asked += 1;
        }
    }
    assert_eq!(
        beta.state(&site).await,
        before,
        "something of beta's was changed"
    );
    assert!(asked > 500, "every route was asked by everybody: {asked}");
    // The same questions, asked by whoever may: the canary is there to be seen.
    let (_, list) = site.api("GET", "/api/v1/incidents", ADMIN, None).await;
    assert!(list.to_string().contains("canary-beta"), "{list}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_may_what_the_table_says_and_no_more() {
    let site = Site::new(|_| ()).await;
    let incident = site.incident("acme").await;
    let mut silence = site.silence(ADMIN, Some("acme")).await;
    for (n, role) in model::Role::ALL.into_iter().enumerate() {
        let token = site
            .token(&format!("t-{role}"), role.as_str(), &["acme"])
            .await;
        // People are the company's, and no tenant's.
        let everywhere = site
            .token(&format!("all-{role}"), role.as_str(), &["*"])
            .await;
        for route in notifier::io::http::table() {
            let Rule::Api(least) = route.rule else {
                continue;
            };
            let id = if route.path.contains("silences") {
                &silence
            } else {
                &incident
            };
            let path = route.path.replace("{id}", id);
            let body = match path.rsplit('/').next() {
                Some("comment") => json!({"text": "x"}),
                Some("tokens") => {
                    json!({"name": format!("n-{n}"), "role": "viewer", "tenants": ["acme"]})
                }
                Some("silences" | "preview") => json!({
                    "tenant": "acme", "matchers": ["host=x"], "author": "kim", "comment": "x", "for": "1h",
                }),
                Some("assign") => json!({"to": "kim"}),
                Some("snooze") => json!({"for": "1h"}),
                Some("merge") => json!({"into": "ffffffffffffffffffffffffffffffff"}),
                Some("priority") => json!({"priority": "P2"}),
                _ => json!({}),
            };
            let token = match path.starts_with("/api/v1/contacts") {
                true => &everywhere,
                false => &token,
            };
            let mut request = site.request(route.method, &path).bearer_auth(token);
            if route.method == "POST" {
                request = request.json(&body);
            }
            let answer = request.send().await.unwrap();
            let status = answer.status();
            let text = answer.text().await.unwrap();
            let denied = status == StatusCode::FORBIDDEN;
            assert_eq!(
                denied,
                role < least,
                "{role}: {} {path}: {status} {text}",
                route.method
            );
            if denied {
                assert!(
                    text.contains(least.as_str()),
                    "it says what is needed: {text}"
                );
            }
        }
        let (status, said) = site.api("GET", "/api/v1/contacts", &token, None).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{said}");
        assert!(said.to_string().contains("every tenant"), "{said}");
        // An operator ended it.
        silence = site.silence(ADMIN, Some("acme")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_of_changes_tells_of_ones_own_tenants_alone() {
    let site = Site::new(|_| ()).await;
    let (acme, beta) = (site.incident("acme").await, site.incident("beta").await);
    let token = site.token("acme-viewer", "viewer", &["acme"]).await;
    let (cookies, _) = site.sign_in(&token).await;
    let stream = site.request("GET", "/events").header("cookie", cookies);
    let mut stream = stream.send().await.unwrap();
    let hello = stream.chunk().await.unwrap().unwrap();
    assert!(
        hello.starts_with(b"event: hello") || hello.starts_with(b"retry"),
        "{hello:?}"
    );
    // Beta's comes first; what is heard first is acme's.
    for id in [&beta, &acme] {
        let path = format!("/api/v1/incidents/{id}/comment");
        let (status, _) = site
            .api("POST", &path, ADMIN, Some(json!({"text": "hm"})))
            .await;
        assert_eq!(status, StatusCode::OK);
    }
    let mut heard = String::new();
    let hears = async {
        while !heard.contains(&acme) {
            let part = stream.chunk().await.unwrap().unwrap();
            heard += &String::from_utf8_lossy(&part);
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(30), hears).await;
    assert!(in_time.is_ok() && !heard.contains(&beta), "{heard}");
}
