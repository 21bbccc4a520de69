//! The router's HTTP side and its way to the log.

mod answer;
mod body;
mod budget;
mod formats;
pub(crate) mod http;
mod produce;
pub(crate) mod read;
mod unpack;
