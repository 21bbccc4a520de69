//! Evaluation state on `bongsu.evaluator.state`: keys, claims, restoring, writing.

mod budget;
mod checkpoint;
mod choose;
mod follow;
mod key;
mod rounds;
mod save;
#[cfg(test)]
mod simulation;
mod take_over;

pub(crate) use budget::Budget;
pub(crate) use choose::Chosen;
pub(crate) use follow::{Followers, Watched};
pub(crate) use key::{InputId, StateKey};
pub(crate) use rounds::Rounds;
pub(crate) use save::{SaveError, Saver};
pub(crate) use take_over::{Candidate, Claimed, StateTopic};
