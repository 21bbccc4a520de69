//! `bongsu config`: what is in force, and where each value comes from.

use crate::cli::{Config, Global, Output};
use crate::failure::{Exit, Failure, Outcome};
use crate::print::{self, Table};
use crate::settings::{self, Settings};
use serde_json::Value;

pub(super) fn run(global: &Global, command: Config) -> Outcome {
    let layers = settings::layers(global)?;
    let settings = Settings::load(&layers)?;
    match command {
        Config::Check => {
            print::message("the configuration is valid");
            Ok(())
        }
        Config::Show { origin } => {
            let tree = serde_json::to_value(&settings)
                .map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
            let mut keys = Vec::new();
            flatten(&tree, "", &mut keys);
            let mut table = if origin {
                Table::new(&["key", "value", "origin"])
            } else {
                Table::new(&["key", "value"])
            };
            for (key, value) in keys {
                let from = Value::from(layers.origin(&key));
                table.row(if origin {
                    vec![key.into(), value, from]
                } else {
                    vec![key.into(), value]
                });
            }
            if global.output == Output::Json && !origin {
                print::text(&format!("{tree:#}\n"));
            } else {
                print::table(&table, global.output);
            }
            Ok(())
        }
    }
}

/// Every leaf of the tree with the path of its key.
fn flatten(tree: &Value, path: &str, into: &mut Vec<(String, Value)>) {
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
