//! What surrounds the core: the group, the log, the state topic, the catalogue.

mod backoff;
pub(crate) mod dispatch;
pub mod fresh;
pub(crate) mod http;
mod outbox;
pub(crate) mod partition;
pub(crate) mod plans;
pub(crate) mod questions;
mod queue;
mod record;
pub(crate) mod state;
