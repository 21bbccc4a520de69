//! What the tests of routes and channels share: samples, an engine's double, requests and small
//! servers.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

pub mod desk;
pub mod sample;
pub mod server;
pub mod service;
pub mod site;
pub mod web;
