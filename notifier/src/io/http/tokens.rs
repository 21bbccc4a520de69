//! Tokens of programs under `/api/v1/tokens`: made, shown once, listed, revoked.

use super::acting::Acting;
use super::api;
use super::api_types::rfc3339;
use super::problem::Problem;
use crate::commands::CommandError;
use crate::core::{Grant, Tenants};
use crate::io::store::{ApiToken, StoreError};
use axum::Json;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::{Role, Span};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What tokens of the API begin with, so that scanners of secrets know them.
const PREFIX: &str = "bongsu_api_";

/// A token to make.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TokenBody {
    /// What it is for: 1 to 64 of a-z, 0-9 and '-'. Of one name the two newest are valid, so that they can be rotated.
    name: String,
    /// `viewer`, `responder`, `operator` or `admin`.
    role: String,
    /// `["*"]`, or ids of tenants.
    tenants: Vec<String>,
    /// How long it is valid: `90d`; until it is revoked when left out.
    r#for: Option<String>,
}

/// A token, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TokenView {
    /// 32 hexadecimal digits.
    id: String,
    name: String,
    /// `viewer`, `responder`, `operator` or `admin`.
    role: &'static str,
    /// `["*"]`, or ids of tenants.
    tenants: Vec<String>,
    created_by: String,
    created_at: String,
    ends_at: Option<String>,
    revoked_at: Option<String>,
}

/// Tokens, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TokenList {
    tokens: Vec<TokenView>,
}

/// A new token.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NewToken {
    #[serde(flatten)]
    about: TokenView,
    /// The secret, which is shown this once.
    token: String,
}

impl From<ApiToken> for TokenView {
    fn from(token: ApiToken) -> Self {
        Self {
            id: token.id,
            name: token.name,
            role: token.grant.role.as_str(),
            tenants: token.grant.tenants.words(),
            created_by: token.created_by,
            created_at: rfc3339(token.created_at),
            ends_at: token.ends_at.map(rfc3339),
            revoked_at: token.revoked_at.map(rfc3339),
        }
    }
}

fn store(error: StoreError) -> Problem {
    CommandError::Store(error).into()
}

/// Lists the tokens whose tenants are all the asker's to administer.
#[utoipa::path(
    get, path = "/api/v1/tokens", tag = "access",
    responses((status = 200, body = TokenList), (status = 403, body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn list(acting: Acting) -> Result<Json<TokenList>, Problem> {
    let ours = acting.who().tenants(Role::Admin);
    let mut tokens = acting.store().tokens().await.map_err(store)?;
    tokens.retain(|token| ours.cover(&token.grant.tenants));
    let tokens = tokens.into_iter().map(TokenView::from).collect();
    Ok(Json(TokenList { tokens }))
}

/// Makes a token, which is shown this once.
#[utoipa::path(
    post, path = "/api/v1/tokens", tag = "access", request_body = TokenBody,
    responses(
        (status = 201, body = NewToken),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn create(
    acting: Acting,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<NewToken>), Problem> {
    let body: TokenBody = api::json(&headers, &body)?;
    let refuse = |error: model::InvalidName| Problem::bad_request(error.to_string());
    let grant = Grant {
        role: Role::parse(&body.role).map_err(refuse)?,
        tenants: Tenants::parse(body.tenants.iter().map(String::as_str)).map_err(refuse)?,
    };
    if !acting.who().tenants(Role::Admin).cover(&grant.tenants) {
        let text = "this needs the role admin in every tenant of the token";
        return Err(Problem::new(StatusCode::FORBIDDEN, text));
    }
    if let Tenants::These(these) = &grant.tenants {
        acting.knows(these)?;
    }
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !(1..=64).contains(&body.name.len()) || !body.name.bytes().all(plain) {
        return Err(Problem::bad_request(
            "`name` has 1 to 64 of a-z, 0-9 and '-'",
        ));
    }
    let now = acting.now();
    let lasts = body.r#for.as_deref().map(Span::parse).transpose();
    let lasts =
        lasts.map_err(|_| Problem::bad_request("`for` is a length of time, such as 90d"))?;
    let known = acting.store().tokens().await.map_err(store)?;
    let other = known
        .iter()
        .find(|token| token.name == body.name && token.revoked_at.is_none());
    if other.is_some_and(|other| {
        !acting
            .who()
            .tenants(Role::Admin)
            .cover(&other.grant.tenants)
    }) {
        return Err(Problem::new(StatusCode::CONFLICT, "this name is taken"));
    }
    let (id, secret) = (random(16)?, random(32)?);
    let secret = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(secret));
    let token = ApiToken {
        id: hex::encode(id),
        name: body.name,
        grant,
        created_by: acting.who().name.clone(),
        created_at: now,
        ends_at: lasts.map(|span| now.plus(span)),
        revoked_at: None,
    };
    let kept = async {
        let mut tx = acting.store().begin().await?;
        tx.put_token(&token, &secret, acting.who()).await?;
        tx.commit().await
    };
    kept.await.map_err(store)?;
    let new = NewToken {
        about: token.into(),
        token: secret,
    };
    Ok((StatusCode::CREATED, Json(new)))
}

/// Revokes a token: the next request with it is refused, and the sessions that it began end.
#[utoipa::path(
    delete, path = "/api/v1/tokens/{id}", tag = "access", params(("id" = String, Path, description = "32 hexadecimal digits")),
    responses((status = 200, body = TokenView), (status = 404, body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn revoke(
    acting: Acting,
    Path(id): Path<String>,
) -> Result<Json<TokenView>, Problem> {
    let ours = acting.who().tenants(Role::Admin);
    let mut known = acting.store().tokens().await.map_err(store)?.into_iter();
    let found = known.find(|token| token.id == id && ours.cover(&token.grant.tenants));
    let unknown = || Problem::new(StatusCode::NOT_FOUND, "there is no such token");
    let mut token = found.ok_or_else(unknown)?;
    if token.revoked_at.is_none() {
        let now = acting.now();
        let ended = async {
            let mut tx = acting.store().begin().await?;
            tx.end_token(&token, acting.who(), now).await?;
            tx.commit().await
        };
        ended.await.map_err(store)?;
        token.revoked_at = Some(now);
    }
    Ok(Json(token.into()))
}

fn random(bytes: usize) -> Result<Vec<u8>, Problem> {
    let mut random = vec![0; bytes];
    getrandom::fill(&mut random).map_err(|error| {
        tracing::error!(%error, "no random numbers for a token");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no random numbers")
    })?;
    Ok(random)
}
