//! The log of a running `up`, as commands on the same machine reach it through its door: the same interface
//! as Kafka, so that a command needs to know only one.

use super::Client;
use async_trait::async_trait;
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use model::{Timestamp, TopicName};
use runtime::{OnEnd, Shutdown, Tasks};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use stream::{
    Appended, Batch, BatchBuilder, Commit, Delivery, Ensured, JoinSpec, Log, Membership, NewRecord,
    OffsetRange, PartitionReader, Stream, StreamError, TopicInfo, TopicPartition, TopicSpec,
};

/// How long the door waits for records that are not there yet.
const WAIT: Duration = Duration::from_secs(2);
/// Batches that are read ahead.
const AHEAD: usize = 2;

/// What is asked of the log.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Ask {
    Topics,
    Offsets {
        topic: String,
        partition: u32,
    },
    Committed {
        group: String,
        sources: Vec<(String, u32)>,
    },
    Read {
        topic: String,
        partition: u32,
        from: i64,
    },
    Append(WireRecord),
}

/// A record; bytes in base64.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WireRecord {
    topic: String,
    partition: u32,
    #[serde(default)]
    offset: i64,
    #[serde(default)]
    nanos: i64,
    key: Option<String>,
    value: Option<String>,
    headers: Vec<(String, String)>,
}

/// What the log says.
#[derive(Debug, Serialize, Deserialize)]
enum Told {
    Topics(Vec<(String, u32)>),
    Offsets { earliest: i64, end: i64 },
    Committed(Vec<(String, u32, i64, String)>),
    Records(Vec<WireRecord>),
    Appended(i64),
}

fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

fn decode(text: &str) -> Result<Bytes, String> {
    STANDARD
        .decode(text)
        .map(Bytes::from)
        .map_err(|error| error.to_string())
}

fn source(topic: &str, partition: u32) -> Result<TopicPartition, String> {
    let topic = TopicName::listed(topic).map_err(|error| error.to_string())?;
    Ok(TopicPartition::new(topic, partition))
}

/// Answers a command.
pub(super) async fn answer(stream: &Stream, ask: Ask) -> Response {
    match tell(stream, ask).await {
        Ok(told) => Json(told).into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, why).into_response(),
    }
}

async fn tell(stream: &Stream, ask: Ask) -> Result<Told, String> {
    let said = |error: StreamError| error.to_string();
    Ok(match ask {
        Ask::Topics => {
            let topics = stream.topics().await.map_err(said)?;
            let pair = |topic: TopicInfo| (topic.name.to_string(), topic.partitions);
            Told::Topics(topics.into_iter().map(pair).collect())
        }
        Ask::Offsets { topic, partition } => {
            let range = stream
                .offsets(&source(&topic, partition)?)
                .await
                .map_err(said)?;
            Told::Offsets {
                earliest: range.earliest,
                end: range.end,
            }
        }
        Ask::Committed { group, sources } => {
            let sources: Result<Vec<_>, _> = sources.iter().map(|(t, p)| source(t, *p)).collect();
            let commits = stream.committed(&group, &sources?).await.map_err(said)?;
            let row = |c: Commit| {
                (
                    c.source.topic.to_string(),
                    c.source.partition,
                    c.next_offset,
                    c.metadata,
                )
            };
            Told::Committed(commits.into_iter().map(row).collect())
        }
        Ask::Read {
            topic,
            partition,
            from,
        } => {
            let mut reader = stream
                .read(&source(&topic, partition)?, from)
                .await
                .map_err(said)?;
            match tokio::time::timeout(WAIT, reader.next()).await {
                Ok(Some(batch)) => Told::Records(records(&batch.map_err(said)?)),
                Ok(None) => return Err("the log was closed".to_owned()),
                Err(_) => Told::Records(Vec::new()),
            }
        }
        Ask::Append(record) => {
            let appended = stream.send(record.into_record()?).await.map_err(said)?;
            Told::Appended(appended.offset)
        }
    })
}

fn records(batch: &Batch) -> Vec<WireRecord> {
    let source = batch.source();
    let wire = |record: stream::Record<'_>| WireRecord {
        topic: source.topic.to_string(),
        partition: source.partition,
        offset: record.offset,
        nanos: record.timestamp.as_nanos(),
        key: record.key.map(encode),
        value: record.value.map(encode),
        headers: record
            .headers()
            .map(|(name, value)| (name.to_owned(), encode(value)))
            .collect(),
    };
    batch.records().map(wire).collect()
}

impl WireRecord {
    fn into_record(self) -> Result<NewRecord, String> {
        let headers = self
            .headers
            .into_iter()
            .map(|(name, value)| Ok((name, decode(&value)?)));
        Ok(NewRecord {
            target: source(&self.topic, self.partition)?,
            key: self.key.as_deref().map(decode).transpose()?,
            value: self.value.as_deref().map(decode).transpose()?,
            headers: headers.collect::<Result<_, String>>()?,
        })
    }

    fn of(record: &NewRecord) -> Self {
        Self {
            topic: record.target.topic.to_string(),
            partition: record.target.partition,
            offset: 0,
            nanos: 0,
            key: record.key.as_deref().map(encode),
            value: record.value.as_deref().map(encode),
            headers: record
                .headers
                .iter()
                .map(|(name, value)| (name.clone(), encode(value)))
                .collect(),
        }
    }
}

/// The log at the other side of a door.
#[derive(Clone)]
pub(crate) struct DoorLog {
    client: Arc<Client>,
    tasks: Tasks,
}

