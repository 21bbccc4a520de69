//! Lines of many requests into one message a (tenant, partition), and messages into the log.
//!
//! A message goes out when it has the lines or bytes of a whole one, or when its oldest line has waited long
//! enough. It is sent under the lock of its tenant, so that a partition's messages keep the order of its lines.

use super::budget::Share;
use super::clusters::Cluster;
use super::tenant::Tenant;
use super::ticket::Ticket;
use crate::core::message::Message;
use crate::core::sort::{Row, Sorted};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use runtime::clock::Stopwatch;
use runtime::{Clock, OnEnd, Tasks};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use stream::{Delivery, NewRecord, StreamError, TopicPartition};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Packs and sends. Both of its queues are bounded by the process's bytes: what is in them holds a share.
#[derive(Clone)]
pub(super) struct Packer {
    opened: UnboundedSender<Opened>,
    outbox: Outbox,
    clock: Clock,
}

/// The way of messages to the log, and of the log's word to the requests.
#[derive(Clone)]
struct Outbox(UnboundedSender<Sent>);

/// The open messages of a tenant, by partition.
#[derive(Default)]
pub(super) struct Lanes {
    open: Vec<Option<Open>>,
    /// Bytes of the last message of a partition, by which the next one is made room for.
    sizes: Vec<usize>,
    opened: u64,
}

struct Open {
    number: u64,
    message: Message,
    tickets: Vec<Arc<Ticket>>,
    share: Share,
    cluster: Arc<Cluster>,
}

/// A message was opened, and must not wait for ever.
struct Opened {
    tenant: Arc<Tenant>,
    partition: u32,
    number: u64,
    since: Stopwatch,
}

struct Sent {
    delivery: Delivery,
    tickets: Vec<Arc<Ticket>>,
    bytes: usize,
    tenant: Arc<Tenant>,
    cluster: Arc<Cluster>,
    /// Given back when the log has answered, whoever still waits.
    share: Share,
}

impl Packer {
    /// Starts the two tasks behind it. They end when every handle is gone and all is answered.
    pub(super) fn start(wait: Duration, clock: &Clock, tasks: &Tasks) -> Self {
        let (opened, all_opened) = unbounded_channel();
        let (sent, all_sent) = unbounded_channel();
        let outbox = Outbox(sent);
        let waiting = send_in_time(all_opened, outbox.clone(), wait);
        tasks.spawn("router-packing", OnEnd::StopsTheProcess, waiting);
        tasks.spawn("router-acks", OnEnd::StopsTheProcess, settle_all(all_sent));
        Self {
            opened,
            outbox,
            clock: clock.clone(),
        }
    }

    /// Adds the lines to the tenant's messages. `share` holds room for all of them; the ticket is claimed by each
    /// message that gets one.
    pub(super) fn add(
        &self,
        tenant: &Arc<Tenant>,
        cluster: &Arc<Cluster>,
        sorted: &Sorted<'_>,
        share: &mut Share,
        ticket: &Arc<Ticket>,
    ) {
        let mut lanes = tenant.lanes();
        for (partition, rows) in sorted.partitions() {
            let before = lanes.number(partition);
            for row in rows {
                if !lanes.has_room(partition, row, cluster) {
                    lanes.close(partition, tenant, &self.outbox);
                }
                lanes.push(partition, row, cluster, ticket, share);
            }
            if lanes.is_full(partition) {
                lanes.close(partition, tenant, &self.outbox);
            }
            if let Some(number) = lanes.number(partition).filter(|now| before != Some(*now)) {
                let opened = Opened {
                    tenant: Arc::clone(tenant),
                    partition,
                    number,
                    since: self.clock.stopwatch(),
                };
                // The task that listens ends after the last handle on this.
                drop(self.opened.send(opened));
            }
        }
    }
}

impl Lanes {
    /// The number of the message that is open for the partition.
    fn number(&self, partition: u32) -> Option<u64> {
        self.open
            .get(partition as usize)?
            .as_ref()
            .map(|open| open.number)
    }

