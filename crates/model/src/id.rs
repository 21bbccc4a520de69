//! Identities. Each is a newtype with one parsing constructor, so that a checked name stays checked.

use crate::{InvalidName, Timestamp};
use std::fmt;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_128;

const ID_RULE: &str = "1 to 40 of a-z, 0-9 and '-', not starting or ending with '-'";

fn is_plain_id(s: &str) -> bool {
    (1..=40).contains(&s.len())
        && s.bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        && !s.starts_with('-')
        && !s.ends_with('-')
}

macro_rules! plain_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks and takes a name: `[a-z0-9-]{1,40}` without a dash at either end.
            pub fn parse(s: &str) -> Result<Self, InvalidName> {
                if is_plain_id(s) {
                    Ok(Self(Arc::from(s)))
                } else {
                    Err(InvalidName::new($kind, s, ID_RULE))
                }
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidName;
            fn from_str(s: &str) -> Result<Self, InvalidName> {
                Self::parse(s)
            }
        }
    };
}

plain_id!(
    /// A customer. It comes from a credential or a topic's name, never from a point's tags.
    TenantId,
    "tenant id"
);
plain_id!(
    /// One InfluxDB that holds a part of the points.
    ShardId,
    "shard id"
);

macro_rules! hash_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; 16]);

        impl $name {
            /// The 16 bytes as they go on a wire.
            pub const fn to_bytes(self) -> [u8; 16] {
                self.0
            }

            /// Takes the 16 bytes of a wire.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// Reads 32 hexadecimal digits.
            pub fn parse(s: &str) -> Result<Self, InvalidName> {
                let mut bytes = [0; 16];
                hex::decode_to_slice(s, &mut bytes)
                    .map_err(|_| InvalidName::new($kind, s, "32 hexadecimal digits"))?;
                Ok(Self(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidName;
            fn from_str(s: &str) -> Result<Self, InvalidName> {
                Self::parse(s)
            }
        }
    };
}

hash_id!(
    /// What an alert is about: hash(tenant, template, sorted group tags).
    Fingerprint,
    "fingerprint"
);
hash_id!(
    /// One incident: hash(fingerprint, clock step, event time of the first firing).
    IncidentId,
    "incident id"
);
hash_id!(
    /// One alert event: hash(incident id, sequence). A repeat has the same id and bytes.
    EventId,
    "event id"
);

/// Bytes for a hash in which no two different lists of parts look alike: each part is preceded by its
/// length as 8 bytes, little-endian.
fn framed<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    for part in parts {
        out.extend_from_slice(&(part.len() as u64).to_le_bytes());
        out.extend_from_slice(part);
    }
    out
}

impl Fingerprint {
    /// The identity of (tenant, template, group). `group` must be sorted by key, as [`crate::AlertEvent`] holds it.
    pub fn of(tenant: &TenantId, template: &str, group: &[(String, String)]) -> Self {
        debug_assert!(group.is_sorted(), "a group is sorted by its keys");
        let head = [tenant.as_str().as_bytes(), template.as_bytes()];
        let tags = group.iter().flat_map(|(k, v)| [k.as_bytes(), v.as_bytes()]);
        Self(xxh3_128(&framed(head.into_iter().chain(tags))).to_be_bytes())
    }
}

impl IncidentId {
    /// The incident that begins for `fingerprint` at `first_firing` under the host's `clock_step`.
    pub fn of(fingerprint: Fingerprint, clock_step: u32, first_firing: Timestamp) -> Self {
        let bytes = framed([
            fingerprint.0.as_slice(),
            clock_step.to_le_bytes().as_slice(),
            first_firing.as_nanos().to_le_bytes().as_slice(),
        ]);
        Self(xxh3_128(&bytes).to_be_bytes())
    }

    /// The event `sequence` (from 1) of this incident.
    pub fn event(self, sequence: u64) -> EventId {
        let bytes = framed([self.0.as_slice(), sequence.to_le_bytes().as_slice()]);
        EventId(xxh3_128(&bytes).to_be_bytes())
    }
}

/// The identity of a series inside a tenant: a hash of measurement and tags that does not depend on
/// the order in which the tags were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeriesKey(u64);

impl SeriesKey {
    /// Takes a hash that the scan in `schemas::line` computed.
    pub const fn from_hash(hash: u64) -> Self {
        Self(hash)
    }

    /// The hash.
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_id_is_plain_or_refused() {
        for good in ["acme", "a", "acme-2", &"a".repeat(40)] {
            assert!(TenantId::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "..",
            "a.b",
            "a_b",
            "Acme",
            "__consumer_offsets",
            "-a",
            "a-",
            "а",
            "аcme",
            "ａcme",
            "acme\u{200b}",
            "acme\n",
            "acme\0",
            "metrics.acme",
            "bongsu.catalog",
            "a/b",
            "a:b",
            "a b",
            &"a".repeat(250),
            &"a".repeat(41),
        ] {
            assert!(TenantId::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn parts_of_a_fingerprint_do_not_run_into_each_other() {
        let acme = TenantId::parse("acme").unwrap();
        let group = |k: &str, v: &str| vec![(k.to_owned(), v.to_owned())];
        assert_ne!(
            Fingerprint::of(&acme, "cpu", &group("host", "ab")),
            Fingerprint::of(&acme, "cpu", &group("hosta", "b")),
        );
    }

    #[test]
    fn ids_are_stable_across_versions() {
        let acme = TenantId::parse("acme").unwrap();
        let fp = Fingerprint::of(&acme, "cpu-usage", &[("host".into(), "web-1".into())]);
        let incident = IncidentId::of(fp, 0, Timestamp::from_nanos(1_700_000_000_000_000_000));
        assert_eq!(
            format!("{fp} {incident} {}", incident.event(1)),
            "351c881cc6ed99e506593b69d7e16a97 a7e00dc69cddd7946ffb7e40c24097c8 \
             ebc61598855709ecdb093779e2c02e1f"
        );
    }
}
