//! What operators' commands ask of the engine: rules from files, logs from files. No command has
//! an evaluation of its own; all of them drive `core`.

mod chunks;
mod event;
mod rules;

pub use chunks::Chunks;
pub use event::event_json;
pub use rules::Rules;
