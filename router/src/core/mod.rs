//! What the router decides: whose a request is, and which lines go into which records.

pub mod auth;
pub mod pack;
pub mod precision;
