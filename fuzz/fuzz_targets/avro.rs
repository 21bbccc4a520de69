//! Avro metrics in every form, and alert events.
#![no_main]

use libfuzzer_sys::fuzz_target;
use schemas::{alert, metrics_avro};

fuzz_target!(|body: &[u8]| {
    fuzz::holds(|most, out| metrics_avro::decode(body, most, out));
    let mut scratch = Vec::new();
    let record = metrics_avro::lines_of_record(body, &mut scratch);
    assert!(record.avro.is_some() || record.lines == body);
    if let Ok(event) = alert::decode(body) {
        let again = alert::decode(&alert::encode(&event)).expect("what was read can be written");
        assert_eq!(alert::encode(&again), alert::encode(&event));
    }
});
