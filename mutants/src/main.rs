//! All changes of a core in one executable: what cargo-mutants lists, each behind a switch, so that a change costs the tests that
//! reach it and no build. `scripts/mutants-woven` prepares the tree and asks the tests.

mod change;
mod compile;
mod weave;

use anyhow::{Context, Result, bail};
use change::Change;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [list, tree, home, package, out] = &arguments[..] else {
        bail!("usage: mutants LIST.json TREE HOME PACKAGE OUT.json");
    };
    let changes = Change::read_all(list.as_ref())?;
    let home = Path::new(tree).join(home);
    std::fs::write(home.join("src/switches.rs"), include_str!("switches.rs"))?;
    let library = home.join("src/lib.rs");
    let text = std::fs::read_to_string(&library)?;
    std::fs::write(&library, text + "\npub mod switches;\n")?;
    let woven = compile::weave_all(&changes, tree.as_ref(), package)?;
    let names: Vec<&str> = changes.iter().map(|change| change.name.as_str()).collect();
    let told = json!({
        "names": names,
        "made": woven.made,
        "refused": woven.refused,
        "left": woven.left,
        "tests": build(tree.as_ref(), package)?,
    });
    std::fs::write(out, told.to_string())?;
    Ok(())
}

/// Where the executable of the package's tests is, as cargo tells it when it has built it.
fn build(tree: &Path, package: &str) -> Result<PathBuf> {
    let output = Command::new("cargo")
        .args([
            "test",
            "--offline",
            "--no-run",
            "--lib",
            "--package",
            package,
        ])
        .arg("--message-format=json")
        .current_dir(tree)
        .stderr(Stdio::null())
        .output()?;
    let messages = String::from_utf8(output.stdout)?;
    let mut built = messages.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        message["executable"].as_str().map(PathBuf::from)
    });
    built
        .next_back()
        .context("the tests of the woven tree do not build")
}
