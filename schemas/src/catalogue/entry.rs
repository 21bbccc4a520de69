//! One declaration of the catalogue, of any kind, and where in a file it stands.

use super::{
    Contact, EscalationPolicy, Integration, Override, Placement, Schedule, Shard, Team, Template,
    Tenant,
};
use std::fmt;
use std::str::FromStr;

/// What people declare, one YAML document each.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// A customer.
    Tenant(Box<Tenant>),
    /// An InfluxDB.
    Shard(Shard),
    /// Which shards hold which points.
    Placement(Placement),
    /// A rule.
    Template(Box<Template>),
    /// Other values for a rule.
    Override(Box<Override>),
    /// A person.
    Contact(Box<Contact>),
    /// Who is told, and who is next.
    EscalationPolicy(Box<EscalationPolicy>),
    /// Who is on call when.
    Schedule(Box<Schedule>),
    /// Who belongs together.
    Team(Team),
    /// Another system that sends alerts.
    Integration(Integration),
}

/// The kinds of [`Entry`]. The first key of a document names its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `tenant`
    Tenant,
    /// `shard`
    Shard,
    /// `placement`
    Placement,
    /// `template`
    Template,
    /// `override`
    Override,
    /// `contact`
    Contact,
    /// `escalation_policy`
    EscalationPolicy,
    /// `schedule`
    Schedule,
    /// `team`
    Team,
    /// `integration`
    Integration,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Tenant,
        Self::Shard,
        Self::Placement,
        Self::Template,
        Self::Override,
        Self::Contact,
        Self::EscalationPolicy,
        Self::Schedule,
        Self::Team,
        Self::Integration,
    ];

    /// Its word, which is the first key of its documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Shard => "shard",
            Self::Placement => "placement",
            Self::Template => "template",
            Self::Override => "override",
            Self::Contact => "contact",
            Self::EscalationPolicy => "escalation_policy",
            Self::Schedule => "schedule",
            Self::Team => "team",
            Self::Integration => "integration",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == word)
            .ok_or_else(|| format!("`{word}` is no kind of the catalogue"))
    }
}

impl Entry {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Tenant(_) => Kind::Tenant,
            Self::Shard(_) => Kind::Shard,
            Self::Placement(_) => Kind::Placement,
            Self::Template(_) => Kind::Template,
            Self::Override(_) => Kind::Override,
            Self::Contact(_) => Kind::Contact,
            Self::EscalationPolicy(_) => Kind::EscalationPolicy,
            Self::Schedule(_) => Kind::Schedule,
            Self::Team(_) => Kind::Team,
            Self::Integration(_) => Kind::Integration,
        }
    }

    /// Its name, unique among its kind.
    pub fn name(&self) -> &str {
        match self {
            Self::Tenant(tenant) => tenant.tenant.as_str(),
            Self::Shard(shard) => shard.shard.as_str(),
            Self::Placement(placement) => &placement.placement,
            Self::Template(template) => &template.template,
            Self::Override(each) => &each.override_,
            Self::Contact(contact) => &contact.contact,
            Self::EscalationPolicy(policy) => &policy.escalation_policy,
            Self::Schedule(schedule) => &schedule.schedule,
            Self::Team(team) => &team.team,
            Self::Integration(each) => &each.integration,
        }
    }

    /// Its key in the topic: `kind/name`.
    pub fn key(&self) -> String {
        format!("{}/{}", self.kind(), self.name())
    }
}

/// A value and where it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Located<T> {
    /// The file.
    pub file: String,
    /// Line of the document's first key, from 1.
    pub line: usize,
    /// Column of it, from 1.
    pub column: usize,
    /// The value.
    pub value: T,
    /// Where each key of the document stands.
    pub places: Places,
}

/// Where each key and list element of a document stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Places(pub(super) Vec<(String, usize, usize)>);

impl Places {
    /// Line and column of `path` (as in `steps[0].notify`), or of what is nearest above it.
    pub fn find(&self, path: &str) -> Option<(usize, usize)> {
        let mut path = path;
        loop {
            if let Some((_, line, column)) = self.0.iter().find(|(known, ..)| known == path) {
                return Some((*line, *column));
            }
            path = &path[..path.rfind(['.', '['])?];
        }
    }
}
