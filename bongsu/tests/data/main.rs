//! The commands of the data plane as a person runs them, against a running `bongsu up`.

mod commands;
mod import;
mod support;
mod templates;
