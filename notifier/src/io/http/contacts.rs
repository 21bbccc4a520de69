//! Contacts under `/api/v1/contacts`: a test page, a code that proves whose a phone is, and what should be mended before it is
//! needed.

use super::acting::Acting;
use super::api_types::rfc3339;
use super::problem::Problem;
use super::{Site, api};
use crate::commands::Commands;
use crate::core::ChannelKind;
use crate::io::store::StoreError;
use crate::notices::{ContactState, NoticeError};
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use model::Role;
use runtime::{Routes, Rule};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A test to send.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TestBody {
    /// Who asks for it; `api` when left out.
    by: Option<String>,
    /// Through what: `api` or `cli`.
    via: Option<String>,
    /// `sms`, `voice`, `chat`, ...; every one that reaches the contact when left out.
    channels: Vec<String>,
}

/// A code to send.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct CodeBody {
    /// Who asks for it; `api` when left out.
    by: Option<String>,
    /// Through what: `api` or `cli`.
    via: Option<String>,
    /// `sms`, `voice` or `alimtalk`; `sms` when left out.
    channel: Option<String>,
}

/// A code that somebody says.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ConfirmBody {
    /// Who says it; `api` when left out.
    by: Option<String>,
    /// Through what: `api` or `cli`.
    via: Option<String>,
    /// Six digits.
    code: String,
}

/// What was sent: its fate stands in the incident's deliveries.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SentView {
    /// The incident that carries it.
    incident: String,
    /// Until when a code is good.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
}

/// A contact.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ContactView {
    contact: String,
    name: String,
    phone: Option<String>,
    /// When its phone was verified; null where it was not, or was changed since.
    verified_at: Option<String>,
    /// Who said the code.
    verified_by: Option<String>,
    /// Whether a policy may page them.
    paged: bool,
}

/// All contacts, by name.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ContactList {
    contacts: Vec<ContactView>,
    /// Hours of the next 14 days in which a policy reaches nobody, and phones in policies that nobody verified.
    warnings: Vec<String>,
}

/// The routes; their handlers are handed the commands.
pub(super) fn routes() -> Routes<Site> {
    let (sees, acts) = (Rule::Api(Role::Viewer), Rule::Api(Role::Operator));
    Routes::new()
        .get("/api/v1/contacts", sees, list)
        .post("/api/v1/contacts/{contact}/test", acts, test)
        .post("/api/v1/contacts/{contact}/code", acts, code)
        .post("/api/v1/contacts/{contact}/confirm", acts, confirm)
}

/// Lists contacts with what is known of their phones.
#[utoipa::path(
    get, path = "/api/v1/contacts", tag = "contacts",
    responses((status = 200, body = ContactList))
)]
pub(super) async fn list(
    acting: Acting,
    Extension(commands): Extension<Commands>,
) -> Result<Json<ContactList>, Problem> {
    acting.may(Role::Viewer, None)?;
    let contacts = commands.contacts().await?;
    let warnings = commands.warnings().await?;
    let contacts = contacts.into_iter().map(ContactView::from).collect();
    Ok(Json(ContactList { contacts, warnings }))
}

/// Sends a test to a contact, by the way of every page.
#[utoipa::path(
    post, path = "/api/v1/contacts/{contact}/test", tag = "contacts", request_body = TestBody,
    params(("contact" = String, Path, description = "its name in the catalogue")),
    responses(
        (status = 202, body = SentView),
        (status = 404, body = Problem, content_type = "application/problem+json")
    )
)]
pub(super) async fn test(
    acting: Acting,
    Extension(commands): Extension<Commands>,
    Path(contact): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<SentView>), Problem> {
    let body = api::json::<TestBody>(&headers, &body)?;
    acting.may(Role::Operator, None)?;
    let (actor, _) = acting.actor(body.by, body.via.as_deref())?;
    let by = body.channels.iter().map(|word| channel(word));
    let by = by.collect::<Result<Vec<_>, _>>()?;
    let incident = commands.test_page(&contact, by, &actor.name).await?;
    let view = SentView {
        incident: incident.to_string(),
        expires_at: None,
    };
    Ok((StatusCode::ACCEPTED, Json(view)))
}

