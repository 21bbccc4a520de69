//! People sign in to the console by a real identity provider; what they may comes from their groups.

// The tests are the outside world: they have real clocks.
#![allow(clippy::disallowed_methods)]

use reqwest::StatusCode;
use serde_json::Value;
use tests::oidc::{Browser, CLIENT, SECRET};
use tests::workdir::Workdir;
use tests::{Bongsu, IdentityProvider, ports, web};

const ADMIN: &str = "canary-token-of-the-configuration";

struct World {
    provider: IdentityProvider,
    bongsu: Bongsu,
    console: String,
    _folder: Workdir,
}

impl World {
    async fn new(algorithm: &str, claims: &str) -> Self {
        let folder = Workdir::new("oidc");
        let console = format!("http://127.0.0.1:{}", ports::free());
        let redirect = format!("{console}/login/callback");
        let provider = IdentityProvider::start(&redirect, algorithm, claims).await;
        let config = format!(
            "router:\n  listen: 127.0.0.1:{{port}}\nnotifier:\n  listen: {}\n  public_url: {console}\n  \
             api_token_file: {{dir}}/token\n  oidc:\n    issuer: {}\n    client_id: {CLIENT}\n    \
             client_secret_file: {{dir}}/secret\n    scopes: [openid, email, groups]\n    grants:\n    \
             - {{group: ops, role: responder, tenants: [default]}}\n    - {{group: admins, role: admin, tenants: ['*']}}\n",
            console.trim_start_matches("http://"),
            provider.issuer(),
        );
        let bongsu = Bongsu::service("up")
            .arg("--data-dir")
            .arg(folder.join("data").display().to_string())
            .arg("--config")
            .arg("{dir}/bongsu.yaml")
            .file("bongsu.yaml", config)
            .file("token", ADMIN)
            .file("secret", SECRET)
            .start()
            .await;
        Self {
            provider,
            bongsu,
            console,
            _folder: folder,
        }
    }

    /// Where the provider leads a browser back to, which signed in as `login`.
    async fn back(&self, browser: &mut Browser, login: &str) -> String {
        let begin = format!("{}/login/provider?next=/", self.console);
        browser
            .signs_in(&begin, self.provider.issuer(), login)
            .await
    }

    /// Kinds and actors of the audit log.
    async fn log(&self) -> Vec<(String, String, String)> {
        let url = format!("{}/api/v1/audit?limit=1000", self.console);
        let answer = web::client().get(url).bearer_auth(ADMIN).send().await;
        let part: Value = answer.expect("it answers").json().await.expect("JSON");
        let entries = part["entries"].as_array().expect("entries").iter();
        let text = |entry: &Value, name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        entries
            .map(|entry| {
                let (kind, actor) = (text(entry, "kind"), text(entry, "actor"));
                (kind, actor, text(entry, "via"))
            })
            .collect()
    }
}

async fn status(browser: &mut Browser, address: &str) -> StatusCode {
    browser.load(address, None).await.status()
}

