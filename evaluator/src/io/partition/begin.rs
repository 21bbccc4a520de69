//! Where a new owner begins to read, or why it must not.

use stream::OffsetRange;

/// What is known about a partition before it is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known {
    /// The next offset that the restored state needs; none when there is no checkpoint.
    pub(crate) checkpoint: Option<i64>,
    /// The next offset that the group committed.
    pub(crate) committed: Option<i64>,
    /// What the log holds now.
    pub(crate) log: OffsetRange,
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begin {
    /// The log goes on where the state ends.
    Continue {
        /// Where to read from.
        from: i64,
    },
    /// Nothing was evaluated before: the log is read from its first record.
    Afresh {
        /// Where to read from.
        from: i64,
    },
    /// The group has been further, but the state is gone: the log is evaluated again as far as it
    /// reaches back.
    StateMissing {
        /// Where to read from.
        from: i64,
    },
    /// Retention has removed records that were not evaluated.
    Lost {
        /// Where to read from.
        from: i64,
        /// How many records at most.
        records: i64,
    },
    /// The log ends before what was evaluated: it is another log, or has lost its end.
    EndsBelow {
        /// The offset that was reached.
        known: i64,
    },
}

/// Decides.
pub(crate) fn begin(known: Known) -> Begin {
    let Known {
        checkpoint,
        committed,
        log,
    } = known;
    let reached = checkpoint.max(committed);
    if let Some(known) = reached.filter(|known| *known > log.end) {
        return Begin::EndsBelow { known };
    }
    match (checkpoint, reached) {
        (Some(next), _) | (None, Some(next)) if next < log.earliest => Begin::Lost {
            from: log.earliest,
            records: log.earliest - next,
        },
        (Some(next), _) => Begin::Continue { from: next },
        (None, Some(_)) => Begin::StateMissing { from: log.earliest },
        (None, None) => Begin::Afresh { from: log.earliest },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_begins_where_its_state_ends_or_says_why_not() {
        let log = OffsetRange {
            earliest: 10,
            end: 20,
        };
        for (checkpoint, committed, expected) in [
            (None, None, Begin::Afresh { from: 10 }),
            (None, Some(15), Begin::StateMissing { from: 10 }),
            (
                None,
                Some(4),
                Begin::Lost {
                    from: 10,
                    records: 6,
                },
            ),
            (Some(10), None, Begin::Continue { from: 10 }),
            (Some(15), Some(12), Begin::Continue { from: 15 }),
            (Some(20), Some(20), Begin::Continue { from: 20 }),
            (
                Some(7),
                Some(15),
                Begin::Lost {
                    from: 10,
                    records: 3,
                },
            ),
            (Some(21), None, Begin::EndsBelow { known: 21 }),
            (Some(15), Some(99), Begin::EndsBelow { known: 99 }),
            (None, Some(99), Begin::EndsBelow { known: 99 }),
        ] {
            let known = Known {
                checkpoint,
                committed,
                log,
            };
            assert_eq!(begin(known), expected, "{known:?}");
        }
    }
}
