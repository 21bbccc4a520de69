//! `schedule:` and `team:` — who is on call when, and who belongs together.

use super::ChannelKind;
use super::text::text_form;
use jiff::civil::{DateTime, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;

/// Who is on call when. Among its layers the last one that has somebody wins; an override wins over all layers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// The schedule's id.
    pub schedule: String,
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// IANA time zone whose wall clock all times of the schedule are read on.
    #[serde(default = "seoul")]
    pub time_zone: String,
    /// Which public holidays `hours` mean.
    #[serde(default)]
    pub holidays: HolidayCalendar,
    /// Dates that are holidays too, such as the company's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub closed: Vec<jiff::civil::Date>,
    /// Rotations, the later ones above the earlier ones.
    #[schemars(length(min = 1, max = 50))]
    pub layers: Vec<Layer>,
    /// By which channels those who go and those who come are told of each hand-over, and of what is open; left out: not at all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hand_over: Vec<ChannelKind>,
    /// Who stands in when. Several at once are on call together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<ScheduleOverride>,
}

/// One rotation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// The layer's name.
    pub layer: String,
    /// Who follows whom: a contact, several who are on call together, or an empty list for nobody.
    #[schemars(length(min = 1, max = 200))]
    pub people: Vec<Turn>,
    /// How long one turn lasts.
    #[serde(default = "one_week")]
    pub every: Every,
    /// When the first turn begins; every handover follows from it, on the wall clock.
    #[schemars(with = "String")]
    pub from: DateTime,
    /// When the layer ends; left out: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub until: Option<DateTime>,
    /// When somebody of the layer is on call at all; left out: always.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hours: Vec<Hours>,
}

/// A span of the day on some days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    /// On which days it begins; left out: on all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<Day>,
    /// When it begins, such as `18:00`.
    #[serde(default, with = "clock_time")]
    #[schemars(with = "String")]
    pub from: Time,
    /// When it ends; not after `from` means on the next day, and both alike a whole day.
    #[serde(default, with = "clock_time")]
    #[schemars(with = "String")]
    pub to: Time,
    /// Whether it begins on holidays.
    #[serde(default)]
    pub holidays: OnHolidays,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names of the days say it")]
pub enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// What a holiday means to hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnHolidays {
    /// A day like others.
    #[default]
    Too,
    /// They do not begin on one.
    Not,
    /// They begin on holidays alone.
    Only,
}

/// A calendar of public holidays that is shipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HolidayCalendar {
    /// Korea's public and substitute holidays.
    #[default]
    Kr,
    /// None but those in `closed`.
    None,
}

/// Who stands in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScheduleOverride {
    /// From when on.
    #[schemars(with = "String")]
    pub from: DateTime,
    /// Until when.
    #[schemars(with = "String")]
    pub to: DateTime,
    /// Who is on call instead.
    #[schemars(length(min = 1))]
    pub notify: Vec<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// People who belong together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Team {
    /// The team's id.
    pub team: String,
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its contacts.
    #[schemars(length(min = 1, max = 200))]
    pub members: Vec<String>,
}

/// Who is on call in one turn. Written as one contact or as a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn(pub Vec<String>);

impl Serialize for Turn {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [one] => to.serialize_str(one),
            several => several.serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for Turn {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Turn;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a contact, or a list of contacts who are on call together")
            }

            fn visit_str<E: de::Error>(self, one: &str) -> Result<Turn, E> {
                Ok(Turn(vec![one.to_owned()]))
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Turn, A::Error> {
                let mut several = Vec::new();
                while let Some(each) = seq.next_element()? {
                    several.push(each);
                }
                Ok(Turn(several))
            }
        }
        from.deserialize_any(Visitor)
    }
}

impl JsonSchema for Turn {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Turn".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]
        })
    }
}

/// The length of a turn: `12 hours`, `2 days`, `1 week`. Counted on the wall clock, so that a handover keeps its hour when
/// summer time begins or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Every {
    /// How many.
    pub count: u32,
    /// Of what.
    pub unit: EveryUnit,
}

/// What turns are counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EveryUnit {
    /// Hours.
    Hours,
    /// Days.
    Days,
    /// Weeks.
    Weeks,
}

impl Every {
    /// Its length on the wall clock, in hours.
    pub const fn hours(self) -> u32 {
        self.count
            * match self.unit {
                EveryUnit::Hours => 1,
                EveryUnit::Days => 24,
                EveryUnit::Weeks => 168,
            }
    }
}

impl fmt::Display for Every {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.unit {
            EveryUnit::Hours => "hour",
            EveryUnit::Days => "day",
            EveryUnit::Weeks => "week",
        };
        let plural = if self.count == 1 { "" } else { "s" };
        write!(f, "{} {unit}{plural}", self.count)
    }
}

impl FromStr for Every {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is no length of a turn: write 1 to 1000 and a unit, as in `12 hours`, `2 days` or `1 week`"
            )
        };
        let (count, unit) = text.trim().split_once(' ').ok_or_else(wrong)?;
        let count = count
            .parse()
            .ok()
            .filter(|count| (1..=1000).contains(count))
            .ok_or_else(wrong)?;
        let unit = match unit.trim() {
            "hour" | "hours" => EveryUnit::Hours,
            "day" | "days" => EveryUnit::Days,
            "week" | "weeks" => EveryUnit::Weeks,
            _ => return Err(wrong()),
        };
        Ok(Self { count, unit })
    }
}

text_form!(Every, "Every", {
    "type": "string",
    "pattern": "^[0-9]{1,4} (hours?|days?|weeks?)$"
});

/// A time of day as `HH:MM`; `24:00` is the day's end.
mod clock_time {
    use super::{Deserialize, Deserializer, Serializer, Time, de};

    pub(super) fn serialize<S: Serializer>(time: &Time, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{:02}:{:02}", time.hour(), time.minute()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Time, D::Error> {
        let text = String::deserialize(from)?;
        if text == "24:00" {
            return Ok(Time::midnight());
        }
        let two = |part: &str| (part.len() == 2).then(|| part.parse::<i8>().ok()).flatten();
        text.split_once(':')
            .and_then(|(hour, minute)| Time::new(two(hour)?, two(minute)?, 0, 0).ok())
            .ok_or_else(|| {
                de::Error::custom(format!("`{text}` is no time of day: write it as `09:00`"))
            })
    }
}

fn seoul() -> String {
    "Asia/Seoul".to_owned()
}

fn one_week() -> Every {
    Every {
        count: 1,
        unit: EveryUnit::Weeks,
    }
}
