//! Each way to reach people, against a stand-in that is as strict as the provider's documentation, or
//! against a real server.

// The harness is the outside world, and so are its tests.
#![allow(clippy::disallowed_methods)]

mod hook;
mod incident;
mod korea;
mod mail;
mod naver;
mod services;
mod telegram;
mod twilio;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use notifier::Config;
use notifier::core::{ChannelKind, Message, Outcome};
use notifier::io::channel::{Channel, Channels};
use runtime::Clock;
use tests::workdir::Workdir;

/// For what happens within the process.
const SOON: Duration = Duration::from_secs(10);

/// The channels of a configuration.
fn channels(config: &Config) -> Channels {
    Channels::configured(config, &Clock::system()).expect("the configuration works")
}

/// The provider of that kind.
fn channel(config: &Config, kind: ChannelKind) -> Arc<dyn Channel> {
    let channels = channels(config);
    let choice = channels.choose(kind, None).expect("it is configured");
    choice.channel
}

async fn send(config: &Config, kind: ChannelKind, message: &Message) -> Outcome {
    channel(config, kind).send(message).await
}

fn secret(folder: &Workdir, name: &str, text: &str) -> PathBuf {
    folder.write(name, text)
}

/// What an outcome is, in a word.
fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Accepted { .. } => "accepted",
        Outcome::Delivered { .. } => "delivered",
        Outcome::Refused { .. } => "refused",
        Outcome::Retry { .. } => "retry",
        Outcome::Unknown { .. } => "unknown",
    }
}
