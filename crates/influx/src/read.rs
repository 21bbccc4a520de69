//! Reading for a tenant: each with a token of its own that reads one bucket and nothing else, so that
//! the server itself keeps tenants apart.

use crate::client::{chain, parse_base};
use crate::{HttpShard, InfluxError, Product};
use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt as _};
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap,
};
use runtime::Secret;
use serde_json::{Value, json};

/// A server that is read. What it is asked goes by HTTP, untouched.
#[derive(Debug)]
pub struct ReadShard {
    base: reqwest::Url,
    url: String,
    org: String,
    token: Secret,
    http: reqwest::Client,
}

/// What a server answered to a query.
pub struct ReadAnswer {
    /// HTTP status.
    pub status: u16,
    /// `Content-Type`, as it came.
    pub content_type: Option<String>,
    /// `Content-Encoding`, where the body is packed.
    pub content_encoding: Option<String>,
    /// The body as it comes.
    pub body: BoxStream<'static, Result<Bytes, std::io::Error>>,
}

impl std::fmt::Debug for ReadAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReadAnswer")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// What the client of a query said about the form of the answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Form {
    /// `Accept`
    pub accept: Option<String>,
    /// `Accept-Encoding`; none where the answer is to be read here.
    pub encoding: Option<String>,
}

