//! What the router decides: whose a request is, which lines go into which records, and what
//! a query may read.

pub mod auth;
pub mod pack;
pub mod precision;
pub mod read;
