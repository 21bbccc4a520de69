//! What a person or a token may do.

use crate::InvalidName;
use std::fmt;

/// What a person or a token may do in a tenant; each may what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Sees incidents, timelines, silences and reports.
    Viewer,
    /// Acts on incidents: acknowledges, gives away, comments, puts off, merges, judges, closes.
    Responder,
    /// Makes and ends silences and maintenance windows.
    Operator,
    /// Makes and revokes tokens, and reads the audit log.
    Admin,
}

impl Role {
    /// All, the weakest first.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Responder, Self::Operator, Self::Admin];

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Responder => "responder",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// Reads `viewer`, `responder`, `operator` or `admin`.
    pub fn parse(word: &str) -> Result<Self, InvalidName> {
        let found = Self::ALL.into_iter().find(|role| role.as_str() == word);
        found.ok_or_else(|| {
            InvalidName::new("role", word, "one of viewer, responder, operator, admin")
        })
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
