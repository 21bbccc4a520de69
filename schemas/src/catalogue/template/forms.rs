//! Values that have two forms: a threshold, a text or list of texts.

use super::{Deserialize, Deserializer, OneOrMany, Serialize, Serializer, Span, Threshold, de};
use std::fmt;

impl Serialize for Threshold {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => to.serialize_f64(*number),
            Self::Duration(span) => to.collect_str(span),
        }
    }
}

impl<'de> Deserialize<'de> for Threshold {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ThresholdVisitor)
    }
}

struct ThresholdVisitor;

impl de::Visitor<'_> for ThresholdVisitor {
    type Value = Threshold;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number or a duration such as 4h")
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Threshold, E> {
        if number.is_finite() {
            Ok(Threshold::Number(number))
        } else {
            Err(E::custom("a threshold must be finite"))
        }
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Threshold, E> {
        self.visit_f64(number as f64)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Threshold, E> {
        self.visit_f64(number as f64)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Threshold, E> {
        // A file's numbers come as they are written. `0` is one, not a duration.
        if let Ok(number) = text.parse::<f64>() {
            return self.visit_f64(number);
        }
        Span::parse(text)
            .map(Threshold::Duration)
            .map_err(|_| E::custom(format!("`{text}` is neither a number nor a duration")))
    }
}

impl schemars::JsonSchema for Threshold {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Threshold".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let duration = generator.subschema_for::<super::shape::Duration>();
        schemars::json_schema!({"anyOf": [{"type": "number"}, duration]})
    }
}

impl Serialize for OneOrMany {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::One(value) => to.serialize_str(value),
            Self::Many(values) => values.serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(OneOrManyVisitor)
    }
}

struct OneOrManyVisitor;

impl<'de> de::Visitor<'de> for OneOrManyVisitor {
    type Value = OneOrMany;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a list of texts")
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<OneOrMany, E> {
        Ok(OneOrMany::One(value.to_owned()))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut from: A) -> Result<OneOrMany, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = from.next_element()? {
            values.push(value);
        }
        Ok(OneOrMany::Many(values))
    }
}
