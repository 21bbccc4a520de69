//! The points of hosts as Telegraf sends them: 20 series a host, of which 12 concern a shipped template besides
//! host-down. Now and then a host is in trouble for an hour, so that there are incidents to tell.

use std::io::Write as _;

/// Series of a host.
pub(crate) const SERIES: u64 = 20;
/// 2025-10-09T08:00:00Z, a full hour.
const START: u64 = 1_760_000_400;

/// Which of a host's series are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    /// All.
    All,
    /// Those that a template besides host-down applies to.
    Matched,
    /// The others.
    Unmatched,
}

impl Which {
    /// How many lines a host sends a round.
    pub(crate) const fn lines(self) -> u64 {
        match self {
            Self::All => SERIES,
            Self::Matched => 12,
            Self::Unmatched => 8,
        }
    }
}

/// Hosts that send a point of each series every so many seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fleet {
    pub(crate) hosts: u64,
    pub(crate) every: u64,
    pub(crate) which: Which,
}

impl Fleet {
    /// The name of a host, as its tag has it.
    pub(crate) fn host(host: u64) -> String {
        format!("web-{host:05}")
    }

    /// Appends what a host sends in a round.
    pub(crate) fn write(&self, round: u64, host: u64, out: &mut Vec<u8>) {
        self.write_at(
            round,
            host,
            (START + round * self.every) * 1_000_000_000,
            out,
        );
    }

    /// The same with a time of its own, in nanoseconds.
    pub(crate) fn write_at(&self, round: u64, host: u64, nanos: u64, out: &mut Vec<u8>) {
        let trouble = (round * self.every / 3_600) % 97 == host % 97;
        self.write_as((round, host), nanos, trouble, out);
    }

    /// What hosts send round by round, the first of which is of that time, in seconds since 1970.
    pub(crate) fn since(
        self,
        start: u64,
    ) -> impl Fn(u64, u64, &mut Vec<u8>) + Copy + Send + 'static {
        move |round, host, out| {
            let nanos = (start + round * self.every) * 1_000_000_000;
            self.write_at(round, host, nanos, out);
        }
    }

    /// The same of a host that is in trouble, or is not.
    pub(crate) fn write_as(
        &self,
        (round, host): (u64, u64),
        nanos: u64,
        trouble: bool,
        out: &mut Vec<u8>,
    ) {
        let point = Point {
            host,
            round,
            uptime: 1_000_000 + round * self.every,
            trouble,
            nanos,
        };
        if self.which != Which::Unmatched {
            point.matched(out);
        }
        if self.which != Which::Matched {
            point.unmatched(out);
        }
    }
}

/// Appends what Telegraf's Docker input says of a container of a host, which may have been killed for its memory.
pub(crate) fn write_container(
    (host, container): (u64, u64),
    nanos: u64,
    killed: bool,
    out: &mut Vec<u8>,
) {
    let name = Fleet::host(host);
    let exit_code = if killed { 137 } else { 0 };
    writeln!(
        out,
        "docker_container_status,container_image=shop,container_name=shop-{container},container_status=running,\
         container_version=3.1,dc=seoul-1,engine_host={name},env=prod,host={name},os=linux,\
         server_version=27.3.1,service=shop \
         container_id=\"{name}-{container}\",exitcode={exit_code}i,oomkilled={killed},pid=4711i,restart_count=0i {nanos}"
    )
    .expect("a vector takes what is written");
}

/// A host at one time.
struct Point {
    host: u64,
    round: u64,
    uptime: u64,
    trouble: bool,
    nanos: u64,
}

impl Point {
    /// Of `most`, a number that looks random and is the same in every run (the finalizer of `SplitMix64`, Steele et
    /// al. 2014).
    fn random(&self, salt: u64, most: u64) -> u64 {
        let seed = (self.host << 40) ^ (self.round << 8) ^ salt;
        let mut mixed = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % most
    }

    fn percent(&self, salt: u64, least: u64, most: u64) -> f64 {
        (least * 100 + self.random(salt, (most - least) * 100)) as f64 / 100.0
    }

    /// Tags are sorted, as Telegraf sorts them.
    fn line(
        &self,
        measurement: &str,
        own: &[(&str, &str)],
        fields: std::fmt::Arguments<'_>,
        out: &mut Vec<u8>,
    ) {
        let host = Fleet::host(self.host);
        let common = [
            ("dc", "seoul-1"),
            ("env", "prod"),
            ("host", &host),
            ("os", "linux"),
            ("service", "shop"),
        ];
        let mut tags: Vec<_> = common.iter().chain(own).collect();
        tags.sort_unstable();
        out.extend_from_slice(measurement.as_bytes());
        for (key, value) in tags {
            write!(out, ",{key}={value}").expect("a vector takes what is written");
        }
        writeln!(out, " {fields} {}", self.nanos).expect("a vector takes what is written");
    }

