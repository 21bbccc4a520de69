//! What the router decides: whose a request is, what it may write, which lines go into which records, and what
//! a query may read.

pub mod auth;
pub mod bucket;
pub mod limits;
pub mod message;
pub mod precision;
pub mod read;
pub mod series;
pub mod share;
pub mod sort;
