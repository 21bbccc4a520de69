//! How a command ends: exit codes and the form of errors.

use std::fmt;

/// What the process's exit code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It failed.
    Failed = 1,
    /// It was asked wrongly.
    Usage = 2,
    /// It ran and found something that is not in order.
    Findings = 3,
    /// Credentials are missing or wrong.
    Auth = 4,
    /// What it needs does not answer.
    Unreachable = 5,
}

impl Exit {
    /// The word of it in an error, such as `error[auth]`; docs/commands.md has one line for each.
    pub fn code(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::Findings => "findings",
            Self::Auth => "auth",
            Self::Unreachable => "unreachable",
        }
    }
}

/// An error for a person: what went wrong, and what to do.
#[derive(Debug)]
pub struct Failure {
    /// Exit code.
    pub exit: Exit,
    /// What went wrong, with where.
    pub cause: String,
    /// What to do about it, where that is known.
    pub hint: Option<String>,
}

impl Failure {
    /// A failure without a hint.
    pub fn new(exit: Exit, cause: impl Into<String>) -> Self {
        Self {
            exit,
            cause: cause.into(),
            hint: None,
        }
    }

    /// The same with what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// There is no `what` of that name: the known one that it is a slip of, else the command that lists them.
    pub(crate) fn no_such<'a>(
        what: &str,
        name: &str,
        known: impl IntoIterator<Item = &'a str>,
        list: &str,
    ) -> Self {
        let hint = match model::did_you_mean(name, known) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("`{list}` lists them"),
        };
        Self::new(Exit::Usage, format!("there is no {what} `{name}`")).hint(hint)
    }

    /// From an error with its chain of causes.
    pub fn from_error(exit: Exit, error: &(dyn std::error::Error + 'static)) -> Self {
        let mut cause = error.to_string();
        let mut next = error.source();
        while let Some(source) = next {
            let text = source.to_string();
            // Libraries often repeat their source in their own text.
            if !cause.contains(&text) {
                cause.push_str(": ");
                cause.push_str(&text);
            }
            next = source.source();
        }
        Self::new(exit, cause)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error[{}]: {}", self.exit.code(), self.cause)?;
        if let Some(hint) = &self.hint {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

/// What a command returns.
pub type Outcome<T = ()> = Result<T, Failure>;
