//! What is open beside an incident, and whether it explains the incident or tells of it.

use super::directory::{Care, Directory, Grouping, Selector};
use super::incident::Incident;
use model::{IncidentId, Priority, Timestamp};
use std::fmt;

/// Name of the shipped template of a host that does not report; it hides what else its host says.
pub(super) const HOST_DOWN: &str = "host-down";
/// Name of the template of a tenant of which nothing comes in; it hides its hosts' silence.
pub(super) const TENANT_INGEST: &str = "tenant-ingest";

/// Another incident of the same tenant that is not closed.
#[derive(Debug, Clone, PartialEq)]
pub struct Neighbour {
    /// Its id.
    pub id: IncidentId,
    /// Name of its template.
    pub template: String,
    /// What it is about.
    pub group: Vec<(String, String)>,
    /// Its environment, where known.
    pub env: Option<String>,
    /// How urgent it is.
    pub priority: Priority,
    /// One line.
    pub title: String,
    /// It pages, or was put off knowingly: it may stand for others.
    pub speaks: bool,
}

/// Those who joined a group since its leader last told of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct News {
    /// How many joined.
    pub joined: u64,
    /// The titles of the first of those that joined.
    pub titles: Vec<String>,
    /// Template, priority and number of those that joined.
    pub counts: Vec<(String, Priority, u64)>,
}

/// What is open beside an incident.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Around {
    /// Those that may explain it, and the one that it was merged into.
    pub others: Vec<Neighbour>,
    /// The oldest of its group that speaks for it.
    pub leader: Option<Neighbour>,
    /// Where it leads a group: who joined.
    pub news: News,
}

/// What to look for around an incident.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Incidents of these templates; with a host only those of that host.
    pub templates: Vec<(String, Option<String>)>,
    /// This incident.
    pub id: Option<IncidentId>,
    /// The leader of this group.
    pub group: Option<String>,
    /// Titles of so many that joined it.
    pub news: Option<u32>,
}

/// Why an incident does not page.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reason<'a> {
    /// Another explains it.
    Explained {
        /// Which.
        by: &'a Neighbour,
        /// It hides also what has paged before.
        also_open: bool,
        /// Name of the declared dependency; none for the built-in ones.
        dependency: Option<&'a str>,
    },
    /// Another tells of its group.
    Grouped {
        /// Which.
        by: &'a Neighbour,
    },
}

/// Nothing is open beside it.
pub(super) static NOTHING: Around = Around {
    others: Vec::new(),
    leader: None,
    news: News {
        joined: 0,
        titles: Vec::new(),
        counts: Vec::new(),
    },
};

/// The value of a tag in a group; `env` stands beside it.
pub(super) fn tag<'a>(
    group: &'a [(String, String)],
    env: Option<&'a str>,
    key: &str,
) -> Option<&'a str> {
    let found = group.iter().find(|(k, _)| k == key);
    found
        .map(|(_, value)| value.as_str())
        .or(env.filter(|_| key == "env"))
}

impl Incident {
    /// The `host` of its group.
    pub fn host(&self) -> Option<&str> {
        tag(&self.group, None, "host")
    }

    /// What its tenant groups it by; none where it has nothing of that: what lacks every one of the tags has nothing in
    /// common, and does not tell of one another.
    pub(super) fn group_of(&self, grouping: &Grouping) -> Option<String> {
        let value = |key: &String| match key.as_str() {
            "template" => Some(self.template.as_str()),
            key => tag(&self.group, self.env.as_deref(), key),
        };
        let values = grouping.by.iter().map(|key| (key, value(key)));
        let values: Vec<_> = values.collect();
        let has_one = values.iter().any(|(_, value)| value.is_some());
        let words = values.iter();
        let words = words.map(|(key, value)| format!("{key}={}", value.unwrap_or_default()));
        has_one.then(|| words.collect::<Vec<_>>().join(" "))
    }

    /// What to look for around the incident before deciding; none when nothing could matter.
    pub fn wanted(&self, directory: &Directory, now: Timestamp) -> Option<Wanted> {
        let mut wanted = Wanted::default();
        match (self.template.as_str(), self.host()) {
            (TENANT_INGEST, _) => {}
            (HOST_DOWN, _) => wanted.templates.push((TENANT_INGEST.to_owned(), None)),
            (_, Some(host)) => {
                let down = (HOST_DOWN.to_owned(), Some(host.to_owned()));
                wanted.templates.push(down);
            }
            (_, None) => {}
        }
        let care = directory.care.get(&self.tenant);
        for dependency in care.map_or(&[][..], |care| &care.dependencies) {
            if dependency.hides.takes(self) {
                let host = dependency.same.iter().any(|key| key == "host");
                let host = host.then(|| self.host().map(str::to_owned)).flatten();
                wanted.templates.push((dependency.on.clone(), host));
            }
        }
        wanted.id = self.hold.as_ref().and_then(|hold| hold.by);
        if let Some(grouping) = care.and_then(|care| care.grouping.as_ref()) {
            wanted.group = self.group_of(grouping);
            let tells = self
                .digest_at
                .filter(|at| *at <= now && wanted.group.is_some());
            wanted.news = tells.map(|_| grouping.cap);
        }
        (wanted != Wanted::default()).then_some(wanted)
    }
}

