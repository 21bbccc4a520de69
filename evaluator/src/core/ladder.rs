//! The rungs of a rule for one group: each a latch with its own threshold, `for` and recovery.

use super::codec::{CodecError, Reader, Writer};
use super::plan::{Rule, Rung, rung_slot};
use super::window::Reading;
use model::{Priority, Span, Timestamp};

/// The state of one rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct RungState {
    /// It fires until it recovers.
    pub(crate) latched: bool,
    /// Not latched: for how long it is true, counted from the first grid point that was.
    pub(crate) held: Option<Span>,
    /// Latched: for how long it is recovered.
    pub(crate) recovering: Option<Span>,
    /// While one of these waits: the first grid point since which it is Unknown.
    pub(crate) unknown_since: Option<Timestamp>,
}

/// Three values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Truth {
    True,
    False,
    Unknown,
}

/// The rungs of one group, in little room where they say little: so it is in most groups.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Ladder(Kept);

#[derive(Debug, Clone, PartialEq, Eq, Default)]
enum Kept {
    /// None of them says anything.
    #[default]
    Nothing,
    Whole(Box<Rungs>),
}

/// By [`rung_slot`].
type Rungs = [RungState; 3];

/// What a step of the ladder shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    /// The grid point, or the point's time.
    pub(crate) at: Timestamp,
    /// How much time a further true step adds.
    pub(crate) step: Span,
}

impl Rung {
    fn truth(&self, reading: Reading) -> Truth {
        match reading {
            Reading::Value(value) if self.fires.holds(value) => Truth::True,
            Reading::Counted { fires: true, .. } => Truth::True,
            Reading::Value(_) | Reading::Counted { .. } => Truth::False,
            Reading::Excluded | Reading::Nothing | Reading::Never => Truth::False,
            Reading::Unknown => Truth::Unknown,
        }
    }

    fn recovered(&self, reading: Reading) -> Truth {
        match reading {
            Reading::Value(value) if !self.recovers.holds(value) => Truth::False,
            Reading::Counted {
                recovers: false, ..
            } => Truth::False,
            Reading::Value(_) | Reading::Counted { .. } => Truth::True,
            Reading::Excluded | Reading::Nothing | Reading::Never => Truth::True,
            Reading::Unknown => Truth::Unknown,
        }
    }
}

/// Adds a step to a span that begins at 0 with its first one; whether it is long enough now.
fn hold(span: &mut Option<Span>, step: Span, wanted: Span) -> bool {
    let now = span.map_or(Span::ZERO, |before| before.plus(step));
    *span = Some(now);
    now >= wanted
}

impl RungState {
    /// Whether it is about to latch or to recover.
    fn waits(&self) -> bool {
        self.held.is_some() || self.recovering.is_some()
    }

    fn step(&mut self, rung: &Rung, reading: Reading, rule: &Rule, moment: Moment) -> Truth {
        let truth = rung.truth(reading);
        if truth == Truth::Unknown {
            if self.waits() {
                let since = *self.unknown_since.get_or_insert(moment.at);
                // The no-data policy decides from here on: a pending rule is dropped, a firing one
                // kept.
                if moment.at.since(since) >= rule.intervals(3) {
                    *self = Self {
                        latched: self.latched,
                        ..Self::default()
                    };
                }
            }
            return truth;
        }
        self.unknown_since = None;
        if self.latched {
            self.recover(rung, reading, rule, moment);
        } else if truth == Truth::True {
            self.latched = hold(&mut self.held, moment.step, rung.for_);
        } else {
            self.held = None;
        }
        if self.latched {
            self.held = None;
        }
        truth
    }

    fn recover(&mut self, rung: &Rung, reading: Reading, rule: &Rule, moment: Moment) {
        // An event-like incident closes by itself.
        if rule.close_after.is_some() || rung.recovered(reading) != Truth::True {
            self.recovering = None;
        } else if hold(&mut self.recovering, moment.step, rung.recover_for) {
            *self = Self::default();
        }
    }
}

impl Ladder {
    /// Steps the rungs that `readings` says something about. Whether one of them is true.
    pub(crate) fn step(
        &mut self,
        rule: &Rule,
        readings: &[Option<Reading>],
        moment: Moment,
    ) -> Truth {
        let mut seen = Truth::Unknown;
        let mut latched = None;
        let mut rungs = self.rungs();
        for rung in &rule.rungs {
            let Some(reading) = readings[rung.signal] else {
                continue;
            };
            let state = &mut rungs[rung_slot(rung.priority)];
            let before = state.latched;
            match state.step(rung, reading, rule, moment) {
                Truth::True => seen = Truth::True,
                Truth::False if seen == Truth::Unknown => seen = Truth::False,
                Truth::False | Truth::Unknown => {}
            }
            if state.latched && !before {
                latched = latched.max(Some(rung.priority));
            }
        }
        latch_below(&mut rungs, rule, latched);
        forget_others(&mut rungs, rule);
        self.keep(rungs);
        seen
    }

