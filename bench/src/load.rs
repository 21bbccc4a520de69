//! A backlog: whose lines, in which topics, and how they are sent.

use crate::cli::Compression;
use crate::lines::{HOSTS, PARTITIONS};
use crate::product::TENANT;

/// What the topics are filled with.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    /// Lines in all.
    pub(crate) lines: u64,
    /// Lines of a message.
    pub(crate) lines_per_message: u64,
    /// Tenants, the first with the most lines.
    pub(crate) tenants: u32,
    /// Partitions of each tenant's topic.
    pub(crate) partitions: u32,
    /// Hosts of each tenant; each is a series.
    pub(crate) hosts: u64,
    /// Whether the load of the n-th tenant falls as 1/n, or all have the same.
    pub(crate) zipf: bool,
    /// Compression of the topics.
    pub(crate) compression: Compression,
}

impl Load {
    /// One tenant with a thousand hosts.
    pub(crate) fn new(lines: u64, lines_per_message: u64) -> Self {
        Self {
            lines,
            lines_per_message,
            tenants: 1,
            partitions: PARTITIONS,
            hosts: HOSTS,
            zipf: true,
            compression: Compression::Lz4,
        }
    }

    /// The tenants and the partitions of each.
    pub(crate) fn tenants(&self) -> Vec<(String, u32)> {
        let name = |n| match n {
            0 => TENANT.to_owned(),
            n => format!("{TENANT}-{n}"),
        };
        (0..self.tenants)
            .map(|n| (name(n), self.partitions))
            .collect()
    }

    /// Their topics, and the partitions of each.
    pub(crate) fn topics(&self) -> Vec<(String, u32)> {
        let topic = |(tenant, partitions)| (format!("metrics.{tenant}"), partitions);
        self.tenants().into_iter().map(topic).collect()
    }

    /// How many lines each tenant has.
    pub(crate) fn shares(&self) -> Vec<u64> {
        let weight = |n: u32| {
            if self.zipf {
                1.0 / f64::from(n + 1)
            } else {
                1.0
            }
        };
        let all: f64 = (0..self.tenants).map(weight).sum();
        let mut left = self.lines;
        let mut shares: Vec<_> = (0..self.tenants)
            .map(|n| {
                let share = (self.lines as f64 * weight(n) / all) as u64;
                left -= share;
                share
            })
            .collect();
        // What rounding left over.
        shares[0] += left;
        shares
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_and_fall_as_zipf_has_it() {
        let load = Load {
            tenants: 40,
            ..Load::new(1_000_000, 1)
        };
        let shares = load.shares();
        assert_eq!(shares.iter().sum::<u64>(), 1_000_000);
        assert!(
            shares[0] > 19 * shares[19] && shares[39] > 5_000,
            "{shares:?}"
        );
        assert_eq!(load.topics()[1], ("metrics.bench-1".to_owned(), 12));
    }
}
