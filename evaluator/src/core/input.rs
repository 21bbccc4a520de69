//! What goes into a step and what comes out of it.

use model::{AlertEvent, Timestamp};
use schemas::line::Line;

/// One record of the partition's log.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// Its offset; rises from record to record, with gaps allowed.
    pub offset: i64,
    /// The broker's append time.
    pub arrival: Timestamp,
    /// What it holds.
    pub payload: Payload<'a>,
}

/// What a record holds.
#[derive(Debug, Clone, Copy)]
pub enum Payload<'a> {
    /// A value: line protocol, one or more lines.
    Lines(&'a [u8]),
    /// The same, where the lines were read already.
    Read(&'a [Line<'a>]),
    /// No value, header `bongsu: tick`.
    Tick,
    /// No value, header `bongsu: bundle`: from here on this bundle holds.
    BundleMark {
        /// Revision of the bundle.
        revision: u64,
        /// Its content's hash, hex.
        hash: &'a str,
    },
    /// No value, header `bongsu: derived`: what a partition reports of a grid point.
    Derived {
        /// The grid point.
        at: Timestamp,
        /// The partition.
        from: u32,
        /// Line protocol.
        lines: &'a str,
    },
    /// No value and no header that is known. It still moves log time.
    Unknown,
}

/// What follows from a record, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Say this on `bongsu.alerts`.
    Emit(Box<AlertEvent>),
    /// Report this in the tenant's first partition.
    Derive(Derived),
    /// Something is wrong with what the tenant sends; a record of its own, not an alert.
    Find(Finding),
    /// Add to a counter.
    Count(Counter),
    /// How much of the tenant keeps to the standard of tags; said by its first partition, each minute.
    Tags(TagCompliance),
}

/// How many of a tenant's hosts have the tags of the standard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TagCompliance {
    /// Hosts that are known; at least 1.
    pub hosts: u64,
    /// Those of them whose points lack a tag.
    pub lacking: u64,
}

impl TagCompliance {
    /// The share of hosts that lack none, 0 to 1.
    #[expect(
        clippy::cast_precision_loss,
        reason = "hosts of a tenant are far fewer than 2^53"
    )]
    pub fn ratio(self) -> f64 {
        self.hosts.saturating_sub(self.lacking) as f64 / self.hosts as f64
    }
}

/// What a partition reports of a grid point, for rules that span the tenant's partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Derived {
    /// The grid point.
    pub at: Timestamp,
    /// The partition that reports it.
    pub from: u32,
    /// `bongsu_census`, `bongsu_usage` and `bongsu_findings` as line protocol.
    pub lines: String,
}

/// Something that is wrong with what a tenant sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub kind: FindingKind,
    /// The host that it is about, where it is about one.
    pub host: Option<String>,
    /// One sentence for people.
    pub detail: String,
    /// Offset of the record that showed it.
    pub offset: i64,
}

/// The kinds of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FindingKind {
    /// A bundle mark whose revision and hash the catalogue does not hold.
    ForgedMark,
    /// A host without a tag that the tenant's standard asks for.
    MissingTag,
    /// A host's clock jumped and stayed.
    ClockSkew,
}

impl FindingKind {
    /// The word on a wire and in a metric's label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ForgedMark => "forged-mark",
            Self::MissingTag => "missing-tag",
            Self::ClockSkew => "clock-skew",
        }
    }
}

/// So many of these happened in the step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counter {
    /// What is counted.
    pub what: Tally,
    /// How many; at least 1.
    pub n: u64,
}

/// What a step counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tally {
    /// Lines read.
    Lines,
    /// Lines that are no line protocol.
    Rejected,
    /// Points older than the lateness of their host allows; they changed no state.
    Late,
    /// Points too far ahead of their arrival; they changed no state.
    Quarantined,
    /// Points that a template applies to and that lack a tag of its group key.
    MissingGroupTag,
    /// Samples without a value: NaN, infinity, a division by zero, a field of another type.
    Absent,
    /// Samples for which a group has no room, and groups without a host for which a report has none.
    Full,
    /// Points that replaced one of the same series, field and timestamp.
    Replaced,
    /// Bundle marks that the catalogue does not know.
    ForgedMark,
    /// Bundle marks of a revision before the one in force.
    StaleMark,
    /// Records without a value and without a known header.
    UnknownRecord,
    /// Combinations of overrides that do not fit together; the last one that does not fit is left
    /// out.
    OverrideConflict,
}

impl Tally {
    /// All, in the order in which a step reports them.
    pub const ALL: [Self; 12] = [
        Self::Lines,
        Self::Rejected,
        Self::Late,
        Self::Quarantined,
        Self::MissingGroupTag,
        Self::Absent,
        Self::Full,
        Self::Replaced,
        Self::ForgedMark,
        Self::StaleMark,
        Self::UnknownRecord,
        Self::OverrideConflict,
    ];

    /// The word in a metric's label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lines => "lines",
            Self::Rejected => "rejected",
            Self::Late => "late",
            Self::Quarantined => "quarantined",
            Self::MissingGroupTag => "missing_group_tag",
            Self::Absent => "absent",
            Self::Full => "full",
            Self::Replaced => "replaced",
            Self::ForgedMark => "forged_mark",
            Self::StaleMark => "stale_mark",
            Self::UnknownRecord => "unknown_record",
            Self::OverrideConflict => "override_conflict",
        }
    }
}

/// What one step has counted so far.
#[derive(Debug, Default)]
pub(crate) struct Tallies([u64; Tally::ALL.len()]);

impl Tallies {
    pub(crate) fn add(&mut self, what: Tally, n: u64) {
        self.0[what as usize] += n;
    }
}

/// What a step has come to so far.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) actions: Vec<Action>,
    pub(crate) tallies: Tallies,
}

impl Outcome {
    /// Events and findings in their order, then what was counted.
    pub(crate) fn into_actions(self) -> Vec<Action> {
        let mut actions = self.actions;
        let counted = Tally::ALL
            .into_iter()
            .zip(self.tallies.0)
            .filter(|(_, n)| *n > 0);
        actions.extend(counted.map(|(what, n)| Action::Count(Counter { what, n })));
        actions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compliance_is_the_share_of_hosts_that_lack_no_tag() {
        for (hosts, lacking, ratio) in [(4, 1, 0.75), (4, 0, 1.0), (4, 4, 0.0), (1, 1, 0.0)] {
            assert_eq!(TagCompliance { hosts, lacking }.ratio(), ratio);
        }
    }
}
