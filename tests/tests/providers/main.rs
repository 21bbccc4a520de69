//! The stand-ins for providers take what the providers' documentation allows, and refuse what it
//! says they refuse.

// The harness is the outside world, and so are its tests.
#![allow(clippy::disallowed_methods)]

mod sens;
mod slack;

use std::time::Duration;

/// For what happens within the process.
const SOON: Duration = Duration::from_secs(5);
const JSON_UTF8: &str = "application/json; charset=utf-8";
