//! The conservation account of a partition: every line that was read has exactly one fate.

use std::fmt;
use std::str::FromStr;

/// Running sums over the committed offsets of one partition. They travel in the commit's metadata,
/// so that they are exactly as old as the offset beside them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Account {
    /// Lines read.
    pub read: u64,
    /// Lines that the store holds.
    pub stored: u64,
    /// Lines in the dead-letter topic.
    pub dead_lettered: u64,
    /// Records that were gone from the log before they could be read.
    pub lost_records: u64,
}

/// Why a commit's metadata holds no account.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no account")]
pub struct ParseAccountError(String);

impl Account {
    /// Whether every line read has a fate.
    pub fn is_balanced(&self) -> bool {
        self.read == self.stored + self.dead_lettered
    }

    /// Adds the sums of another.
    pub fn add(&mut self, other: &Self) {
        self.read += other.read;
        self.stored += other.stored;
        self.dead_lettered += other.dead_lettered;
        self.lost_records += other.lost_records;
    }
}

impl fmt::Display for Account {
    /// The form of the metadata: `v1 read=5 stored=4 dead=1 lost=0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            read,
            stored,
            dead_lettered,
            lost_records,
        } = self;
        write!(
            f,
            "v1 read={read} stored={stored} dead={dead_lettered} lost={lost_records}"
        )
    }
}

impl FromStr for Account {
    type Err = ParseAccountError;

    fn from_str(text: &str) -> Result<Self, ParseAccountError> {
        let refuse = || ParseAccountError(text.chars().take(80).collect());
        let mut words = text.split(' ');
        if words.next() != Some("v1") {
            return Err(refuse());
        }
        let mut sum = |name: &str| {
            words
                .next()
                .and_then(|word| word.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
                .ok_or_else(refuse)
        };
        Ok(Self {
            read: sum("read")?,
            stored: sum("stored")?,
            dead_lettered: sum("dead")?,
            lost_records: sum("lost")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_reads_what_it_writes() {
        let account = Account {
            read: u64::MAX,
            stored: 4,
            dead_lettered: 1,
            lost_records: 7,
        };
        assert_eq!(account.to_string().parse(), Ok(account));
        // The wire form of version 1: a newer program must read it.
        assert_eq!(
            "v1 read=5 stored=4 dead=1 lost=0".parse(),
            Ok(Account {
                read: 5,
                stored: 4,
                dead_lettered: 1,
                lost_records: 0
            })
        );
    }

    #[test]
    fn metadata_of_others_is_refused() {
        for text in [
            "",
            "v2 read=1",
            "v1",
            "v1 read=1 stored=x dead=0 lost=0",
            "{}",
        ] {
            assert!(text.parse::<Account>().is_err(), "{text}");
        }
    }
}
