//! What the loop does on events of the group and on reports of its tasks.

use super::commit::CommitJob;
use super::deadletter::DeadLetter;
use super::deliver::Delivery;
use super::event::{Outcome, Report};
use super::handoff::Handoff;
use super::lane::{Job, Watch};
use super::part::{Part, records_of};
use super::start;
use super::worker::{Drain, Worker};
use crate::core::{BadLine, Chunk, Fates};
use std::collections::BTreeSet;
use stream::{Assigned, Batch, GroupEvent, Revoked, StreamError, TopicPartition};
use tokio::time::Instant;

impl Worker {
    pub(super) fn on_group(&mut self, event: GroupEvent) {
        match event {
            GroupEvent::Assigned(assigned) => self.on_assigned(assigned),
            GroupEvent::Revoked(revoked) => self.on_revoked(revoked),
            GroupEvent::Lost(sources) => self.on_lost(&sources),
            GroupEvent::Batch(batch) => self.on_batch(&batch),
            GroupEvent::Failed(error) => self.on_failed(&error),
        }
    }

    pub(super) fn on_report(&mut self, report: Report) {
        match report {
            Report::Lane {
                part,
                lane,
                outcome,
            } => self.on_landed(part, lane, outcome),
            Report::DeadLettered { part, lines } => {
                let fates = lines.into_iter().map(|(batch, lines)| {
                    let fates = Fates {
                        dead_lettered: lines,
                        ..Fates::default()
                    };
                    (batch, fates)
                });
                self.settle(part, fates.collect());
            }
            Report::Committed { done } => {
                self.commits_in_flight -= 1;
                for (part, position) in done {
                    let Some(part) = self.parts.get_mut(&part) else {
                        continue;
                    };
                    part.committed(&position);
                    let partition = part.source.partition;
                    self.metrics
                        .account(&part.tenant, partition, &position.account);
                }
            }
            Report::NotStarted { part, error } => {
                if let Some(part) = self.parts.get(&part) {
                    self.metrics.log_error("start");
                    tracing::error!(source = %part.source, %error, "partition cannot be read");
                }
            }
            Report::Died(what) => tracing::error!(what, "task died"),
        }
    }

    fn on_assigned(&mut self, assigned: Assigned) {
        let mut beginnings = Vec::new();
        let now = u64::try_from(self.tools.clock.now_millis()).unwrap_or(0);
        for (source, commit) in assigned.partitions {
            let Some(tenant) = source.topic.tenant() else {
                tracing::warn!(%source, "topic belongs to no tenant and is not read");
                continue;
            };
            self.forget(&source);
            let id = self.next_part;
            self.next_part += 1;
            let route = self.placement.route(&tenant);
            let limits = self.config.limits();
            let owned = (source.clone(), commit);
            let part = Part::new(id, owned, assigned.generation, limits, route, now);
            let sums = part.core.account();
            self.metrics.account(&tenant, source.partition, &sums);
            beginnings.push(part.beginning());
            self.by_source.insert(source, id);
            self.parts.insert(id, part);
            let flows = self.budget.join(id, &tenant);
            self.flow(flows);
        }
        tracing::info!(
            partitions = beginnings.len(),
            generation = assigned.generation,
            "partitions assigned"
        );
        self.judge(&beginnings);
        self.begin(beginnings);
    }

    /// Looks whether the topics of what was assigned are set as they should, beside the reading.
    fn judge(&self, assigned: &[start::Beginning]) {
        let topics: BTreeSet<_> = assigned
            .iter()
            .map(|one| one.source.topic.clone())
            .collect();
        let specs = topics
            .into_iter()
            .map(|topic| catalog::points_topic(topic, 1));
        let (judge, flawed) = (self.judge.clone(), self.metrics.flawed_topics.clone());
        let specs: Vec<_> = specs.collect();
        self.spawn("judge topics", async move {
            let found = judge.look(specs).await;
            flawed.set(i64::try_from(found).unwrap_or(i64::MAX));
        });
    }

    fn begin(&self, beginnings: Vec<start::Beginning>) {
        let (stream, handle) = (self.stream.clone(), self.handle.clone());
        let reports = self.tools.reports.clone();
        self.spawn(
            "begin to read",
            start::begin(stream, handle, beginnings, reports),
        );
    }

