//! `bongsu config`: what is in force, and where each value comes from.

use crate::cli::{Config, Global, Output};
use crate::failure::{Exit, Failure, Outcome};
use crate::print::{self, Table};
use crate::settings::{self, Settings, flatten};
use serde_json::Value;

pub(super) fn run(global: &Global, command: Config) -> Outcome {
    let layers = settings::layers(global)?;
    let settings = Settings::load(&layers)?;
    match command {
        Config::Check => {
            settings.check()?;
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
            if matches!(global.output, Output::Json | Output::Yaml) && !origin {
                print::value(&tree, global.output);
            } else {
                print::table(&table, global.form());
            }
            Ok(())
        }
    }
}
