//! One partition that is being read: its lines on their way into chunks by shard, and how far it is
//! done.

use super::{Account, Chunk, Fates, Filling, Position, Read, Watermark};
use bytes::Bytes;
use model::{ShardId, Timestamp};
use placement::Route;
use schemas::metrics_avro::lines_of_record;
use schemas::points::{Decoded, Undecodable};
use std::collections::VecDeque;
use std::ops::Range;

/// When a chunk is full.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Lines of one request.
    pub lines: usize,
    /// Bytes of one request, before compression.
    pub bytes: usize,
}

/// A record as the log holds it.
#[derive(Debug, Clone, Copy)]
pub struct InputRecord<'a> {
    /// Its offset.
    pub offset: i64,
    /// When the log took it.
    pub timestamp: Timestamp,
    /// Its lines.
    pub value: &'a [u8],
}

/// A line that is no line protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// The batch that it was read with.
    pub batch: u64,
    /// Offset of its record.
    pub offset: i64,
    /// Its line in the record, from 1.
    pub number: u32,
    /// The line.
    pub raw: Bytes,
    /// What is wrong with it.
    pub reason: String,
}

/// Lines on their way to one shard: at most one request at a time, in the order of the log. Each
/// replica has its own, so that a slow one holds no other.
#[derive(Debug)]
struct Lane {
    shard: ShardId,
    replica: u32,
    filling: Filling,
    full: VecDeque<Chunk>,
    in_flight: bool,
}

/// A partition.
#[derive(Debug)]
pub struct Partition {
    limits: Limits,
    route: Route,
    /// Lanes only grow: their numbers are held by requests in flight.
    lanes: Vec<Lane>,
    /// The lane of each of the route's shards and of each replica in it.
    lane_of: Vec<usize>,
    /// Replicas in force.
    replicas: usize,
    watermark: Watermark,
    /// Records that are gone, to be counted with the next batch.
    lost_records: u64,
}

/// What of an Avro record cannot become lines: one letter with the whole record, since a point of it has no bytes
/// that would mean anything by themselves.
fn bad_avro(
    batch: u64,
    record: &InputRecord<'_>,
    avro: Result<Decoded, Undecodable>,
) -> Option<BadLine> {
    let reason = match avro {
        Ok(decoded) => decoded.complaint()?,
        Err(undecodable) => undecodable.to_string(),
    };
    Some(BadLine {
        batch,
        offset: record.offset,
        number: 1,
        raw: Bytes::copy_from_slice(record.value),
        reason,
    })
}

/// Where a line lies in what was read, with the newline behind it; none where it does not, since it was made of Avro, or
/// something else is behind it.
fn whole_line(source: &Bytes, line: &[u8]) -> Option<Range<usize>> {
    let start = line.as_ptr().addr().checked_sub(source.as_ptr().addr())?;
    let end = start + line.len();
    (source.get(end) == Some(&b'\n')).then_some(start..end + 1)
}

impl Partition {
    /// A partition whose sums go on from `account`.
    pub fn new(limits: Limits, route: Route, account: Account) -> Self {
        let mut partition = Self {
            limits,
            lane_of: Vec::new(),
            replicas: 1,
            lanes: Vec::new(),
            watermark: Watermark::new(account),
            lost_records: 0,
            route: route.clone(),
        };
        partition.set_route(route);
        partition
    }

    /// Where lines go from now on. Those that wait in a lane stay there.
    pub fn set_route(&mut self, route: Route) {
        self.lane_of.clear();
        self.replicas = route.most_replicas().max(1);
        for shard in route.shards() {
            for replica in 0..self.replicas as u32 {
                let lane = self.lane(shard, replica);
                self.lane_of.push(lane);
            }
        }
        self.route = route;
    }

    fn lane(&mut self, shard: &ShardId, replica: u32) -> usize {
        let is_it = |lane: &Lane| lane.shard == *shard && lane.replica == replica;
        let known = self.lanes.iter().position(is_it);
        known.unwrap_or_else(|| {
            self.lanes.push(Lane {
                shard: shard.clone(),
                replica,
                filling: Filling::default(),
                full: VecDeque::new(),
                in_flight: false,
            });
            self.lanes.len() - 1
        })
    }

    /// How many lanes there are; they are numbered from 0.
    pub fn lanes(&self) -> usize {
        self.lanes.len()
    }

    /// The shard of a lane.
    pub fn shard(&self, lane: usize) -> &ShardId {
        &self.lanes[lane].shard
    }

    /// Which replica of its points a lane carries, from 0.
    pub fn replica(&self, lane: usize) -> u32 {
        self.lanes[lane].replica
    }

    /// Up to where all is done.
    pub fn position(&self) -> Option<Position> {
        self.watermark.position()
    }

    /// The sums over everything up to there.
    pub fn account(&self) -> Account {
        self.watermark.account()
    }

    /// Whether nothing waits and nothing is in flight.
    pub fn is_done(&self) -> bool {
        self.watermark.is_done()
    }

    /// Records are gone from the log before they could be read.
    pub fn lose(&mut self, records: u64) {
        self.lost_records += records;
    }

