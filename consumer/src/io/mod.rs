//! The shell: the group's loop and the tasks that write, dead-letter and commit on its behalf.

mod commit;
mod deadletter;
mod deliver;
mod event;
mod gate;
mod handoff;
mod lane;
mod part;
mod reading;
mod retention;
mod shards;
mod start;
mod worker;

pub use shards::ShardSource;

pub(crate) use deadletter::DeadLetters;
pub(crate) use shards::Shards;
pub(crate) use worker::{Worker, WorkerParts};
