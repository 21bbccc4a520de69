//! Alerts that other systems report: when a report opens an incident, changes it, ends it, or is nothing new.

use super::words::Actor;
use model::{AlertEvent, AlertKind, Fingerprint, IncidentId, Priority, Span, TenantId, Timestamp};

/// What fires again within this time after its end is the same incident.
const REOPENS: Span = Span::from_secs(10 * 60);
/// Characters of a title and of a reason at most; the rest is cut and marked.
const TITLE: usize = 300;
const WHY: usize = 2_000;

/// What people read of an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// What stands where the template's name stands: `alertname`, or the integration.
    pub name: String,
    /// Labels, sorted by name.
    pub labels: Vec<(String, String)>,
    /// What else was said, sorted by name.
    pub annotations: Vec<(String, String)>,
    /// One line.
    pub title: String,
    /// Why, in a sentence.
    pub why: String,
    /// Link to the runbook.
    pub runbook: Option<String>,
    /// Link to where the alert comes from; may be empty.
    pub generator: String,
}

/// One alert as it stands in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct External {
    /// Whose.
    pub tenant: TenantId,
    /// Name of the integration that it came by.
    pub source: String,
    /// Its identity there.
    pub key: String,
    /// The incident that it opened last.
    pub incident: IncidentId,
    /// The last event of that incident.
    pub sequence: u64,
    /// Whether it fires.
    pub firing: bool,
    /// How urgent it is.
    pub priority: Priority,
    /// Since when.
    pub starts_at: Timestamp,
    /// Firing: over then unless it is reported again. Else: fires then unless a heartbeat comes.
    pub ends_at: Option<Timestamp>,
    /// When it was reported last.
    pub changed_at: Timestamp,
    /// What people read of it.
    pub facts: Facts,
}

/// What a report says of its alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Says {
    /// It fires, until then unless it is reported again.
    Firing(Option<Timestamp>),
    /// Somebody took it, over there.
    Acknowledged(Actor),
    /// It is over.
    Resolved,
    /// It is alive, and must say so again until then.
    Alive(Timestamp),
}

/// One report, in whatever format it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The alert's identity.
    pub key: String,
    /// What it says.
    pub says: Says,
    /// Since when it fires.
    pub starts_at: Timestamp,
    /// How urgent it is.
    pub priority: Priority,
    /// What fires again soon after its end is the same incident.
    pub reopens: bool,
    /// What people read.
    pub facts: Facts,
}

/// What becomes of a report.
#[derive(Debug, Clone, PartialEq)]
pub enum Taken {
    /// Nothing was known of it, and it opens nothing.
    Ignored,
    /// It is kept; an event tells the incident what changed.
    Kept(Box<External>, Option<Box<AlertEvent>>),
    /// Somebody has it: the incident is told.
    Acknowledged(IncidentId, Actor),
}

impl Facts {
    /// Of what is only ended or taken: never shown.
    pub fn unknown() -> Self {
        Self {
            name: String::new(),
            labels: Vec::new(),
            annotations: Vec::new(),
            title: String::new(),
            why: String::new(),
            runbook: None,
            generator: String::new(),
        }
    }
}

impl External {
    fn new(tenant: &TenantId, source: &str, report: &Report, now: Timestamp) -> Self {
        Self {
            tenant: tenant.clone(),
            source: source.to_owned(),
            key: report.key.clone(),
            incident: incident(tenant, source, &report.key, "", now),
            sequence: 0,
            firing: false,
            priority: report.priority,
            starts_at: report.starts_at,
            ends_at: None,
            changed_at: now,
            facts: report.facts.clone(),
        }
    }

    /// Begins another incident.
    fn anew(&mut self, starts_at: Timestamp, now: Timestamp) {
        let before = self.incident.to_string();
        self.incident = incident(&self.tenant, &self.source, &self.key, &before, now);
        self.sequence = 0;
        self.starts_at = starts_at;
    }

    fn event(&mut self, kind: AlertKind, why: &str, now: Timestamp) -> Box<AlertEvent> {
        self.sequence += 1;
        let env = ["env", "environment"].into_iter().find_map(|name| {
            let found = self.facts.labels.iter().find(|(label, _)| label == name);
            found.map(|(_, value)| value.clone())
        });
        let over = matches!(kind, AlertKind::Resolved | AlertKind::Expired);
        Box::new(AlertEvent {
            event_id: self.incident.event(self.sequence),
            incident_id: self.incident,
            sequence: self.sequence,
            tenant: self.tenant.clone(),
            partition: 0,
            template: self.facts.name.clone(),
            group: self.facts.labels.clone(),
            kind,
            priority: (!over).then_some(self.priority),
            value: None,
            threshold: None,
            unit: String::new(),
            at: now,
            started_at: self.starts_at,
            arrival: now,
            env,
            title: cut(&self.facts.title, TITLE),
            title_ko: None,
            why: cut(why, WHY),
            runbook: self.facts.runbook.clone(),
        })
    }

    fn ends(&mut self, why: &str, now: Timestamp) -> Box<AlertEvent> {
        self.firing = false;
        self.ends_at = None;
        self.changed_at = now;
        self.event(AlertKind::Resolved, why, now)
    }

