//! Requests that are sent again: with the same `Idempotency-Key` they are done once and answered alike, for 24 hours.

use super::Site;
use super::problem::Problem;
use crate::core::Who;
use crate::io::store::{Answer, Reserved};
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use model::Span;
use runtime::{Declared, Rule};
use sha2::{Digest, Sha256};

/// How long an answer is kept.
const KEPT: Span = Span::from_secs(24 * 3_600);
/// How long a request may be under way; after it whoever answered it is taken for dead.
const UNDER_WAY: Span = Span::from_secs(60);
/// The largest answer that is kept.
const ANSWER_BYTES: usize = 1 << 20;
/// Whose answers hold a secret.
const UNKEPT: &str = "/api/v1/tokens";
const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Whether a route takes the header. An answer with a secret is never kept, so tokens do not.
pub(super) fn applies(route: Declared) -> bool {
    matches!(route.rule, Rule::Api(_)) && route.method == "POST" && route.path != UNKEPT
}

/// Does a request with a key once.
pub(super) async fn once(State(site): State<Site>, request: Request, next: Next) -> Response {
    let Some(key) = request.headers().get(KEY).cloned() else {
        return next.run(request).await;
    };
    if request.uri().path() == UNKEPT {
        return next.run(request).await;
    }
    let who = request.extensions().get::<Who>().cloned();
    let (Some(who), true) = (who, request.method() == Method::POST) else {
        return next.run(request).await;
    };
    answered(&site, &who, &key, request, next)
        .await
        .unwrap_or_else(IntoResponse::into_response)
}

async fn answered(
    site: &Site,
    who: &Who,
    key: &HeaderValue,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let key = key.to_str().unwrap_or_default();
    if !(1..=200).contains(&key.len()) {
        let text = "`Idempotency-Key` has 1 to 200 printable characters";
        return Err(Problem::bad_request(text));
    }
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, super::BODY_BYTES).await;
    let body = body.map_err(|_| {
        let text = "the body is too large, or did not come whole";
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, text)
    })?;
    let name = digest(&[who.proof.to_string().as_bytes(), key.as_bytes()]);
    let uri = parts.uri.to_string();
    let print = digest(&[uri.as_bytes(), &body]);
    let now = site.now();
    let reserved = site
        .store()
        .reserve_answer(&name, &print, (now, now.plus(UNDER_WAY)));
    match reserved.await.map_err(unavailable)? {
        Reserved::Ours => {}
        Reserved::Answered(answer) => return Ok(again(answer)),
        Reserved::Other => {
            let text = "this `Idempotency-Key` was used for another request";
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, text));
        }
        Reserved::UnderWay => {
            let text = "the request with this `Idempotency-Key` is being answered; come again";
            return Err(Problem::new(StatusCode::CONFLICT, text));
        }
    }
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    kept(site, &name, response).await
}

/// Keeps an answer; what failed on our side may be sent again.
async fn kept(site: &Site, name: &str, response: Response) -> Result<Response, Problem> {
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, ANSWER_BYTES).await;
    let bytes = bytes.map_err(|_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "too large"))?;
    let text = String::from_utf8(bytes.to_vec()).ok();
    let store = site.store();
    let done = match text.filter(|_| !parts.status.is_server_error()) {
        Some(body) => {
            let kind = parts.headers.get(header::CONTENT_TYPE);
            let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
            let answer = Answer {
                status: parts.status.as_u16(),
                kind: kind.to_owned(),
                body,
            };
            let ends = site.now().plus(KEPT);
            store.keep_answer(name, &answer, ends).await
        }
        None => store.forget_answer(name).await,
    };
    if let Err(error) = done {
        // It was done: whoever asks again within a minute is told that it is under way.
        tracing::warn!(%error, "the answer to a request with an idempotency key is not kept");
    }
    Ok(Response::from_parts(parts, Body::from(bytes)))
}

fn again(answer: Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, answer.body).into_response();
    let headers = response.headers_mut();
    if let Ok(kind) = HeaderValue::from_str(&answer.kind) {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

/// A hash over parts, each with its length in front.
fn digest(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hex::encode(hash.finalize())
}

fn unavailable(error: crate::io::store::StoreError) -> Problem {
    crate::commands::CommandError::Store(error).into()
}