impl Selector {
    /// Whether it takes that incident.
    pub fn takes(&self, incident: &Incident) -> bool {
        self.takes_parts(
            &incident.template,
            &incident.group,
            incident.env.as_deref(),
            incident.priority,
            &[&incident.title, &incident.why],
        )
    }

    fn takes_parts(
        &self,
        template: &str,
        group: &[(String, String)],
        env: Option<&str>,
        priority: Priority,
        texts: &[&str],
    ) -> bool {
        let fits = |wanted: &Option<String>, given: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == given)
        };
        let contains = |wanted: &String| {
            let wanted = wanted.to_lowercase();
            texts
                .iter()
                .any(|text| text.to_lowercase().contains(&wanted))
        };
        fits(&self.template, template)
            && (self.priority.is_empty() || self.priority.contains(&priority))
            && self
                .tags
                .iter()
                .all(|(key, value)| tag(group, env, key) == Some(value))
            && self.text.as_ref().is_none_or(contains)
    }
}

impl Around {
    /// Whether that incident is among those that are open.
    pub(super) fn is_open(&self, id: Option<IncidentId>) -> bool {
        self.others.iter().any(|other| Some(other.id) == id)
    }

    /// Why the incident does not page; none when it does.
    pub fn reason<'a>(
        &'a self,
        incident: &Incident,
        directory: &'a Directory,
    ) -> Option<Reason<'a>> {
        let paged = incident.escalation.paged;
        let care = directory.care.get(&incident.tenant);
        let explains = |other: &&Neighbour| {
            other.speaks && other.id != incident.id && other.priority >= incident.priority
        };
        let mut others = self.others.iter().filter(explains);
        let explained = others.find_map(|other| explanation(incident, other, care));
        let hides = |reason: &Reason<'_>| {
            let hides_paged = matches!(
                reason,
                Reason::Explained {
                    also_open: true,
                    ..
                }
            );
            hides_paged || !paged
        };
        let explained = explained.filter(hides);
        let leader = self.leader.as_ref().filter(explains).filter(|_| !paged);
        explained.or(leader.map(|by| Reason::Grouped { by }))
    }
}

/// Whether another incident explains this one.
fn explanation<'a>(
    incident: &Incident,
    other: &'a Neighbour,
    care: Option<&'a Care>,
) -> Option<Reason<'a>> {
    let same = |key: &str| {
        let theirs = tag(&other.group, other.env.as_deref(), key);
        theirs.is_some() && theirs == tag(&incident.group, incident.env.as_deref(), key)
    };
    let reason = |also_open, dependency| {
        Some(Reason::Explained {
            by: other,
            also_open,
            dependency,
        })
    };
    match (other.template.as_str(), incident.template.as_str()) {
        (TENANT_INGEST, HOST_DOWN) => return reason(false, None),
        (HOST_DOWN, mine) if mine != HOST_DOWN && mine != TENANT_INGEST && same("host") => {
            return reason(true, None);
        }
        _ => {}
    }
    let mut declared = care.map_or(&[][..], |care| &care.dependencies).iter();
    let found = declared.find(|dependency| {
        dependency.on == other.template
            && dependency.hides.takes(incident)
            && dependency.same.iter().all(|key| same(key))
    })?;
    reason(true, Some(&found.name))
}

impl Reason<'_> {
    /// The incident that stands for it.
    pub fn by(&self) -> IncidentId {
        match self {
            Self::Explained { by, .. } | Self::Grouped { by } => by.id,
        }
    }
}

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Explained { by, dependency, .. } => {
                write!(f, "{} {} ({}) explains it", by.priority, by.title, by.id)?;
                match dependency {
                    Some(name) => write!(f, ", by the dependency `{name}`"),
                    None => Ok(()),
                }
            }
            Self::Grouped { by } => {
                write!(
                    f,
                    "{} {} ({}) tells of its group",
                    by.priority, by.title, by.id
                )
            }
        }
    }
}

impl News {
    /// What the leader of a group says of it: titles, or numbers when there are more than the cap.
    pub(super) fn told(&self, cap: u32) -> String {
        if self.joined <= u64::from(cap) {
            return format!("{} more: {}", self.joined, self.titles.join("; "));
        }
        let count = |(template, priority, count): &(String, Priority, u64)| {
            format!("{count} {priority} of {template}")
        };
        let counts: Vec<_> = self.counts.iter().map(count).collect();
        format!("digest of {} more: {}", self.joined, counts.join(", "))
    }
}
