//! The demo's hosts: what each would report at a time, as Telegraf's own inputs report it.
//!
//! Everything is a function of the host and the time, so that a second start goes on with the same picture.

use model::Timestamp;

/// How often a host reports.
pub(super) const INTERVAL_SECS: i64 = 2;

/// One episode of load: quiet, then busy, then quiet until the next host's turn.
const EPISODE_SECS: i64 = 180;
const BUSY_FROM_SECS: i64 = 6;
const BUSY_UNTIL_SECS: i64 = 40;

/// Hosts of a tenant, with the tags that its Telegraf would add.
pub(super) struct Fleet {
    /// The tenant's id.
    pub(super) tenant: &'static str,
    /// Value of the tag `service` and name of each host.
    pub(super) hosts: &'static [(&'static str, &'static str)],
}

/// The demo's three customers.
pub(super) const FLEETS: [Fleet; 3] = [
    Fleet {
        tenant: "hanbit-bank",
        hosts: &[
            ("web", "web-1"),
            ("web", "web-2"),
            ("core", "core-db-1"),
            ("core", "core-db-2"),
            ("batch", "batch-1"),
        ],
    },
    Fleet {
        tenant: "nuri-shop",
        hosts: &[
            ("shop", "shop-1"),
            ("shop", "shop-2"),
            ("search", "search-1"),
            ("cart", "redis-1"),
        ],
    },
    Fleet {
        tenant: "mirae-motors",
        hosts: &[
            ("mes", "mes-1"),
            ("mes", "mes-2"),
            ("iot", "gateway-1"),
            ("iot", "gateway-2"),
        ],
    },
];

/// Usage of a processor in percent, `since_start` seconds after the demo began.
///
/// In each episode one host is busy: `turn` + number of the episode picks it from the tenants in turn.
pub(super) fn cpu_usage(fleet: usize, host: usize, turn: i64, since_start: i64) -> f64 {
    let (episode, second) = (
        since_start.div_euclid(EPISODE_SECS),
        since_start.rem_euclid(EPISODE_SECS),
    );
    let pick = (turn + episode).unsigned_abs() as usize;
    let busy_fleet = pick % FLEETS.len();
    let busy_host = (pick / FLEETS.len()) % FLEETS[busy_fleet].hosts.len();
    let busy = (fleet, host) == (busy_fleet, busy_host)
        && (BUSY_FROM_SECS..BUSY_UNTIL_SECS).contains(&second);
    let phase = (fleet * 7 + host * 3) as f64 + since_start as f64 / 40.0;
    if busy {
        96.0 + 2.0 * phase.sin()
    } else {
        24.0 + 9.0 * phase.sin()
    }
}

/// The lines that a host's Telegraf sends at a time: `cpu`, `mem`, `disk` and `system`.
pub(super) fn lines(
    fleet: usize,
    host: usize,
    turn: i64,
    since_start: i64,
    at: Timestamp,
) -> String {
    let (service, name) = FLEETS[fleet].hosts[host];
    let tags = format!("host={name},env=prod,service={service},os=linux");
    let usage = cpu_usage(fleet, host, turn, since_start);
    let phase = (fleet * 5 + host) as f64 + since_start as f64 / 300.0;
    let memory = 52.0 + 8.0 * phase.sin();
    let disk = 41.0 + host as f64 * 4.0;
    let ns = at.as_nanos();
    let mut body = String::with_capacity(600);
    body += &format!(
        "cpu,cpu=cpu-total,{tags} usage_idle={:.3},usage_user={:.3},usage_system={:.3},usage_iowait=0.4 {ns}\n",
        100.0 - usage,
        usage * 0.7,
        usage * 0.3,
    );
    body += &format!(
        "mem,{tags} available_percent={:.3},used_percent={:.3},total=17179869184i {ns}\n",
        100.0 - memory,
        memory,
    );
    body += &format!(
        "disk,device=sda1,fstype=ext4,mode=rw,path=/,{tags} used_percent={disk:.3},inodes_used_percent=7.5,\
         total=107374182400i,free={}i {ns}\n",
        ((100.0 - disk) * 1_073_741_824.0) as i64,
    );
    body += &format!(
        "system,{tags} load1={0:.2},load5={0:.2},load15={0:.2},n_cpus=4i,uptime={1}i {ns}\n",
        usage / 25.0,
        1_000_000 + since_start,
    );
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_host_is_busy_in_an_episode_and_then_recovers() {
        let busy_at = |second: i64| {
            let mut busy = Vec::new();
            for (f, fleet) in FLEETS.iter().enumerate() {
                for h in 0..fleet.hosts.len() {
                    if cpu_usage(f, h, 0, second) > 90.0 {
                        busy.push((f, h));
                    }
                }
            }
            busy
        };
        assert_eq!(busy_at(0), []);
        assert_eq!(busy_at(20), [(0, 0)]);
        assert_eq!(busy_at(50), []);
        assert_eq!(
            busy_at(EPISODE_SECS + 20),
            [(1, 0)],
            "the next host has its turn"
        );
    }

    #[test]
    fn what_a_host_sends_is_line_protocol() {
        let body = lines(0, 0, 0, 20, Timestamp::from_millis(1_800_000_000_000));
        assert_eq!(body.lines().count(), 4);
        for line in schemas::line::scan(body.as_bytes()) {
            line.expect("a line that the router takes");
        }
    }
}
