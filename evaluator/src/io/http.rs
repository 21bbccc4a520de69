//! What a person may ask a running evaluator: the state of groups, of the partitions that it holds.

use super::questions::{Asked, Desk, Told};
use crate::tools::{explained_json, explained_text};
use axum::Json;
use axum::extract::{ConnectInfo, DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use model::TenantId;
use runtime::{Declared, Routes, Rule, Secret, Served};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use subtle::ConstantTimeEq;

/// An answer shows so many groups; the others are counted.
const MOST: usize = 200;
/// A question is short.
const MOST_BYTES: usize = 64 * 1024;

#[derive(Clone)]
struct Door {
    desk: Desk,
    token: Option<Secret>,
}

/// What is asked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    tenant: String,
    template: String,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

/// The routes. Without a token only callers of the same machine are answered.
pub(crate) fn routes(desk: Desk, token: Option<Secret>) -> Served {
    rows()
        .layer(DefaultBodyLimit::max(MOST_BYTES))
        .kept_by_handlers()
        .with_state(Door { desk, token })
}

/// The table of the evaluator's routes.
pub fn table() -> Vec<Declared> {
    rows().table()
}

fn rows() -> Routes<Door> {
    Routes::new().post("/explain", Rule::OperatorToken, explain)
}

async fn explain(
    State(door): State<Door>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Json(question): Json<Question>,
) -> Response {
    if let Err(why) = door.admits(peer, &headers) {
        return (StatusCode::UNAUTHORIZED, format!("{why}\n")).into_response();
    }
    let Ok(tenant) = TenantId::parse(&question.tenant) else {
        return (StatusCode::BAD_REQUEST, "that is no tenant's name\n").into_response();
    };
    let asked = Asked {
        template: question.template,
        tags: question.tags.into_iter().collect(),
    };
    let answers = door.desk.ask(&tenant, &asked).await;
    Json(answer(&answers)).into_response()
}

impl Door {
    fn admits(&self, peer: SocketAddr, headers: &HeaderMap) -> Result<(), &'static str> {
        let Some(token) = &self.token else {
            return match peer.ip().is_loopback() {
                true => Ok(()),
                false => Err(
                    "without `evaluator.operator_token_file` only callers of the same machine \
                     are answered",
                ),
            };
        };
        let wanted = format!("Bearer {}", token.expose());
        let given = headers
            .get(header::AUTHORIZATION)
            .map(axum::http::HeaderValue::as_bytes);
        match given.is_some_and(|given| given.ct_eq(wanted.as_bytes()).into()) {
            true => Ok(()),
            false => Err("the token of `evaluator.operator_token_file` is wanted"),
        }
    }
}

fn answer(answers: &[(u32, Option<Told>)]) -> serde_json::Value {
    let told = || {
        answers
            .iter()
            .filter_map(|(n, told)| Some((n, told.as_ref()?)))
    };
    let held: Vec<u32> = told().map(|(n, _)| *n).collect();
    let busy = answers.iter().filter(|(_, told)| told.is_none());
    let busy: Vec<u32> = busy.map(|(n, _)| *n).collect();
    let all = || told().flat_map(|(n, told)| told.groups.iter().map(move |group| (n, group)));
    let groups: Vec<_> = all()
        .take(MOST)
        .map(|(n, group)| {
            let mut state = explained_json(group);
            state["partition"] = json!(n);
            json!({"text": explained_text(group), "state": state})
        })
        .collect();
    let newest = told().max_by_key(|(_, told)| told.revision);
    json!({
        "held": held,
        "busy": busy,
        "partitions": newest.as_ref().map(|(_, told)| told.of),
        "revision": newest.as_ref().and_then(|(_, told)| told.revision),
        "templates": newest.as_ref().map(|(_, told)| told.templates.clone()),
        "groups": groups,
        "more": all().count().saturating_sub(MOST),
    })
}
