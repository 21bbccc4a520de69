//! The whole catalogue by kind, and its records in the topic.

use super::{
    Account, Bundle, Contact, Entry, EscalationPolicy, Integration, Kind, Override, Placement,
    Schedule, Shard, Team, Template, Tenant,
};
use model::{ShardId, TenantId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Everything that is declared, and the bundles derived from it. Cheap to clone.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Catalogue {
    /// The highest revision that was read.
    pub revision: u64,
    /// Customers.
    pub tenants: BTreeMap<TenantId, Arc<Tenant>>,
    /// InfluxDBs.
    pub shards: BTreeMap<ShardId, Arc<Shard>>,
    /// Placements by name; `default` is in force.
    pub placements: BTreeMap<String, Arc<Placement>>,
    /// Templates that were declared; the shipped ones are not among them.
    pub templates: BTreeMap<String, Arc<Template>>,
    /// Overrides.
    pub overrides: BTreeMap<String, Arc<Override>>,
    /// People.
    pub contacts: BTreeMap<String, Arc<Contact>>,
    /// Escalation policies.
    pub escalation_policies: BTreeMap<String, Arc<EscalationPolicy>>,
    /// On-call schedules.
    pub schedules: BTreeMap<String, Arc<Schedule>>,
    /// Teams.
    pub teams: BTreeMap<String, Arc<Team>>,
    /// Other systems that send alerts.
    pub integrations: BTreeMap<String, Arc<Integration>>,
    /// Bundles by tenant and revision; some are older than the one in force.
    pub bundles: BTreeMap<TenantId, BTreeMap<u64, Arc<Bundle>>>,
    /// Who wrote what, by revision and part; those of the last weeks.
    pub accounts: BTreeMap<(u64, u32), Arc<Account>>,
}

/// A record's value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Value<T> {
    revision: u64,
    spec: T,
}

/// A record of the topic, read.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// A declaration.
    Entry(Entry),
    /// A derived bundle.
    Bundle(Box<Bundle>),
    /// Who wrote a revision.
    Account(Account),
}

/// Why a record of the topic cannot be read. Nothing of it was applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The key is not `kind/name`.
    #[error("key `{0}` of the catalogue is not `kind/name` of a known kind")]
    Key(String),
    /// The value does not fit its kind.
    #[error("value of `{key}` in the catalogue cannot be read: {reason}")]
    Value {
        /// The record's key.
        key: String,
        /// What is wrong.
        reason: String,
    },
}

/// A record's key, taken apart.
enum Key {
    Entry(Kind, String),
    Bundle(TenantId, u64),
    Account(u64, u32),
}

impl Key {
    fn parse(bytes: &[u8]) -> Result<Self, RecordError> {
        let text = String::from_utf8_lossy(bytes);
        let refuse = || RecordError::Key(text.chars().take(200).collect());
        let (kind, name) = text.split_once('/').ok_or_else(refuse)?;
        if kind == "bundle" {
            let (tenant, revision) = name.split_once('/').ok_or_else(refuse)?;
            let tenant = TenantId::parse(tenant).map_err(|_| refuse())?;
            let revision = revision.parse().map_err(|_| refuse())?;
            return Ok(Self::Bundle(tenant, revision));
        }
        if kind == "account" {
            let (revision, part) = name.split_once('/').ok_or_else(refuse)?;
            let revision = revision.parse().map_err(|_| refuse())?;
            let part = part.parse().map_err(|_| refuse())?;
            return Ok(Self::Account(revision, part));
        }
        let kind = kind.parse().map_err(|_| refuse())?;
        Ok(Self::Entry(kind, name.to_owned()))
    }
}

/// The value of a record: `{"revision": n, "spec": {...}}`.
pub fn encode_value(revision: u64, record: &Record) -> Vec<u8> {
    fn bytes<T: Serialize>(revision: u64, spec: &T) -> Vec<u8> {
        // Types of this crate with text keys always become JSON.
        serde_json::to_vec(&Value { revision, spec }).unwrap_or_default()
    }
    match record {
        Record::Bundle(bundle) => bytes(revision, bundle),
        Record::Account(account) => bytes(revision, account),
        Record::Entry(Entry::Tenant(spec)) => bytes(revision, spec),
        Record::Entry(Entry::Shard(spec)) => bytes(revision, spec),
        Record::Entry(Entry::Placement(spec)) => bytes(revision, spec),
        Record::Entry(Entry::Template(spec)) => bytes(revision, spec),
        Record::Entry(Entry::Override(spec)) => bytes(revision, spec),
        Record::Entry(Entry::Contact(spec)) => bytes(revision, spec),
        Record::Entry(Entry::EscalationPolicy(spec)) => bytes(revision, spec),
        Record::Entry(Entry::Schedule(spec)) => bytes(revision, spec),
        Record::Entry(Entry::Team(spec)) => bytes(revision, spec),
        Record::Entry(Entry::Integration(spec)) => bytes(revision, spec),
    }
}

