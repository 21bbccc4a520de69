//! Silences and maintenance windows: which incidents page nobody for now, until when, and who said so.

use super::matcher::{Labels, Matcher};
use super::words::{not_a, word};
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use model::{InvalidName, Span, TenantId, Timestamp};
use std::fmt;

/// Matchers of one silence at most.
const MATCHERS: usize = 32;
/// Characters of a comment, and of an author's name, at most.
const COMMENT: usize = 1_000;
const AUTHOR: usize = 100;

word! {
    /// What kind of quiet it is.
    SilenceKind, "kind of silence" {
        /// Somebody does not want to hear of what matches.
        Silence = "silence",
        /// Work is being done: whatever matches is expected to alarm.
        Maintenance = "maintenance",
    }
}

word! {
    /// Where a silence is in its life.
    SilenceState, "state of a silence" {
        /// It begins later.
        Pending = "pending",
        /// It holds now.
        Active = "active",
        /// It is over.
        Expired = "expired",
    }
}

/// What a silence is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct SilenceSpec {
    /// Whose incidents; none means those of every tenant, which only those who run Bongsu may say.
    pub tenant: Option<TenantId>,
    /// What kind it is.
    pub kind: SilenceKind,
    /// All of them must match.
    pub matchers: Vec<Matcher>,
    /// Who made it.
    pub author: String,
    /// Why.
    pub comment: String,
    /// From when.
    pub starts_at: Timestamp,
    /// Until when.
    pub ends_at: Timestamp,
    /// Holds only at these hours of the week.
    pub weekly: Option<Weekly>,
}

/// A silence as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Silence {
    /// Its id.
    pub id: String,
    /// What it says.
    pub spec: SilenceSpec,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// Hours that come again every week, by the wall clock of a zone.
#[derive(Debug, Clone, PartialEq)]
pub struct Weekly {
    days: Vec<Weekday>,
    from: Time,
    to: Time,
    zone: TimeZone,
}

/// Why something is no silence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSilence {
    /// It would silence everything.
    #[error(
        "at least one matcher must match something that is there: this would silence everything \
         (a maintenance window of one tenant may)"
    )]
    Everything,
    /// Too many matchers.
    #[error("a silence has up to {MATCHERS} matchers")]
    Matchers,
    /// It ends before it begins.
    #[error("it must end after it begins")]
    Backwards,
    /// It is over already.
    #[error("its end lies in the past")]
    Past,
    /// Author or comment.
    #[error("author (up to {AUTHOR} characters) and comment (up to {COMMENT}) are needed")]
    Words,
    /// The weekly hours.
    #[error(
        "`{0}` are no weekly hours: write days and hours, as in `sat,sun 02:00-06:00`, and an IANA zone"
    )]
    Weekly(String),
}

impl SilenceSpec {
    /// Says what is wrong with it, if something is.
    pub fn check(&self, now: Timestamp) -> Result<(), BadSilence> {
        let whole_tenant = self.kind == SilenceKind::Maintenance && self.tenant.is_some();
        let bounds = |text: &str, most| !text.trim().is_empty() && text.chars().count() <= most;
        if self.matchers.len() > MATCHERS {
            return Err(BadSilence::Matchers);
        }
        if !whole_tenant && self.matchers.iter().all(|matcher| matcher.matches("")) {
            return Err(BadSilence::Everything);
        }
        if self.ends_at <= self.starts_at {
            return Err(BadSilence::Backwards);
        }
        if self.ends_at <= now {
            return Err(BadSilence::Past);
        }
        if !bounds(&self.author, AUTHOR) || !bounds(&self.comment, COMMENT) {
            return Err(BadSilence::Words);
        }
        Ok(())
    }

    /// Whether it is about an incident with these labels, at whatever time.
    pub fn is_about(&self, labels: &Labels<'_>) -> bool {
        self.tenant
            .as_ref()
            .is_none_or(|tenant| tenant.as_str() == labels.value("tenant"))
            && self
                .matchers
                .iter()
                .all(|matcher| matcher.matches(labels.value(matcher.name())))
    }

    /// Until when it holds without a break, when it holds now.
    pub fn holds_until(&self, now: Timestamp) -> Option<Timestamp> {
        if now < self.starts_at || now >= self.ends_at {
            return None;
        }
        let until = match &self.weekly {
            Some(weekly) => weekly.holds_until(now)?,
            None => self.ends_at,
        };
        Some(until.min(self.ends_at))
    }

    /// Where it is in its life.
    pub fn state(&self, now: Timestamp) -> SilenceState {
        if now >= self.ends_at {
            SilenceState::Expired
        } else if self.holds_until(now).is_some() {
            SilenceState::Active
        } else {
            SilenceState::Pending
        }
    }
}

