//! Where the client reads: partitions started, moved, paused and resumed.

use super::client::{failure, number};
use super::consumer::Polling;
use super::state::Answer;
use super::watch::Watch;
use crate::{StreamError, TopicPartition};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::time::Duration;

/// A member that takes nothing for so long has its partitions paused, so that the group stays
/// served.
const CHOKE: Duration = Duration::from_secs(5);
const CHOKED: Duration = Duration::from_millis(2);
const SEEK: Duration = Duration::from_secs(1);
const SEEK_TRIES: u32 = 5;

impl Polling {
    /// Starts partitions: new ones all together, others each from where it is.
    pub(super) fn start(&mut self, starts: Vec<(TopicPartition, i64, Answer)>) {
        let revoking = self.state.held.values().any(|held| held.revoking);
        let mut fresh = BTreeMap::<usize, (TopicPartitionList, Vec<_>)>::new();
        for (source, offset, answer) in starts {
            let held = self
                .state
                .held
                .get_mut(&source)
                .filter(|held| !held.revoking);
            let Some(held) = held else {
                let reason = format!("{source} is not assigned to this member");
                answer
                    .send(Err(StreamError::Fenced { reason }))
                    .unwrap_or_default();
                continue;
            };
            let reading = held.assigned && held.next.is_some();
            if held.assigned && !reading && revoking {
                // An unassign now would end the revocation before the member is done with it.
                self.state.later.push((source, offset, answer));
                continue;
            }
            self.state.gather.forget(&source);
            self.state.ready.retain(|batch| *batch.source() != source);
            if reading {
                let moved = match self.fetchers.consumer(&source) {
                    Some(consumer) => seek(consumer, &source, offset),
                    None => Err(StreamError::Closed),
                };
                if moved.is_ok() {
                    held.next = Some(offset);
                }
                answer.send(moved).unwrap_or_default();
                continue;
            }
            if held.assigned {
                self.fetchers.unassign(std::slice::from_ref(&source));
                held.assigned = false;
            }
            held.flows = false;
            let slice = match self.fetchers.attach(&source) {
                Ok(slice) => slice,
                Err(error) => {
                    answer.send(Err(error)).unwrap_or_default();
                    continue;
                }
            };
            let (list, starts) = fresh.entry(slice).or_default();
            let (topic, partition) = (source.topic.as_str(), number(source.partition));
            let added = list.add_partition_offset(topic, partition, Offset::Offset(offset));
            match added {
                Ok(()) => starts.push((source, offset, answer)),
                Err(error) => {
                    self.fetchers.detach(std::slice::from_ref(&source));
                    answer.send(Err(failure(&error))).unwrap_or_default();
                }
            }
        }
        for (slice, (list, starts)) in fresh {
            self.assign(slice, &list, starts);
        }
    }

    fn assign(
        &mut self,
        slice: usize,
        fresh: &TopicPartitionList,
        starts: Vec<(TopicPartition, i64, Answer)>,
    ) {
        if starts.is_empty() {
            return;
        }
        let assigned = self.fetchers.assign(slice, fresh);
        for (source, offset, answer) in starts {
            match (&assigned, self.state.held.get_mut(&source)) {
                (Ok(()), Some(held)) => {
                    (held.assigned, held.next) = (true, Some(offset));
                    if held.paused || self.state.choked {
                        self.fetchers.steer([&source], true);
                    }
                }
                _ => self.fetchers.detach(std::slice::from_ref(&source)),
            }
            answer.send(assigned.clone()).unwrap_or_default();
        }
    }

    pub(super) fn pause(&mut self, source: &TopicPartition, paused: bool) {
        if let Some(held) = self.state.held.get_mut(source) {
            held.paused = paused;
            if held.assigned && !self.state.choked {
                self.fetchers.steer([source], paused);
            }
        }
    }

    /// Keeps the group served while the member takes nothing.
    pub(super) fn choke(&mut self) {
        let full = *self
            .state
            .full
            .get_or_insert_with(|| self.clock.stopwatch());
        if !self.state.choked && full.elapsed() >= CHOKE {
            self.state.choked = true;
            self.steer_all(true);
        }
        if self.state.choked {
            self.read();
        }
        std::thread::sleep(CHOKED);
    }

    pub(super) fn unchoke(&mut self) {
        self.state.full = None;
        if std::mem::take(&mut self.state.choked) {
            self.steer_all(false);
        }
    }

    fn steer_all(&self, paused: bool) {
        let reading = self
            .state
            .held
            .iter()
            .filter(|(_, held)| held.assigned && !held.paused);
        self.fetchers
            .steer(reading.map(|(source, _)| source), paused);
    }
}

pub(super) fn steer<'a>(
    consumer: &BaseConsumer<Watch>,
    sources: impl IntoIterator<Item = &'a TopicPartition>,
    paused: bool,
) {
    let mut list = TopicPartitionList::new();
    for source in sources {
        list.add_partition(source.topic.as_str(), number(source.partition));
    }
    if list.count() == 0 {
        return;
    }
    let steered = if paused {
        consumer.pause(&list)
    } else {
        consumer.resume(&list)
    };
    if let Err(error) = steered {
        tracing::warn!(%error, paused, "partitions could not be paused or resumed");
    }
}

/// Moves a partition that is being read. A fetch that is just starting takes no seek: then again.
fn seek(
    consumer: &BaseConsumer<Watch>,
    source: &TopicPartition,
    offset: i64,
) -> Result<(), StreamError> {
    let mut last = String::new();
    for _ in 0..SEEK_TRIES {
        let mut list = TopicPartitionList::with_capacity(1);
        list.add_partition_offset(
            source.topic.as_str(),
            number(source.partition),
            Offset::Offset(offset),
        )
        .map_err(|e| failure(&e))?;
        let sought = consumer.seek_partitions(list, SEEK).and_then(|list| {
            list.elements()
                .iter()
                .try_for_each(|element| element.error())
        });
        match sought {
            Ok(()) => return Ok(()),
            Err(error) => last = error.to_string(),
        }
        std::thread::sleep(CHOKED);
    }
    Err(StreamError::Unreachable {
        reason: format!("{source} could not be moved to {offset}: {last}"),
    })
}
