//! What a topic is set to, and what is wrong with that.

use crate::TopicSpec;
use model::Span;

/// How a topic stands in its cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSettings {
    /// Brokers of the cluster that answer.
    pub brokers: u32,
    /// Copies of each record, the fewest of its partitions.
    pub replicas: u32,
    /// Copies that must have a record before it is acknowledged.
    pub min_in_sync: u32,
    /// Whether the log gives the time of a record, and not who sends it.
    pub log_append_time: bool,
    /// Whether the newest record of each key is kept.
    pub compacted: bool,
    /// Whether records leave after a time or beyond a size.
    pub deletes: bool,
    /// How long records are kept; none for ever.
    pub retention: Option<Span>,
    /// Bytes of a partition beyond which its oldest records leave, whatever their age.
    pub retention_bytes: Option<u64>,
    /// Whether a copy that lacks records may become the leader.
    pub unclean_election: bool,
}

/// Something that is wrong with a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicFlaw {
    /// A word for the kind, which scripts may look for.
    pub code: &'static str,
    /// What is wrong.
    pub wrong: String,
    /// What to do.
    pub advice: String,
}

impl TopicSpec {
    /// What is wrong with a topic that was made for this. More copies and a longer retention than asked
    /// for are fine.
    pub fn flaws(&self, found: &TopicSettings) -> Vec<TopicFlaw> {
        let mut flaws = Vec::new();
        let mut add = |code, wrong: String, advice: String| {
            flaws.push(TopicFlaw {
                code,
                wrong,
                advice,
            });
        };
        let alter = |setting: &str| {
            format!(
                "kafka-configs --alter --entity-type topics --entity-name {} --add-config {setting}",
                self.name
            )
        };
        let copies = u32::from(self.replicas).min(found.brokers);
        if found.replicas < copies {
            add(
                "topic-replicas",
                format!(
                    "keeps {} copies of a record, {copies} are wanted with {} brokers",
                    found.replicas, found.brokers
                ),
                "kafka-reassign-partitions with more replicas".to_owned(),
            );
        }
        // A third copy may be missing and records are still taken.
        let wanted = if found.replicas >= 3 { 2 } else { 1 };
        if found.min_in_sync < wanted {
            add(
                "topic-min-isr",
                format!(
                    "acknowledges a record that {} of {} copies have: one lost disk loses it",
                    found.min_in_sync, found.replicas
                ),
                alter(&format!("min.insync.replicas={wanted}")),
            );
        } else if found.min_in_sync >= found.replicas && found.replicas > 1 {
            add(
                "topic-min-isr",
                format!(
                    "wants all {} copies for an acknowledgement: nothing is taken while one broker is away",
                    found.replicas
                ),
                alter(&format!("min.insync.replicas={}", found.replicas - 1)),
            );
        }
        if found.unclean_election {
            add(
                "topic-election",
                "a copy that lacks records may become the leader".to_owned(),
                alter("unclean.leader.election.enable=false"),
            );
        }
        if self.compacted != found.compacted || self.compacted == found.deletes {
            let (wanted, loses) = match self.compacted {
                true => (
                    "compact",
                    "what is declared or held in it would be forgotten",
                ),
                false => ("delete", "records would be lost or kept for ever"),
            };
            add(
                "topic-cleanup",
                format!("its cleanup.policy is not `{wanted}`: {loses}"),
                alter(&format!("cleanup.policy={wanted}")),
            );
        }
        if !self.compacted {
            self.kept(found, alter, &mut add);
        }
        flaws
    }

    /// What of a topic that forgets is wrong with its times.
    fn kept(
        &self,
        found: &TopicSettings,
        alter: impl Fn(&str) -> String,
        add: &mut impl FnMut(&'static str, String, String),
    ) {
        if !found.log_append_time {
            add(
                "topic-timestamps",
                "takes the time of a record from who sends it: lag, retention and evaluation need the log's own"
                    .to_owned(),
                alter("message.timestamp.type=LogAppendTime"),
            );
        }
        if let (Some(wanted), Some(kept)) = (self.retention, found.retention)
            && kept < wanted
        {
            add(
                "topic-retention",
                format!("keeps records {kept}, {wanted} are wanted"),
                alter(&format!("retention.ms={}", wanted.as_millis())),
            );
        }
        if let Some(bytes) = found.retention_bytes {
            add(
                "topic-retention",
                format!(
                    "forgets records beyond {bytes} bytes of a partition, however young they are"
                ),
                alter("retention.bytes=-1"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::TopicName;

    const DAY: Span = Span::from_secs(86_400);

    fn spec(compacted: bool) -> TopicSpec {
        TopicSpec {
            name: TopicName::alerts(),
            partitions: 1,
            retention: (!compacted).then_some(DAY),
            compacted,
            replicas: 3,
        }
    }

    fn good(compacted: bool) -> TopicSettings {
        TopicSettings {
            brokers: 3,
            replicas: 3,
            min_in_sync: 2,
            log_append_time: true,
            compacted,
            deletes: !compacted,
            retention: Some(DAY),
            retention_bytes: None,
            unclean_election: false,
        }
    }

    #[test]
    fn a_topic_as_it_was_made_is_well() {
        assert_eq!(spec(false).flaws(&good(false)), []);
        assert_eq!(spec(true).flaws(&good(true)), []);
        let one = TopicSettings {
            brokers: 1,
            replicas: 1,
            min_in_sync: 1,
            retention: None,
            ..good(false)
        };
        assert_eq!(spec(false).flaws(&one), []);
    }

    #[test]
    fn each_flaw_is_told_by_its_code_with_what_to_do() {
        type Change = fn(&mut TopicSettings);
        let cases: [(Change, &str); 11] = [
            (|s| s.replicas = 2, "topic-replicas,topic-min-isr"),
            (|s| s.min_in_sync = 1, "topic-min-isr"),
            (|s| s.min_in_sync = 3, "topic-min-isr"),
            (|s| s.unclean_election = true, "topic-election"),
            (|s| s.compacted = true, "topic-cleanup"),
            (|s| s.deletes = false, "topic-cleanup"),
            (|s| s.log_append_time = false, "topic-timestamps"),
            (
                |s| s.retention = Some(Span::from_secs(60)),
                "topic-retention",
            ),
            (|s| s.retention_bytes = Some(1), "topic-retention"),
            (|s| s.retention = Some(DAY.times(7)), ""),
            (|s| s.brokers = 9, ""),
        ];
        for (change, codes) in cases {
            let mut settings = good(false);
            change(&mut settings);
            let flaws = spec(false).flaws(&settings);
            let found: Vec<_> = flaws.iter().map(|flaw| flaw.code).collect();
            assert_eq!(found.join(","), codes, "{flaws:?}");
            assert!(flaws.iter().all(|flaw| flaw.advice.starts_with("kafka-")));
        }
        let mut forgets = good(true);
        (forgets.deletes, forgets.log_append_time) = (true, false);
        let flaws = spec(true).flaws(&forgets);
        assert_eq!(flaws[0].code, "topic-cleanup");
        assert_eq!(flaws.len(), 1, "the time of a declaration decides nothing");
    }
}
