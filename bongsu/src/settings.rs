//! The whole configuration of the program, one section a service, and how it is read.

use crate::cli::Global;
use crate::failure::{Exit, Failure, Outcome};
use runtime::config::Layers;
use runtime::telemetry::LogFormat;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use stream::KafkaConfig;

/// The configuration file, `bongsu.yaml`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Where the embedded parts keep everything; `$XDG_DATA_HOME/bongsu` when left out.
    pub(crate) data_dir: Option<PathBuf>,
    /// How this process logs.
    pub(crate) log: Log,
    /// The Kafka cluster. Without one the embedded log is used, by `up` only.
    pub(crate) kafka: Option<KafkaConfig>,
    /// More Kafka clusters by name, for tenants whose home they are; the one of `kafka` is `default`.
    pub(crate) clusters: BTreeMap<String, KafkaConfig>,
    /// Points of this process's own health.
    pub(crate) health: crate::health::Health,
    /// The router.
    pub(crate) router: router::Config,
    /// The consumer.
    pub(crate) consumer: consumer::Config,
    /// The evaluator.
    pub(crate) evaluator: evaluator::Config,
    /// The notifier.
    pub(crate) notifier: notifier::Config,
}

/// How this process logs.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Log {
    /// `auto` (text on a terminal, else JSON), `text` or `json`.
    pub(crate) format: LogFormat,
    /// Which lines, for example `info` or `info,router=debug`.
    pub(crate) filter: String,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            format: LogFormat::Auto,
            filter: "info".to_owned(),
        }
    }
}

impl Settings {
    /// Reads flags over environment over file.
    pub(crate) fn load(layers: &Layers) -> Outcome<Self> {
        layers.read().map_err(|error| {
            Failure::from_error(Exit::Usage, &error)
                .hint("without it, `bongsu config show` lists every key")
        })
    }

    /// Checks of every service what its types do not.
    pub(crate) fn check(&self) -> Outcome {
        let refused = |cause: String| Failure::new(Exit::Usage, cause);
        let of = |section: &str, cause: String| {
            refused(format!("configuration section `{section}`: {cause}"))
        };
        self.router
            .check()
            .map_err(|error| refused(error.to_string()))?;
        self.consumer
            .check()
            .map_err(|cause| of("consumer", cause))?;
        self.evaluator
            .check()
            .map_err(|error| refused(error.to_string()))?;
        self.notifier.check().map_err(|cause| of("notifier", cause))
    }
}

/// Every leaf of the tree with the path of its key.
pub(crate) fn flatten(tree: &Value, path: &str, into: &mut Vec<(String, Value)>) {
    match tree {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                let below = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                flatten(value, &below, into);
            }
        }
        leaf => into.push((path.to_owned(), leaf.clone())),
    }
}

/// The layers that every command has: file, environment, global flags.
pub(crate) fn layers(global: &Global) -> Outcome<Layers> {
    layers_over(Layers::new(), global)
}

/// The same over other defaults than the services' own.
pub(crate) fn layers_over(mut layers: Layers, global: &Global) -> Outcome<Layers> {
    if let Some(path) = &global.config {
        layers = layers
            .file(path)
            .map_err(|error| Failure::from_error(Exit::Usage, &error))?;
    }
    layers = layers.env(std::env::vars());
    if let Some(filter) = &global.log {
        layers = layers.with("log.filter", filter.as_str(), "--log");
    }
    if let Some(dir) = &global.data_dir {
        layers = layers.with("data_dir", dir.display().to_string(), "--data-dir");
    }
    if !global.kafka.is_empty() {
        layers = layers.with("kafka.brokers", global.kafka.clone(), "--kafka");
    }
    Ok(layers)
}

/// Where the embedded parts keep everything when nothing is said: below the user's data folder.
pub(crate) fn default_data_dir(name: &str) -> PathBuf {
    let below_home = || std::env::home_dir().map(|home| home.join(".local/share"));
    std::env::var_os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(below_home)
        .unwrap_or_else(|| PathBuf::from("."))
        .join(name)
}

#[cfg(test)]
mod mutated;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_key_is_refused_by_name() {
        let layers = Layers::new().with("router.lisen", "127.0.0.1:1", "--test");
        let failure = Settings::load(&layers).unwrap_err();
        assert!(failure.cause.contains("router.lisen"), "{}", failure.cause);
        assert_eq!(failure.exit, Exit::Usage);
    }

    #[test]
    fn every_leaf_has_the_path_of_its_key() {
        let tree = serde_json::json!({"kafka": {"brokers": ["a:1"]}, "name": null});
        let mut keys = Vec::new();
        flatten(&tree, "", &mut keys);
        assert_eq!(
            keys,
            [
                ("kafka.brokers".to_owned(), serde_json::json!(["a:1"])),
                ("name".to_owned(), Value::Null)
            ]
        );
    }

    #[test]
    fn a_slip_of_any_key_is_told_with_what_was_meant() {
        let tree = serde_json::to_value(Settings::load(&Layers::new()).unwrap()).unwrap();
        let mut keys = Vec::new();
        flatten(&tree, "", &mut keys);
        assert!(keys.len() > 80, "{}", keys.len());
        for (key, _) in keys {
            let last = key.chars().last().unwrap();
            let layers = Layers::new().with(&format!("{key}{last}"), 1, "--test");
            let failure = Settings::load(&layers).unwrap_err();
            let told = failure.cause.rsplit_once("did you mean `");
            assert!(told.is_some(), "{key}: {}", failure.cause);
        }
    }

    #[test]
    fn the_defaults_are_complete() {
        let settings = Settings::load(&Layers::new()).unwrap();
        assert!(settings.kafka.is_none());
        assert_eq!(settings.log.filter, "info");
    }
}
