//! Users, access rules and quotas of a Kafka cluster: what a tenant's own way in needs.

mod rules;

pub use rules::{Grant, Operation, Pattern, Quota, Resource, Rights};

use super::config::KafkaConfig;
use super::security::Mechanism;
use super::wire::{Salted, Wire, judged};
use crate::StreamError;
use kafka_protocol::messages::alter_client_quotas_request::{EntityData, EntryData, OpData};
use kafka_protocol::messages::alter_user_scram_credentials_request::{
    ScramCredentialDeletion, ScramCredentialUpsertion,
};
use kafka_protocol::messages::create_acls_request::AclCreation;
use kafka_protocol::messages::delete_acls_request::DeleteAclsFilter;
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::describe_client_quotas_request::ComponentData;
use kafka_protocol::messages::describe_user_scram_credentials_request::UserName;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    AlterClientQuotasRequest, AlterClientQuotasResponse, AlterUserScramCredentialsRequest,
    AlterUserScramCredentialsResponse, ApiKey, CreateAclsRequest, CreateAclsResponse,
    DeleteAclsRequest, DeleteAclsResponse, DeleteTopicsRequest, DeleteTopicsResponse,
    DescribeAclsRequest, DescribeAclsResponse, DescribeClientQuotasRequest,
    DescribeClientQuotasResponse, DescribeClusterRequest, DescribeClusterResponse,
    DescribeGroupsRequest, DescribeGroupsResponse, DescribeUserScramCredentialsRequest,
    DescribeUserScramCredentialsResponse, FindCoordinatorRequest, FindCoordinatorResponse, GroupId,
    MetadataRequest, MetadataResponse, TopicName as WireTopic,
};
use kafka_protocol::protocol::StrBytes;
use model::TopicName;
use runtime::Secret;

const USER: &str = "user";
const PRODUCER_RATE: &str = "producer_byte_rate";
/// Every host; Kafka's rules may name one, ours do not.
const ANY_HOST: &str = "*";
/// A filter's "any" of kinds, patterns, operations and permissions.
const ANY: i8 = 1;
const DENY: i8 = 2;
const ALLOW: i8 = 3;
/// `UNKNOWN_TOPIC_OR_PARTITION`
const UNKNOWN_TOPIC: i16 = 3;
/// `RESOURCE_NOT_FOUND`: there is no such user.
const NOT_FOUND: i16 = 91;
const DELETE_WITHIN_MS: i32 = 10_000;

/// A connection to a cluster for its users, access rules and quotas.
pub struct Access {
    config: KafkaConfig,
    wire: Wire,
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn principal(user: &str) -> StrBytes {
    StrBytes::from_string(format!("User:{user}"))
}

fn number(mechanism: Mechanism) -> i8 {
    match mechanism {
        Mechanism::Sha256 => 1,
        Mechanism::Sha512 => 2,
    }
}

impl Access {
    /// Connects and logs in.
    pub async fn connect(config: &KafkaConfig) -> Result<Self, StreamError> {
        Ok(Self {
            wire: Wire::open(config).await?,
            config: config.clone(),
        })
    }

    /// The SCRAM mechanisms that the listener takes.
    pub fn mechanisms(&self) -> &[Mechanism] {
        &self.wire.mechanisms
    }

    /// The mechanisms under which a user has a password; none if there is no such user.
    pub async fn passwords(&mut self, user: &str) -> Result<Vec<Mechanism>, StreamError> {
        let asked = vec![UserName::default().with_name(text(user))];
        let request = DescribeUserScramCredentialsRequest::default().with_users(Some(asked));
        let key = ApiKey::DescribeUserScramCredentials;
        let answer: DescribeUserScramCredentialsResponse = self.wire.call(key, 0, &request).await?;
        judged(
            "reading users",
            answer.error_code,
            answer.error_message.as_ref(),
        )?;
        let mut found = Vec::new();
        for each in answer.results.iter().filter(|each| *each.user == *user) {
            if each.error_code == NOT_FOUND {
                continue;
            }
            let what = format!("reading the user `{user}`");
            judged(what, each.error_code, each.error_message.as_ref())?;
            let all = [Mechanism::Sha256, Mechanism::Sha512].into_iter();
            let has = |each_of: &Mechanism| {
                let mut infos = each.credential_infos.iter();
                infos.any(|info| info.mechanism == number(*each_of))
            };
            found.extend(all.filter(has));
        }
        Ok(found)
    }

