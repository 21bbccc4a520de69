//! What a point says to a rule: the values of its checks.

use super::apply::Spot;
use super::expr::{Names, Point};
use super::group::Group;
use super::host::Run;
use super::input::Tally;
use super::plan::{Check, Rule, Source};
use super::samples::Cell;
use model::Timestamp;
use schemas::line::FieldValue;
use std::borrow::Cow;

/// The cells of a point: the values of the checks, then the fields that are kept.
pub(crate) struct Row {
    pub(crate) cells: Vec<f64>,
    checks: usize,
}

impl Row {
    pub(crate) fn is_excluded(&self) -> bool {
        self.checks > 0 && self.values().all(|cell| cell == Cell::Excluded)
    }

    /// Whether it is a sign of life of its group.
    pub(crate) fn says_something(&self) -> bool {
        self.checks == 0 || self.values().any(|cell| cell != Cell::Absent)
    }

    fn values(&self) -> impl Iterator<Item = Cell> {
        self.cells[..self.checks].iter().map(|raw| Cell::of(*raw))
    }
}

/// What a point says to a rule; none when it has no field that the rule reads.
///
/// `own`: the point is one of those that the template means.
pub(crate) fn row_of(
    rule: &Rule,
    group: &Group,
    (spot, own): (&Spot<'_>, bool),
    run: &mut Run<'_>,
) -> Option<Row> {
    let Source::Points {
        checks,
        only_when,
        names,
    } = &rule.source
    else {
        return Some(Row {
            cells: Vec::new(),
            checks: 0,
        });
    };
    let mut point = Fields::of(spot, names);
    if point.is_foreign() {
        run.outcome
            .tallies
            .add(Tally::Absent, u64::from(point.wrong_type));
        return None;
    }
    // Another line of the same point may have brought the other fields.
    let kept = usize::from(rule.width().fields);
    if kept > 0
        && let Some(known) = group.samples.fields(spot.at, spot.series)
    {
        for (field, known) in point.fields.iter_mut().zip(known) {
            *field = field.or(Some(known).filter(|known| known.is_finite()));
        }
    }
    let applies = only_when
        .as_ref()
        .filter(|_| own)
        .map(|condition| condition.value(&point));
    let reads = |check: &Check| match &check.measurement {
        None => own,
        Some(name) => *name == spot.line.measurement(),
    };
    let mut cells: Vec<f64> = checks
        .iter()
        .map(|check| match applies.filter(|_| !check.always) {
            _ if !reads(check) => Cell::Absent.raw(),
            Some(None) => Cell::Absent.raw(),
            Some(Some(0.0)) => Cell::Excluded.raw(),
            Some(Some(_)) | None => check
                .expr
                .value(&point)
                .map_or(f64::NAN, |v| Cell::Value(v).raw()),
        })
        .collect();
    let absent = checks
        .iter()
        .zip(&cells)
        .any(|(check, cell)| reads(check) && Cell::of(*cell) == Cell::Absent);
    run.outcome
        .tallies
        .add(Tally::Absent, u64::from(absent && point.is_whole()));
    cells.extend(
        point
            .fields
            .iter()
            .take(kept)
            .map(|field| field.unwrap_or(f64::NAN)),
    );
    Some(Row {
        cells,
        checks: checks.len(),
    })
}

/// The fields and tags of a line in the places that a rule's expressions use.
struct Fields<'a> {
    fields: Vec<Option<f64>>,
    tags: Vec<Option<Cow<'a, str>>>,
    at: Timestamp,
    wrong_type: bool,
}

impl<'a> Fields<'a> {
    fn of(spot: &'a Spot<'_>, names: &Names) -> Self {
        // A text is held against a tag, or a field where there is no such tag.
        let mut tags: Vec<_> = names.tags.iter().map(|name| spot.tag(name)).collect();
        let asks_for_text: Vec<usize> = (0..tags.len()).filter(|n| tags[*n].is_none()).collect();
        let mut found: Vec<Option<Option<f64>>> = vec![None; names.fields.len()];
        // Of a field that was written twice the last counts, as a store keeps it.
        for field in spot.line.unread_fields() {
            if let Some(slot) = names.fields.iter().position(|name| field.is(name)) {
                found[slot] = Some(number(&field.value()));
            }
            for slot in &asks_for_text {
                if field.is(&names.tags[*slot]) {
                    tags[*slot] = match field.value() {
                        FieldValue::Text(text) => Some(text),
                        _ => None,
                    };
                }
            }
        }
        let wrong_type = found.contains(&Some(None));
        Self {
            fields: found.into_iter().map(Option::flatten).collect(),
            tags,
            at: spot.at,
            wrong_type,
        }
    }

    /// Whether the line has none of the fields that are asked for.
    fn is_foreign(&self) -> bool {
        !self.fields.is_empty() && self.fields.iter().all(Option::is_none)
    }

    fn is_whole(&self) -> bool {
        self.fields.iter().all(Option::is_some)
    }
}

impl Point for Fields<'_> {
    fn field(&self, slot: usize) -> Option<f64> {
        self.fields.get(slot).copied().flatten()
    }

    fn tag(&self, slot: usize) -> Option<&str> {
        self.tags.get(slot)?.as_deref()
    }

    fn seconds(&self) -> f64 {
        self.at.as_nanos() as f64 / 1e9
    }
}

fn number(value: &FieldValue<'_>) -> Option<f64> {
    match value {
        FieldValue::Float(value) => Some(*value),
        FieldValue::Integer(value) => Some(*value as f64),
        FieldValue::Unsigned(value) => Some(*value as f64),
        FieldValue::Boolean(value) => Some(f64::from(u8::from(*value))),
        FieldValue::Text(_) => None,
    }
}
