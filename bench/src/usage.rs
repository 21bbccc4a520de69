//! What a process has used, as Linux accounts for it in `/proc`.

use crate::report::TENTHS;
use anyhow::{Context, Result};
use std::time::Duration;

/// User and system time of a process and of its children that have ended.
///
/// # Errors
/// When there is no such process.
pub(crate) fn cpu(id: u32) -> Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat"))?;
    let ticks = ticks(&stat).with_context(|| format!("/proc/{id}/stat reads {stat}"))?;
    let per_second = rustix::param::clock_ticks_per_second();
    Ok(Duration::from_secs_f64(ticks as f64 / per_second as f64))
}

/// The largest resident size that the process has had, in bytes.
///
/// # Errors
/// When there is no such process.
pub(crate) fn peak_rss(id: u32) -> Result<u64> {
    size(id, "VmHWM:")
}

/// The resident size of the process now, in bytes.
///
/// # Errors
/// When there is no such process.
pub(crate) fn rss(id: u32) -> Result<u64> {
    size(id, "VmRSS:")
}

/// The machine's load in the last minute.
///
/// # Errors
/// When the kernel does not tell it.
pub(crate) fn load_average() -> Result<f64> {
    let text = std::fs::read_to_string("/proc/loadavg")?;
    let first = text.split(' ').next().and_then(|text| text.parse().ok());
    first.with_context(|| format!("/proc/loadavg reads {text}"))
}

fn size(id: u32, name: &str) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
    let size = status.lines().find_map(|line| line.strip_prefix(name));
    let kib = size.and_then(|text| text.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    Ok(kib.with_context(|| format!("/proc/{id}/status has no {name}"))? * 1024)
}

/// The largest size in each tenth of the time, in 10^6 bytes; none where a tenth went by without a look.
pub(crate) fn by_tenth(
    sizes: impl Iterator<Item = (i64, u64)>,
    from: i64,
    to: i64,
) -> Option<[f64; TENTHS]> {
    let mut peaks = [0_u64; TENTHS];
    for (at, size) in sizes {
        let tenth = usize::try_from((at - from) * TENTHS as i64 / (to - from)).ok()?;
        if let Some(peak) = peaks.get_mut(tenth) {
            *peak = size.max(*peak);
        }
    }
    let mb = peaks.map(|peak| (peak as f64 / 1e5).round() / 10.0);
    peaks.iter().all(|peak| *peak > 0).then_some(mb)
}

/// Fields 14 to 17 (proc_pid_stat(5)): utime, stime, cutime, cstime. They are counted behind the
/// program's name, which may hold anything.
fn ticks(stat: &str) -> Option<u64> {
    let (_, behind_name) = stat.rsplit_once(')')?;
    let fields = behind_name.split_ascii_whitespace().skip(11).take(4);
    fields.map(|field| field.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_times_are_found_behind_an_odd_name() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194304 1 2 3 4 10 20 300 4000 20 0 1 0 5";
        assert_eq!(ticks(stat), Some(4_330));
        assert_eq!(ticks("7 (a) S 1"), Some(0));
        assert_eq!(ticks("nothing"), None);
    }

    #[test]
    fn this_process_has_a_size() {
        assert!(peak_rss(std::process::id()).unwrap() > 1 << 20);
        assert!(rss(std::process::id()).unwrap() > 1 << 20);
        cpu(std::process::id()).unwrap();
    }

    #[test]
    fn sizes_are_told_by_tenth_of_the_time() {
        let sizes = (0..=100).map(|n: u64| (n as i64, n * 1_000_000 + 1));
        let tenths = by_tenth(sizes, 0, 100).unwrap();
        assert_eq!(tenths[0], 9.0);
        assert_eq!(tenths[9], 99.0);
        assert_eq!(by_tenth([(0, 1), (95, 1)].into_iter(), 0, 100), None);
    }
}