    /// Takes in nothing more, sends what waits, and gives back when all is done or the time is
    /// over.
    fn on_revoked(&mut self, revoked: Revoked) {
        let ids = revoked
            .partitions
            .iter()
            .filter_map(|source| self.by_source.get(source));
        let parts: Vec<_> = ids.copied().collect();
        tracing::info!(partitions = parts.len(), "partitions revoked");
        for id in &parts {
            if let Some(part) = self.parts.get_mut(id) {
                part.draining = true;
            }
            self.pump(*id);
        }
        self.drains.push(Drain {
            parts,
            revoked,
            deadline: Instant::now() + self.config.drain.to_std(),
        });
        self.check_drains(Instant::now());
    }

    fn on_lost(&mut self, sources: &[TopicPartition]) {
        tracing::warn!(
            partitions = sources.len(),
            "partitions lost to other members"
        );
        for source in sources {
            self.forget(source);
        }
        self.check_drains(Instant::now());
    }

    /// Drops a reading and its work. Nothing of it is committed any more.
    fn forget(&mut self, source: &TopicPartition) {
        if let Some(id) = self.by_source.get(source).copied() {
            if let Some(part) = self.parts.get(&id) {
                part.lost.cancel();
            }
            self.remove(id);
        }
    }

    fn remove(&mut self, id: u64) {
        let Some(part) = self.parts.remove(&id) else {
            return;
        };
        part.stop.cancel();
        self.by_source.remove(&part.source);
        self.metrics.forget(&part.tenant, part.source.partition);
        let flows = self.budget.leave(id);
        self.flow(flows);
    }

    fn on_batch(&mut self, batch: &Batch) {
        let part = self.by_source.get(batch.source());
        let part = part.and_then(|id| self.parts.get_mut(id));
        let Some(part) = part.filter(|part| part.takes(batch)) else {
            return;
        };
        let Some(last) = batch.last_offset() else {
            return;
        };
        // Keys are not kept.
        let bytes = batch.values().len();
        let (bad, done) = part.core.read(records_of(batch), batch.values(), last + 1);
        let id = part.id;
        if !done {
            if let Some(first) = batch.records().next() {
                part.opened(last + 1, first.timestamp);
            }
            let flows = self.budget.take(id, bytes);
            self.flow(flows);
        }
        self.dead_letter(id, bad);
        self.pump(id);
    }

    /// Lines that are no line protocol. Their batch is done only when they are acknowledged.
    fn dead_letter(&self, id: u64, bad: Vec<BadLine>) {
        let (Some(part), Some(first)) = (self.parts.get(&id), bad.first()) else {
            return;
        };
        let (source, stop) = (part.source.clone(), part.stop.clone());
        let lines = vec![(first.batch, bad.len() as u64)];
        let letters = bad.into_iter().map(|line| DeadLetter {
            source: source.clone(),
            offset: line.offset,
            number: line.number,
            shard: None,
            line: line.raw,
            kind: "unparseable",
            reason: line.reason,
        });
        let letters = letters.collect();
        let (writer, reports) = (self.tools.dead_letters.clone(), self.tools.reports.clone());
        let watch = Watch::new(reports.clone(), format!("dead letters of {source}"));
        self.spawn("dead letters", async move {
            let written = stop.run_until_cancelled(writer.write(letters)).await;
            watch.done();
            if written.is_some() {
                // Without a loop there is nobody to tell.
                drop(reports.send(Report::DeadLettered { part: id, lines }));
            }
        });
    }

    /// Sends what is ready of each lane, and sets a deadline for what waits for company.
    fn pump(&mut self, id: u64) {
        let Some(part) = self.parts.get_mut(&id) else {
            return;
        };
        part.lingering.resize(part.core.lanes(), false);
        let mut jobs = Vec::new();
        for lane in 0..part.core.lanes() {
            if let Some(chunk) = part.core.take(lane, part.draining) {
                jobs.push(job(part, lane, chunk, self.handoff.as_ref()));
            } else if part.core.is_waiting(lane) && !part.lingering[lane] {
                part.lingering[lane] = true;
                let deadline = Instant::now() + self.config.linger.to_std();
                self.linger.push_back((deadline, id, lane));
            }
        }
        for job in jobs {
            self.launch(job);
        }
    }

