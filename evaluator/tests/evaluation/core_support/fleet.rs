//! A tenant of several partitions, whose reports come back to the first.

use super::{Points, bundle, s, tenant};
use evaluator::core::{Action, Input, Partition, Payload, Plan, Plans, step};
use model::{AlertEvent, Timestamp, host_partition};
use schemas::catalogue::Bundle;

/// The partitions of a tenant, each with its own log; what they report comes back to the first.
pub struct Fleet {
    pub partitions: Vec<Partition>,
    plans: Plans,
    pub events: Vec<AlertEvent>,
    /// Reports that had no room.
    pub full: u64,
    /// In bytes.
    pub largest_report: usize,
}

impl Fleet {
    pub fn new(yaml: &str, partitions: u32) -> Self {
        let bundle = of(yaml, partitions);
        let mut plans = Plans::new();
        plans.insert(Plan::compile(&bundle).unwrap());
        let mut fleet = Self {
            partitions: (0..partitions)
                .map(|n| Partition::new(tenant(), n))
                .collect(),
            plans,
            events: Vec::new(),
            full: 0,
            largest_report: 0,
        };
        for n in 0..partitions as usize {
            let (revision, hash) = (1, bundle.hash.as_str());
            fleet.take(n, s(0), Payload::BundleMark { revision, hash });
        }
        fleet
    }

    pub fn take(&mut self, n: usize, arrival: Timestamp, payload: Payload<'_>) {
        let input = Input {
            offset: self.partitions[n].next_offset(),
            arrival,
            payload,
        };
        for action in step(&mut self.partitions[n], input, &self.plans) {
            match action {
                Action::Emit(event) => self.events.push(*event),
                Action::Derive(report) => {
                    let (at, from, lines) = (report.at, report.from, report.lines.as_str());
                    self.largest_report = self.largest_report.max(lines.len());
                    self.take(0, arrival, Payload::Derived { at, from, lines });
                }
                Action::Count(counter) if counter.what.as_str() == "full" => self.full += counter.n,
                Action::Count(_) | Action::Find(_) | Action::Tags(_) => {}
            }
        }
    }

    pub fn tick(&mut self, arrival: i64) {
        for n in 0..self.partitions.len() {
            self.take(n, s(arrival), Payload::Tick);
        }
    }

    /// Points as they come, each to the partition of its host, and ticks.
    pub fn run(mut self, points: &Points, until: i64) -> Self {
        let mut points = points.0.clone();
        points.sort_by_key(|(at, _)| *at);
        let mut points = points.iter().peekable();
        let mut at = 10;
        while at <= until {
            while let Some((when, line)) = points.next_if(|(when, _)| *when <= at) {
                let scanned = schemas::line::scan(line.as_bytes())
                    .next()
                    .unwrap()
                    .unwrap();
                let host = scanned.host().unwrap();
                let all = u32::try_from(self.partitions.len()).unwrap();
                let home = host_partition(host.as_bytes(), all) as usize;
                self.take(home, s(*when), Payload::Lines(line.as_bytes()));
            }
            self.tick(at);
            at += 10;
        }
        self
    }
}

fn of(yaml: &str, partitions: u32) -> Bundle {
    let mut content = bundle(1, yaml, 30).content;
    content.partitions = partitions;
    Bundle::new(tenant(), 1, content)
}
