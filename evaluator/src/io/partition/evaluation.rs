//! The loop of one partition that is owned: records into the core, its actions out, its state
//! written.

use super::duties::{Done, Duties};
use super::intake::Intake;
use super::owner::{End, out_of_range, start};
use super::{Gained, Order, Services};
use crate::core::{Action, Finding, Input, Partition, Plans, step};
use crate::error::PartitionError;
use crate::io::outbox::Outbox;
use crate::io::questions::{Question, Seat};
use crate::io::queue::BatchReceiver;
use crate::io::record::{derived, payload};
use crate::io::state::{Rounds, SaveError, Saver, StateKey, Watched};
use crate::metrics::Compliance;
use bytes::Bytes;
use model::{StreamEvent, Timestamp, TopicName};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use stream::{OffsetRange, StreamError, TopicPartition};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Findings of one partition are logged at most this often; all are counted.
const FINDING_LOG_EVERY: Duration = Duration::from_secs(10);

/// A partition that is evaluated.
pub(super) struct Evaluation<'a> {
    services: &'a Services,
    source: TopicPartition,
    epoch: i64,
    watched: Watched,
    core: Partition,
    intake: Intake,
    outbox: Outbox,
    rounds: Rounds,
    saver: Saver,
    saving: Option<Saving>,
    duties: Duties,
    seat: Seat,
    finding_logged: Option<Instant>,
    /// Of the tenant's first partition alone, which sums the others up.
    compliance: Option<Compliance>,
}

type Saving = Pin<Box<dyn Future<Output = Result<i64, SaveError>> + Send>>;

/// What the loop is woken by.
enum Turn {
    /// The dispatcher has spoken; none when it has let go.
    Order(Option<Order>),
    /// Somebody else has claimed the partition.
    Fenced(i64),
    /// A share of the state is written.
    Saved(Result<i64, SaveError>),
    /// An event is acknowledged.
    Sent(Result<(), StreamError>),
    /// The clock work has led to something.
    Duty(Done),
    /// Somebody asks for the state of groups.
    Asked(Question),
    /// The catalogue has other bundles.
    Bundles,
    /// Something is due.
    Due,
    /// Records can be evaluated; none when no more will come.
    Records(Option<()>),
}

impl<'a> Evaluation<'a> {
    /// `claim` is the owner's epoch, and what shows higher ones; `earlier` are the keys that others
    /// have left; `log` is the log at the claim.
    pub(super) fn new(
        services: &'a Services,
        gained: &Gained,
        (epoch, watched): (i64, Watched),
        core: Partition,
        earlier: Vec<StateKey>,
        log: OffsetRange,
        queue: BatchReceiver,
    ) -> Self {
        let (now, config) = (Instant::now(), &services.config);
        let (source, input) = (gained.source.clone(), gained.input.clone());
        let alerts = input.home(services.alerts_partitions);
        let outbox = Outbox::new(
            services.stream.clone(),
            TopicPartition::new(TopicName::alerts(), alerts),
            Bytes::from(input.alert_key()),
            services.metrics.clone(),
        );
        let duties = Duties::new(
            services.stream.clone(),
            source.clone(),
            input.tenant().clone(),
            config,
            log.end,
            now,
        );
        let tenant = input.tenant().as_str();
        let first = source.partition == 0;
        let compliance = first.then(|| services.metrics.tag_compliance(tenant));
        let saver = Saver {
            stream: services.stream.clone(),
            group: services.group.clone(),
            source: source.clone(),
            home: services.state.home(&input),
            input,
            epoch,
            watched: watched.clone(),
            events: outbox.acked(),
            metrics: services.metrics.clone(),
        };
        let interval = config.state_interval.to_std();
        Self {
            services,
            source,
            epoch,
            watched,
            core,
            intake: Intake::new(queue),
            outbox,
            rounds: Rounds::new(
                epoch,
                interval,
                (config.state_chunk_bytes, Arc::clone(&services.state_budget)),
                earlier,
                now,
            ),
            saver,
            saving: None,
            duties,
            seat: services.desk.seat(&gained.source),
            finding_logged: None,
            compliance,
        }
    }