    fn launch(&self, job: Job) {
        self.spawn("write to a shard", job.run(self.tools.clone()));
    }

    /// Chunks that waited long enough are sent as they are.
    pub(super) fn on_linger(&mut self) {
        let now = Instant::now();
        while let Some((_, id, lane)) = self.linger.pop_front_if(|(deadline, ..)| *deadline <= now)
        {
            let Some(part) = self.parts.get_mut(&id) else {
                continue;
            };
            part.lingering[lane] = false;
            if let Some(chunk) = part.core.take(lane, true) {
                let job = job(part, lane, chunk, self.handoff.as_ref());
                self.launch(job);
            }
        }
    }

    fn on_landed(&mut self, id: u64, lane: usize, outcome: Outcome) {
        let Some(part) = self.parts.get_mut(&id) else {
            return;
        };
        part.core.landed(lane);
        match outcome {
            Outcome::Done(fates) => self.settle(id, fates),
            Outcome::Homeless(chunk) => {
                let (shard, lines) = (part.core.shard(lane), chunk.len());
                tracing::warn!(%shard, lines, "shard is gone, its lines are placed again");
                part.core.replace(lane, chunk);
            }
            Outcome::Stopped => {}
        }
        self.pump(id);
    }

    /// Lines have their fate, by batch.
    fn settle(&mut self, id: u64, fates: Vec<(u64, Fates)>) {
        let Some(part) = self.parts.get_mut(&id) else {
            return;
        };
        let mut freed = 0;
        for (batch, fates) in fates {
            freed += part.core.settle(batch, fates);
        }
        let flows = self.budget.give(id, freed);
        self.flow(flows);
        self.check_drains(Instant::now());
    }

    /// Gives back what is done, and what has taken too long.
    pub(super) fn check_drains(&mut self, now: Instant) {
        let drains = std::mem::take(&mut self.drains);
        for drain in drains {
            let left = drain.parts.iter().filter(|id| !self.is_done(**id)).count();
            if left > 0 && now < drain.deadline {
                self.drains.push(drain);
                continue;
            }
            if left > 0 {
                tracing::warn!(
                    partitions = left,
                    "given back before all was stored; the next owner reads it again"
                );
            }
            self.give_back(drain);
        }
    }

    fn is_done(&self, id: u64) -> bool {
        self.parts.get(&id).is_none_or(|part| part.core.is_done())
    }

    fn give_back(&mut self, drain: Drain) {
        let parts = drain.parts.iter().filter_map(|id| self.parts.get(id));
        let marks = parts.filter_map(Part::mark).collect();
        for id in drain.parts {
            self.remove(id);
        }
        self.send_commit(CommitJob {
            marks,
            then: Some(drain.revoked),
        });
    }

    fn on_failed(&mut self, error: &StreamError) {
        self.metrics.log_error("read");
        let StreamError::OffsetOutOfRange {
            topic,
            partition,
            wanted,
            earliest,
            ..
        } = error
        else {
            tracing::warn!(%error, "reading fails at the moment");
            return;
        };
        let source = TopicPartition::new(topic.clone(), *partition);
        let part = self.by_source.get(&source);
        let Some(part) = part.and_then(|id| self.parts.get_mut(id)) else {
            return;
        };
        let gone = u64::try_from(earliest - wanted).unwrap_or(0);
        tracing::error!(
            %source, wanted, earliest, lost_records = gone,
            "records are gone from the log before they were read; going on at the earliest"
        );
        part.core.lose(gone);
        self.metrics.lost(&part.tenant, gone);
        let beginning = part.beginning_at(Some(*earliest));
        self.begin(vec![beginning]);
    }
}

fn job(part: &mut Part, lane: usize, chunk: Chunk, handoff: Option<&Handoff>) -> Job {
    Job {
        part: part.id,
        lane,
        delivery: Delivery {
            source: part.source.clone(),
            tenant: part.tenant.clone(),
            shard: part.core.shard(lane).clone(),
            chunk,
            patience: handoff.map(Handoff::patience),
        },
        handoff: handoff.map(|handoff| (handoff.clone(), part.hand(lane))),
        stop: part.stop.clone(),
    }
}
