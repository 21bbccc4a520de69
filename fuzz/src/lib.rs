//! What every target holds its reader to: whatever the bytes, no panic, a limit on what is written, and lines that
//! the scan understands.

use schemas::line::scan;
use schemas::points::{Decoded, Undecodable};

/// Lines that a body may become, in bytes.
pub const MOST: usize = 1 << 20;

/// Runs a reader and checks what it says against what it wrote.
pub fn holds(decode: impl FnOnce(usize, &mut Vec<u8>) -> Result<Decoded, Undecodable>) {
    let mut out = Vec::new();
    let decoded = match decode(MOST, &mut out) {
        Ok(decoded) => decoded,
        Err(Undecodable::TooLarge { .. }) => {
            assert!(out.len() < 16 * MOST, "{} bytes were written", out.len());
            return;
        }
        Err(_) => return,
    };
    assert!(out.len() <= MOST, "{} bytes were written", out.len());
    let mut lines = 0;
    for line in scan(&out) {
        let line = line.unwrap_or_else(|rejected| panic!("{} in {:?}", rejected.reason, rejected.raw));
        assert!(!line.measurement().is_empty());
        assert!(line.fields().count() > 0);
        lines += 1;
    }
    assert_eq!(lines, decoded.lines);
    assert!(decoded.rejected.len() <= decoded.rejected_points);
    for rejected in &decoded.rejected {
        assert!(rejected.to_string().len() < 4096);
    }
}
