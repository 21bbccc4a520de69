//! What the user of the configuration may do in Kafka, asked of the brokers: each right that a service lacks is a finding.

use super::Finding;
use crate::rights::{Right, Service};
use std::collections::{BTreeMap, BTreeSet};
use stream::{Access, KafkaConfig, Pattern, Resource, Rights, StreamError};

/// The login, as a finding: librdkafka itself only says that no broker answers.
pub(super) async fn login(kafka: &KafkaConfig) -> Result<(Access, Finding), Finding> {
    let who = kafka.security.username.clone().unwrap_or_default();
    match Access::connect(kafka).await {
        Ok(access) => {
            let detail = format!(
                "{} with {}",
                kafka.security.protocol.as_str(),
                kafka.security.mechanism
            );
            Ok((access, Finding::good("login", who, detail)))
        }
        Err(error) => {
            let advice = match error {
                StreamError::Unauthorized { .. } => {
                    "the password_file must hold the password of that user, under that mechanism"
                }
                StreamError::Unusable { .. } => "mend the key that is named",
                _ => "check the address, the protocol of the listener and the ca_file",
            };
            Err(Finding::bad("login", who, error.to_string(), advice))
        }
    }
}

/// Each right of a service that its user lacks.
pub(super) async fn check(
    access: &mut Access,
    user: &str,
    service: Service,
    topics: &BTreeSet<String>,
) -> Vec<Finding> {
    let mut known: BTreeMap<Resource, Option<Rights>> = BTreeMap::new();
    let mut findings = Vec::new();
    let rights = service.rights();
    for right in &rights {
        for asked in instances(&right.resource, topics) {
            if !known.contains_key(&asked) {
                match ask(access, &asked).await {
                    Ok(rights) => drop(known.insert(asked.clone(), rights)),
                    Err(error) => {
                        let advice = "see the check `login`";
                        findings.push(Finding::bad("rights", user, error.to_string(), advice));
                        return findings;
                    }
                }
            }
            let has = known[&asked]
                .as_ref()
                .is_some_and(|has| has.has(right.operation));
            if !has {
                findings.push(lack(user, service, right, &asked));
            }
        }
    }
    if findings.is_empty() {
        let detail = format!(
            "has the {} rights of the {}",
            rights.len(),
            service.as_str()
        );
        findings.push(Finding::good("rights", user, detail));
    }
    findings
}

fn lack(user: &str, service: Service, right: &Right, asked: &Resource) -> Finding {
    let name = service.as_str();
    Finding::bad(
        "rights",
        user,
        format!(
            "may not {} {asked}, which the {name} needs to {}",
            right.operation, right.why
        ),
        format!("`bongsu rights grant {name} --user {user}` as an operator"),
    )
}

/// What can be asked of a broker: names. Topics that the user may not see must be known from elsewhere.
fn instances(resource: &Resource, topics: &BTreeSet<String>) -> Vec<Resource> {
    match resource {
        Resource::Topic(pattern @ Pattern::Prefix(_)) => {
            let names = topics.iter().filter(|name| pattern.covers(name));
            names.map(Resource::topic).collect()
        }
        Resource::Group(Pattern::Prefix(prefix)) => {
            vec![Resource::Group(Pattern::Named(format!("{prefix}consumer")))]
        }
        other => vec![other.clone()],
    }
}

async fn ask(access: &mut Access, resource: &Resource) -> Result<Option<Rights>, StreamError> {
    match resource {
        Resource::Topic(name) => access.rights_on_topic(name.as_str()).await,
        Resource::Group(name) => access.rights_on_group(name.as_str()).await.map(Some),
        Resource::Cluster => access.rights_on_cluster().await.map(Some),
    }
}
