//! The router in process: over HTTP into the embedded log.

mod hostile;
mod limits;
mod packing;
#[path = "../support/mod.rs"]
mod support;
