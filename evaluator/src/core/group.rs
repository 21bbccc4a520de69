//! The state of one (template, group): its samples, its ladder, its incident.

use super::codec::{CodecError, Reader, Writer};
use super::env::Env;
use super::flapping::Flaps;
use super::incident::Incident;
use super::ladder::Ladder;
use super::plan::Rule;
use super::samples::Samples;
use super::season::Season;
use super::tags::Tags;
use super::trend::Trend;
use model::{Priority, Span, Timestamp};
use std::sync::Arc;

/// What a group is found by. The order is that in which groups of one deadline are judged.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct GroupKey {
    /// Name of the template.
    pub(crate) template: Arc<str>,
    /// Its tags, sorted by key.
    pub(crate) tags: Tags,
}

/// How well a group is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    /// Its window was not half full yet, or not since its host came back: missing data says
    /// nothing.
    New,
    /// Its data comes.
    Live,
    /// Its data is missing for long enough that the no-data policy has decided.
    Silent,
}

/// What the latest point of a sum over partitions says besides numbers.
#[derive(Debug, Clone)]
pub(crate) struct Note(pub(crate) String);

/// A time that most groups do not have, in the room of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seldom(i64);

impl Seldom {
    /// No point has it: it is before the year 1678.
    const NONE: i64 = i64::MIN;

    pub(crate) fn of(at: Timestamp) -> Self {
        Self(at.as_nanos())
    }

    pub(crate) fn get(self) -> Option<Timestamp> {
        (self.0 != Self::NONE).then(|| Timestamp::from_nanos(self.0))
    }
}

impl Default for Seldom {
    fn default() -> Self {
        Self(Self::NONE)
    }
}

impl From<Option<Timestamp>> for Seldom {
    fn from(at: Option<Timestamp>) -> Self {
        at.map_or_else(Self::default, Self::of)
    }
}

/// The state of one group. There are as many of these as there are things to watch, so what few of
/// them have is boxed.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    /// The rule that holds, and the revision it was found for. It follows from the plan and the
    /// tags, and is not saved.
    pub(crate) rule: Option<(u64, Arc<Rule>)>,
    /// Tags of its latest point that overrides look at.
    pub(crate) context: Tags,
    /// `env` of its latest accepted point.
    pub(crate) env: Env,
    /// A missing `env` has been told.
    pub(crate) env_told: bool,
    pub(crate) life: Life,
    /// The last grid point that was judged; before the first, just before the first point.
    pub(crate) judged: Timestamp,
    /// Time of the newest sample.
    pub(crate) newest: Timestamp,
    /// Log time at which the last sample came.
    pub(crate) heard_log: Timestamp,
    /// The newest point that was judged by itself.
    pub(crate) newest_point: Seldom,
    /// [`Rule::shape`] of the rows in `samples`.
    pub(crate) shape: u64,
    pub(crate) samples: Samples,
    pub(crate) ladder: Ladder,
    /// Since when no window says anything.
    pub(crate) unknown_since: Seldom,
    /// The priority at which missing data is told.
    pub(crate) missing: Option<Priority>,
    /// When a rung was last true.
    pub(crate) last_true: Seldom,
    pub(crate) incident: Option<Box<Incident>>,
    pub(crate) flaps: Flaps,
    pub(crate) trend: Option<Box<Trend>>,
    pub(crate) season: Option<Box<Season>>,
    /// What its latest point says besides numbers, where it is a sum over partitions.
    pub(crate) note: Option<Box<Note>>,
}

impl Group {
    /// A group whose first point has time `at`.
    pub(crate) fn new(rule: &Rule, at: Timestamp, log: Timestamp) -> Self {
        Self {
            rule: None,
            context: Tags::default(),
            env: Env::Missing,
            env_told: false,
            life: Life::New,
            judged: at.minus(Span::from_nanos(1)),
            newest: at,
            heard_log: log,
            newest_point: Seldom::default(),
            shape: rule.shape,
            samples: Samples::new(rule.width()),
            ladder: Ladder::default(),
            unknown_since: Seldom::default(),
            missing: None,
            last_true: Seldom::default(),
            incident: None,
            flaps: Flaps::default(),
            trend: None,
            season: None,
            note: None,
        }
    }

    /// The next grid point of a grid.
    pub(crate) fn next(&self, every: Span) -> Timestamp {
        self.judged.floor_to(every).plus(every)
    }

