//! The words that every room of the house shares: tenants, topics, hosts, priorities, alert events.
//!
//! No I/O, no serialization: what goes on a wire has its own type in `schemas` and is converted here.

mod alert;
mod error;
mod host;
mod id;
mod priority;
mod role;
mod slip;
mod time;
mod topic;

pub use alert::{AlertEvent, AlertKind, CaughtUp, StreamEvent};
pub use error::InvalidName;
pub use host::{hash_host, host_partition};
pub use id::{EventId, Fingerprint, IncidentId, SeriesKey, ShardId, TenantId};
pub use priority::Priority;
pub use role::Role;
pub use slip::did_you_mean;
pub use time::{ParseSpanError, Span, Timestamp};
pub use topic::{TopicName, TopicRole};