/// Reads a record's value by its key: the revision that wrote it, and what it holds.
pub fn decode_value(key: &[u8], value: &[u8]) -> Result<(u64, Record), RecordError> {
    let wrong = |reason: String| RecordError::Value {
        key: String::from_utf8_lossy(key).chars().take(200).collect(),
        reason,
    };
    fn read<T: DeserializeOwned>(value: &[u8]) -> Result<(u64, T), String> {
        let value: Value<T> = serde_json::from_slice(value).map_err(|error| error.to_string())?;
        Ok((value.revision, value.spec))
    }
    fn entry<T: DeserializeOwned>(
        value: &[u8],
        wrap: impl FnOnce(T) -> Entry,
    ) -> Result<(u64, Entry), String> {
        read(value).map(|(revision, spec)| (revision, wrap(spec)))
    }
    let (kind, name) = match Key::parse(key)? {
        Key::Bundle(tenant, named) => {
            let (revision, bundle) = read::<Bundle>(value).map_err(wrong)?;
            if bundle.tenant != tenant || bundle.revision != named {
                return Err(wrong("it names another tenant or revision".to_owned()));
            }
            if !bundle.is_intact() {
                return Err(wrong("its hash is not that of its content".to_owned()));
            }
            return Ok((revision, Record::Bundle(Box::new(bundle))));
        }
        Key::Account(of, part) => {
            let (revision, account) = read::<Account>(value).map_err(wrong)?;
            if (account.revision, account.part) != (of, part) {
                return Err(wrong("it is of another revision or part".to_owned()));
            }
            return Ok((revision, Record::Account(account)));
        }
        Key::Entry(kind, name) => (kind, name),
    };
    let (revision, spec) = match kind {
        Kind::Tenant => entry(value, |spec| Entry::Tenant(Box::new(spec))),
        Kind::Shard => entry(value, Entry::Shard),
        Kind::Placement => entry(value, Entry::Placement),
        Kind::Template => entry(value, |spec| Entry::Template(Box::new(spec))),
        Kind::Override => entry(value, |spec| Entry::Override(Box::new(spec))),
        Kind::Contact => entry(value, |spec| Entry::Contact(Box::new(spec))),
        Kind::EscalationPolicy => entry(value, |spec| Entry::EscalationPolicy(Box::new(spec))),
        Kind::Schedule => entry(value, |spec| Entry::Schedule(Box::new(spec))),
        Kind::Team => entry(value, Entry::Team),
        Kind::Integration => entry(value, Entry::Integration),
    }
    .map_err(wrong)?;
    if spec.name() != name {
        return Err(wrong(format!("it names `{}`", spec.name())));
    }
    Ok((revision, Record::Entry(spec)))
}

impl Catalogue {
    /// Applies a record of the topic; no value means that it was deleted.
    pub fn apply_record(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), RecordError> {
        let Some(value) = value else {
            match Key::parse(key)? {
                Key::Entry(kind, name) => self.remove(kind, &name),
                Key::Bundle(tenant, revision) => self.remove_bundle(&tenant, revision),
                Key::Account(revision, part) => drop(self.accounts.remove(&(revision, part))),
            }
            return Ok(());
        };
        let (revision, record) = decode_value(key, value)?;
        self.revision = self.revision.max(revision);
        match record {
            Record::Entry(entry) => self.insert(entry),
            Record::Bundle(bundle) => self.insert_bundle(*bundle),
            Record::Account(account) => {
                let place = (account.revision, account.part);
                self.accounts.insert(place, Arc::new(account));
            }
        }
        Ok(())
    }

    /// A declaration with what commands keep in it, as it stands here, where the declaration does not say it: tokens,
    /// the mechanism of a Kafka password, and that a tenant is suspended.
    #[must_use]
    pub fn with_kept(&self, entry: &Entry) -> Entry {
        match entry {
            Entry::Tenant(spec) => {
                let mut spec = spec.clone();
                if let Some(known) = self.tenants.get(&spec.tenant) {
                    if spec.tokens.is_empty() {
                        spec.tokens.clone_from(&known.tokens);
                    }
                    spec.kafka_mechanism = spec.kafka_mechanism.or(known.kafka_mechanism);
                    spec.suspended |= known.suspended;
                }
                Entry::Tenant(spec)
            }
            Entry::Integration(spec) => {
                let mut spec = spec.clone();
                if let Some(known) = self.integrations.get(&spec.integration)
                    && spec.tokens.is_empty()
                {
                    spec.tokens.clone_from(&known.tokens);
                }
                Entry::Integration(spec)
            }
            other => other.clone(),
        }
    }

