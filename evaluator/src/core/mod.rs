//! The evaluation of one partition: a pure function from its log to alert events.
//!
//! [`step`] takes one record and returns what follows from it. Nothing here reads a clock, waits,
//! or depends on the order of a hash table: the same log gives the same events, byte for byte, from
//! its first record or from a checkpoint.

mod across;
mod apply;
mod clock;
mod codec;
mod counter;
mod derived;
mod env;
mod event;
mod explain;
mod expr;
mod flapping;
mod fresh;
mod given;
mod group;
mod groups;
mod host;
mod hosts;
mod incident;
mod input;
mod inventory;
mod judge;
mod ladder;
mod ledger;
mod nodata;
mod part;
mod partial;
mod partition;
mod past;
mod plan;
mod position;
mod replay;
mod restore;
mod routes;
mod row;
mod rows;
mod samples;
mod script;
mod season;
mod skew;
mod step;
mod tags;
mod template_test;
#[cfg(test)]
mod tests_samples;
mod text;
mod timeline;
mod trend;
mod usage;
mod window;

pub use explain::{Explained, RungNow, WindowNow};
pub use input::{
    Action, Counter, Derived, Finding, FindingKind, Input, Payload, TagCompliance, Tally,
};
pub use ledger::PartKey;
pub use partition::Partition;
pub(crate) use plan::DERIVED;
pub use plan::{Doubt, Plan, PlanError, Plans, doubts};
pub use replay::Replay;
pub use restore::{RestoreError, decode_part_offset};
pub use step::step;
pub use template_test::{TestReport, template_test, unreadable_tests};
pub(crate) use text::number;
pub use text::rfc3339;
pub use timeline::describe;
