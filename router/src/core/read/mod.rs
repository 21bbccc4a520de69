//! What the read gateway decides: what a query may be, which time it asks for, and how the answers of
//! several shards become one.
//!
//! That a tenant reads nothing of another's is kept by the shard itself, which knows the tenant by a
//! token that reads one bucket; what stands here says so early and in plain words, and keeps out
//! what a token does not: the shard's network.

pub mod csv;
pub mod flux;
pub mod flux_lex;
pub mod influxql;
pub mod influxql_lex;
pub mod merge;
pub mod time;

pub use time::Window;

/// Why a query is not passed on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It names what belongs to somebody else, or does what a reader may not.
    #[error("{0}")]
    Forbidden(String),
    /// It cannot be understood.
    #[error("{0}")]
    Invalid(String),
}

/// Whether the answers of several shards can be put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merge {
    /// Every row stands for itself.
    Rows,
    /// Names of what there is: each once.
    Names,
    /// No: for the reason.
    Not(String),
}
