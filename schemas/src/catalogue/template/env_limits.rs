//! Reads and writes `limit_by_env`.

use super::{BTreeMap, Deserialize, Deserializer, Priority, Serializer, de};

pub(in super::super) fn serialize<S: Serializer>(
    limits: &Option<BTreeMap<String, Priority>>,
    to: S,
) -> Result<S::Ok, S::Error> {
    match limits {
        None => to.serialize_none(),
        Some(limits) => to.collect_map(limits.iter().map(|(env, limit)| (env, limit.as_str()))),
    }
}

pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<BTreeMap<String, Priority>>, D::Error> {
    let Some(limits) = Option::<BTreeMap<String, String>>::deserialize(from)? else {
        return Ok(None);
    };
    limits
        .into_iter()
        .map(|(env, limit)| Ok((env, Priority::parse(&limit).map_err(de::Error::custom)?)))
        .collect::<Result<_, _>>()
        .map(Some)
}
