//! The records of one partition on their way into the core, a few at a time.

use crate::core::Payload;
use crate::io::plans::PlanBook;
use crate::io::queue::BatchReceiver;
use crate::io::record::payload;
use model::TenantId;
use stream::{Batch, Record};

/// Records between two looks at everything else that the task has to do.
const RECORDS: usize = 256;
/// Bytes of values likewise.
const BYTES: usize = 256 << 10;

/// What waits for the core.
pub(crate) struct Intake {
    queue: BatchReceiver,
    current: Option<Current>,
}

struct Current {
    batch: Batch,
    next: usize,
    settled: bool,
}

impl Intake {
    /// Takes its batches from there.
    pub(crate) fn new(queue: BatchReceiver) -> Self {
        Self {
            queue,
            current: None,
        }
    }

    /// Whether no record is here to be evaluated.
    pub(crate) fn is_idle(&self) -> bool {
        self.current.is_none() && self.queue.is_empty()
    }

    /// Waits until records can be evaluated; none when no more will come. Cancel-safe.
    ///
    /// A mark of a bundle that is not known here may be true all the same: this process' copy of
    /// the catalogue may be behind. The owner wrote the mark after the catalogue had the bundle, so
    /// a copy that has read to the catalogue's end as it is after the mark was read knows it, or
    /// the mark is forged.
    pub(crate) async fn ready(&mut self, book: &PlanBook, tenant: &TenantId) -> Option<()> {
        match &self.current {
            None => {
                let batch = self.queue.pop().await?;
                self.current = Some(Current {
                    batch,
                    next: 0,
                    settled: false,
                });
            }
            Some(_) => tokio::task::yield_now().await,
        }
        if let Some(current) = self.current.as_mut().filter(|current| !current.settled) {
            if names_unknown_bundle(&current.batch, book, tenant) {
                book.settled().await;
            }
            current.settled = true;
        }
        Some(())
    }

    /// Gives some of the records to `take`, which says whether it takes another one.
    pub(crate) fn feed(&mut self, mut take: impl FnMut(&Record<'_>) -> bool) {
        let Some(current) = &mut self.current else {
            return;
        };
        let mut bytes = 0;
        for record in current.batch.records().skip(current.next).take(RECORDS) {
            current.next += 1;
            bytes += record.value.map_or(0, <[u8]>::len);
            if !take(&record) || bytes >= BYTES {
                break;
            }
        }
        if current.next >= current.batch.len() {
            self.current = None;
        }
    }
}

fn names_unknown_bundle(batch: &Batch, book: &PlanBook, tenant: &TenantId) -> bool {
    let plans = book.of(tenant);
    batch
        .records()
        .filter(|record| record.value.is_none())
        .any(|record| match payload(&record) {
            Payload::BundleMark { revision, hash } => plans.get(revision, hash).is_none(),
            Payload::Lines(_)
            | Payload::Read(_)
            | Payload::Tick
            | Payload::Derived { .. }
            | Payload::Unknown => false,
        })
}
