//! Every packing: what comes out keeps its limit, and so does the memory that is asked for.
#![no_main]

use libfuzzer_sys::fuzz_target;
use schemas::packing::{Packing, unpack};

const MOST: usize = 1 << 20;
const MEMORY: usize = 12 << 20;

fuzz_target!(|body: &[u8]| {
    for packing in [Packing::Identity, Packing::Gzip, Packing::Zstd, Packing::Snappy] {
        let mut left = MEMORY;
        let mut grow = |bytes: usize| {
            let rest = left.checked_sub(bytes);
            left = rest.unwrap_or(left);
            rest.is_some()
        };
        if let Ok(text) = unpack(packing, body, MOST, &mut grow) {
            assert!(text.len() <= MOST);
        }
    }
});
