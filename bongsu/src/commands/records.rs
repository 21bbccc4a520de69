//! Reading a topic from a command: what is there now, or what comes.

use crate::failure::Outcome;
use crate::parts;
use model::TopicName;
use stream::{Record, Stream, TopicPartition};

/// Hands every record that a topic holds at the moment to `each`, partition by partition.
pub(super) async fn every(
    stream: &Stream,
    topic: &TopicName,
    mut each: impl FnMut(&TopicPartition, Record<'_>),
) -> Outcome {
    let fail = |error| parts::log_failure(&error);
    let partitions = stream.partitions(topic).await.map_err(fail)?.unwrap_or(0);
    for partition in 0..partitions {
        let source = TopicPartition::new(topic.clone(), partition);
        let range = stream.offsets(&source).await.map_err(fail)?;
        if range.earliest >= range.end {
            continue;
        }
        let mut reader = stream.read(&source, range.earliest).await.map_err(fail)?;
        let mut next = range.earliest;
        while next < range.end {
            let Some(batch) = reader.next().await else {
                break;
            };
            for record in batch.map_err(fail)?.records() {
                next = record.offset + 1;
                if record.offset < range.end {
                    each(&source, record);
                }
            }
        }
    }
    Ok(())
}
