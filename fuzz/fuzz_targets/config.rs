//! What operators write: the configuration file and the catalogue's files.
#![no_main]

use libfuzzer_sys::fuzz_target;
use runtime::config::Layers;
use schemas::catalogue::parse_yaml;
use std::path::Path;

fuzz_target!(|body: &[u8]| {
    let Ok(text) = std::str::from_utf8(body) else {
        return;
    };
    match Layers::new().text(Path::new("bongsu.yaml"), text) {
        // The struct that reads it is each service's own; the tree of values is what every one of them is read from.
        Ok(layers) => drop(layers.read::<serde_json::Value>()),
        Err(refused) => assert!(!refused.to_string().is_empty()),
    }
    if let Err(errors) = parse_yaml("catalogue.yaml", text) {
        assert!(!errors.is_empty());
        for error in errors {
            assert!(error.line >= 1 && error.column >= 1, "no place: {error}");
        }
    }
});