    /// Gives a user this password under this mechanism; the one under the other stays.
    pub async fn set_password(
        &mut self,
        user: &str,
        mechanism: Mechanism,
        password: &Secret,
    ) -> Result<(), StreamError> {
        let salted = Salted::of(mechanism, password)?;
        let upsertion = ScramCredentialUpsertion::default()
            .with_name(text(user))
            .with_mechanism(number(mechanism))
            .with_iterations(salted.iterations)
            .with_salt(salted.salt.into())
            .with_salted_password(salted.password.into());
        let request = AlterUserScramCredentialsRequest::default().with_upsertions(vec![upsertion]);
        self.alter_users(user, &request).await
    }

    /// Takes a user's passwords; without any, nobody can log in so.
    pub async fn remove_user(&mut self, user: &str) -> Result<(), StreamError> {
        let deletion = |mechanism| {
            ScramCredentialDeletion::default()
                .with_name(text(user))
                .with_mechanism(number(mechanism))
        };
        // Kafka takes one change of a user in a request.
        for mechanism in self.passwords(user).await? {
            let deletions = vec![deletion(mechanism)];
            let request = AlterUserScramCredentialsRequest::default().with_deletions(deletions);
            self.alter_users(user, &request).await?;
        }
        Ok(())
    }

    async fn alter_users(
        &mut self,
        user: &str,
        request: &AlterUserScramCredentialsRequest,
    ) -> Result<(), StreamError> {
        let key = ApiKey::AlterUserScramCredentials;
        let answer: AlterUserScramCredentialsResponse = self.wire.call(key, 0, request).await?;
        for each in &answer.results {
            let what = format!("changing the user `{user}`");
            judged(what, each.error_code, each.error_message.as_ref())?;
        }
        Ok(())
    }

    /// The access rules of a user, in their order.
    pub async fn grants(&mut self, user: &str) -> Result<Vec<Grant>, StreamError> {
        let request = DescribeAclsRequest::default()
            .with_resource_type_filter(ANY)
            .with_resource_name_filter(None)
            .with_pattern_type_filter(ANY)
            .with_principal_filter(Some(principal(user)))
            .with_host_filter(None)
            .with_operation(ANY)
            .with_permission_type(ANY);
        let answer: DescribeAclsResponse =
            self.wire.call(ApiKey::DescribeAcls, 2, &request).await?;
        let what = "reading access rules";
        judged(what, answer.error_code, answer.error_message.as_ref())?;
        let mut grants = Vec::new();
        for found in &answer.resources {
            let (kind, pattern) = (found.resource_type, found.pattern_type);
            let Some(resource) = Resource::of(kind, pattern, &found.resource_name) else {
                continue;
            };
            for rule in &found.acls {
                if let Some(operation) = Operation::of(rule.operation) {
                    grants.push(Grant {
                        user: user.to_owned(),
                        resource: resource.clone(),
                        operation,
                        allowed: rule.permission_type == ALLOW,
                    });
                }
            }
        }
        grants.sort();
        Ok(grants)
    }

