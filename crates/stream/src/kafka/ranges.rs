//! First and next offsets: of one partition, or of many with two questions a broker.

use super::admin::ANSWER;
use super::client::{code_failure, failure, number, partition_of};
use crate::{OffsetRange, StreamError, TopicPartition};
use rdkafka::client::Client;
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use std::collections::HashMap;

/// Partitions of one question.
const AT_ONCE: usize = 2_000;

/// First and next offset of a partition. Blocks.
pub(super) fn watermarks<C: ClientContext>(
    client: &Client<C>,
    source: &TopicPartition,
) -> Result<OffsetRange, StreamError> {
    let asked = client.fetch_watermarks(source.topic.as_str(), number(source.partition), ANSWER);
    let (earliest, end) = asked.map_err(|e| failure(&e))?;
    Ok(OffsetRange { earliest, end })
}

/// What is known of partitions by their name.
type Ranges = HashMap<TopicPartition, Result<OffsetRange, StreamError>>;

/// First and next offsets of partitions that are there. Blocks.
pub(super) fn ranges<C: ClientContext>(client: &Client<C>, sources: &[TopicPartition]) -> Ranges {
    // Partitions of a topic stand together in a question.
    let mut sorted: Vec<_> = sources.iter().collect();
    sorted.sort();
    sorted.dedup();
    let mut found = Ranges::with_capacity(sorted.len());
    for some in sorted.chunks(AT_ONCE) {
        match both_ends(client, some) {
            Ok(ranges) => found.extend(ranges),
            Err(error) => {
                found.extend(
                    some.iter()
                        .map(|source| ((*source).clone(), Err(error.clone()))),
                );
            }
        }
    }
    found
}

fn both_ends<C: ClientContext>(
    client: &Client<C>,
    sources: &[&TopicPartition],
) -> Result<Ranges, StreamError> {
    let first = ends(client, sources, Offset::Beginning)?;
    // After that, so that an end is never before its beginning.
    let mut next = ends(client, sources, Offset::End)?;
    let range = |(source, earliest): (TopicPartition, Result<i64, StreamError>)| {
        let end = next.remove(&source).unwrap_or(Err(StreamError::Closed));
        let range = earliest.and_then(|earliest| {
            Ok(OffsetRange {
                earliest,
                end: end?,
            })
        });
        (source, range)
    };
    Ok(first.into_iter().map(range).collect())
}

fn ends<C: ClientContext>(
    client: &Client<C>,
    sources: &[&TopicPartition],
    which: Offset,
) -> Result<HashMap<TopicPartition, Result<i64, StreamError>>, StreamError> {
    let mut asked = TopicPartitionList::with_capacity(sources.len());
    for source in sources {
        asked
            .add_partition_offset(source.topic.as_str(), number(source.partition), which)
            .map_err(|e| failure(&e))?;
    }
    kafka_batch::offsets_for_times(client, &mut asked, ANSWER)
        .map_err(|code| code_failure(code, &code.to_string()))?;
    let answered = asked.elements();
    let each = answered.iter().filter_map(|element| {
        let source = partition_of(element.topic(), element.partition())?;
        let offset = element.error().map_err(|e| failure(&e)).and_then(|()| {
            let said = element.offset().to_raw().filter(|offset| *offset >= 0);
            said.ok_or_else(|| StreamError::Unreachable {
                reason: format!("the brokers did not say where {source} {which:?}s"),
            })
        });
        Some((source, offset))
    });
    Ok(each.collect())
}
