//! What the router knows of a tenant, shared by all its requests.

use super::answer::Refusal;
use super::budget::Budget;
use super::clusters::Cluster;
use super::packing::Lanes;
use crate::core::bucket::Bucket;
use crate::core::limits::Limits;
use crate::core::series::SeriesWindow;
use crate::core::sort::Sorted;
use crate::metrics::TenantMetrics;
use model::{Span, TenantId, TopicName};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// A tenant. Its terms change live; what it has taken and what is open for it stays.
pub(super) struct Tenant {
    pub(super) id: TenantId,
    pub(super) topic: TopicName,
    terms: RwLock<Terms>,
    rates: Mutex<Rates>,
    series: Mutex<SeriesWindow>,
    lanes: Mutex<Lanes>,
    /// Its account of the process's bytes.
    pub(super) bytes: Budget,
    /// Its account of the process's requests.
    pub(super) places: Budget,
    pub(super) metrics: TenantMetrics,
}

/// What the catalogue says of it now.
#[derive(Clone)]
pub(super) struct Terms {
    pub(super) limits: Limits,
    /// Its home; none when the configuration does not know the one that is named.
    pub(super) cluster: Option<Arc<Cluster>>,
    pub(super) cluster_name: Arc<str>,
    /// Whether it may write nothing for the time being.
    pub(super) suspended: bool,
}

/// What is over its rate, and for how long.
struct Rates {
    bytes: Option<(u64, Bucket)>,
    points: Option<(u64, Bucket)>,
}

impl Tenant {
    pub(super) fn new(
        id: &TenantId,
        terms: Terms,
        budgets: (Budget, Budget),
        metrics: TenantMetrics,
        (burst, now): (Span, i64),
    ) -> Self {
        let mut rates = Rates {
            bytes: None,
            points: None,
        };
        rates.change(&terms.limits, burst, now);
        Self {
            topic: TopicName::metrics(id, 1),
            id: id.clone(),
            rates: Mutex::new(rates),
            series: Mutex::new(SeriesWindow::new(terms.limits.series)),
            terms: RwLock::new(terms),
            lanes: Mutex::default(),
            bytes: budgets.0,
            places: budgets.1,
            metrics,
        }
    }

    pub(super) fn terms(&self) -> Terms {
        self.terms
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Whether it may write nothing for the time being.
    pub(super) fn is_suspended(&self) -> bool {
        self.terms
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .suspended
    }

    /// Other terms are in force from now on.
    pub(super) fn change(&self, terms: Terms, burst: Span, now: i64) {
        self.rates().change(&terms.limits, burst, now);
        self.series().allow(terms.limits.series);
        *self.terms.write().unwrap_or_else(PoisonError::into_inner) = terms;
    }

    /// Lets a request in, or says after how long it shall come again.
    pub(super) fn admit(&self, now: i64) -> Result<(), Refusal> {
        let mut rates = self.rates();
        admit(&mut rates.bytes, "bytes_per_s", now)?;
        admit(&mut rates.points, "points_per_s", now)
    }

    /// Charges the bytes of a body.
    pub(super) fn charge_bytes(&self, bytes: usize, now: i64) -> Result<(), Refusal> {
        let mut rates = self.rates();
        admit(&mut rates.bytes, "bytes_per_s", now)?;
        if let Some((_, bucket)) = &mut rates.bytes {
            bucket.charge(bytes);
        }
        Ok(())
    }

    /// Charges the lines of a body that were taken: how many there are is known last, and the next bodies pay.
    pub(super) fn charge_points(&self, lines: usize) {
        if let Some((_, bucket)) = &mut self.rates().points {
            bucket.charge(lines);
        }
    }

    /// Counts the series of a body's lines, and takes out those that are too many.
    pub(super) fn count_series(&self, sorted: &mut Sorted<'_>, now: i64, window: Span) {
        let mut series = self.series();
        series.slide(now, window.as_nanos());
        sorted.count_series(&mut series);
        self.metrics.active_series(series.len());
    }

    /// The messages that are open for it. Never to be held over an await.
    pub(super) fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rates(&self) -> MutexGuard<'_, Rates> {
        self.rates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn series(&self) -> MutexGuard<'_, SeriesWindow> {
        self.series.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rates {
    fn change(&mut self, limits: &Limits, burst: Span, now: i64) {
        let change = |known: &mut Option<(u64, Bucket)>, per_s: Option<u64>| {
            *known = match (known.take(), per_s) {
                (_, None) => None,
                (Some((known, bucket)), Some(per_s)) if known == per_s => Some((known, bucket)),
                (Some((_, bucket)), Some(per_s)) => {
                    Some((per_s, bucket.at_rate(per_s, burst, now)))
                }
                (None, Some(per_s)) => Some((per_s, Bucket::new(per_s, burst, now))),
            };
        };
        change(&mut self.bytes, limits.bytes_per_s);
        change(&mut self.points, limits.points_per_s);
    }
}

fn admit(rate: &mut Option<(u64, Bucket)>, limit: &'static str, now: i64) -> Result<(), Refusal> {
    let Some((per_s, bucket)) = rate else {
        return Ok(());
    };
    bucket.admit(now).map_err(|after| Refusal::Limited {
        limit,
        per_s: *per_s,
        after,
    })
}
