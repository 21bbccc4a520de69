//! The OpenAPI documents, held by a validator that others wrote, and real answers held against them.

// The tests are the outside world: they have real clocks.
#![allow(clippy::disallowed_methods)]

use reqwest::{Client, Method};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tests::workdir::Workdir;
use tests::{Bongsu, installed, ports, process, wait, web};

const TOKEN: &str = "the-token-of-the-api";

struct Api {
    console: String,
    client: Client,
    answers: Vec<Value>,
}

impl Api {
    /// Asks, and keeps the answer for the validator. `path` is the document's, `id` stands for what it names.
    async fn ask(&mut self, method: &str, path: &str, id: &str, body: Option<Value>) -> Value {
        self.ask_as(Some(TOKEN), method, path, id, body).await
    }

    async fn ask_as(
        &mut self,
        token: Option<&str>,
        method: &str,
        path: &str,
        id: &str,
        body: Option<Value>,
    ) -> Value {
        let url = format!(
            "{}{}",
            self.console,
            path.replace("{id}", id).replace("{contact}", id)
        );
        let verb = Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request = self.client.request(verb, url);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = &body {
            request = request.json(body);
        }
        let answer = request.send().await.expect("the API answers");
        let status = answer.status().as_u16();
        let kind = answer.headers()["content-type"]
            .to_str()
            .expect("plain text")
            .to_owned();
        let text = answer.text().await.expect("a body");
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        self.answers.push(json!({
            "method": method, "path": path, "status": status, "kind": kind, "body": body,
        }));
        body
    }
}

