//! The OpenAPI document: what the handlers of the API say of themselves, and a line for every other route of the table.

use super::problem::Problem;
use super::{api, audit, contacts, hands, reports, silences, table, tokens};
use axum::Json;
use axum::response::{IntoResponse, Response};
use model::Role;
use runtime::{Declared, Rule};
use serde_json::{Map, Value, json};
use std::sync::LazyLock;
use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Bongsu notifier",
        description = "Incidents and what became of their pages. Errors of the API are problem+json (RFC 9457)."
    ),
    paths(
        api::list,
        api::show,
        api::acknowledge,
        api::close,
        hands::assign,
        hands::comment,
        hands::snooze,
        hands::merge,
        hands::priority,
        reports::csv,
        reports::response_times,
        silences::list,
        silences::create,
        silences::preview,
        silences::show,
        silences::expire,
        contacts::list,
        contacts::test,
        contacts::code,
        contacts::confirm,
        tokens::list,
        tokens::create,
        tokens::revoke,
        audit::list
    ),
    components(schemas(Problem))
)]
struct Described;

/// Made once: the table does not change.
static DOCUMENT: LazyLock<Value> = LazyLock::new(document);

/// The OpenAPI document.
pub(super) async fn serve() -> Response {
    Json(&*DOCUMENT).into_response()
}

/// The document, from the handlers' own words and the table.
fn document() -> Value {
    // What is written by a derive is JSON.
    let mut document = serde_json::to_value(Described::openapi()).unwrap_or_default();
    document["info"]["version"] = env!("CARGO_PKG_VERSION").into();
    document["components"]["securitySchemes"] = json!({
        "token": {"type": "http", "scheme": "bearer", "description": "a token of the API"},
        "session": {"type": "apiKey", "in": "cookie", "name": super::access::SESSION_COOKIE},
        "integration": {"type": "http", "scheme": "bearer", "description": "the key of an integration"},
        "integrationBasic": {"type": "http", "scheme": "basic", "description": "the key of an integration as the password"},
    });
    for route in table() {
        let operation = &mut document["paths"][route.path][route.method.to_ascii_lowercase()];
        if operation.is_null() {
            *operation = bare(route);
        }
        complete(operation, route);
        let responses = operation["responses"].as_object_mut();
        for (_, response) in responses.into_iter().flatten() {
            // What a handler says without words is that it is done.
            if !response["description"].is_string() {
                response["description"] = "done".into();
            }
        }
    }
    document
}

/// What the table alone says of a route.
fn bare(route: Declared) -> Value {
    let kind = match route.rule {
        Rule::Page(_) | Rule::Form(_) | Rule::Link | Rule::SignIn => "text/html",
        _ if route.path == "/static/{name}" || route.path == "/login" => "text/html",
        _ if route.path.starts_with("/twilio") => "text/xml",
        _ if route.path.contains("/-/") => "text/plain",
        _ => "application/json",
    };
    let kind = match route.path {
        "/events" => "text/event-stream",
        "/static/{name}" => "*/*",
        _ => kind,
    };
    let mut operation = json!({
        "tags": [tag(route.path)],
        "summary": summary(route),
        "responses": {
            "2XX": {"description": "done", "content": {kind: {}}},
            "3XX": {"description": "elsewhere"},
            "4XX": {"description": "refused"},
            "5XX": {"description": "not now"},
        },
    });
    let names = route
        .path
        .split('{')
        .skip(1)
        .filter_map(|rest| rest.split('}').next());
    let parameters: Vec<Value> = names
        .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}))
        .collect();
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if route.method == "POST" {
        let kind = match route.rule {
            Rule::Form(_) | Rule::SignIn | Rule::Signed(_) | Rule::Link => {
                "application/x-www-form-urlencoded"
            }
            _ => "application/json",
        };
        operation["requestBody"] = json!({"content": {kind: {}}});
    }
    operation
}

/// Adds what the rule of a route says, which no handler repeats.
fn complete(operation: &mut Value, route: Declared) {
    let slug = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let name: String = route.path.chars().map(slug).collect();
    let name = format!(
        "{}_{}",
        route.method.to_ascii_lowercase(),
        name.trim_matches('_')
    );
    operation["operationId"] = name.into();
    operation["x-bongsu-who"] = route.rule.to_string().into();
    operation["security"] = match route.rule {
        Rule::Api(_) if route.method == "GET" => json!([{"token": []}, {"session": []}]),
        Rule::Api(_) => json!([{"token": []}]),
        Rule::Page(_) | Rule::Form(_) => json!([{"session": []}]),
        Rule::IntegrationKey => json!([{"integration": []}, {"integrationBasic": []}]),
        _ => json!([]),
    };
    let Rule::Api(role) = route.rule else { return };
    let problem = |what: String| {
        let body = json!({"schema": {"$ref": "#/components/schemas/Problem"}});
        json!({"description": what, "content": {"application/problem+json": body}})
    };
    let responses = operation["responses"].as_object_mut();
    let responses = responses.map_or_else(Map::new, std::mem::take);
    let mut all = responses;
    for (status, what) in answers(route, role) {
        let known = all.entry(status).or_insert_with(|| problem(what.clone()));
        if !known["description"].is_string() {
            known["description"] = what.into();
        }
    }
    if super::idempotency::applies(route) {
        all.entry("422")
            .or_insert_with(|| problem("the key was used for another request".to_owned()));
        let header = json!({
            "name": "Idempotency-Key", "in": "header", "required": false,
            "description": "1 to 200 printable characters: a request that is sent again with it is done once and answered alike, for 24 h",
            "schema": {"type": "string", "minLength": 1, "maxLength": 200},
        });
        match operation["parameters"].as_array_mut() {
            Some(parameters) => parameters.push(header),
            None => operation["parameters"] = json!([header]),
        }
    }
    operation["responses"] = Value::Object(all);
}

