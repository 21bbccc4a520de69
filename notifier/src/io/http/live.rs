//! The stream of changes that keeps pages live (server-sent events).

use super::acting::{Acting, hears};
use crate::commands::Changed;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use model::Role;
use serde_json::json;
use std::convert::Infallible;
use std::time::Duration;
use tokio_stream::wrappers::BroadcastStream;

/// Streams at a time; more are asked to come back later.
pub(super) const STREAMS: usize = 512;
/// Proxies cut what is silent for longer.
const SILENCE: Duration = Duration::from_secs(15);
/// When browsers come back after a break.
const COME_BACK: Duration = Duration::from_secs(2);

/// `hello` at once, then `change` for each change of an incident, until the service ends.
pub(super) async fn events(site: Acting) -> Response {
    let Ok(permit) = site.0.streams.clone().try_acquire_owned() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many streams\n").into_response();
    };
    let order = site.0.tasks.shutdown().clone();
    let changes = BroadcastStream::new(site.whole_desk().subscribe());
    let seen = site.who().tenants(Role::Viewer);
    let hello = stream::once(async { Event::default().event("hello").retry(COME_BACK).data("{}") });
    let changes = changes.filter_map(move |change| {
        let said = match change {
            // Of other tenants not even that something changed.
            Ok(change) => hears(&seen, &change).then(|| said(&change)),
            // Fell behind: whoever reads loads everything anew.
            Err(_) => Some(Event::default().event("change").data("{}")),
        };
        std::future::ready(said)
    });
    let events = hello
        .chain(changes)
        .take_until(async move { order.begun().await })
        .map(move |event| {
            // The permit lives as long as the stream.
            let _held = &permit;
            Ok::<_, Infallible>(event)
        });
    Sse::new(events)
        .keep_alive(KeepAlive::new().interval(SILENCE))
        .into_response()
}

fn said(change: &Changed) -> Event {
    let data = json!({
        "incident": change.incident.to_string(),
        "tenant": change.tenant.as_str(),
        "revision": change.revision,
    });
    Event::default().event("change").data(data.to_string())
}
