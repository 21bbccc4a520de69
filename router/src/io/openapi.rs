//! The router's OpenAPI document, from its table of routes.

use super::{openapi_bodies, openapi_parameters};
use axum::Json;
use axum::response::{IntoResponse, Response};
use runtime::{Declared, Rule};
use serde_json::{Value, json};

/// What a route takes and gives, in words and content types.
struct About {
    what: &'static str,
    takes: &'static [&'static str],
    gives: &'static str,
}

/// The document.
pub(super) async fn serve() -> Response {
    Json(document(&crate::routes())).into_response()
}

fn about(route: Declared) -> About {
    let (what, takes, gives): (_, &[&str], _) = match route.path {
        "/api/v2/write" | "/write" => ("line protocol, as InfluxDB takes it", &["text/plain"], ""),
        "/api/v1/prom/write" | "/api/v1/write" => {
            const PROTOBUF: &[&str] = &["application/x-protobuf"];
            ("Prometheus remote write 1.0 and 2.0", PROTOBUF, "")
        }
        "/v1/metrics" => (
            "metrics of OpenTelemetry (OTLP)",
            &["application/x-protobuf", "application/json"],
            "application/json",
        ),
        "/api/v1/metrics" => (
            "metrics as JSON; as Avro where the content type says so",
            &["application/json", "avro/binary"],
            "",
        ),
        "/api/v1/metrics/avro" => ("metrics as Avro", &["avro/binary"], ""),
        "/query" => (
            "a query in InfluxQL over the tenant's shards",
            &["application/x-www-form-urlencoded"],
            "application/json",
        ),
        "/api/v2/query" => (
            "a query in Flux over the tenant's shards",
            &["application/json", "application/vnd.flux"],
            "text/csv",
        ),
        "/api/v2/buckets" => (
            "the tenant's bucket, for clients that look for it",
            &[],
            "application/json",
        ),
        "/api/v2/resolve" => (
            "which shards hold the tenant's points of a time",
            &[],
            "application/json",
        ),
        "/ping" => ("whether it is there, as InfluxDB says it", &[], ""),
        "/health" => (
            "whether it is well, as InfluxDB says it",
            &[],
            "application/json",
        ),
        "/api/v1/openapi.json" => ("this document", &[], "application/json"),
        _ => ("", &[], ""),
    };
    About { what, takes, gives }
}

fn operation(route: Declared) -> Value {
    let About { what, takes, gives } = about(route);
    let slug = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let name: String = route.path.chars().map(slug).collect();
    let tenant = route.rule == Rule::TenantToken;
    let mut done = json!({"description": "done"});
    if !gives.is_empty() {
        done["content"] = json!({gives: {"schema": openapi_bodies::answer(route.path, gives)}});
    }
    let mut responses = json!({"2XX": done});
    if tenant {
        let body = openapi_bodies::refusal(route.path);
        let refused = |what: &str| json!({"description": what, "content": body.clone()});
        for (status, what) in [
            (
                "400",
                "it cannot be understood, or some of it; what can be stored is taken",
            ),
            ("401", "no token, or none that is known"),
            ("408", "the body did not come in time"),
            ("413", "the body is too large, packed or unpacked"),
            ("415", "the encoding of the body is none that is known"),
            (
                "429",
                "a limit is reached; Retry-After says when to come again",
            ),
            (
                "503",
                "the log does not take it now, or no shard answers; send it again",
            ),
        ] {
            responses[status] = refused(what);
        }
    }
    let mut operation = json!({
        "operationId": format!("{}_{}", route.method.to_ascii_lowercase(), name.trim_matches('_')),
        "summary": what,
        "x-bongsu-who": route.rule.to_string(),
        "security": if tenant { json!([{"token": []}, {"bearer": []}, {"basic": []}]) } else { json!([]) },
        "responses": responses,
    });
    let parameters = openapi_parameters::of(route.path);
    if !parameters.is_empty() {
        operation["parameters"] = Value::Array(parameters);
    }
    if route.method == "POST" {
        let body = |kind: &str| json!({"schema": openapi_bodies::request(route.path, kind)});
        let kinds = takes.iter().map(|kind| ((*kind).to_owned(), body(kind)));
        operation["requestBody"] = json!({"content": Value::Object(kinds.collect())});
    }
    operation
}

/// The document of these routes.
fn document(table: &[Declared]) -> Value {
    let mut paths = json!({});
    for route in table {
        paths[route.path][route.method.to_ascii_lowercase()] = operation(*route);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Bongsu router",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Metrics in, and queries over the tenant's own. The token says whose they are, and nothing else does.",
        },
        "paths": paths,
        "components": {"schemas": openapi_bodies::schemas(), "securitySchemes": {
            "token": {"type": "apiKey", "in": "header", "name": "Authorization", "description": "`Token <token>`"},
            "bearer": {"type": "http", "scheme": "bearer"},
            "basic": {"type": "http", "scheme": "basic", "description": "the token as the password"},
        }},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_of_the_table_is_described() {
        let table = crate::routes();
        let document = document(&table);
        for route in table {
            let operation = &document["paths"][route.path][route.method.to_ascii_lowercase()];
            let summary = operation["summary"].as_str().unwrap();
            assert!(!summary.is_empty(), "{} {}", route.method, route.path);
            let takes = operation["requestBody"]["content"].as_object();
            let takes_something = takes.is_some_and(|kinds| !kinds.is_empty());
            assert_eq!(takes_something, route.method == "POST", "{}", route.path);
            // Whoever belongs to a tenant says something in the address, if only the token.
            let parameters = operation["parameters"].as_array().map_or(0, Vec::len);
            assert_eq!(
                parameters > 0,
                route.rule == Rule::TenantToken,
                "{}",
                route.path
            );
            // What is taken, given and refused has a form.
            let answers = operation["responses"].as_object().unwrap().values();
            let bodies = answers.filter_map(|answer| answer["content"].as_object());
            for (kind, body) in bodies.chain(takes).flatten() {
                assert!(body["schema"].is_object(), "{} {kind}", route.path);
            }
        }
    }
}
