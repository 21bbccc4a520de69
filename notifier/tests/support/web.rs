//! Requests to the routes without a network, and what they answer.

use super::desk::FakeDesk;
use super::sample;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use notifier::Config;
use notifier::config::ServiceWebhook;
use notifier::io::http::{Settings, routes};
use notifier::io::store::Store;
use runtime::{Clock, Shutdown, Tasks};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tower::ServiceExt;

pub const TOKEN: &str = "a-token-of-the-api";
pub const SIGNING_SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";

/// The webhook of the service `ops`.
fn webhook(secret_file: PathBuf) -> BTreeMap<String, ServiceWebhook> {
    BTreeMap::from([("ops".to_owned(), ServiceWebhook { secret_file })])
}

/// A site under test.
pub struct Web {
    pub router: Router,
    pub desk: FakeDesk,
    pub store: Store,
    pub clock: Clock,
    pub tasks: Tasks,
    _secrets: tempfile::TempDir,
}

/// What Telegram's requests carry.
pub const TELEGRAM_SECRET: &str = "telegram-secret_1";
/// Signs what PagerDuty sends.
pub const PAGERDUTY_SECRET: &str = "pagerduty-secret";
/// What Opsgenie's webhook brings.
pub const OPSGENIE_SECRET: &str = "opsgenie-secret";
/// Signs what Twilio sends.
pub const TWILIO_TOKEN: &str = "twilio-token";

/// An answer.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// `name=value` of a cookie that was set.
    pub fn cookie(&self, name: &str) -> String {
        let all = self.headers.get_all(header::SET_COOKIE);
        let found = all
            .iter()
            .map(|value| value.to_str().unwrap())
            .find(|c| c.starts_with(name));
        found
            .unwrap_or_default()
            .split(';')
            .next()
            .unwrap_or_default()
            .to_owned()
    }
}

impl Web {
    /// As `bongsu up` serves it: loopback, no token.
    pub async fn open(desk: FakeDesk) -> Self {
        Self::new(desk, false).await
    }

    /// As it is served to a network: with a token.
    pub async fn guarded(desk: FakeDesk) -> Self {
        Self::new(desk, true).await
    }

    async fn new(desk: FakeDesk, guarded: bool) -> Self {
        let secrets = tempfile::tempdir().unwrap();
        let secret = |name: &str, text: &str| {
            let path = secrets.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let config = Config {
            public_url: "https://bongsu.example.com".to_owned(),
            inbox: true,
            api_token_file: guarded.then(|| secret("token", TOKEN)),
            slack: Some(notifier::config::Slack {
                bot_token_file: secret("bot", "xoxb"),
                signing_secret_file: secret("signing", SIGNING_SECRET),
                api_url: "http://127.0.0.1:9".to_owned(),
            }),
            twilio: Some(notifier::config::Twilio {
                account_sid: "AC00000000000000000000000000000001".to_owned(),
                auth_token_file: secret("twilio", TWILIO_TOKEN),
                alternate_token_file: None,
                sms_from: Some("+15005550006".to_owned()),
                voice_from: Some("+15005550006".to_owned()),
                api_url: "http://127.0.0.1:9".to_owned(),
            }),
            telegram: Some(notifier::config::Telegram {
                bot_token_file: secret("telegram-bot", "123456:ABC"),
                webhook_secret_file: Some(secret("telegram", TELEGRAM_SECRET)),
                rooms: BTreeMap::new(),
                api_url: "http://127.0.0.1:9".to_owned(),
            }),
            pagerduty_webhooks: webhook(secret("pagerduty", PAGERDUTY_SECRET)),
            opsgenie_webhooks: webhook(secret("opsgenie", OPSGENIE_SECRET)),
            ..Config::default()
        };
        let listen: SocketAddr = if guarded {
            "0.0.0.0:8189"
        } else {
            "127.0.0.1:8189"
        }
        .parse()
        .unwrap();
        let settings = Settings::new(&config, listen).unwrap();
        let clock = Clock::manual(sample::NOW.as_nanos());
        let tasks = Tasks::new(Shutdown::new());
        let store = Store::sqlite(&secrets.path().join("incidents.db"))
            .await
            .unwrap();
        let router = routes(
            (Arc::new(desk.clone()), store.clone()),
            settings,
            clock.clone(),
            tasks.clone(),
        );
        let router = router.into_router();
        Self {
            router,
            desk,
            store,
            clock,
            tasks,
            _secrets: secrets,
        }
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let body = axum::body::to_bytes(response.into_body(), 1 << 22)
            .await
            .unwrap();
        Answer {
            status,
            headers,
            text: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.get_with(path, &[]).await
    }

    pub async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(request("GET", path, headers, "")).await
    }

    pub async fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        self.send(request("POST", path, headers, body)).await
    }

    /// Sends a form of the console with the token of its cookie.
    pub async fn form(&self, path: &str, fields: &str) -> Answer {
        let cookie = self.get("/").await.cookie("bongsu_csrf");
        let value = cookie.split_once('=').map_or("", |(_, value)| value);
        let headers = [("content-type", FORM), ("cookie", &*cookie)];
        self.post(path, &headers, &format!("csrf={value}&{fields}"))
            .await
    }
}

pub const FORM: &str = "application/x-www-form-urlencoded";

pub fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", "127.0.0.1:8189");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(body.to_owned())).unwrap()
}
