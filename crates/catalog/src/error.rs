//! Why the catalogue could not be read or written.

use stream::{StreamError, Verdict};

/// An error of the catalogue.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CatalogError {
    /// The log failed.
    #[error("the catalogue's topic: {0}")]
    Log(#[from] StreamError),
    /// The declarations contradict each other or what evaluation can do. Nothing was written.
    #[error("the catalogue is refused, nothing was changed:\n{}", .0.join("\n"))]
    Refused(Vec<String>),
    /// Others wrote at the same time, again and again.
    #[error(
        "others are changing the catalogue at the same time; what they wrote is kept, try again"
    )]
    Contended,
    /// The home cluster has the revision, and others could not be brought to it.
    #[error(
        "revision {revision} is in force, but not in every cluster; once they answer, the same command brings them to it:\n{}",
        .clusters.join("\n")
    )]
    Behind {
        /// What the home cluster has.
        revision: u64,
        /// Each cluster that has not, and why.
        clusters: Vec<String>,
    },
    /// The process is stopping.
    #[error("stopped while the catalogue was being read")]
    Stopped,
}

impl CatalogError {
    /// What to do about it.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Log(error) => error.verdict(),
            Self::Contended | Self::Behind { .. } => Verdict::Transient,
            Self::Refused(_) => Verdict::Poison,
            Self::Stopped => Verdict::Permanent,
        }
    }
}
