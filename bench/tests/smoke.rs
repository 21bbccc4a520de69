//! The bench itself works: a few lines through a real Kafka, every cell counted.

use serde_json::Value;
use std::process::Command;

/// Few enough for a debug build on a busy machine.
const LINES: &str = "20000";

fn bench(what: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_bench"))
        .args(what)
        .args(["--lines", LINES, "-o", "json"])
        .output()
        .expect("the bench can be started");
    let said = String::from_utf8_lossy(&output.stderr);
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{printed}\n{said}");
    serde_json::from_slice(&output.stdout).expect("it prints JSON")
}

fn assert_counted(cell: &Value) {
    for figure in ["cpu_s_per_mpoint", "peak_rss_mb", "points_per_s"] {
        let value = cell["bongsu"][figure].as_f64();
        assert!(value.is_some_and(|value| value > 0.0), "{figure} of {cell}");
    }
}

#[test]
fn the_consumers_cells_are_counted() {
    let report = bench(&["consumer"]);
    let cells = report["cells"].as_array().expect("cells");
    let kinds: Vec<_> = cells
        .iter()
        .map(|cell| {
            (
                cell["lines_per_message"].as_u64(),
                cell["encoding"].as_str(),
            )
        })
        .collect();
    let kind = |lines, encoding| (Some(lines), Some(encoding));
    assert_eq!(
        kinds,
        [
            kind(1, "gzip"),
            kind(1, "identity"),
            kind(100, "gzip"),
            kind(100, "identity")
        ]
    );
    cells.iter().for_each(assert_counted);
}

#[test]
fn the_routers_cell_is_counted() {
    let report = bench(&["router"]);
    let cells = report["cells"].as_array().expect("cells");
    assert_eq!(cells.len(), 1);
    cells.iter().for_each(assert_counted);
}

#[test]
fn a_sink_that_fails_has_cells_too() {
    let failing = [
        "consumer",
        "--lines-per-message",
        "100",
        "--fault",
        "unavailable",
    ];
    let report = bench(&failing);
    let cells = report["cells"].as_array().expect("cells");
    assert_eq!(cells.len(), 2);
    cells.iter().for_each(assert_counted);
    assert_eq!(report["ceilings"].as_array().map(Vec::len), Some(3));
}