    /// Evaluates until the partition is released, claimed by somebody else, or cannot be evaluated
    /// any more.
    pub(super) async fn run(
        mut self,
        orders: &mut mpsc::UnboundedReceiver<Order>,
    ) -> Result<End, PartitionError> {
        let mut plans = self.services.plans.clone();
        loop {
            self.work()?;
            match self.turn(orders, &mut plans).await {
                Turn::Order(None) | Turn::Records(None) => return Ok(End::Released),
                Turn::Order(Some(Order::GiveBack)) => return self.give_back(orders).await,
                Turn::Order(Some(Order::OutOfRange {
                    wanted,
                    earliest,
                    end,
                })) => {
                    let log = OffsetRange { earliest, end };
                    let from = out_of_range(self.services, &self.source, wanted, log)?;
                    start(self.services, &self.source, from).await?;
                }
                Turn::Fenced(claim) => return Ok(End::Fenced { claim }),
                Turn::Saved(saved) => {
                    if let Some(end) = self.saved(saved)? {
                        return Ok(end);
                    }
                }
                Turn::Sent(sent) => sent?,
                Turn::Duty(done) => self.duty(done)?,
                Turn::Asked(question) => question.answer(&self.core),
                Turn::Bundles | Turn::Due => {}
                Turn::Records(Some(())) => self.evaluate(),
            }
        }
    }

    async fn turn(
        &mut self,
        orders: &mut mpsc::UnboundedReceiver<Order>,
        plans: &mut crate::io::plans::PlanBook,
    ) -> Turn {
        let due = self.due();
        let has_room = self.outbox.len() < self.services.config.events_in_flight;
        let tenant = self.saver.input.tenant();
        tokio::select! {
            biased;
            order = orders.recv() => Turn::Order(order),
            claim = self.watched.higher_claim(self.epoch) => Turn::Fenced(claim),
            saved = running(&mut self.saving) => Turn::Saved(saved),
            sent = self.outbox.advance() => Turn::Sent(sent),
            done = self.duties.done() => Turn::Duty(done),
            question = self.seat.next() => Turn::Asked(question),
            () = plans.changed() => Turn::Bundles,
            () = sleep_until(due) => Turn::Due,
            ready = self.intake.ready(&self.services.plans, tenant), if has_room => {
                Turn::Records(ready)
            }
        }
    }

    fn plans(&self) -> Plans {
        self.services.plans.of(self.saver.input.tenant())
    }

    fn due(&self) -> Option<Instant> {
        let state = self.saving.is_none().then(|| self.rounds.due());
        state
            .into_iter()
            .chain(self.duties.due(&self.plans()))
            .min()
    }

    /// What is due by now.
    fn work(&mut self) -> Result<(), PartitionError> {
        let (now, plans) = (Instant::now(), self.plans());
        self.duties
            .act(&self.core, &plans, self.intake.is_idle(), now);
        if let Some(caught_up) = self.duties.caught_up(self.core.next_offset()) {
            let event = schemas::alert::encode(&StreamEvent::CaughtUp(caught_up));
            self.outbox.push(event, None);
        }
        self.save(now)
    }

    /// Begins to write the next share of the state, if one is due and none is being written.
    fn save(&mut self, now: Instant) -> Result<(), PartitionError> {
        if self.saving.is_none()
            && let Some(job) = self.rounds.next(&mut self.core, self.outbox.sent(), now)?
        {
            self.saving = Some(Box::pin(self.saver.clone().save(job)));
        }
        Ok(())
    }

    fn saved(&mut self, saved: Result<i64, SaveError>) -> Result<Option<End>, PartitionError> {
        self.saving = None;
        match saved {
            Ok(written) => {
                self.rounds.written(written);
                Ok(None)
            }
            Err(SaveError::Fenced { claim }) => Ok(Some(End::Fenced { claim })),
            Err(SaveError::Refused(error)) => Err(error.into()),
        }
    }