/// Runs the validator; what it prints.
fn validated(arguments: &[&Path]) -> String {
    let python = installed::folder("openapi-spec-validator").join("bin/python");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("real/openapi_check.py");
    let mut command = Command::new(python);
    command.arg(script).args(arguments);
    process::run(&mut command).expect("the document and the answers hold")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documents_are_openapi_and_describe_what_is_really_answered() {
    let folder = Workdir::new("openapi");
    let (data, console) = (folder.join("data"), ports::free());
    let config = format!(
        "router:\n  listen: 127.0.0.1:{{port}}\nnotifier:\n  listen: 127.0.0.1:{console}\n  api_token_file: {{dir}}/token\n"
    );
    let bongsu = Bongsu::service("up")
        .arg("--data-dir")
        .arg(data.display().to_string())
        .arg("--config")
        .arg("{dir}/bongsu.yaml")
        .file("bongsu.yaml", config)
        .file("token", TOKEN)
        .start()
        .await;
    let mut api = Api {
        console: format!("http://127.0.0.1:{console}"),
        client: web::client(),
        answers: Vec::new(),
    };
    let router = api
        .client
        .get(format!("{}/api/v1/openapi.json", bongsu.url()));
    let router = router
        .send()
        .await
        .expect("it answers")
        .text()
        .await
        .expect("text");
    let said = validated(&[&folder.write("router.json", &router)]);
    assert!(said.contains("OpenAPI 3.1"), "{said}");

    let document = api.ask("GET", "/api/v1/openapi.json", "", None).await;
    api.answers.clear();
    let incident = an_incident(&api, &data).await;
    walk(&mut api, &incident).await;
    let person = folder.write(
        "kim.yaml",
        "contact: kim\nname: Kim\nphone: '+821012345678'\n",
    );
    a_person(&mut api, &data, &person).await;
    let mut lines = String::new();
    for answer in &api.answers {
        lines += &format!("{answer}\n");
    }
    let notifier = folder.write("notifier.json", &document.to_string());
    let said = validated(&[&notifier, &folder.write("answers.jsonl", &lines)]);
    assert!(said.contains("OpenAPI 3.1"), "{said}");

    // Every operation of the API was answered well at least once.
    let answered: BTreeSet<(String, String)> = api
        .answers
        .iter()
        .filter(|answer| answer["status"].as_u64().is_some_and(|status| status < 300))
        .map(|answer| {
            let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
            (text("method"), text("path"))
        })
        .collect();
    let program = |route: &runtime::Declared| {
        matches!(route.rule, runtime::Rule::Api(_)) && route.path != "/api/v1/openapi.json"
    };
    for route in notifier::io::http::table().into_iter().filter(program) {
        let one = (route.method.to_owned(), route.path.to_owned());
        assert!(answered.contains(&one), "{one:?} was never answered well");
    }
}

/// Lets another system report an incident; its id.
async fn an_incident(api: &Api, data: &Path) -> String {
    let data = data.display().to_string();
    let more = ["--data-dir", &data, "-o", "json"];
    let add = [
        "integration",
        "add",
        "std",
        "--tenant",
        "default",
        "--format",
        "standard",
    ];
    let made = Bongsu::run(&[&add[..], &more].concat(), &[]).expect("an integration");
    let made: Value = serde_json::from_str(&made).expect("JSON");
    let key = made["key"].as_str().expect("a key");
    let found = wait::until(Duration::from_secs(60), async || {
        let report = format!("{}/integration/standard/v1/{key}", api.console);
        let body = json!({"summary": "disk full", "event_id": "1"});
        api.client.post(report).json(&body).send().await?;
        let list = format!("{}/api/v1/incidents", api.console);
        let list = api.client.get(list).bearer_auth(TOKEN).send().await?;
        let list: Value = list.json().await?;
        Ok(list["incidents"][0]["id"].as_str().map(str::to_owned))
    });
    found.await.expect("the incident comes")
}

/// A contact with a phone: a test, and the code that came to it.
async fn a_person(api: &mut Api, data: &Path, declared: &Path) {
    let (data, file) = (data.display().to_string(), declared.display().to_string());
    Bongsu::run(&["apply", "-f", &file, "--data-dir", &data], &[]).expect("a contact");
    let known = wait::until(Duration::from_secs(60), async || {
        let list = api.client.get(format!("{}/api/v1/contacts", api.console));
        let list: Value = list.bearer_auth(TOKEN).send().await?.json().await?;
        let contacts = list["contacts"].as_array().cloned().unwrap_or_default();
        Ok(contacts
            .iter()
            .any(|one| one["contact"] == "kim")
            .then_some(()))
    });
    known.await.expect("the contact is known");
    let of = |what: &str| format!("/api/v1/contacts/{{contact}}/{what}");
    api.ask("GET", "/api/v1/contacts", "", None).await;
    for (what, body) in [("test", json!({"by": "lee"})), ("code", json!({}))] {
        api.ask("POST", &of(what), "kim", Some(body.clone())).await;
        api.ask("POST", &of(what), "nobody", Some(body)).await;
        api.ask_as(None, "POST", &of(what), "kim", None).await;
    }
    let session = signed_in(api).await;
    let code = wait::until(Duration::from_secs(60), async || {
        let inbox = api.client.get(format!("{}/inbox", api.console));
        let page = inbox
            .header("cookie", &session)
            .send()
            .await?
            .text()
            .await?;
        let said = page.split("Your code is ").nth(1);
        Ok(said.and_then(|said| said.get(..6)).map(str::to_owned))
    });
    let code = code.await.expect("the inbox shows the code");
    let wrong = if code == "000000" { "000001" } else { "000000" };
    for code in [wrong, &code] {
        let body = json!({"code": code});
        api.ask("POST", &of("confirm"), "kim", Some(body)).await;
    }
}

/// The cookie of a session of the console.
async fn signed_in(api: &Api) -> String {
    let client = Client::builder().no_proxy();
    let client = client.redirect(reqwest::redirect::Policy::none());
    let form = client.build().expect("a client");
    let form = form.post(format!("{}/login", api.console));
    let form = form.header("content-type", "application/x-www-form-urlencoded");
    let answer = form.body(format!("token={TOKEN}&next=/")).send().await;
    let answer = answer.expect("it answers");
    let cookie = answer.headers()["set-cookie"].to_str().expect("plain text");
    cookie.split(';').next().unwrap_or_default().to_owned()
}

/// Every route of the API, well and badly.
async fn walk(api: &mut Api, incident: &str) {
    let nobody = "ffffffffffffffffffffffffffffffff";
    let of = |what: &str| format!("/api/v1/incidents/{{id}}{what}");
    api.ask("GET", "/api/v1/incidents", "", None).await;
    api.ask("GET", "/api/v1/incidents.csv", "", None).await;
    api.ask("GET", "/api/v1/response-times", "", None).await;
    for (what, body) in [
        ("/ack", json!({"by": "kim"})),
        ("/comment", json!({"text": "looking"})),
        ("/snooze", json!({"for": "1h"})),
        ("/assign", json!({"to": "you"})),
        ("/merge", json!({"into": nobody})),
        ("/priority", json!({"priority": "P3"})),
        ("/close", json!({})),
    ] {
        api.ask("POST", &of(what), incident, Some(body.clone()))
            .await;
        api.ask("POST", &of(what), nobody, Some(body)).await;
        api.ask_as(None, "POST", &of(what), incident, None).await;
    }
    api.ask("GET", &of(""), incident, None).await;
    api.ask("GET", &of(""), nobody, None).await;
    let silence = json!({"tenant": "default", "matchers": ["host=x"], "author": "kim", "comment": "x", "for": "1h"});
    let made = api
        .ask("POST", "/api/v1/silences", "", Some(silence.clone()))
        .await;
    let id = made["id"].as_str().expect("an id").to_owned();
    api.ask("POST", "/api/v1/silences", "", Some(json!({})))
        .await;
    api.ask("POST", "/api/v1/silences/preview", "", Some(silence))
        .await;
    api.ask("GET", "/api/v1/silences", "", None).await;
    api.ask("GET", "/api/v1/silences/{id}", &id, None).await;
    api.ask("GET", "/api/v1/silences/{id}", nobody, None).await;
    api.ask("DELETE", "/api/v1/silences/{id}", &id, None).await;
    let token = json!({"name": "ci", "role": "viewer", "tenants": ["default"]});
    let made = api.ask("POST", "/api/v1/tokens", "", Some(token)).await;
    let viewer = made["token"].as_str().expect("a token").to_owned();
    let id = made["id"].as_str().expect("an id").to_owned();
    api.ask("POST", "/api/v1/tokens", "", Some(json!({}))).await;
    api.ask("GET", "/api/v1/tokens", "", None).await;
    api.ask("GET", "/api/v1/audit", "", None).await;
    for (method, path) in [
        ("GET", "/api/v1/tokens"),
        ("GET", "/api/v1/audit"),
        ("POST", "/api/v1/silences"),
    ] {
        api.ask_as(Some(&viewer), method, path, "", None).await;
        api.ask_as(None, method, path, "", None).await;
    }
    api.ask("DELETE", "/api/v1/tokens/{id}", &id, None).await;
    api.ask("DELETE", "/api/v1/tokens/{id}", nobody, None).await;
}
