//! From a template, overrides merged, to a rule. What this version does not evaluate is refused by
//! name.

use super::rule::{Check, kept_fields};
use super::whole::unit;
use super::{Condition, PlanError, Rule, Rung, Signal, Source, place, spans};
use crate::core::expr::{Expr, Names, Shape};
use model::{Priority, Span};
use schemas::catalogue::{Level, Over, Template, Threshold};
use xxhash_rust::xxh3::xxh3_64;

/// The check of a host-down rule.
pub(super) const SILENCE: &str = "time_since_last_point";
/// A group is forgotten after this time without data; a host later.
const EXPIRE_AFTER: Span = Span::from_secs(86_400);
const EXPIRE_HOST_AFTER: Span = Span::from_secs(7 * 86_400);
/// Percentages recover so many points inside their threshold.
const PERCENT_INSIDE: f64 = 5.0;
pub(super) type Compiled<T> = Result<T, PlanError>;

/// Compiles a template, or says all that is wrong with it.
pub(super) fn compile_rule(template: &Template) -> Result<Rule, Vec<PlanError>> {
    let mut draft = Draft::new(template);
    let rungs = draft.rungs();
    let shown = draft.shown();
    let only_when = draft.only_when();
    let (title, title_ko) = draft.titles();
    draft.check_rest();
    let against = draft.against();
    draft.one_past(against);
    if !draft.errors.is_empty() {
        return Err(draft.errors);
    }
    let silence = draft.is_silence();
    let shape = draft.shape();
    let source = if silence {
        Source::Silence
    } else {
        Source::Points {
            checks: draft.checks,
            only_when,
            names: draft.names,
        }
    };
    let expire = if silence {
        EXPIRE_HOST_AFTER
    } else {
        EXPIRE_AFTER
    };
    Ok(Rule {
        template: template.template.as_str().into(),
        revision: 0,
        every: template.every(),
        interval: template.interval(),
        source,
        signals: draft.signals,
        shown,
        rungs,
        when_missing: template.when_missing(),
        missing_after: template.missing_after,
        close_after: template.close_after,
        expire_after: template.expire_after.unwrap_or(expire),
        limits: template.limits(),
        unit: unit(template, silence, against),
        percent: template.unit.as_deref() == Some("percent"),
        against,
        title,
        title_ko,
        runbook: template.runbook.clone(),
        shape,
        spans: spans(template),
    })
}

/// A rule in the making.
pub(super) struct Draft<'a> {
    pub(super) template: &'a Template,
    pub(super) checks: Vec<Check>,
    pub(super) names: Names,
    pub(super) signals: Vec<Signal>,
    pub(super) errors: Vec<PlanError>,
}

impl<'a> Draft<'a> {
    fn new(template: &'a Template) -> Self {
        Self {
            template,
            checks: Vec::new(),
            names: Names::default(),
            signals: Vec::new(),
            errors: Vec::new(),
        }
    }

    fn is_silence(&self) -> bool {
        self.template
            .check
            .as_deref()
            .is_some_and(|check| check.trim() == SILENCE)
    }

    pub(super) fn refuse<T>(&self, key: &str, what: impl Into<String>) -> Compiled<T> {
        Err(PlanError::new(place(&self.template.template, key), what))
    }

    fn rungs(&mut self) -> Vec<Rung> {
        let template = self.template;
        let mut rungs = Vec::new();
        for (priority, level) in template.levels.iter() {
            match self.rung(priority, level) {
                Ok(rung) => rungs.push(rung),
                Err(error) => self.errors.push(error),
            }
        }
        if template.levels.is_empty() {
            let error = self.refuse::<()>("levels", "at least one level: `P1: {above: 90}`");
            self.errors.extend(error.err());
        }
        rungs
    }

    fn rung(&mut self, priority: Priority, level: &Level) -> Compiled<Rung> {
        let key = format!("levels.{priority}");
        let fires = self.fires(&key, level)?;
        let fires = self.at_least_three_intervals(&key, fires)?;
        let recovers = match self.is_trend(level) {
            true => self.horizon(&key, level, fires)?,
            false => self.recovers(level, fires),
        };
        let signal = if self.is_silence() {
            if level.check.is_some() {
                return self.refuse(
                    &key,
                    format!("a level of `{SILENCE}` has no check of its own"),
                );
            }
            self.silence(fires)
        } else {
            self.signal(&key, level, (fires, recovers))?
        };
        let known = self.signals.iter().position(|known| *known == signal);
        let signal = known.unwrap_or_else(|| {
            self.signals.push(signal);
            self.signals.len() - 1
        });
        Ok(Rung {
            priority,
            signal,
            fires,
            recovers,
            for_: level.for_span(),
            recover_for: level.recover_span(),
        })
    }

