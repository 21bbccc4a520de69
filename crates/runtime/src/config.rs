//! Configuration: flags over environment over file over defaults, each value with its origin.
//!
//! The layers are merged as a tree of values and read once into the program's own structs, which refuse
//! unknown keys. `BONGSU_KAFKA__BROKERS=a,b` is the key `kafka.brokers`: two underscores go one level down.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What the environment's names start with.
pub const ENV_PREFIX: &str = "BONGSU_";

/// Variables with the prefix that are not configuration, such as the file's own path.
const NOT_KEYS: [&str; 3] = ["BONGSU_CONFIG", "BONGSU_LOG", "BONGSU_LANG"];

/// Layers of configuration; a later one wins key by key.
#[derive(Debug, Clone, Default)]
pub struct Layers {
    tree: Map<String, Value>,
    origins: BTreeMap<String, String>,
}

/// Why the configuration was refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no YAML mapping.
    #[error("{}: {reason}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What is wrong and where.
        reason: String,
    },
    /// A value does not fit.
    #[error("configuration key `{key}` (from {origin}): {reason}")]
    Value {
        /// Path of the key, with dots.
        key: String,
        /// Where its value came from.
        origin: String,
        /// What is wrong.
        reason: String,
    },
}

impl Layers {
    /// No layer yet: every key has its default.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a YAML file.
    pub fn file(self, path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        self.text(path, &text)
    }

    /// Adds the text of a YAML file; `path` is what origins and errors call it.
    pub fn text(mut self, path: &Path, text: &str) -> Result<Self, ConfigError> {
        let syntax = |reason: String| ConfigError::Syntax {
            path: path.to_owned(),
            reason,
        };
        let value: Option<Value> =
            serde_saphyr::from_str(text).map_err(|error| syntax(error.to_string()))?;
        match value {
            None | Some(Value::Null) => Ok(self),
            Some(Value::Object(map)) => {
                let (lines, path) = (lines::lines_of(text), path.display());
                self.merge(map, &|key| match lines.get(key) {
                    Some(line) => format!("{path}:{line}"),
                    None => path.to_string(),
                });
                Ok(self)
            }
            Some(_) => Err(syntax(
                "the file must be a mapping of keys to values".to_owned(),
            )),
        }
    }

    /// Adds the variables that start with `BONGSU_`. Their values are text; numbers, booleans and
    /// lists (in brackets or separated by commas) are read when the key wants them.
    pub fn env(mut self, vars: impl IntoIterator<Item = (String, String)>) -> Self {
        for (name, text) in vars {
            if NOT_KEYS.contains(&name.as_str()) {
                continue;
            }
            if let Some(rest) = name.strip_prefix(ENV_PREFIX) {
                let key = rest.to_ascii_lowercase().replace("__", ".");
                self.set(&key, Value::String(text), &format!("environment {name}"));
            }
        }
        self
    }

    /// Adds one value, as a flag does.
    pub fn with(mut self, key: &str, value: impl Into<Value>, origin: &str) -> Self {
        self.set(key, value.into(), origin);
        self
    }

    fn set(&mut self, key: &str, value: Value, origin: &str) {
        let nested = key.rsplit('.').fold(value, |inner, part| {
            Value::Object(Map::from_iter([(part.to_owned(), inner)]))
        });
        if let Value::Object(map) = nested {
            self.merge(map, &|_| origin.to_owned());
        }
    }

    /// `origin` tells where the key of a path was set.
    fn merge(&mut self, map: Map<String, Value>, origin: &dyn Fn(&str) -> String) {
        merge_into(&mut self.tree, map, "", origin, &mut self.origins);
    }

    /// Where a key's value came from.
    pub fn origin(&self, key: &str) -> &str {
        // An error may name an element below the key that was set, or one above.
        let mut prefix = key;
        loop {
            if let Some(origin) = self.origins.get(prefix) {
                return origin;
            }
            match prefix.rfind(['.', '[']) {
                Some(at) => prefix = &prefix[..at],
                None => break,
            }
        }
        // A whole section that nobody knows: its first key tells where it stands.
        let below = format!("{key}.");
        let mut under = self.origins.range(below.clone()..);
        let under = under.next().filter(|(path, _)| path.starts_with(&below));
        under.map_or("defaults", |(_, origin)| origin)
    }

    /// Every key that was set, with its origin.
    pub fn origins(&self) -> &BTreeMap<String, String> {
        &self.origins
    }

