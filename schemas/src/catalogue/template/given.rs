//! `given:` of a template's test: phrases for the value of the check, or named series.

use super::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::collections::BTreeMap;
use std::fmt;

/// The key that names a series; the others are its fields.
const SERIES: &str = "series";

/// What a test sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given {
    /// Values that the check has, as in `95 for 11m, then 40 for 10m`.
    Check(String),
    /// Points of these series; the check and its conditions read them.
    Series(Vec<GivenSeries>),
}

/// The points of one series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenSeries {
    /// Measurement and tags as in line protocol, such as `disk,path=/data,mode=ro`. Left out: the
    /// measurement of the template with the tags that it asks for. `host` and `env` are added.
    pub series: Option<String>,
    /// Phrases by field.
    pub fields: BTreeMap<String, String>,
}

impl Default for Given {
    fn default() -> Self {
        Self::Check(String::new())
    }
}

impl fmt::Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Check(phrases) => f.write_str(phrases),
            Self::Series(series) => {
                for (n, each) in series.iter().enumerate() {
                    f.write_str(if n == 0 { "" } else { "; " })?;
                    f.write_str(each.series.as_deref().unwrap_or("points"))?;
                    for (field, phrases) in &each.fields {
                        write!(f, " {field}: {phrases}")?;
                    }
                }
                Ok(())
            }
        }
    }
}

impl Serialize for Given {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Check(phrases) => to.serialize_str(phrases),
            Self::Series(series) => to.collect_seq(series.iter().map(|each| {
                let name = each.series.iter().map(|name| (SERIES, name));
                let fields = each.fields.iter().map(|(key, text)| (key.as_str(), text));
                name.chain(fields).collect::<BTreeMap<_, _>>()
            })),
        }
    }
}

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(GivenVisitor)
    }
}

struct GivenVisitor;

impl<'de> de::Visitor<'de> for GivenVisitor {
    type Value = Given;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("phrases such as `95 for 11m`, or a list of series")
    }

    fn visit_str<E: de::Error>(self, phrases: &str) -> Result<Given, E> {
        Ok(Given::Check(phrases.to_owned()))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut from: A) -> Result<Given, A::Error> {
        let mut all = Vec::new();
        while let Some(mut fields) = from.next_element::<BTreeMap<String, String>>()? {
            let series = fields.remove(SERIES);
            if fields.is_empty() {
                let what =
                    "a series has fields: `{series: \"cpu,cpu=cpu-total\", usage_idle: 5 for 11m}`";
                return Err(de::Error::custom(what));
            }
            all.push(GivenSeries { series, fields });
        }
        if all.is_empty() {
            return Err(de::Error::custom("at least one series"));
        }
        Ok(Given::Series(all))
    }
}

impl schemars::JsonSchema for Given {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Given".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"anyOf": [
            {"type": "string", "examples": ["95 for 11m, then gap 3m, then 40 for 10m"]},
            {"type": "array", "minItems": 1, "items": {
                "type": "object",
                "description": "`series` (measurement and tags as in line protocol) and phrases by field",
                "additionalProperties": {"type": "string"},
                "minProperties": 1
            }}
        ]})
    }
}
