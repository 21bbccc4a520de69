//! The conservation account of a partition: every line that was read has one fate in every place
//! that is to hold it.

use std::fmt;
use std::ops::AddAssign;
use std::str::FromStr;

/// What became of lines. A line counts once for each replica; one that is no line protocol, and so
/// has no place, counts once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fates {
    /// A store holds them.
    pub stored: u64,
    /// The dead-letter topic holds them.
    pub dead_lettered: u64,
    /// The handoff topic of their shard holds them; its lane has an account of its own.
    pub handed_off: u64,
}

impl Fates {
    /// How many lines have a fate.
    pub fn sum(&self) -> u64 {
        self.stored + self.dead_lettered + self.handed_off
    }
}

impl AddAssign for Fates {
    fn add_assign(&mut self, other: Self) {
        self.stored += other.stored;
        self.dead_lettered += other.dead_lettered;
        self.handed_off += other.handed_off;
    }
}

/// Running sums over the committed offsets of one partition. They travel in the commit's metadata,
/// so that they are exactly as old as the offset beside them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Account {
    /// Lines read.
    pub read: u64,
    /// Fates that they must have: the sum of their replicas. Without replication it is `read`.
    pub copies: u64,
    /// Fates that they have.
    pub fates: Fates,
    /// Replicas of a line that were in force last.
    pub replicas: u32,
    /// Records that were gone from the log before they could be read.
    pub lost_records: u64,
}

/// Why a commit's metadata holds no account.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no account")]
pub struct ParseAccountError(String);

impl Account {
    /// Whether every line read has its fate in every place.
    pub fn is_balanced(&self) -> bool {
        self.copies == self.fates.sum()
    }

    /// Adds the sums of what was read behind it.
    pub fn add(&mut self, later: &Self) {
        self.read += later.read;
        self.copies += later.copies;
        self.fates += later.fates;
        self.lost_records += later.lost_records;
        if later.replicas > 0 {
            self.replicas = later.replicas;
        }
    }
}

impl fmt::Display for Account {
    /// The form of the metadata: `v1;read=5;stored=8;dead=2;handed=0;replicas=2;copies=10;lost=0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fates {
            stored,
            dead_lettered,
            handed_off,
        } = self.fates;
        write!(
            f,
            "v1;read={};stored={stored};dead={dead_lettered};handed={handed_off};replicas={};\
             copies={};lost={}",
            self.read, self.replicas, self.copies, self.lost_records
        )
    }
}

impl FromStr for Account {
    type Err = ParseAccountError;

    /// Keys that are not known are left out: a newer version may write more.
    fn from_str(text: &str) -> Result<Self, ParseAccountError> {
        let refuse = || ParseAccountError(text.chars().take(80).collect());
        // The first releases wrote spaces.
        let mut words = text.split([';', ' ']);
        if words.next() != Some("v1") {
            return Err(refuse());
        }
        let mut account = Self::default();
        let (mut read, mut copies) = (None, None);
        for word in words {
            let (key, value) = word.split_once('=').ok_or_else(refuse)?;
            let sum: u64 = match key {
                "read" | "stored" | "dead" | "handed" | "replicas" | "copies" | "lost" => {
                    value.parse().map_err(|_| refuse())?
                }
                _ => continue,
            };
            match key {
                "read" => read = Some(sum),
                "stored" => account.fates.stored = sum,
                "dead" => account.fates.dead_lettered = sum,
                "handed" => account.fates.handed_off = sum,
                "replicas" => account.replicas = u32::try_from(sum).map_err(|_| refuse())?,
                "copies" => copies = Some(sum),
                _ => account.lost_records = sum,
            }
        }
        account.read = read.ok_or_else(refuse)?;
        account.copies = copies.unwrap_or(account.read);
        Ok(account)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: Account = Account {
        read: 5,
        copies: 10,
        fates: Fates {
            stored: 7,
            dead_lettered: 1,
            handed_off: 2,
        },
        replicas: 2,
        lost_records: 3,
    };

    #[test]
    fn metadata_reads_what_it_writes() {
        // The wire form of version 1: a newer program must read it.
        let text = "v1;read=5;stored=7;dead=1;handed=2;replicas=2;copies=10;lost=3";
        assert_eq!(ACCOUNT.to_string(), text);
        assert_eq!(text.parse(), Ok(ACCOUNT));
        assert_eq!(format!("{text};gen=17;later=x").parse(), Ok(ACCOUNT));
        assert!(ACCOUNT.is_balanced());
        let huge = Account {
            read: u64::MAX,
            ..ACCOUNT
        };
        assert_eq!(huge.to_string().parse(), Ok(huge));
    }

    #[test]
    fn metadata_of_the_first_releases_is_read() {
        let account: Account = "v1 read=5 stored=4 dead=1 lost=0".parse().unwrap();
        assert_eq!((account.read, account.copies), (5, 5));
        assert!(account.is_balanced());
    }

    #[test]
    fn metadata_of_others_is_refused() {
        for text in [
            "",
            "v2;read=1",
            "v1",
            "v1;read=1;stored=x",
            "v1;read=-1",
            "v1;replicas=1",
            "{}",
        ] {
            assert!(text.parse::<Account>().is_err(), "{text}");
        }
    }
}
