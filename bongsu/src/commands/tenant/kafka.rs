//! A tenant's own way into Kafka: a user with a password, the rules that let it write its one topic, and a quota.

use crate::failure::{Exit, Failure, Outcome};
use crate::parts::log_failure;
use crate::settings::Settings;
use crate::tokens;
use model::{TenantId, TopicName};
use runtime::Secret;
use schemas::catalogue::{DEFAULT_CLUSTER, Limits, ScramMechanism, Tenant};
use stream::{Access, Grant, KafkaConfig, Mechanism, Operation, Quota, Resource};

/// Bytes that a line is taken for where a limit counts points: Telegraf's own inputs write 100 to 250.
const LINE_BYTES: u64 = 256;

/// The tenant's user. No tenant's id holds a dot, so that it cannot take the name of a service.
pub(super) fn user_of(tenant: &TenantId) -> String {
    format!("tenant.{tenant}")
}

/// The rules of a tenant: it sees its topic and writes to it, and nothing else.
pub(super) fn grants_of(tenant: &TenantId) -> Vec<Grant> {
    [Operation::Describe, Operation::Write]
        .into_iter()
        .map(|operation| rule(tenant, operation, true))
        .collect()
}

/// The rule by which a suspended tenant is stopped: a denial wins over every grant.
pub(super) fn stop_of(tenant: &TenantId) -> Grant {
    rule(tenant, Operation::Write, false)
}

fn rule(tenant: &TenantId, operation: Operation, allowed: bool) -> Grant {
    Grant {
        user: user_of(tenant),
        resource: Resource::topic(TopicName::metrics(tenant, 1).as_str()),
        operation,
        allowed,
    }
}

/// What the tenant may send to each broker; none where nothing is said.
pub(super) fn quota_of(limits: &Limits) -> Option<Quota> {
    let points = limits
        .points_per_s
        .map(|points| points.saturating_mul(LINE_BYTES));
    let producer_bytes_per_s = limits.bytes_per_s.or(points)?;
    Some(Quota {
        producer_bytes_per_s,
    })
}

pub(super) fn mechanism_of(known: ScramMechanism) -> Mechanism {
    match known {
        ScramMechanism::Sha256 => Mechanism::Sha256,
        ScramMechanism::Sha512 => Mechanism::Sha512,
    }
}

fn remembered(mechanism: Mechanism) -> ScramMechanism {
    match mechanism {
        Mechanism::Sha256 => ScramMechanism::Sha256,
        Mechanism::Sha512 => ScramMechanism::Sha512,
    }
}

/// The cluster that is the tenant's home, as the configuration reaches it; none with the embedded log.
pub(super) fn home<'a>(settings: &'a Settings, tenant: &Tenant) -> Option<&'a KafkaConfig> {
    if tenant.cluster == DEFAULT_CLUSTER {
        settings.kafka.as_ref()
    } else {
        settings.clusters.get(&tenant.cluster)
    }
}

/// A home whose listener wants logins: only there users, rules and quotas mean something.
pub(super) async fn access(settings: &Settings, tenant: &Tenant) -> Outcome<Option<Access>> {
    match home(settings, tenant) {
        Some(kafka) if kafka.security.protocol.has_login() => {
            let access = Access::connect(kafka).await;
            access.map(Some).map_err(|error| log_failure(&error))
        }
        _ => Ok(None),
    }
}

/// What Kafka has of a tenant, and what it lacks.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) passwords: Vec<Mechanism>,
    pub(super) missing: Vec<Grant>,
    pub(super) surplus: Vec<Grant>,
    pub(super) quota: Option<Quota>,
}

impl State {
    pub(super) async fn look(access: &mut Access, tenant: &Tenant) -> Outcome<Self> {
        let (id, user) = (&tenant.tenant, user_of(&tenant.tenant));
        let failed = |error| log_failure(&error);
        let found = access.grants(&user).await.map_err(failed)?;
        let mut wanted = grants_of(id);
        if tenant.suspended {
            wanted.push(stop_of(id));
        }
        let (missing, surplus) = compare(&wanted, &found);
        Ok(Self {
            passwords: access.passwords(&user).await.map_err(failed)?,
            quota: access.quota(&user).await.map_err(failed)?,
            missing,
            surplus,
        })
    }

