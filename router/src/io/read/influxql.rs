//! `/query`: InfluxQL as InfluxDB 1 takes it.

use super::answer::{ReadError, pass};
use super::ask::{Ask, Said};
use super::shards::Question;
use super::{Api, BODY_WITHIN, Reader, header_text};
use crate::core::read::influxql::{self as ql, Own};
use crate::core::read::{Merge, Refused, merge};
use axum::Form as FormBody;
use axum::body::Body;
use axum::extract::{FromRequest, Query, Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::response::{IntoResponse, Response};
use influx::Form;
use model::TenantId;
use serde_json::{Value, json};

type Parameters = Vec<(String, String)>;

pub(super) async fn get(
    State(reader): State<Reader>,
    Query(parameters): Query<Parameters>,
    headers: HeaderMap,
) -> Response {
    let query = reader.influxql(&headers, parameters);
    reader.answer(Api::V1, "influxql", query).await
}

pub(super) async fn post(
    State(reader): State<Reader>,
    Query(parameters): Query<Parameters>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let query = async {
        let mut parameters = parameters;
        let text = reader.body(&headers, body, BODY_WITHIN).await?;
        parameters.extend(form(text).await?);
        reader.influxql(&headers, parameters).await
    };
    reader.answer(Api::V1, "influxql", query).await
}

async fn form(text: axum::body::Bytes) -> Result<Parameters, ReadError> {
    let request = Request::builder()
        .method(Method::POST)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(text));
    let invalid = |why: String| ReadError::Refused(Refused::Invalid(why));
    let request = request.map_err(|error| invalid(error.to_string()))?;
    let FormBody(parameters) = FormBody::<Parameters>::from_request(request, &())
        .await
        .map_err(|error| invalid(error.to_string()))?;
    Ok(parameters)
}

fn last<'a>(parameters: &'a Parameters, key: &str) -> Option<&'a str> {
    let found = parameters.iter().rev().find(|(name, _)| name == key);
    found
        .map(|(_, value)| value.as_str())
        .filter(|value| !value.is_empty())
}

impl Reader {
    async fn influxql(
        &self,
        headers: &HeaderMap,
        parameters: Parameters,
    ) -> Result<Response, ReadError> {
        let tenant = self.tenant(headers, last(&parameters, "p"))?;
        let query = last(&parameters, "q").unwrap_or_default();
        if ql::creates_database(query) {
            // What agents of version 1 ask before they write; the tenant's database is there.
            return Ok(axum::Json(json!({"results": [{"statement_id": 0}]})).into_response());
        }
        let checked = ql::check(query, &tenant, self.0.clock.now_nanos())?;
        let passed = passed_on(&parameters, query, &tenant)?;
        if let Some(own) = checked.own {
            return Ok(axum::Json(own_answer(own, &tenant)).into_response());
        }
        let whole = passed.iter().filter(|(key, _)| !key.starts_with("chunk"));
        let json = Form {
            accept: Some("application/json".to_owned()),
            encoding: None,
        };
        let ask = Ask {
            tenant: &tenant,
            window: checked.window,
            merge: &checked.merge,
            to_merge: (Question::InfluxQl(whole.cloned().collect()), json),
            question: Question::InfluxQl(passed),
            form: Form {
                accept: header_text(headers, header::ACCEPT),
                encoding: header_text(headers, header::ACCEPT_ENCODING),
            },
        };
        match self.ask(&ask).await? {
            Said::One(Some(answer)) | Said::Refused(answer) => Ok(pass(answer)),
            Said::One(None) => {
                let none = (0..checked.statements).map(|id| json!({"statement_id": id}));
                let results: Vec<Value> = none.collect();
                Ok(axum::Json(json!({"results": results})).into_response())
            }
            Said::Several(answers) => joined(&answers, &checked),
        }
    }
}

/// The parameters for the shard: the database is the tenant's whatever was named.
fn passed_on(
    parameters: &Parameters,
    query: &str,
    tenant: &TenantId,
) -> Result<Parameters, ReadError> {
    let named = last(parameters, "db");
    if let Some(other) = named.filter(|name| *name != tenant.as_str()) {
        return Err(ReadError::Refused(Refused::Forbidden(format!(
            "database `{other}` is not yours: this token reads database `{tenant}`"
        ))));
    }
    if last(parameters, "params").is_some() {
        let what = "`params` are not passed on: write the values into the query";
        return Err(ReadError::Refused(Refused::Invalid(what.to_owned())));
    }
    let mut passed = vec![
        ("db".to_owned(), tenant.as_str().to_owned()),
        ("q".to_owned(), query.to_owned()),
    ];
    for key in ["epoch", "chunked", "chunk_size", "pretty", "rp"] {
        if let Some(value) = last(parameters, key) {
            passed.push((key.to_owned(), value.to_owned()));
        }
    }
    Ok(passed)
}

fn own_answer(own: Own, tenant: &TenantId) -> Value {
    let series = match own {
        Own::Databases => {
            json!({"name": "databases", "columns": ["name"], "values": [[tenant.as_str()]]})
        }
        // The policy that InfluxDB 2 gives to a bucket without a name for one.
        Own::RetentionPolicies => json!({
            "columns": ["name", "duration", "shardGroupDuration", "replicaN", "default"],
            "values": [["autogen", "0s", "168h0m0s", 1, true]],
        }),
    };
    json!({"results": [{"statement_id": 0, "series": [series]}]})
}

fn joined(answers: &[String], checked: &ql::InfluxQl) -> Result<Response, ReadError> {
    let parsed: Result<Vec<Value>, _> = answers
        .iter()
        .map(|text| serde_json::from_str(text))
        .collect();
    let parsed = parsed.map_err(|error| {
        ReadError::Unavailable(format!("the answer of a shard cannot be read: {error}"))
    })?;
    let joined = match checked.merge {
        Merge::Names => merge::names(parsed, checked.most),
        _ => merge::rows(parsed, checked.newest_first, checked.most),
    };
    let joined =
        joined.unwrap_or_else(|error| json!({"results": [{"statement_id": 0, "error": error}]}));
    Ok(axum::Json(joined).into_response())
}