    /// Takes a rule up. Rows that mean something else under it are dropped; latches, `for` and the
    /// incident stay.
    pub(crate) fn adopt(&mut self, revision: u64, rule: Arc<Rule>) {
        self.samples.split(rule.width());
        if self.shape != rule.shape || self.samples.width() != rule.width() {
            self.samples = Samples::new(rule.width());
            self.shape = rule.shape;
            self.trend = None;
            self.season = None;
        }
        self.rule = Some((revision, rule));
    }

    /// Its host came back: missing data says nothing until the window is half full again.
    pub(crate) fn host_returned(&mut self) {
        self.life = Life::New;
        self.unknown_since = Seldom::default();
    }

    /// Its host's clock jumped by `by`, to `at`: what is counted goes on, what was seen is dropped.
    pub(crate) fn step_clock(&mut self, by: Span, at: Timestamp) {
        self.samples = Samples::new(self.samples.width());
        self.trend = None;
        self.life = Life::New;
        self.judged = at.minus(Span::from_nanos(1));
        self.newest = at;
        self.newest_point = Seldom::default();
        self.unknown_since = Seldom::default();
        self.last_true = self.last_true.get().map(|last| last.plus(by)).into();
        self.ladder.step_clock();
        if let Some(incident) = &mut self.incident {
            incident.step_clock(by);
        }
    }

    /// The highest priority that holds, before the cap of its environment.
    pub(crate) fn top(&self) -> Option<Priority> {
        self.ladder.top().max(self.missing)
    }

    pub(crate) fn encode(&self, to: &mut Writer) {
        self.context.encode(to);
        to.option(self.env.get(), Writer::text);
        to.boolean(self.env_told);
        to.byte(match self.life {
            Life::New => 0,
            Life::Live => 1,
            Life::Silent => 2,
        });
        to.signed(self.judged.as_nanos());
        to.signed(self.newest.as_nanos());
        to.signed(self.heard_log.as_nanos());
        for at in [self.newest_point, self.unknown_since, self.last_true] {
            to.option(at.get(), |to, at| to.signed(at.as_nanos()));
        }
        to.fixed(self.shape);
        self.samples.encode(to);
        self.ladder.encode(to);
        to.option(self.missing, |to, priority| to.text(priority.as_str()));
        to.option(self.incident.as_ref(), |to, incident| incident.encode(to));
        self.flaps.encode(to);
        to.option(self.trend.as_ref(), |to, trend| trend.encode(to));
        to.option(self.season.as_ref(), |to, season| season.encode(to));
        to.option(self.note.as_ref(), |to, note| to.text(&note.0));
    }

    pub(crate) fn decode(from: &mut Reader<'_>) -> Result<Self, CodecError> {
        let time = |from: &mut Reader<'_>| from.signed().map(Timestamp::from_nanos);
        let context = Tags::decode(from)?;
        let env = Env::of(from.option(Reader::text)?);
        let env_told = from.boolean()?;
        let life = match from.byte()? {
            0 => Life::New,
            1 => Life::Live,
            2 => Life::Silent,
            _ => return Err(CodecError::Range("a life")),
        };
        let (judged, newest, heard_log) = (time(from)?, time(from)?, time(from)?);
        let (newest_point, unknown_since) = (from.option(time)?.into(), from.option(time)?.into());
        let last_true = from.option(time)?.into();
        let shape = from.fixed()?;
        let samples = Samples::decode(from)?;
        let ladder = Ladder::decode(from)?;
        let missing = from.option(|from| {
            Priority::parse(from.text()?).map_err(|_| CodecError::Range("a priority"))
        })?;
        let incident = from.option(Incident::decode)?.map(Box::new);
        let (flaps, trend, season) = match from.version {
            1 => (Flaps::default(), None, None),
            _ => (
                Flaps::decode(from)?,
                from.option(Trend::decode)?.map(Box::new),
                from.option(Season::decode)?.map(Box::new),
            ),
        };
        let note = match from.version {
            1 | 2 => None,
            _ => from
                .option(Reader::text)?
                .map(|note| Box::new(Note(note.to_owned()))),
        };
        Ok(Self {
            rule: None,
            context,
            env,
            env_told,
            life,
            judged,
            newest,
            heard_log,
            newest_point,
            shape,
            samples,
            ladder,
            unknown_since,
            missing,
            last_true,
            incident,
            flaps,
            trend,
            season,
            note,
        })
    }
}

impl GroupKey {
    pub(crate) fn encode(&self, to: &mut Writer) {
        to.text(&self.template);
        self.tags.encode(to);
    }

    pub(crate) fn decode(from: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            template: from.text()?.into(),
            tags: Tags::decode(from)?,
        })
    }
}
