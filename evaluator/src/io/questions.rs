//! Questions to the tasks of partitions: the state of a group, from whoever holds it.

use crate::core::{Explained, Partition};
use model::{TenantId, TopicName};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use stream::TopicPartition;
use tokio::sync::{mpsc, oneshot};

/// Questions that may wait for one partition.
const WAITING: usize = 4;
/// A partition that is at work for longer does not answer.
const WITHIN: Duration = Duration::from_secs(5);

/// Which groups are meant.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// The template.
    pub(crate) template: String,
    /// Tags that the groups have.
    pub(crate) tags: Vec<(String, String)>,
}

/// What a partition says.
#[derive(Debug)]
pub(crate) struct Told {
    /// The groups.
    pub(crate) groups: Vec<Explained>,
    /// The names of the templates in force.
    pub(crate) templates: Vec<String>,
    /// Revision of the bundle in force; none before the first mark.
    pub(crate) revision: Option<u64>,
    /// How many partitions the tenant has by that bundle.
    pub(crate) of: u32,
}

impl Told {
    fn by(core: &Partition, asked: &Asked) -> Self {
        Self {
            groups: core.explain(&asked.template, &asked.tags),
            templates: core.templates(),
            revision: core.newest_revision(),
            of: core.partitions(),
        }
    }
}

/// A question and where its answer goes.
#[derive(Debug)]
pub(crate) struct Question {
    asked: Asked,
    answer: oneshot::Sender<Told>,
}

impl Question {
    /// Answers it. Whoever asked may be gone.
    pub(crate) fn answer(self, core: &Partition) {
        drop(self.answer.send(Told::by(core, &self.asked)));
    }
}

type Seats = HashMap<TopicPartition, mpsc::Sender<Question>>;

/// The partitions of this process that can be asked. A cheap handle.
#[derive(Debug, Clone, Default)]
pub(crate) struct Desk(Arc<Mutex<Seats>>);

impl Desk {
    /// A partition can be asked from now on, until its seat is dropped.
    pub(crate) fn seat(&self, source: &TopicPartition) -> Seat {
        let (sender, inbox) = mpsc::channel(WAITING);
        self.seats().insert(source.clone(), sender.clone());
        Seat {
            desk: self.clone(),
            source: source.clone(),
            sender,
            inbox,
        }
    }

    /// Asks the partitions of a tenant that this process holds; none for one that is too busy.
    pub(crate) async fn ask(&self, tenant: &TenantId, asked: &Asked) -> Vec<(u32, Option<Told>)> {
        let mut answers = Vec::new();
        for (source, sender) in self.of(tenant) {
            let (answer, told) = oneshot::channel();
            let question = Question {
                asked: asked.clone(),
                answer,
            };
            let told = async {
                sender.try_send(question).ok()?;
                tokio::time::timeout(WITHIN, told).await.ok()?.ok()
            };
            answers.push((source.partition, told.await));
        }
        answers.sort_by_key(|(partition, _)| *partition);
        answers
    }

    fn of(&self, tenant: &TenantId) -> Vec<(TopicPartition, mpsc::Sender<Question>)> {
        let own = |topic: &TopicName| topic.tenant().as_ref() == Some(tenant);
        let seats = self.seats();
        let seats = seats.iter().filter(|(source, _)| own(&source.topic));
        seats
            .map(|(s, sender)| (s.clone(), sender.clone()))
            .collect()
    }

    fn seats(&self) -> std::sync::MutexGuard<'_, Seats> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A partition's end.
#[derive(Debug)]
pub(crate) struct Seat {
    desk: Desk,
    source: TopicPartition,
    sender: mpsc::Sender<Question>,
    inbox: mpsc::Receiver<Question>,
}

impl Seat {
    /// The next question. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Question {
        match self.inbox.recv().await {
            Some(question) => question,
            // It holds a sender itself, so this is never the end.
            None => std::future::pending().await,
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = self.desk.seats();
        // The next owner of this process may have taken its place already.
        if seats
            .get(&self.source)
            .is_some_and(|sender| sender.same_channel(&self.sender))
        {
            seats.remove(&self.source);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acme() -> TenantId {
        TenantId::parse("acme").unwrap()
    }

    fn source(tenant: &str, partition: u32) -> TopicPartition {
        let tenant = TenantId::parse(tenant).unwrap();
        TopicPartition::new(TopicName::metrics(&tenant, 1), partition)
    }

    fn asked() -> Asked {
        Asked {
            template: "cpu".to_owned(),
            tags: Vec::new(),
        }
    }

    #[tokio::test]
    async fn a_tenants_partitions_are_asked_and_one_that_is_busy_is_named() {
        let desk = Desk::default();
        let mut answers = desk.seat(&source("acme", 0));
        let busy = desk.seat(&source("acme", 1));
        let waiting: Vec<_> = (0..WAITING)
            .map(|_| {
                let (answer, told) = oneshot::channel();
                let asked = asked();
                busy.sender.try_send(Question { asked, answer }).unwrap();
                told
            })
            .collect();
        let _other = desk.seat(&source("beta", 0));
        let (acme, wanted) = (acme(), asked());
        let core = Partition::new(acme.clone(), 0);
        let asking = desk.ask(&acme, &wanted);
        let answering = async { answers.next().await.answer(&core) };
        let (told, ()) = tokio::join!(asking, answering);
        let answered: Vec<(u32, bool)> =
            told.iter().map(|(n, told)| (*n, told.is_some())).collect();
        assert_eq!(answered, [(0, true), (1, false)]);
        assert_eq!(waiting.len(), WAITING);
    }

    #[tokio::test]
    async fn a_partition_that_was_given_back_is_asked_no_more_and_its_successor_is() {
        let desk = Desk::default();
        let before = desk.seat(&source("acme", 0));
        let after = desk.seat(&source("acme", 0));
        drop(before);
        assert_eq!(desk.of(&acme()).len(), 1);
        drop(after);
        assert_eq!(desk.ask(&acme(), &asked()).await.len(), 0);
    }
}
