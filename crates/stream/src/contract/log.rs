//! Cases of appending and of what the log keeps.

use super::{Subject, Topic, read, within};
use crate::{NewRecord, OffsetRange, StreamError, TopicPartition, TopicSpec, Verdict};
use bytes::Bytes;
use model::{Span, TopicName};
use std::collections::BTreeMap;
use std::time::Duration;

const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Offsets and values come back in the order of the calls, partition by partition, headers
/// included.
pub async fn records_of_a_partition_keep_their_order(subject: &mut dyn Subject) {
    let topic = Topic::make(subject, "contract.order", 2).await;
    tokio::join!(
        topic.send_numbers(0, 0..500),
        topic.send_numbers(1, 500..1_000)
    );
    for (partition, first) in [(0, 0), (1, 500)] {
        let found = read(&topic.stream, &topic.partition(partition), 0, 500).await;
        for (n, (offset, (key, value))) in found.into_iter().enumerate() {
            assert_eq!(offset, n as i64);
            assert_eq!((key, value), (None, Some((first + n).to_string())));
        }
        let range = topic
            .stream
            .offsets(&topic.partition(partition))
            .await
            .expect("it is there");
        assert_eq!((range.earliest, range.end), (0, 500));
    }
    let marked = NewRecord {
        target: topic.partition(0),
        key: None,
        value: None,
        headers: vec![("bongsu".to_owned(), Bytes::from_static(b"tick"))],
    };
    let appended = topic
        .stream
        .send(marked)
        .await
        .expect("the record is taken");
    let mut reader = topic
        .stream
        .read(&topic.partition(0), appended.offset)
        .await
        .expect("read");
    let batch = within("a batch", reader.next())
        .await
        .expect("open")
        .expect("read");
    let record = batch.records().next().expect("a batch holds a record");
    assert_eq!((record.offset, record.value), (appended.offset, None));
    assert_eq!(record.header("bongsu"), Some(b"tick".as_slice()));
}

/// A topic that was just made is as it was asked for.
pub async fn topics_say_what_they_are_set_to(subject: &mut dyn Subject) {
    let day = Some(Span::from_secs(86_400));
    for (name, retention) in [
        ("contract.settings.kept", day),
        ("contract.settings.compacted", None),
    ] {
        let compacted = retention.is_none();
        let topic = Topic::make_as(subject, name, 2, retention, compacted).await;
        let found = within("settings", topic.stream.settings(&topic.name)).await;
        let found = found.expect("the log says").expect("the topic is there");
        assert_eq!(
            (found.retention, found.compacted, found.deletes),
            (retention, compacted, !compacted)
        );
        let spec = TopicSpec {
            name: topic.name.clone(),
            partitions: 2,
            retention,
            compacted,
            replicas: 3,
        };
        assert_eq!(spec.flaws(&found), []);
    }
    let missing = TopicName::listed("contract.settings.missing").expect("the name is legal");
    let stream = subject.stream();
    assert_eq!(stream.settings(&missing).await.expect("it says"), None);
    let there = stream.topics().await.expect("it says");
    assert!(there.iter().all(|topic| topic.name != missing));
}

