//! Which product answers: the meaning of a status differs between them.

use std::fmt;

/// What a shard is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Product {
    /// InfluxDB 1.
    V1 {
        /// The version as it says it.
        version: String,
    },
    /// InfluxDB 2, and whatever speaks like it without saying what it is.
    V2 {
        /// The version as it says it.
        version: String,
    },
    /// InfluxDB 3.
    V3 {
        /// The version as it says it.
        version: String,
    },
    /// The store inside of this process.
    Embedded,
}

/// How a server is spoken to, and what its statuses mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dialect {
    /// InfluxDB 1: a tenant is a database.
    V1,
    /// InfluxDB 2: a tenant is a bucket.
    V2,
    /// InfluxDB 3: a shard is a database, a tenant is a tag in it.
    V3,
}

impl Product {
    /// How it is spoken to.
    pub fn dialect(&self) -> Dialect {
        match self {
            Self::V1 { .. } => Dialect::V1,
            Self::V2 { .. } | Self::Embedded => Dialect::V2,
            Self::V3 { .. } => Dialect::V3,
        }
    }

    /// Reads the headers `X-Influxdb-Version` and `X-Influxdb-Build` of an answer to `/ping`. A
    /// build from source may have no number; then it is taken for version 2, whose write path most
    /// stand-ins speak.
    pub fn from_headers(version: Option<&str>, build: Option<&str>) -> Self {
        let version = version.unwrap_or("unknown").to_owned();
        let number = version.trim_start_matches('v');
        let major = number.split('.').next().unwrap_or_default();
        match (major, build) {
            ("1", _) => Self::V1 { version },
            ("3", _) | (_, Some("Core" | "Enterprise")) if major != "2" => Self::V3 { version },
            _ => Self::V2 { version },
        }
    }
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V1 { version } | Self::V2 { version } | Self::V3 { version } => {
                write!(f, "InfluxDB {}", version.trim_start_matches('v'))
            }
            Self::Embedded => f.write_str("the embedded metrics store"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_product_is_known_by_its_headers() {
        for (version, build, product) in [
            (Some("1.8.10"), Some("OSS"), "v1"),
            (Some("1.11.8"), Some("ENT"), "v1"),
            (Some("2.7.12"), Some("OSS"), "v2"),
            (Some("v2.0.4"), Some("OSS"), "v2"),
            (Some("dev"), Some("OSS"), "v2"),
            (None, None, "v2"),
            (Some("3.4.1"), Some("Core"), "v3"),
            (Some("dev"), Some("Core"), "v3"),
        ] {
            let found = match Product::from_headers(version, build) {
                Product::V1 { .. } => "v1",
                Product::V2 { .. } => "v2",
                Product::V3 { .. } => "v3",
                Product::Embedded => "embedded",
            };
            assert_eq!(found, product, "{version:?} {build:?}");
        }
    }
}
