//! The evaluator as a service, from produced lines to decoded alert events, over the embedded log.

mod harness;
mod kills;
mod line;
mod owners;
mod spans;
mod stuck;