impl DoorLog {
    pub(crate) fn stream(client: Client) -> Stream {
        Arc::new(Self {
            client: Arc::new(client),
            tasks: Tasks::new(Shutdown::new()),
        })
    }

    async fn ask(&self, ask: &Ask) -> Result<Told, StreamError> {
        let answer = self
            .client
            .ask(self.client.http.post(self.client.url("log")).json(ask))
            .await;
        answer.map_err(|failure| StreamError::Unreachable {
            reason: failure.cause,
        })
    }
}

fn odd(told: &Told) -> StreamError {
    StreamError::Unreachable {
        reason: format!("the running process answered something else: {told:?}"),
    }
}

fn unreadable(reason: String) -> StreamError {
    StreamError::Unreachable { reason }
}

async fn fetch(log: &DoorLog, from: &TopicPartition, offset: i64) -> Result<Batch, StreamError> {
    let ask = Ask::Read {
        topic: from.topic.to_string(),
        partition: from.partition,
        from: offset,
    };
    let Told::Records(records) = log.ask(&ask).await? else {
        return Err(unreadable(
            "the running process answered something else".to_owned(),
        ));
    };
    let mut batch = BatchBuilder::new(from.clone(), 0);
    for record in records {
        let bytes =
            |text: &Option<String>| text.as_deref().map(decode).transpose().map_err(unreadable);
        let headers = record
            .headers
            .iter()
            .map(|(name, value)| Ok((name.clone(), decode(value).map_err(unreadable)?.to_vec())));
        batch.push(
            record.offset,
            Timestamp::from_nanos(record.nanos),
            bytes(&record.key)?.as_deref(),
            bytes(&record.value)?.as_deref(),
            headers.collect::<Result<_, StreamError>>()?,
        );
    }
    Ok(batch.finish())
}

#[async_trait]
impl Log for DoorLog {
    fn send(&self, record: NewRecord) -> Delivery {
        let (done, delivery) = Delivery::pending();
        let log = self.clone();
        self.tasks.spawn("door-append", OnEnd::Fine, async move {
            let outcome = match log.ask(&Ask::Append(WireRecord::of(&record))).await {
                Ok(Told::Appended(offset)) => Ok(Appended {
                    offset,
                    timestamp: None,
                }),
                Ok(other) => Err(odd(&other)),
                Err(error) => Err(error),
            };
            drop(done.send(outcome));
            Ok::<(), String>(())
        });
        delivery
    }

    async fn ensure_topic(&self, spec: &TopicSpec) -> Result<Ensured, StreamError> {
        Err(StreamError::Refused {
            topic: spec.name.clone(),
            reason: "topics are made by the process that holds the log".to_owned(),
        })
    }

    async fn topics(&self) -> Result<Vec<TopicInfo>, StreamError> {
        match self.ask(&Ask::Topics).await? {
            Told::Topics(topics) => topics
                .into_iter()
                .map(|(name, partitions)| {
                    let name = TopicName::listed(&name).map_err(|e| unreadable(e.to_string()))?;
                    Ok(TopicInfo { name, partitions })
                })
                .collect(),
            other => Err(odd(&other)),
        }
    }

    async fn partitions(&self, topic: &TopicName) -> Result<Option<u32>, StreamError> {
        let topics = self.topics().await?;
        let found = topics.into_iter().find(|known| known.name == *topic);
        Ok(found.map(|known| known.partitions))
    }

    async fn offsets(&self, of: &TopicPartition) -> Result<OffsetRange, StreamError> {
        let ask = Ask::Offsets {
            topic: of.topic.to_string(),
            partition: of.partition,
        };
        match self.ask(&ask).await? {
            Told::Offsets { earliest, end } => Ok(OffsetRange { earliest, end }),
            other => Err(odd(&other)),
        }
    }

    async fn committed(
        &self,
        group: &str,
        of: &[TopicPartition],
    ) -> Result<Vec<Commit>, StreamError> {
        let sources = of
            .iter()
            .map(|one| (one.topic.to_string(), one.partition))
            .collect();
        match self
            .ask(&Ask::Committed {
                group: group.to_owned(),
                sources,
            })
            .await?
        {
            Told::Committed(rows) => rows
                .into_iter()
                .map(|(topic, partition, next_offset, metadata)| {
                    let source = source(&topic, partition).map_err(unreadable)?;
                    Ok(Commit {
                        source,
                        next_offset,
                        metadata,
                    })
                })
                .collect(),
            other => Err(odd(&other)),
        }
    }

    async fn read(&self, of: &TopicPartition, from: i64) -> Result<PartitionReader, StreamError> {
        let (sender, receiver) = tokio::sync::mpsc::channel(AHEAD);
        let (log, of) = (self.clone(), of.clone());
        self.tasks.spawn("door-read", OnEnd::Fine, async move {
            let mut next = from;
            loop {
                let batch = fetch(&log, &of, next).await;
                let failed = batch.is_err();
                if let Ok(batch) = &batch {
                    match batch.last_offset() {
                        Some(last) => next = last + 1,
                        // The door waited in vain: whether anybody still reads is asked before it waits again.
                        None if sender.is_closed() => return Ok::<(), String>(()),
                        None => continue,
                    }
                }
                if sender.send(batch).await.is_err() || failed {
                    return Ok(());
                }
            }
        });
        Ok(PartitionReader::new(receiver))
    }

    async fn join(&self, _: JoinSpec) -> Result<Membership, StreamError> {
        Err(unreadable("a command joins no group".to_owned()))
    }

    async fn flush(&self, _: Duration) -> Result<(), StreamError> {
        Ok(())
    }

    fn describe(&self) -> String {
        format!("log of process {}", self.client.running.pid)
    }
}
