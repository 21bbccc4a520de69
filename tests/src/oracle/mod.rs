//! The oracle of the fault tests: a producer whose every point is unique and can be computed from its number, and a
//! judge who asks the stores, the dead letters and the log what became of each.
//!
//! An obligation arises only when a router answered 2xx. The oracle itself is never killed: it lives in the test.
//! Zero failures in N independent faults bound their rate at about 3/N.

mod judge;
mod ledger;
mod point;
mod producer;

pub use judge::{Balance, Judge, Shelf};
pub use ledger::{Account, Answer, Ledger, Lot, percentile};
pub use point::{HOSTS, MEASUREMENT, Numbered, line, value};
pub use producer::{Agent, Load, Producer};
