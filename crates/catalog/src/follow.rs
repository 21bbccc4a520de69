//! A service's live copy of the catalogue.

use crate::snapshot::{Extent, Snapshot, load_as, source};
use crate::{CatalogError, topics};
use runtime::{Condition, Context, OnEnd, Shutdown};
use schemas::catalogue::Catalogue;
use std::sync::Arc;
use std::time::Duration;
use stream::{Batch, PartitionReader, Stream, StreamError, Verdict};
use tokio::sync::watch;

/// How long a revision may stay without its marker before it is taken as it is: its publisher died.
const MARKER_PATIENCE: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// The place of a copy that was not read yet.
const NOT_LOADED: i64 = -1;

/// The catalogue as it is now. A cheap handle; all clones see the same copy.
#[derive(Clone)]
pub struct LiveCatalog {
    stream: Stream,
    copy: watch::Receiver<Live>,
}

#[derive(Clone)]
struct Live {
    catalogue: Arc<Catalogue>,
    next_offset: i64,
}

impl LiveCatalog {
    /// Reads the catalogue to its end, then follows it until the shutdown. Waits, and says so in the
    /// condition `catalogue`, while the log cannot be reached.
    pub async fn follow(stream: Stream, ctx: &Context) -> Result<Self, CatalogError> {
        Self::follow_as(Extent::Whole, stream, ctx).await
    }

    /// As [`LiveCatalog::follow`], for who needs no bundle: the copy holds none.
    pub async fn follow_declared(stream: Stream, ctx: &Context) -> Result<Self, CatalogError> {
        Self::follow_as(Extent::Declared, stream, ctx).await
    }

    async fn follow_as(
        extent: Extent,
        stream: Stream,
        ctx: &Context,
    ) -> Result<Self, CatalogError> {
        let condition = ctx.health.condition("catalogue");
        let order = ctx.tasks.shutdown().clone();
        let snapshot = patient_load(&stream, extent, &condition, &order).await?;
        let (sender, copy) = watch::channel(live(&snapshot));
        condition.ready(format!("revision {}", snapshot.catalogue.revision));
        let follower = Follower {
            stream: Arc::clone(&stream),
            snapshot,
            sender,
            condition,
            order,
        };
        ctx.tasks
            .spawn("catalogue", OnEnd::StopsTheProcess, follower.run());
        Ok(Self { stream, copy })
    }

    /// As [`LiveCatalog::follow_declared`], for who has something to do while the log cannot be reached: the copy is
    /// empty until [`LiveCatalog::is_loaded`].
    pub fn begin(stream: Stream, ctx: &Context) -> Self {
        let condition = ctx.health.condition("catalogue");
        condition.not_ready("not read yet".to_owned());
        let order = ctx.tasks.shutdown().clone();
        let (sender, copy) = watch::channel(Live {
            catalogue: Arc::default(),
            next_offset: NOT_LOADED,
        });
        let own = Arc::clone(&stream);
        let following = async move {
            let snapshot = match patient_load(&own, Extent::Declared, &condition, &order).await {
                Ok(snapshot) => snapshot,
                Err(CatalogError::Stopped) => return Ok(()),
                Err(error) => return Err(error),
            };
            let follower = Follower {
                stream: own,
                snapshot,
                sender,
                condition,
                order,
            };
            follower.swap();
            follower.run().await
        };
        ctx.tasks
            .spawn("catalogue", OnEnd::StopsTheProcess, following);
        Self { stream, copy }
    }

    /// Whether the copy is that of the log, and not the empty one of a beginning.
    pub fn is_loaded(&self) -> bool {
        self.copy.borrow().next_offset != NOT_LOADED
    }

    /// A copy that never changes, for tests of what stands on the catalogue.
    pub fn fixed(stream: Stream, catalogue: Catalogue) -> Self {
        let (_, copy) = watch::channel(Live {
            catalogue: catalogue.into(),
            next_offset: i64::MAX,
        });
        Self { stream, copy }
    }

    /// The copy as of the newest whole revision.
    pub fn current(&self) -> Arc<Catalogue> {
        Arc::clone(&self.copy.borrow().catalogue)
    }

    /// Waits for the next copy. Never returns once following has ended. Cancel-safe.
    pub async fn changed(&mut self) -> Arc<Catalogue> {
        if self.copy.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        Arc::clone(&self.copy.borrow_and_update().catalogue)
    }

