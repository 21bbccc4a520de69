//! Names of topics. They are derived from checked names, never given.

use crate::{InvalidName, ShardId, TenantId};
use std::fmt;
use std::sync::Arc;

/// The name of a topic that Bongsu reads or writes.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicName(Arc<str>);

/// What a topic's name says that it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TopicRole {
    /// The points of a tenant, and the incarnation of its topic (1 for the first).
    Metrics(TenantId, u32),
    /// One of Bongsu's own topics.
    Internal,
    /// Somebody else's.
    Foreign,
}

impl TopicName {
    /// What every tenant topic's name starts with.
    pub const METRICS_PREFIX: &'static str = "metrics.";

    /// The tenant's topic: `metrics.acme`, or `metrics.acme.2` for its second incarnation.
    pub fn metrics(tenant: &TenantId, incarnation: u32) -> Self {
        if incarnation <= 1 {
            Self(format!("{}{tenant}", Self::METRICS_PREFIX).into())
        } else {
            Self(format!("{}{tenant}.{incarnation}", Self::METRICS_PREFIX).into())
        }
    }

    /// The compacted catalogue.
    pub fn catalog() -> Self {
        Self(Arc::from("bongsu.catalog"))
    }

    /// Alert and control events.
    pub fn alerts() -> Self {
        Self(Arc::from("bongsu.alerts"))
    }

    /// Evaluation state, claims and checkpoints.
    pub fn evaluator_state() -> Self {
        Self(Arc::from("bongsu.evaluator.state"))
    }

    /// Lines that can never be stored.
    pub fn deadletter() -> Self {
        Self(Arc::from("bongsu.deadletter"))
    }

    /// Partial aggregates, census, usage and findings.
    pub fn derived() -> Self {
        Self(Arc::from("bongsu.derived"))
    }

    /// What waits for a shard that is down.
    pub fn handoff(shard: &ShardId) -> Self {
        Self(format!("bongsu.handoff.{shard}").into())
    }

    /// What every topic of [`TopicName::handoff`] starts with, and that of its state.
    pub const HANDOFF_PREFIX: &'static str = "bongsu.handoff.";

    /// How far each lane of the handoff is drained.
    pub fn handoff_state() -> Self {
        Self(Arc::from("bongsu.handoff.state"))
    }

    /// The shard that the points of a handoff topic wait for; none for any other topic.
    pub fn handoff_shard(&self) -> Option<ShardId> {
        let shard = self.0.strip_prefix(Self::HANDOFF_PREFIX)?;
        ShardId::parse(shard)
            .ok()
            .filter(|shard| shard.as_str() != "state")
    }

    /// Takes a name that a broker listed: `[a-zA-Z0-9._-]{1,249}`, not `.` or `..` (Kafka's own rule).
    pub fn listed(name: &str) -> Result<Self, InvalidName> {
        let legal = (1..=249).contains(&name.len())
            && name != "."
            && name != ".."
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
        if legal {
            Ok(Self(Arc::from(name)))
        } else {
            Err(InvalidName::new(
                "topic name",
                name,
                "1 to 249 of a-z, A-Z, 0-9, '.', '_' and '-'",
            ))
        }
    }

    /// What the name says that the topic holds.
    pub fn role(&self) -> TopicRole {
        if self.0.starts_with("bongsu.") {
            return TopicRole::Internal;
        }
        let Some(rest) = self.0.strip_prefix(Self::METRICS_PREFIX) else {
            return TopicRole::Foreign;
        };
        let (tenant, incarnation) = match rest.split_once('.') {
            None => (rest, Some(1)),
            Some((tenant, n)) => (
                tenant,
                n.parse()
                    .ok()
                    .filter(|n: &u32| *n >= 2 && !matches!(n_first(rest), Some('0'))),
            ),
        };
        match (TenantId::parse(tenant), incarnation) {
            (Ok(tenant), Some(n)) => TopicRole::Metrics(tenant, n),
            _ => TopicRole::Foreign,
        }
    }

    /// The tenant whose points the topic holds.
    pub fn tenant(&self) -> Option<TenantId> {
        match self.role() {
            TopicRole::Metrics(tenant, _) => Some(tenant),
            TopicRole::Internal | TopicRole::Foreign => None,
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The first character behind the dot, so that `02` is no second name of `2`.
fn n_first(rest: &str) -> Option<char> {
    rest.split_once('.').and_then(|(_, n)| n.chars().next())
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tenant_is_read_back_from_its_topic() {
        let acme = TenantId::parse("acme").unwrap();
        for incarnation in [1, 2, 17] {
            let topic = TopicName::metrics(&acme, incarnation);
            assert_eq!(topic.role(), TopicRole::Metrics(acme.clone(), incarnation));
        }
    }

    #[test]
    fn the_shard_is_read_back_from_its_handoff_topic() {
        let shard = ShardId::parse("s-1").unwrap();
        assert_eq!(TopicName::handoff(&shard).handoff_shard(), Some(shard));
        assert_eq!(TopicName::handoff_state().handoff_shard(), None);
        assert_eq!(TopicName::alerts().handoff_shard(), None);
    }

    #[test]
    fn look_alikes_belong_to_nobody() {
        for name in [
            "metrics.",
            "metrics.a_b",
            "metrics.acme.1",
            "metrics.acme.02",
            "metrics.acme.x",
            "metricsacme",
        ] {
            assert_eq!(
                TopicName::listed(name).unwrap().role(),
                TopicRole::Foreign,
                "{name}"
            );
        }
    }
}
