//! What people read of an alert, out of its labels and annotations. Everything here was written by others.

use crate::core::{Facts, listed};
use std::collections::BTreeMap;

/// Labels, and annotations, of one alert at most; characters of one name or value.
const LABELS: usize = 64;
const LABEL: usize = 2_048;
const ANNOTATION: usize = 16_384;

/// Why labels or annotations are not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadLabels {
    /// Nothing says what it is about.
    #[error("at least one label pair required")]
    None,
    /// More than is taken.
    #[error("an alert has up to {LABELS} labels and {LABELS} annotations")]
    Many,
    /// Too long, or without a name.
    #[error(
        "label names must not be empty; labels have up to {LABEL} characters, annotations {ANNOTATION}"
    )]
    Long,
}

/// Facts of an alert in Prometheus' words.
pub(super) fn of_prometheus(
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    generator: String,
) -> Result<Facts, BadLabels> {
    let labels: Vec<_> = labels
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .collect();
    if labels.is_empty() {
        return Err(BadLabels::None);
    }
    if labels.len() > LABELS || annotations.len() > LABELS {
        return Err(BadLabels::Many);
    }
    let fits = |(name, value): &(String, String), most| {
        !name.is_empty() && name.len() <= LABEL && value.len() <= most
    };
    if !labels.iter().all(|label| fits(label, LABEL)) || generator.len() > ANNOTATION {
        return Err(BadLabels::Long);
    }
    let annotations: Vec<_> = annotations.into_iter().collect();
    if !annotations.iter().all(|each| fits(each, ANNOTATION)) {
        return Err(BadLabels::Long);
    }
    let label = |name: &str| find(&labels, name);
    let note = |name: &str| find(&annotations, name);
    let name = label("alertname").unwrap_or("alert").to_owned();
    let place = ["instance", "host", "node", "service", "job"]
        .into_iter()
        .find_map(label);
    let title = match (note("summary").or_else(|| note("title")), place) {
        (Some(summary), _) => summary.to_owned(),
        (None, Some(place)) => format!("{name} on {place}"),
        (None, None) => name.clone(),
    };
    let why = note("description").or_else(|| note("message"));
    let why = why.map_or_else(|| listed(&labels), str::to_owned);
    let runbook = note("runbook_url").or_else(|| note("runbook"));
    let runbook = runbook.and_then(link);
    Ok(Facts {
        name,
        runbook,
        title,
        why,
        generator: link(&generator).unwrap_or_default(),
        labels,
        annotations,
    })
}

fn find<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = pairs
        .iter()
        .find(|(key, value)| key == name && !value.trim().is_empty());
    found.map(|(_, value)| value.as_str())
}

/// A link that may stand on a page: http or https, and nothing that a browser would run.
pub(super) fn link(text: &str) -> Option<String> {
    let text = text.trim();
    let lower = text.to_ascii_lowercase();
    let known = lower.starts_with("http://") || lower.starts_with("https://");
    let plain = !text.chars().any(|c| c.is_control() || c.is_whitespace());
    (known && plain && text.len() <= 2_048).then(|| text.to_owned())
}
