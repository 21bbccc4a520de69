//! The judge: asks where every promised point is, and whether it is what was sent.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use anyhow::{Context, Result};

use super::ledger::Ledger;
use super::point::{MEASUREMENT, Numbered};
use crate::{Influxdb, Kafka, StandIn, wait};

/// Dead letters are here, with their lines as values.
const DEAD_LETTERS: &str = "bongsu.deadletter";
/// As many examples are shown of whatever is wrong.
const SHOWN: usize = 5;

/// A place where points are stored.
#[derive(Clone, Copy, Debug)]
pub enum Shelf<'a> {
    /// A real InfluxDB.
    Influxdb(&'a Influxdb),
    /// One that answers as scripted.
    StandIn(&'a StandIn),
}

/// Where everything may be.
#[derive(Clone, Debug)]
pub struct Judge<'a> {
    /// The stores.
    pub shelves: Vec<Shelf<'a>>,
    /// The log, for its dead letters.
    pub kafka: &'a Kafka,
    /// How many stores are to hold each point.
    pub copies: usize,
}

/// The account of a ledger: every promised point has an end, and nothing is what it should not be.
#[derive(Clone, Debug, Default)]
pub struct Balance {
    /// Points promised.
    pub promised: u64,
    /// Of them, stored with the right value and time, in as many places as wanted.
    pub stored: u64,
    /// Of them, dead-lettered.
    pub dead: u64,
    /// Stored without a promise, as what was under way when something was killed.
    pub unpromised: u64,
    /// Promised, and nowhere, or in too few places.
    pub lost: Vec<String>,
    /// Held with another value or time, by another tenant, or never made.
    pub wrong: Vec<String>,
}

impl Judge<'_> {
    /// Asks now.
    ///
    /// # Errors
    /// When a store or the log does not answer.
    pub async fn balance(&self, ledger: &Ledger) -> Result<Balance> {
        let mut balance = Balance::default();
        let dead = self.dead().await?;
        for (tenant, account) in &ledger.accounts {
            let mut places: BTreeMap<u64, usize> = BTreeMap::new();
            for shelf in &self.shelves {
                for point in shelf.points(tenant).await? {
                    if point.is_true(ledger.begun) && point.number < account.made {
                        *places.entry(point.number).or_default() += 1;
                    } else {
                        balance.wrong.push(format!("{tenant}: {point:?}"));
                    }
                }
            }
            let mut promised = BTreeSet::new();
            for number in account.lots.iter().flat_map(|lot| lot.numbers.clone()) {
                promised.insert(number);
                let copies = places.get(&number).copied().unwrap_or(0);
                if copies >= self.copies {
                    balance.stored += 1;
                } else if dead.contains(&(tenant.clone(), number)) {
                    balance.dead += 1;
                } else {
                    balance
                        .lost
                        .push(format!("{tenant} {number} ({copies} of {})", self.copies));
                }
            }
            balance.promised += promised.len() as u64;
            let unpromised = places.keys().filter(|number| !promised.contains(number));
            balance.unpromised += unpromised.count() as u64;
        }
        Ok(balance)
    }

    /// Asks until nothing is missing.
    ///
    /// # Panics
    /// When something still is at the deadline, or anything is wrong.
    #[track_caller]
    pub fn keeps(&self, ledger: &Ledger, within: Duration) -> impl Future<Output = Balance> {
        let asked = wait::until(within, async || {
            let balance = self.balance(ledger).await?;
            anyhow::ensure!(
                balance.wrong.is_empty() && balance.lost.is_empty(),
                "{balance}"
            );
            Ok(Some(balance))
        });
        async {
            asked
                .await
                .unwrap_or_else(|error| panic!("a promise is broken: {error:#}"))
        }
    }

    /// Points of a tenant that its topic holds more often than their agent had a reason to send them: repeated by the
    /// product itself.
    ///
    /// # Errors
    /// When the log does not answer.
    pub async fn repeated_by_itself(&self, ledger: &Ledger, tenant: &str) -> Result<Vec<u64>> {
        let account = ledger.accounts.get(tenant).context("no such tenant")?;
        let mut allowed: BTreeMap<u64, usize> = BTreeMap::new();
        for number in account.sent_again() {
            *allowed.entry(number).or_default() += 1;
        }
        let mut times: BTreeMap<u64, usize> = BTreeMap::new();
        for record in self.kafka.read_all(&format!("metrics.{tenant}")).await? {
            for line in record.text().lines() {
                if let Some(point) = Numbered::read(line)? {
                    *times.entry(point.number).or_default() += 1;
                }
            }
        }
        let most = |number: &u64| 1 + allowed.get(number).copied().unwrap_or(0);
        let too_often = times
            .iter()
            .filter(|(number, times)| **times > most(number));
        Ok(too_often.map(|(number, _)| *number).collect())
    }

    /// Tenants and numbers of the oracle's lines among the dead letters.
    async fn dead(&self) -> Result<BTreeSet<(String, u64)>> {
        let mut dead = BTreeSet::new();
        for letter in self.kafka.read_all(DEAD_LETTERS).await? {
            let Some(point) = Numbered::read(&letter.text())? else {
                continue;
            };
            let header = |name: &str| {
                let found = letter.headers.iter().find(|(key, _)| key == name);
                found.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
            };
            let tenant = header("tenant").context("a dead letter has no header `tenant`")?;
            dead.insert((tenant, point.number));
        }
        Ok(dead)
    }
}

impl Shelf<'_> {
    /// The oracle's points of a tenant.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn points(&self, tenant: &str) -> Result<Vec<Numbered>> {
        match self {
            Self::Influxdb(influxdb) => stored(influxdb, tenant).await,
            Self::StandIn(stand_in) => stand_in
                .lines(tenant)
                .iter()
                .filter_map(|line| Numbered::read(line).transpose())
                .collect(),
        }
    }
}

async fn stored(influxdb: &Influxdb, tenant: &str) -> Result<Vec<Numbered>> {
    let flux = format!(
        "from(bucket: \"{tenant}\") |> range(start: 0, stop: 2200-01-01T00:00:00Z)\
         |> filter(fn: (r) => r._measurement == \"{MEASUREMENT}\")\
         |> keep(columns: [\"_time\", \"_value\", \"number\"]) |> group()"
    );
    let rows = match influxdb.query(&flux).await {
        Err(error) if format!("{error:#}").contains("could not find bucket") => Vec::new(),
        rows => rows?,
    };
    let read = |row: &crate::influxdb::Row| -> Result<Numbered> {
        let get = |name: &str| {
            row.get(name)
                .with_context(|| format!("a row has no {name}"))
        };
        let time: jiff::Timestamp = get("_time")?.parse()?;
        Ok(Numbered {
            number: get("number")?.parse()?,
            value: get("_value")?.parse()?,
            time: i64::try_from(time.as_nanosecond())?,
        })
    };
    rows.iter().map(read).collect()
}

impl fmt::Display for Balance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            promised,
            stored,
            dead,
            unpromised,
            lost,
            wrong,
        } = self;
        write!(
            f,
            "{promised} points promised: {stored} stored, {dead} dead-lettered, {} lost; {} wrong; {unpromised} \
             stored without a promise",
            lost.len(),
            wrong.len()
        )?;
        for (what, examples) in [("lost", lost), ("wrong", wrong)] {
            if !examples.is_empty() {
                write!(f, "; {what}: {:?}", &examples[..examples.len().min(SHOWN)])?;
            }
        }
        Ok(())
    }
}
