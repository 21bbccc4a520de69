//! A whole notifier of the tests with two tenants: each with an incident, a silence, an integration, and words that only it
//! may see.

use super::service::Ground;
use model::TenantId;
use notifier::app::{Running, start_with};
use notifier::config::Config;
use notifier::core::Directory;
use notifier::io::channel::Channels;
use notifier::io::directory::{Integrations, People};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use runtime::{Clock, Context, Shutdown};
use schemas::catalogue::{Integration, IntegrationFormat, Token};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The token of the configuration: the role admin in every tenant.
pub const ADMIN: &str = "canary-token-of-the-configuration";

struct Desk(Arc<Directory>, Arc<Integrations>);

impl People for Desk {
    fn directory(&self) -> Arc<Directory> {
        Arc::clone(&self.0)
    }

    fn integrations(&self) -> Arc<Integrations> {
        Arc::clone(&self.1)
    }
}

/// The notifier.
pub struct Site {
    pub url: String,
    pub client: Client,
    pub clock: Clock,
    _running: Running,
    folder: tempfile::TempDir,
}

fn integration(name: &str, tenant: &str, format: IntegrationFormat) -> Arc<Integration> {
    let hash: [u8; 32] = Sha256::digest(format!("key-{name}").as_bytes()).into();
    Arc::new(Integration {
        integration: name.to_owned(),
        tenant: TenantId::parse(tenant).unwrap(),
        format,
        tokens: vec![Token {
            sha256: schemas::catalogue::Sha256(hash),
            note: None,
        }],
        mapping: None,
        every: None,
    })
}

impl Site {
    /// With the token of the configuration and what `change` makes of the rest.
    pub async fn new(change: impl FnOnce(&mut Config)) -> Self {
        runtime::tls::install_provider();
        let ground = Ground::new().await;
        let token = ground.folder.path().join("token");
        std::fs::write(&token, ADMIN).unwrap();
        let mut config = Config {
            api_token_file: Some(token),
            inbox: true,
            ..ground.config()
        };
        change(&mut config);
        let Ground { folder, clock, log } = ground;
        let ctx = Context::at(clock.clone(), Shutdown::new());
        let integrations = Integrations::of([
            integration("acme", "acme", IntegrationFormat::Standard),
            integration("beta", "beta", IntegrationFormat::Standard),
            integration("acme-am", "acme", IntegrationFormat::Alertmanager),
            integration("beta-am", "beta", IntegrationFormat::Alertmanager),
        ]);
        let tenants = ["acme", "beta"].map(|id| (TenantId::parse(id).unwrap(), id.to_owned()));
        let directory = Directory {
            tenants: tenants.into(),
            ..Directory::default()
        };
        let people = Arc::new(Desk(Arc::new(directory), Arc::new(integrations)));
        let running = start_with(config, log, Channels::new([]), people, ctx)
            .await
            .unwrap();
        let client = Client::builder().redirect(Policy::none()).build().unwrap();
        Self {
            url: format!("http://{}", running.address()),
            client,
            clock,
            _running: running,
            folder,
        }
    }

    /// The embedded database.
    pub fn database(&self) -> PathBuf {
        self.folder.path().join("incidents.db")
    }

    pub fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        self.client.request(method, format!("{}{path}", self.url))
    }

    /// Asks the API with a token.
    pub async fn api(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: Option<Value>,
    ) -> (StatusCode, Value) {
        let mut request = self.request(method, path).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        let json = serde_json::from_str(&text);
        (status, json.unwrap_or_else(|_| panic!("no JSON: {text}")))
    }

    /// A new token of the API.
    pub async fn token(&self, name: &str, role: &str, tenants: &[&str]) -> String {
        // Of one name the newer ones count: no two are made at one time.
        self.clock.advance(Duration::from_millis(1));
        let body = json!({"name": name, "role": role, "tenants": tenants});
        let (status, made) = self.api("POST", "/api/v1/tokens", ADMIN, Some(body)).await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
        made["token"].as_str().unwrap().to_owned()
    }

    /// Lets a tenant's integration report an incident; its id once it is there.
    pub async fn incident(&self, tenant: &str) -> String {
        let path = format!("/integration/standard/v1/key-{tenant}");
        let body = json!({"summary": format!("canary-{tenant}"), "event_id": "1"});
        let answer = self.request("POST", &path).json(&body).send().await;
        assert_eq!(answer.unwrap().status(), StatusCode::OK);
        let path = format!("/api/v1/incidents?tenant={tenant}");
        let looks = async {
            loop {
                let (_, list) = self.api("GET", &path, ADMIN, None).await;
                if let Some(id) = list["incidents"][0]["id"].as_str() {
                    return id.to_owned();
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let found = tokio::time::timeout(Duration::from_secs(60), looks).await;
        found.expect("the incident comes")
    }

    /// A silence of a tenant, or of all; its id.
    pub async fn silence(&self, token: &str, tenant: Option<&str>) -> String {
        let who = tenant.unwrap_or("everyone");
        let body = json!({
            "tenant": tenant, "matchers": [format!("host=canary-{who}")], "author": "kim",
            "comment": format!("canary-{who}"), "for": "2h",
        });
        let (status, made) = self
            .api("POST", "/api/v1/silences", token, Some(body))
            .await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
        made["id"].as_str().unwrap().to_owned()
    }

    /// Signs in with a token; the cookies of the session and of the forms, and the value of the latter.
    pub async fn sign_in(&self, token: &str) -> (String, String) {
        let form = [("token", token)];
        let answer = self
            .request("POST", "/login")
            .form(&form)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        let session = cookie(&answer, "bongsu_session");
        let page = self
            .request("GET", "/")
            .header("cookie", &session)
            .send()
            .await;
        let page = page.unwrap();
        assert_eq!(page.status(), StatusCode::OK);
        let csrf = cookie(&page, "bongsu_csrf");
        let value = csrf.split_once('=').unwrap().1.to_owned();
        (format!("{session}; {csrf}"), value)
    }
}

/// `name=value` of a cookie that an answer sets.
pub fn cookie(answer: &reqwest::Response, name: &str) -> String {
    let all = answer.headers().get_all("set-cookie").iter();
    let mut all = all.map(|value| value.to_str().unwrap());
    let found = all.find(|cookie| cookie.starts_with(name));
    let found = found.unwrap_or_else(|| panic!("no cookie {name}"));
    found.split(';').next().unwrap().to_owned()
}