    /// Its time has passed without a word: what fired is over, what was to give a sign of life fires.
    pub fn passed(mut self, now: Timestamp) -> Taken {
        let event = if self.firing {
            self.ends("it was not reported again in time: over", now)
        } else {
            let since = self.ends_at.unwrap_or(now);
            let kind = match self.sequence > 0 && now.since(self.changed_at) < REOPENS {
                true => AlertKind::Reopened,
                false => {
                    self.anew(since, now);
                    AlertKind::Firing
                }
            };
            (self.firing, self.ends_at, self.changed_at) = (true, None, now);
            let why = self.facts.why.clone();
            self.event(kind, &why, now)
        };
        Taken::Kept(Box::new(self), Some(event))
    }
}

impl Report {
    /// The same without NUL, which PostgreSQL keeps in no text: it stands as the sign for what cannot be shown.
    fn storable(mut self) -> Self {
        let clean = |text: &mut String| {
            if text.contains('\0') {
                *text = text.replace('\0', "\u{fffd}");
            }
        };
        let facts = &mut self.facts;
        let pairs = facts.labels.iter_mut().chain(&mut facts.annotations);
        let texts = pairs.flat_map(|(name, value)| [name, value]);
        let own = [
            &mut self.key,
            &mut facts.name,
            &mut facts.title,
            &mut facts.why,
            &mut facts.generator,
        ];
        texts.chain(own).chain(&mut facts.runbook).for_each(clean);
        if let Says::Acknowledged(actor) = &mut self.says {
            clean(&mut actor.name);
        }
        self
    }
}

/// What a report does. `known` is what stands in the store of the same alert.
pub fn take(
    known: Option<External>,
    tenant: &TenantId,
    source: &str,
    report: Report,
    now: Timestamp,
) -> Taken {
    let report = report.storable();
    match (&report.says, known) {
        (Says::Firing(ends_at), known) => {
            let ends_at = *ends_at;
            let known = known.unwrap_or_else(|| External::new(tenant, source, &report, now));
            fires(known, report, ends_at, now)
        }
        (Says::Resolved, Some(mut known)) if known.firing => {
            let event = known.ends(&format!("{source} reports that it is over"), now);
            Taken::Kept(Box::new(known), Some(event))
        }
        (Says::Acknowledged(actor), Some(known)) if known.firing => {
            Taken::Acknowledged(known.incident, actor.clone())
        }
        // Prometheus repeats what is resolved for 15 minutes; what was never open is not opened.
        (Says::Resolved | Says::Acknowledged(_), _) => Taken::Ignored,
        (Says::Alive(until), known) => {
            let mut known = known.unwrap_or_else(|| External::new(tenant, source, &report, now));
            let event = known
                .firing
                .then(|| known.ends("the heartbeat came again", now));
            // `changed_at` stays when it came back last: missed again soon after, it is the same incident.
            (known.ends_at, known.facts) = (Some(*until), report.facts);
            Taken::Kept(Box::new(known), event)
        }
    }
}

fn fires(mut known: External, report: Report, ends_at: Option<Timestamp>, now: Timestamp) -> Taken {
    let (was, before) = (known.firing, known.priority);
    let first = known.sequence == 0;
    let soon = report.reopens && now.since(known.changed_at) < REOPENS;
    if was {
        known.starts_at = known.starts_at.min(report.starts_at);
    } else if !first && !soon {
        known.anew(report.starts_at, now);
    }
    let kind = match (was, first || !soon) {
        (false, true) => Some(AlertKind::Firing),
        (false, false) => Some(AlertKind::Reopened),
        (true, _) if report.priority > before => Some(AlertKind::Raised),
        (true, _) if report.priority < before => Some(AlertKind::Lowered),
        (true, _) => None,
    };
    known.firing = true;
    known.priority = report.priority;
    known.ends_at = ends_at;
    known.changed_at = now;
    known.facts = report.facts;
    let why = known.facts.why.clone();
    let event = kind.map(|kind| known.event(kind, &why, now));
    Taken::Kept(Box::new(known), event)
}

/// An incident of an alert, another one than that before it; `/` keeps it apart from every template's.
fn incident(
    tenant: &TenantId,
    source: &str,
    key: &str,
    before: &str,
    now: Timestamp,
) -> IncidentId {
    let name = format!("external/{source}");
    let group = [("before", before), ("key", key)];
    let group = group.map(|(name, value)| (name.to_owned(), value.to_owned()));
    IncidentId::of(Fingerprint::of(tenant, &name, &group), 0, now)
}

/// The first `most` characters; what is cut is marked.
fn cut(text: &str, most: usize) -> String {
    let text = text.trim();
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut kept: String = text.chars().take(most - 1).collect();
    kept.push('…');
    kept
}

/// The priority that labels name: `priority` P1 to P3, else `severity`; P2 when neither says.
pub fn priority_of<'a>(label: impl Fn(&str) -> Option<&'a str>) -> Priority {
    let named = label("priority").map(str::to_ascii_uppercase);
    if let Some(priority) = named.and_then(|name| Priority::parse(&name).ok()) {
        return priority;
    }
    match label("severity")
        .unwrap_or_default()
        .to_ascii_lowercase()
        .as_str()
    {
        "critical" | "page" | "emergency" | "fatal" | "highest" | "high" => Priority::P1,
        "info" | "information" | "informational" | "none" | "low" | "lowest" | "debug" => {
            Priority::P3
        }
        _ => Priority::P2,
    }
}
