//! Who is on call at an instant, and why: schedules of layers, rotations, hours, holidays and overrides.
//!
//! Pure: the instant is an argument. All times of a schedule are read on the wall clock of its time zone, with these rules where summer
//! time begins or ends:
//!
//! - A handover keeps its hour of the day. One in the hour that is skipped happens when the clock jumps; one in the hour that is
//!   repeated happens the first time.
//! - Hours (`18:00` to `09:00`) hold while the clock reads so: a repeated hour counts twice, a skipped one not at all.
//! - An override begins and ends like a handover.
//!
//! Where several layers have somebody, the last of the list wins. An override that is in force wins over every layer; several
//! overrides at once are on call together.

mod compile;
mod cover;
mod holidays;
mod hours;
mod ical;
pub mod import;
mod overlaps;
mod rotation;
mod spans;
mod wall;

pub use compile::{Schedule, ScheduleError};
pub use cover::{uncovered, uncovered_by};
pub use holidays::{Holiday, korean};
pub use ical::calendar;
pub use overlaps::Overlap;
pub use spans::{Duty, Span, Why};
