//! A stand-in for NAVER Cloud SENS: SMS API v2 (sending, the list of a request's messages, a message's result) and
//! Alimtalk API v2 (sending, a message's result).
//!
//! Written from the API guide (SENS overview, "send message", "list messages", "message result",
//! the gateway's error table). Where the guide leaves something open the stand-in refuses: SENS
//! itself may cut a text that is too long, which would lose what was to be said.

mod alimtalk;
mod routes;
mod rules;
mod signature;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::fake::{Journal, Server, served_by};
pub use alimtalk::Talk;
pub use signature::sign;

/// The service whose messages it takes.
pub const SERVICE_ID: &str = "ncp:sms:kr:100000000001:bongsu";
/// The Biz Message service whose Alimtalk it takes.
pub const TALK_SERVICE_ID: &str = "ncp:kkobizmsg:kr:200000000002:bongsu";
/// The Kakao channel.
pub const TALK_CHANNEL: &str = "@bongsu";
/// The template that Kakao has approved, as it was registered.
pub const TALK_TEMPLATE: (&str, &str) = (
    "bongsupage",
    "[장애 알림] #{head}\n#{title}\n대상: #{place}\n현재값: #{value}\n시작: #{since}\n확인: #{link}",
);
/// The access key that it knows.
pub const ACCESS_KEY: &str = "BongsuTestsAccessKey";
/// The secret that belongs to the access key.
pub const SECRET_KEY: &str = "bongsu-tests-secret-key-0123456789abcdef";
/// The sender number that is registered at the start.
pub const SENDER: &str = "0215880000";

/// A text message that was taken, one for each recipient.
#[derive(Clone, Debug)]
pub struct Sms {
    /// The request that it came with.
    pub request_id: String,
    /// Its own id.
    pub message_id: String,
    /// `SMS`, `LMS` or `MMS`.
    pub kind: String,
    /// `COMM` or `AD`.
    pub content_type: String,
    /// `82` unless said otherwise.
    pub country_code: String,
    /// The sender's number.
    pub from: String,
    /// The recipient's number.
    pub to: String,
    /// Of LMS and MMS only.
    pub subject: Option<String>,
    /// What the phone shows.
    pub content: String,
    /// When it was taken.
    pub at: Timestamp,
}

/// What becomes of the messages to a number.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Delivery {
    /// On the phone at once.
    #[default]
    Delivered,
    /// Not looked at yet: `READY`.
    Waiting,
    /// On its way: `PROCESSING`.
    Underway,
    /// `COMPLETED`, and failed with a code of the guide's table, such as `3018`.
    Failed {
        /// The handset's result code.
        code: String,
        /// Its meaning.
        message: String,
    },
}

/// The running stand-in.
#[derive(Debug)]
pub struct Sens {
    server: Server,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    journal: Journal,
    account: Mutex<Account>,
}

#[derive(Debug, Default)]
struct Account {
    senders: Vec<String>,
    messages: Vec<Sms>,
    talks: Vec<Talk>,
    deliveries: HashMap<String, Delivery>,
    requests: u64,
}

impl Sens {
    /// Starts it on a free port, with one registered sender number.
    pub async fn start() -> Self {
        let shared = Arc::new(Shared::default());
        shared.account().senders.push(SENDER.to_owned());
        let routes = routes::routes(shared.clone()).merge(alimtalk::routes(shared.clone()));
        let server = Server::start(routes, shared.journal.clone()).await;
        Self { server, shared }
    }

    /// Registers one more sender number.
    pub fn register_sender(&self, number: &str) {
        self.shared.account().senders.push(number.to_owned());
    }

    /// What becomes of messages to this number, those already taken included.
    pub fn deliver(&self, to: &str, delivery: Delivery) {
        self.shared
            .account()
            .deliveries
            .insert(to.to_owned(), delivery);
    }

    /// The Alimtalk that was taken, oldest first.
    pub fn talks(&self) -> Vec<Talk> {
        self.shared.account().talks.clone()
    }

    /// The messages that were taken, oldest first.
    pub fn messages(&self) -> Vec<Sms> {
        self.shared.account().messages.clone()
    }

    /// Waits for a message that `wanted` says yes to; one that is there already counts.
    ///
    /// # Panics
    /// When none came before the deadline; the message lists what was asked of SENS.
    pub async fn wait_for(
        &self,
        what: &str,
        deadline: Duration,
        mut wanted: impl FnMut(&Sms) -> bool,
    ) -> Sms {
        let found = crate::wait::until(deadline, async || {
            Ok(self
                .shared
                .account()
                .messages
                .iter()
                .find(|sms| wanted(sms))
                .cloned())
        })
        .await;
        found.unwrap_or_else(|error| {
            panic!(
                "no text message with {what}: {error:#}\n{}",
                self.shared.journal.describe()
            )
        })
    }
}

served_by!(Sens);

impl Shared {
    fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
