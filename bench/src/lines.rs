//! The lines of the load: what Telegraf's CPU input writes for a thousand hosts, one round every
//! ten seconds.

use std::io::Write as _;

/// Hosts of the load.
pub(crate) const HOSTS: u64 = 1_000;
/// Partitions of the topic.
pub(crate) const PARTITIONS: u32 = 12;

const FIRST_ROUND: u64 = 1_760_000_000;
const ROUND_SECONDS: u64 = 10;

/// The partition of each host, as the router and Bongsu's agents choose it.
pub(crate) fn partitions(hosts: u64, partitions: u32) -> Vec<u32> {
    let partition = |host| model::host_partition(name(host).as_bytes(), partitions);
    (0..hosts).map(partition).collect()
}

/// The host of a line.
pub(crate) fn host(line: u64, hosts: u64) -> usize {
    (line % hosts) as usize
}

/// Appends a line with its newline. No two lines are alike.
///
/// Tags are sorted and numbers written in the shortest form, as Telegraf writes them: so a line is
/// the same bytes whoever carried it.
pub(crate) fn write(line: u64, hosts: u64, out: &mut Vec<u8>) {
    let seconds = FIRST_ROUND + line / hosts * ROUND_SECONDS;
    write_at(line, hosts, seconds * 1_000_000_000, out);
}

/// The same with a time of its own, in nanoseconds.
pub(crate) fn write_at(line: u64, hosts: u64, nanos: u64, out: &mut Vec<u8>) {
    let random = mix(line);
    let hundredths = |shift: u32, most: u64| ((random >> shift) & 0xffff) % most;
    let (user, system, wait) = (
        hundredths(0, 4_000),
        hundredths(16, 1_500),
        hundredths(32, 300),
    );
    let idle = 10_000 - user - system - wait;
    let percent = |hundredths: u64| hundredths as f64 / 100.0;
    writeln!(
        out,
        "cpu,cpu=cpu-total,dc=seoul-1,host={},os=linux usage_idle={},usage_iowait={},\
         usage_system={},usage_user={} {nanos}",
        name(line % hosts),
        percent(idle),
        percent(wait),
        percent(system),
        percent(user),
    )
    .expect("a vector takes what is written");
}

fn name(host: u64) -> String {
    format!("web-{host:04}")
}

/// Numbers that look random and are the same in every run (the finalizer of `SplitMix64`, Steele
/// et al. 2014).
fn mix(line: u64) -> u64 {
    let mut mixed = line.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn lines_have_the_length_of_telegrafs_and_differ() {
        let (mut all, mut bytes) = (HashSet::new(), 0);
        for line in 0..10_000 {
            let mut text = Vec::new();
            write(line, HOSTS, &mut text);
            bytes += text.len();
            all.insert(text);
        }
        assert_eq!(all.len(), 10_000);
        assert!((138..=144).contains(&(bytes / 10_000)), "{bytes}");
    }

    #[test]
    fn hosts_spread_over_all_partitions() {
        let used: HashSet<_> = partitions(HOSTS, PARTITIONS).into_iter().collect();
        assert_eq!(used.len(), PARTITIONS as usize);
    }
}
