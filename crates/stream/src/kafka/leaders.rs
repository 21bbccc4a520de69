//! Looks for the new leaders of partitions that do not answer.
//!
//! librdkafka asks for leaders once when the connection to a broker ends, and then as often as for new topics. A broker
//! that died has no successor at that moment: the controller waits for its session to end first. So whoever has records
//! for it would learn of the new leader up to `topic.metadata.refresh.interval.ms` after the cluster has one.

use super::client::{blocking, failure};
use super::producer::Sender;
use crate::{StreamError, TopicPartition};
use model::TopicName;
use rdkafka::producer::Producer;
use std::collections::{BTreeSet, HashMap};
use std::sync::Weak;
use std::time::Duration;

/// Between two looks at who is silent; a leader is found so long after the cluster has chosen it.
const LOOK: Duration = Duration::from_millis(250);
/// A partition that has answered nothing for so long is asked for.
const SILENT: Duration = Duration::from_millis(500);
/// So many topics are asked for one by one; beyond, all of the cluster at once.
const ONE_BY_ONE: usize = 16;
/// Between two looks at all.
const LOOK_AT_ALL: Duration = Duration::from_secs(2);
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(1);
/// A partition whose last records failed is asked for so long, though nothing more is sent to it.
const REMEMBERED: Duration = Duration::from_secs(10);

/// Partitions with records that nobody has answered. Times are since the sender was made.
#[derive(Debug, Default)]
pub(super) struct Unanswered(HashMap<TopicPartition, Silence>);

#[derive(Debug)]
struct Silence {
    /// Records under way.
    records: usize,
    /// When the partition last answered, or the first of them was sent.
    since: Duration,
}

impl Unanswered {
    /// A record goes out.
    pub(super) fn sent(&mut self, target: &TopicPartition, now: Duration) {
        match self.0.get_mut(target) {
            Some(silence) => silence.records += 1,
            None => {
                let silence = Silence {
                    records: 1,
                    since: now,
                };
                self.0.insert(target.clone(), silence);
            }
        }
    }

    /// The fate of a record is known. One that was given up says nothing of its partition.
    pub(super) fn answered(&mut self, target: &TopicPartition, given_up: bool, now: Duration) {
        let Some(silence) = self.0.get_mut(target) else {
            return;
        };
        silence.records = silence.records.saturating_sub(1);
        if given_up {
            return;
        }
        silence.since = now;
        if silence.records == 0 {
            self.0.remove(target);
        }
    }

    /// Topics of the partitions that have been silent for too long.
    fn silent(&mut self, now: Duration) -> BTreeSet<TopicName> {
        let silent_for = |silence: &Silence| now.saturating_sub(silence.since);
        self.0
            .retain(|_, silence| silence.records > 0 || silent_for(silence) < REMEMBERED);
        let silent = self
            .0
            .iter()
            .filter(|(_, silence)| silent_for(silence) >= SILENT);
        silent.map(|(target, _)| target.topic.clone()).collect()
    }
}

/// Asks for the leaders of silent partitions for as long as the sender lives.
pub(super) async fn follow(sender: Weak<Sender>) {
    let mut pause = LOOK;
    loop {
        tokio::time::sleep(pause).await;
        let Some(sender) = sender.upgrade() else {
            return;
        };
        let silent = sender.unanswered(Unanswered::silent);
        pause = if silent.len() > ONE_BY_ONE {
            LOOK_AT_ALL
        } else {
            LOOK
        };
        if silent.is_empty() {
            continue;
        }
        tracing::debug!(topics = silent.len(), "looking for leaders");
        if let Err(error) = blocking(move || ask(&sender, &silent)).await {
            tracing::debug!(%error, "no broker says who leads");
        }
    }
}

/// The client takes what it hears into account, whoever asked.
fn ask(sender: &Sender, silent: &BTreeSet<TopicName>) -> Result<(), StreamError> {
    let producer = sender.producer();
    let look = |topic: Option<&str>| {
        let heard = producer.client().fetch_metadata(topic, ANSWER);
        heard.map(drop).map_err(|error| failure(&error))
    };
    if silent.len() > ONE_BY_ONE {
        return look(None);
    }
    silent
        .iter()
        .try_for_each(|topic| look(Some(topic.as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(partition: u32) -> TopicPartition {
        TopicPartition::new(TopicName::deadletter(), partition)
    }

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_partition_that_answers_is_not_asked_for() {
        let mut unanswered = Unanswered::default();
        for tenth in 0..20 {
            unanswered.sent(&place(0), ms(tenth * 100));
            unanswered.sent(&place(0), ms(tenth * 100));
            unanswered.answered(&place(0), false, ms(tenth * 100 + 50));
            assert!(unanswered.silent(ms(tenth * 100 + 60)).is_empty());
        }
        for _ in 0..20 {
            unanswered.answered(&place(0), false, ms(2_000));
        }
        assert!(unanswered.0.is_empty());
    }

    #[test]
    fn a_silent_one_is_asked_for_until_it_answers_though_others_do() {
        let mut unanswered = Unanswered::default();
        unanswered.sent(&place(0), ms(0));
        unanswered.sent(&place(1), ms(0));
        unanswered.answered(&place(1), false, ms(10));
        assert!(unanswered.silent(ms(499)).is_empty());
        assert_eq!(unanswered.silent(ms(500)).len(), 1);
        // Given up and sent again: still the same silence.
        unanswered.answered(&place(0), true, ms(1_800));
        assert_eq!(unanswered.silent(ms(1_850)).len(), 1);
        unanswered.sent(&place(0), ms(1_900));
        assert_eq!(unanswered.silent(ms(1_950)).len(), 1);
        unanswered.answered(&place(0), false, ms(2_000));
        assert!(unanswered.silent(ms(9_000)).is_empty());
    }

    #[test]
    fn what_was_given_up_and_never_sent_again_is_forgotten() {
        let mut unanswered = Unanswered::default();
        unanswered.sent(&place(0), ms(0));
        unanswered.answered(&place(0), true, ms(1_800));
        assert_eq!(unanswered.silent(ms(9_999)).len(), 1);
        assert!(unanswered.silent(ms(10_000)).is_empty());
        assert!(unanswered.0.is_empty());
    }
}