/// Sends a code to a contact's phone.
#[utoipa::path(
    post, path = "/api/v1/contacts/{contact}/code", tag = "contacts", request_body = CodeBody,
    params(("contact" = String, Path, description = "its name in the catalogue")),
    responses(
        (status = 202, body = SentView),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json"),
        (status = 429, body = Problem, content_type = "application/problem+json")
    )
)]
pub(super) async fn code(
    acting: Acting,
    Extension(commands): Extension<Commands>,
    Path(contact): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<SentView>), Problem> {
    let body = api::json::<CodeBody>(&headers, &body)?;
    acting.may(Role::Operator, None)?;
    let (actor, _) = acting.actor(body.by, body.via.as_deref())?;
    let by = channel(body.channel.as_deref().unwrap_or("sms"))?;
    let (incident, until) = commands.send_code(&contact, by, &actor.name).await?;
    let view = SentView {
        incident: incident.to_string(),
        expires_at: Some(rfc3339(until)),
    };
    Ok((StatusCode::ACCEPTED, Json(view)))
}

/// Takes the code that was sent: from then on the phone is verified.
#[utoipa::path(
    post, path = "/api/v1/contacts/{contact}/confirm", tag = "contacts", request_body = ConfirmBody,
    params(("contact" = String, Path, description = "its name in the catalogue")),
    responses(
        (status = 200, body = ContactView),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json")
    )
)]
pub(super) async fn confirm(
    acting: Acting,
    Extension(commands): Extension<Commands>,
    Path(contact): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<ContactView>, Problem> {
    let body = api::json::<ConfirmBody>(&headers, &body)?;
    acting.may(Role::Operator, None)?;
    let (actor, _) = acting.actor(body.by, body.via.as_deref())?;
    // What can be no code costs none of the five tries.
    if body.code.len() != 6 || !body.code.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Problem::bad_request("`code` has six digits"));
    }
    commands
        .confirm_code(&contact, &body.code, &actor.name)
        .await?;
    let all = commands.contacts().await?.into_iter();
    let mut mine = all.filter(|one| one.contact == contact);
    let found = mine.next().ok_or(NoticeError::NoContact(contact))?;
    Ok(Json(ContactView::from(found)))
}

fn channel(word: &str) -> Result<ChannelKind, Problem> {
    ChannelKind::parse(word).map_err(|error| Problem::bad_request(error.to_string()))
}

impl From<ContactState> for ContactView {
    fn from(state: ContactState) -> Self {
        let (at, by) = state.verified.unzip();
        Self {
            contact: state.contact,
            name: state.name,
            phone: state.phone,
            verified_at: at.map(rfc3339),
            verified_by: by,
            paged: state.is_paged,
        }
    }
}

impl From<NoticeError> for Problem {
    fn from(error: NoticeError) -> Self {
        use crate::core::NotVerified::TooSoon;
        let status = match &error {
            NoticeError::NoContact(_) => StatusCode::NOT_FOUND,
            NoticeError::NotByPhone(_) => StatusCode::BAD_REQUEST,
            NoticeError::NotVerified(TooSoon(_)) => StatusCode::TOO_MANY_REQUESTS,
            NoticeError::NoPhone(_) | NoticeError::NoProvider(_) | NoticeError::NotVerified(_) => {
                StatusCode::CONFLICT
            }
            NoticeError::Store(_) | NoticeError::Random(_) | NoticeError::Name(_) => {
                tracing::error!(%error, "a request of the API about a contact was not carried out");
                let detail = "it could not be carried out now; try again";
                return Self::new(StatusCode::SERVICE_UNAVAILABLE, detail);
            }
        };
        Self::new(status, error.to_string())
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        NoticeError::from(error).into()
    }
}
