//! How the notifier's own parts are, as they say it themselves: what the heartbeat out stands on.

use crate::core::StoreSays;
use model::{Span, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use stream::TopicPartition;

/// A part that has not spoken for so long is not content any more.
const SILENT: Span = Span::from_secs(60);

/// What the parts said last. Shared by all of them.
#[derive(Debug, Default)]
pub struct Pulse(Mutex<Parts>);

#[derive(Debug, Default)]
struct Parts {
    /// The auditor, and the watch over each cluster, by name.
    said: BTreeMap<String, (Timestamp, Result<(), String>)>,
    /// Those that must have spoken before anything is content.
    expected: BTreeSet<String>,
    /// Which partitions of the alert topic this replica applies, by cluster; none: it does not know yet.
    owned: BTreeMap<String, BTreeSet<TopicPartition>>,
    /// Why the store does not take events, by cluster; while it does not.
    refused: BTreeMap<String, String>,
}

impl Pulse {
    /// A part will speak: until it has, nothing is content.
    pub fn expects(&self, part: &str) {
        self.lock().expected.insert(part.to_owned());
    }

    /// A part looked, and says whether all is well.
    pub fn says(&self, part: &str, now: Timestamp, well: Result<(), String>) {
        self.lock().said.insert(part.to_owned(), (now, well));
    }

    /// The partitions of the alert topic that this replica applies.
    pub fn owns(&self, cluster: &str, owned: &BTreeSet<TopicPartition>) {
        self.lock().owned.insert(cluster.to_owned(), owned.clone());
    }

    /// Whether this replica is the one that has to apply a partition's events; also while it does not know yet.
    pub fn is_mine(&self, cluster: &str, source: &TopicPartition) -> bool {
        let parts = self.lock();
        let owned = parts.owned.get(cluster);
        owned.is_none_or(|owned| owned.contains(source))
    }

    /// The store took a cluster's events, or why it did not.
    pub fn store(&self, cluster: &str, taken: Result<(), String>) {
        let mut parts = self.lock();
        match taken {
            Ok(()) => drop(parts.refused.remove(cluster)),
            Err(why) => drop(parts.refused.insert(cluster.to_owned(), why)),
        }
    }

    /// What to make of a store's answer that it has not an event of a cluster.
    pub fn has_not(&self, cluster: &str) -> StoreSays {
        match self.lock().refused.contains_key(cluster) {
            true => StoreSays::Nothing,
            false => StoreSays::HasNot,
        }
    }

    /// Whether all parts spoke in time and are well; else which is not, and why.
    pub fn content(&self, now: Timestamp) -> Result<(), String> {
        let parts = self.lock();
        for part in &parts.expected {
            match parts.said.get(part) {
                None => return Err(format!("{part} has not looked yet")),
                Some((at, _)) if now.since(*at) > SILENT => {
                    return Err(format!("{part} has not looked for {}", now.since(*at)));
                }
                Some((_, Err(why))) => return Err(format!("{part}: {why}")),
                Some((_, Ok(()))) => {}
            }
        }
        match parts.refused.iter().next() {
            Some((cluster, why)) => Err(format!("the store takes no events of {cluster}: {why}")),
            None => Ok(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Parts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(0).plus(Span::from_secs(seconds))
    }

    #[test]
    fn content_is_only_what_has_looked_in_time_and_found_nothing() {
        let pulse = Pulse::default();
        pulse.expects("auditor");
        pulse.expects("watch of a");
        assert!(pulse.content(at(0)).is_err(), "nobody has looked");
        pulse.says("auditor", at(0), Ok(()));
        assert!(pulse.content(at(0)).unwrap_err().contains("watch of a"));
        pulse.says("watch of a", at(50), Ok(()));
        assert_eq!(pulse.content(at(60)), Ok(()));
        assert!(pulse.content(at(61)).unwrap_err().contains("auditor"));
        pulse.says("auditor", at(61), Err("a P1 is overdue".to_owned()));
        assert!(pulse.content(at(61)).unwrap_err().contains("overdue"));
        pulse.says("auditor", at(62), Ok(()));
        pulse.store("a", Err("disk full".to_owned()));
        assert!(pulse.content(at(62)).unwrap_err().contains("disk full"));
        assert_eq!(pulse.has_not("a"), StoreSays::Nothing);
        pulse.store("a", Ok(()));
        assert_eq!(pulse.content(at(62)), Ok(()));
        assert_eq!(pulse.has_not("a"), StoreSays::HasNot);
    }

    #[test]
    fn what_nobody_was_given_yet_is_everybodys() {
        let pulse = Pulse::default();
        let source = TopicPartition::new(model::TopicName::alerts(), 0);
        assert!(pulse.is_mine("a", &source));
        pulse.owns("a", &BTreeSet::new());
        assert!(!pulse.is_mine("a", &source));
        pulse.owns("a", &BTreeSet::from([source.clone()]));
        assert!(pulse.is_mine("a", &source));
    }
}