    fn rungs(&self) -> Rungs {
        match &self.0 {
            Kept::Nothing => Rungs::default(),
            Kept::Whole(rungs) => **rungs,
        }
    }

    fn keep(&mut self, rungs: Rungs) {
        match &mut self.0 {
            known if rungs == Rungs::default() => *known = Kept::Nothing,
            Kept::Whole(known) => **known = rungs,
            known @ Kept::Nothing => *known = Kept::Whole(Box::new(rungs)),
        }
    }

    /// The highest latched rung.
    pub(crate) fn top(&self) -> Option<Priority> {
        Priority::ALL
            .into_iter()
            .find(|priority| self.is_latched(*priority))
    }

    /// The state of a rung.
    pub(crate) fn rung(&self, priority: Priority) -> RungState {
        match &self.0 {
            Kept::Nothing => RungState::default(),
            Kept::Whole(rungs) => rungs[rung_slot(priority)],
        }
    }

    pub(crate) fn is_latched(&self, priority: Priority) -> bool {
        self.rung(priority).latched
    }

    /// Whether no rung is latched or pending: grid points without a sample change nothing.
    pub(crate) fn is_quiet(&self) -> bool {
        match &self.0 {
            Kept::Nothing => true,
            Kept::Whole(rungs) => {
                let mut rungs = rungs.iter();
                rungs.all(|rung| !rung.latched && rung.held.is_none())
            }
        }
    }

    /// Whether Unknown readings change nothing any more.
    pub(crate) fn is_settled_unknown(&self) -> bool {
        match &self.0 {
            Kept::Nothing => true,
            Kept::Whole(rungs) => {
                let mut rungs = rungs.iter();
                rungs.all(|rung| rung.held.is_none() && rung.recovering.is_none())
            }
        }
    }

    /// The host's clock jumped: since when nothing is known begins again.
    pub(crate) fn step_clock(&mut self) {
        let mut rungs = self.rungs();
        for rung in &mut rungs {
            rung.unknown_since = None;
        }
        self.keep(rungs);
    }

    /// Every latch is released and nothing is pending.
    pub(crate) fn clear(&mut self) {
        self.0 = Kept::Nothing;
    }

    pub(crate) fn encode(&self, to: &mut Writer) {
        for rung in &self.rungs() {
            to.boolean(rung.latched);
            to.option(rung.held, |to, span| to.signed(span.as_nanos()));
            to.option(rung.recovering, |to, span| to.signed(span.as_nanos()));
            to.option(rung.unknown_since, |to, at| to.signed(at.as_nanos()));
        }
    }

    pub(crate) fn decode(from: &mut Reader<'_>) -> Result<Self, CodecError> {
        let mut rungs = Rungs::default();
        for rung in &mut rungs {
            rung.latched = from.boolean()?;
            rung.held = from.option(Reader::signed)?.map(Span::from_nanos);
            rung.recovering = from.option(Reader::signed)?.map(Span::from_nanos);
            rung.unknown_since = from.option(Reader::signed)?.map(Timestamp::from_nanos);
            // It was told of rungs that wait for nothing too, where it says nothing.
            if !rung.waits() {
                rung.unknown_since = None;
            }
        }
        let mut ladder = Self::default();
        ladder.keep(rungs);
        Ok(ladder)
    }
}

/// Latching a rung latches those below.
fn latch_below(rungs: &mut Rungs, rule: &Rule, latched: Option<Priority>) {
    for rung in rule
        .rungs
        .iter()
        .filter(|rung| Some(rung.priority) < latched)
    {
        let state = &mut rungs[rung_slot(rung.priority)];
        if !state.latched || state.recovering.is_some() {
            *state = RungState {
                latched: true,
                ..RungState::default()
            };
        }
    }
}

/// A rung that an edit took away holds nothing.
fn forget_others(rungs: &mut Rungs, rule: &Rule) {
    for priority in Priority::ALL {
        if rule.rungs.iter().all(|rung| rung.priority != priority) {
            rungs[rung_slot(priority)] = RungState::default();
        }
    }
}
