//! A schedule of the catalogue in the form that answers.

use super::holidays::korean;
use super::hours::Hours;
use super::rotation::Rotation;
use super::wall::first_reading;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use schemas::catalogue::{self, HolidayCalendar};
use std::collections::BTreeSet;

/// A schedule that answers who is on call. Cheap enough to make anew with each revision of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    pub(crate) name: String,
    pub(crate) zone: TimeZone,
    pub(crate) holidays: BTreeSet<Date>,
    /// The lower ones first.
    pub(crate) layers: Vec<Layer>,
    pub(crate) overrides: Vec<Override>,
}

/// A layer of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layer {
    pub(crate) name: String,
    pub(crate) rotation: Rotation,
    pub(crate) until: Option<Timestamp>,
    /// Empty: always.
    pub(crate) hours: Vec<Hours>,
}

/// Who stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Override {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    pub(crate) people: Vec<String>,
    pub(crate) note: Option<String>,
}

/// Why a schedule cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// Its time zone is not known.
    #[error(
        "schedule `{schedule}`: `{zone}` is no time zone: write an IANA name such as Asia/Seoul"
    )]
    Zone {
        /// The schedule.
        schedule: String,
        /// What it names.
        zone: String,
    },
}

impl Schedule {
    /// Takes a schedule of the catalogue.
    pub fn compile(schedule: &catalogue::Schedule) -> Result<Self, ScheduleError> {
        let zone = zone(&schedule.schedule, &schedule.time_zone)?;
        let mut holidays: BTreeSet<Date> = schedule.closed.iter().copied().collect();
        if schedule.holidays == HolidayCalendar::Kr {
            holidays.extend(korean().keys());
        }
        let layers = schedule.layers.iter().map(|layer| Layer {
            name: layer.layer.clone(),
            rotation: Rotation {
                from: layer.from,
                hours: i64::from(layer.every.hours()).max(1),
                turns: layer.people.iter().map(|turn| turn.0.clone()).collect(),
            },
            until: layer.until.map(|until| first_reading(&zone, until)),
            hours: layer.hours.iter().map(Hours::compile).collect(),
        });
        let overrides = schedule.overrides.iter().map(|each| Override {
            from: first_reading(&zone, each.from),
            to: first_reading(&zone, each.to),
            people: each.notify.clone(),
            note: each.note.clone(),
        });
        let (layers, overrides) = (layers.collect(), overrides.collect());
        Ok(Self {
            name: schedule.schedule.clone(),
            zone,
            holidays,
            layers,
            overrides,
        })
    }

    /// The hours of an 8x5 contract in a time zone, as a schedule in which `team` is on call: Monday to Friday, nine to six,
    /// not on Korea's public holidays.
    pub fn office_hours(time_zone: &str, team: &str) -> Result<Self, ScheduleError> {
        let zone = zone("office hours", time_zone)?;
        let rotation = Rotation {
            from: jiff::civil::date(2000, 1, 3).at(0, 0, 0, 0),
            hours: 168,
            turns: vec![vec![team.to_owned()]],
        };
        let office = Layer {
            name: "office hours".to_owned(),
            rotation,
            until: None,
            hours: vec![Hours::office()],
        };
        Ok(Self {
            name: "office hours".to_owned(),
            zone,
            holidays: korean().keys().copied().collect(),
            layers: vec![office],
            overrides: Vec::new(),
        })
    }

    /// Its id in the catalogue.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The time zone whose wall clock it is read on.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Everybody who may ever be on call in it.
    pub fn people(&self) -> BTreeSet<&str> {
        let layers = self
            .layers
            .iter()
            .flat_map(|layer| layer.rotation.turns.iter());
        let overrides = self.overrides.iter().map(|each| &each.people);
        layers
            .chain(overrides)
            .flatten()
            .map(String::as_str)
            .collect()
    }
}

fn zone(schedule: &str, zone: &str) -> Result<TimeZone, ScheduleError> {
    TimeZone::get(zone).map_err(|_| ScheduleError::Zone {
        schedule: schedule.to_owned(),
        zone: zone.to_owned(),
    })
}
