//! OTLP metrics, as protobuf and as JSON, as lines.
//!
//! Source: "OTLP Specification 1.x" and `opentelemetry/proto/metrics/v1/metrics.proto`. Names follow what Telegraf's
//! OpenTelemetry input makes of metrics in its default schema `prometheus-v1`:
//!
//! | metric | measurement | fields |
//! |---|---|---|
//! | gauge, sum that may fall, delta sum | its name | `gauge` |
//! | cumulative sum that only rises | its name | `counter` |
//! | histogram | its name | `count`, `sum`, `min`, `max`, and for each bound how many were at or below it, `+Inf` last |
//! | exponential histogram | its name | `count`, `sum`, `min`, `max`, `zero_count`; its buckets have no fixed bounds and are left out |
//! | summary | its name | `count`, `sum`, and the value of each quantile |
//!
//! - Tags are the resource's attributes, `otel.scope.name` and `otel.scope.version`, the scope's attributes, and
//!   the point's; of the same key the last holds. Lists and maps become JSON texts.
//! - A tag `host` is added where there is none: from `host.name`, else `instance` without its port.
//! - Every number is a float; a whole one that a float does not hold exactly is rejected.
//! - A point with the flag "no recorded value" is dropped and counted. Histograms of delta temporality are
//!   rejected: stored beside cumulative ones nobody could tell them apart.
//! - Start times, units, descriptions and exemplars are read over.

mod any;
mod emit;
mod json;
mod protobuf;

pub use json::decode as decode_json;
pub use protobuf::decode as decode_protobuf;

use serde_json::json;

/// In which of its two encodings a request came and its answer goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// `application/x-protobuf`
    Protobuf,
    /// `application/json`
    Json,
}

impl Encoding {
    /// The content type.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }

    /// An `ExportMetricsServiceResponse`: all was taken, or so many points were not, and why.
    pub fn response(self, rejected: usize, message: &str) -> Vec<u8> {
        match (self, rejected) {
            (Self::Protobuf, 0) => Vec::new(),
            (Self::Protobuf, _) => {
                let mut partial = vec![1 << 3];
                varint(rejected as u64, &mut partial);
                bytes(2, message.as_bytes(), &mut partial);
                let mut response = Vec::new();
                bytes(1, &partial, &mut response);
                response
            }
            (Self::Json, 0) => b"{}".to_vec(),
            (Self::Json, _) => {
                let partial =
                    json!({"rejectedDataPoints": rejected.to_string(), "errorMessage": message});
                json!({ "partialSuccess": partial })
                    .to_string()
                    .into_bytes()
            }
        }
    }

    /// A `google.rpc.Status` for a request that was not taken.
    pub fn status(self, message: &str) -> Vec<u8> {
        match self {
            Self::Protobuf => {
                let mut status = Vec::new();
                bytes(2, message.as_bytes(), &mut status);
                status
            }
            Self::Json => json!({ "message": message }).to_string().into_bytes(),
        }
    }
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn bytes(number: u8, value: &[u8], out: &mut Vec<u8>) {
    out.push(number << 3 | 2);
    varint(value.len() as u64, out);
    out.extend_from_slice(value);
}

#[cfg(test)]
mod tests;
