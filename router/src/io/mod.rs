//! The router's HTTP side and its way to the log.

mod answer;
mod body;
mod budget;
pub(crate) mod clusters;
mod formats;
pub(crate) mod http;
mod intake;
mod openapi;
mod openapi_bodies;
mod openapi_parameters;
mod packing;
mod parameters;
pub(crate) mod read;
pub(crate) mod strangers;
mod tenant;
pub(crate) mod tenants;
mod ticket;
mod unpack;
