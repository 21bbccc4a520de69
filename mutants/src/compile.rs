//! Weaves all changes into a tree, and takes out those with which it does not compile.

use crate::change::Change;
use crate::weave::weave;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};

/// What came of the changes.
#[derive(Debug, Default)]
pub struct Woven {
    /// Those that are in the tree, each behind its switch.
    pub made: BTreeSet<usize>,
    /// Those with which it does not compile.
    pub refused: BTreeSet<usize>,
    /// Those that no switch can make: constants, opaque types, arms of a match that is whole only with all of them.
    pub left: BTreeSet<usize>,
}

/// Weaves until the library and its tests compile.
pub fn weave_all(changes: &[Change], tree: &Path, package: &str) -> Result<Woven> {
    let mut sources = BTreeMap::new();
    for change in changes {
        if !sources.contains_key(&change.file) {
            let path = tree.join(&change.file);
            let text =
                std::fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
            sources.insert(change.file.clone(), text);
        }
    }
    let is_rust = |change: &&Change| change.is_rust(&sources[&change.file]);
    let mut woven = Woven {
        refused: changes
            .iter()
            .filter(|change| !is_rust(change))
            .map(|change| change.id)
            .collect(),
        ..Woven::default()
    };
    loop {
        let mut texts = BTreeMap::new();
        woven.made.clear();
        for (file, source) in &sources {
            let is_asked = |change: &&Change| {
                let out = woven.refused.contains(&change.id) || woven.left.contains(&change.id);
                change.file == *file && !out
            };
            let own: Vec<&Change> = changes.iter().filter(is_asked).collect();
            let (text, ids) = weave(source, &own).with_context(|| file.clone())?;
            std::fs::write(tree.join(file), &text)?;
            woven.made.extend(ids);
            texts.insert(file.clone(), text);
        }
        let errors = errors(tree, package, &texts)?;
        eprintln!(
            "{} woven, {} do not compile",
            woven.made.len(),
            woven.refused.len() + errors.refused.len()
        );
        if errors.refused.is_empty() && errors.left.is_empty() {
            let rest = changes.iter().map(|change| change.id);
            woven.left = rest
                .filter(|id| !woven.made.contains(id) && !woven.refused.contains(id))
                .collect();
            return Ok(woven);
        }
        woven.refused.extend(errors.refused);
        woven.left.extend(errors.left);
    }
}

#[derive(Default)]
struct Errors {
    refused: BTreeSet<usize>,
    left: BTreeSet<usize>,
}

/// Whose the errors of the compiler are.
fn errors(tree: &Path, package: &str, texts: &BTreeMap<String, String>) -> Result<Errors> {
    let output = Command::new("cargo")
        .args([
            "check",
            "--offline",
            "--profile",
            "test",
            "--lib",
            "--tests",
            "--package",
            package,
        ])
        .arg("--message-format=json")
        .current_dir(tree)
        .stderr(Stdio::null())
        .output()?;
    let (mut errors, mut others) = (Errors::default(), Vec::new());
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Ok(message) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        let message = &message["message"];
        let spans = message["spans"].as_array().map_or(&[][..], Vec::as_slice);
        if message["level"] != "error" || spans.is_empty() {
            continue;
        }
        let place = |span: &Value| {
            let text = texts.get(span["file_name"].as_str()?)?;
            Some((text.as_str(), span["byte_start"].as_u64()? as usize))
        };
        let mut places = spans.iter().filter_map(place);
        let owner = places.clone().find_map(|(text, at)| owner(text, at));
        // A match that lacks an arm is told at its beginning: the first arm with a switch is left to be asked alone.
        let is_not_whole = message["code"]["code"] == "E0004";
        let arm = places
            .find_map(|(text, at)| arm_behind(text, at))
            .filter(|_| is_not_whole);
        match (owner, arm) {
            (Some(id), _) => drop(errors.refused.insert(id)),
            (None, Some(id)) => drop(errors.left.insert(id)),
            (None, None) => {
                others.push(message["rendered"].as_str().unwrap_or_default().to_owned())
            }
        }
    }
    if errors.refused.is_empty() && errors.left.is_empty() && !output.status.success() {
        bail!(
            "the woven tree does not compile, by no change of its own:\n{}",
            others.join("\n")
        );
    }
    Ok(errors)
}

/// The change whose text holds this place: each stands between `/*<id*/` and `/*>id*/`.
fn owner(text: &str, at: usize) -> Option<usize> {
    let mut before = text.get(..at)?;
    let mut closed: BTreeSet<usize> = BTreeSet::new();
    let id = |text: &str| text.split('*').next()?.parse().ok();
    loop {
        let open = before.rfind("/*<");
        let close = before.rfind("/*>");
        match (open, close) {
            (Some(open), close) if close.is_none_or(|close| close < open) => {
                let id = id(&before[open + 3..])?;
                if !closed.contains(&id) {
                    return Some(id);
                }
                before = &before[..open];
            }
            (_, Some(close)) => {
                closed.insert(id(&before[close + 3..])?);
                before = &before[..close];
            }
            _ => return None,
        }
    }
}

fn arm_behind(text: &str, from: usize) -> Option<usize> {
    let at = from + text.get(from..)?.find("*/!crate::switches::on(")?;
    text[..at].rsplit("/*<").next()?.parse().ok()
}
