//! Hinted handoff: what waits in a topic for a shard that is down, and comes to it in order.
//!
//! A lane is (partition of a tenant's topic, shard, replica). Its owner is who reads the partition;
//! its drainer is who reads the partition of `bongsu.handoff.<shard>` in which the lane lies. Both may
//! crash, or freeze and go on as if nothing had happened. What keeps a lane in order:
//!
//! - An owner takes a generation higher than any before it with a commit, which the group refuses to
//!   a former owner. Before its first write of any kind it appends an empty record of it to the lane.
//! - It writes to the shard itself only while every record of the lane up to its last one is drained;
//!   otherwise it appends behind them.
//! - The drainer drops records of a generation lower than one it has seen in the lane: only a former
//!   owner can have appended them, and nobody has committed past their lines.
//! - The drainer writes how far it is, as a place in the source, behind the shard's answer and before
//!   its commit. Lines of the same generation at or before that place are repeats. Those of a later
//!   generation are not: its owner begins at the source's commit, may have written some of them to the
//!   shard itself, and the shard must end with what was sent last.

mod drain;
mod owner;
mod record;
#[cfg(test)]
mod simulation;

pub use drain::{Admission, LaneState, LaneSums, ParseStateError};
pub use owner::{LaneMode, Next, Segments};
pub use record::{Envelope, LaneId, Origin, RecordError};

/// Most bytes of lines in one record.
pub const RECORD_BYTES: usize = 480 << 10;
