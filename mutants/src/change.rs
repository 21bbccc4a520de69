//! A change as cargo-mutants lists it, and where it stands in its file.

use anyhow::{Context, Result};
use serde_json::Value;
use std::ops::Range;
use std::path::Path;

/// One change of one place.
#[derive(Debug, Clone)]
pub struct Change {
    /// Its place in the list.
    pub id: usize,
    /// As cargo-mutants names it: file, line, column, what is replaced.
    pub name: String,
    /// Its file, from the root of the tree.
    pub file: String,
    /// `BinaryOperator`, `UnaryOperator`, `FnValue`, `MatchArm`, `MatchArmGuard` or `StructField`.
    pub genre: String,
    /// What stands there instead.
    pub text: String,
    start: (usize, usize),
    end: (usize, usize),
}

impl Change {
    /// Reads what `cargo mutants --list --json` wrote.
    pub fn read_all(path: &Path) -> Result<Vec<Self>> {
        let text = std::fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
        let list: Vec<Value> = serde_json::from_str(&text)?;
        let read =
            |(id, value)| Self::read(id, value).with_context(|| format!("change {id} of the list"));
        list.iter().enumerate().map(read).collect()
    }

    fn read(id: usize, value: &Value) -> Option<Self> {
        let text = |key: &str| value[key].as_str().map(str::to_owned);
        let place = |key: &str| {
            let place = &value["span"][key];
            Some((
                place["line"].as_u64()? as usize,
                place["column"].as_u64()? as usize,
            ))
        };
        Some(Self {
            id,
            name: text("name")?,
            file: text("file")?,
            genre: text("genre")?,
            text: text("replacement")?,
            start: place("start")?,
            end: place("end")?,
        })
    }

    /// The bytes that it replaces. Lines and columns are counted from 1, columns in characters.
    pub fn range(&self, source: &str) -> Range<usize> {
        let byte = |(line, column): (usize, usize)| {
            let before: usize = source
                .split_inclusive('\n')
                .take(line - 1)
                .map(str::len)
                .sum();
            let rest = &source[before..];
            before
                + rest
                    .char_indices()
                    .nth(column - 1)
                    .map_or(rest.len(), |(at, _)| at)
        };
        byte(self.start)..byte(self.end)
    }

    /// Whether the file is Rust with it.
    pub fn is_rust(&self, source: &str) -> bool {
        if !self.genre.ends_with("Operator") {
            return true;
        }
        let range = self.range(source);
        let text = format!(
            "{}{}{}",
            &source[..range.start],
            self.text,
            &source[range.end..]
        );
        syn::parse_file(&text).is_ok()
    }
}
