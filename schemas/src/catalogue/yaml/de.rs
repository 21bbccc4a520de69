//! Reads a located tree into a kind's type; an error knows where it stands.

use super::node::{Body, Key, Node, Place, is_nothing};
use model::did_you_mean;
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use std::fmt;

/// Why a tree does not fit its kind.
#[derive(Debug)]
pub(super) struct Misfit {
    pub(super) place: Option<Place>,
    pub(super) what: String,
    pub(super) hint: Option<String>,
}

impl Misfit {
    fn at(mut self, place: Place) -> Self {
        self.place.get_or_insert(place);
        self
    }
}

impl std::error::Error for Misfit {}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl de::Error for Misfit {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self {
            place: None,
            what: message.to_string(),
            hint: None,
        }
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self {
            hint: Some(suggestion(field, expected)),
            ..Self::custom(format_args!("unknown key `{field}`"))
        }
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self {
            hint: Some(suggestion(variant, expected)),
            ..Self::custom(format_args!("`{variant}` is not known here"))
        }
    }

    fn missing_field(field: &'static str) -> Self {
        Self::custom(format_args!("key `{field}` is missing"))
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::custom(format_args!("{found} where {expected} is wanted"))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::custom(format_args!("{found} where {expected} is wanted"))
    }
}

/// The one word that was meant, or all that there are.
pub(super) fn suggestion(given: &str, known: &[&str]) -> String {
    match did_you_mean(given, known.iter().copied()) {
        Some(word) => format!("did you mean `{word}`?"),
        None => format!("known here: {}", known.join(", ")),
    }
}

impl Node {
    fn unexpected(&self) -> Unexpected<'_> {
        match &self.body {
            Body::Scalar(text, true) if is_nothing(text) => Unexpected::Other("no value"),
            Body::Scalar(text, _) => Unexpected::Str(text),
            Body::List(_) => Unexpected::Other("a list"),
            Body::Map(_) => Unexpected::Other("a map"),
        }
    }

    fn refuse<T>(&self, expected: &dyn de::Expected) -> Result<T, Misfit> {
        Err(<Misfit as de::Error>::invalid_type(self.unexpected(), expected).at(self.place))
    }
}

/// Numbers, by their text.
macro_rules! number {
    ($($method:ident $visit:ident $type:ty),*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
            match &self.body {
                Body::Scalar(text, true) => match text.parse::<$type>() {
                    Ok(number) => visitor.$visit(number).map_err(|e: Misfit| e.at(self.place)),
                    Err(_) => self.refuse(&visitor),
                },
                _ => self.refuse(&visitor),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for &'de Node {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        let place = self.place;
        match &self.body {
            Body::Map(_) => self.deserialize_map(visitor),
            Body::List(_) => self.deserialize_seq(visitor),
            Body::Scalar(text, true) if is_nothing(text) => self.refuse(&visitor),
            Body::Scalar(text, _) => visitor
                .visit_str(text)
                .map_err(|error: Misfit| error.at(place)),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match &self.body {
            Body::Scalar(text, true) if text == "true" => visitor.visit_bool(true),
            Body::Scalar(text, true) if text == "false" => visitor.visit_bool(false),
            _ => self.refuse(&"true or false"),
        }
    }

    number! {
        deserialize_i8 visit_i8 i8, deserialize_i16 visit_i16 i16, deserialize_i32 visit_i32 i32,
        deserialize_i64 visit_i64 i64, deserialize_u8 visit_u8 u8, deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32, deserialize_u64 visit_u64 u64, deserialize_f32 visit_f32 f32,
        deserialize_f64 visit_f64 f64
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match &self.body {
            Body::Scalar(text, true) if is_nothing(text) => self.refuse(&"a text"),
            Body::Scalar(text, _) => visitor
                .visit_str(text)
                .map_err(|error: Misfit| error.at(self.place)),
            _ => self.refuse(&"a text"),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match &self.body {
            Body::Scalar(text, true) if is_nothing(text) => Err(Misfit {
                hint: Some("leave the key out, or give it a value".to_owned()),
                ..<Misfit as de::Error>::custom("a key without a value")
            }
            .at(self.place)),
            _ => visitor.visit_some(self),
        }
        .map_err(|error: Misfit| error.at(self.place))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match &self.body {
            Body::List(items) => visitor
                .visit_seq(Items(items.iter()))
                .map_err(|error: Misfit| error.at(self.place)),
            _ => self.refuse(&"a list"),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match &self.body {
            Body::Map(entries) => visitor
                .visit_map(Entries(entries.iter(), None))
                .map_err(|error: Misfit| error.at(self.place)),
            _ => self.refuse(&"a map of keys and values"),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        match &self.body {
            Body::Scalar(text, _) => visitor
                .visit_enum(Word(text))
                .map_err(|error: Misfit| error.at(self.place)),
            _ => self.refuse(&"a word"),
        }
    }

    forward_to_deserialize_any! {
        i128 u128 char bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any
    }
}

struct Items<'de>(std::slice::Iter<'de, Node>);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Misfit;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Misfit> {
        self.0.next().map(|node| seed.deserialize(node)).transpose()
    }
}

struct Entries<'de>(std::slice::Iter<'de, (Key, Node)>, Option<&'de Node>);

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Misfit> {
        let Some((key, value)) = self.0.next() else {
            return Ok(None);
        };
        self.1 = Some(value);
        seed.deserialize(key.text.as_str().into_deserializer())
            .map_err(|error: Misfit| error.at(key.place))
            .map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Misfit> {
        let node = self
            .1
            .take()
            .ok_or_else(|| <Misfit as de::Error>::custom("a value was asked for before its key"))?;
        seed.deserialize(node).map_err(|error| error.at(node.place))
    }
}

/// A word that stands for a variant.
struct Word<'de>(&'de str);

impl<'de> EnumAccess<'de> for Word<'de> {
    type Error = Misfit;
    type Variant = Unit;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Unit), Misfit> {
        Ok((seed.deserialize(self.0.into_deserializer())?, Unit))
    }
}

struct Unit;

impl<'de> VariantAccess<'de> for Unit {
    type Error = Misfit;

    fn unit_variant(self) -> Result<(), Misfit> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, Misfit> {
        Err(<Misfit as de::Error>::custom("a word cannot hold a value"))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Misfit> {
        Err(<Misfit as de::Error>::custom("a word cannot hold a list"))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Misfit> {
        Err(<Misfit as de::Error>::custom("a word cannot hold a map"))
    }
}
