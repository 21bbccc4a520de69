//! Prints how many lines the scan reads in a second of one core's time:
//! `cargo run --release -p schemas --example scan_speed`.
#![expect(clippy::print_stdout, reason = "it prints a measurement")]

use schemas::line::{Line, scan};
use std::hint::black_box;

const LINES: usize = 20_000;
const ROUNDS: usize = 50;

fn body() -> Vec<u8> {
    let mut body = Vec::new();
    for n in 0..LINES {
        let line = format!(
            "cpu,cpu=cpu-total,env=prod,host=web-{:04},service=shop usage_idle=97.{:04},usage_system=1.25,\
             usage_user=1.5,usage_iowait=0 17000000{:02}000000000\n",
            n % 1000,
            n % 10_000,
            n % 100
        );
        body.extend_from_slice(line.as_bytes());
    }
    body
}

fn measure(name: &str, body: &[u8], work: impl Fn(&Line<'_>)) {
    let before = cpu_nanos();
    for _ in 0..ROUNDS {
        for line in scan(black_box(body)).flatten() {
            work(&line);
        }
    }
    let seconds = (cpu_nanos() - before) as f64 / 1e9;
    let lines = (LINES * ROUNDS) as f64;
    println!(
        "{name}: {:.1} M lines per CPU-second",
        lines / seconds / 1e6
    );
}

/// Time that this thread ran (Linux): other work on the machine hardly counts.
fn cpu_nanos() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let ran = text.split(' ').next().and_then(|ran| ran.parse().ok());
    ran.expect("/proc/thread-self/schedstat begins with the time that the thread ran")
}

fn main() {
    let body = body();
    println!("{LINES} lines of {} bytes", body.len() / LINES);
    measure("scan with every check", &body, |line| {
        black_box(line);
    });
    measure("scan and series", &body, |line| {
        black_box(line.series());
    });
    measure("scan, series and host", &body, |line| {
        black_box((line.series(), line.host()));
    });
    measure("scan and one field", &body, |line| {
        black_box(line.field("usage_idle"));
    });
    measure("scan and every tag and field", &body, |line| {
        black_box((line.tags().count(), line.fields().count()));
    });
}
