//! What may stand in the address of the router's routes, for its OpenAPI document.

use serde_json::{Value, json};

const PRECISIONS: [&str; 9] = ["ns", "n", "us", "u", "µ", "ms", "s", "m", "h"];

/// The parameters of a route in its address; what is left out of the list is ignored.
pub(super) fn of(path: &str) -> Vec<Value> {
    match path {
        "/api/v2/write" => vec![precision("ns"), token(), ignored("org"), ignored("bucket")],
        "/write" => vec![
            precision("ns"),
            token(),
            user(),
            ignored("db"),
            ignored("rp"),
        ],
        "/api/v1/metrics" => vec![precision("s"), token()],
        "/api/v1/prom/write" | "/api/v1/write" => vec![
            parameter(
                "metric_version",
                "how a metric becomes a line, as Telegraf counts: 1 makes a measurement of each metric, 2 one of all",
                json!({"enum": ["1", "2"], "default": "1"}),
            ),
            token(),
        ],
        "/v1/metrics" | "/api/v1/metrics/avro" => vec![token()],
        "/query" => query(),
        "/api/v2/query" => vec![ignored("org")],
        "/api/v2/buckets" => vec![parameter(
            "name",
            "only the bucket of that name, which is the tenant's or none",
            text(),
        )],
        "/api/v2/resolve" => vec![
            parameter(
                "from",
                "RFC 3339, `-1h`, `now` or `beginning`, which it is when left out",
                text(),
            ),
            parameter("to", "like `from`; now when left out", text()),
            parameter("host", "only the shards of this host's points", text()),
        ],
        _ => Vec::new(),
    }
}

/// Those of InfluxDB 1's `/query`; in a POST they may stand in the body.
fn query() -> Vec<Value> {
    vec![
        parameter("q", "InfluxQL", text()),
        parameter(
            "db",
            "the tenant's database; another one is refused",
            text(),
        ),
        parameter("rp", "the retention policy", text()),
        parameter(
            "epoch",
            "times as numbers of this unit; RFC 3339 when left out",
            json!({"enum": ["ns", "u", "µ", "ms", "s", "m", "h"]}),
        ),
        parameter(
            "chunked",
            "whether the answer comes in pieces, from one shard; several are joined to one",
            json!({"enum": ["true", "false"]}),
        ),
        parameter(
            "chunk_size",
            "points of a piece",
            json!({"type": "integer", "minimum": 1}),
        ),
        parameter(
            "pretty",
            "whether the answer has line breaks",
            json!({"enum": ["true", "false"]}),
        ),
        token(),
        user(),
    ]
}

fn precision(unsaid: &str) -> Value {
    parameter(
        "precision",
        "the unit of timestamps",
        json!({"enum": PRECISIONS, "default": unsaid}),
    )
}

/// As InfluxDB 1 takes it.
fn token() -> Value {
    parameter(
        "p",
        "the tenant's token, where no header `Authorization` names one; addresses are often logged, so a header is better",
        text(),
    )
}

fn user() -> Value {
    parameter("u", "ignored, beside `p`: the token says who it is", text())
}

fn ignored(name: &str) -> Value {
    parameter(name, "ignored: the token says whose it is", text())
}

fn text() -> Value {
    json!({"type": "string"})
}

fn parameter(name: &str, what: &str, schema: Value) -> Value {
    json!({"name": name, "in": "query", "required": false, "description": what, "schema": schema})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::precision::Precision;

    #[test]
    fn every_unit_that_is_named_is_understood() {
        for unit in PRECISIONS {
            assert!(Precision::parse(unit).is_ok(), "{unit}");
        }
    }

    #[test]
    fn what_takes_points_takes_a_token_and_no_name_stands_twice() {
        for route in crate::routes() {
            let all = of(route.path);
            let names: Vec<&str> = all
                .iter()
                .filter_map(|each| each["name"].as_str())
                .collect();
            let once: std::collections::BTreeSet<&&str> = names.iter().collect();
            assert_eq!(once.len(), names.len(), "{}", route.path);
            let takes_points = route.method == "POST" && !route.path.ends_with("/query");
            assert!(
                !takes_points || names.contains(&"p"),
                "{}: {names:?}",
                route.path
            );
        }
    }
}