    fn duty(&mut self, done: Done) -> Result<(), PartitionError> {
        let now = Instant::now();
        match done {
            Done::Appended(appended) => self.duties.appended(&appended, now),
            Done::Probed(probed) => {
                if let Some(log) = probed
                    .log
                    .as_ref()
                    .ok()
                    .filter(|log| log.end < probed.needed)
                {
                    return Err(PartitionError::LogEndsBelow {
                        source_partition: self.source.clone(),
                        end: log.end,
                        known: probed.needed,
                    });
                }
                self.duties.probed(&probed, now);
            }
        }
        Ok(())
    }

    /// Evaluates some of the records that wait.
    fn evaluate(&mut self) {
        let (now, plans) = (Instant::now(), self.plans());
        let wall = Timestamp::from_nanos(self.services.clock.now_nanos());
        let bound = self.services.config.events_in_flight;
        let metrics = &self.services.metrics;
        let (core, outbox, duties) = (&mut self.core, &mut self.outbox, &mut self.duties);
        let compliance = self.compliance.as_ref();
        let source = &self.source;
        let mut finding = None;
        self.intake.feed(|record| {
            let input = Input {
                offset: record.offset,
                arrival: record.timestamp,
                payload: payload(record),
            };
            for action in step(core, input, &plans) {
                metrics.action(&action);
                match action {
                    Action::Emit(event) => {
                        let arrival = event.arrival;
                        let event = schemas::alert::encode(&StreamEvent::Alert(event));
                        outbox.push(event, Some(arrival));
                    }
                    Action::Find(found) => finding = Some(found),
                    Action::Derive(report) => {
                        outbox.push_record(derived(source, &report), None);
                    }
                    Action::Tags(seen) => {
                        if let Some(compliance) = compliance {
                            compliance.set(seen);
                        }
                    }
                    Action::Count(_) => {}
                }
            }
            metrics.points_read(record.value.map_or(0, <[u8]>::len));
            duties.heard(record.offset, record.timestamp, wall, now);
            outbox.len() < bound
        });
        if let Some(finding) = finding {
            self.log(&finding, now);
        }
    }

    fn log(&mut self, finding: &Finding, now: Instant) {
        let logged = self.finding_logged;
        if logged.is_none_or(|logged| now >= logged + FINDING_LOG_EVERY) {
            self.finding_logged = Some(now);
            let (source, kind, host) = (&self.source, finding.kind.as_str(), &finding.host);
            let (offset, detail) = (finding.offset, &finding.detail);
            tracing::warn!(%source, kind, host, offset, detail, "finding");
        }
    }

    /// Writes what is held, within the time that the group waits for it.
    async fn give_back(
        mut self,
        orders: &mut mpsc::UnboundedReceiver<Order>,
    ) -> Result<End, PartitionError> {
        let within = self.services.config.drain.to_std();
        let source = self.source.clone();
        let let_go = async { while orders.recv().await.is_some() {} };
        tokio::select! {
            biased;
            () = let_go => Ok(End::Released),
            written = tokio::time::timeout(within, self.write_all()) => written.unwrap_or_else(|_| {
                tracing::warn!(
                    %source,
                    "what the partition holds was not written in time; its next owner \
                     evaluates it again"
                );
                Ok(End::Released)
            }),
        }
    }

    async fn write_all(&mut self) -> Result<End, PartitionError> {
        let mut hurried = false;
        loop {
            if self.saving.is_none() {
                let now = Instant::now();
                if !hurried {
                    self.rounds.hurry(&self.core, now);
                    hurried = true;
                }
                self.save(now)?;
                if self.saving.is_none() {
                    return Ok(End::Released);
                }
            }
            tokio::select! {
                saved = running(&mut self.saving) => {
                    if let Some(end) = self.saved(saved)? {
                        return Ok(end);
                    }
                }
                sent = self.outbox.advance() => sent?,
            }
        }
    }
}

/// The job that runs, or for ever when none does. Cancel-safe.
async fn running(saving: &mut Option<Saving>) -> Result<i64, SaveError> {
    match saving {
        Some(job) => job.as_mut().await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