impl ReadShard {
    /// A server with the token of [`HttpShard`], which must be allowed to make tokens.
    pub fn new(config: &HttpShard) -> Result<Self, InfluxError> {
        runtime::tls::install_provider();
        let url = config.url.trim_end_matches('/').to_owned();
        let http = reqwest::Client::builder()
            .connect_timeout(config.connect_timeout)
            .timeout(config.request_timeout)
            .http1_only()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| InfluxError::Client(chain(&error)))?;
        Ok(Self {
            base: parse_base(&url)?,
            url,
            org: config.org.clone(),
            token: config.token.clone(),
            http,
        })
    }

    /// Asks whether it is there, and what it is.
    pub async fn ping(&self) -> Result<Product, InfluxError> {
        let answer = self
            .http
            .get(self.at("/ping"))
            .send()
            .await
            .map_err(|error| self.unreachable(&chain(&error)))?;
        if answer.status().is_server_error() {
            return Err(self.unreachable(&format!("status {}", answer.status())));
        }
        let header = |name| answer.headers().get(name)?.to_str().ok();
        Ok(Product::from_headers(
            header("x-influxdb-version"),
            header("x-influxdb-build"),
        ))
    }

    /// The token that reads this bucket and nothing else: the one that is there, else a new one. None
    /// where there is no such bucket. All that ask by one `description` share the token.
    pub async fn reader(
        &self,
        bucket: &str,
        description: &str,
    ) -> Result<Option<Secret>, InfluxError> {
        let what = format!("look for bucket `{bucket}`");
        let query = [("name", bucket), ("org", &self.org)];
        let found = match self.ask("/api/v2/buckets", &query, &what).await {
            // Asked for by name, a missing bucket is a 404 that names it.
            Err(InfluxError::Refused { reason, .. })
                if reason.starts_with("status 404") && reason.contains("bucket") =>
            {
                return Ok(None);
            }
            other => other?,
        };
        let all = found["buckets"].as_array().map_or(&[][..], Vec::as_slice);
        let Some(found) = all.iter().find(|one| one["name"] == bucket) else {
            return Ok(None);
        };
        let (id, org) = (&found["id"], &found["orgID"]);
        let org_id = org.as_str().unwrap_or_default();
        let tokens = self
            .ask(
                "/api/v2/authorizations",
                &[("orgID", org_id)],
                "list its tokens",
            )
            .await?;
        let tokens = tokens["authorizations"].as_array();
        let known = tokens.into_iter().flatten().find_map(|token| {
            let ours = token["description"] == description
                && token["status"] == "active"
                && reads_only(token, id);
            let text = token["token"].as_str().filter(|text| !text.is_empty());
            text.filter(|_| ours).map(Secret::new)
        });
        match known {
            Some(token) => Ok(Some(token)),
            None => self
                .make_reader(id, org, bucket, description)
                .await
                .map(Some),
        }
    }

    async fn make_reader(
        &self,
        id: &Value,
        org: &Value,
        bucket: &str,
        description: &str,
    ) -> Result<Secret, InfluxError> {
        let what = format!("make a token that reads bucket `{bucket}`");
        let resource = json!({"type": "buckets", "id": id, "orgID": org});
        let wanted = json!({
            "orgID": org,
            "description": description,
            "permissions": [{"action": "read", "resource": resource}],
        });
        let request = self.http.post(self.at("/api/v2/authorizations"));
        let made = self.told(request.json(&wanted), &what).await?;
        // A token that can do more than it should is worse than none.
        match made["token"].as_str().filter(|_| reads_only(&made, id)) {
            Some(token) => {
                tracing::info!(shard = self.url, bucket, "token that reads one bucket made");
                Ok(Secret::new(token))
            }
            None => Err(InfluxError::Unreadable {
                shard: self.url.clone(),
                reason: "the new token is not there, or reads more than its bucket".to_owned(),
            }),
        }
    }

    /// Passes InfluxQL on, with its parameters as they came but for the database.
    pub async fn influxql(
        &self,
        token: &Secret,
        parameters: &[(String, String)],
        form: &Form,
    ) -> Result<ReadAnswer, InfluxError> {
        let request = self.http.post(self.at("/query")).form(parameters);
        self.pass(request, token, form).await
    }

    /// Passes Flux on: a body of `/api/v2/query`.
    pub async fn flux(
        &self,
        token: &Secret,
        body: &Value,
        form: &Form,
    ) -> Result<ReadAnswer, InfluxError> {
        let mut url = self.at("/api/v2/query");
        url.query_pairs_mut().append_pair("org", &self.org);
        self.pass(self.http.post(url).json(body), token, form).await
    }

    async fn pass(
        &self,
        mut request: reqwest::RequestBuilder,
        token: &Secret,
        form: &Form,
    ) -> Result<ReadAnswer, InfluxError> {
        request = request.header(AUTHORIZATION, format!("Token {}", token.expose()));
        if let Some(accept) = &form.accept {
            request = request.header(ACCEPT, accept);
        }
        if let Some(encoding) = &form.encoding {
            request = request.header(ACCEPT_ENCODING, encoding);
        }
        let answer = request
            .send()
            .await
            .map_err(|error| self.unreachable(&chain(&error)))?;
        let text = |headers: &HeaderMap, name| {
            let value = headers.get(name)?;
            value.to_str().ok().map(str::to_owned)
        };
        Ok(ReadAnswer {
            status: answer.status().as_u16(),
            content_type: text(answer.headers(), CONTENT_TYPE),
            content_encoding: text(answer.headers(), CONTENT_ENCODING),
            body: answer
                .bytes_stream()
                .map(|part| part.map_err(std::io::Error::other))
                .boxed(),
        })
    }

    async fn ask(
        &self,
        path: &str,
        query: &[(&str, &str)],
        what: &str,
    ) -> Result<Value, InfluxError> {
        self.told(self.http.get(self.at(path)).query(query), what)
            .await
    }

    async fn told(
        &self,
        request: reqwest::RequestBuilder,
        what: &str,
    ) -> Result<Value, InfluxError> {
        let answer = request
            .header(AUTHORIZATION, format!("Token {}", self.token.expose()))
            .send()
            .await
            .map_err(|error| self.unreachable(&chain(&error)))?;
        let status = answer.status();
        let text = answer
            .text()
            .await
            .map_err(|error| self.unreachable(&chain(&error)))?;
        if status.is_server_error() {
            return Err(self.unreachable(&format!("status {status}: {}", text.trim())));
        }
        if !status.is_success() {
            return Err(InfluxError::Refused {
                shard: self.url.clone(),
                what: what.to_owned(),
                reason: format!("status {status}: {}", text.trim()),
            });
        }
        serde_json::from_str(&text).map_err(|error| InfluxError::Unreadable {
            shard: self.url.clone(),
            reason: error.to_string(),
        })
    }

    fn at(&self, path: &str) -> reqwest::Url {
        let mut url = self.base.clone();
        url.set_path(path);
        url
    }

    fn unreachable(&self, reason: &str) -> InfluxError {
        InfluxError::Unreachable {
            shard: self.url.clone(),
            reason: reason.to_owned(),
        }
    }
}

/// Whether a token reads that bucket and does nothing else.
fn reads_only(token: &Value, bucket_id: &Value) -> bool {
    match token["permissions"].as_array().map(Vec::as_slice) {
        Some([only]) => {
            only["action"] == "read"
                && only["resource"]["type"] == "buckets"
                && bucket_id.is_string()
                && only["resource"]["id"] == *bucket_id
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_can_do_more_is_none_for_readers() {
        let token = |permissions: Value| json!({ "permissions": permissions });
        let read = |id: Value| json!({"action": "read", "resource": {"type": "buckets", "id": id}});
        let id = json!("b1");
        assert!(reads_only(&token(json!([read(id.clone())])), &id));
        for more in [
            json!([]),
            json!([read(json!("b2"))]),
            json!([read(Value::Null)]),
            json!([read(id.clone()), read(json!("b2"))]),
            json!([{"action": "write", "resource": {"type": "buckets", "id": "b1"}}]),
            json!([{"action": "read", "resource": {"type": "orgs", "id": "b1"}}]),
        ] {
            assert!(!reads_only(&token(more.clone()), &id), "{more}");
        }
        assert!(!reads_only(
            &token(json!([read(Value::Null)])),
            &Value::Null
        ));
    }
}