    /// Adds access rules. One that is there stays.
    pub async fn grant(&mut self, grants: &[Grant]) -> Result<(), StreamError> {
        let creation = |grant: &Grant| {
            let (kind, pattern, name) = grant.resource.parts();
            AclCreation::default()
                .with_resource_type(kind)
                .with_resource_pattern_type(pattern)
                .with_resource_name(text(name))
                .with_principal(principal(&grant.user))
                .with_host(StrBytes::from_static_str(ANY_HOST))
                .with_operation(grant.operation.code())
                .with_permission_type(if grant.allowed { ALLOW } else { DENY })
        };
        let creations = grants.iter().map(creation).collect();
        let request = CreateAclsRequest::default().with_creations(creations);
        let answer: CreateAclsResponse = self.wire.call(ApiKey::CreateAcls, 2, &request).await?;
        for (grant, each) in grants.iter().zip(&answer.results) {
            let what = format!("adding the rule `{grant}`");
            judged(what, each.error_code, each.error_message.as_ref())?;
        }
        Ok(())
    }

    /// Takes access rules away. One that is not there is no error.
    pub async fn revoke(&mut self, grants: &[Grant]) -> Result<(), StreamError> {
        let filter = |grant: &Grant| {
            let (kind, pattern, name) = grant.resource.parts();
            DeleteAclsFilter::default()
                .with_resource_type_filter(kind)
                .with_pattern_type_filter(pattern)
                .with_resource_name_filter(Some(text(name)))
                .with_principal_filter(Some(principal(&grant.user)))
                .with_host_filter(None)
                .with_operation(grant.operation.code())
                .with_permission_type(if grant.allowed { ALLOW } else { DENY })
        };
        let filters = grants.iter().map(filter).collect();
        let request = DeleteAclsRequest::default().with_filters(filters);
        let answer: DeleteAclsResponse = self.wire.call(ApiKey::DeleteAcls, 2, &request).await?;
        for (grant, each) in grants.iter().zip(&answer.filter_results) {
            let what = format!("removing the rule `{grant}`");
            judged(what, each.error_code, each.error_message.as_ref())?;
        }
        Ok(())
    }

