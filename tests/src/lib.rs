//! The world around Bongsu, for its tests: the real systems, started on free ports, and stand-ins
//! for the providers that cannot be had on a machine of one's own.
//!
//! What cannot be started fails the test with a message that says what to do; nothing is ever
//! skipped. Starting panics rather than returning an error, because a test has no use for going on,
//! and because a panic is how the working folder knows that its logs are to be kept (see
//! [`workdir`]). What may fail in a test of faults, such as a query to a stopped InfluxDB, returns
//! a `Result`.
//!
//! Tests that use a stand-in and Kafka together want `#[tokio::test(flavor = "multi_thread")]`:
//! librdkafka's calls block, and the stand-in has to answer meanwhile.

// The harness is the outside world: it has real clocks, tasks and threads of its own, and speaks to
// whoever runs it.
#![allow(clippy::disallowed_methods, clippy::print_stderr)]

pub mod alertmanager;
pub mod aligo;
pub mod authority;
pub mod bongsu;
pub mod dead_man;
pub mod dice;
pub mod fake;
pub mod hook;
pub mod influxdb;
pub mod installed;
pub mod kafka;
pub mod kubernetes;
pub mod mail;
pub mod nhn;
pub mod oidc;
pub mod opsgenie;
pub mod oracle;
pub mod pagerduty;
pub mod ports;
pub mod postgres;
pub mod process;
pub mod prometheus;
pub mod proxy;
pub mod sens;
pub mod slack;
pub mod stand_in;
pub mod telegraf;
pub mod telegram;
pub mod twilio;
pub mod wait;
pub mod web;
pub mod workdir;

pub use alertmanager::{Alertmanager, amtool};
pub use authority::Authority;
pub use bongsu::Bongsu;
pub use dead_man::DeadMan;
pub use dice::Dice;
pub use influxdb::Influxdb;
pub use kafka::Kafka;
pub use mail::MailServer;
pub use oidc::IdentityProvider;
pub use postgres::Postgres;
pub use prometheus::Prometheus;
pub use proxy::Proxy;
pub use sens::Sens;
pub use slack::Slack;
pub use stand_in::StandIn;
pub use telegraf::Telegraf;
pub use twilio::Twilio;