    /// Reads a batch that ends before `next_offset`, and whose records lie in `source`. Returns the lines that are none,
    /// and whether the batch is done already.
    pub fn read<'a>(
        &mut self,
        records: impl Iterator<Item = InputRecord<'a>>,
        source: &Bytes,
        next_offset: i64,
    ) -> (Vec<BadLine>, bool) {
        let batch = self.watermark.begin(std::mem::take(&mut self.lost_records));
        let mut bad = Vec::new();
        let mut scratch = Vec::new();
        let mut read = Read {
            replicas: self.replicas as u32,
            ..Read::default()
        };
        for record in records {
            let made = lines_of_record(record.value, &mut scratch);
            if let Some(letter) = made.avro.and_then(|avro| bad_avro(batch, &record, avro)) {
                read.lines += 1;
                bad.push(letter);
            }
            for line in schemas::line::scan_within(made.lines, source) {
                read.lines += 1;
                match line {
                    Ok(line) => {
                        let origin = (record.offset, line.number() as u32);
                        let log_time = record.timestamp.as_nanos();
                        read.copies += self.place(batch, origin, &line, log_time, Some(source));
                    }
                    Err(rejected) => bad.push(BadLine {
                        batch,
                        offset: record.offset,
                        number: rejected.number as u32,
                        raw: Bytes::copy_from_slice(rejected.raw),
                        reason: rejected.reason.to_string(),
                    }),
                }
            }
        }
        self.close_runs(source);
        // A line that is none has no place, and one fate.
        read.copies += bad.len() as u64;
        let done = self.watermark.seal(batch, read, source.len(), next_offset);
        (bad, done)
    }

    /// What was read last may go: nothing points into it that does not hold it.
    fn close_runs(&mut self, source: &Bytes) {
        for lane in &mut self.lanes {
            lane.filling.close(source);
        }
    }

    /// Puts a line into the lane of each of its replicas, and says how many those are. A line that lies in `source` as it
    /// is to be sent is not copied.
    fn place(
        &mut self,
        batch: u64,
        origin: (i64, u32),
        line: &schemas::line::Line<'_>,
        log_time: i64,
        source: Option<&Bytes>,
    ) -> u64 {
        let own = line.timestamp();
        let raw = line.raw();
        let within = source
            .filter(|_| own.is_some())
            .and_then(|source| Some((source, whole_line(source, raw)?)));
        let shards = self.route.replicas(own.unwrap_or(log_time), || line.host());
        for (replica, shard) in shards.iter().enumerate() {
            let lane = &mut self.lanes[self.lane_of[shard * self.replicas + replica]];
            let fits = lane.filling.lines() < self.limits.lines
                && lane.filling.bytes() + raw.len() < self.limits.bytes;
            let seals = !fits && lane.filling.lines() > 0;
            if let Some(source) = source.filter(|_| seals || within.is_none()) {
                lane.filling.close(source);
            }
            if seals {
                lane.full.push_back(lane.filling.seal());
            }
            match (&within, own) {
                (Some((source, at)), _) => {
                    lane.filling.push_from(batch, origin, source, at.clone());
                }
                (None, Some(_)) => lane.filling.push(batch, origin, raw, None),
                (None, None) => {
                    let bare = line.without_timestamp();
                    lane.filling.push(batch, origin, bare, Some(log_time));
                }
            }
        }
        shards.len() as u64
    }

    /// Whether a lane has lines to send and none in flight. With `all`, a chunk that is not full
    /// counts.
    pub fn is_ready(&self, lane: usize, all: bool) -> bool {
        let lane = &self.lanes[lane];
        !lane.in_flight && (!lane.full.is_empty() || (all && lane.filling.lines() > 0))
    }

    /// Whether lines wait that fill no chunk yet.
    pub fn is_waiting(&self, lane: usize) -> bool {
        let lane = &self.lanes[lane];
        !lane.in_flight && lane.full.is_empty() && lane.filling.lines() > 0
    }

    /// The next chunk of a lane, which is in flight until [`Partition::landed`].
    pub fn take(&mut self, lane: usize, all: bool) -> Option<Chunk> {
        if !self.is_ready(lane, all) {
            return None;
        }
        let lane = &mut self.lanes[lane];
        lane.in_flight = true;
        let full = lane.full.pop_front();
        Some(full.unwrap_or_else(|| lane.filling.seal()))
    }

    /// The lane's chunk in flight is done or was handed back.
    pub fn landed(&mut self, lane: usize) {
        self.lanes[lane].in_flight = false;
    }

    /// Lines of a batch have their fate. Returns the bytes of the batch when it is done with that.
    pub fn settle(&mut self, batch: u64, fates: Fates) -> usize {
        self.watermark.settle(batch, fates)
    }

    /// The lane's shard is gone: what it sent back and what waits in it is placed again, in order, in
    /// all places that the lines have now. Where they are already, they overwrite themselves.
    pub fn replace(&mut self, lane: usize, sent_back: Chunk) {
        let mut chunks = std::mem::take(&mut self.lanes[lane].full);
        chunks.push_front(sent_back);
        if self.lanes[lane].filling.lines() > 0 {
            chunks.push_back(self.lanes[lane].filling.seal());
        }
        for chunk in chunks {
            let mut line = 0;
            for share in chunk.shares() {
                for _ in 0..share.lines {
                    let (origin, raw) = chunk.line(line);
                    line += 1;
                    // It was scanned when it was read, and has had a timestamp since.
                    for scanned in schemas::line::scan(&raw).flatten() {
                        let origin = (origin.offset, origin.number);
                        let copies = self.place(share.batch, origin, &scanned, 0, None);
                        self.watermark.copies(share.batch, copies as i64 - 1);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "partition_tests.rs"]
mod tests;
