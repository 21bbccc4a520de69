//! Everything outside: the log, the store, the channels, HTTP. Nothing here decides.

pub mod break_glass;
pub mod channel;
pub mod directory;
pub mod heartbeat;
pub mod http;
pub mod intake;
pub mod mail_in;
pub mod oidc;
pub mod receipts;
pub mod sender;
pub mod store;
pub mod timers;
pub mod watch;
