//! A channel that writes down what it is given and answers as a case wants.

use crate::core::{Asked, DeliveryId, Message, Outcome, ProviderRef};
use crate::io::channel::Channel;
use async_trait::async_trait;
use model::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// Longer than any case needs on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// How one attempt is answered.
#[derive(Debug, Clone)]
pub enum Script {
    /// As given.
    Answer(Outcome),
    /// The message is taken, and the answer never comes.
    TakeAndHang,
}

/// The channel.
pub struct Recorder {
    sent: watch::Sender<Vec<Message>>,
    open: watch::Sender<bool>,
    answering: watch::Sender<bool>,
    tried: watch::Sender<usize>,
    scripts: Mutex<BTreeMap<String, VecDeque<Script>>>,
    asked: Mutex<Asked>,
    receipt: Mutex<Option<Asked>>,
}

impl Default for Recorder {
    fn default() -> Self {
        Self {
            sent: watch::Sender::new(Vec::new()),
            open: watch::Sender::new(true),
            answering: watch::Sender::new(true),
            tried: watch::Sender::new(0),
            scripts: Mutex::default(),
            asked: Mutex::new(Asked::CannotTell {
                reason: "a recorder".to_owned(),
            }),
            receipt: Mutex::default(),
        }
    }
}

impl Recorder {
    /// How the next attempt to `address` is answered; without a script it is accepted.
    pub fn script(&self, address: &str, script: Script) {
        let mut scripts = self.scripts.lock().unwrap_or_else(PoisonError::into_inner);
        scripts
            .entry(address.to_owned())
            .or_default()
            .push_back(script);
    }

    /// How questions are answered from now on.
    pub fn answers(&self, asked: Asked) {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = asked;
    }

    /// What is said from now on of messages that were accepted; without it nothing is.
    pub fn receipts(&self, receipt: Asked) {
        *self.receipt.lock().unwrap_or_else(PoisonError::into_inner) = Some(receipt);
    }

    /// Keeps every attempt waiting before it is taken, until it is opened again.
    pub fn set_open(&self, open: bool) {
        self.open.send_replace(open);
    }

    /// Keeps every attempt waiting after it was taken and before it is answered, until it answers again.
    pub fn set_answering(&self, answering: bool) {
        self.answering.send_replace(answering);
    }

    /// How often it was tried so far, also where nothing was taken.
    pub fn tried(&self) -> usize {
        *self.tried.borrow()
    }

    /// Waits until it was tried so often. Panics when it takes too long.
    pub async fn until_tried(&self, times: usize) {
        let mut tried = self.tried.subscribe();
        let waited = tokio::time::timeout(PATIENCE, tried.wait_for(|tried| *tried >= times)).await;
        assert!(waited.is_ok(), "in vain: tried {} times", self.tried());
    }

    /// What was taken so far.
    pub fn sent(&self) -> Vec<Message> {
        self.sent.borrow().clone()
    }

    /// Waits until what was taken fulfils `enough`. Panics when it takes too long.
    pub async fn until(&self, enough: impl Fn(&[Message]) -> bool) -> Vec<Message> {
        let mut sent = self.sent.subscribe();
        let waited = tokio::time::timeout(PATIENCE, sent.wait_for(|sent| enough(sent))).await;
        match waited {
            Ok(Ok(sent)) => sent.clone(),
            Ok(Err(_)) | Err(_) => panic!("in vain; so far: {:#?}", lines(&self.sent())),
        }
    }
}

/// `firing +82...`, one per message.
pub(super) fn lines(messages: &[Message]) -> Vec<String> {
    let line = |message: &Message| {
        let repeat = if message.possible_repeat {
            " (possible repeat)"
        } else {
            ""
        };
        format!(
            "{} {}{repeat}",
            message.purpose.as_str(),
            message.recipient.address
        )
    };
    messages.iter().map(line).collect()
}

#[async_trait]
impl Channel for Recorder {
    fn provider(&self) -> &'static str {
        "recorder"
    }

    async fn send(&self, message: &Message) -> Outcome {
        self.tried.send_modify(|tried| *tried += 1);
        let mut open = self.open.subscribe();
        // The recorder outlives its senders, and with it the gate.
        drop(open.wait_for(|open| *open).await);
        let address = &message.recipient.address;
        let script = self
            .scripts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_mut(address)
            .and_then(VecDeque::pop_front);
        let reference = ProviderRef(format!("ref-{}", message.delivery));
        let taken = match &script {
            None | Some(Script::TakeAndHang) => true,
            Some(Script::Answer(outcome)) => {
                matches!(
                    outcome,
                    Outcome::Accepted { .. } | Outcome::Delivered { .. }
                )
            }
        };
        if taken {
            self.sent.send_modify(|sent| sent.push(message.clone()));
        }
        let mut answering = self.answering.subscribe();
        drop(answering.wait_for(|answering| *answering).await);
        match script {
            None => Outcome::Accepted { reference },
            Some(Script::Answer(outcome)) => outcome,
            Some(Script::TakeAndHang) => std::future::pending().await,
        }
    }

    async fn receipt(&self, _: &ProviderRef) -> Asked {
        let receipt = self.receipt.lock().unwrap_or_else(PoisonError::into_inner);
        receipt.clone().unwrap_or(Asked::CannotTell {
            reason: "no receipts".to_owned(),
        })
    }

    async fn ask(&self, _: &DeliveryId, _: &str, _: Timestamp) -> Asked {
        self.asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
