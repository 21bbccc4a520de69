//! Metrics in other formats than line protocol: they become lines, and go the way of all lines.
//!
//! | path | what |
//! |---|---|
//! | `/api/v1/prom/write`, `/api/v1/write` | Prometheus remote write 1.0 and 2.0 |
//! | `/v1/metrics` | OTLP, as protobuf and as JSON |
//! | `/api/v1/metrics` | JSON; Avro where the content type says so |
//! | `/api/v1/metrics/avro` | Avro |

mod avro;
mod json;
mod otlp;
mod outcome;
mod remote_write;

use super::answer::Refusal;
use super::http::{Received, Shared};
use super::parameters::Parameters;
use crate::core::precision::Precision;
use crate::metrics::PointResult;
use axum::body::Body;
use axum::http::{HeaderMap, header};
use axum::response::Response;
use outcome::Outcome;
use runtime::{Routes, Rule};
use schemas::packing::Packing;
use schemas::points::{Decoded, Undecodable};

/// The routes of all formats.
pub(super) fn routes() -> Routes<Shared> {
    let rule = Rule::TenantToken;
    Routes::new()
        .post("/api/v1/prom/write", rule, remote_write::write)
        .post("/api/v1/write", rule, remote_write::write)
        .post("/v1/metrics", rule, otlp::write)
        .post("/api/v1/metrics", rule, json::write)
        .post("/api/v1/metrics/avro", rule, avro::write)
}

impl From<Undecodable> for Refusal {
    fn from(undecodable: Undecodable) -> Self {
        let why = undecodable.to_string();
        match undecodable {
            Undecodable::Malformed { .. } => Self::Invalid(why),
            Undecodable::TooLarge { .. } => Self::TooLarge(why),
            Undecodable::Unsupported(_) => Self::Encoding(why),
        }
    }
}

/// What a request says that its body is, and the kind alone, without its parameters. What cannot be read is `?`, which no format is.
fn content_type(headers: &HeaderMap) -> Option<(&str, &str)> {
    let said = headers.get(header::CONTENT_TYPE)?.to_str().unwrap_or("?");
    Some((said, said.split(';').next().unwrap_or_default().trim()))
}

/// A reader of a format: the body, how many bytes of lines it may become, and where they go.
type Decode<'d> = &'d (dyn Fn(&[u8], usize, &mut Vec<u8>) -> Result<Decoded, Undecodable> + Sync);

/// A request in one of the formats, from its first byte to the log's word.
async fn take(
    shared: &Shared,
    (parameters, headers, body): (&Parameters, &HeaderMap, Body),
    unsaid: Packing,
    decode: Decode<'_>,
) -> Result<Outcome, Refusal> {
    let received = shared.receive(parameters, headers, body, unsaid).await?;
    let Received {
        tenant,
        text,
        mut share,
        _place,
    } = received;
    let mut lines = Vec::new();
    let most = tenant.terms().limits.body_unpacked_bytes;
    let decoded = decode(&text, most, &mut lines)?;
    drop(text);
    share.grow(lines.len())?;
    let metrics = &tenant.metrics;
    metrics.points(PointResult::Rejected, decoded.rejected_points);
    metrics.points(PointResult::Stale, decoded.stale);
    let taken = shared.take(&tenant, lines.into(), Precision::NANOS, share);
    let packed = taken.await?;
    Ok(Outcome::new(decoded, &packed))
}

/// Takes a request, answers it, and counts the answer.
async fn answer(
    shared: &Shared,
    request: (&Parameters, &HeaderMap, Body),
    unsaid: Packing,
    decode: Decode<'_>,
    respond: impl FnOnce(Result<Outcome, Refusal>) -> Response,
) -> Response {
    let watch = shared.clock().stopwatch();
    let response = respond(take(shared, request, unsaid, decode).await);
    shared
        .metrics()
        .answered(response.status().as_u16(), watch.elapsed());
    response
}