    /// What a user may send, where something is said.
    pub async fn quota(&mut self, user: &str) -> Result<Option<Quota>, StreamError> {
        let component = ComponentData::default()
            .with_entity_type(StrBytes::from_static_str(USER))
            .with_match_type(0)
            .with_match(Some(text(user)));
        let request = DescribeClientQuotasRequest::default()
            .with_components(vec![component])
            .with_strict(true);
        let key = ApiKey::DescribeClientQuotas;
        let answer: DescribeClientQuotasResponse = self.wire.call(key, 1, &request).await?;
        judged(
            "reading quotas",
            answer.error_code,
            answer.error_message.as_ref(),
        )?;
        let entries = answer.entries.unwrap_or_default();
        let mut values = entries.iter().flat_map(|entry| &entry.values);
        let rate = values.find(|value| *value.key == *PRODUCER_RATE);
        // Quotas are whole numbers of bytes below 2^53, which a float holds.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        Ok(rate.map(|rate| Quota {
            producer_bytes_per_s: rate.value.max(0.0) as u64,
        }))
    }

    /// Says what a user may send, or takes that away.
    pub async fn set_quota(&mut self, user: &str, quota: Option<Quota>) -> Result<(), StreamError> {
        let bytes = quota.map_or(0, |quota| quota.producer_bytes_per_s);
        #[expect(clippy::cast_precision_loss)]
        let operation = OpData::default()
            .with_key(StrBytes::from_static_str(PRODUCER_RATE))
            .with_value(bytes as f64)
            .with_remove(quota.is_none());
        let entity = EntityData::default()
            .with_entity_type(StrBytes::from_static_str(USER))
            .with_entity_name(Some(text(user)));
        let entry = EntryData::default()
            .with_entity(vec![entity])
            .with_ops(vec![operation]);
        let request = AlterClientQuotasRequest::default().with_entries(vec![entry]);
        let key = ApiKey::AlterClientQuotas;
        let answer: AlterClientQuotasResponse = self.wire.call(key, 1, &request).await?;
        for each in &answer.entries {
            let what = format!("changing the quota of `{user}`");
            judged(what, each.error_code, each.error_message.as_ref())?;
        }
        Ok(())
    }

    /// Deletes a topic with what it holds. One that is not there is no error.
    pub async fn delete_topic(&mut self, topic: &TopicName) -> Result<(), StreamError> {
        let state = DeleteTopicState::default().with_name(Some(WireTopic(text(topic.as_str()))));
        let request = DeleteTopicsRequest::default()
            .with_topics(vec![state])
            .with_timeout_ms(DELETE_WITHIN_MS);
        let answer: DeleteTopicsResponse =
            self.wire.call(ApiKey::DeleteTopics, 6, &request).await?;
        for each in answer.responses {
            if each.error_code != UNKNOWN_TOPIC {
                let what = format!("deleting the topic `{topic}`");
                judged(what, each.error_code, each.error_message.as_ref())?;
            }
        }
        Ok(())
    }

    /// What this connection's own user may do with a topic: nothing with one that it may not see. None if the topic is not
    /// there.
    pub async fn rights_on_topic(&mut self, topic: &str) -> Result<Option<Rights>, StreamError> {
        let asked = MetadataRequestTopic::default().with_name(Some(WireTopic(text(topic))));
        let request = MetadataRequest::default()
            .with_topics(Some(vec![asked]))
            .with_allow_auto_topic_creation(false)
            .with_include_topic_authorized_operations(true);
        let answer: MetadataResponse = self.wire.call(ApiKey::Metadata, 9, &request).await?;
        let Some(found) = answer.topics.into_iter().next() else {
            return Ok(None);
        };
        match judged(
            format!("describing the topic `{topic}`"),
            found.error_code,
            None,
        ) {
            Ok(()) => Ok(Some(Rights::of_bits(found.topic_authorized_operations))),
            Err(StreamError::Unauthorized { .. }) => Ok(Some(Rights::default())),
            Err(_) if found.error_code == UNKNOWN_TOPIC => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What this connection's own user may do with a group.
    pub async fn rights_on_group(&mut self, group: &str) -> Result<Rights, StreamError> {
        let request = FindCoordinatorRequest::default().with_coordinator_keys(vec![text(group)]);
        let key = ApiKey::FindCoordinator;
        let answer: FindCoordinatorResponse = self.wire.call(key, 4, &request).await?;
        let Some(coordinator) = answer.coordinators.into_iter().next() else {
            return Ok(Rights::default());
        };
        let what = format!("finding the coordinator of the group `{group}`");
        let told = coordinator.error_message.as_ref();
        match judged(what, coordinator.error_code, told) {
            Err(StreamError::Unauthorized { .. }) => return Ok(Rights::default()),
            other => other?,
        }
        let broker = format!("{}:{}", coordinator.host.as_str(), coordinator.port);
        let mut wire = Wire::connect(&self.config, &broker).await?;
        let request = DescribeGroupsRequest::default()
            .with_groups(vec![GroupId(text(group))])
            .with_include_authorized_operations(true);
        let answer: DescribeGroupsResponse = wire.call(ApiKey::DescribeGroups, 5, &request).await?;
        let first = answer.groups.first();
        Ok(first.map_or_else(Rights::default, |group| {
            Rights::of_bits(group.authorized_operations)
        }))
    }

    /// What this connection's own user may do with the cluster.
    pub async fn rights_on_cluster(&mut self) -> Result<Rights, StreamError> {
        let request =
            DescribeClusterRequest::default().with_include_cluster_authorized_operations(true);
        let answer: DescribeClusterResponse =
            self.wire.call(ApiKey::DescribeCluster, 0, &request).await?;
        let what = "describing the cluster";
        judged(what, answer.error_code, answer.error_message.as_ref())?;
        Ok(Rights::of_bits(answer.cluster_authorized_operations))
    }
}