/// Many partitions and topics are asked about at once: each gets the answer that it gets alone, in the order asked.
pub async fn many_are_asked_about_at_once(subject: &mut dyn Subject) {
    let one = Topic::make(subject, "contract.many.one", 3).await;
    let other = Topic::make(subject, "contract.many.other", 1).await;
    let stream = subject.stream();
    one.send_numbers(2, 0..7).await;
    other.send_numbers(0, 0..3).await;
    let missing = TopicName::listed("contract.many.missing").expect("the name is legal");
    let asked = [
        one.partition(2),
        other.partition(0),
        one.partition(0),
        TopicPartition::new(missing.clone(), 0),
        one.partition(3),
    ];
    let found = within("offsets", stream.offsets_of(&asked)).await;
    assert_eq!(found.len(), asked.len());
    let range = |end| OffsetRange { earliest: 0, end };
    let there: Vec<_> = found[..3].iter().map(|found| found.clone().ok()).collect();
    assert_eq!(there, [7, 3, 0].map(|end| Some(range(end))));
    let (no_topic, no_partition) = (&found[3], &found[4]);
    assert!(matches!(no_topic, Err(StreamError::UnknownTopic { topic }) if *topic == missing));
    assert!(
        matches!(
            no_partition,
            Err(StreamError::UnknownPartition { partition: 3, .. })
        ),
        "{no_partition:?}"
    );
    assert!(stream.offsets_of(&[]).await.is_empty());

    let asked = [missing, other.name.clone(), one.name.clone()];
    let found = within("settings", stream.settings_of(&asked)).await;
    for (topic, found) in asked.iter().zip(found) {
        let alone = stream.settings(topic).await.expect("the log says");
        assert_eq!(found.expect("the log says"), alone);
    }
}

/// What was acknowledged is there for somebody else, topics and offsets included.
pub async fn acknowledged_records_are_durable(subject: &mut dyn Subject) {
    let topic = Topic::make(subject, "contract.durable", 1).await;
    let appended = topic.send(0, "kept").await;
    let source = topic.partition(0);
    drop(topic);
    subject.again().await;
    let stream = subject.stream();
    let found = read(&stream, &source, 0, 1).await;
    assert_eq!(found, [(appended.offset, (None, Some("kept".to_owned())))]);
    let listed = stream.topics().await.expect("the log answers");
    assert!(
        listed
            .iter()
            .any(|topic| topic.name == source.topic && topic.partitions == 1)
    );
    let next = stream
        .send(NewRecord::value(source, "next"))
        .await
        .expect("the record is taken");
    assert_eq!(next.offset, appended.offset + 1);
}

