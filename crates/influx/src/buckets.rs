//! The place of a tenant on a server: a bucket, a database, or a tag in the shard's database.

use crate::client::chain;
use crate::http::{Http, contained};
use crate::writing::{ANSWER_BYTES, read_some};
use crate::{Dialect, InfluxError};
use influxdb2::api::buckets::ListBucketsRequest;
use influxdb2::api::organization::ListOrganizationRequest;
use influxdb2::models::PostBucketRequest;
use influxdb2::models::retention_rule::{RetentionRule, Type as Expiry};
use model::Span;

impl Http {
    /// Sees to it that a tenant's place exists; it is made with that retention, and one that is
    /// there is left as it is.
    pub(crate) async fn ensure_bucket(
        &self,
        bucket: &str,
        retention: Option<Span>,
    ) -> Result<(), InfluxError> {
        match self.dialect().await? {
            Dialect::V1 => self.ensure_v1(bucket, retention).await,
            Dialect::V2 => self.ensure_v2(bucket, retention).await,
            Dialect::V3 => self.ensure_v3().await,
        }
    }

    /// Making a database that is there changes nothing, its retention included.
    async fn ensure_v1(&self, database: &str, retention: Option<Span>) -> Result<(), InfluxError> {
        self.may_create(database)?;
        // The name of a tenant needs no escapes.
        let mut query = format!("CREATE DATABASE \"{database}\"");
        if let Some(span) = retention {
            query.push_str(&format!(" WITH DURATION {}s", seconds(span)));
        }
        let request = self.writes.post(format!("{}/query", self.url));
        let request = self.authorize(Dialect::V1, request.query(&[("q", &query)]));
        self.made(database, request).await
    }

    /// All tenants of the shard share one database, which keeps what the longest needs: without end.
    async fn ensure_v3(&self) -> Result<(), InfluxError> {
        self.may_create(&self.database)?;
        let address = format!("{}/api/v3/configure/database", self.url);
        let body = serde_json::json!({ "db": self.database }).to_string();
        let request = self.writes.post(address).body(body);
        let request = request.header(reqwest::header::CONTENT_TYPE, "application/json");
        self.made(&self.database, self.authorize(Dialect::V3, request))
            .await
    }

    /// Removes a tenant's place with all that it holds; one that is not there is no error. On InfluxDB 3 tenants share a
    /// database, of which nothing can be taken out.
    pub(crate) async fn remove_bucket(&self, bucket: &str) -> Result<(), InfluxError> {
        match self.dialect().await? {
            Dialect::V1 => {
                let query = format!("DROP DATABASE \"{bucket}\"");
                let request = self.writes.post(format!("{}/query", self.url));
                let request = self.authorize(Dialect::V1, request.query(&[("q", &query)]));
                self.made(bucket, request).await
            }
            Dialect::V2 => match self.bucket_id(bucket).await? {
                Some(id) => {
                    let what = format!("remove bucket `{bucket}`");
                    self.call(&what, self.calls()?.delete_bucket(&id)).await
                }
                None => Ok(()),
            },
            Dialect::V3 => Err(InfluxError::Refused {
                shard: self.url.clone(),
                what: format!("remove the points of `{bucket}`"),
                reason: "InfluxDB 3 keeps all tenants in one database, of which no tenant can be taken out".to_owned(),
            }),
        }
    }

    fn may_create(&self, bucket: &str) -> Result<(), InfluxError> {
        if self.create_buckets {
            return Ok(());
        }
        Err(InfluxError::NoBucket {
            shard: self.url.clone(),
            bucket: bucket.to_owned(),
        })
    }

    async fn made(
        &self,
        database: &str,
        request: reqwest::RequestBuilder,
    ) -> Result<(), InfluxError> {
        let answer = request
            .send()
            .await
            .map_err(|error| self.unreachable(&chain(&error)))?;
        let status = answer.status();
        if status.is_success() || status.as_u16() == 409 {
            tracing::info!(shard = self.url, database, "database is there");
            return Ok(());
        }
        let said = String::from_utf8_lossy(&read_some(answer, ANSWER_BYTES).await).into_owned();
        Err(InfluxError::Refused {
            shard: self.url.clone(),
            what: format!("create database `{database}`"),
            reason: format!("status {status}: {}", said.trim()),
        })
    }

    async fn ensure_v2(&self, bucket: &str, retention: Option<Span>) -> Result<(), InfluxError> {
        if self.has_bucket(bucket).await? {
            return Ok(());
        }
        self.may_create(bucket)?;
        let org = self.organization().await?;
        let mut request = PostBucketRequest::new(org, bucket.to_owned());
        request.retention_rules = retention
            .map(|span| RetentionRule::new(Expiry::Expire, seconds(span)))
            .into_iter()
            .collect();
        let what = format!("create bucket `{bucket}`");
        match self
            .call(&what, self.calls()?.create_bucket(Some(request)))
            .await
        {
            Ok(()) => {
                tracing::info!(shard = self.url, bucket, "bucket created");
                Ok(())
            }
            // Another writer may have been faster.
            Err(error) => match self.has_bucket(bucket).await {
                Ok(true) => Ok(()),
                Ok(false) | Err(_) => Err(error),
            },
        }
    }

    async fn has_bucket(&self, bucket: &str) -> Result<bool, InfluxError> {
        Ok(self.bucket_id(bucket).await?.is_some())
    }

    async fn bucket_id(&self, bucket: &str) -> Result<Option<String>, InfluxError> {
        let request = ListBucketsRequest {
            name: Some(bucket.to_owned()),
            org: Some(self.org.clone()),
            after: None,
            id: None,
            limit: None,
            offset: None,
            org_id: None,
        };
        let listed = contained(self.calls()?.list_buckets(Some(request))).await;
        match listed {
            Ok(Ok(found)) => {
                let mut buckets = found.buckets.into_iter();
                let found = buckets.find(|found| found.name == bucket);
                Ok(found.and_then(|found| found.id))
            }
            // Asked for by name, a missing bucket is a 404 that names it; so is a missing
            // organization.
            Ok(Err(influxdb2::RequestError::Http { status, text }))
                if status.as_u16() == 404 && text.contains("bucket") =>
            {
                Ok(None)
            }
            Ok(Err(error)) => Err(self.failed(&format!("look for bucket `{bucket}`"), error)),
            Err(panic) => Err(self.unreadable(panic)),
        }
    }

    async fn organization(&self) -> Result<String, InfluxError> {
        let request = ListOrganizationRequest {
            org: Some(self.org.clone()),
            descending: None,
            limit: None,
            offset: None,
            org_id: None,
            user_id: None,
        };
        let what = format!("look for organization `{}`", self.org);
        let found = self
            .call(&what, self.calls()?.list_organizations(request))
            .await?;
        found
            .orgs
            .into_iter()
            .find(|org| org.name == self.org)
            .and_then(|org| org.id)
            .ok_or_else(|| InfluxError::Refused {
                shard: self.url.clone(),
                what,
                reason: "there is none, or the token may not see it".to_owned(),
            })
    }
}

/// Whole seconds, as the servers take them; the longest they take is 68 years.
fn seconds(span: Span) -> i32 {
    i32::try_from(span.to_std().as_secs().max(1)).unwrap_or(i32::MAX)
}
