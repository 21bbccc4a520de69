//! What the end-to-end tests share: the world around Bongsu, its processes in their topologies, the story that is
//! played over them, and the accounts that must balance at its end.

// Each test program plays a part of it.
#![allow(dead_code)]

pub(crate) mod account;
pub(crate) mod agents;
pub(crate) mod alerts;
pub(crate) mod books;
pub(crate) mod catalogue;
pub(crate) mod console;
pub(crate) mod oracle;
pub(crate) mod site;
pub(crate) mod story;
pub(crate) mod world;

use std::time::Duration;

/// For what takes a moment.
pub(crate) const SOON: Duration = Duration::from_secs(20);
/// For what takes windows to fill, or sessions of a killed process to run out.
pub(crate) const LONG: Duration = Duration::from_secs(60);
