//! JSON Schemas of the kinds, for editors and for `bongsu schema`.

use super::{
    Contact, EscalationPolicy, Integration, Kind, Override, Placement, Schedule, Shard, Team,
    Template, Tenant,
};
use serde_json::Value;

/// The JSON Schema (draft 2020-12) of one kind's documents.
pub fn json_schema(kind: Kind) -> Value {
    match kind {
        Kind::Tenant => schemars::schema_for!(Tenant),
        Kind::Shard => schemars::schema_for!(Shard),
        Kind::Placement => schemars::schema_for!(Placement),
        Kind::Template => schemars::schema_for!(Template),
        Kind::Override => schemars::schema_for!(Override),
        Kind::Contact => schemars::schema_for!(Contact),
        Kind::EscalationPolicy => schemars::schema_for!(EscalationPolicy),
        Kind::Schedule => schemars::schema_for!(Schedule),
        Kind::Team => schemars::schema_for!(Team),
        Kind::Integration => schemars::schema_for!(Integration),
    }
    .to_value()
}

/// The JSON Schema of every kind.
pub fn all_json_schemas() -> Vec<(Kind, Value)> {
    Kind::ALL
        .into_iter()
        .map(|kind| (kind, json_schema(kind)))
        .collect()
}
