//! One place that keeps points, whichever it is.

use crate::http::Http;
use crate::{Embedded, HttpShard, InfluxError, Payload, Point, Product, WriteVerdict};
use bytes::Bytes;
use model::{Span, Timestamp};
use std::sync::Arc;

/// A shard. A cheap handle.
#[derive(Debug, Clone)]
pub struct Shard(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Http(Arc<Http>),
    Embedded(Embedded),
}

impl Shard {
    /// A server. Nothing is sent yet.
    pub fn http(config: &HttpShard) -> Result<Self, InfluxError> {
        Ok(Self(Kind::Http(Arc::new(Http::new(config)?))))
    }

    /// The store inside of this process.
    pub fn embedded(store: &Embedded) -> Self {
        Self(Kind::Embedded(store.clone()))
    }

    /// Writes lines of line protocol, each with a timestamp in nanoseconds. `Stored` is said only
    /// once the store has said so; dropping the future leaves open whether they are stored.
    pub async fn write(&self, bucket: &str, body: Bytes, lines: usize) -> WriteVerdict {
        self.write_payload(bucket, &Payload::new(body, lines)).await
    }

    /// As [`Shard::write`], for a body that may be sent more than once and is compressed only once.
    pub async fn write_payload(&self, bucket: &str, payload: &Payload) -> WriteVerdict {
        match &self.0 {
            Kind::Http(http) => http.write(bucket, payload).await,
            Kind::Embedded(store) => store.write(bucket, &payload.body()).await,
        }
    }

    /// Sees to it that the bucket exists, where this shard may make buckets. It is made with that
    /// retention, or to keep its points for ever; one that is there is left as it is.
    pub async fn ensure_bucket(
        &self,
        bucket: &str,
        retention: Option<Span>,
    ) -> Result<(), InfluxError> {
        match &self.0 {
            Kind::Http(http) => http.ensure_bucket(bucket, retention).await,
            Kind::Embedded(store) => store.ensure_bucket(bucket).await,
        }
    }

    /// Removes the bucket with all that it holds; one that is not there is no error. The embedded store forgets by its
    /// retention alone.
    pub async fn remove_bucket(&self, bucket: &str) -> Result<(), InfluxError> {
        match &self.0 {
            Kind::Http(http) => http.remove_bucket(bucket).await,
            Kind::Embedded(_) => Ok(()),
        }
    }

    /// Asks whether it is there, and what it is.
    pub async fn ping(&self) -> Result<Product, InfluxError> {
        match &self.0 {
            Kind::Http(http) => http.ping().await,
            Kind::Embedded(_) => Ok(Product::Embedded),
        }
    }

    /// Asks whether it is there and takes the token, and what it is. Nothing is changed.
    pub async fn admission(&self) -> Result<Product, InfluxError> {
        match &self.0 {
            Kind::Http(http) => http.admission().await,
            Kind::Embedded(_) => Ok(Product::Embedded),
        }
    }

    /// The points of a measurement in `from..to`, in the order of their tags and time.
    pub async fn points(
        &self,
        bucket: &str,
        measurement: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Point>, InfluxError> {
        match &self.0 {
            Kind::Http(http) => http.points(bucket, measurement, from, to).await,
            Kind::Embedded(store) => store.points(bucket, measurement, from, to).await,
        }
    }

    /// The measurements of which a bucket holds points in `from..to`, sorted; one of the hours or days around that may be among
    /// them.
    ///
    /// # Errors
    /// When the shard cannot be reached or refuses.
    pub async fn measurements(
        &self,
        bucket: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<String>, InfluxError> {
        match &self.0 {
            Kind::Http(http) => http.measurements(bucket, from, to).await,
            Kind::Embedded(store) => store.measurements(bucket, from, to).await,
        }
    }

    /// How many points a bucket holds in `from..to`. A point is a series at an instant.
    pub async fn count(
        &self,
        bucket: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<u64, InfluxError> {
        match &self.0 {
            Kind::Http(http) => http.count(bucket, from, to).await,
            Kind::Embedded(store) => store.count(bucket, from, to).await,
        }
    }

    /// A word for logs.
    pub fn describe(&self) -> &str {
        match &self.0 {
            Kind::Http(http) => http.describe(),
            Kind::Embedded(store) => store.describe(),
        }
    }
}
