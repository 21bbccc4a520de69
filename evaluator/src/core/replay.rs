//! A file as a log: its order is the log's, arrival is the running maximum of the event times,
//! ticks come every 10 s of that time and end 30 s after the last point.

use super::clock::FARTHEST;
use super::explain::Explained;
use super::input::{Action, Counter, Derived, Input, Payload, Tally};
use super::partition::Partition;
use super::plan::{Plan, Plans};
use super::step::step;
use model::{Span, TenantId, Timestamp};
use schemas::line::Line;

const TICK: Span = Span::from_secs(10);
const AFTER_THE_LAST: Span = Span::from_secs(30);
/// So many of the lines that cannot be read are kept to be told.
const MOST_REFUSED: usize = 5;
/// And so many bytes of each.
const SHOWN: usize = 80;
/// A comment that sets the arrival of the lines behind it, in nanoseconds.
const ARRIVAL: &[u8] = b"# arrival=";

/// Takes lines, and gives what the engine says to them.
#[derive(Debug)]
pub struct Replay {
    partition: Partition,
    plans: Plans,
    arrival: Option<Timestamp>,
    /// Arrivals are set by comments.
    is_set: bool,
    /// What the partition would report is given.
    reports_given: bool,
    refused: Vec<String>,
}

impl Replay {
    /// Before the first line, with this plan in force.
    pub fn new(tenant: TenantId, plan: Plan) -> Self {
        let mut plans = Plans::new();
        plans.insert(plan);
        Self {
            partition: Partition::new(tenant, 0),
            plans,
            arrival: None,
            is_set: false,
            reports_given: false,
            refused: Vec::new(),
        }
    }

    /// The first lines that could not be read, each with what is wrong with it.
    pub fn refused(&self) -> &[String] {
        &self.refused
    }

    /// The time to which the lines have brought it; none before the first that has a time.
    pub fn now(&self) -> Option<Timestamp> {
        self.arrival
    }

    /// Takes what the tenant's only partition reports at that grid point; what it would report by
    /// itself counts no more.
    pub(super) fn take_report(&mut self, at: Timestamp, lines: &str) -> Vec<Action> {
        self.reports_given = true;
        let mut actions = Vec::new();
        self.move_to(at, &mut actions);
        let from = 0;
        actions.extend(self.record(at, Payload::Derived { at, from, lines }));
        actions
    }

    /// Takes whole lines.
    pub fn take(&mut self, body: &[u8]) -> Vec<Action> {
        let mut actions = Vec::new();
        let mut rest = body;
        while !rest.is_empty() {
            let end = next_arrival(rest).unwrap_or(rest.len());
            self.take_lines(&rest[..end], &mut actions);
            rest = &rest[end..];
            if rest.is_empty() {
                break;
            }
            let comment_end = rest
                .iter()
                .position(|b| *b == b'\n')
                .map_or(rest.len(), |n| n + 1);
            if let Some(arrival) = read_arrival(&rest[..comment_end]) {
                self.is_set = true;
                self.move_to(arrival, &mut actions);
            }
            rest = &rest[comment_end..];
        }
        actions
    }

    /// The groups of a template that have all of these tags, as they stand.
    pub fn explain(&self, template: &str, tags: &[(String, String)]) -> Vec<Explained> {
        self.partition.explain(template, tags)
    }

    /// Lets time pass until `span` after the last arrival.
    pub fn pass(&mut self, span: Span) -> Vec<Action> {
        let mut actions = Vec::new();
        if let Some(arrival) = self.arrival {
            self.move_to(arrival.plus(span), &mut actions);
        }
        actions
    }

    /// The end of the file: ticks until 30 s after the last point.
    pub fn finish(mut self) -> Vec<Action> {
        self.pass(AFTER_THE_LAST)
    }

    /// Lines between which no time passes are one record.
    fn take_lines(&mut self, body: &[u8], actions: &mut Vec<Action>) {
        let mut together = Vec::new();
        for line in schemas::line::scan(body) {
            let line = match line {
                Ok(line) if line.timestamp().is_some() || self.arrival.is_some() => line,
                Ok(line) => {
                    self.refuse(
                        line.raw(),
                        "no timestamp, and no line before it has one",
                        actions,
                    );
                    continue;
                }
                Err(rejected) => {
                    self.take_together(&mut together, actions);
                    self.refuse(rejected.raw, &rejected.reason.to_string(), actions);
                    continue;
                }
            };
            let at = believable(&line).filter(|_| !self.is_set);
            if let Some(at) = at.filter(|at| self.arrival.is_none_or(|now| now < *at)) {
                self.take_together(&mut together, actions);
                self.move_to(at, actions);
                // What a new arrival brings, such as a report, comes behind its first line.
                together.push(line);
                self.take_together(&mut together, actions);
            } else {
                together.push(line);
            }
        }
        self.take_together(&mut together, actions);
    }

