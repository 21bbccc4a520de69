//! `override:` — other values of a template for some tenants, systems, tags or hosts.

use super::template::env_limits;
use super::text::{self, shape};
use super::{Level, OneOrMany, Over, PerPriority, WhenMissing};
use model::{Priority, Span, TenantId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Other values for fields of a template.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// Its name.
    #[serde(rename = "override")]
    pub override_: String,
    /// The template that it changes.
    pub template: String,
    /// What it is for; left out: everything.
    #[serde(default, rename = "for")]
    pub for_: Target,
    /// The new values.
    pub set: Changes,
}

/// What an override is for. All that is said must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// This tenant.
    #[serde(
        default,
        with = "text::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<shape::PlainId>")]
    pub tenant: Option<TenantId>,
    /// Hosts whose tag `os` is that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os: Option<String>,
    /// Points that have these tags.
    #[serde(default, rename = "where", skip_serializing_if = "BTreeMap::is_empty")]
    pub where_: BTreeMap<String, OneOrMany>,
    /// This host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

/// How special an override is: the most special selector that it has. The higher rank wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OverrideRank {
    /// For everything.
    Catalogue,
    /// For an operating system.
    OperatingSystem,
    /// For a tenant.
    Tenant,
    /// For a service or another tag.
    Tag,
    /// For a host.
    Host,
}

impl Override {
    /// How special it is.
    pub fn rank(&self) -> OverrideRank {
        let target = &self.for_;
        if target.host.is_some() {
            OverrideRank::Host
        } else if !target.where_.is_empty() {
            OverrideRank::Tag
        } else if target.tenant.is_some() {
            OverrideRank::Tenant
        } else if target.os.is_some() {
            OverrideRank::OperatingSystem
        } else {
            OverrideRank::Catalogue
        }
    }
}

impl Target {
    /// Whether it can apply to points of that tenant at all.
    pub fn can_apply_to(&self, tenant: &TenantId) -> bool {
        self.tenant.as_ref().is_none_or(|wanted| wanted == tenant)
    }

    /// Whether it applies to points of that tenant with those tags.
    pub fn applies_to(&self, tenant: &TenantId, tags: &[(&str, &str)]) -> bool {
        let tag = |key: &str| tags.iter().find(|(k, _)| *k == key).map(|(_, v)| *v);
        self.can_apply_to(tenant)
            && self.os.as_deref().is_none_or(|os| tag("os") == Some(os))
            && self
                .host
                .as_deref()
                .is_none_or(|host| tag("host") == Some(host))
            && self
                .where_
                .iter()
                .all(|(key, values)| tag(key).is_some_and(|value| values.contains(value)))
    }

    /// Whether no point can be meant by both.
    pub fn excludes(&self, other: &Self) -> bool {
        fn differ<T: PartialEq>(a: &Option<T>, b: &Option<T>) -> bool {
            matches!((a, b), (Some(a), Some(b)) if a != b)
        }
        differ(&self.tenant, &other.tenant)
            || differ(&self.os, &other.os)
            || differ(&self.host, &other.host)
            || self.where_.iter().any(|(key, mine)| {
                let theirs = other.where_.get(key);
                theirs.is_some_and(|theirs| !mine.values().iter().any(|v| theirs.contains(v)))
            })
    }
}

/// New values for a template's evaluation fields; what is left out stays.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Changes {
    /// The check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
    /// The window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<Over>,
    /// The grid.
    #[serde(
        default,
        with = "text::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<shape::Duration>")]
    pub every: Option<Span>,
    /// The expected distance of two samples.
    #[serde(
        default,
        with = "text::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<shape::Duration>")]
    pub interval: Option<Span>,
    /// The condition of a sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only_when: Option<String>,
    /// Fields of rungs; a rung that the template lacks is added.
    #[serde(default, skip_serializing_if = "PerPriority::is_empty")]
    pub levels: PerPriority<Level>,
    /// What missing data means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when_missing: Option<WhenMissing>,
    /// After how long data counts as missing.
    #[serde(
        default,
        with = "text::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<shape::Duration>")]
    pub missing_after: Option<Span>,
    /// After how long an event-like incident closes by itself.
    #[serde(
        default,
        with = "text::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<shape::Duration>")]
    pub close_after: Option<Span>,
    /// After how long without data a group is forgotten.
    #[serde(
        default,
        with = "text::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<shape::Duration>")]
    pub expire_after: Option<Span>,
    /// What the value is held against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compared_to: Option<String>,
    /// The highest priority of each environment, merged environment by environment.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "env_limits")]
    #[schemars(with = "Option<BTreeMap<String, shape::Priority>>")]
    pub limit_by_env: Option<BTreeMap<String, Priority>>,
}
