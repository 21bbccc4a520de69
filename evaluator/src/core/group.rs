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
    /// The rule that holds, which knows the revision it was found for. It follows from the plan and
    /// the tags, and is not saved.
    pub(crate) rule: Option<Arc<Rule>>,
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
    /// [`Rule::shape`] of the rows in `samples`.
    pub(crate) shape: u64,
    pub(crate) samples: Samples,
    pub(crate) ladder: Ladder,
    /// Since when no window says anything.
    pub(crate) unknown_since: Seldom,
    /// The priority at which missing data is told.
    pub(crate) missing: Option<Priority>,
    pub(crate) flaps: Flaps,
    /// Nothing as long as none of it says anything.
    rare: Option<Box<Rare>>,
}

/// What few groups have.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rare {
    /// Tags of its latest point that overrides look at.
    context: Tags,
    /// The newest point that was judged by itself.
    pub(crate) newest_point: Seldom,
    /// When a rung was last true.
    pub(crate) last_true: Seldom,
    incident: Option<Box<Incident>>,
    pub(crate) trend: Option<Box<Trend>>,
    pub(crate) season: Option<Box<Season>>,
    /// What its latest point says besides numbers, where it is a sum over partitions.
    note: Option<Box<Note>>,
}

impl Group {
    /// A group whose first point has time `at`.
    pub(crate) fn new(rule: &Rule, at: Timestamp, log: Timestamp) -> Self {
        Self {
            rule: None,
            env: Env::Missing,
            env_told: false,
            life: Life::New,
            judged: at.minus(Span::from_nanos(1)),
            newest: at,
            heard_log: log,
            shape: rule.shape,
            samples: Samples::new(rule.width()),
            ladder: Ladder::default(),
            unknown_since: Seldom::default(),
            missing: None,
            flaps: Flaps::default(),
            rare: None,
        }
    }

    /// What it has of what few groups have.
    pub(crate) fn rare(&self) -> Option<&Rare> {
        self.rare.as_deref()
    }

    /// The same, to be changed.
    pub(crate) fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// The same, where it has some.
    pub(crate) fn rare_made(&mut self) -> Option<&mut Rare> {
        self.rare.as_deref_mut()
    }

    /// Tags of its latest point that overrides look at.
    pub(crate) fn context(&self) -> impl Iterator<Item = (&str, &str)> {
        self.rare().into_iter().flat_map(|rare| rare.context.iter())
    }

    /// Whether it has this context.
    pub(crate) fn has_context(&self, context: &Tags) -> bool {
        self.rare()
            .map_or_else(|| context.is_empty(), |rare| rare.context == *context)
    }

    pub(crate) fn set_context(&mut self, context: Tags) {
        if !self.has_context(&context) {
            self.rare_mut().context = context;
        }
    }

    pub(crate) fn incident(&self) -> Option<&Incident> {
        self.rare()?.incident.as_deref()
    }

    pub(crate) fn incident_mut(&mut self) -> Option<&mut Incident> {
        self.rare.as_mut()?.incident.as_deref_mut()
    }

    /// Takes the incident out, to be put back by [`Group::put_incident`].
    pub(crate) fn take_incident(&mut self) -> Option<Box<Incident>> {
        self.rare.as_mut()?.incident.take()
    }

    pub(crate) fn put_incident(&mut self, incident: Option<Box<Incident>>) {
        if incident.is_some() {
            self.rare_mut().incident = incident;
        }
    }

    pub(crate) fn note(&self) -> Option<&Note> {
        self.rare()?.note.as_deref()
    }

    pub(crate) fn set_note(&mut self, note: Option<Note>) {
        if note.is_some() || self.note().is_some() {
            self.rare_mut().note = note.map(Box::new);
        }
    }

    /// When a rung was last true.
    pub(crate) fn last_true(&self) -> Option<Timestamp> {
        self.rare()?.last_true.get()
    }

    /// The newest point that was judged by itself.
    pub(crate) fn newest_point(&self) -> Option<Timestamp> {
        self.rare()?.newest_point.get()
    }

    /// What its samples were held against besides their window is dropped.
    fn drop_past(&mut self, season_too: bool) {
        if let Some(rare) = &mut self.rare {
            rare.trend = None;
            if season_too {
                rare.season = None;
            }
        }
    }

    /// The next grid point of a grid.
    pub(crate) fn next(&self, every: Span) -> Timestamp {
        self.judged.floor_to(every).plus(every)
    }

    /// Takes a rule up. Rows that mean something else under it are dropped; latches, `for` and the
    /// incident stay.
    pub(crate) fn adopt(&mut self, rule: Arc<Rule>) {
        self.samples.split(rule.width());
        if self.shape != rule.shape || self.samples.width() != rule.width() {
            self.samples = Samples::new(rule.width());
            self.shape = rule.shape;
            self.drop_past(true);
        }
        self.rule = Some(rule);
    }

    /// Its host came back: missing data says nothing until the window is half full again.
    pub(crate) fn host_returned(&mut self) {
        self.life = Life::New;
        self.unknown_since = Seldom::default();
    }

    /// Its host's clock jumped by `by`, to `at`: what is counted goes on, what was seen is dropped.
    pub(crate) fn step_clock(&mut self, by: Span, at: Timestamp) {
        self.samples = Samples::new(self.samples.width());
        self.drop_past(false);
        self.life = Life::New;
        self.judged = at.minus(Span::from_nanos(1));
        self.newest = at;
        self.unknown_since = Seldom::default();
        self.ladder.step_clock();
        if let Some(rare) = &mut self.rare {
            rare.newest_point = Seldom::default();
            rare.last_true = rare.last_true.get().map(|last| last.plus(by)).into();
            if let Some(incident) = &mut rare.incident {
                incident.step_clock(by);
            }
        }
    }

    /// The highest priority that holds, before the cap of its environment.
    pub(crate) fn top(&self) -> Option<Priority> {
        self.ladder.top().max(self.missing)
    }

    pub(crate) fn encode(&self, to: &mut Writer) {
        let none = Rare::default();
        let rare = self.rare().unwrap_or(&none);
        rare.context.encode(to);
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
        for at in [rare.newest_point, self.unknown_since, rare.last_true] {
            to.option(at.get(), |to, at| to.signed(at.as_nanos()));
        }
        to.fixed(self.shape);
        self.samples.encode(to);
        self.ladder.encode(to);
        to.option(self.missing, |to, priority| to.text(priority.as_str()));
        to.option(rare.incident.as_ref(), |to, incident| incident.encode(to));
        self.flaps.encode(to);
        to.option(rare.trend.as_ref(), |to, trend| trend.encode(to));
        to.option(rare.season.as_ref(), |to, season| season.encode(to));
        to.option(rare.note.as_ref(), |to, note| to.text(&note.0));
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
        let last_true: Seldom = from.option(time)?.into();
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
        let rare = Rare {
            context,
            newest_point,
            last_true,
            incident,
            trend,
            season,
            note,
        };
        Ok(Self {
            rule: None,
            env,
            env_told,
            life,
            judged,
            newest,
            heard_log,
            shape,
            samples,
            ladder,
            unknown_since,
            missing,
            flaps,
            rare: rare.says_something().then(|| Box::new(rare)),
        })
    }
}

impl Rare {
    fn says_something(&self) -> bool {
        let times = [self.newest_point, self.last_true];
        !self.context.is_empty()
            || times.iter().any(|at| at.get().is_some())
            || self.incident.is_some()
            || self.trend.is_some()
            || self.season.is_some()
            || self.note.is_some()
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
