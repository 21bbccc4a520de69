//! What lies in the handoff that is not drained.

use crate::core::handoff::LaneId;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::Duration;
use stream::{Stream, StreamError, TopicPartition};
use tokio::sync::{Mutex, Semaphore};
use tokio::time::Instant;

/// How old what the drainer has committed may be.
const FRESH: Duration = Duration::from_millis(250);
/// So long the drainer is waited for before its partition is looked through.
const DRAINER: Duration = Duration::from_secs(1);
/// Where more records than this must be looked through, lines are taken to wait.
const MOST: i64 = 50_000;

pub(super) struct Waiting {
    stream: Stream,
    group: String,
    /// To be held while a partition is looked through.
    readers: Arc<Semaphore>,
    places: StdMutex<HashMap<TopicPartition, Arc<Mutex<Place>>>>,
}

/// One partition of a handoff topic.
#[derive(Default)]
struct Place {
    drained: Option<(Instant, i64)>,
    /// Up to where it was looked through.
    seen: i64,
    /// The last record with lines of each lane, as far as it was looked through.
    last: HashMap<LaneId, i64>,
}

impl Waiting {
    pub(super) fn new(stream: Stream, group: String, readers: Arc<Semaphore>) -> Self {
        Self {
            stream,
            group,
            readers,
            places: StdMutex::default(),
        }
    }

    /// The next offset that the drainer would read, a little ago.
    pub(super) async fn drained(&self, target: &TopicPartition) -> Result<i64, StreamError> {
        let place = self.place(target);
        let mut place = place.lock().await;
        self.drained_of(&mut place, target).await
    }

    /// Whether lines of a lane lie before `at` that are not drained, or may do so.
    ///
    /// Mostly nothing waits: then the drainer is past the record at `at` with its next commit. To look through the
    /// partition takes a client of its own, which for hundreds of lanes that are opened at once costs more than the wait.
    pub(super) async fn before(
        &self,
        target: &TopicPartition,
        lane: &LaneId,
        at: i64,
    ) -> Result<bool, StreamError> {
        let (place, began) = (self.place(target), Instant::now());
        let mut drained = self.drained(target).await?;
        while drained < at && began.elapsed() < DRAINER {
            tokio::time::sleep(FRESH).await;
            drained = self.drained(target).await?;
        }
        if drained >= at {
            return Ok(false);
        }
        let mut place = place.lock().await;
        if place.seen < at {
            let from = place.seen.max(drained);
            if at - from > MOST {
                return Ok(true);
            }
            // To the end: lanes that were opened meanwhile have their record before it, and need not look again.
            let end = self.stream.offsets(target).await?.end.min(from + MOST);
            let turn = self.readers.acquire().await;
            let _turn = turn.map_err(|_| StreamError::Closed)?;
            self.look_through(&mut place, target, from..end.max(at))
                .await?;
        }
        place.last.retain(|_, last| *last >= drained);
        Ok(place.last.contains_key(lane))
    }

    async fn drained_of(
        &self,
        place: &mut Place,
        target: &TopicPartition,
    ) -> Result<i64, StreamError> {
        if let Some((asked, drained)) = place.drained
            && asked.elapsed() < FRESH
        {
            return Ok(drained);
        }
        let sources = std::slice::from_ref(target);
        let committed = self.stream.committed(&self.group, sources).await?;
        // What the log no longer holds cannot be drained any more.
        let earliest = self.stream.offsets(target).await?.earliest;
        let drained = committed
            .first()
            .map_or(earliest, |commit| commit.next_offset);
        let drained = drained.max(earliest);
        place.drained = Some((Instant::now(), drained));
        Ok(drained)
    }

    async fn look_through(
        &self,
        place: &mut Place,
        target: &TopicPartition,
        offsets: Range<i64>,
    ) -> Result<(), StreamError> {
        let mut reader = self.stream.read(target, offsets.start).await?;
        place.seen = offsets.start;
        while place.seen < offsets.end {
            let batch = reader.next().await.ok_or(StreamError::Closed)??;
            for record in batch.records() {
                place.seen = record.offset + 1;
                let key = record.key.and_then(|key| std::str::from_utf8(key).ok());
                let lane = key.and_then(|key| key.parse().ok());
                if let Some(lane) = lane
                    && record.value.is_some_and(|value| !value.is_empty())
                {
                    place.last.insert(lane, record.offset);
                }
            }
        }
        Ok(())
    }

    fn place(&self, target: &TopicPartition) -> Arc<Mutex<Place>> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(places.entry(target.clone()).or_default())
    }
}
