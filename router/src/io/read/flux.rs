//! `/api/v2/query` and `/api/v2/buckets`.

use super::super::parameters::Pairs;
use super::answer::{ReadError, csv, pass};
use super::ask::{Ask, Said};
use super::shards::Question;
use super::{Api, BODY_WITHIN, Reader, header_text};
use crate::core::read::{Merge, Refused, csv as tables, flux};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use influx::Form;
use serde::Deserialize;
use serde_json::{Value, json};

/// What may stand in the body of a query. `extern` and `ast` would bring code past the check.
#[derive(Debug, Deserialize)]
struct FluxBody {
    query: String,
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    dialect: Option<Value>,
    #[serde(default)]
    now: Option<String>,
    #[serde(flatten)]
    more: serde_json::Map<String, Value>,
}

pub(super) async fn post(State(reader): State<Reader>, headers: HeaderMap, body: Body) -> Response {
    let query = reader.flux(&headers, body);
    reader.answer(Api::V2, "flux", query).await
}

impl Reader {
    async fn flux(&self, headers: &HeaderMap, body: Body) -> Result<Response, ReadError> {
        let tenant = self.tenant(headers, None)?;
        let text = self.body(headers, body, BODY_WITHIN).await?;
        let asked = read(headers, &text)?;
        let now = match &asked.now {
            Some(now) => crate::core::read::time::instant(now).ok_or_else(|| {
                Refused::Invalid(format!("`now` is `{now}`, which is no time in RFC 3339"))
            })?,
            None => self.0.clock.now_nanos(),
        };
        let mut checked = flux::check(&asked.query, &tenant, now)?;
        if asked
            .dialect
            .as_ref()
            .is_some_and(|it| !tables::is_plain(it))
        {
            let why = "its dialect has no header, or other signs than `,` and `#`";
            checked.merge = Merge::Not(why.to_owned());
        }
        let mut body = json!({"type": "flux", "query": asked.query});
        for (key, value) in [
            ("dialect", asked.dialect),
            ("now", asked.now.map(Value::from)),
        ] {
            if let Some(value) = value {
                body[key] = value;
            }
        }
        let question = Question::Flux(body);
        let form = |encoding| Form {
            accept: Some("application/csv".to_owned()),
            encoding,
        };
        let ask = Ask {
            tenant: &tenant,
            window: checked.window,
            merge: &checked.merge,
            question: question.clone(),
            form: form(header_text(headers, header::ACCEPT_ENCODING)),
            to_merge: (question, form(None)),
        };
        match self.ask(&ask).await? {
            Said::One(Some(answer)) | Said::Refused(answer) => Ok(pass(answer)),
            Said::One(None) => Ok(csv("\r\n".to_owned())),
            Said::Several(answers) => match answers.iter().find_map(|answer| tables::error(answer))
            {
                Some(error) => Err(ReadError::Unavailable(error)),
                None if checked.merge == Merge::Names => Ok(csv(tables::names(&answers))),
                None => Ok(csv(tables::join(&answers))),
            },
        }
    }
}

fn read(headers: &HeaderMap, text: &[u8]) -> Result<FluxBody, ReadError> {
    let invalid = |why: String| ReadError::Refused(Refused::Invalid(why));
    let kind = header_text(headers, header::CONTENT_TYPE).unwrap_or_default();
    if kind.starts_with("application/vnd.flux") {
        let query = std::str::from_utf8(text)
            .map_err(|_| invalid("the query is not UTF-8".to_owned()))?
            .to_owned();
        return Ok(FluxBody {
            query,
            kind: None,
            dialect: None,
            now: None,
            more: serde_json::Map::new(),
        });
    }
    let body: FluxBody = serde_json::from_slice(text).map_err(|error| {
        invalid(format!(
            "the body is not understood: {error}; send {{\"query\": \"..\"}}, or Flux as application/vnd.flux"
        ))
    })?;
    if body.kind.as_deref().is_some_and(|kind| kind != "flux") {
        return Err(invalid(
            "`type` must be `flux`; InfluxQL goes to /query".to_owned(),
        ));
    }
    let used = |value: &Value| !value.is_null() && *value != json!({});
    if let Some((key, _)) = body.more.iter().find(|(_, value)| used(value)) {
        return Err(invalid(format!(
            "`{key}` is not passed on: a body has `query`, `dialect` and `now`"
        )));
    }
    Ok(body)
}

/// The one bucket that a tenant has, in the form in which InfluxDB lists them.
pub(super) async fn buckets(
    State(reader): State<Reader>,
    mut pairs: Pairs,
    headers: HeaderMap,
) -> Response {
    match reader.tenant(&headers, None) {
        Err(refusal) => refusal.response(Api::V2),
        Ok(tenant) => {
            let name = tenant.as_str();
            let wanted = pairs.first("name").is_none_or(|wanted| wanted == name);
            // Clients want ids of 16 hexadecimal digits; nobody looks a bucket up by it here.
            let id = format!("{:016x}", 1);
            let bucket = json!({
                "id": id, "orgID": id, "type": "user", "name": name, "retentionRules": [],
            });
            let buckets: Vec<Value> = wanted.then_some(bucket).into_iter().collect();
            axum::Json(json!({"links": {"self": "/api/v2/buckets"}, "buckets": buckets}))
                .into_response()
        }
    }
}
