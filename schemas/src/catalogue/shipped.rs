//! The templates that every installation has without declaring them.

use super::{Entry, Template, parse_yaml};
use std::sync::OnceLock;

/// The files of `templates/` by name.
macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[$((
            concat!($name, ".yaml"),
            include_str!(concat!("../../../templates/", $name, ".yaml")),
        )),*]
    };
}

const FILES: &[(&str, &str)] = files![
    "agent-loses-data",
    "apache-workers",
    "container-oom",
    "cpu-usage",
    "disk-full-soon",
    "disk-usage",
    "host-down",
    "http-connect",
    "http-status",
    "inode-usage",
    "iowait",
    "jvm-heap",
    "load",
    "log-keyword",
    "memory-usage",
    "net-errors",
    "new-measurement",
    "ping",
    "pod-restarts",
    "process-down",
    "redis-memory",
    "restart",
    "swap-usage",
    "tag-compliance",
    "tenant-ingest",
    "tls-expiry",
    "tls-invalid",
    "tomcat-threads",
    "usage-bytes",
    "usage-growth",
    "usage-points",
    "windows-event",
    "windows-service",
];

/// The tenant of Bongsu's own health.
pub const SYSTEM_TENANT: &str = "bongsu-system";

const SYSTEM_FILES: &[(&str, &str)] = files![
    "system/bongsu-dead-letters",
    "system/bongsu-handoff",
    "system/bongsu-handoff-loss",
    "system/bongsu-handoff-retention",
    "system/bongsu-lag",
    "system/bongsu-loss",
    "system/bongsu-paused",
    "system/bongsu-paused-lanes",
    "system/bongsu-restart",
    "system/bongsu-retention",
];

/// The templates that judge Bongsu itself: in force for the tenant [`SYSTEM_TENANT`] alone, without being
/// declared. A template of the catalogue with the same name replaces one.
pub fn system_templates() -> &'static [Template] {
    static TEMPLATES: OnceLock<Vec<Template>> = OnceLock::new();
    TEMPLATES.get_or_init(|| read(SYSTEM_FILES))
}

/// The files that hold the shipped templates, each its name and its text.
pub fn shipped_files() -> &'static [(&'static str, &'static str)] {
    FILES
}

/// The shipped templates. A template of the catalogue with the same name replaces one.
pub fn shipped_templates() -> &'static [Template] {
    static TEMPLATES: OnceLock<Vec<Template>> = OnceLock::new();
    TEMPLATES.get_or_init(|| read(FILES))
}

fn read(files: &[(&str, &str)]) -> Vec<Template> {
    files
        .iter()
        .flat_map(|(file, text)| {
            parse_yaml(file, text).expect("a test reads every shipped template")
        })
        .filter_map(|located| match located.value {
            Entry::Template(template) => Some(*template),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_system_template_is_read() {
        let names = system_templates().iter();
        let names: Vec<_> = names
            .map(|template| format!("system/{}.yaml", template.template))
            .collect();
        let files: Vec<_> = SYSTEM_FILES.iter().map(|(file, _)| *file).collect();
        assert_eq!(names, files);
    }

    #[test]
    fn every_shipped_template_is_read() {
        let names: Vec<&str> = shipped_templates().iter().map(|t| &*t.template).collect();
        let files: Vec<&str> = FILES
            .iter()
            .map(|(file, _)| file.trim_end_matches(".yaml"))
            .collect();
        assert_eq!(names, files);
        assert!(names.is_sorted());
    }
}
