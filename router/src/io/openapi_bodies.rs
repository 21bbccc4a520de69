//! What stands in the bodies of the router's routes, for its OpenAPI document.

use serde_json::{Value, json};

/// The schema of a request's body of that type.
pub(super) fn request(path: &str, kind: &str) -> Value {
    match (path, kind) {
        (_, "text/plain") => json!({
            "type": "string", "description": "line protocol, a point a line",
            "examples": ["cpu,host=web-1 usage_idle=91.5 1458229140000000000\n"],
        }),
        ("/api/v1/metrics", "application/json") => reference("Metrics"),
        ("/v1/metrics", "application/json") => json!({
            "type": "object", "required": ["resourceMetrics"],
            "description": "`ExportMetricsServiceRequest` of OTLP in its JSON form",
            "properties": {"resourceMetrics": {"type": "array", "items": {"type": "object"}}},
        }),
        ("/query", _) => json!({
            "type": "object", "required": ["q"],
            "description": "the parameters of the query, as they may stand in the address too",
            "properties": {"q": {"type": "string", "description": "InfluxQL"}},
            "additionalProperties": {"type": "string"},
        }),
        ("/api/v2/query", "application/json") => reference("FluxQuery"),
        (_, "application/vnd.flux") => json!({"type": "string", "description": "Flux"}),
        // Bytes have no type of JSON; this says whose they are.
        (_, kind) => json!({"contentMediaType": kind, "description": bytes(kind)}),
    }
}

fn bytes(kind: &str) -> &'static str {
    match kind {
        "avro/binary" => {
            "Avro: single objects behind each other, or an object container file (docs/formats.md)"
        }
        _ => "protobuf",
    }
}

/// The schema of a good answer's body of that type.
pub(super) fn answer(path: &str, kind: &str) -> Value {
    match (path, kind) {
        ("/query", _) => json!({
            "type": "object", "description": "as InfluxDB 1 answers: a result a statement",
            "properties": {"results": {"type": "array", "items": {"type": "object"}}},
        }),
        ("/api/v2/buckets", _) => json!({
            "type": "object", "required": ["buckets"],
            "properties": {"buckets": {"type": "array", "items": {"type": "object"}}},
        }),
        ("/health", _) => json!({
            "type": "object", "required": ["name", "status", "message"],
            "properties": {
                "name": {"type": "string"}, "status": {"const": "pass"}, "message": {"type": "string"},
            },
        }),
        ("/v1/metrics", _) => json!({
            "type": "object", "description": "`ExportMetricsServiceResponse`, with what was not taken",
            "properties": {"partialSuccess": {"type": "object"}},
        }),
        (_, "application/json") => json!({"type": "object"}),
        (_, kind) => json!({"type": "string", "contentMediaType": kind}),
    }
}

/// What is answered when a request is refused: as whoever speaks that protocol expects it.
pub(super) fn refusal(path: &str) -> Value {
    match path {
        "/write" | "/query" => json!({"application/json": {"schema": reference("ErrorV1")}}),
        "/v1/metrics" | "/api/v1/prom/write" | "/api/v1/write" => {
            json!({"text/plain": {"schema": {"type": "string"}}})
        }
        _ => json!({"application/json": {"schema": reference("ErrorV2")}}),
    }
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// The schemas that are referred to by name.
pub(super) fn schemas() -> Value {
    let scalar = json!({"type": ["number", "string", "boolean", "null"]});
    json!({
        "ErrorV1": {
            "type": "object", "required": ["error"], "description": "as InfluxDB 1 says it",
            "properties": {"error": {"type": "string"}},
        },
        "ErrorV2": {
            "type": "object", "required": ["code", "message"], "description": "as InfluxDB 2 says it",
            "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
        },
        "Metric": {
            "type": "object", "required": ["name", "fields"], "additionalProperties": false,
            "description": "a metric as Telegraf's `json` serializer writes it",
            "properties": {
                "name": {"type": "string"},
                "tags": {"type": "object", "additionalProperties": {"type": ["string", "null"]}},
                "fields": {"type": "object", "additionalProperties": scalar},
                "timestamp": {"type": "integer", "description": "in seconds unless `precision` says otherwise; the log's time when left out"},
            },
        },
        "Metrics": {
            "description": "one metric, an array of them, or an object that holds them; one metric a line is taken as well",
            "oneOf": [
                {
                    "type": "object", "required": ["metrics"], "additionalProperties": false,
                    "properties": {"metrics": {"type": "array", "items": reference("Metric")}},
                },
                reference("Metric"),
                {"type": "array", "items": reference("Metric")},
            ],
        },
        "FluxQuery": {
            "type": "object", "required": ["query"], "additionalProperties": false,
            "properties": {
                "query": {"type": "string"},
                "type": {"type": "string", "const": "flux"},
                "dialect": {"type": "object"},
                "now": {"type": "string"},
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_leads_to_a_schema() {
        let schemas = schemas();
        let text =
            schemas.to_string() + &request("/api/v1/metrics", "application/json").to_string();
        for part in text.split("#/components/schemas/").skip(1) {
            let name = part.split('"').next().unwrap_or_default();
            assert!(schemas[name].is_object(), "{name}");
        }
    }
}
