//! The short link of a message: its GET shows a page, only its POST acknowledges, so that the
//! previews of messengers and mail scanners acknowledge nothing.

use super::labels::Labels;
use super::page::{Frame, LinkPage, Section, html, notice};
use super::view::Row;
use super::{Here, Site};
use crate::commands::{CommandError, LinkTarget};
use crate::core::{Actor, Via};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use model::Span;

/// The longest token that is looked up.
const TOKEN: usize = 200;
/// How long a link holds: over a long weekend.
const HOLDS: Span = Span::from_secs(4 * 86_400);

/// The page.
pub(super) async fn ask(
    State(site): Here,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Response {
    let mut response = match target(&site, &token).await {
        Ok(Some(target)) => {
            let t = Labels::of(target.recipient.language);
            let row = Row::new(target.incident, &[], site.now_millis(), t);
            let frame = Frame::new(&site, t, Section::Alone, String::new());
            let (recipient, action) = (target.recipient.name, format!("/a/{token}"));
            html(
                StatusCode::OK,
                &LinkPage {
                    frame,
                    row,
                    recipient,
                    action,
                },
            )
        }
        Ok(None) => gone(&site, &headers),
        Err(error) => failed(&site, &headers, &error),
    };
    response.headers_mut().insert(
        HeaderName::from_static("x-robots-tag"),
        HeaderValue::from_static("noindex"),
    );
    response
}

/// The button. Whoever holds the link acts as the person to whom it was sent.
pub(super) async fn acknowledge(
    State(site): Here,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Response {
    let target = match target(&site, &token).await {
        Ok(Some(target)) => target,
        Ok(None) => return gone(&site, &headers),
        Err(error) => return failed(&site, &headers, &error),
    };
    let actor = Actor {
        name: target.recipient.name,
        contact: target.recipient.contact,
    };
    match site
        .whole_desk()
        .acknowledge(target.incident.id, actor, Via::Link)
        .await
    {
        Ok(_) => Redirect::to(&format!("/a/{token}")).into_response(),
        Err(error) => failed(&site, &headers, &error),
    }
}

async fn target(site: &Site, token: &str) -> Result<Option<LinkTarget>, CommandError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if token.len() > TOKEN || !token.bytes().all(plain) {
        return Ok(None);
    }
    let Some(target) = site.whole_desk().link_target(token).await? else {
        return Ok(None);
    };
    let id = target.incident.id;
    let deliveries = site.whole_desk().deliveries_of(&[id]).await?;
    let carried = deliveries.get(&id).into_iter().flatten();
    let sent = carried
        .filter(|delivery| delivery.id == target.delivery)
        .map(|delivery| delivery.created_at.as_millis())
        .next();
    let holds = sent.is_some_and(|sent| site.now_millis() - sent < HOLDS.as_millis());
    Ok(holds.then_some(target))
}

fn gone(site: &Site, headers: &HeaderMap) -> Response {
    let text = Labels::wanted(headers).link_unknown_text;
    notice(site, headers, StatusCode::GONE, |t| t.link_unknown, text)
}

fn failed(site: &Site, headers: &HeaderMap, error: &CommandError) -> Response {
    tracing::error!(%error, "the link of a message could not be followed");
    let status = StatusCode::SERVICE_UNAVAILABLE;
    notice(site, headers, status, |t| t.failed, error.to_string())
}
