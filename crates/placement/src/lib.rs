//! Which shards hold which points: pure, so that writer, reader and operator get the same answer.
//!
//! A point goes by its own time, its tenant and its host. Epochs split the time; in an epoch a tenant
//! has one or more groups of hosts, and each group is on its replicas, the primary first.

mod map;
mod resolve;
mod route;
#[cfg(test)]
mod tests_support;

pub use map::{PlacementError, PlacementMap};
pub use resolve::{Group, NoCover, Resolved, Span, Why};
pub use route::Route;
