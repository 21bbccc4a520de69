//! The live catalogue: every service follows `bongsu.catalog`, and commands write revisions to it.
//!
//! A revision is a run of records that ends with a marker under the key [`MARKER_KEY`]; followers swap their
//! copy whole when they see the marker, so that nobody works with half of a change.

mod error;
mod follow;
mod judge;
mod mirror;
mod publish;
mod snapshot;
mod topics;

pub use error::CatalogError;
pub use follow::LiveCatalog;
pub use judge::TopicJudge;
pub use publish::{
    Change, ChangeKind, Published, Request, Validate, declared, publish, publish_everywhere,
};
pub use snapshot::{MARKER_KEY, snapshot};
pub use topics::{
    HANDOFF_RETENTION, ensure_tenant_topics, ensure_topics, handoff_topic, internal_topics,
    points_topic, tenant_topic,
};
