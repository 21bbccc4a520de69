//! What evaluation of one tenant reads of the catalogue, under one content hash.

use super::text::{self, shape};
use super::{
    Catalogue, Override, SYSTEM_TENANT, Template, extended_template, shipped_templates,
    system_templates,
};
use model::{Span, TenantId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Everything that evaluation of a tenant reads, as of one revision. Derived, never written by
/// people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// The tenant.
    #[serde(with = "text")]
    #[schemars(with = "shape::PlainId")]
    pub tenant: TenantId,
    /// The revision of the catalogue that made it.
    pub revision: u64,
    /// Content hash: SHA-256 of the canonical JSON of `content`, hexadecimal.
    pub hash: String,
    /// What it holds.
    pub content: BundleContent,
}

/// What a bundle holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BundleContent {
    /// All templates by name, `extends` applied.
    pub templates: Vec<Template>,
    /// The overrides by name that can apply to this tenant.
    pub overrides: Vec<Override>,
    /// Hosts that must report, sorted.
    pub inventory: Vec<String>,
    /// Partitions of the tenant's topic; left out: 1.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub partitions: u32,
    /// How long a partition may be quiet before a tick.
    #[serde(with = "text")]
    #[schemars(with = "shape::Duration")]
    pub tick: Span,
    /// How far a point may lie behind its host's newest one.
    #[serde(with = "text")]
    #[schemars(with = "shape::Duration")]
    pub lateness: Span,
}

impl Bundle {
    /// Puts content under a revision and its hash.
    pub fn new(tenant: TenantId, revision: u64, content: BundleContent) -> Self {
        Self {
            hash: content.hash(),
            tenant,
            revision,
            content,
        }
    }

    /// The bundle of a tenant as the catalogue stands: the shipped templates, replaced by those of
    /// the catalogue that have the same name. None when there is no such tenant. A template whose
    /// base is missing stands as it is written; [`super::check_catalogue`] refuses it.
    pub fn derive(catalogue: &Catalogue, tenant: &TenantId, revision: u64) -> Option<Self> {
        let declared = catalogue.tenants.get(tenant)?;
        let overrides = catalogue.overrides.values();
        let mut inventory = declared.inventory.clone();
        inventory.sort_unstable();
        inventory.dedup();
        let mut templates = effective_templates(catalogue);
        if tenant.as_str() != SYSTEM_TENANT {
            for system in system_templates() {
                if !catalogue.templates.contains_key(&system.template) {
                    templates.remove(&system.template);
                }
            }
        }
        let content = BundleContent {
            templates: templates.into_values().collect(),
            overrides: overrides
                .filter(|o| o.for_.can_apply_to(tenant))
                .map(|o| Override::clone(o))
                .collect(),
            inventory,
            partitions: declared.partitions,
            tick: declared.evaluation.tick,
            lateness: declared.evaluation.lateness,
        };
        Some(Self::new(tenant.clone(), revision, content))
    }

    /// Whether the hash is that of the content.
    pub fn is_intact(&self) -> bool {
        self.hash == self.content.hash()
    }
}

impl BundleContent {
    /// SHA-256 of the canonical JSON: keys sorted, no space, left-out fields absent.
    pub fn hash(&self) -> String {
        // Types of this crate with text keys always become JSON.
        let value = serde_json::to_value(self).unwrap_or_default();
        hex::encode(Sha256::digest(canonical_json(&value)))
    }
}

const fn one() -> u32 {
    1
}

/// As serde asks for it. Bundles from before there was the number keep their hash.
#[allow(clippy::trivially_copy_pass_by_ref)]
const fn is_one(partitions: &u32) -> bool {
    *partitions == 1
}

/// The templates of a catalogue over the shipped ones, those of Bongsu itself included, by name.
pub(super) fn effective_templates(catalogue: &Catalogue) -> BTreeMap<String, Template> {
    let mut written: BTreeMap<String, Template> = shipped_templates()
        .iter()
        .chain(system_templates())
        .map(|template| (template.template.clone(), template.clone()))
        .collect();
    let own = catalogue.templates.iter();
    written.extend(own.map(|(name, template)| (name.clone(), Template::clone(template))));
    written
        .iter()
        .map(|(name, template)| {
            let base = template.extends.as_ref().and_then(|base| written.get(base));
            let whole = base.map_or_else(
                || template.clone(),
                |base| extended_template(template, base),
            );
            (name.clone(), whole)
        })
        .collect()
}

/// JSON whose bytes depend on the value alone, whatever order a map was built in.
fn canonical_json(value: &Value) -> String {
    let mut out = String::new();
    write_canonical(value, &mut out);
    out
}

fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let sorted: BTreeMap<_, _> = map.iter().collect();
            out.push('{');
            for (n, (key, value)) in sorted.into_iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                write_canonical(&Value::from(key.as_str()), out);
                out.push(':');
                write_canonical(value, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (n, item) in items.iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                write_canonical(item, out);
            }
            out.push(']');
        }
        // Writing to a String cannot fail.
        scalar => write!(out, "{scalar}").unwrap_or_default(),
    }
}
