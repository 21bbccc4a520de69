//! Why a name was refused.

/// A name that does not fit its kind: what it was, and what would fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} `{given}` is not valid: {rule}")]
pub struct InvalidName {
    /// What the name was meant to be, for example `tenant id`.
    pub kind: &'static str,
    /// The name as it was given, cut to 80 characters.
    pub given: String,
    /// The rule that it breaks, in words.
    pub rule: &'static str,
}

impl InvalidName {
    pub(crate) fn new(kind: &'static str, given: &str, rule: &'static str) -> Self {
        Self {
            kind,
            given: given.chars().take(80).collect(),
            rule,
        }
    }
}