    /// What an event tells beside the value; errors are added.
    fn shown(&mut self) -> Option<Signal> {
        let text = self.template.shows.clone()?;
        let windowed = matches!(self.template.over, Some(Over::Window { .. }));
        if !windowed || self.is_silence() || spans(self.template) {
            let what =
                "what is shown beside a value is gathered by the window of `over`, host by host";
            let error = self.refuse::<()>("shows", what);
            self.errors.extend(error.err());
            return None;
        }
        let level = Level {
            check: Some(text),
            ..Level::default()
        };
        let any = Condition::Above(f64::INFINITY);
        let signal = self.signal("shows", &level, (any, any));
        let error =
            |error: PlanError| PlanError::new(place(&self.template.template, "shows"), error.what);
        signal.map_err(|e| self.errors.push(error(e))).ok()
    }

    fn fires(&self, key: &str, level: &Level) -> Compiled<Condition> {
        match (level.above, level.below, level.is) {
            (Some(above), None, None) => Ok(Condition::Above(above.value())),
            (None, Some(below), None) => Ok(Condition::Below(below.value())),
            (None, None, Some(is)) => Ok(Condition::Is(is)),
            _ => self.refuse(key, "a level has exactly one of `above`, `below` and `is`"),
        }
    }

    /// Left out: 5 points inside for percentages, the threshold itself otherwise.
    fn recovers(&self, level: &Level, fires: Condition) -> Condition {
        let percent = self.template.unit.as_deref() == Some("percent");
        let inside = if percent { PERCENT_INSIDE } else { 0.0 };
        match fires {
            Condition::Above(0.0) if level.until_below.is_none() && !percent => {
                Condition::AtMost(0.0)
            }
            Condition::Above(threshold) => Condition::Below(
                level
                    .until_below
                    .map_or(threshold - inside, Threshold::value),
            ),
            Condition::Below(threshold) => Condition::Above(
                level
                    .until_above
                    .map_or(threshold + inside, Threshold::value),
            ),
            Condition::AtMost(threshold) => Condition::Above(threshold),
            Condition::Is(wanted) => Condition::Is(!wanted),
        }
    }

    pub(super) fn is_trend(&self, level: &Level) -> bool {
        level.over.or(self.template.over) == Some(Over::TimeUntilZero)
    }

    /// A trend recovers at 1.5 x its horizon.
    fn horizon(&self, key: &str, level: &Level, fires: Condition) -> Compiled<Condition> {
        match fires {
            Condition::Below(secs) => Ok(Condition::Above(
                level.until_above.map_or(1.5 * secs, Threshold::value),
            )),
            _ => self.refuse(
                key,
                "the time until zero can only be `below` something: `4h`",
            ),
        }
    }

    /// A host is down after 3 intervals at the earliest: 3 samples stayed away. The grid has no
    /// part in it, for silence is known at every grid point.
    fn at_least_three_intervals(&self, key: &str, fires: Condition) -> Compiled<Condition> {
        if !self.is_silence() {
            return Ok(fires);
        }
        let least = self.template.interval().times(3).as_secs_f64();
        match fires {
            Condition::Above(threshold) => Ok(Condition::Above(threshold.max(least))),
            Condition::Below(_) | Condition::AtMost(_) | Condition::Is(_) => {
                self.refuse(key, format!("`{SILENCE}` can only be `above` something"))
            }
        }
    }

    fn only_when(&mut self) -> Option<Expr> {
        let text = self.template.only_when.as_deref()?;
        let parsed = if self.is_silence() {
            Err(format!(
                "`{SILENCE}` is no value of a point, so it has no condition"
            ))
        } else {
            Expr::parse(text, &mut self.names).map_err(|error| format!("`{text}`, {error}"))
        };
        match parsed {
            Ok(expr) if expr.shape() == Shape::Truth || expr.is_field() => return Some(expr),
            Ok(_) => {
                let error =
                    self.refuse::<()>("only_when", "a condition is needed: `maxmemory > 0`");
                self.errors.extend(error.err());
            }
            Err(what) => {
                let error = self.refuse::<()>("only_when", what);
                self.errors.extend(error.err());
            }
        }
        None
    }

    /// Rows of samples keep their meaning as long as these stay.
    fn shape(&self) -> u64 {
        let mut text = String::new();
        let checks = self.checks.iter().map(|check| check.text.as_str());
        let names = self
            .names
            .fields
            .iter()
            .chain(&self.names.tags)
            .map(String::as_str);
        for part in checks
            .chain(self.template.only_when.as_deref())
            .chain(names)
        {
            text.push_str(part);
            text.push('\0');
        }
        text.push_str(&kept_fields(&self.names).to_string());
        xxh3_64(text.as_bytes())
    }
}
