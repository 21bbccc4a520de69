//! OTLP in both encodings.
#![no_main]

use libfuzzer_sys::fuzz_target;
use schemas::otlp::{decode_json, decode_protobuf};

fuzz_target!(|body: &[u8]| {
    fuzz::holds(|most, out| decode_protobuf(body, most, out));
    fuzz::holds(|most, out| decode_json(body, most, out));
});
