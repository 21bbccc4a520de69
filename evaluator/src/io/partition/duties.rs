//! What an owner does by its own clock: ticks, bundle marks, and saying that it has caught up.

use crate::config::Config;
use crate::core::{Partition, Plans};
use crate::io::record::{bundle_mark, tick};
use model::{CaughtUp, Span, TenantId, Timestamp};
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;
use stream::{Delivery, OffsetRange, Stream, StreamError, TopicPartition};
use tokio::time::Instant;

/// The tick period of a partition whose tenant has no bundle yet.
const TICK: Span = Span::from_secs(10);
/// The pause after an append of the owner's own, or a look at the log's end, has failed.
const PAUSE: Duration = Duration::from_secs(1);

/// The owner's clock work for one partition.
pub(crate) struct Duties {
    stream: Stream,
    source: TopicPartition,
    tenant: TenantId,
    mark_every: Duration,
    caught_up_every: Duration,
    backlog: Span,
    /// When the last record was received.
    heard: Instant,
    /// Nothing of its own is appended before.
    not_before: Instant,
    own: Own,
    marked: Option<u64>,
    mark_due: Instant,
    /// The last record that was evaluated.
    last: Option<(i64, Timestamp)>,
    behind: bool,
    /// "Caught up" is said when everything before this offset is evaluated.
    target: Option<i64>,
    probe_due: Instant,
    probe: Option<Probe>,
}

type Probe = Pin<Box<dyn Future<Output = Probed> + Send>>;

/// A look at the log's offsets.
pub(crate) struct Probed {
    /// The next offset that evaluation needed when it began.
    pub(crate) needed: i64,
    /// What the log holds.
    pub(crate) log: Result<OffsetRange, StreamError>,
}

/// The owner's last record in the log. There is at most one that was not read back, so that an
/// owner whose reading is held up does not fill the log.
enum Own {
    None,
    Sent(Delivery),
    Appended(i64),
}

/// What the clock work has led to.
pub(crate) enum Done {
    /// An append of its own is acknowledged, or has failed.
    Appended(Result<i64, StreamError>),
    /// The log's offsets as they are now.
    Probed(Probed),
}

impl Duties {
    /// A partition that was claimed when its log ended at `end`.
    pub(crate) fn new(
        stream: Stream,
        source: TopicPartition,
        tenant: TenantId,
        config: &Config,
        end: i64,
        now: Instant,
    ) -> Self {
        let caught_up_every = config.caught_up_every.to_std();
        Self {
            stream,
            source,
            tenant,
            mark_every: config.mark_every.to_std(),
            caught_up_every,
            backlog: config.backlog,
            heard: now,
            not_before: now,
            own: Own::None,
            marked: None,
            mark_due: now,
            last: None,
            behind: false,
            target: Some(end),
            probe_due: now + caught_up_every,
            probe: None,
        }
    }

    /// A record was evaluated at `wall` by this machine's clock.
    pub(crate) fn heard(&mut self, offset: i64, arrival: Timestamp, wall: Timestamp, now: Instant) {
        self.heard = now;
        self.last = Some((offset, arrival));
        if let Own::Appended(own) = self.own
            && own <= offset
        {
            self.own = Own::None;
        }
        let delay = wall.since(arrival);
        if delay > self.backlog {
            self.behind = true;
        } else if self.behind && delay <= Span::from_nanos(self.backlog.as_nanos() / 2) {
            self.behind = false;
            self.probe_due = now;
        }
    }

    /// Waits for an append or a look at the log's end, or for ever when there is none. Cancel-safe.
    pub(crate) async fn done(&mut self) -> Done {
        let own = &mut self.own;
        let probe = &mut self.probe;
        let appended = async {
            match own {
                Own::Sent(delivery) => delivery.await.map(|appended| appended.offset),
                Own::None | Own::Appended(_) => std::future::pending().await,
            }
        };
        let probed = async {
            match probe {
                Some(probe) => probe.as_mut().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            appended = appended => Done::Appended(appended),
            probed = probed => Done::Probed(probed),
        }
    }

    /// An append of its own has ended. It may have been read back before its acknowledgement came.
    pub(crate) fn appended(&mut self, appended: &Result<i64, StreamError>, now: Instant) {
        self.own = match appended {
            Ok(offset) if self.last.is_some_and(|(last, _)| last >= *offset) => Own::None,
            Ok(offset) => Own::Appended(*offset),
            Err(error) => {
                let source = &self.source;
                tracing::warn!(%source, %error, "a tick or bundle mark is not acknowledged");
                (self.marked, self.mark_due) = (None, now);
                self.not_before = now + PAUSE;
                Own::None
            }
        };
    }

    /// The log's end was looked up; "caught up" is due when it is reached.
    pub(crate) fn probed(&mut self, probed: &Probed, now: Instant) {
        self.probe = None;
        match &probed.log {
            Ok(log) => {
                self.target = Some(log.end);
                self.probe_due = now + self.caught_up_every;
            }
            Err(_) => self.probe_due = now + PAUSE,
        }
    }

    /// The control event that is due, if one is.
    pub(crate) fn caught_up(&mut self, next_offset: i64) -> Option<CaughtUp> {
        let (offset, arrival) = self.last?;
        self.target.take_if(|target| next_offset >= *target)?;
        Some(CaughtUp {
            tenant: self.tenant.clone(),
            partition: self.source.partition,
            offset,
            arrival,
        })
    }

    /// When there is something to do again, other than by a record or a new bundle; none while it
    /// waits for one.
    pub(crate) fn due(&self, plans: &Plans) -> Option<Instant> {
        let probe = self.probe.is_none().then_some(self.probe_due);
        let own = matches!(self.own, Own::None).then(|| {
            let due = self.mark_due.min(self.heard + period(plans));
            due.max(self.not_before)
        });
        probe.into_iter().chain(own).min()
    }

    /// Does what is due. `idle`: no record waits to be evaluated.
    pub(crate) fn act(&mut self, core: &Partition, plans: &Plans, idle: bool, now: Instant) {
        if self.probe.is_none() && now >= self.probe_due {
            let (stream, source) = (self.stream.clone(), self.source.clone());
            let needed = core.next_offset();
            self.probe = Some(Box::pin(async move {
                let log = stream.offsets(&source).await;
                Probed { needed, log }
            }));
        }
        if !matches!(self.own, Own::None) || now < self.not_before {
            return;
        }
        if self.mark(core, plans, now) {
            return;
        }
        if now >= self.heard + period(plans) {
            // One that waits for its evaluation is heard when its turn comes.
            self.heard = now;
            if idle {
                self.own = Own::Sent(self.stream.send(tick(&self.source)));
            }
        }
    }

    /// Writes a bundle mark if one is due: a newer revision than the one in force, or an hour has
    /// passed.
    fn mark(&mut self, core: &Partition, plans: &Plans, now: Instant) -> bool {
        let hour = now >= self.mark_due;
        if hour {
            self.mark_due = now + self.mark_every;
        }
        let Some(newest) = plans.newest() else {
            return false;
        };
        let known = core.newest_revision().max(self.marked);
        let newer = known.is_none_or(|known| newest.revision() > known);
        let again = hour && known == Some(newest.revision());
        if !newer && !again {
            return false;
        }
        let mark = bundle_mark(&self.source, newest.revision(), newest.hash());
        self.own = Own::Sent(self.stream.send(mark));
        self.marked = Some(newest.revision());
        self.mark_due = now + self.mark_every;
        true
    }
}

fn period(plans: &Plans) -> Duration {
    plans.newest().map_or(TICK, |plan| plan.tick()).to_std()
}