    fn matched(&self, out: &mut Vec<u8>) {
        let idle = if self.trouble {
            self.percent(0, 1, 6)
        } else {
            self.percent(0, 40, 95)
        };
        self.cpu("cpu-total", idle, out);
        let free = if self.trouble && self.host.is_multiple_of(2) {
            self.percent(1, 1, 4)
        } else {
            self.percent(1, 30, 60)
        };
        let used = 100.0 - free;
        let fields = format_args!(
            "available_percent={free},total=67430510592i,used=30064771072i,used_percent={used}"
        );
        self.line("mem", &[], fields, out);
        let used = self.percent(2, 0, 5);
        let fields = format_args!("free=2147479552i,total=2147479552i,used=0i,used_percent={used}");
        self.line("swap", &[], fields, out);
        let load = [3, 4, 5].map(|salt| self.percent(salt, 0, 5));
        let fields = format_args!(
            "load1={},load15={},load5={},n_cpus=8i,n_users=1i,uptime={}i",
            load[0], load[1], load[2], self.uptime
        );
        self.line("system", &[], fields, out);
        for (salt, device, path) in [(7, "sda1", "/"), (8, "sdb1", "/data"), (9, "sdc1", "/var")] {
            let (inodes, used) = (self.percent(6, 10, 20), self.percent(salt, 40, 60));
            let fields = format_args!(
                "free=53687091200i,inodes_used_percent={inodes},total=107374182400i,\
                 used=53687091200i,used_percent={used}"
            );
            let tags = [
                ("device", device),
                ("fstype", "ext4"),
                ("mode", "rw"),
                ("path", path),
            ];
            self.line("disk", &tags, fields, out);
        }
        let packets = self.round * 6_000;
        for interface in ["eth0", "eth1"] {
            let (received, sent) = (packets * 900, packets * 800);
            let fields = format_args!(
                "bytes_recv={received}i,bytes_sent={sent}i,err_in=0i,err_out=0i,\
                 packets_recv={packets}i,packets_sent={packets}i"
            );
            self.line("net", &[("interface", interface)], fields, out);
        }
        let gathered = self.round * SERIES;
        let fields =
            format_args!("gather_errors=0i,metrics_dropped=0i,metrics_gathered={gathered}i");
        self.line("internal_agent", &[("version", "1.36.4")], fields, out);
        let tags = [("filter", "nginx"), ("result", "success")];
        let fields = format_args!("pid_count=4i,result_code=0i,running=4i");
        self.line("procstat_lookup", &tags, fields, out);
        let tags = [
            ("method", "GET"),
            ("result", "success"),
            ("server", "http://localhost/health"),
            ("status_code", "200"),
        ];
        let time = self.percent(8, 0, 1);
        let fields = format_args!("http_response_code=200i,response_time={time},result_code=0i");
        self.line("http_response", &tags, fields, out);
    }

    fn unmatched(&self, out: &mut Vec<u8>) {
        for (salt, cpu) in [(10, "cpu0"), (11, "cpu1"), (12, "cpu2"), (13, "cpu3")] {
            self.cpu(cpu, self.percent(salt, 40, 95), out);
        }
        let (reads, bytes) = (self.round * 100, self.round * 409_600);
        for device in ["sda", "sdb"] {
            let fields = format_args!(
                "read_bytes={bytes}i,reads={reads}i,write_bytes={bytes}i,writes={reads}i"
            );
            self.line("diskio", &[("name", device)], fields, out);
        }
        let (switches, interrupts) = (self.round * 9_000, self.round * 7_000);
        let fields = format_args!(
            "boot_time=1759000000i,context_switches={switches}i,interrupts={interrupts}i"
        );
        self.line("kernel", &[], fields, out);
        let sleeping = self.random(14, 200);
        let fields =
            format_args!("blocked=0i,running=2i,sleeping={sleeping}i,total=240i,zombies=0i");
        self.line("processes", &[], fields, out);
    }

    fn cpu(&self, cpu: &str, idle: f64, out: &mut Vec<u8>) {
        let (wait, user) = (self.percent(15, 0, 2), 97.0 - idle);
        let fields = format_args!(
            "usage_idle={idle},usage_iowait={wait},usage_system=2.5,usage_user={user}"
        );
        self.line("cpu", &[("cpu", cpu)], fields, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_host_has_its_series_and_each_line_is_good() {
        for which in [Which::All, Which::Matched, Which::Unmatched] {
            let fleet = Fleet {
                hosts: 2,
                every: 60,
                which,
            };
            let mut body = Vec::new();
            (0..2).for_each(|host| fleet.write(0, host, &mut body));
            fleet.write(1, 0, &mut body);
            let lines: Vec<_> = schemas::line::scan(&body)
                .map(|line| line.expect("a good line"))
                .collect();
            assert_eq!(lines.len() as u64, 3 * which.lines());
            let series: HashSet<_> = lines.iter().map(schemas::line::Line::series).collect();
            assert_eq!(series.len() as u64, 2 * which.lines());
        }
        let mut container = Vec::new();
        write_container((7, 1), START * 1_000_000_000, true, &mut container);
        let mut lines = schemas::line::scan(&container);
        let line = lines.next().and_then(Result::ok).expect("a good line");
        assert_eq!(line.host().as_deref(), Some("web-00007"));
    }
}
