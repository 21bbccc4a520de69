//! Putting packets on the tenant's topic and waiting for the log's word.

use super::answer::Refusal;
use crate::core::pack::Packet;
use bytes::Bytes;
use model::TopicName;
use std::time::Duration;
use stream::{NewRecord, Stream, StreamError, TopicPartition};

/// Appends all packets and waits until the log has every one of them. An error says that it is not known to
/// have all; what it does have stays, and a repeat of the same lines changes nothing in a store.
pub(super) async fn append(
    stream: &Stream,
    topic: &TopicName,
    packets: Vec<Packet>,
    within: Duration,
) -> Result<(), Refusal> {
    let deliveries: Vec<_> = packets
        .into_iter()
        .map(|packet| {
            let target = TopicPartition::new(topic.clone(), packet.partition);
            stream.send(NewRecord::value(target, Bytes::from(packet.bytes)))
        })
        .collect();
    let all = async {
        for delivery in deliveries {
            delivery.await?;
        }
        Ok::<(), StreamError>(())
    };
    match tokio::time::timeout(within, all).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(StreamError::TooLarge { topic, bytes })) => Err(Refusal::TooLarge(format!(
            "a record of {bytes} bytes is larger than `{topic}` takes"
        ))),
        Ok(Err(error)) => {
            tracing::warn!(%topic, %error, "the log did not take a write");
            Err(Refusal::Unavailable(format!(
                "the log did not take it: {error}; send it again"
            )))
        }
        Err(_) => {
            tracing::warn!(%topic, within_ms = within.as_millis(), "no acknowledgement of a write in time");
            Err(Refusal::Unavailable(
                "the log did not acknowledge it in time; send it again, a repeat does no harm"
                    .to_owned(),
            ))
        }
    }
}
