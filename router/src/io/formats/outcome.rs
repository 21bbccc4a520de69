//! What became of a request's points, and how it is said.

use super::super::intake::Taken;
use schemas::points::Decoded;

/// What became of a request's points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    /// Points that the log has.
    pub(super) taken: usize,
    /// Markers that say that a series has no value any more.
    pub(super) stale: usize,
    /// Points that can never be stored.
    pub(super) rejected: usize,
    /// Whether each rejected one is NaN.
    pub(super) only_nan: bool,
    /// What was wrong, of the first few.
    named: Vec<String>,
}

impl Outcome {
    /// From what was read, and from what the limits of lines left of it.
    pub(super) fn new(decoded: Decoded, packed: &Taken) -> Self {
        let mut named: Vec<String> = decoded.rejected.iter().map(ToString::to_string).collect();
        named.extend(packed.refused.iter().map(|refused| {
            let (reason, line) = (&refused.reason, &refused.line);
            format!("{reason} in `{line}`")
        }));
        let rejected = decoded.rejected_points + packed.refused_lines;
        Self {
            taken: packed.lines,
            stale: decoded.stale,
            rejected,
            only_nan: rejected == decoded.not_a_number,
            named,
        }
    }

    /// Points that the log has, and markers, of which nothing is to be stored.
    pub(super) fn dealt_with(&self) -> usize {
        self.taken + self.stale
    }

    /// What to say of points that were not taken while the others were; none when there are none.
    pub(super) fn partial(&self) -> Option<String> {
        if self.rejected == 0 {
            return None;
        }
        let more = self.rejected - self.named.len();
        let more = if more > 0 {
            format!("; and {more} more")
        } else {
            String::new()
        };
        Some(format!(
            "partial write: {} of {} points were taken, dropped={}: {}{more}",
            self.taken,
            self.taken + self.rejected,
            self.rejected,
            self.named.join("; "),
        ))
    }
}
