//! Free ports on loopback, for servers that want to be told theirs.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Below the range from which systems take the ports of outgoing connections, so that none of those
/// can slip in between the search and the server's own bind.
const FIRST: u32 = 20_000;
const COUNT: u32 = 12_000;

static NEXT: AtomicU32 = AtomicU32::new(u32::MAX);

/// A port that nothing listens on, and that this process has not handed out before.
///
/// # Panics
/// When there is none, which means that something leaks servers.
pub fn free() -> u16 {
    // Fails for all but the first caller, as it should.
    NEXT.compare_exchange(u32::MAX, start(), Ordering::Relaxed, Ordering::Relaxed)
        .ok();
    for _ in 0..COUNT {
        let port = FIRST + NEXT.fetch_add(1, Ordering::Relaxed) % COUNT;
        let port = u16::try_from(port).expect("the range ends below 65,536");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!(
        "no free port on 127.0.0.1 between {FIRST} and {}",
        FIRST + COUNT
    );
}

/// Test processes run side by side: each starts its search somewhere else.
fn start() -> u32 {
    let nanos = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.subsec_nanos());
    (std::process::id().wrapping_mul(7919) ^ nanos) % COUNT
}
