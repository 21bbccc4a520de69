//! How many lines one core scans, and copies into the buffers of its shards.

use crate::lines;
use anyhow::{Context, Result};
use schemas::line::scan;
use std::hint::black_box;

const LINES: u64 = 20_000;
const ROUNDS: u64 = 100;
const SHARDS: usize = 8;

/// Prints lines per second of this thread's own time, so that other work on the machine counts little.
///
/// # Errors
/// Where the kernel does not account for threads.
pub(crate) fn run() -> Result<()> {
    let mut body = Vec::new();
    (0..LINES).for_each(|line| lines::write(line, lines::HOSTS, &mut body));
    println!(
        "lines of {} bytes, million lines a CPU-second",
        body.len() as u64 / LINES
    );
    measure("newlines alone", || {
        black_box(body.iter().filter(|byte| **byte == b'\n').count());
    })?;
    measure("scan with every check", || {
        scan(black_box(&body)).for_each(|line| {
            black_box(&line).as_ref().expect("the lines are good");
        });
    })?;
    measure("scan and series", || {
        for line in scan(black_box(&body)).flatten() {
            black_box(line.series());
        }
    })?;
    let mut shards: Vec<_> = (0..SHARDS)
        .map(|_| Vec::with_capacity(body.len()))
        .collect();
    measure("scan, and copy into 8 shard buffers", || {
        shards.iter_mut().for_each(Vec::clear);
        for line in scan(black_box(&body)).flatten() {
            let nanos = line.timestamp().unwrap_or_default();
            let shard = &mut shards[(nanos / 10_000_000_000) as usize % SHARDS];
            shard.extend_from_slice(line.raw());
            shard.push(b'\n');
        }
        black_box(&shards);
    })
}

fn measure(what: &str, mut work: impl FnMut()) -> Result<()> {
    let before = cpu_nanos()?;
    (0..ROUNDS).for_each(|_| work());
    let took = cpu_nanos()? - before;
    println!(
        "{:>8.1}  {what}",
        (LINES * ROUNDS) as f64 * 1e3 / took as f64
    );
    Ok(())
}

/// Time that this thread ran (proc_pid_schedstat).
fn cpu_nanos() -> Result<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let ran = text.split(' ').next().and_then(|ran| ran.parse().ok());
    ran.context("/proc/thread-self/schedstat does not begin with a time")
}