    /// Adds a declaration, or replaces the one of the same kind and name.
    pub fn insert(&mut self, entry: Entry) {
        match entry {
            Entry::Tenant(spec) => drop(self.tenants.insert(spec.tenant.clone(), Arc::from(spec))),
            Entry::Shard(spec) => drop(self.shards.insert(spec.shard.clone(), spec.into())),
            Entry::Placement(spec) => {
                drop(self.placements.insert(spec.placement.clone(), spec.into()));
            }
            Entry::Template(spec) => {
                drop(
                    self.templates
                        .insert(spec.template.clone(), Arc::from(spec)),
                );
            }
            Entry::Override(spec) => {
                drop(
                    self.overrides
                        .insert(spec.override_.clone(), Arc::from(spec)),
                );
            }
            Entry::Contact(spec) => {
                drop(self.contacts.insert(spec.contact.clone(), Arc::from(spec)));
            }
            Entry::EscalationPolicy(spec) => {
                let name = spec.escalation_policy.clone();
                drop(self.escalation_policies.insert(name, spec.into()));
            }
            Entry::Schedule(spec) => {
                drop(
                    self.schedules
                        .insert(spec.schedule.clone(), Arc::from(spec)),
                );
            }
            Entry::Team(spec) => drop(self.teams.insert(spec.team.clone(), spec.into())),
            Entry::Integration(spec) => {
                let name = spec.integration.clone();
                drop(self.integrations.insert(name, spec.into()));
            }
        }
    }

    /// Adds a bundle.
    pub fn insert_bundle(&mut self, bundle: Bundle) {
        self.bundles
            .entry(bundle.tenant.clone())
            .or_default()
            .insert(bundle.revision, bundle.into());
    }

    /// Takes a declaration out; a name that is not there changes nothing.
    pub fn remove(&mut self, kind: Kind, name: &str) {
        match kind {
            Kind::Tenant => self.tenants.retain(|id, _| id.as_str() != name),
            Kind::Shard => self.shards.retain(|id, _| id.as_str() != name),
            Kind::Placement => drop(self.placements.remove(name)),
            Kind::Template => drop(self.templates.remove(name)),
            Kind::Override => drop(self.overrides.remove(name)),
            Kind::Contact => drop(self.contacts.remove(name)),
            Kind::EscalationPolicy => drop(self.escalation_policies.remove(name)),
            Kind::Schedule => drop(self.schedules.remove(name)),
            Kind::Team => drop(self.teams.remove(name)),
            Kind::Integration => drop(self.integrations.remove(name)),
        }
    }

    fn remove_bundle(&mut self, tenant: &TenantId, revision: u64) {
        if let Some(bundles) = self.bundles.get_mut(tenant) {
            bundles.remove(&revision);
            if bundles.is_empty() {
                self.bundles.remove(tenant);
            }
        }
    }

    /// The bundle of a tenant with the highest revision.
    pub fn newest_bundle(&self, tenant: &TenantId) -> Option<&Arc<Bundle>> {
        self.bundles.get(tenant)?.values().next_back()
    }

    /// The bundle of a tenant at exactly that revision, if it has that hash.
    pub fn bundle(&self, tenant: &TenantId, revision: u64, hash: &str) -> Option<&Arc<Bundle>> {
        let bundle = self.bundles.get(tenant)?.get(&revision)?;
        (bundle.hash == hash).then_some(bundle)
    }

    /// The placement in force.
    pub fn placement(&self) -> Option<&Arc<Placement>> {
        self.placements.get("default")
    }

    /// The escalation policy of a tenant's incidents.
    pub fn policy_of(&self, tenant: &TenantId) -> Option<&Arc<EscalationPolicy>> {
        let name = &self.tenants.get(tenant)?.escalation_policy;
        self.escalation_policies.get(name)
    }

    /// The declaration of that kind and name.
    pub fn get(&self, kind: Kind, name: &str) -> Option<Entry> {
        match kind {
            Kind::Tenant => {
                let id = TenantId::parse(name).ok()?;
                Some(Entry::Tenant(Box::new(Tenant::clone(
                    self.tenants.get(&id)?,
                ))))
            }
            Kind::Shard => {
                let id = ShardId::parse(name).ok()?;
                Some(Entry::Shard(Shard::clone(self.shards.get(&id)?)))
            }
            Kind::Placement => Some(Entry::Placement(Placement::clone(
                self.placements.get(name)?,
            ))),
            Kind::Template => Some(Entry::Template(Box::new(Template::clone(
                self.templates.get(name)?,
            )))),
            Kind::Override => Some(Entry::Override(Box::new(Override::clone(
                self.overrides.get(name)?,
            )))),
            Kind::Contact => Some(Entry::Contact(Box::new(Contact::clone(
                self.contacts.get(name)?,
            )))),
            Kind::EscalationPolicy => Some(Entry::EscalationPolicy(Box::new(
                EscalationPolicy::clone(self.escalation_policies.get(name)?),
            ))),
            Kind::Schedule => Some(Entry::Schedule(Box::new(Schedule::clone(
                self.schedules.get(name)?,
            )))),
            Kind::Team => Some(Entry::Team(Team::clone(self.teams.get(name)?))),
            Kind::Integration => {
                let found = self.integrations.get(name)?;
                Some(Entry::Integration(Integration::clone(found)))
            }
        }
    }
}
