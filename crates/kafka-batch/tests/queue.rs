//! The batch queue over librdkafka's mock cluster: what is produced comes out, in order, by partition, however it is
//! taken.

#![expect(clippy::disallowed_methods, reason = "a test has the real clock")]

use kafka_batch::{BatchQueue, Polled};
use rdkafka::consumer::{BaseConsumer, Consumer as _, DefaultConsumerContext};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

const TOPIC: &str = "metrics.acme";
const PATIENCE: Duration = Duration::from_secs(30);
const WAIT: Duration = Duration::from_millis(20);

/// What a message held.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    offset: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Vec<u8>)>,
}

struct Cluster {
    mock: MockCluster<'static, DefaultProducerContext>,
}

impl Cluster {
    fn new(partitions: i32) -> Self {
        let mock = MockCluster::new(1).expect("librdkafka makes a mock cluster");
        mock.create_topic(TOPIC, partitions, 1)
            .expect("the mock cluster makes a topic");
        Self { mock }
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.mock.bootstrap_servers());
        config
    }

    fn produce<'a>(&self, records: impl Iterator<Item = BaseRecord<'a, [u8], [u8]>>) {
        let producer: ThreadedProducer<DefaultProducerContext> =
            self.config().create().expect("a producer");
        for record in records {
            producer
                .send(record)
                .map_err(|(error, _)| error)
                .expect("the producer has room");
        }
        producer
            .flush(PATIENCE)
            .expect("the mock cluster takes all");
    }

    /// A queue that takes at most `most` messages a call, and reads these partitions from their beginning.
    fn queue(&self, most: usize, partitions: i32) -> BatchQueue<DefaultConsumerContext> {
        let mut config = self.config();
        config
            .set("group.id", "test")
            .set("enable.auto.commit", "false");
        let consumer: Arc<BaseConsumer> = Arc::new(config.create().expect("a consumer"));
        let queue = BatchQueue::new(Arc::clone(&consumer), most).expect("a queue");
        let mut places = TopicPartitionList::new();
        for partition in 0..partitions {
            assert!(queue.attach(TOPIC, partition));
            places
                .add_partition_offset(TOPIC, partition, Offset::Beginning)
                .expect("an offset");
        }
        consumer.assign(&places).expect("partitions are assigned");
        queue
    }
}

fn record(partition: i32, value: &[u8]) -> BaseRecord<'_, [u8], [u8]> {
    BaseRecord::to(TOPIC).partition(partition).payload(value)
}

/// Takes until so many messages came, and says the most that one call gave.
fn take(
    queue: &mut BatchQueue<DefaultConsumerContext>,
    wanted: usize,
) -> (BTreeMap<i32, Vec<Seen>>, usize) {
    let (mut all, mut count, mut most) = (BTreeMap::<_, Vec<_>>::new(), 0, 0);
    let began = Instant::now();
    while count < wanted {
        assert!(began.elapsed() < PATIENCE, "{count} of {wanted} came");
        let mut here = 0;
        let said = queue.take(WAIT, |polled| match polled {
            Polled::Run(run) => {
                assert_eq!(run.topic, TOPIC);
                here += run.messages().len();
                let messages = run.messages().map(|message| {
                    assert_eq!(message.value_len(), message.value().map_or(0, <[u8]>::len));
                    assert!(message.timestamp_millis().is_some());
                    Seen {
                        offset: message.offset(),
                        key: message.key().map(<[u8]>::to_vec),
                        value: message.value().map(<[u8]>::to_vec),
                        headers: message.headers(),
                    }
                });
                all.entry(run.partition).or_default().extend(messages);
            }
            Polled::Failed(code) => panic!("{code}"),
        });
        assert_eq!(said, here, "a call says how many it gave");
        count += here;
        most = most.max(here);
    }
    (all, most)
}

