//! Values that are written as one word: durations, ids, priorities.

use serde::{Deserialize, Deserializer, Serializer, de};
use std::fmt::Display;
use std::str::FromStr;

/// Writes a value in the form that its `FromStr` reads.
pub(super) fn serialize<T: Display, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(value)
}

/// Reads a value from its text.
pub(super) fn deserialize<'de, T, D>(from: D) -> Result<T, D::Error>
where
    T: FromStr<Err: Display>,
    D: Deserializer<'de>,
{
    String::deserialize(from)?
        .parse()
        .map_err(de::Error::custom)
}

/// The same for a value that may be left out.
pub(super) mod option {
    use super::{Deserializer, Display, FromStr, Serializer};
    use serde::Deserialize;

    /// A value that is read from its text where serde wants a type.
    struct Text<T>(T);

    impl<'de, T: FromStr<Err: Display>> Deserialize<'de> for Text<T> {
        fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            super::deserialize(from).map(Self)
        }
    }

    pub(in super::super) fn serialize<T: Display, S: Serializer>(
        value: &Option<T>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => to.collect_str(value),
            None => to.serialize_none(),
        }
    }

    pub(in super::super) fn deserialize<'de, T, D>(from: D) -> Result<Option<T>, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        Option::<Text<T>>::deserialize(from).map(|text| text.map(|Text(value)| value))
    }
}

/// Gives a type that has `Display` and `FromStr` the same form in serde, and a pattern or a list of
/// words in its JSON Schema.
macro_rules! text_form {
    ($type:ty, $name:literal, $schema:tt) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                $crate::catalogue::text::deserialize(from)
            }
        }

        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!($schema)
            }
        }
    };
}
pub(super) use text_form;

/// Stand-ins that tell the JSON Schema what the words of `model` look like.
pub(super) mod shape {
    macro_rules! shape {
        ($(#[$doc:meta])* $name:ident, $schema:tt) => {
            $(#[$doc])*
            pub(in super::super) struct $name;

            impl schemars::JsonSchema for $name {
                fn schema_name() -> std::borrow::Cow<'static, str> {
                    stringify!($name).into()
                }

                fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                    schemars::json_schema!($schema)
                }
            }
        };
    }

    shape!(
        /// A length of time.
        Duration,
        {
            "type": "string",
            "pattern": "^(0|([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?)$",
            "minLength": 1,
            "description": "a length of time, such as 250ms, 90s, 5m, 1h30m or 7d"
        }
    );
    shape!(
        /// The id of a tenant or shard.
        PlainId,
        {
            "type": "string",
            "pattern": "^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$"
        }
    );
    shape!(
        /// One of the three priorities.
        Priority,
        {"enum": ["P1", "P2", "P3"]}
    );
}