/// A person with a group signs in, sees and may what the group may, and is named in the audit log.
async fn a_person_signs_in(algorithm: &str, claims: &str) {
    let world = World::new(algorithm, claims).await;
    let (mut kim, home) = (Browser::new(), format!("{}/", world.console));
    assert_eq!(
        status(&mut kim, &home).await,
        StatusCode::SEE_OTHER,
        "not yet"
    );
    let back = world.back(&mut kim, "kim.ops.night").await;
    assert!(
        back.starts_with(&format!("{}/login/callback?", world.console)),
        "{back}"
    );
    let answer = kim.load(&back, None).await;
    let (landed, page) = (answer.status(), answer.text().await.expect("a page"));
    assert_eq!(
        landed,
        StatusCode::SEE_OTHER,
        "{page}\n{}",
        world.bongsu.log()
    );
    assert_eq!(status(&mut kim, &home).await, StatusCode::OK);
    // A session reads the API, and changes nothing through it; what needs more than the group may is refused.
    let api = |path: &str| format!("{}/api/v1/{path}", world.console);
    assert_eq!(status(&mut kim, &api("incidents")).await, StatusCode::OK);
    assert_eq!(status(&mut kim, &api("audit")).await, StatusCode::FORBIDDEN);
    let posted = kim.load(&api("silences"), Some(&[])).await.status();
    assert_eq!(posted, StatusCode::UNAUTHORIZED);
    let sign_in = (
        "sign-in".to_owned(),
        "kim@example.com".to_owned(),
        "oidc:kim.ops.night".to_owned(),
    );
    let log = world.log().await;
    assert!(log.contains(&sign_in), "{log:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_by_a_token_that_is_signed_by_rs256_and_holds_the_groups() {
    a_person_signs_in("RS256", "token").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_by_a_token_that_is_signed_by_es256_and_the_provider_tells_the_groups() {
    a_person_signs_in("ES256", "userinfo").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_replayed_forged_or_anothers_signs_nobody_in() {
    let mut world = World::new("RS256", "token").await;
    let home = format!("{}/", world.console);
    // Without a group that has a role nobody is let in, and that is noted.
    let mut guest = Browser::new();
    let back = world.back(&mut guest, "guest.visitors").await;
    let refused = guest.load(&back, None).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    let page = refused.text().await.expect("a page");
    assert!(page.contains("no group that has a role"), "{page}");
    assert_eq!(status(&mut guest, &home).await, StatusCode::SEE_OTHER);
    assert!(
        world
            .log()
            .await
            .iter()
            .any(|(kind, ..)| kind == "sign-in refused")
    );
    // Another browser has the whole address, but not what binds it to the one that began.
    let mut kim = Browser::new();
    let back = world.back(&mut kim, "kim.ops").await;
    let mut thief = Browser::new();
    assert_eq!(status(&mut thief, &back).await, StatusCode::FORBIDDEN);
    // Its own sign-in does not fit the address either, and is used up by trying.
    let theirs = world.back(&mut thief, "thief.nobody").await;
    assert_eq!(status(&mut thief, &back).await, StatusCode::FORBIDDEN);
    assert_eq!(status(&mut thief, &theirs).await, StatusCode::FORBIDDEN);
    // The right one works once.
    assert_eq!(status(&mut kim, &back).await, StatusCode::SEE_OTHER);
    let session = kim
        .cookie(&home, "bongsu_session")
        .expect("a session")
        .to_owned();
    assert_eq!(
        status(&mut kim, &back).await,
        StatusCode::FORBIDDEN,
        "a replay"
    );
    // A code that the provider never gave.
    let mut other = Browser::new();
    let mine = world.back(&mut other, "kim.ops").await;
    let (front, rest) = mine.split_once("code=").expect("a code");
    let (_, rest) = rest.split_once('&').expect("a state");
    let forged = format!("{front}code=made-up&{rest}");
    assert_eq!(status(&mut other, &forged).await, StatusCode::FORBIDDEN);
    // A provider that is away is said, and those who are in stay in.
    world.provider.kill();
    let mut late = Browser::new();
    let mut begin = Browser::new();
    let address = format!("{}/login/provider", world.console);
    let redirected = begin.load(&address, None).await.status();
    assert_eq!(
        redirected,
        StatusCode::SEE_OTHER,
        "its address is known already"
    );
    assert_eq!(status(&mut late, &home).await, StatusCode::SEE_OTHER);
    assert_eq!(status(&mut kim, &home).await, StatusCode::OK);
    // Row 37: no secret, code or session stands in a log.
    let (log, code) = (
        world.bongsu.log(),
        mine.split_once("code=").expect("a code").1,
    );
    let code = code.split('&').next().expect("a code");
    for canary in [ADMIN, SECRET, &session, code] {
        assert!(!log.contains(canary), "a secret stands in the log");
    }
    assert!(log.contains("could not sign in"), "{log}");
}
