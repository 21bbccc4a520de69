//! The password of a process, read again when its file changes, and handed to every living client.

use super::security::Security;
use crate::StreamError;
use rdkafka::ClientContext;
use rdkafka::admin::AdminClient;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::producer::{Producer, ProducerContext, ThreadedProducer};
use runtime::Secret;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

/// How often the file is looked at.
const LOOK: Duration = Duration::from_secs(5);

/// A client that logs in.
pub(super) trait Keyed: Send + Sync {
    /// Takes what it shall log in with from now on.
    fn take(&self, name: &str, password: &str) -> Result<(), String>;
}

impl<C: ConsumerContext> Keyed for BaseConsumer<C> {
    fn take(&self, name: &str, password: &str) -> Result<(), String> {
        kafka_batch::set_credentials(self.client(), name, password)
    }
}

impl<C: ProducerContext + 'static> Keyed for ThreadedProducer<C> {
    fn take(&self, name: &str, password: &str) -> Result<(), String> {
        kafka_batch::set_credentials(self.client(), name, password)
    }
}

impl<C: ClientContext> Keyed for AdminClient<C> {
    fn take(&self, name: &str, password: &str) -> Result<(), String> {
        kafka_batch::set_credentials(self.inner(), name, password)
    }
}

/// What the clients of one process log in with.
pub(super) struct Credentials {
    security: Security,
    known: Mutex<Option<Secret>>,
    clients: Mutex<Vec<Weak<dyn Keyed>>>,
}

impl Credentials {
    pub(super) fn new(security: &Security) -> Result<Self, StreamError> {
        let known = security.login()?.map(|(_, password)| password);
        Ok(Self {
            security: security.clone(),
            known: Mutex::new(known),
            clients: Mutex::default(),
        })
    }

    /// A client that is told of changes for as long as it lives.
    pub(super) fn keep(&self, client: Weak<dyn Keyed>) {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients.retain(|each| each.strong_count() > 0);
        clients.push(client);
    }

    /// Reads the file. An unreadable or empty one leaves the password as it is.
    fn look(&self) {
        let (name, password) = match self.security.login() {
            Ok(Some(login)) => login,
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(%error, "the kafka password stays as it was");
                return;
            }
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.as_ref() == Some(&password) {
            return;
        }
        let clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let living: Vec<_> = clients.iter().filter_map(Weak::upgrade).collect();
        for client in &living {
            if let Err(reason) = client.take(&name, password.expose()) {
                tracing::error!(reason, "a kafka client does not take the new password");
            }
        }
        tracing::info!(
            clients = living.len(),
            username = name,
            "kafka password read anew"
        );
        *known = Some(password);
    }

    /// Looks at the file for as long as the owner lives.
    pub(super) async fn follow(credentials: Weak<Self>) {
        loop {
            tokio::time::sleep(LOOK).await;
            let Some(credentials) = credentials.upgrade() else {
                return;
            };
            credentials.look();
        }
    }

    pub(super) fn has_login(&self) -> bool {
        self.security.protocol.has_login()
    }
}

/// As a client that can be told of changes.
pub(super) fn keyed<K: Keyed + 'static>(client: &Arc<K>) -> Weak<dyn Keyed> {
    let client: Arc<dyn Keyed> = Arc::clone(client) as Arc<dyn Keyed>;
    Arc::downgrade(&client)
}
