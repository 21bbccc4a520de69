//! Whether a service is ready, and if not, why.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The conditions of a process. A cheap handle.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<Mutex<BTreeMap<String, Result<String, String>>>>);

/// One condition of readiness, for example `kafka`. A cheap handle.
#[derive(Debug, Clone)]
pub struct Condition {
    name: String,
    health: Health,
}

impl Health {
    /// No conditions yet: ready.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a condition that does not hold until it is said to.
    pub fn condition(&self, name: &str) -> Condition {
        let condition = Condition {
            name: name.to_owned(),
            health: self.clone(),
        };
        condition.not_ready("starting");
        condition
    }

    /// Every condition with its detail: `Ok` holds, `Err` does not.
    pub fn report(&self) -> BTreeMap<String, Result<String, String>> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Whether every condition holds.
    pub fn is_ready(&self) -> bool {
        self.report().values().all(Result::is_ok)
    }

    fn set(&self, name: &str, state: Result<String, String>) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name.to_owned(), state);
    }
}

impl Condition {
    /// It holds.
    pub fn ready(&self, detail: impl Into<String>) {
        self.health.set(&self.name, Ok(detail.into()));
    }

    /// It does not hold.
    pub fn not_ready(&self, why: impl Into<String>) {
        self.health.set(&self.name, Err(why.into()));
    }
}
