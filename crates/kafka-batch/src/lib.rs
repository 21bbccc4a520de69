//! Many messages from librdkafka in one call, many offsets in one question, and a new password for a living client.
//!
//! `rdkafka` hands messages out one by one: each costs an event, an allocation, two locks and two looks at the
//! clock, which is more than a line of 150 bytes costs in all that follows. `rd_kafka_consume_batch_queue` gives
//! thousands at once, and no safe call reaches it.
//!
//! Partitions that are attached deliver into a queue of this crate, rebalances and errors of the client stay in
//! the consumer's own, so that `BaseConsumer::poll` serves them as before.

mod credentials;
mod message;
mod times;

pub use credentials::set_credentials;
pub use message::{Message, Polled, Run};
pub use times::offsets_for_times;

use rdkafka::bindings as native;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use std::ffi::CString;
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Duration;

/// A queue of fetched messages beside the one of its consumer.
pub struct BatchQueue<C: ConsumerContext + 'static> {
    queue: NonNull<native::rd_kafka_queue_t>,
    /// Room for the messages of one call.
    slots: Vec<*mut native::rd_kafka_message_t>,
    /// Keeps the client alive that the queue belongs to.
    consumer: Arc<BaseConsumer<C>>,
}

// SAFETY: librdkafka's handles may be used from any thread; `slots` is empty between calls, and calls need
// `&mut self`.
unsafe impl<C: ConsumerContext + 'static> Send for BatchQueue<C> {}

/// Messages that were taken, given back to librdkafka when this goes, however it goes.
struct Taken<'a>(&'a [*mut native::rd_kafka_message_t]);

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        for message in self.0 {
            // SAFETY: each was handed out by the call that filled the slice, and is given back once.
            unsafe { native::rd_kafka_message_destroy(*message) };
        }
    }
}

impl<C: ConsumerContext + 'static> BatchQueue<C> {
    /// A queue of the consumer's client, of which one call takes at most `most` messages. None when librdkafka
    /// makes no queue.
    pub fn new(consumer: Arc<BaseConsumer<C>>, most: usize) -> Option<Self> {
        // SAFETY: the client lives as long as `consumer`, which the result keeps.
        let queue = unsafe { native::rd_kafka_queue_new(consumer.client().native_ptr()) };
        Some(Self {
            queue: NonNull::new(queue)?,
            slots: vec![std::ptr::null_mut(); most.max(1)],
            consumer,
        })
    }

    /// Messages of this partition come through this queue from now on. Whether there is such a partition.
    ///
    /// Call it before the partition is assigned, and again while nothing has come from it: the end of an earlier
    /// assignment, which librdkafka finishes on a thread of its own, takes the way away again.
    pub fn attach(&self, topic: &str, partition: i32) -> bool {
        let Ok(topic) = CString::new(topic) else {
            return false;
        };
        let client = self.consumer.client().native_ptr();
        // SAFETY: the client is alive and `topic` is a text that ends with a NUL for the time of the call.
        let own =
            unsafe { native::rd_kafka_queue_get_partition(client, topic.as_ptr(), partition) };
        let Some(own) = NonNull::new(own) else {
            return false;
        };
        // SAFETY: both queues are alive. librdkafka keeps the target as long as it forwards to it.
        unsafe { native::rd_kafka_queue_forward(own.as_ptr(), self.queue.as_ptr()) };
        // SAFETY: gives back the reference that `get_partition` made; the partition has its own.
        unsafe { native::rd_kafka_queue_destroy(own.as_ptr()) };
        true
    }

    /// Takes what is there, waiting at most so long for the queue's room to fill, and hands it on in the order of
    /// arrival: neighbours of one partition together. Returns how many messages and errors there were.
    pub fn take(&mut self, wait: Duration, mut each: impl FnMut(Polled<'_>)) -> usize {
        let wait = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: `slots` has room for as many pointers as its length says, and the queue is alive.
        let count = unsafe {
            native::rd_kafka_consume_batch_queue(
                self.queue.as_ptr(),
                wait,
                self.slots.as_mut_ptr(),
                self.slots.len(),
            )
        };
        let count = usize::try_from(count).unwrap_or(0).min(self.slots.len());
        let taken = Taken(&self.slots[..count]);
        let mut rest = taken.0;
        while let Some((first, _)) = rest.split_first() {
            // SAFETY: librdkafka filled `count` slots with messages, which stay until `taken` goes.
            let first = unsafe { &**first };
            let same = rest.iter().take_while(|message| {
                // SAFETY: as above.
                let message = unsafe { &***message };
                message::is_same_source(first, message)
            });
            let (run, behind) = rest.split_at(same.count().max(1));
            rest = behind;
            // SAFETY: `run` holds living messages of one partition, all of them with or without an error.
            each(unsafe { message::polled(first, run) });
        }
        count
    }
}

impl<C: ConsumerContext + 'static> Drop for BatchQueue<C> {
    fn drop(&mut self) {
        // SAFETY: the queue is this one's own, and its client goes later, with `consumer`. Messages in it are
        // purged; partitions that still forward to it keep it alive, closed.
        unsafe { native::rd_kafka_queue_destroy(self.queue.as_ptr()) };
    }
}
