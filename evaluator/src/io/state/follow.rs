//! Follows the state topic live: how far it was read, and the newest claim of each input that is
//! owned here.
//!
//! An owner learns in this way that somebody else has claimed its partition. Before a checkpoint it
//! also waits until its own last record was read back, so that one which slept through a take-over
//! stops before it deletes.

use super::key::{InputId, StateKey, parse};
use crate::io::backoff::Backoff;
use runtime::{OnEnd, Tasks};
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use stream::{Batch, Stream, StreamError, TopicPartition};
use tokio::sync::watch;

/// The readers of the state topic's partitions that this process needs. One for each, however many
/// inputs it has.
pub(crate) struct Followers {
    stream: Stream,
    tasks: Tasks,
    running: tokio::sync::Mutex<HashMap<TopicPartition, Follower>>,
}

struct Follower {
    position: watch::Receiver<i64>,
    claims: Claims,
}

type Claims = Arc<Mutex<HashMap<InputId, watch::Sender<i64>>>>;

/// What an owner sees of its input's claims.
#[derive(Debug, Clone)]
pub(crate) struct Watched {
    position: watch::Receiver<i64>,
    newest: watch::Receiver<i64>,
}

impl Followers {
    /// None yet.
    pub(crate) fn new(stream: Stream, tasks: Tasks) -> Self {
        Self {
            stream,
            tasks,
            running: tokio::sync::Mutex::default(),
        }
    }

    /// Watches the claims of an input that are written from now on.
    pub(crate) async fn watch(
        &self,
        home: &TopicPartition,
        input: &InputId,
    ) -> Result<Watched, StreamError> {
        let mut running = self.running.lock().await;
        if !running.contains_key(home) {
            let follower = self.begin(home.clone()).await?;
            running.insert(home.clone(), follower);
        }
        let follower = &running[home];
        let (sender, newest) = watch::channel(-1);
        let mut claims = lock(&follower.claims);
        claims.retain(|_, owner| !owner.is_closed());
        claims.insert(input.clone(), sender);
        Ok(Watched {
            position: follower.position.clone(),
            newest,
        })
    }

    async fn begin(&self, home: TopicPartition) -> Result<Follower, StreamError> {
        let end = self.stream.offsets(&home).await?.end;
        let (sender, position) = watch::channel(end);
        let claims = Claims::default();
        let reading = follow(self.stream.clone(), home, sender, Arc::clone(&claims));
        self.tasks
            .spawn("evaluator-state-follower", OnEnd::Fine, reading);
        Ok(Follower { position, claims })
    }
}

impl Watched {
    /// Waits for a claim above `epoch`, and says which. Cancel-safe.
    pub(crate) async fn higher_claim(&mut self, epoch: i64) -> i64 {
        match self.newest.wait_for(|newest| *newest > epoch).await {
            Ok(newest) => *newest,
            // Another take-over of the same input in this process has replaced this watch.
            Err(_) => i64::MAX,
        }
    }

    /// Waits until the topic was read past `offset`; an error is the higher claim that was found.
    pub(crate) async fn read_past(&mut self, offset: i64, epoch: i64) -> Result<(), i64> {
        if self.position.wait_for(|next| *next > offset).await.is_err() {
            return Err(i64::MAX);
        }
        let newest = *self.newest.borrow();
        if newest > epoch { Err(newest) } else { Ok(()) }
    }
}

fn lock(claims: &Claims) -> std::sync::MutexGuard<'_, HashMap<InputId, watch::Sender<i64>>> {
    claims.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends when nobody watches any more.
async fn follow(
    stream: Stream,
    home: TopicPartition,
    position: watch::Sender<i64>,
    claims: Claims,
) -> Result<(), Infallible> {
    let mut backoff = Backoff::default();
    loop {
        let from = *position.borrow();
        let failed = tokio::select! {
            () = position.closed() => return Ok(()),
            failed = read(&stream, &home, from, &position, &claims) => failed,
        };
        if *position.borrow() > from {
            backoff.reset();
        }
        match failed {
            None | Some(StreamError::Closed) => return Ok(()),
            Some(error) => {
                tracing::warn!(
                    %home, %error,
                    "the evaluator's state cannot be followed; trying again"
                );
                tokio::time::sleep(backoff.next()).await;
            }
        }
    }
}

/// Reads on until something fails, or the log was closed.
async fn read(
    stream: &Stream,
    home: &TopicPartition,
    from: i64,
    position: &watch::Sender<i64>,
    claims: &Claims,
) -> Option<StreamError> {
    let mut reader = match stream.read(home, from).await {
        Ok(reader) => reader,
        Err(error) => return Some(error),
    };
    loop {
        match reader.next().await {
            Some(Ok(batch)) => see(&batch, position, claims),
            Some(Err(error)) => return Some(error),
            None => return None,
        }
    }
}

fn see(batch: &Batch, position: &watch::Sender<i64>, claims: &Claims) {
    for record in batch.records() {
        if let Some((input, StateKey::Claim)) = record.key.and_then(parse)
            && let Some(owner) = lock(claims).get(&input)
        {
            owner.send_replace(record.offset);
        }
    }
    if let Some(last) = batch.last_offset() {
        position.send_replace(last + 1);
    }
}
