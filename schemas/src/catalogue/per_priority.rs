//! One value for each priority, as `{P1: .., P2: .., P3: ..}`.

use model::Priority;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A value for each of the priorities that have one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PerPriority<T> {
    /// Of P1.
    #[serde(rename = "P1", skip_serializing_if = "Option::is_none")]
    pub p1: Option<T>,
    /// Of P2.
    #[serde(rename = "P2", skip_serializing_if = "Option::is_none")]
    pub p2: Option<T>,
    /// Of P3.
    #[serde(rename = "P3", skip_serializing_if = "Option::is_none")]
    pub p3: Option<T>,
}

impl<T> Default for PerPriority<T> {
    fn default() -> Self {
        Self {
            p1: None,
            p2: None,
            p3: None,
        }
    }
}

impl<T> PerPriority<T> {
    /// The value of that priority.
    pub fn get(&self, priority: Priority) -> Option<&T> {
        match priority {
            Priority::P1 => self.p1.as_ref(),
            Priority::P2 => self.p2.as_ref(),
            Priority::P3 => self.p3.as_ref(),
        }
    }

    /// The place of that priority's value.
    pub fn slot(&mut self, priority: Priority) -> &mut Option<T> {
        match priority {
            Priority::P1 => &mut self.p1,
            Priority::P2 => &mut self.p2,
            Priority::P3 => &mut self.p3,
        }
    }

    /// The priorities that have a value, the most urgent first.
    pub fn iter(&self) -> impl Iterator<Item = (Priority, &T)> {
        Priority::ALL
            .into_iter()
            .filter_map(|priority| self.get(priority).map(|value| (priority, value)))
    }

    /// Whether no priority has one.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }
}
