//! Keys of `bongsu.evaluator.state`.
//!
//! `<tenant>/<incarnation>/<partition>/claim`, `.../<epoch>/checkpoint` and `.../<epoch>/part/<part
//! id>`, the part id as the core made it. An input's records are in one partition, so that a claim
//! orders them all.

use bytes::{BufMut, Bytes, BytesMut};
use model::{TenantId, TopicRole, host_partition};
use std::fmt;
use stream::TopicPartition;

/// One input of the evaluator: a partition of an incarnation of a tenant's topic.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct InputId {
    tenant: TenantId,
    incarnation: u32,
    partition: u32,
}

/// What a record of an input's state is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StateKey {
    /// A new owner begins; the record's offset is its epoch.
    Claim,
    /// How far an owner's parts are written.
    Checkpoint {
        /// The writer's.
        epoch: i64,
    },
    /// The state of a part.
    Part {
        /// The writer's.
        epoch: i64,
        /// As the core named it.
        id: Bytes,
    },
}

impl InputId {
    /// The input that a partition of a topic is; none when the topic is no tenant's.
    pub(crate) fn of(source: &TopicPartition) -> Option<Self> {
        match source.topic.role() {
            TopicRole::Metrics(tenant, incarnation) => Some(Self {
                tenant,
                incarnation,
                partition: source.partition,
            }),
            TopicRole::Internal | TopicRole::Foreign => None,
        }
    }

    /// Whose points it holds.
    pub(crate) fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// The partition of the tenant's topic.
    pub(crate) fn partition(&self) -> u32 {
        self.partition
    }

    /// `<tenant>/<partition>`, the key of its alert events.
    pub(crate) fn alert_key(&self) -> String {
        format!("{}/{}", self.tenant, self.partition)
    }

    /// Its partition of a topic of `partitions` that is keyed by input.
    pub(crate) fn home(&self, partitions: u32) -> u32 {
        host_partition(self.alert_key().as_bytes(), partitions)
    }

    /// The bytes of a key of this input.
    pub(crate) fn key(&self, key: &StateKey) -> Bytes {
        match key {
            StateKey::Claim => Bytes::from(format!("{self}/claim")),
            StateKey::Checkpoint { epoch } => Bytes::from(format!("{self}/{epoch}/checkpoint")),
            StateKey::Part { epoch, id } => {
                let head = format!("{self}/{epoch}/part/");
                let mut bytes = BytesMut::with_capacity(head.len() + id.len());
                bytes.put_slice(head.as_bytes());
                bytes.put_slice(id);
                bytes.freeze()
            }
        }
    }
}

impl fmt::Display for InputId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.tenant, self.incarnation, self.partition)
    }
}

/// Reads a key; none when it is not one of ours.
pub(crate) fn parse(key: &[u8]) -> Option<(InputId, StateKey)> {
    let mut words = key.splitn(5, |byte| *byte == b'/');
    let mut text = || words.next().and_then(|word| str::from_utf8(word).ok());
    let tenant = TenantId::parse(text()?).ok()?;
    let incarnation = text()?.parse().ok()?;
    let partition = text()?.parse().ok()?;
    let input = InputId {
        tenant,
        incarnation,
        partition,
    };
    let word = text()?;
    let Some(rest) = words.next() else {
        return (word == "claim").then_some((input, StateKey::Claim));
    };
    let epoch = word.parse().ok()?;
    let key = match rest {
        b"checkpoint" => StateKey::Checkpoint { epoch },
        _ => StateKey::Part {
            epoch,
            id: Bytes::copy_from_slice(rest.strip_prefix(b"part/")?),
        },
    };
    Some((input, key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::TopicName;

    #[test]
    fn a_key_is_read_back_whatever_its_part_is_called() {
        let topic = TopicName::listed("metrics.acme.2").unwrap();
        let input = InputId::of(&TopicPartition::new(topic, 3)).unwrap();
        for id in ["host/a", "", "\u{0}\n/part/x", "claim"] {
            let key = StateKey::Part {
                epoch: 42,
                id: Bytes::copy_from_slice(id.as_bytes()),
            };
            assert_eq!(parse(&input.key(&key)), Some((input.clone(), key)));
        }
        for key in [StateKey::Claim, StateKey::Checkpoint { epoch: 0 }] {
            assert_eq!(parse(&input.key(&key)), Some((input.clone(), key)));
        }
        // As they always were: a newer program finds what an older one has left.
        let part = StateKey::Part {
            epoch: 42,
            id: Bytes::from_static(b"host/a"),
        };
        for (key, known) in [
            (StateKey::Claim, "acme/2/3/claim"),
            (StateKey::Checkpoint { epoch: 42 }, "acme/2/3/42/checkpoint"),
            (part, "acme/2/3/42/part/host/a"),
        ] {
            assert_eq!(input.key(&key), known);
        }
    }

    #[test]
    fn what_is_no_key_of_ours_is_left_alone() {
        for key in [
            "",
            "acme",
            "acme/1/0",
            "acme/1/0/claims",
            "acme/1/0/x/part/a",
            "A/1/0/claim",
            "acme/1/0/5/other",
        ] {
            assert_eq!(parse(key.as_bytes()), None, "{key}");
        }
    }

    #[test]
    fn topics_that_are_no_tenants_are_no_input() {
        for name in ["bongsu.alerts", "other", "metrics.acme.1"] {
            let topic = TopicName::listed(name).unwrap();
            assert_eq!(InputId::of(&TopicPartition::new(topic, 0)), None);
        }
    }
}