/// How a route of the API may be answered beside what its handler says.
fn answers(route: Declared, role: Role) -> Vec<(&'static str, String)> {
    let mut all = vec![
        ("400", "the request cannot be understood".to_owned()),
        ("401", "no token, or none that is known".to_owned()),
        (
            "403",
            format!("the role {role} is missing in the tenant that it is about"),
        ),
        ("503", "the store does not answer; try again".to_owned()),
    ];
    if route.path.contains('{') {
        let text = "there is none, or it is of a tenant in which the asker has no role";
        all.push(("404", text.to_owned()));
    }
    if route.method == "POST" {
        let text = "it stands against what is there, or a request with this key is being answered";
        all.push(("409", text.to_owned()));
        all.push(("413", "the body is too large".to_owned()));
        all.push(("415", "the body is no JSON".to_owned()));
    }
    all
}

/// Where the addresses of providers begin.
const PROVIDERS: [&str; 5] = ["/slack", "/telegram", "/twilio", "/pagerduty", "/opsgenie"];

fn tag(path: &str) -> &'static str {
    match path {
        path if path.starts_with("/alertmanager") => "alertmanager",
        path if path.starts_with("/integration") || path == "/v2/enqueue" => "integrations",
        path if PROVIDERS.iter().any(|provider| path.starts_with(provider)) => "providers",
        path if path.starts_with("/api") => "document",
        _ => "console",
    }
}

fn summary(route: Declared) -> String {
    let what = match route.path {
        "/a/{token}" if route.method == "GET" => "the page behind the link of a message",
        "/a/{token}" => "acknowledges by the link of a message",
        "/login" if route.method == "GET" => "the page to sign in",
        "/login" => "signs in with a token",
        "/login/provider" => "sends the browser to the identity provider",
        "/login/callback" => "where the identity provider sends the browser back to",
        "/logout" => "signs out",
        "/events" => "the stream of changes",
        "/static/{name}" => "style sheet, script and icon",
        "/slack/interactions" => "a button that was pressed in Slack",
        "/telegram/updates" => "a button that was pressed in Telegram",
        "/pagerduty/webhooks" => "what people do to an alert in PagerDuty",
        "/opsgenie/webhooks" => "what people do to an alert in Opsgenie",
        "/v2/enqueue" => "an event as PagerDuty's Events API v2 takes it",
        "/api/v1/openapi.json" => "this document",
        path if path.starts_with("/twilio") => "what Twilio tells of a message or call",
        path if path.starts_with("/alertmanager") => "as Alertmanager's API v2",
        path if path.starts_with("/integration") => "what another system reports",
        _ => "a page of the console",
    };
    what.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_document_describes_every_route_of_the_table_and_no_other() {
        let document = document();
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
        let mut described = BTreeSet::new();
        for (path, operations) in document["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                described.insert((method.to_uppercase(), path.clone()));
                assert!(operation["security"].is_array(), "{method} {path}");
            }
        }
        let declared = table().into_iter();
        let declared = declared.map(|route| (route.method.to_owned(), route.path.to_owned()));
        assert_eq!(described, declared.collect());
    }

    #[test]
    fn every_program_route_but_this_document_describes_its_answers() {
        let document = document();
        for route in table() {
            let Rule::Api(_) = route.rule else { continue };
            if route.path == "/api/v1/openapi.json" {
                continue;
            }
            let operation = &document["paths"][route.path][route.method.to_ascii_lowercase()];
            let answers = operation["responses"].as_object().unwrap();
            let good = answers.iter().find(|(status, _)| status.starts_with('2'));
            let (_, good) = good.unwrap_or_else(|| panic!("{} {}", route.method, route.path));
            let kinds = good["content"].as_object().unwrap();
            assert!(
                kinds.values().all(|kind| kind["schema"].is_object()),
                "{}",
                route.path
            );
            for status in ["401", "403", "503"] {
                let problem = &answers[status]["content"]["application/problem+json"]["schema"];
                assert_eq!(
                    problem["$ref"], "#/components/schemas/Problem",
                    "{}",
                    route.path
                );
            }
        }
    }
}
