//! The audit log under `/api/v1/audit`.

use super::acting::Acting;
use super::problem::Problem;
use crate::commands::CommandError;
use crate::core::audit_log::Linked;
use axum::Json;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use model::Role;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Entries of a page when nothing else is asked for, and at most.
const PAGE: u32 = 200;
const PAGE_LIMIT: u32 = 1_000;

/// Which entries.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(super) struct AuditQuery {
    /// Behind this number; from the beginning when left out.
    after: Option<u64>,
    /// How many at most, 1 to 1000; 200 when left out.
    limit: Option<u32>,
}

/// An entry of the audit log.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AuditEntry {
    /// Counts all entries from 1; those of other tenants are left out of an answer.
    number: u64,
    /// RFC 3339.
    at: String,
    /// A word for machines: `acknowledged`, `page attempt`, `silence made`, `token made`, `sign-in`, `catalogue changed`, ...
    kind: String,
    /// Who did it.
    actor: String,
    /// How that is known, or through what they acted.
    via: String,
    /// Whose it is; none when it is about no tenant alone.
    tenant: Option<String>,
    /// What it was done to.
    subject: String,
    /// What was done.
    detail: String,
    /// The hash of the entry before, 64 hexadecimal digits.
    before: String,
    /// Its own.
    hash: String,
}

/// A part of the audit log, the oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AuditPart {
    entries: Vec<AuditEntry>,
    /// `after` of the next part; none at the end.
    next: Option<u64>,
}

impl From<Linked> for AuditEntry {
    fn from(entry: Linked) -> Self {
        let happened = entry.happened;
        Self {
            number: entry.number,
            at: happened.at,
            kind: happened.kind,
            actor: happened.actor,
            via: happened.via,
            tenant: happened.tenant,
            subject: happened.subject,
            detail: happened.detail,
            before: entry.before,
            hash: entry.hash,
        }
    }
}

/// The audit log of the asker's tenants; with the role in every tenant, the whole of it, which can be verified.
#[utoipa::path(
    get, path = "/api/v1/audit", tag = "access", params(AuditQuery),
    responses(
        (status = 200, body = AuditPart),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(
    acting: Acting,
    query: Result<Query<AuditQuery>, QueryRejection>,
) -> Result<Json<AuditPart>, Problem> {
    let Query(query) = query.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    let limit = query.limit.unwrap_or(PAGE);
    if !(1..=PAGE_LIMIT).contains(&limit) {
        return Err(Problem::bad_request(format!(
            "`limit` must be 1 to {PAGE_LIMIT}"
        )));
    }
    let (store, tenants) = (acting.store(), acting.who().tenants(Role::Admin));
    let read = async {
        // What was done a moment ago is in it.
        store.link_audit().await?;
        store
            .audit_log(query.after.unwrap_or(0), limit, &tenants)
            .await
    };
    let found = read.await.map_err(CommandError::Store)?;
    let full = found.len() == limit as usize;
    let next = found.last().filter(|_| full).map(|last| last.number);
    let entries = found.into_iter().map(AuditEntry::from).collect();
    Ok(Json(AuditPart { entries, next }))
}
