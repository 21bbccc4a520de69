//! What an import has found so far: entries under new names, found again by their old ids.

use super::{Imported, Note};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use model::Span;
use schemas::catalogue::{
    AcknowledgeWithin, Channels, Contact, Ends, Entry, EscalationPolicy, HolidayCalendar, Language,
    Layer, Schedule, ScheduleOverride, Step, StepTarget, Team,
};
use std::collections::{BTreeMap, BTreeSet};

/// The longest wait of a step.
const LONGEST: Span = Span::from_secs(7 * 86_400);
/// Steps of a policy, and rounds of it.
const STEPS: usize = 20;
const ROUNDS: i64 = 20;

/// What has been found.
#[derive(Debug, Default)]
pub(super) struct Book {
    names: BTreeSet<(&'static str, String)>,
    /// New names by kind and old id.
    ids: BTreeMap<(&'static str, String), String>,
    contacts: Vec<Contact>,
    teams: Vec<Team>,
    schedules: Vec<Schedule>,
    policies: Vec<EscalationPolicy>,
    notes: Vec<Note>,
}

/// A step on its way, with the time after the step before.
#[derive(Debug, Default)]
pub(super) struct NewStep {
    pub(super) notify: Vec<StepTarget>,
    pub(super) after: Span,
}

impl Book {
    /// Says that something is not there any more.
    pub(super) fn lost(&mut self, what: &str, why: impl Into<String>) {
        self.note(what, why.into(), true);
    }

    /// Says that something is there in another form.
    pub(super) fn other(&mut self, what: &str, why: impl Into<String>) {
        self.note(what, why.into(), false);
    }

    fn note(&mut self, what: &str, why: String, lost: bool) {
        let note = Note {
            what: what.to_owned(),
            why,
            lost,
        };
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// A new name of that kind, made of what people call it, and remembered under its old ids.
    fn name(&mut self, kind: &'static str, called: &str, ids: &[&str]) -> String {
        let base = slug(called, kind);
        let mut name = base.clone();
        let mut n = 2;
        while !self.names.insert((kind, name.clone())) {
            name = format!("{base}-{n}");
            n += 1;
        }
        for id in ids.iter().filter(|id| !id.is_empty()) {
            self.ids.insert((kind, id.to_lowercase()), name.clone());
        }
        name
    }

    fn known(&self, kind: &'static str, id: &str) -> Option<String> {
        self.ids.get(&(kind, id.to_lowercase())).cloned()
    }

    /// A person; `id` and e-mail address find them again.
    pub(super) fn contact(&mut self, ids: &[&str], called: &str, email: &str) -> &mut Contact {
        let local = email.split('@').next().unwrap_or_default();
        let base = if slug(local, "").is_empty() {
            called
        } else {
            local
        };
        let mut all = ids.to_vec();
        all.push(email);
        let name = self.name("contact", base, &all);
        let called = match called.trim() {
            "" => &name,
            called => called,
        };
        let valid = email.split_once('@').is_some_and(|(name, domain)| {
            !name.is_empty() && domain.contains('.') && !domain.contains('@')
        }) && !email.contains([' ', ',']);
        self.contacts.push(Contact {
            contact: name.clone(),
            name: one_line(called),
            language: Language::En,
            slack: None,
            telegram: None,
            phone: None,
            email: valid.then(|| email.to_owned()),
            rules: schemas::catalogue::PerPriority::default(),
        });
        self.contacts.last_mut().expect("it was just pushed")
    }

    /// Whether a user has neither a name nor an address, which is reported: then the file is most often that of another system.
    pub(super) fn is_nameless(&mut self, id: &str, called: &str, email: &str) -> bool {
        let nameless = called.trim().is_empty() && email.trim().is_empty();
        if nameless {
            let what = format!("user {id}");
            let why =
                "it has neither a name nor an e-mail address: is the file one of this system?";
            self.lost(&what, why);
        }
        nameless
    }

    pub(super) fn person(&self, id: &str) -> Option<String> {
        self.known("contact", id)
    }

    /// The people of these ids; who is not in the file is told.
    pub(super) fn people(&mut self, what: &str, ids: &[&str]) -> Vec<String> {
        let mut people = Vec::new();
        for id in ids {
            match self.person(id) {
                Some(name) if !people.contains(&name) => people.push(name),
                Some(_) => {}
                None => self.lost(what, format!("the user `{id}` is not in the file")),
            }
        }
        people
    }

    /// A team; none without members.
    pub(super) fn team(&mut self, id: &str, called: &str, members: Vec<String>) -> Option<String> {
        if members.is_empty() {
            self.lost(
                &format!("team {called}"),
                "it has no members that are in the file",
            );
            return None;
        }
        let name = self.name("team", called, &[id]);
        self.teams.push(Team {
            team: name.clone(),
            name: Some(one_line(called)).filter(|called| !called.is_empty()),
            members,
        });
        Some(name)
    }

    pub(super) fn team_named(&self, id: &str) -> Option<String> {
        self.known("team", id)
    }

    /// A schedule of layers, the later ones above the earlier ones; none without layers.
    pub(super) fn schedule(
        &mut self,
        ids: &[&str],
        called: &str,
        zone: &TimeZone,
        mut layers: Vec<Layer>,
        overrides: Vec<ScheduleOverride>,
    ) -> Option<String> {
        let what = format!("schedule {called}");
        if layers.is_empty() {
            self.lost(
                &what,
                "nothing of it could be taken over, so that nobody would be on call",
            );
            return None;
        }
        let mut used = BTreeSet::new();
        for layer in &mut layers {
            let base = layer.layer.clone();
            let mut n = 2;
            while !used.insert(layer.layer.clone()) {
                layer.layer = format!("{base} {n}");
                n += 1;
            }
        }
        let name = self.name("schedule", called, ids);
        self.schedules.push(Schedule {
            schedule: name.clone(),
            name: Some(one_line(called)).filter(|called| !called.is_empty()),
            time_zone: zone.iana_name().unwrap_or("UTC").to_owned(),
            holidays: HolidayCalendar::None,
            closed: Vec::new(),
            hand_over: Vec::new(),
            layers,
            overrides,
        });
        Some(name)
    }

    pub(super) fn schedule_named(&self, id: &str) -> Option<String> {
        self.known("schedule", id)
    }

    /// A policy; without a step that tells anybody it is lost.
    pub(super) fn policy(
        &mut self,
        id: &str,
        called: &str,
        steps: Vec<NewStep>,
        repeat: i64,
        ends: Ends,
    ) {
        let what = format!("policy {called}");
        let mut steps: Vec<NewStep> = steps
            .into_iter()
            .filter(|step| !step.notify.is_empty())
            .collect();
        if steps.is_empty() {
            return self.lost(&what, "none of its steps tells anybody");
        }
        if steps.len() > STEPS {
            let why = format!("a policy has {STEPS} steps at most; those behind them are gone");
            self.lost(&what, why);
            steps.truncate(STEPS);
        }
        let name = match slug(called, "policy").as_str() {
            // Bongsu's own stands in for every tenant without one.
            "default" => self.name("policy", "imported default", &[id]),
            _ => self.name("policy", called, &[id]),
        };
        let mut made = Vec::new();
        for step in steps {
            if step.after > LONGEST {
                self.other(&what, "a step waits 7 days at most");
            }
            made.push(Step {
                notify: step.notify,
                after: Some(step.after.min(LONGEST)),
                channels: Vec::new(),
            });
        }
        if repeat > ROUNDS {
            self.other(&what, format!("it is repeated {ROUNDS} times at most"));
        }
        self.policies.push(EscalationPolicy {
            escalation_policy: name,
            acknowledge_within: AcknowledgeWithin::default(),
            channels: Channels::default(),
            chat: None,
            rooms: Vec::new(),
            steps: made,
            repeat: u8::try_from(repeat.clamp(0, ROUNDS)).unwrap_or(0),
            ends,
        });
    }

    /// Everything, and who cannot be reached.
    pub(super) fn finished(mut self) -> Imported {
        let silent: Vec<String> = self
            .contacts
            .iter()
            .filter(|contact| contact.phone.is_none())
            .map(|contact| contact.contact.clone())
            .collect();
        if !silent.is_empty() {
            let why = "the file has no phone number of theirs: add `phone`, or name `channels` without sms and voice";
            self.other(&format!("contacts {}", silent.join(", ")), why);
        }
        let mut entries: Vec<Entry> = self
            .contacts
            .into_iter()
            .map(|contact| Entry::Contact(Box::new(contact)))
            .collect();
        entries.extend(self.teams.into_iter().map(Entry::Team));
        let boxed = |schedule| Entry::Schedule(Box::new(schedule));
        entries.extend(self.schedules.into_iter().map(boxed));
        let boxed = |policy| Entry::EscalationPolicy(Box::new(policy));
        entries.extend(self.policies.into_iter().map(boxed));
        Imported {
            entries,
            notes: self.notes,
        }
    }
}

/// A name of the catalogue: small letters, digits and dashes.
fn slug(called: &str, otherwise: &str) -> String {
    let mut name = String::new();
    for c in called.to_lowercase().chars() {
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            name.push(c);
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    name.truncate(50);
    match name.trim_matches('-') {
        "" => otherwise.to_owned(),
        name => name.to_owned(),
    }
}

fn one_line(text: &str) -> String {
    let clean: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    clean.trim().to_owned()
}

/// A zone by its name; UTC where it is not known.
pub(super) fn zone(name: &str, what: &str, book: &mut Book) -> TimeZone {
    match TimeZone::get(name) {
        Ok(zone) if !name.is_empty() => zone,
        _ => {
            if !name.is_empty() {
                book.other(what, format!("`{name}` is no time zone: UTC stands in"));
            }
            TimeZone::get("UTC").unwrap_or(TimeZone::UTC)
        }
    }
}

/// A time as it is written, with an offset or on the clock of `own`, on the clock of `zone`.
pub(super) fn wall(text: &str, own: &TimeZone, zone: &TimeZone) -> Option<DateTime> {
    let at = match text.parse::<Timestamp>() {
        Ok(at) => at,
        Err(_) => own.to_timestamp(text.parse::<DateTime>().ok()?).ok()?,
    };
    Some(at.to_zoned(zone.clone()).datetime())
}
