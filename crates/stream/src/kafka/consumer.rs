//! The thread of a member: polls, keeps the member's partitions, and obeys it; it never waits for
//! the member.
//!
//! A partition that the group gives becomes part of the client's assignment only when the member
//! starts it, with the member's offset; so nothing can be read before, and nothing is skipped.
//! (librdkafka lets an application call `incremental_assign` at any time, and names the group's own
//! view of the assignment, not this one, when it joins again.)

use super::client::{blocking, failure};
use super::fetchers::Fetchers;
use super::gather::Admitted;
use super::member::Shared;
use super::ranges::watermarks;
use super::reader::out_of_range;
use super::state::{Answer, Held, State};
use super::watch::{Rebalance, Watch};
use crate::pump::Control;
use crate::{GroupEvent, StreamError, TopicPartition};
use kafka_batch::Polled;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use runtime::clock::Stopwatch;
use runtime::{Clock, OnEnd, Tasks};
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc as orders;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// How long a poll waits for the first message, and an order for its obedience.
const POLL: Duration = Duration::from_millis(5);
/// Batches are handed on at least so often.
const GATHER: Duration = Duration::from_millis(5);
/// How often partitions of which nothing came are attached once more.
const ATTACH_AGAIN: Duration = Duration::from_secs(1);

/// What the member, or its events, want of the thread.
pub(super) enum Command {
    Start(TopicPartition, i64, Answer),
    Pause(TopicPartition, bool),
    Hold(bool),
    Released(Vec<TopicPartition>),
    Leave(oneshot::Sender<()>),
    Gone,
    /// Where a partition was whose offset is not in the log.
    OutOfRange(TopicPartition, StreamError),
}

/// State of the thread.
pub(super) struct Polling {
    pub(super) consumer: Arc<BaseConsumer<Watch>>,
    /// Read the partitions that were started.
    pub(super) fetchers: Fetchers,
    /// Whether headers are read.
    pub(super) headers: bool,
    pub(super) shared: Arc<Shared>,
    pub(super) clock: Clock,
    pub(super) tasks: Tasks,
    pub(super) runtime: tokio::runtime::Handle,
    pub(super) orders: orders::Receiver<Command>,
    pub(super) own_orders: orders::Sender<Command>,
    pub(super) controls: mpsc::UnboundedSender<Control>,
    pub(super) events: mpsc::Sender<GroupEvent>,
    pub(super) state: State,
}

impl Polling {
    /// Works until the member has left, or is gone.
    pub(super) fn run(mut self) {
        loop {
            self.obey();
            while let Some(rebalance) = self.consumer.context().next() {
                self.rebalance(rebalance);
            }
            let done =
                self.state.gone || (self.state.leaving.is_some() && self.state.held.is_empty());
            if done {
                break;
            }
            self.hand_on();
            if self.state.held_up {
                self.wait();
            } else if self.state.ready.is_empty() {
                self.unchoke();
                self.read();
            } else {
                self.choke();
            }
        }
        self.end();
    }

    fn end(self) {
        self.consumer.context().close();
        self.shared.close();
        // Nothing follows for the member; its pump ends and with it the events.
        self.controls.send(Control::End).unwrap_or_default();
        // Leaves the group, if nobody else still asks something of the consumer; else they do, as
        // the last.
        drop(self.fetchers);
        drop(self.consumer);
        for done in self.state.leaving.into_iter().flatten() {
            done.send(()).unwrap_or_default();
        }
    }

    /// Does what the member wants.
    fn obey(&mut self) {
        while let Ok(order) = self.orders.try_recv() {
            self.obey_one(order);
        }
        let starts = std::mem::take(&mut self.state.later);
        self.start(starts);
    }

    fn obey_one(&mut self, order: Command) {
        match order {
            Command::Start(source, offset, answer) => {
                self.state.later.push((source, offset, answer));
            }
            Command::Pause(source, paused) => self.pause(&source, paused),
            Command::Hold(held) => self.state.held_up = held,
            Command::Released(sources) => self.release(&sources),
            Command::Leave(done) => {
                if self.state.leaving.is_none() {
                    self.consumer.unsubscribe();
                }
                self.state.leaving.get_or_insert_default().push(done);
            }
            Command::Gone => self.state.gone = true,
            Command::OutOfRange(source, error) => self.out_of_range(&source, error),
        }
    }

    fn rebalance(&mut self, rebalance: Rebalance) {
        match rebalance {
            Rebalance::Gained(sources) => {
                if sources.is_empty() {
                    return;
                }
                self.state.generation += 1;
                let generation = self.state.generation;
                for source in &sources {
                    let held = Held {
                        generation,
                        next: None,
                        assigned: false,
                        flows: false,
                        paused: false,
                        revoking: false,
                    };
                    self.state.held.insert(source.clone(), held);
                }
                self.shared.own(&sources);
                self.tell(Control::Assign(generation, sources));
            }
            Rebalance::Wanted(sources) => {
                for source in &sources {
                    self.forget(source);
                    if let Some(held) = self.state.held.get_mut(source) {
                        held.revoking = true;
                    }
                }
                self.tell(Control::Revoke(sources));
            }
            Rebalance::Lost(sources) => {
                self.release(&sources);
                self.tell(Control::Lost(sources));
            }
        }
    }

    /// Gives partitions back to the group.
    fn release(&mut self, sources: &[TopicPartition]) {
        self.shared.disown(sources);
        // The client keeps a pause for when the partition comes back, and nobody would end it then.
        let State { held, choked, .. } = &self.state;
        let stands = |held: &Held| held.assigned && (held.paused || *choked);
        let paused = sources.iter();
        let paused = paused.filter(|source| held.get(*source).is_some_and(stands));
        self.fetchers.steer(paused, false);
        let mut assigned = Vec::new();
        for source in sources {
            self.forget(source);
            let held = self.state.held.remove(source);
            if held.is_some_and(|held| held.assigned) {
                assigned.push(source.clone());
            }
        }
        self.fetchers.give_back(sources, &assigned);
    }

