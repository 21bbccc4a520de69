//! Remote write, both versions and both namings.
#![no_main]

use libfuzzer_sys::fuzz_target;
use schemas::remote_write::{Naming, decode_v1, decode_v2};

fuzz_target!(|body: &[u8]| {
    for naming in [Naming::PerMetric, Naming::OneMeasurement] {
        fuzz::holds(|most, out| decode_v1(body, naming, most, out));
        fuzz::holds(|most, out| decode_v2(body, naming, most, out));
    }
});
