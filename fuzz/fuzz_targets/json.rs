//! JSON metrics.
#![no_main]

use libfuzzer_sys::fuzz_target;
use schemas::metrics_json::decode;

fuzz_target!(|body: &[u8]| {
    for nanos in [1, 1_000_000_000] {
        fuzz::holds(|most, out| decode(body, nanos, most, out));
    }
});
