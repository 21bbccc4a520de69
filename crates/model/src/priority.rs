//! The three priorities.

use crate::InvalidName;
use std::fmt;

/// How urgent an incident is. The order is by urgency: `P3 < P2 < P1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Priority {
    /// Information and usage warnings.
    P3,
    /// A momentary fault, or something that must be checked.
    P2,
    /// It does not work and somebody must act.
    P1,
}

impl Priority {
    /// All, the most urgent first.
    pub const ALL: [Self; 3] = [Self::P1, Self::P2, Self::P3];

    /// Reads `P1`, `P2` or `P3`.
    pub fn parse(s: &str) -> Result<Self, InvalidName> {
        match s {
            "P1" => Ok(Self::P1),
            "P2" => Ok(Self::P2),
            "P3" => Ok(Self::P3),
            _ => Err(InvalidName::new("priority", s, "one of P1, P2, P3")),
        }
    }

    /// `P1`, `P2` or `P3`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::P1 => "P1",
            Self::P2 => "P2",
            Self::P3 => "P3",
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Priority {
    type Err = InvalidName;
    fn from_str(s: &str) -> Result<Self, InvalidName> {
        Self::parse(s)
    }
}