#[test]
fn all_messages_come_once_in_the_order_of_their_partition_and_in_calls_of_the_size_asked_for() {
    let cluster = Cluster::new(3);
    let values: Vec<_> = (0..3_000)
        .map(|n| format!("line {n}").into_bytes())
        .collect();
    let partition = |n: usize| (n % 3) as i32;
    cluster.produce(
        (0..)
            .zip(&values)
            .map(|(n, value)| record(partition(n), value)),
    );
    let (all, most) = take(&mut cluster.queue(100, 3), values.len());
    assert!((1..=100).contains(&most), "{most}");
    assert_eq!(all.len(), 3);
    for (partition, seen) in all {
        let expected = values.iter().skip(partition as usize).step_by(3);
        assert!(
            seen.iter()
                .map(|seen| seen.value.as_ref())
                .eq(expected.map(Some))
        );
        assert!(seen.iter().map(|seen| seen.offset).eq(0..1_000));
    }
}

#[test]
fn keys_headers_tombstones_and_empty_values_are_told_apart() {
    let cluster = Cluster::new(1);
    let header = |key, value| Header {
        key,
        value: Some(value),
    };
    let headers = OwnedHeaders::new()
        .insert(header("kind", "tick"))
        .insert(Header::<&str> {
            key: "none",
            value: None,
        });
    let to = || BaseRecord::<[u8], [u8]>::to(TOPIC).partition(0);
    cluster.produce(
        [
            to().key(b"web-1".as_slice()).payload(b"a v=1".as_slice()),
            to().key(b"web-1".as_slice()),
            to().payload(b"".as_slice()),
            to().headers(headers).payload(b"b v=1".as_slice()),
        ]
        .into_iter(),
    );
    let (all, _) = take(&mut cluster.queue(10, 1), 4);
    let found: Vec<_> = all[&0]
        .iter()
        .map(|seen| {
            (
                seen.key.as_deref(),
                seen.value.as_deref(),
                seen.headers.len(),
            )
        })
        .collect();
    let (host, a, b, empty) = (
        Some(&b"web-1"[..]),
        Some(&b"a v=1"[..]),
        Some(&b"b v=1"[..]),
        Some(&b""[..]),
    );
    let expected = [
        (host, a, 0),
        (host, None, 0),
        (None, empty, 0),
        (None, b, 2),
    ];
    assert_eq!(found, expected);
    let headers = [("kind", "tick"), ("none", "")];
    let headers = headers.map(|(key, value)| (key.to_owned(), value.as_bytes().to_vec()));
    assert_eq!(all[&0][3].headers, headers);
}

#[test]
fn a_call_without_messages_ends_in_its_time() {
    let cluster = Cluster::new(1);
    let mut queue = cluster.queue(10, 1);
    let began = Instant::now();
    assert_eq!(queue.take(WAIT, |_| panic!("nothing was produced")), 0);
    assert!(began.elapsed() < PATIENCE);
}

#[test]
fn a_panic_of_the_caller_gives_the_messages_back_and_the_queue_reads_on() {
    let cluster = Cluster::new(1);
    let values: Vec<_> = (0..200).map(|n| format!("line {n}").into_bytes()).collect();
    cluster.produce(values.iter().map(|value| record(0, value)));
    let mut queue = cluster.queue(50, 1);
    let began = Instant::now();
    let mut taken = 0;
    while taken == 0 {
        assert!(began.elapsed() < PATIENCE, "nothing came");
        let call = std::panic::AssertUnwindSafe(|| {
            queue.take(WAIT, |polled| {
                if let Polled::Run(run) = polled {
                    taken += run.messages().len();
                }
                panic!("the caller's");
            })
        });
        assert_eq!(std::panic::catch_unwind(call).is_err(), taken > 0);
    }
    let (all, _) = take(&mut queue, values.len() - taken);
    assert_eq!(all[&0][0].offset, taken as i64);
}

#[test]
fn a_queue_may_go_while_messages_wait_in_it() {
    let cluster = Cluster::new(2);
    let values: Vec<_> = (0..1_000)
        .map(|n| format!("line {n}").into_bytes())
        .collect();
    cluster.produce((0..).zip(&values).map(|(n, value)| record(n % 2, value)));
    let mut queue = cluster.queue(10, 2);
    take(&mut queue, 10);
    drop(queue);
    // The cluster, and another queue on it, are none the worse for it.
    let (all, _) = take(&mut cluster.queue(1_000, 2), values.len());
    assert_eq!((all[&0].len(), all[&1].len()), (500, 500));
}

#[test]
fn a_name_that_is_none_is_not_attached() {
    let cluster = Cluster::new(1);
    let queue = cluster.queue(10, 1);
    assert!(!queue.attach("a\0b", 0));
}
