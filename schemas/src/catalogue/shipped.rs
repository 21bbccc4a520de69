//! The templates that every installation has without declaring them.

use super::{Entry, Template, parse_yaml};
use std::sync::OnceLock;

const FILES: [(&str, &str); 4] = [
    (
        "cpu-usage.yaml",
        include_str!("../../../templates/cpu-usage.yaml"),
    ),
    (
        "disk-usage.yaml",
        include_str!("../../../templates/disk-usage.yaml"),
    ),
    (
        "host-down.yaml",
        include_str!("../../../templates/host-down.yaml"),
    ),
    (
        "memory-usage.yaml",
        include_str!("../../../templates/memory-usage.yaml"),
    ),
];

/// The shipped templates. A template of the catalogue with the same name replaces one.
pub fn shipped_templates() -> &'static [Template] {
    static TEMPLATES: OnceLock<Vec<Template>> = OnceLock::new();
    TEMPLATES.get_or_init(|| {
        FILES
            .iter()
            .flat_map(|(file, text)| {
                parse_yaml(file, text).expect("a test reads every shipped template")
            })
            .filter_map(|located| match located.value {
                Entry::Template(template) => Some(*template),
                _ => None,
            })
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_template_is_read() {
        let names: Vec<&str> = shipped_templates().iter().map(|t| &*t.template).collect();
        assert_eq!(
            names,
            ["cpu-usage", "disk-usage", "host-down", "memory-usage"]
        );
    }
}
