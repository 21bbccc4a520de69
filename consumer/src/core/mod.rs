//! What the consumer decides, without I/O, async or clock: what may be committed, which line of a
//! refused batch is the bad one, how long to wait, whom to pause.

mod account;
mod aimd;
mod backoff;
mod bisect;
mod budget;
mod chunk;
pub mod handoff;
mod partition;
mod watermark;

pub use account::{Account, Fates, ParseAccountError};
pub use aimd::{Aimd, Change, FLOOR, Reason};
pub use backoff::Backoff;
pub use bisect::{Bisection, Refusal};
pub use budget::{Budget, Flow};
pub use chunk::{Chunk, Filling, LineRef, Share};
pub use partition::{BadLine, InputRecord, Limits, Partition};
pub use watermark::{Position, Read, Watermark};
