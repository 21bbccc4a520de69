//! What surrounds the core: the group, the log, the state topic, the catalogue.

mod backoff;
pub(crate) mod dispatch;
pub mod fresh;
mod outbox;
pub(crate) mod partition;
pub(crate) mod plans;
mod queue;
mod record;
pub(crate) mod state;
