//! Whether the topics that a service was given are set as what they hold needs it. A topic may be altered behind Bongsu's
//! back at any time, so it is looked at with each assignment, and what is wrong is said in the log once.

use model::TopicName;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use stream::{Stream, StreamError, TopicFlaw, TopicSpec};
use tokio::time::Instant;

/// How old what is known of a topic may be: a rebalance that follows soon asks nothing again.
const FRESH: Duration = Duration::from_secs(300);

/// Looks at topics and remembers what was said of them. A cheap handle.
#[derive(Clone)]
pub struct TopicJudge {
    stream: Stream,
    known: Arc<Mutex<HashMap<TopicName, Judged>>>,
}

/// What was found of a topic.
#[derive(Debug)]
struct Judged {
    at: Instant,
    flaws: Vec<TopicFlaw>,
}

impl TopicJudge {
    /// Of the topics of this log.
    pub fn new(stream: Stream) -> Self {
        Self {
            stream,
            known: Arc::default(),
        }
    }

    /// Looks at the topics that were made for these, but for those that it has looked at just before, and logs what is
    /// wrong and new. Returns how many topics of all that it knows are set wrongly.
    pub async fn look(&self, specs: impl IntoIterator<Item = TopicSpec>) -> usize {
        let old = |spec: &TopicSpec| !self.is_fresh(&spec.name);
        let specs: Vec<_> = specs.into_iter().filter(old).collect();
        let topics: Vec<_> = specs.iter().map(|spec| spec.name.clone()).collect();
        let found = match topics.is_empty() {
            true => Vec::new(),
            false => self.stream.settings_of(&topics).await,
        };
        for (spec, found) in specs.iter().zip(found) {
            match found {
                Ok(Some(found)) => self.note(&spec.name, spec.flaws(&found)),
                // It is gone already; its partitions are taken back with it.
                Ok(None) => self.forget(&spec.name),
                Err(error) => complain(&spec.name, &error),
            }
        }
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .values()
            .filter(|judged| !judged.flaws.is_empty())
            .count()
    }

    fn is_fresh(&self, topic: &TopicName) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .get(topic)
            .is_some_and(|judged| judged.at.elapsed() < FRESH)
    }

    fn note(&self, topic: &TopicName, flaws: Vec<TopicFlaw>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let before = known
            .remove(topic)
            .map_or_else(Vec::new, |judged| judged.flaws);
        for flaw in flaws.iter().filter(|flaw| !before.contains(flaw)) {
            let TopicFlaw {
                code,
                wrong,
                advice,
            } = flaw;
            tracing::warn!(%topic, code, wrong, advice, "the topic is not set as it should");
        }
        let at = Instant::now();
        known.insert(topic.clone(), Judged { at, flaws });
    }

    fn forget(&self, topic: &TopicName) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.remove(topic);
    }
}

/// Who may not look at settings works all the same: that right is recommended, not needed.
fn complain(topic: &TopicName, error: &StreamError) {
    tracing::debug!(%topic, %error, "the settings of the topic are not known");
}
