//! Alertmanager's API v2: silences, of the tenant that the credential names.

use super::alertmanager_types::{PostedSilence, ShownSilence};
use super::{Doors, Sender, read, said};
use crate::core::{Matcher, Silence};
use crate::silences::SilenceError;
use axum::body::Bytes;
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde_json::json;

fn refused(error: &SilenceError) -> Response {
    let status = match error {
        SilenceError::NoSilence(_) => StatusCode::NOT_FOUND,
        SilenceError::Bad(_) | SilenceError::TooMany => StatusCode::BAD_REQUEST,
        SilenceError::Random(_) | SilenceError::Store(_) => {
            tracing::error!(%error, "the store did not answer a request of Alertmanager's API");
            StatusCode::SERVICE_UNAVAILABLE
        }
    };
    said(status, &error.to_string())
}

/// Makes or changes a silence.
pub(super) async fn put(
    Extension(doors): Extension<Doors>,
    Extension(sender): Extension<Sender>,
    body: Bytes,
) -> Response {
    let posted = read::<PostedSilence>(&body);
    let tenant = sender.tenant.clone();
    let spec = posted.and_then(|posted| Ok((posted.id.clone(), posted.spec(tenant)?)));
    let (id, spec) = match spec {
        Ok(spec) => spec,
        Err(why) => return said(StatusCode::BAD_REQUEST, &why),
    };
    let id = id.filter(|id| !id.is_empty());
    let made = doors
        .commands
        .put_silence(id.as_deref(), spec, sender.hand())
        .await;
    match made {
        Ok(silence) => Json(json!({"silenceID": silence.id})).into_response(),
        Err(error) => refused(&error),
    }
}

/// Lists silences; a filter is held against their matchers.
pub(super) async fn list(
    Extension(doors): Extension<Doors>,
    Extension(sender): Extension<Sender>,
    Query(query): Query<Vec<(String, String)>>,
) -> Response {
    let filters = query.iter().filter(|(name, _)| name == "filter");
    let filters: Result<Vec<Matcher>, _> = filters.map(|(_, text)| Matcher::parse(text)).collect();
    let filters = match filters {
        Ok(filters) => filters,
        Err(error) => return said(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    let shows = |silence: &Silence| {
        filters.iter().all(|filter| {
            let mut matchers = silence.spec.matchers.iter();
            matchers
                .any(|matcher| matcher.name() == filter.name() && filter.matches(matcher.value()))
        })
    };
    let now = doors.commands.now();
    match doors.commands.silences(Some(&sender.tenant)).await {
        Ok(silences) => {
            let silences = silences.into_iter().filter(shows);
            let shown: Vec<_> = silences.map(|one| ShownSilence::of(one, now)).collect();
            Json(shown).into_response()
        }
        Err(error) => refused(&error),
    }
}

/// One silence.
pub(super) async fn show(
    Extension(doors): Extension<Doors>,
    Extension(sender): Extension<Sender>,
    Path(id): Path<String>,
) -> Response {
    let silences = match doors.commands.silences(Some(&sender.tenant)).await {
        Ok(silences) => silences,
        Err(error) => return refused(&error),
    };
    match silences.into_iter().find(|silence| silence.id == id) {
        Some(silence) => Json(ShownSilence::of(silence, doors.commands.now())).into_response(),
        None => refused(&SilenceError::NoSilence(id)),
    }
}

/// Ends a silence.
pub(super) async fn expire(
    Extension(doors): Extension<Doors>,
    Extension(sender): Extension<Sender>,
    Path(id): Path<String>,
) -> Response {
    match doors.commands.expire_silence(&id, sender.hand()).await {
        Ok(_) => StatusCode::OK.into_response(),
        Err(error) => refused(&error),
    }
}
