//! The scan of what a real Telegraf 1.36.4 wrote (`outputs.file`, data format `influx`).
//!
//! `escapes.influx` went through its `inputs.file` first, so that the escapes are Telegraf's own.

use schemas::line::scan;
use std::fmt::Write as _;
use std::path::Path;

fn describe(body: &[u8]) -> String {
    let mut out = String::new();
    for item in scan(body) {
        let line = match item {
            Ok(line) => line,
            Err(rejected) => {
                writeln!(
                    out,
                    "line {}: REJECTED: {}",
                    rejected.number, rejected.reason
                )
                .unwrap();
                continue;
            }
        };
        let (measurement, host) = (line.measurement(), line.host());
        writeln!(
            out,
            "line {}: {measurement:?} of {host:?} at {:?}",
            line.number(),
            line.timestamp()
        )
        .unwrap();
        for (key, value) in line.tags() {
            writeln!(out, "  tag {key:?} = {value:?}").unwrap();
        }
        for (key, value) in line.fields() {
            writeln!(out, "  field {key:?} = {value:?}").unwrap();
        }
    }
    out
}

#[test]
fn every_recorded_line_of_telegraf_is_understood() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/telegraf");
    for name in ["cpu", "mem", "disk", "system", "net", "escapes"] {
        let body = std::fs::read(folder.join(format!("{name}.influx"))).unwrap();
        let text = describe(&body);
        assert!(!text.contains("REJECTED"), "{name}: {text}");
        insta::with_settings!({snapshot_path => "../golden/telegraf", prepend_module_to_snapshot => false}, {
            insta::assert_snapshot!(name, text);
        });
    }
}
