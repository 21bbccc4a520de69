//! A stand-in for Slack: the Web API methods that Bongsu calls, and the button presses that Slack
//! sends back.
//!
//! Written from Slack's reference: `chat.postMessage`, `chat.update`, `auth.test` (methods), rate
//! limits, Block Kit, `block_actions` payloads and "verifying requests from Slack". It is meant to
//! be stricter than Slack where the reference leaves something open: what passes here passes there.

mod blocks;
mod methods;
mod press;
mod signature;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::fake::{Journal, Server, served_by};
pub use press::Press;
pub use signature::sign;

/// The bot token that the stand-in takes.
pub const TOKEN: &str = "xoxb-1111-2222-bongsutests";
/// The secret that its interactive requests are signed with.
pub const SIGNING_SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";

/// A message in a channel, as it stands now.
#[derive(Clone, Debug)]
pub struct Message {
    /// The channel's id.
    pub channel: String,
    /// The id of the message within its channel.
    pub ts: String,
    /// The message that this one answers.
    pub thread_ts: Option<String>,
    /// The text, which notifications show.
    pub text: String,
    /// The blocks, or null.
    pub blocks: Value,
    /// How often it was updated.
    pub updates: u32,
}

impl Message {
    /// Whether the text or any text within the blocks holds `part`.
    pub fn contains(&self, part: &str) -> bool {
        fn holds(value: &Value, part: &str) -> bool {
            match value {
                Value::String(text) => text.contains(part),
                Value::Array(values) => values.iter().any(|value| holds(value, part)),
                Value::Object(fields) => fields.values().any(|value| holds(value, part)),
                _ => false,
            }
        }
        self.text.contains(part) || holds(&self.blocks, part)
    }
}

/// The running stand-in.
#[derive(Debug)]
pub struct Slack {
    server: Server,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    journal: Journal,
    workspace: Mutex<Workspace>,
}

#[derive(Debug, Default)]
struct Workspace {
    /// Name to id.
    channels: BTreeMap<String, String>,
    /// Ids of the channels that exist and that the bot is not in.
    foreign: BTreeSet<String>,
    messages: Vec<Message>,
    limited: bool,
    last_post: HashMap<String, Instant>,
    last_ts: u64,
}

impl Slack {
    /// Starts it on a free port, with one channel, `alerts` (`C0000000001`).
    pub async fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let routes = methods::routes(shared.clone());
        let server = Server::start(routes, shared.journal.clone()).await;
        let slack = Self { server, shared };
        slack.add_channel("alerts");
        slack
    }

    /// Adds a channel that the bot is a member of, and returns its id.
    pub fn add_channel(&self, name: &str) -> String {
        let mut workspace = self.shared.workspace();
        let id = format!("C{:010}", workspace.channels.len() + 1);
        workspace.channels.insert(name.to_owned(), id.clone());
        id
    }

    /// Adds a channel that the bot has not been invited to, and returns its id.
    pub fn add_foreign_channel(&self, name: &str) -> String {
        let id = self.add_channel(name);
        self.shared.workspace().foreign.insert(id.clone());
        id
    }

    /// Whether posting more than one message a second into a channel is answered with 429. Off at
    /// first.
    pub fn limit_posts(&self, limited: bool) {
        self.shared.workspace().limited = limited;
    }

    /// The messages of all channels, as they stand now.
    pub fn messages(&self) -> Vec<Message> {
        self.shared.workspace().messages.clone()
    }

    /// Waits for a message that `wanted` says yes to, posted or updated to be so.
    ///
    /// # Panics
    /// When there is none at the deadline; the message lists what was asked of Slack.
    pub async fn wait_for(
        &self,
        what: &str,
        deadline: Duration,
        mut wanted: impl FnMut(&Message) -> bool,
    ) -> Message {
        let found = crate::wait::until(deadline, async || {
            Ok(self
                .shared
                .workspace()
                .messages
                .iter()
                .find(|message| wanted(message))
                .cloned())
        })
        .await;
        found.unwrap_or_else(|error| {
            panic!(
                "no message with {what}: {error:#}\n{}",
                self.shared.journal.describe()
            )
        })
    }
}

served_by!(Slack);

impl Shared {
    fn workspace(&self) -> MutexGuard<'_, Workspace> {
        self.workspace
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Workspace {
    /// Channels may be named by id, by name, or by name with a hash in front.
    fn channel(&self, given: &str) -> Option<String> {
        let name = given.strip_prefix('#').unwrap_or(given);
        self.channels
            .iter()
            .find(|(known, id)| *known == name || *id == given)
            .map(|(_, id)| id.clone())
    }

    /// Seconds and microseconds, never the same twice.
    fn next_ts(&mut self) -> String {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_micros();
        self.last_ts = u64::try_from(now).unwrap_or(u64::MAX).max(self.last_ts + 1);
        format!(
            "{}.{:06}",
            self.last_ts / 1_000_000,
            self.last_ts % 1_000_000
        )
    }
}
