//! Whether a server lets its token in, and knows its organization: asked without a change of anything.

use crate::client::chain;
use crate::http::Http;
use crate::writing::{ANSWER_BYTES, read_some};
use crate::{Dialect, InfluxError, Product};
use reqwest::StatusCode;

impl Http {
    /// What it is, when it answers and takes the token. Which rights the token has is seen when it is used.
    pub(crate) async fn admission(&self) -> Result<Product, InfluxError> {
        let product = self.ping().await?;
        let dialect = self.dialect().await?;
        let request = match dialect {
            Dialect::V1 => {
                let request = self.writes.get(format!("{}/query", self.url));
                request.query(&[("q", "SHOW DATABASES")])
            }
            // A token that may not see any bucket is shown an empty list.
            Dialect::V2 => {
                let request = self.writes.get(format!("{}/api/v2/buckets", self.url));
                request.query(&[("limit", "1"), ("org", &self.org)])
            }
            Dialect::V3 => {
                let address = format!("{}/api/v3/configure/database", self.url);
                self.writes.get(address).query(&[("format", "json")])
            }
        };
        let answer = self.authorize(dialect, request).send().await;
        let answer = answer.map_err(|error| self.unreachable(&chain(&error)))?;
        let status = answer.status();
        let what = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "let the token in".to_owned(),
            StatusCode::NOT_FOUND if dialect == Dialect::V2 => {
                format!("look for organization `{}`", self.org)
            }
            _ if status.is_server_error() => "answer".to_owned(),
            // Another version may not know the question; who is not let in is told so first.
            _ => return Ok(product),
        };
        let said = String::from_utf8_lossy(&read_some(answer, ANSWER_BYTES).await).into_owned();
        Err(InfluxError::Refused {
            shard: self.url.clone(),
            what,
            reason: format!("status {status}: {}", said.trim()),
        })
    }
}