    /// Waits until everything that the topic holds now has been read, and hands out the copy.
    pub async fn caught_up(&self) -> Result<Arc<Catalogue>, CatalogError> {
        let end = self.stream.offsets(&source()).await?.end;
        let mut copy = self.copy.clone();
        let live = copy
            .wait_for(|live| live.next_offset >= end)
            .await
            .map_err(|_| CatalogError::Stopped)?;
        Ok(Arc::clone(&live.catalogue))
    }
}

fn live(snapshot: &Snapshot) -> Live {
    Live {
        catalogue: Arc::new(snapshot.catalogue.clone()),
        next_offset: snapshot.next_offset,
    }
}

/// Loads the catalogue; waits, and says so, while the log cannot be reached.
async fn patient_load(
    stream: &Stream,
    extent: Extent,
    condition: &Condition,
    order: &Shutdown,
) -> Result<Snapshot, CatalogError> {
    let mut pause = FIRST_PAUSE;
    loop {
        match first_load(stream, extent).await {
            Ok(snapshot) => return Ok(snapshot),
            Err(error) if may_pass(&error) => {
                tracing::warn!(%error, "the catalogue cannot be read yet");
                condition.not_ready(error.to_string());
                wait(order, &mut pause).await?;
            }
            Err(error) => return Err(error),
        }
    }
}

async fn first_load(stream: &Stream, extent: Extent) -> Result<Snapshot, CatalogError> {
    topics::ensure_topics(stream).await?;
    load_as(stream, extent).await
}

/// Whether waiting helps. A topic that is missing may be made by somebody with the right to.
fn may_pass(error: &CatalogError) -> bool {
    error.verdict() == Verdict::Transient
        || matches!(
            error,
            CatalogError::Log(StreamError::UnknownTopic { .. } | StreamError::Unauthorized { .. })
        )
}

async fn wait(order: &Shutdown, pause: &mut Duration) -> Result<(), CatalogError> {
    tokio::select! {
        () = order.begun() => return Err(CatalogError::Stopped),
        () = tokio::time::sleep(*pause) => {}
    }
    *pause = (*pause * 2).min(LONGEST_PAUSE);
    Ok(())
}

struct Follower {
    stream: Stream,
    snapshot: Snapshot,
    sender: watch::Sender<Live>,
    condition: Condition,
    order: Shutdown,
}

impl Follower {
    async fn run(mut self) -> Result<(), CatalogError> {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.read_on().await {
                Ok(()) | Err(CatalogError::Stopped) => return Ok(()),
                Err(error) => {
                    // The copy stays in force: what was valid a moment ago is better than nothing.
                    tracing::warn!(%error, "the catalogue cannot be followed at the moment");
                    if wait(&self.order, &mut pause).await.is_err() {
                        return Ok(());
                    }
                }
            }
        }
    }

    async fn read_on(&mut self) -> Result<(), CatalogError> {
        let mut reader = self
            .stream
            .read(&source(), self.snapshot.next_offset)
            .await?;
        loop {
            let patience = if self.withheld() {
                MARKER_PATIENCE
            } else {
                Duration::MAX
            };
            let batch = tokio::select! {
                () = self.order.begun() => return Ok(()),
                batch = next(&mut reader, patience) => batch?,
            };
            let ended = match batch {
                Some(batch) => self.snapshot.apply(&batch),
                None => true,
            };
            if ended {
                self.swap();
            }
        }
    }

    /// Whether records were applied that no marker has ended.
    fn withheld(&self) -> bool {
        self.sender.borrow().next_offset < self.snapshot.next_offset
    }

    fn swap(&self) {
        self.sender.send_replace(live(&self.snapshot));
        let revision = self.snapshot.catalogue.revision;
        self.condition.ready(format!("revision {revision}"));
        tracing::info!(revision, "catalogue revision in force");
    }
}

/// The next records, or none when there are none for `patience`.
async fn next(
    reader: &mut PartitionReader,
    patience: Duration,
) -> Result<Option<Batch>, CatalogError> {
    match tokio::time::timeout(patience, reader.next()).await {
        Err(_) => Ok(None),
        Ok(Some(Ok(batch))) => Ok(Some(batch)),
        Ok(Some(Err(error))) => Err(error.into()),
        Ok(None) => Err(StreamError::Closed.into()),
    }
}
