//! The file of an export: JSON objects under the names of what they are, as the APIs give them.

use super::ImportError;
use serde_json::Value;

/// A file: one object.
#[derive(Debug)]
pub(super) struct Export(Value);

/// One object of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item<'a>(pub(super) &'a Value);

impl Export {
    pub(super) fn read(text: &str) -> Result<Self, ImportError> {
        serde_json::from_str(text)
            .map(Self)
            .map_err(|error| ImportError::Json(error.to_string()))
    }

    /// The objects under that name: a list, or a page of an API (`results`, `data`, `nodes`), also as GraphQL wraps it.
    pub(super) fn list(&self, name: &str) -> Vec<Item<'_>> {
        let found = match &self.0[name] {
            Value::Null => &self.0["data"][name],
            found => found,
        };
        let pages = ["results", "data", "nodes"];
        let page = pages.into_iter().find_map(|page| found[page].as_array());
        let items = found.as_array().or(page);
        items.into_iter().flatten().map(Item).collect()
    }

    /// An error when none of the names has anything.
    pub(super) fn has(&self, names: &[&str], expected: &'static str) -> Result<(), ImportError> {
        match names.iter().any(|name| !self.list(name).is_empty()) {
            true => Ok(()),
            false => Err(ImportError::Nothing { expected }),
        }
    }
}

impl<'a> Item<'a> {
    /// A text; empty when there is none.
    pub(super) fn text(self, name: &str) -> &'a str {
        self.0[name].as_str().unwrap_or_default()
    }

    /// A whole number.
    pub(super) fn number(self, name: &str) -> Option<i64> {
        self.0[name].as_i64()
    }

    /// Whether it says yes.
    pub(super) fn is(self, name: &str) -> bool {
        self.0[name] == true
    }

    /// An object within.
    pub(super) fn item(self, name: &str) -> Item<'a> {
        Item(&self.0[name])
    }

    /// Objects within.
    pub(super) fn list(self, name: &str) -> Vec<Item<'a>> {
        self.0[name]
            .as_array()
            .into_iter()
            .flatten()
            .map(Item)
            .collect()
    }

    /// Texts within.
    pub(super) fn texts(self, name: &str) -> Vec<&'a str> {
        self.0[name]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect()
    }
}
