//! The router's HTTP side and its way to the log.

mod answer;
mod body;
mod budget;
pub(crate) mod http;
mod produce;
