//! Reads the alert topic of a cluster beside the group that applies it, and the health of Bongsu's own processes, for the
//! watch.

use crate::core::service_of;
use crate::io::intake::GROUP;
use model::{StreamEvent, TopicName};
use runtime::Shutdown;
use std::convert::Infallible;
use std::time::Duration;
use stream::{Stream, StreamError, TopicPartition};
use tokio::sync::mpsc;

/// Between two attempts to read.
const PAUSE: Duration = Duration::from_secs(1);

/// What a reader heard.
pub(super) enum Heard {
    /// An event, and the partition of the alert topic that it stands in.
    Event(u32, StreamEvent),
    /// A process of this service lives.
    Alive(String),
}

/// Reads one partition until the order to stop. That of the alert topic from where the group stands, for what it has not
/// applied may have to be told past the store.
pub(super) async fn run(
    stream: Stream,
    source: TopicPartition,
    heard: mpsc::Sender<Heard>,
    order: Shutdown,
) -> Result<(), Infallible> {
    let (mut next, mut said) = (None, String::new());
    loop {
        tokio::select! {
            read = read(&stream, &source, &mut next, &heard) => {
                if let Err(error) = read {
                    let text = error.to_string();
                    if text != said {
                        tracing::warn!(%error, %source, "the watch cannot read yet");
                        said = text;
                    }
                }
            }
            () = order.begun() => return Ok(()),
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = order.begun() => return Ok(()),
        }
    }
}

async fn read(
    stream: &Stream,
    source: &TopicPartition,
    next: &mut Option<i64>,
    heard: &mpsc::Sender<Heard>,
) -> Result<(), StreamError> {
    let held = stream.offsets(source).await?;
    let from = match *next {
        Some(next) => next,
        None if source.topic != TopicName::alerts() => held.end,
        None => {
            let committed = stream
                .committed(GROUP, std::slice::from_ref(source))
                .await?;
            committed
                .first()
                .map_or(held.end, |commit| commit.next_offset)
        }
    };
    // What the log forgot is the intake's to tell.
    let from = from.clamp(held.earliest, held.end);
    *next = Some(from);
    let mut reader = stream.read(source, from).await?;
    while let Some(batch) = reader.next().await {
        let batch = batch?;
        for record in batch.records() {
            *next = Some(record.offset + 1);
            if let Some(one) = record.value.and_then(|value| understood(source, value))
                && heard.send(one).await.is_err()
            {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// What a record says; none for what says nothing here. What cannot be read is the intake's to tell.
fn understood(source: &TopicPartition, value: &[u8]) -> Option<Heard> {
    if source.topic == TopicName::alerts() {
        let event = schemas::alert::decode(value).ok()?;
        return Some(Heard::Event(source.partition, event));
    }
    let line = std::str::from_utf8(value).ok()?;
    let service = service_of(line)?;
    Some(Heard::Alive(service.to_owned()))
}