impl Weekly {
    /// Reads `sat,sun 02:00-06:00` (or `every day 22:00-02:00`) of an IANA zone; `sat 00:00-24:00` is the whole day.
    pub fn parse(hours: &str, zone: &str) -> Result<Self, BadSilence> {
        let refuse = || BadSilence::Weekly(format!("{hours} {zone}").chars().take(80).collect());
        let zone = TimeZone::get(zone).map_err(|_| refuse())?;
        let (days, times) = hours.trim().rsplit_once(' ').ok_or_else(refuse)?;
        let days = match days.trim() {
            "every day" => Weekday::Monday.cycle_forward().take(7).collect(),
            days => days
                .split(',')
                .map(|day| weekday(day.trim()).ok_or_else(refuse))
                .collect::<Result<Vec<_>, _>>()?,
        };
        let (from, to) = times.split_once('-').ok_or_else(refuse)?;
        let time = |text: &str| clock_time(text).ok_or_else(refuse);
        // What begins at the end of a day would begin a day too early.
        let begins_late = from.trim().starts_with("24");
        let ends_the_day = to.trim().starts_with("24");
        let (from, to) = (time(from)?, time(to)?);
        let is_whole_day = from == Time::midnight() && ends_the_day;
        if (from == to && !is_whole_day) || begins_late {
            return Err(refuse());
        }
        Ok(Self {
            days,
            from,
            to,
            zone,
        })
    }

    /// The zone's name.
    pub fn zone(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }

    /// Until when the hours last, when `now` is among them.
    fn holds_until(&self, now: Timestamp) -> Option<Timestamp> {
        let instant = jiff::Timestamp::from_nanosecond(now.as_nanos().into()).ok()?;
        let today = instant.to_zoned(self.zone.clone()).date();
        // Hours that begin in the evening reach into the next day.
        [today.yesterday().ok(), Some(today)]
            .into_iter()
            .flatten()
            .filter(|day| self.days.contains(&day.weekday()))
            .filter_map(|day| self.on(day))
            .find_map(|(from, to)| (from <= now && now < to).then_some(to))
    }

    /// From when to when on the hours that begin on that day. A time that the zone leaves out is as much later.
    fn on(&self, day: Date) -> Option<(Timestamp, Timestamp)> {
        let ends = if self.to > self.from {
            day
        } else {
            day.tomorrow().ok()?
        };
        let instant = |day: Date, time| {
            let zoned = day.to_datetime(time).to_zoned(self.zone.clone()).ok()?;
            let nanos = i64::try_from(zoned.timestamp().as_nanosecond()).ok()?;
            Some(Timestamp::from_nanos(nanos))
        };
        Some((instant(day, self.from)?, instant(ends, self.to)?))
    }
}

impl fmt::Display for Weekly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days: Vec<_> = self.days.iter().map(|day| name(*day)).collect();
        let clock = |time: Time| format!("{:02}:{:02}", time.hour(), time.minute());
        let to = match self.to == Time::midnight() {
            true => "24:00".to_owned(),
            false => clock(self.to),
        };
        write!(f, "{} {}-{to}", days.join(","), clock(self.from))
    }
}

/// `24:00` is the midnight at the end of the day.
fn clock_time(text: &str) -> Option<Time> {
    let (hour, minute) = text.trim().split_once(':')?;
    let (hour, minute): (i8, i8) = (hour.parse().ok()?, minute.parse().ok()?);
    if (hour, minute) == (24, 0) {
        return Some(Time::midnight());
    }
    Time::new(hour, minute, 0, 0).ok()
}

const WEEK: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

fn weekday(text: &str) -> Option<Weekday> {
    let found = WEEK.iter().find(|(name, _)| *name == text);
    found.map(|(_, day)| *day)
}

fn name(day: Weekday) -> &'static str {
    let found = WEEK.iter().find(|(_, one)| *one == day);
    found.map_or("", |(name, _)| name)
}

/// All silences that hold now or will.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Silences(pub Vec<Silence>);

/// Why an incident pages nobody now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quiet<'a> {
    /// What says so.
    pub silence: &'a Silence,
    /// Until when.
    pub until: Timestamp,
}

impl Silences {
    /// No silence.
    pub const NONE: &'static Self = &Self(Vec::new());

    /// The silence that keeps an incident quiet the longest, if one does.
    pub fn quiet(&self, labels: &Labels<'_>, now: Timestamp) -> Option<Quiet<'_>> {
        self.0
            .iter()
            .filter_map(|silence| {
                let until = silence.spec.holds_until(now)?;
                silence
                    .spec
                    .is_about(labels)
                    .then_some(Quiet { silence, until })
            })
            .max_by_key(|quiet| quiet.until)
    }
}

impl Quiet<'_> {
    /// The reason as a sentence for the timeline.
    pub fn reason(&self, now: Timestamp) -> String {
        let Silence { id, spec, .. } = self.silence;
        let what = match spec.kind {
            SilenceKind::Silence => "silenced",
            SilenceKind::Maintenance => "maintenance",
        };
        // Nobody reads milliseconds; a part of a second counts as a whole one.
        let wait = Span::from_secs((self.until.since(now).as_millis() + 999) / 1000);
        let SilenceSpec {
            author, comment, ..
        } = spec;
        format!("{what} by {author} ({comment}; {id}): nobody is paged for {wait}")
    }
}
