//! Where `tests/real/install` put the real systems.

use std::path::PathBuf;

/// The list of versions that the install script reads as well.
const VERSIONS: &str = include_str!("../real/versions");

/// The folder of a system whose folder carries its version, such as `kafka`.
///
/// # Panics
/// When it is not installed.
pub fn folder(name: &str) -> PathBuf {
    let folder = cache().join(format!("{name}-{}", version(name)));
    require(folder, name)
}

/// The folder of PostgreSQL's programs, which are the distribution's own.
///
/// # Panics
/// When it is not installed.
pub fn postgresql_programs() -> PathBuf {
    let programs = cache().join("postgresql/bin");
    assert!(
        programs.join("initdb").is_file(),
        "PostgreSQL is not installed for the tests: run tests/real/install postgresql"
    );
    // Where the link leads, because the user that servers run as may not look into another's home
    // folder.
    programs
        .canonicalize()
        .expect("a folder that is there has a path")
}

/// The version of a system, as listed in `tests/real/versions`.
///
/// # Panics
/// When the list does not have it.
pub fn version(name: &str) -> &'static str {
    let key = name.to_uppercase().replace('-', "_");
    VERSIONS
        .lines()
        .filter_map(|line| line.split_once('='))
        .find(|(found, _)| *found == key)
        .map(|(_, version)| version)
        .unwrap_or_else(|| panic!("tests/real/versions has no line {key}=..."))
}

fn require(folder: PathBuf, name: &str) -> PathBuf {
    // The script writes this file last; a folder without it is a leftover.
    assert!(
        folder.join(".recipe").is_file(),
        "{name} {} is not installed for the tests ({} is missing): run tests/real/install {name}",
        version(name),
        folder.display()
    );
    folder
}

fn cache() -> PathBuf {
    let base = std::env::var_os("XDG_CACHE_HOME")
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))
        .expect("neither XDG_CACHE_HOME nor HOME is set, so there is no cache folder");
    base.join("bongsu")
}
