//! The commands of the data plane as a person runs them, against a running `bongsu up`.

mod commands;
mod support;
mod templates;
