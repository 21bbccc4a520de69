//! Which series there are: measurement, tags and fields of what was sent.

use crate::core::DERIVED;
use schemas::catalogue::AppliesTo;
use std::collections::{BTreeMap, BTreeSet};

/// So many series are kept; more say nothing new.
const MOST: usize = 100_000;

/// The series of some points.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    by_measurement: BTreeMap<String, Vec<Series>>,
    known: BTreeMap<u64, (String, usize)>,
}

/// One of them.
#[derive(Debug, Clone, Default)]
struct Series {
    tags: BTreeMap<String, String>,
    fields: BTreeSet<String>,
}

impl Seen {
    /// Takes whole lines. What is no line protocol is passed over.
    pub fn take(&mut self, lines: &[u8]) {
        for line in schemas::line::scan(lines).flatten() {
            let fields = line.fields().map(|(name, _)| name.into_owned());
            let key = line.series().as_u64();
            if let Some((measurement, n)) = self.known.get(&key) {
                if let Some(series) = self.by_measurement.get_mut(measurement) {
                    series[*n].fields.extend(fields);
                }
                continue;
            }
            if self.known.len() >= MOST {
                continue;
            }
            let owned = |text: std::borrow::Cow<'_, str>| text.into_owned();
            let mut tags: BTreeMap<String, String> =
                line.tags().map(|(k, v)| (owned(k), owned(v))).collect();
            if let Some(host) = line.host() {
                tags.entry("host".to_owned()).or_insert(owned(host));
            }
            let measurement = line.measurement().into_owned();
            let all = self.by_measurement.entry(measurement.clone()).or_default();
            self.known.insert(key, (measurement, all.len()));
            all.push(Series {
                tags,
                fields: fields.collect(),
            });
        }
    }

    /// How many series there are.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Why no series is one that a rule means; none when there is one. The rule reads `fields`, at
    /// least one of them, and needs `tags`.
    pub(super) fn why_not(
        &self,
        to: &AppliesTo,
        fields: &[String],
        tags: &[String],
    ) -> Option<(&'static str, String)> {
        // What is derived of a tenant is sent by nobody.
        if to.measurement == "any" || DERIVED.contains(&to.measurement.as_str()) {
            return None;
        }
        let Some(all) = self.by_measurement.get(&to.measurement) else {
            let what = format!("no series of measurement `{}` was seen", to.measurement);
            return Some(("applies_to.measurement", what));
        };
        let meant: Vec<&Series> = all.iter().filter(|series| series.is_meant(to)).collect();
        if meant.is_empty() {
            let what = format!(
                "none of the {} series of `{}` that were seen has these tags",
                all.len(),
                to.measurement
            );
            return Some(("applies_to", what));
        }
        if let Some(tag) = tags
            .iter()
            .find(|tag| meant.iter().all(|series| !series.tags.contains_key(*tag)))
        {
            let what = format!(
                "no series of `{}` that is meant has the tag `{tag}`",
                to.measurement
            );
            return Some(("one_alert_per", what));
        }
        let field = fields
            .iter()
            .find(|field| meant.iter().all(|series| !series.fields.contains(*field)));
        field.map(|field| {
            let what = format!(
                "no series of `{}` that is meant has the field `{field}`",
                to.measurement
            );
            ("check", what)
        })
    }
}

impl Series {
    fn is_meant(&self, to: &AppliesTo) -> bool {
        let tag = |key: &String| self.tags.get(key);
        to.where_
            .iter()
            .all(|(key, values)| tag(key).is_some_and(|v| values.contains(v)))
            && to
                .where_not
                .iter()
                .all(|(key, values)| tag(key).is_none_or(|v| !values.contains(v)))
    }
}
