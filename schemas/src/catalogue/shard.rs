//! `shard:` and `placement:` — where points are stored, from when on.

use super::text::{self, shape, text_form};
use model::{ShardId, TenantId, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// One InfluxDB. The bucket of a tenant in it has the tenant's id as name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Shard {
    /// Its id.
    #[serde(with = "text")]
    #[schemars(with = "shape::PlainId")]
    pub shard: ShardId,
    /// `http://host:8086`, or `embedded` for the store of `bongsu up`.
    pub url: String,
    /// The organization that holds the buckets.
    #[serde(default = "bongsu")]
    pub org: String,
    /// File that holds the token with which the consumer writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    /// Whether a missing bucket is made.
    #[serde(default = "yes")]
    pub create_buckets: bool,
    /// Its failure domain, such as a rack or a zone: replicas of a point go to different ones. A
    /// shard without one is a domain of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Which InfluxDB it is.
    #[serde(default, skip_serializing_if = "ShardProduct::is_auto")]
    pub product: ShardProduct,
    /// On InfluxDB 3 the database of all its tenants; the others have a bucket or database a tenant.
    #[serde(default = "bongsu", skip_serializing_if = "is_bongsu")]
    pub database: String,
}

/// Which InfluxDB a shard is: it decides how points are written and what an answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ShardProduct {
    /// What it says that it is, asked when it is first used.
    #[default]
    Auto,
    /// InfluxDB 1.
    V1,
    /// InfluxDB 2.
    V2,
    /// InfluxDB 3.
    V3,
}

impl ShardProduct {
    fn is_auto(&self) -> bool {
        *self == Self::Auto
    }
}

/// Which shards hold the points of which time. Exactly one is in force, with the name `default`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Placement {
    /// Its name: `default`.
    pub placement: String,
    /// How many shards hold the points of one tenant.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 64))]
    pub shards_per_tenant: u32,
    /// On how many shards each point is.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    #[schemars(range(min = 1, max = 8))]
    pub replicas: u32,
    /// Spans of event time, each up to the next; the first begins at the beginning.
    #[schemars(length(min = 1))]
    pub epochs: Vec<Epoch>,
}

/// The shards of one span of event time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Epoch {
    /// From when on, by the points' own time.
    pub from: EpochStart,
    /// Shards and their weights.
    #[schemars(with = "BTreeMap<String, f64>")]
    #[serde(with = "by_shard")]
    pub shards: BTreeMap<ShardId, f64>,
    /// Tenants that have shards of their own.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        with = "by_tenant"
    )]
    #[schemars(with = "BTreeMap<String, Vec<String>>")]
    pub tenants: BTreeMap<TenantId, Vec<ShardId>>,
    /// Another number of shards a tenant from here on: what is stored stays where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 64))]
    pub shards_per_tenant: Option<u32>,
    /// Another number of replicas from here on: what is stored has as many as it had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 8))]
    pub replicas: Option<u32>,
}

/// When an epoch begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EpochStart {
    /// Before all time.
    Beginning,
    /// At that instant.
    At(Timestamp),
}

text_form!(EpochStart, "EpochStart", {
    "anyOf": [{"const": "beginning"}, {"type": "string", "format": "date-time"}]
});

impl fmt::Display for EpochStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Beginning => f.write_str("beginning"),
            Self::At(at) => {
                let at = jiff::Timestamp::from_nanosecond(at.as_nanos().into())
                    .map_err(|_| fmt::Error)?;
                fmt::Display::fmt(&at, f)
            }
        }
    }
}

impl FromStr for EpochStart {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "beginning" {
            return Ok(Self::Beginning);
        }
        text.parse::<jiff::Timestamp>()
            .ok()
            .and_then(|at| i64::try_from(at.as_nanosecond()).ok())
            .map(|nanos| Self::At(Timestamp::from_nanos(nanos)))
            .ok_or_else(|| {
                format!(
                    "`{text}` is no time: write `beginning` or a time such as 2026-01-31T00:00:00Z"
                )
            })
    }
}

/// Maps whose keys are checked names.
macro_rules! by_id {
    ($module:ident, $id:ty, $wire:ty, $value:ty, $read:expr, $write:expr) => {
        mod $module {
            use super::*;
            use serde::{Deserializer, Serializer, de};

            pub(super) fn serialize<S: Serializer>(
                map: &BTreeMap<$id, $value>,
                to: S,
            ) -> Result<S::Ok, S::Error> {
                to.collect_map(map.iter().map(|(id, value)| (id.as_str(), $write(value))))
            }

            pub(super) fn deserialize<'de, D: Deserializer<'de>>(
                from: D,
            ) -> Result<BTreeMap<$id, $value>, D::Error> {
                BTreeMap::<String, $wire>::deserialize(from)?
                    .into_iter()
                    .map(|(id, value)| {
                        Ok((<$id>::parse(&id).map_err(de::Error::custom)?, $read(value)?))
                    })
                    .collect()
            }
        }
    };
}

by_id!(by_shard, ShardId, f64, f64, Ok, |weight: &f64| *weight);
by_id!(
    by_tenant,
    TenantId,
    Vec<String>,
    Vec<ShardId>,
    |names: Vec<String>| names
        .iter()
        .map(|name| ShardId::parse(name).map_err(de::Error::custom))
        .collect::<Result<_, _>>(),
    |shards: &Vec<ShardId>| shards
        .iter()
        .map(|shard| shard.as_str().to_owned())
        .collect::<Vec<_>>()
);

fn bongsu() -> String {
    "bongsu".to_owned()
}

fn is_bongsu(name: &str) -> bool {
    name == "bongsu"
}

const fn yes() -> bool {
    true
}

const fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
const fn is_one(n: &u32) -> bool {
    *n == 1
}