    fn is_full(&self, partition: u32) -> bool {
        let open = self.open.get(partition as usize).and_then(Option::as_ref);
        open.is_some_and(|open| open.message.is_full())
    }

    /// Whether the line may go into what is open; it may where nothing is.
    fn has_room(&self, partition: u32, row: &Row<'_>, cluster: &Arc<Cluster>) -> bool {
        let open = self.open.get(partition as usize).and_then(Option::as_ref);
        open.is_none_or(|open| open.message.has_room(row) && Arc::ptr_eq(&open.cluster, cluster))
    }

    fn push(
        &mut self,
        partition: u32,
        row: &Row<'_>,
        cluster: &Arc<Cluster>,
        ticket: &Arc<Ticket>,
        share: &mut Share,
    ) {
        let place = partition as usize;
        if self.open.len() <= place {
            self.open.resize_with(place + 1, || None);
            self.sizes.resize(place + 1, 0);
        }
        let (opened, size) = (&mut self.opened, self.sizes[place]);
        let open = self.open[place].get_or_insert_with(|| {
            *opened += 1;
            Open {
                number: *opened,
                message: Message::with_room(size),
                tickets: Vec::new(),
                share: share.empty(),
                cluster: Arc::clone(cluster),
            }
        });
        if !open
            .tickets
            .last()
            .is_some_and(|last| Arc::ptr_eq(last, ticket))
        {
            ticket.claim();
            open.tickets.push(Arc::clone(ticket));
        }
        let before = open.message.len();
        open.message.push(row);
        open.share.move_from(share, open.message.len() - before);
    }

    /// Sends what is open for the partition.
    fn close(&mut self, partition: u32, tenant: &Arc<Tenant>, outbox: &Outbox) {
        let place = partition as usize;
        if let Some(open) = self.open.get_mut(place).and_then(Option::take) {
            self.sizes[place] = open.message.len();
            outbox.send(open, tenant, partition);
        }
    }
}

impl Outbox {
    fn send(&self, open: Open, tenant: &Arc<Tenant>, partition: u32) {
        let bytes = open.message.len();
        let target = TopicPartition::new(tenant.topic.clone(), partition);
        let record = NewRecord::value(target, open.message.into_bytes());
        open.cluster.sent();
        let sent = Sent {
            delivery: open.cluster.stream().send(record),
            tickets: open.tickets,
            bytes,
            tenant: Arc::clone(tenant),
            cluster: open.cluster,
            share: open.share,
        };
        // The task that listens ends after the last handle on this.
        drop(self.0.send(sent));
    }
}

/// Sends messages that were opened some time ago and are not full yet. All wait equally long, so the first that
/// was opened is the first that is due.
async fn send_in_time(
    mut opened: UnboundedReceiver<Opened>,
    outbox: Outbox,
    wait: Duration,
) -> Result<(), Infallible> {
    while let Some(opened) = opened.recv().await {
        let left = wait.saturating_sub(opened.since.elapsed());
        if !left.is_zero() {
            tokio::time::sleep(left).await;
        }
        let mut lanes = opened.tenant.lanes();
        if lanes.number(opened.partition) == Some(opened.number) {
            lanes.close(opened.partition, &opened.tenant, &outbox);
        }
    }
    Ok(())
}

/// Passes the log's word on to the requests.
async fn settle_all(mut sent: UnboundedReceiver<Sent>) -> Result<(), Infallible> {
    let mut waiting = FuturesUnordered::new();
    let mut more = true;
    while more || !waiting.is_empty() {
        tokio::select! {
            next = sent.recv(), if more => match next {
                Some(sent) => waiting.push(sent.settle()),
                None => more = false,
            },
            Some(()) = waiting.next() => {}
        }
    }
    Ok(())
}

impl Sent {
    async fn settle(self) {
        let outcome: Result<(), StreamError> = self.delivery.await.map(|_| ());
        self.cluster.answered(&self.tenant.topic, &outcome);
        if outcome.is_ok() {
            self.tenant.metrics.stored(self.bytes);
        }
        for ticket in &self.tickets {
            ticket.settle(outcome.clone());
        }
        drop(self.share);
    }
}