    fn take_together(&mut self, together: &mut Vec<Line<'_>>, actions: &mut Vec<Action>) {
        if !together.is_empty() {
            // A line without a timestamp is refused as long as there is no arrival.
            let arrival = self.arrival.unwrap_or_default();
            actions.extend(self.record(arrival, Payload::Read(together)));
            together.clear();
        }
    }

    /// A line that cannot be read. Before the first one that has a time there is no log to write it to,
    /// and it is counted here.
    fn refuse(&mut self, raw: &[u8], why: &str, actions: &mut Vec<Action>) {
        if self.refused.len() < MOST_REFUSED {
            let shown = String::from_utf8_lossy(&raw[..raw.len().min(SHOWN)]);
            let more = if raw.len() > SHOWN { "..." } else { "" };
            let text = format!("`{}{more}`: {why}", shown.trim_end().escape_debug());
            self.refused.push(text);
        }
        match self.arrival {
            Some(arrival) => actions.extend(self.record(arrival, Payload::Lines(raw))),
            None => actions.extend(
                [Tally::Lines, Tally::Rejected].map(|what| Action::Count(Counter { what, n: 1 })),
            ),
        }
    }

    /// Moves time on, with a tick at each multiple of 10 s; never back.
    fn move_to(&mut self, to: Timestamp, actions: &mut Vec<Action>) {
        let Some(mut now) = self.arrival else {
            self.arrival = Some(to);
            return self.begin(to, actions);
        };
        loop {
            let tick = now.floor_to(TICK).plus(TICK);
            // Without a host no tick has an effect.
            let nobody = self.partition.hosts() == 0 && !self.reports_given;
            if tick > to || tick <= now || nobody {
                break;
            }
            now = tick;
            actions.extend(self.record(now, Payload::Tick));
        }
        self.arrival = Some(now.max(to));
    }

    /// The mark of the plan is the first record.
    fn begin(&mut self, at: Timestamp, actions: &mut Vec<Action>) {
        if let Some(plan) = self.plans.newest().cloned() {
            let mark = Payload::BundleMark {
                revision: plan.revision(),
                hash: plan.hash(),
            };
            actions.extend(self.record(at, mark));
        }
    }

    fn record(&mut self, arrival: Timestamp, payload: Payload<'_>) -> Vec<Action> {
        let offset = self.partition.next_offset();
        let input = Input {
            offset,
            arrival,
            payload,
        };
        let mut actions = step(&mut self.partition, input, &self.plans);
        // The file is the tenant's only partition: what it reports comes next.
        let reports: Vec<Derived> = actions
            .extract_if(.., |action| matches!(action, Action::Derive(_)))
            .filter_map(|action| match action {
                Action::Derive(derived) => Some(derived),
                _ => None,
            })
            .collect();
        if self.reports_given {
            return actions;
        }
        for report in reports {
            let payload = Payload::Derived {
                at: report.at,
                from: report.from,
                lines: &report.lines,
            };
            actions.extend(self.record(arrival, payload));
        }
        actions
    }
}

/// The time of a line by which the file's time may move.
fn believable(line: &Line<'_>) -> Option<Timestamp> {
    let at = Timestamp::from_nanos(line.timestamp()?);
    (at < FARTHEST).then_some(at)
}

/// Where the next comment that sets the arrival begins.
fn next_arrival(body: &[u8]) -> Option<usize> {
    if !body.contains(&ARRIVAL[0]) {
        return None;
    }
    let mut at = body.iter().position(|b| *b == ARRIVAL[0])?;
    // It stands at the beginning of its line.
    at = body[..at]
        .iter()
        .rposition(|b| *b == b'\n')
        .map_or(0, |end| end + 1);
    loop {
        if body[at..].starts_with(ARRIVAL) {
            return Some(at);
        }
        at += body[at..].iter().position(|b| *b == b'\n')? + 1;
    }
}

fn read_arrival(comment: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(comment.strip_prefix(ARRIVAL)?).ok()?;
    text.trim().parse().ok().map(Timestamp::from_nanos)
}
