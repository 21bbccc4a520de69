//! The clusters that a process reaches, by name.

use crate::Stream;
use std::collections::BTreeMap;
use std::ops::Deref;

/// Logs by name: the home of tenants that name none, and whichever others the configuration names.
#[derive(Clone)]
pub struct Clusters {
    home: String,
    all: BTreeMap<String, Stream>,
}

impl Clusters {
    /// A home under its name.
    pub fn new(name: impl Into<String>, home: Stream) -> Self {
        let name = name.into();
        Self {
            all: BTreeMap::from([(name.clone(), home)]),
            home: name,
        }
    }

    /// Another cluster beside; one of the same name is replaced.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, stream: Stream) -> Self {
        self.all.insert(name.into(), stream);
        self
    }

    /// The cluster on which the process itself stands.
    pub fn home(&self) -> &Stream {
        &self.all[&self.home]
    }

    /// The name of that cluster.
    pub fn home_name(&self) -> &str {
        &self.home
    }

    /// The cluster of that name.
    pub fn get(&self, name: &str) -> Option<&Stream> {
        self.all.get(name)
    }

    /// All clusters in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Stream)> {
        self.all
            .iter()
            .map(|(name, stream)| (name.as_str(), stream))
    }

    /// All but the home.
    pub fn others(&self) -> impl Iterator<Item = (&str, &Stream)> {
        self.iter().filter(|(name, _)| *name != self.home)
    }
}

/// Where one cluster is meant, it is the home.
impl Deref for Clusters {
    type Target = Stream;

    fn deref(&self) -> &Stream {
        self.home()
    }
}

impl From<Stream> for Clusters {
    /// One cluster, named as tenants name their home when they say nothing.
    fn from(stream: Stream) -> Self {
        Self::new("default", stream)
    }
}

impl std::fmt::Debug for Clusters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let all = self
            .all
            .iter()
            .map(|(name, stream)| (name, stream.describe()));
        f.debug_map().entries(all).finish()
    }
}
