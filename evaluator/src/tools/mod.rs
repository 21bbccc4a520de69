//! What operators' commands ask of the engine: rules from files, logs from files. No command has
//! an evaluation of its own; all of them drive `core`.

mod backtest;
mod chunks;
mod docs;
mod event;
mod explained;
mod import;
mod lint;
mod names;
mod picture;
mod rules;
mod seen;

pub use backtest::{Backtest, Figures};
pub use chunks::Chunks;
pub use docs::{Language, template_page};
pub use event::event_json;
pub use explained::{explained_json, explained_text};
pub use import::{Imported, Refused, from_prometheus, from_tickscript};
pub use lint::warnings;
pub use picture::Picture;
pub use rules::Rules;
pub use seen::Seen;
