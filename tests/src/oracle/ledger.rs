//! What was sent, what was answered, and so what is owed.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};

/// Everything that a producer did.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// When it began, nanoseconds since 1970: the time of point 0.
    pub begun: i64,
    /// By tenant.
    pub accounts: BTreeMap<String, Account>,
}

/// One tenant's part.
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// Points made so far: they have the numbers below it.
    pub made: u64,
    /// What was promised, in the order of the promises.
    pub lots: Vec<Lot>,
    /// Every request and its answer.
    pub answers: Vec<Answer>,
}

/// Points that one 2xx has promised.
#[derive(Clone, Debug)]
pub struct Lot {
    /// Their numbers.
    pub numbers: Range<u64>,
    /// When the request that was answered 2xx was sent.
    pub sent: Instant,
    /// When it was answered.
    pub promised: Instant,
}

/// The end of one request.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The numbers that it was about.
    pub numbers: Range<u64>,
    /// When it was sent.
    pub sent: Instant,
    /// How long it took.
    pub took: Duration,
    /// Its status; none when the connection failed.
    pub status: Option<u16>,
}

impl Account {
    /// Numbers that were sent more than once, because an earlier request was not answered 2xx.
    pub fn sent_again(&self) -> impl Iterator<Item = u64> {
        let broken = self.answers.iter().filter(|answer| {
            !answer
                .status
                .is_some_and(|status| (200..300).contains(&status))
        });
        broken.flat_map(|answer| answer.numbers.clone())
    }

    /// How many points were promised.
    pub fn promised(&self) -> u64 {
        let numbers = self.lots.iter().map(|lot| &lot.numbers);
        numbers.map(|numbers| numbers.end - numbers.start).sum()
    }
}

impl Ledger {
    /// How many points were promised, all tenants together.
    pub fn promised(&self) -> u64 {
        self.accounts.values().map(Account::promised).sum()
    }

    /// Every answer of every tenant.
    pub fn answers(&self) -> impl Iterator<Item = &Answer> {
        self.accounts.values().flat_map(|account| &account.answers)
    }

    /// How often each status was answered; `none` where there was no answer.
    pub fn statuses(&self) -> BTreeMap<String, usize> {
        let mut statuses = BTreeMap::new();
        for answer in self.answers() {
            let status = answer
                .status
                .map_or_else(|| "none".to_owned(), |status| status.to_string());
            *statuses.entry(status).or_default() += 1;
        }
        statuses
    }

    /// The longest time in which nobody was promised anything.
    pub fn longest_gap(&self) -> Duration {
        let lots = self.accounts.values().flat_map(|account| &account.lots);
        let mut promised: Vec<_> = lots.map(|lot| lot.promised).collect();
        promised.sort_unstable();
        let gaps = promised.windows(2).map(|pair| pair[1] - pair[0]);
        gaps.max().unwrap_or_default()
    }

    /// The slowest answer with this status.
    pub fn slowest(&self, status: u16) -> Duration {
        let with_status = self
            .answers()
            .filter(|answer| answer.status == Some(status));
        with_status
            .map(|answer| answer.took)
            .max()
            .unwrap_or_default()
    }
}

/// The time that so many of a hundred do not exceed; zero when there are none.
pub fn percentile(mut times: Vec<Duration>, of_hundred: usize) -> Duration {
    times.sort_unstable();
    let at = (times.len() * of_hundred / 100).min(times.len().saturating_sub(1));
    times.get(at).copied().unwrap_or_default()
}
