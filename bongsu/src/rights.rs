//! What each service needs of a Kafka with access rules: the least with which it works. docs/security.md shows this table.

use model::{TenantId, TopicName};
use stream::{Grant, Operation, Pattern, Resource};

/// Who is one user of Kafka.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Service {
    /// `bongsu router`
    Router,
    /// `bongsu consumer`
    Consumer,
    /// `bongsu evaluator`
    Evaluator,
    /// `bongsu notifier`
    Notifier,
    /// Commands of operators: `apply`, `tenant`, `doctor` and the others; also `bongsu up`
    Operator,
}

/// One right, and what it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Right {
    pub(crate) resource: Resource,
    pub(crate) operation: Operation,
    pub(crate) why: &'static str,
}

fn tenants() -> Resource {
    Resource::Topic(Pattern::Prefix("metrics.".to_owned()))
}

fn own_topics() -> Resource {
    Resource::Topic(Pattern::Prefix("bongsu.".to_owned()))
}

fn handoff() -> Resource {
    Resource::Topic(Pattern::Prefix("bongsu.handoff.".to_owned()))
}

fn named(topic: &TopicName) -> Resource {
    Resource::topic(topic.as_str())
}

fn group(name: &str) -> Resource {
    Resource::Group(Pattern::Named(name.to_owned()))
}

fn own_groups() -> Resource {
    Resource::Group(Pattern::Prefix("bongsu-".to_owned()))
}

impl Service {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Router,
        Self::Consumer,
        Self::Evaluator,
        Self::Notifier,
        Self::Operator,
    ];

    /// Its word on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Router => "router",
            Self::Consumer => "consumer",
            Self::Evaluator => "evaluator",
            Self::Notifier => "notifier",
            Self::Operator => "operator",
        }
    }

    /// Everything that it needs.
    pub(crate) fn rights(self) -> Vec<Right> {
        use Operation::{
            Alter, AlterConfigs, Create, Delete, Describe, DescribeConfigs, Read, Write,
        };
        let mut rights = Vec::new();
        let mut add = |resource: Resource, operations: &[Operation], why| {
            rights.extend(operations.iter().map(|operation| Right {
                resource: resource.clone(),
                operation: *operation,
                why,
            }));
        };
        if self != Self::Operator {
            add(own_topics(), &[Describe], "see which topics there are");
            add(
                named(&TopicName::catalog()),
                &[Read],
                "follow the catalogue",
            );
            // librdkafka asks where a group is that it never joins.
            add(group("bongsu-reader"), &[Describe], "read without a group");
            if !matches!(self, Self::Router | Self::Evaluator) {
                let health =
                    TenantId::parse(crate::health::TENANT).map(|id| TopicName::metrics(&id, 1));
                if let Ok(topic) = health {
                    add(named(&topic), &[Write], "write its own health");
                }
            }
        }
        match self {
            Self::Router => add(tenants(), &[Write], "append what agents send"),
            Self::Consumer => {
                add(tenants(), &[Read], "read points");
                let why = "know how long its records are kept";
                add(tenants(), &[DescribeConfigs], why);
                add(
                    group("bongsu-consumer"),
                    &[Read],
                    "share partitions and commit",
                );
                add(
                    named(&TopicName::deadletter()),
                    &[Write],
                    "keep what cannot be stored",
                );
                let why = "keep what waits for a shard that is gone";
                add(handoff(), &[Read, Write, Create], why);
                add(
                    group("bongsu-consumer-handoff"),
                    &[Read],
                    "share what waits when the shard is back",
                );
            }
            Self::Evaluator => {
                add(
                    tenants(),
                    &[Read, Write],
                    "read points; write ticks into silence",
                );
                add(
                    group("bongsu-evaluator"),
                    &[Read],
                    "share partitions and commit",
                );
                add(
                    named(&TopicName::evaluator_state()),
                    &[Read, Write],
                    "keep its state",
                );
                add(named(&TopicName::alerts()), &[Write], "say what it found");
            }
            Self::Notifier => {
                add(named(&TopicName::alerts()), &[Read], "read alert events");
                let health = TenantId::parse(crate::health::TENANT);
                if let Ok(tenant) = health {
                    let why = "hear whether the other services live";
                    add(named(&TopicName::metrics(&tenant, 1)), &[Read], why);
                }
                add(
                    group("bongsu-notifier"),
                    &[Read],
                    "share partitions and commit",
                );
                add(
                    tenants(),
                    &[Describe],
                    "see which partitions must be evaluated",
                );
            }
            Self::Operator => {
                add(
                    own_topics(),
                    &[Create, Read, Write],
                    "make Bongsu's topics; write the catalogue",
                );
                add(
                    tenants(),
                    &[Create, Delete, Read, Write],
                    "make and remove tenants; `tap`, `dlq replay`",
                );
                for topics in [own_topics(), tenants()] {
                    add(topics, &[DescribeConfigs], "judge the settings of topics");
                }
                add(own_groups(), &[Describe], "say how far services are");
                // Kafka lets who may alter also describe.
                let why = "users, access rules and quotas of tenants";
                add(Resource::Cluster, &[Alter, AlterConfigs], why);
            }
        }
        rights
    }

    /// The same as access rules of a user.
    pub(crate) fn grants(self, user: &str) -> Vec<Grant> {
        let grant = |right: Right| Grant {
            user: user.to_owned(),
            resource: right.resource,
            operation: right.operation,
            allowed: true,
        };
        self.rights().into_iter().map(grant).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    /// The table of the documentation, from the code.
    fn table() -> String {
        let mut text = String::from("| service | on | may | for |\n|---|---|---|---|\n");
        for service in Service::ALL {
            for right in service.rights() {
                let Right {
                    resource,
                    operation,
                    why,
                } = right;
                let name = service.as_str();
                writeln!(text, "| {name} | {resource} | {operation} | {why} |").unwrap();
            }
        }
        text.replace('*', "\\*")
    }

    #[test]
    fn the_documentation_shows_the_rights_that_are_granted() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/security.md");
        let known = std::fs::read_to_string(path).unwrap();
        let (begin, end) = ("<!-- rights -->\n", "<!-- end of rights -->");
        let (before, rest) = known.split_once(begin).unwrap();
        let (_, after) = rest.split_once(end).unwrap();
        let fresh = format!("{before}{begin}{}{end}{after}", table());
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(path, &fresh).unwrap();
            return;
        }
        assert!(
            known == fresh,
            "write it anew: BLESS=1 cargo test -p bongsu --lib rights"
        );
    }

    #[test]
    fn no_service_may_do_what_only_operators_do() {
        for service in Service::ALL {
            let cluster = |right: &Right| right.resource == Resource::Cluster;
            let deletes = |right: &Right| right.operation == Operation::Delete;
            let rights = service.rights();
            let strong = rights.iter().any(|right| cluster(right) || deletes(right));
            assert_eq!(strong, service == Service::Operator, "{service:?}");
        }
    }
}
