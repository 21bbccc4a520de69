//! How much of the time that a topic keeps records the oldest one not done has behind it.

use model::{Span, TopicName};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use stream::{Stream, StreamError, TopicPartition, TopicSettings};
use tokio::time::Instant;

/// How old what is known of a topic may be.
const FRESH: Duration = Duration::from_secs(300);
/// Records that are younger are no reason to ask: topics keep records for hours.
pub(crate) const YOUNG_S: i64 = 15;
/// From here on it is said, once until it is better.
const ALARM_PERCENT: i64 = 50;

/// Retentions of topics, as they are set. A cheap handle.
#[derive(Clone)]
pub(crate) struct Retentions {
    stream: Stream,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    known: HashMap<TopicName, (Instant, Option<Span>)>,
    said: HashSet<TopicPartition>,
}

impl Retentions {
    pub(crate) fn new(stream: Stream) -> Self {
        Self {
            stream,
            state: Arc::default(),
        }
    }

    /// Learns the retentions of many topics with few questions, where what is known of them is old.
    pub(crate) async fn refresh(&self, topics: Vec<TopicName>) {
        let old: Vec<_> = {
            let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let is_old = |topic: &TopicName| {
                let known = state.known.get(topic);
                known.is_none_or(|(asked, _)| asked.elapsed() >= FRESH)
            };
            topics.into_iter().filter(is_old).collect()
        };
        if old.is_empty() {
            return;
        }
        let found = self.stream.settings_of(&old).await;
        for (topic, settings) in old.into_iter().zip(found) {
            self.note(topic, settings);
        }
    }

    /// The part that the oldest record, so many seconds old, has behind it, in percent: at 100 it is lost.
    pub(crate) async fn used(&self, source: &TopicPartition, oldest_s: i64) -> i64 {
        let used = match oldest_s < YOUNG_S {
            true => 0,
            false => {
                let retention = self.of(&source.topic).await;
                percent(oldest_s, retention)
            }
        };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if used < ALARM_PERCENT {
            state.said.remove(source);
        } else if state.said.insert(source.clone()) {
            tracing::error!(
                %source, oldest_s, used_percent = used,
                "records come close to the end of their retention and are not stored"
            );
        }
        used
    }

    async fn of(&self, topic: &TopicName) -> Option<Span> {
        let known = {
            let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.known.get(topic).copied()
        };
        if let Some((asked, retention)) = known
            && asked.elapsed() < FRESH
        {
            return retention;
        }
        let settings = self.stream.settings(topic).await;
        self.note(topic.clone(), settings)
    }

    /// Remembers what a topic is set to; where nobody says, what was known stays.
    fn note(
        &self,
        topic: TopicName,
        settings: Result<Option<TopicSettings>, StreamError>,
    ) -> Option<Span> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match settings {
            Ok(settings) => {
                let retention = settings.and_then(|settings| settings.retention);
                state.known.insert(topic, (Instant::now(), retention));
                retention
            }
            Err(error) => {
                tracing::debug!(%topic, %error, "the retention is not known");
                state
                    .known
                    .get(&topic)
                    .and_then(|(_, retention)| *retention)
            }
        }
    }
}

fn percent(oldest_s: i64, retention: Option<Span>) -> i64 {
    let Some(retention) = retention else { return 0 };
    let kept_s = (retention.as_millis() / 1_000).max(1);
    oldest_s.saturating_mul(100) / kept_s
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_retention_is_fifty_percent_and_for_ever_is_none() {
        let day = Some(Span::from_secs(86_400));
        assert_eq!(percent(43_200, day), 50);
        assert_eq!(percent(86_400, day), 100);
        assert_eq!(percent(i64::MAX / 2, None), 0);
        assert_eq!(percent(5, Some(Span::from_millis(10))), 500);
    }
}
