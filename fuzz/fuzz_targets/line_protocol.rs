//! The scan: every part of a line can be read, and the line scans again by itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use schemas::line::scan;

fuzz_target!(|body: &[u8]| {
    for line in scan(body) {
        match line {
            Ok(line) => {
                let tags: Vec<_> = line.tags().collect();
                assert_eq!(tags.len(), line.tag_count());
                for (key, value) in &tags {
                    assert_eq!(line.tag(key).as_ref(), Some(value));
                }
                assert!(line.fields().count() > 0);
                for (key, _) in line.fields() {
                    assert!(line.field(&key).is_some());
                }
                let again = scan(line.raw()).next();
                let again = again.expect("a line").expect("it is understood by itself");
                assert_eq!(again.raw(), line.raw());
                assert_eq!(again.series(), line.series());
                assert_eq!(again.host(), line.host());
                assert_eq!(again.timestamp(), line.timestamp());
            }
            Err(rejected) => assert!(!rejected.reason.to_string().is_empty()),
        }
    }
});
