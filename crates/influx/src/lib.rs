//! All that is said to InfluxDB, and the embedded store that answers in its place.
//!
//! A [`Shard`] is one place that keeps points: a server spoken to over HTTP, or [`Embedded`]. What
//! it answered to a write comes as a [`WriteVerdict`], never as an error to guess from.

mod admission;
mod buckets;
mod client;
#[cfg(feature = "contract")]
pub mod contract;
mod embedded;
mod error;
mod flux;
mod gzip;
mod http;
mod payload;
mod point;
mod product;
mod read;
mod shard;
mod tagged;
mod verdict;
mod writing;

pub use embedded::{Embedded, EmbeddedOptions};
pub use error::InfluxError;
pub use http::HttpShard;
pub use payload::Payload;
pub use point::{FieldValue, Point};
pub use product::{Dialect, Product};
pub use read::{Form, ReadAnswer, ReadShard};
pub use shard::Shard;
pub use tagged::TENANT_TAG;
pub use verdict::{Answer, BadLine, Retry, WriteVerdict, classify};
