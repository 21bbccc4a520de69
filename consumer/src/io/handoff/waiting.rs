//! What lies in the handoff that is not drained.

use crate::core::handoff::LaneId;
use std::collections::{BTreeSet, HashMap};
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
/// How often a lane looks whether its question is answered meanwhile.
const AGAIN: Duration = Duration::from_millis(50);
/// So many offsets of own records are remembered that do not follow on what is known.
const LOOSE: usize = 10_000;
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
    known: Known,
}

/// What is known of a partition's records: those of this process, and what was looked through.
#[derive(Debug, Default)]
struct Known {
    /// All records from where the drainer was up to here are known.
    seen: i64,
    /// Offsets behind that of which the same holds.
    loose: BTreeSet<i64>,
    /// The last record with lines of each lane, as far as it is known.
    last: HashMap<LaneId, i64>,
}

impl Known {
    /// A record lies there: with lines of a lane, or with none.
    fn note(&mut self, at: i64, lines_of: Option<&LaneId>) {
        if let Some(lane) = lines_of {
            let last = self.last.entry(lane.clone()).or_insert(at);
            *last = at.max(*last);
        }
        if at >= self.seen && self.loose.len() < LOOSE {
            self.loose.insert(at);
        }
        self.close_up();
    }

    /// What lies before that is done.
    fn drained(&mut self, next_offset: i64) {
        self.read_up_to(next_offset);
        self.last.retain(|_, last| *last >= next_offset);
    }

    /// Everything up to there was read.
    fn read_up_to(&mut self, next_offset: i64) {
        self.seen = self.seen.max(next_offset);
        self.loose = self.loose.split_off(&self.seen);
        self.close_up();
    }

    fn close_up(&mut self) {
        while self.loose.remove(&self.seen) {
            self.seen += 1;
        }
    }

    /// Whether lines of a lane lie before an offset; none where not all records before it are known.
    fn waits(&self, lane: &LaneId, before: i64) -> Option<bool> {
        (self.seen >= before).then(|| self.last.contains_key(lane))
    }
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

    /// A record of this process lies there: with lines of a lane, or with none.
    pub(super) async fn note(&self, target: &TopicPartition, at: i64, lines_of: Option<&LaneId>) {
        let place = self.place(target);
        place.lock().await.known.note(at, lines_of);
    }

    /// Whether lines of a lane lie before `at` that are not drained, or may do so.
    ///
    /// Mostly nothing waits: then the drainer is past the record at `at` with its next commit, or all records that it is
    /// not past are of this process, which knows them. To look through the partition takes a client of its own, which
    /// for hundreds of lanes that are opened at once costs more than the wait.
    pub(super) async fn before(
        &self,
        target: &TopicPartition,
        lane: &LaneId,
        at: i64,
    ) -> Result<bool, StreamError> {
        let (place, began) = (self.place(target), Instant::now());
        loop {
            let mut place = place.lock().await;
            let drained = self.drained_of(&mut place, target).await?;
            if drained >= at {
                return Ok(false);
            }
            place.known.drained(drained);
            if let Some(waits) = place.known.waits(lane, at) {
                return Ok(waits);
            }
            if began.elapsed() >= DRAINER {
                break;
            }
            drop(place);
            tokio::time::sleep(AGAIN).await;
        }
        let mut place = place.lock().await;
        let from = place.known.seen;
        if from < at {
            if at - from > MOST {
                return Ok(true);
            }
            // To the end: lanes that were opened meanwhile have their record before it, and need not look again.
            let end = self.stream.offsets(target).await?.end.min(from + MOST);
            let turn = self.readers.acquire().await;
            let _turn = turn.map_err(|_| StreamError::Closed)?;
            self.look_through(&mut place.known, target, from..end.max(at))
                .await?;
        }
        Ok(place.known.waits(lane, at).unwrap_or(true))
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
        known: &mut Known,
        target: &TopicPartition,
        offsets: Range<i64>,
    ) -> Result<(), StreamError> {
        let mut reader = self.stream.read(target, offsets.start).await?;
        let mut next = offsets.start;
        while next < offsets.end {
            let batch = reader.next().await.ok_or(StreamError::Closed)??;
            for record in batch.records() {
                next = record.offset + 1;
                let key = record.key.and_then(|key| std::str::from_utf8(key).ok());
                let lane: Option<LaneId> = key.and_then(|key| key.parse().ok());
                let lines = record.value.is_some_and(|value| !value.is_empty());
                known.note(record.offset, lane.as_ref().filter(|_| lines));
                // An offset that the log leaves out holds nothing.
                known.read_up_to(next);
            }
        }
        Ok(())
    }

    fn place(&self, target: &TopicPartition) -> Arc<Mutex<Place>> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(places.entry(target.clone()).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(partition: u32) -> LaneId {
        LaneId {
            topic: model::TopicName::metrics(&model::TenantId::parse("acme").unwrap(), 0),
            partition,
            replica: 0,
        }
    }

    #[test]
    fn who_wrote_all_that_is_not_drained_needs_not_read_it() {
        let mut known = Known::default();
        let (one, other) = (lane(1), lane(2));
        // Answers come in any order.
        known.note(7, None);
        known.note(9, None);
        known.note(6, Some(&one));
        known.drained(5);
        assert_eq!(known.waits(&one, 7), None, "nobody knows what lies at 5");
        known.drained(6);
        assert_eq!(known.waits(&one, 8), Some(true));
        assert_eq!(known.waits(&other, 8), Some(false));
        assert_eq!(known.waits(&other, 10), None, "somebody else's lies at 8");
        known.read_up_to(9);
        assert_eq!(known.waits(&other, 10), Some(false));
        known.drained(7);
        assert_eq!(known.waits(&one, 10), Some(false), "it is drained");
    }

    #[test]
    fn what_is_remembered_is_bounded_and_less_of_it_is_only_a_question_more() {
        let mut known = Known::default();
        for at in 1..3 * LOOSE as i64 {
            known.note(at, None);
        }
        assert_eq!(known.loose.len(), LOOSE);
        known.drained(1);
        let up_to = LOOSE as i64 + 1;
        assert_eq!(known.waits(&lane(1), up_to), Some(false));
        assert_eq!(known.waits(&lane(1), up_to + 1), None);
    }
}