    fn forget(&mut self, source: &TopicPartition) {
        self.state.gather.forget(source);
        self.state.ready.retain(|batch| batch.source() != source);
    }

    fn tell(&self, control: Control) {
        // A pump that has ended has said `Gone`.
        self.controls.send(control).unwrap_or_default();
    }

    /// Hands batches on, as far as the member has room.
    fn hand_on(&mut self) {
        while let Some(batch) = self.state.ready.pop_front() {
            match self.events.try_send(GroupEvent::Batch(batch)) {
                Ok(()) => self.state.full = None,
                Err(mpsc::error::TrySendError::Full(GroupEvent::Batch(batch))) => {
                    self.state.ready.push_front(batch);
                    return;
                }
                Err(_) => {
                    self.state.gone = true;
                    return;
                }
            }
        }
    }

    /// Serves the group, and gathers what comes.
    pub(super) fn read(&mut self) {
        self.serve();
        self.attach_again();
        let since = self.clock.stopwatch();
        let (headers, mut failed) = (self.headers, Vec::new());
        let State { gather, held, .. } = &mut self.state;
        let gather = RefCell::new(gather);
        let each = |polled: Polled<'_>| match polled {
            Polled::Run(run) => {
                let mut gather = gather.borrow_mut();
                gather.add_run(&run, headers, |source| admit(held, source));
            }
            Polled::Failed(code) => failed.push(code),
        };
        let more = || !gather.borrow().is_full() && since.elapsed() < GATHER;
        self.fetchers.take(POLL, each, more);
        for code in failed {
            self.failed(&KafkaError::MessageConsumption(code));
        }
        for batch in self.state.gather.take() {
            let held = self.state.held.get_mut(batch.source());
            if let (Some(held), Some(last)) = (held, batch.last_offset()) {
                (held.next, held.flows) = (Some(last + 1), true);
                self.state.ready.push_back(batch);
            }
        }
    }

    /// Serves the group while nothing is to be read; the client fetches on until its queue is full.
    fn wait(&mut self) {
        match self.orders.recv_timeout(POLL) {
            Ok(order) => self.obey_one(order),
            // A member that is gone has said so before.
            Err(orders::RecvTimeoutError::Timeout | orders::RecvTimeoutError::Disconnected) => {}
        }
        self.serve();
    }

    /// Serves rebalances and errors of the client. Messages have a queue of their own, but for those
    /// that came before their partition was attached to it.
    fn serve(&mut self) {
        let (State { gather, held, .. }, mut failed) = (&mut self.state, Vec::new());
        self.fetchers.serve(|polled| match polled {
            Ok(message) => gather.add(&message, |source| admit(held, source)),
            Err(error) => failed.push(error),
        });
        for error in failed {
            self.failed(&error);
        }
    }

    /// Partitions of which nothing has come yet may have lost their way into the queue.
    fn attach_again(&mut self) {
        let due = |since: &Stopwatch| since.elapsed() >= ATTACH_AGAIN;
        if self
            .state
            .attached
            .as_ref()
            .is_some_and(|since| !due(since))
        {
            return;
        }
        self.state.attached = Some(self.clock.stopwatch());
        for (source, held) in &self.state.held {
            if held.assigned && !held.flows && !held.revoking {
                self.fetchers.attach_again(source);
            }
        }
    }

    fn failed(&mut self, error: &KafkaError) {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AutoOffsetReset) => self.find_out_of_range(),
            Some(RDKafkaErrorCode::PartitionEOF) => {}
            _ => self.tell(Control::Failed(failure(error))),
        }
    }

    /// The error does not come with its partition: asks the brokers about each that is being read.
    fn find_out_of_range(&mut self) {
        let reading: Vec<_> = self
            .state
            .held
            .iter()
            .filter(|(_, held)| held.assigned && !held.revoking)
            .filter_map(|(source, held)| Some((source.clone(), held.next?)))
            .collect();
        let (consumer, orders) = (Arc::downgrade(&self.consumer), self.own_orders.clone());
        let _entered = self.runtime.enter();
        self.tasks
            .spawn("kafka-offset-range", OnEnd::Fine, async move {
                blocking(move || {
                    for (source, next) in reading {
                        let Some(consumer) = consumer.upgrade() else {
                            break;
                        };
                        let range = watermarks(consumer.client(), &source)?;
                        if !(range.earliest..=range.end).contains(&next) {
                            let error = out_of_range(&source, next, range);
                            // A thread that has ended needs no order.
                            orders
                                .send(Command::OutOfRange(source, error))
                                .unwrap_or_default();
                        }
                    }
                    Ok(())
                })
                .await
            });
    }

    fn out_of_range(&mut self, source: &TopicPartition, error: StreamError) {
        let StreamError::OffsetOutOfRange { wanted, .. } = &error else {
            return;
        };
        // Once for each offset: several errors may have asked, and the member may have started
        // anew.
        if let Some(held) = self.state.held.get_mut(source)
            && held.next == Some(*wanted)
        {
            held.next = None;
            self.tell(Control::Failed(error));
        }
    }
}

/// How a partition is read; none for one that is not started, or wanted back.
fn admit(held: &HashMap<TopicPartition, Held>, source: &TopicPartition) -> Option<Admitted> {
    let held = held.get(source).filter(|held| !held.revoking)?;
    Some(Admitted {
        generation: held.generation,
        next: held.next?,
    })
}
