//! The tags of a point: in order, each once, and with the host that the point is about.

use super::Problem;
use crate::line::without_port;

/// More than any real point has; beyond it sorting them would be work for nothing.
pub(super) const MOST: usize = 256;

/// The tags of a point.
#[derive(Debug, Default)]
pub(crate) struct Tags<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Tags<'a> {
    /// Begins again, with the same memory.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Adds a tag. One without a value is none.
    pub(crate) fn push(&mut self, key: &'a str, value: &'a str) -> Result<(), Problem> {
        if value.is_empty() {
            return Ok(());
        }
        if key.is_empty() {
            return Err(Problem::NoTagKey);
        }
        if self.0.len() >= MOST {
            return Err(Problem::TooManyTags);
        }
        self.0.push((key, value));
        Ok(())
    }

    /// Adds a tag, or replaces the one of that key.
    pub(crate) fn set(&mut self, key: &'a str, value: &'a str) -> Result<(), Problem> {
        self.0.retain(|(known, _)| *known != key);
        self.push(key, value)
    }

    /// Takes a tag out.
    pub(crate) fn take(&mut self, key: &str) -> Option<&'a str> {
        let place = self.0.iter().position(|(known, _)| *known == key)?;
        Some(self.0.remove(place).1)
    }

    /// All by their key, with a tag `host` where one can be known: from `host.name`, else from `instance`
    /// without its port. Alerts and charts group by it, so it has to stand in the store.
    pub(super) fn sorted(&mut self) -> Result<&[(&'a str, &'a str)], Problem> {
        let of = |wanted: &str| {
            let found = self.0.iter().find(|(key, _)| *key == wanted);
            found.map(|(_, value)| *value)
        };
        if of("host").is_none() {
            let host = of("host.name").or_else(|| of("instance").map(without_port));
            if let Some(host) = host.filter(|host| !host.is_empty()) {
                self.0.push(("host", host));
            }
        }
        self.0.sort_unstable();
        let twice = self.0.windows(2).find(|pair| pair[0].0 == pair[1].0);
        match twice {
            Some(pair) => Err(Problem::Twice(pair[0].0.chars().take(100).collect())),
            None => Ok(&self.0),
        }
    }
}