    /// Reads the tree into a struct. The struct should deny unknown fields and default missing ones.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        let tree = Value::Object(self.tree.clone());
        serde_path_to_error::deserialize(lenient::Lenient(tree)).map_err(|error| {
            let key = error.path().to_string();
            let inner = error.into_inner().to_string();
            // serde names an unknown key in its message, but the path ends at its parent.
            let key = match inner
                .strip_prefix("unknown field `")
                .and_then(|rest| rest.split('`').next())
            {
                Some(field) if key == "." => field.to_owned(),
                Some(field) if !key.ends_with(field) => format!("{key}.{field}"),
                _ => key,
            };
            ConfigError::Value {
                origin: self.origin(&key).to_owned(),
                reason: match meant(&inner) {
                    Some(word) => format!("{inner}; did you mean `{word}`?"),
                    None => inner,
                },
                key,
            }
        })
    }
}

/// The known word that an unknown one is a slip of, from what serde says of it: `unknown field `x`, expected one of `a`, `b``.
fn meant(refused: &str) -> Option<&str> {
    let mut words = refused.split('`').skip(1).step_by(2);
    let given = words
        .next()
        .filter(|_| refused.starts_with("unknown field") || refused.starts_with("unknown variant"));
    model::did_you_mean(given?, words)
}

fn merge_into(
    tree: &mut Map<String, Value>,
    from: Map<String, Value>,
    above: &str,
    origin: &dyn Fn(&str) -> String,
    origins: &mut BTreeMap<String, String>,
) {
    for (key, value) in from {
        let path = if above.is_empty() {
            key.clone()
        } else {
            format!("{above}.{key}")
        };
        match (tree.get_mut(&key), value) {
            (Some(Value::Object(old)), Value::Object(new)) => {
                merge_into(old, new, &path, origin, origins)
            }
            (_, Value::Object(new)) => {
                let mut fresh = Map::new();
                merge_into(&mut fresh, new, &path, origin, origins);
                tree.insert(key, Value::Object(fresh));
            }
            (_, value) => {
                let from = origin(&path);
                origins.insert(path, from);
                tree.insert(key, value);
            }
        }
    }
}

#[path = "config_lenient.rs"]
mod lenient;
#[path = "config_lines.rs"]
mod lines;

/// Reads and writes a [`model::Span`] as `90s` or `1h30m`: `#[serde(with = "runtime::config::span")]`.
pub mod span {
    use model::Span;
    use serde::{Deserialize, Deserializer, Serializer, de};

    /// Writes the span as text.
    pub fn serialize<S: Serializer>(span: &Span, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(span)
    }

    /// Reads the span from text.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Span, D::Error> {
        Span::parse(&String::deserialize(from)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields, default)]
    struct Kafka {
        brokers: Vec<String>,
        timeout_ms: u64,
        tls: bool,
    }

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields, default)]
    struct Top {
        kafka: Kafka,
        name: Option<String>,
    }

    fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    }

    #[test]
    fn a_flag_wins_over_environment_over_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bongsu.yaml");
        std::fs::write(
            &path,
            "kafka: {brokers: [file:1], timeout_ms: 5}\nname: file\n",
        )
        .unwrap();
        let layers = Layers::new()
            .file(&path)
            .unwrap()
            .env(env(&[
                ("BONGSU_KAFKA__BROKERS", "a:1,b:2"),
                ("BONGSU_KAFKA__TLS", "true"),
                ("HOME", "/"),
            ]))
            .with("name", "flag", "--name");
        let top: Top = layers.read().unwrap();
        assert_eq!(top.kafka.brokers, ["a:1", "b:2"]);
        assert_eq!(
            (top.kafka.timeout_ms, top.kafka.tls, top.name.as_deref()),
            (5, true, Some("flag"))
        );
        assert_eq!(
            layers.origin("kafka.brokers"),
            "environment BONGSU_KAFKA__BROKERS"
        );
        assert!(layers.origin("kafka.timeout_ms").ends_with("bongsu.yaml:1"));
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_origin() {
        let error = Layers::new()
            .env(env(&[("BONGSU_KAFKA__BROKER", "a:1")]))
            .read::<Top>()
            .unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("kafka.broker") && text.contains("BONGSU_KAFKA__BROKER"),
            "{text}"
        );
    }

    #[test]
    fn a_value_that_does_not_fit_names_its_key() {
        let error = Layers::new()
            .env(env(&[("BONGSU_KAFKA__TIMEOUT_MS", "soon")]))
            .read::<Top>()
            .unwrap_err();
        assert!(
            error
                .to_string()
                .contains("`kafka.timeout_ms` (from environment"),
            "{error}"
        );
    }
}