/// Of each key the newest record stays, the tombstone of a dead one included, with its offset.
pub async fn compaction_keeps_the_newest_of_each_key(subject: &mut dyn Subject) {
    let topic = Topic::make_as(subject, "contract.compacted", 1, None, true).await;
    subject.hurry(&topic.name).await;
    let source = topic.partition(0);
    let keyed = |key: &'static str, value: Option<&'static str>| {
        NewRecord::keyed(source.clone(), key, value.map(Bytes::from))
    };
    let sent = [
        ("a", Some("1")),
        ("b", Some("1")),
        ("a", Some("2")),
        ("c", Some("1")),
        ("b", None),
        ("a", Some("3")),
    ];
    for (key, value) in sent {
        topic
            .stream
            .send(keyed(key, value))
            .await
            .expect("the record is taken");
    }
    let wanted = vec![
        (3, (Some("c".to_owned()), Some("1".to_owned()))),
        (4, (Some("b".to_owned()), None)),
        (5, (Some("a".to_owned()), Some("3".to_owned()))),
    ];
    within("compaction", async {
        let mut filler = 0;
        loop {
            // Kafka compacts only behind the segment that is being written.
            let record =
                NewRecord::keyed(source.clone(), "filler", Some(filler.to_string().into()));
            let end = topic
                .stream
                .send(record)
                .await
                .expect("the record is taken")
                .offset;
            filler += 1;
            let mut found = read_until(&topic, end).await;
            found.retain(|(_, (key, _))| key.as_deref() != Some("filler"));
            let newest: BTreeMap<_, _> = found.iter().map(|(_, pair)| pair.clone()).collect();
            assert_eq!(newest.len(), 3, "a key's newest record is gone: {found:?}");
            if found == wanted {
                return;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    })
    .await;
}

async fn read_until(topic: &Topic, last: i64) -> Vec<(i64, super::Pair)> {
    let mut found = Vec::new();
    let mut from = 0;
    while from <= last {
        let more = read(&topic.stream, &topic.partition(0), from, 1).await;
        from = more.last().map_or(from, |(offset, _)| offset + 1);
        found.extend(more);
    }
    found
}

/// Records older than the topic keeps are removed, and asking for them is an error that says so.
pub async fn retention_removes_old_records(subject: &mut dyn Subject) {
    let kept = Some(Span::from_secs(1));
    let topic = Topic::make_as(subject, "contract.retention", 1, kept, false).await;
    subject.hurry(&topic.name).await;
    topic.send_numbers(0, 0..10).await;
    let source = topic.partition(0);
    within("retention", async {
        while topic
            .stream
            .offsets(&source)
            .await
            .expect("it is there")
            .earliest
            < 10
        {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    })
    .await;
    let gone = topic.stream.read(&source, 3).await.err();
    let Some(StreamError::OffsetOutOfRange {
        wanted: 3,
        earliest,
        end: 10,
        ..
    }) = gone
    else {
        panic!("reading what is gone ends with {gone:?}");
    };
    assert_eq!(earliest, 10);
    let next = topic.send(0, "next").await;
    assert_eq!(next.offset, 10);
}

/// The log's own time of records never falls with rising offsets.
pub async fn time_of_a_partition_never_runs_backwards(subject: &mut dyn Subject) {
    let topic = Topic::make(subject, "contract.time", 1).await;
    topic.send_numbers(0, 0..200).await;
    let mut reader = topic
        .stream
        .read(&topic.partition(0), 0)
        .await
        .expect("it is there");
    let (mut seen, mut last) = (0, model::Timestamp::from_millis(0));
    while seen < 200 {
        let batch = within("a batch", reader.next())
            .await
            .expect("open")
            .expect("read");
        for record in batch.records() {
            assert!(record.timestamp >= last && record.timestamp.as_millis() > 0);
            (last, seen) = (record.timestamp, seen + 1);
        }
    }
}

/// What can never be taken is refused with its reason, and nothing of it is stored.
pub async fn records_that_cannot_be_taken_are_refused(subject: &mut dyn Subject) {
    let topic = Topic::make(subject, "contract.refused", 1).await;
    let compacted = Topic::make_as(subject, "contract.refused.keys", 1, None, true).await;
    let nowhere = TopicName::listed("contract.nowhere").expect("legal");
    let stream = &topic.stream;

    let large = topic
        .stream
        .send(NewRecord::value(topic.partition(0), vec![b'x'; 1_100_000]))
        .await;
    assert!(
        matches!(large, Err(StreamError::TooLarge { .. })),
        "{large:?}"
    );
    let keyless = stream
        .send(NewRecord::value(compacted.partition(0), "x"))
        .await;
    assert_eq!(
        keyless.as_ref().err().map(StreamError::verdict),
        Some(Verdict::Poison),
        "{keyless:?}"
    );
    let missing = stream.send(NewRecord::value(topic.partition(7), "x"));
    let missing = within("an answer", missing).await;
    assert!(
        matches!(missing, Err(StreamError::UnknownPartition { .. })),
        "{missing:?}"
    );
    let missing = stream.send(NewRecord::value(
        TopicPartition::new(nowhere.clone(), 0),
        "x",
    ));
    let missing = within("an answer", missing).await;
    assert!(
        matches!(missing, Err(StreamError::UnknownTopic { .. })),
        "{missing:?}"
    );
    assert_eq!(
        stream.partitions(&nowhere).await.expect("the log answers"),
        None
    );
    assert_eq!(
        stream
            .partitions(&topic.name)
            .await
            .expect("the log answers"),
        Some(1)
    );
    let ahead = stream.read(&topic.partition(0), 5).await.err();
    assert!(
        matches!(ahead, Some(StreamError::OffsetOutOfRange { wanted: 5, .. })),
        "{ahead:?}"
    );
    assert_eq!(topic.send(0, "good").await.offset, 0);
    assert_eq!(
        compacted
            .stream
            .offsets(&compacted.partition(0))
            .await
            .expect("there")
            .end,
        0
    );
}
