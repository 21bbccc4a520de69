//! Who may do what: the words of Kafka's access control, with its numbers on the wire.

use std::collections::BTreeSet;
use std::fmt;

/// What an access rule is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    /// Topics.
    Topic(Pattern),
    /// Groups of consumers.
    Group(Pattern),
    /// The cluster itself.
    Cluster,
}

/// One name, or all that begin so.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pattern {
    /// Exactly this.
    Named(String),
    /// Everything that begins with it.
    Prefix(String),
}

/// What may be done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// Consume; of a group: join it and commit.
    Read,
    /// Produce.
    Write,
    /// Make topics.
    Create,
    /// Delete topics.
    Delete,
    /// Change it; of the cluster: users, access rules and quotas.
    Alter,
    /// See that it is there. Part of `Read` and `Write`.
    Describe,
    /// Read settings; of the cluster: quotas.
    DescribeConfigs,
    /// Change settings; of the cluster: quotas.
    AlterConfigs,
}

/// One access rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// Name of the user, without `User:`.
    pub user: String,
    /// What it is about.
    pub resource: Resource,
    /// What is granted.
    pub operation: Operation,
    /// False where it is denied, which wins over every grant.
    pub allowed: bool,
}

/// What the user of a connection may do with a resource, as the broker says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rights(pub(super) BTreeSet<Operation>);

/// What a user may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Bytes a second to each broker.
    pub producer_bytes_per_s: u64,
}

impl Operation {
    /// All that rules of ours use.
    pub const ALL: [Self; 8] = [
        Self::Read,
        Self::Write,
        Self::Create,
        Self::Delete,
        Self::Alter,
        Self::Describe,
        Self::DescribeConfigs,
        Self::AlterConfigs,
    ];

    pub(super) fn code(self) -> i8 {
        match self {
            Self::Read => 3,
            Self::Write => 4,
            Self::Create => 5,
            Self::Delete => 6,
            Self::Alter => 7,
            Self::Describe => 8,
            Self::DescribeConfigs => 10,
            Self::AlterConfigs => 11,
        }
    }

    pub(super) fn of(code: i8) -> Option<Self> {
        Self::ALL.into_iter().find(|each| each.code() == code)
    }

    /// Its name in Kafka's own tools.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "Read",
            Self::Write => "Write",
            Self::Create => "Create",
            Self::Delete => "Delete",
            Self::Alter => "Alter",
            Self::Describe => "Describe",
            Self::DescribeConfigs => "DescribeConfigs",
            Self::AlterConfigs => "AlterConfigs",
        }
    }
}

impl Resource {
    pub(super) const CLUSTER_NAME: &'static str = "kafka-cluster";

    /// One topic.
    pub fn topic(name: impl Into<String>) -> Self {
        Self::Topic(Pattern::Named(name.into()))
    }

    /// Numbers of kind and pattern, and the name.
    pub(super) fn parts(&self) -> (i8, i8, &str) {
        let pattern = |pattern: &'_ Pattern| match pattern {
            Pattern::Named(_) => 3,
            Pattern::Prefix(_) => 4,
        };
        match self {
            Self::Topic(name) => (2, pattern(name), name.as_str()),
            Self::Group(name) => (3, pattern(name), name.as_str()),
            Self::Cluster => (4, 3, Self::CLUSTER_NAME),
        }
    }

    pub(super) fn of(kind: i8, pattern: i8, name: &str) -> Option<Self> {
        let pattern = match pattern {
            3 => Pattern::Named(name.to_owned()),
            4 => Pattern::Prefix(name.to_owned()),
            _ => return None,
        };
        match kind {
            2 => Some(Self::Topic(pattern)),
            3 => Some(Self::Group(pattern)),
            4 => Some(Self::Cluster),
            _ => None,
        }
    }
}

impl Pattern {
    /// The name, or how the names begin.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Named(name) | Self::Prefix(name) => name,
        }
    }

    /// Whether it means this name.
    pub fn covers(&self, name: &str) -> bool {
        match self {
            Self::Named(own) => own == name,
            Self::Prefix(own) => name.starts_with(own.as_str()),
        }
    }
}

impl Rights {
    /// Whether this is among them.
    pub fn has(&self, operation: Operation) -> bool {
        self.0.contains(&operation)
    }

    /// From the broker's bit field; one that was not asked for is negative.
    pub(super) fn of_bits(bits: i32) -> Self {
        let bits = u32::try_from(bits).unwrap_or(0);
        let all = Operation::ALL.into_iter();
        Self(all.filter(|each| bits >> each.code() & 1 == 1).collect())
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, pattern) = match self {
            Self::Topic(pattern) => ("topic", pattern),
            Self::Group(pattern) => ("group", pattern),
            Self::Cluster => return f.write_str("cluster"),
        };
        match pattern {
            Pattern::Named(name) => write!(f, "{word} {name}"),
            Pattern::Prefix(prefix) => write!(f, "{word} {prefix}*"),
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.allowed { "may" } else { "may not" };
        write!(
            f,
            "{} {word} {} {}",
            self.user, self.operation, self.resource
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_broker_answers_is_what_was_asked() {
        for operation in Operation::ALL {
            assert_eq!(Operation::of(operation.code()), Some(operation));
            let rights = Rights::of_bits(1 << operation.code());
            assert!(
                Operation::ALL
                    .into_iter()
                    .all(|each| rights.has(each) == (each == operation))
            );
        }
        assert_eq!(Rights::of_bits(i32::MIN), Rights::default());
        for resource in [
            Resource::topic("metrics.acme"),
            Resource::Group(Pattern::Prefix("bongsu-".to_owned())),
            Resource::Cluster,
        ] {
            let (kind, pattern, name) = resource.parts();
            assert_eq!(Resource::of(kind, pattern, name), Some(resource.clone()));
        }
    }
}
