//! The live catalogue as the directory that decisions use.

use crate::core::{ChannelKind, Directory};
use crate::io::channel::Channels;
use catalog::LiveCatalog;
use schemas::catalogue::{Catalogue, Integration};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

/// Who is paged how, now. A cheap call.
pub trait People: Send + Sync {
    /// The directory of the newest revision.
    fn directory(&self) -> Arc<Directory>;

    /// The catalogue that it is of, with the accounts of who changed it; none where there is no catalogue behind it.
    fn catalogue(&self) -> Option<Arc<Catalogue>> {
        None
    }

    /// Who else may send alerts.
    fn integrations(&self) -> Arc<Integrations> {
        Arc::default()
    }
}

/// The integrations of one revision of the catalogue, by name and by key.
#[derive(Debug, Default)]
pub struct Integrations {
    by_name: BTreeMap<String, Arc<Integration>>,
    by_key: HashMap<[u8; 32], Arc<Integration>>,
}

impl Integrations {
    /// Those of a list.
    pub fn of(all: impl IntoIterator<Item = Arc<Integration>>) -> Self {
        let mut found = Self::default();
        for each in all {
            for token in &each.tokens {
                found.by_key.insert(token.sha256.0, Arc::clone(&each));
            }
            found.by_name.insert(each.integration.clone(), each);
        }
        found
    }

    /// All of them, by name.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Integration>> {
        self.by_name.values()
    }

    /// The one of that name.
    pub fn named(&self, name: &str) -> Option<&Arc<Integration>> {
        self.by_name.get(name)
    }

    /// The one that a key opens. The key is looked up by its hash, so that nothing is learnt from the time it takes.
    pub fn opened_by(&self, key: &str) -> Option<&Arc<Integration>> {
        let hash: [u8; 32] = Sha256::digest(key.as_bytes()).into();
        self.by_key.get(&hash)
    }
}

/// One that does not change.
impl People for Arc<Directory> {
    fn directory(&self) -> Arc<Directory> {
        Self::clone(self)
    }
}

/// A directory, and what it was computed of.
type Latest = (Arc<Catalogue>, BTreeSet<ChannelKind>, Arc<Directory>);

/// The one of the live catalogue, computed once per revision.
pub struct LivePeople {
    catalog: LiveCatalog,
    channels: Channels,
    latest: Mutex<Option<Latest>>,
    senders: Mutex<Option<(Arc<Catalogue>, Arc<Integrations>)>>,
}

impl LivePeople {
    /// Follows `catalog`; only `channels` have a provider, as they are at the moment.
    pub fn new(catalog: LiveCatalog, channels: Channels) -> Self {
        Self {
            catalog,
            channels,
            latest: Mutex::new(None),
            senders: Mutex::new(None),
        }
    }
}

impl People for LivePeople {
    fn catalogue(&self) -> Option<Arc<Catalogue>> {
        Some(self.catalog.current())
    }

    fn directory(&self) -> Arc<Directory> {
        let catalogue = self.catalog.current();
        let channels = self.channels.kinds();
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        match &*latest {
            Some((known, with, directory))
                if Arc::ptr_eq(known, &catalogue) && *with == channels =>
            {
                Arc::clone(directory)
            }
            _ => {
                let directory = Arc::new(Directory::of(&catalogue, channels.clone()));
                *latest = Some((catalogue, channels, Arc::clone(&directory)));
                directory
            }
        }
    }

    fn integrations(&self) -> Arc<Integrations> {
        let catalogue = self.catalog.current();
        let mut latest = self.senders.lock().unwrap_or_else(PoisonError::into_inner);
        match &*latest {
            Some((known, senders)) if Arc::ptr_eq(known, &catalogue) => Arc::clone(senders),
            _ => {
                let all = catalogue.integrations.values().map(Arc::clone);
                let senders = Arc::new(Integrations::of(all));
                *latest = Some((catalogue, Arc::clone(&senders)));
                senders
            }
        }
    }
}