    /// Brings rules and quota to what the tenant declares.
    pub(super) async fn settle(&self, access: &mut Access, tenant: &Tenant) -> Outcome {
        let failed = |error| log_failure(&error);
        if !self.surplus.is_empty() {
            access.revoke(&self.surplus).await.map_err(failed)?;
        }
        if !self.missing.is_empty() {
            access.grant(&self.missing).await.map_err(failed)?;
        }
        let quota = quota_of(&tenant.limits);
        if quota != self.quota {
            let user = user_of(&tenant.tenant);
            access.set_quota(&user, quota).await.map_err(failed)?;
        }
        Ok(())
    }
}

fn compare(wanted: &[Grant], found: &[Grant]) -> (Vec<Grant>, Vec<Grant>) {
    let without = |all: &[Grant], those: &[Grant]| {
        let left = all.iter().filter(|each| !those.contains(each));
        left.cloned().collect::<Vec<_>>()
    };
    (without(wanted, found), without(found, wanted))
}

/// A password that was made now, and where it is.
#[derive(Debug)]
pub(super) struct Login {
    pub(super) user: String,
    pub(super) mechanism: Mechanism,
    pub(super) password: Secret,
}

/// Gives the tenant a new password. An older one stays under the other mechanism, so that agents can change over; the
/// next rotation replaces that one.
pub(super) async fn new_password(access: &mut Access, tenant: &mut Tenant) -> Outcome<Login> {
    let offered = access.mechanisms().to_vec();
    let mechanism = match tenant.kafka_mechanism.map(mechanism_of) {
        Some(newest) => newest.other(),
        None if offered.contains(&Mechanism::Sha512) => Mechanism::Sha512,
        None => Mechanism::Sha256,
    };
    if !offered.contains(&mechanism) {
        let cause = format!(
            "the brokers' listener has no {mechanism}, under which the next password would be"
        );
        return Err(Failure::new(Exit::Failed, cause).hint(
            "two passwords of a user are valid at once under two mechanisms: \
             sasl.enabled.mechanisms=SCRAM-SHA-256,SCRAM-SHA-512",
        ));
    }
    let user = user_of(&tenant.tenant);
    let password = Secret::new(tokens::random_text()?);
    let set = access.set_password(&user, mechanism, &password).await;
    set.map_err(|error| log_failure(&error))?;
    tenant.kafka_mechanism = Some(remembered(mechanism));
    Ok(Login {
        user,
        mechanism,
        password,
    })
}

/// Takes everything of the tenant out of Kafka but its topic.
pub(super) async fn forget(access: &mut Access, tenant: &TenantId) -> Outcome {
    let user = user_of(tenant);
    let failed = |error| log_failure(&error);
    // The user first: from then on nobody comes in anew.
    access.remove_user(&user).await.map_err(failed)?;
    let grants = access.grants(&user).await.map_err(failed)?;
    if !grants.is_empty() {
        access.revoke(&grants).await.map_err(failed)?;
    }
    if access.quota(&user).await.map_err(failed)?.is_some() {
        access.set_quota(&user, None).await.map_err(failed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_follows_the_limit_that_is_said() {
        let limits = |points_per_s, bytes_per_s| Limits {
            points_per_s,
            bytes_per_s,
            ..Limits::default()
        };
        let bytes = |limits| quota_of(&limits).map(|quota| quota.producer_bytes_per_s);
        assert_eq!(bytes(limits(Some(5_000), None)), Some(1_280_000));
        assert_eq!(bytes(limits(Some(5_000), Some(9))), Some(9));
        assert_eq!(bytes(limits(None, None)), None);
    }

    #[test]
    fn rules_that_a_person_added_are_taken_back() {
        let acme = TenantId::parse("acme").unwrap();
        let other = rule(&TenantId::parse("other").unwrap(), Operation::Read, true);
        let wanted = grants_of(&acme);
        let found = vec![wanted[0].clone(), other.clone()];
        let (missing, surplus) = compare(&wanted, &found);
        assert_eq!((missing, surplus), (vec![wanted[1].clone()], vec![other]));
    }
}
