//! `/api/v2/resolve`: which shards hold the tenant's points of a time.

use super::super::parameters::Pairs;
use super::answer::ReadError;
use super::{Api, Reader};
use crate::core::read::{Refused, time};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use model::{ShardId, Timestamp};
use placement::{PlacementMap, Resolved};
use schemas::catalogue::EpochStart;
use serde_json::{Value, json};

/// What is asked for. Times as [`time::given`] reads them.
struct Range {
    from: Option<String>,
    to: Option<String>,
    host: Option<String>,
}

pub(super) async fn get(
    State(reader): State<Reader>,
    mut pairs: Pairs,
    headers: HeaderMap,
) -> Response {
    let range = Range {
        from: pairs.first("from"),
        to: pairs.first("to"),
        host: pairs.first("host"),
    };
    match reader.resolve(&range, &headers) {
        Ok(found) => axum::Json(found).into_response(),
        Err(error) => error.response(Api::V2),
    }
}

impl Reader {
    fn resolve(&self, range: &Range, headers: &HeaderMap) -> Result<Value, ReadError> {
        let tenant = self.tenant(headers, None)?;
        let now = self.0.clock.now_nanos();
        let instant = |name: &str, text: &Option<String>, default: i64| {
            match text {
            None => Ok(default),
            Some(text) => time::given(text, now).ok_or_else(|| {
                Refused::Invalid(format!(
                    "`{name}` is `{text}`: write a time such as 2026-01-31T00:00:00Z, `-1h`, `now` or `beginning`"
                ))
            }),
        }
        };
        let (from, to) = (
            instant("from", &range.from, i64::MIN)?,
            instant("to", &range.to, now)?,
        );
        let catalogue = self.catalogue();
        let map = PlacementMap::compile(&catalogue)
            .map_err(|error| ReadError::Unavailable(error.to_string()))?;
        Ok(shown(&map.resolve(
            &tenant,
            from,
            to,
            range.host.as_deref(),
        )))
    }
}

fn shown(resolved: &Resolved) -> Value {
    let time = |nanos: i64| match nanos {
        i64::MIN => "beginning".to_owned(),
        _ => EpochStart::At(Timestamp::from_nanos(nanos)).to_string(),
    };
    let names = |shards: &[ShardId]| -> Vec<String> {
        shards
            .iter()
            .map(|shard| shard.as_str().to_owned())
            .collect()
    };
    let spans = resolved.spans.iter().map(|span| {
        let groups: Vec<Value> = span
            .groups
            .iter()
            .map(|group| json!(names(&group.shards)))
            .collect();
        json!({
            "epoch": time(span.epoch), "from": time(span.from), "to": time(span.to),
            "why": span.why.to_string(), "groups": groups,
        })
    });
    let read = resolved.cover(|_| true).map(|shards| names(&shards));
    json!({
        "tenant": resolved.tenant.as_str(),
        "spans": spans.collect::<Vec<_>>(),
        "shards": names(&resolved.shards()),
        "read": read.ok(),
    })
}
