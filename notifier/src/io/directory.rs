//! The live catalogue as the directory that decisions use.

use crate::core::{ChannelKind, Directory};
use catalog::LiveCatalog;
use schemas::catalogue::Catalogue;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// Who is paged how, now. A cheap call.
pub trait People: Send + Sync {
    /// The directory of the newest revision.
    fn directory(&self) -> Arc<Directory>;
}

/// One that does not change.
impl People for Arc<Directory> {
    fn directory(&self) -> Arc<Directory> {
        Self::clone(self)
    }
}

/// The one of the live catalogue, computed once per revision.
pub struct LivePeople {
    catalog: LiveCatalog,
    channels: BTreeSet<ChannelKind>,
    latest: Mutex<Option<(Arc<Catalogue>, Arc<Directory>)>>,
}

impl LivePeople {
    /// Follows `catalog`; only `channels` have a provider.
    pub fn new(catalog: LiveCatalog, channels: impl IntoIterator<Item = ChannelKind>) -> Self {
        Self {
            catalog,
            channels: channels.into_iter().collect(),
            latest: Mutex::new(None),
        }
    }
}

impl People for LivePeople {
    fn directory(&self) -> Arc<Directory> {
        let catalogue = self.catalog.current();
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        match &*latest {
            Some((known, directory)) if Arc::ptr_eq(known, &catalogue) => Arc::clone(directory),
            _ => {
                let directory = Arc::new(Directory::of(&catalogue, self.channels.clone()));
                *latest = Some((catalogue, Arc::clone(&directory)));
                directory
            }
        }
    }
}
