//! The state of a group now, for a person who asks why it fires or does not.

use super::across::readings_now;
use super::group::{Group, Life};
use super::host::Host;
use super::incident::State;
use super::ladder::RungState;
use super::partition::Partition;
use super::plan::{Chosen, Condition, Gather, Rule, Source, TemplatePlan};
use super::tags::Tags;
use super::text::quantity;
use super::window::{Reading, read};
use model::{IncidentId, Priority, Span, Timestamp};

/// A group as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Explained {
    /// The template.
    pub template: String,
    /// The group's tags, sorted.
    pub group: Vec<(String, String)>,
    /// `env` of its latest point, and the highest priority that it may show.
    pub env: Option<String>,
    /// The cap of that environment.
    pub limit: Priority,
    /// `new`, `live` or `silent`.
    pub life: &'static str,
    /// The incident that is open, since when, and at which priority it is shown.
    pub open: Option<(IncidentId, Timestamp, Priority)>,
    /// The last grid point that was judged.
    pub judged: Timestamp,
    /// The next one, and what the host's clock must show for it to close.
    pub next: Timestamp,
    /// When that is.
    pub closes: Timestamp,
    /// What the host's clock shows now.
    pub clock: Timestamp,
    /// Time of the newest sample.
    pub newest: Timestamp,
    /// What is gathered for the next grid point so far.
    pub windows: Vec<WindowNow>,
    /// The rungs, the most urgent first.
    pub rungs: Vec<RungNow>,
    /// Fields that overrides set, each with the override that won.
    pub overrides: Vec<(String, String)>,
    /// What it waits for.
    pub waits_for: Vec<String>,
}

/// A check and its window.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowNow {
    /// The check.
    pub check: String,
    /// The window.
    pub over: String,
    /// From here on, not included; none without a window.
    pub after: Option<Timestamp>,
    /// Its value so far; none while it says nothing.
    pub value: Option<f64>,
    /// The same in words, with what it means when there is no value.
    pub text: String,
    /// Samples in it.
    pub samples: usize,
}

/// A rung and its latch.
#[derive(Debug, Clone, PartialEq)]
pub struct RungNow {
    /// Its priority.
    pub priority: Priority,
    /// Which of the windows it looks at.
    pub window: usize,
    /// When it fires.
    pub fires: String,
    /// When it recovers.
    pub recovers: String,
    /// The threshold, where there is one.
    pub threshold: Option<f64>,
    /// How long it must be true.
    pub for_: Span,
    /// How long it must be recovered.
    pub recover_for: Span,
    /// It fires until it recovers.
    pub latched: bool,
    /// For how long it is true by now; not latched.
    pub held: Option<Span>,
    /// For how long it is recovered by now; latched.
    pub recovering: Option<Span>,
}

impl Partition {
    /// The groups of a template that have all of these tags.
    pub fn explain(&self, template: &str, tags: &[(String, String)]) -> Vec<Explained> {
        let Some(plan) = &self.plan else {
            return Vec::new();
        };
        let Some(of) = plan.template(template) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        let of_host = tags.iter().find(|(key, _)| key == "host");
        let hosts: Vec<&Host> = match of_host {
            Some((_, name)) => self.hosts.get(name.as_str()).into_iter().collect(),
            None => self.hosts.iter().map(|(_, host)| host).collect(),
        };
        for host in hosts {
            for (key, group) in host.groups.iter() {
                // What a host keeps of a group that spans hosts is judged nowhere.
                let part = of.spans() && host.usage.is_none();
                let meant = key.template.as_ref() == template
                    && !part
                    && tags.iter().all(|tag| key.tags.contains(tag));
                if let (true, Some(rule)) = (meant, &group.rule) {
                    let reported = of
                        .spans()
                        .then(|| readings_now(host, (key, rule), plan, group.judged));
                    let whole = Whole {
                        of,
                        host,
                        reported,
                        group,
                        tags: &key.tags,
                        rule,
                        lateness: plan.lateness(),
                        clock: self
                            .log_time()
                            .map_or(group.newest, |log| host.clock.at(log)),
                    };
                    found.push(whole.explained(&self.tenant));
                }
            }
        }
        found
    }
}

struct Whole<'a> {
    of: &'a TemplatePlan,
    host: &'a Host,
    /// What the windows say by the last reports, where the group spans hosts.
    reported: Option<Vec<(Reading, usize)>>,
    group: &'a Group,
    tags: &'a Tags,
    rule: &'a Rule,
    lateness: Span,
    clock: Timestamp,
}

impl Whole<'_> {
    fn explained(&self, tenant: &model::TenantId) -> Explained {
        let (group, rule) = (self.group, self.rule);
        let next = group.next(rule.every);
        let open = group.incident().and_then(|incident| match incident.state {
            State::Open(priority) => Some((incident.id, incident.started_at, priority)),
            State::Recovered(_) => None,
        });
        let tags: Vec<(&str, &str)> = self.tags.iter().chain(group.context()).collect();
        let chosen = Chosen {
            tenant,
            tags: &tags,
        };
        let mut explained = Explained {
            template: rule.template.to_string(),
            group: self.tags.to_vec(),
            env: group.env.get().map(str::to_owned),
            limit: rule.limit(group.env.get()),
            life: match group.life {
                Life::New => "new",
                Life::Live => "live",
                Life::Silent => "silent",
            },
            open,
            judged: group.judged,
            next,
            closes: next.plus(self.lateness),
            clock: self.clock,
            newest: group.newest,
            windows: self.windows(next),
            rungs: self.rungs(),
            overrides: self.of.setters(chosen),
            waits_for: Vec::new(),
        };
        explained.waits_for = self.waits_for(&explained);
        explained
    }

    fn windows(&self, at: Timestamp) -> Vec<WindowNow> {
        let (rule, group) = (self.rule, self.group);
        let all = rule.signals.iter().chain(&rule.shown);
        let each = all.enumerate().map(|(n, signal)| {
            let span = match signal.gather {
                Gather::Window { span, .. } => Some(span),
                _ => None,
            };
            let after = span.map(|span| at.minus(span));
            let reported = self.reported.as_ref().map(|readings| readings[n].1);
            let samples = match (after, signal.terms.first()) {
                _ if reported.is_some() => reported.unwrap_or_default(),
                (Some(after), Some(term)) => group.samples.window(after, at, term.check).count(),
                _ => 0,
            };
            let reading = match &self.reported {
                Some(readings) => readings[n].0,
                None => read(signal, rule, &group.samples, &self.host.clock, at),
            };
            let text = match reading {
                Reading::Excluded => "the condition does not apply".to_owned(),
                Reading::Nothing => "no sample, which is fine".to_owned(),
                Reading::Unknown if signal.is_each_point() => {
                    "judged as each point arrives".to_owned()
                }
                Reading::Unknown => "Unknown: too few samples".to_owned(),
                _ => reading
                    .value()
                    .map_or(String::new(), |value| quantity(value, &rule.unit)),
            };
            WindowNow {
                check: match rule.source {
                    Source::Points { .. } => signal.text.clone(),
                    Source::Silence => "time_since_last_point".to_owned(),
                },
                over: signal.gather.to_string(),
                after,
                value: reading.value(),
                text,
                samples,
            }
        });
        each.collect()
    }

    fn rungs(&self) -> Vec<RungNow> {
        let each = self.rule.rungs.iter().map(|rung| {
            let RungState {
                latched,
                held,
                recovering,
                ..
            } = self.group.ladder.rung(rung.priority);
            RungNow {
                priority: rung.priority,
                window: rung.signal,
                fires: self.condition(rung.fires),
                recovers: self.condition(rung.recovers),
                threshold: rung.fires.threshold(),
                for_: rung.for_,
                recover_for: rung.recover_for,
                latched,
                held,
                recovering,
            }
        });
        each.collect()
    }

    fn condition(&self, condition: Condition) -> String {
        let unit = &self.rule.unit;
        match condition {
            Condition::Above(t) => format!("above {}", quantity(t, unit)),
            Condition::Below(t) => format!("below {}", quantity(t, unit)),
            Condition::AtMost(t) => format!("at most {}", quantity(t, unit)),
            Condition::Is(wanted) => format!("is {wanted}"),
        }
    }

    fn waits_for(&self, now: &Explained) -> Vec<String> {
        let mut waits = Vec::new();
        if now.clock < now.closes {
            let left = now.closes.since(now.clock);
            waits.push(format!(
                "the next grid point closes in {left} of the host's time"
            ));
        }
        if now.life == "new" {
            waits.push("its window is not half full yet: missing data says nothing".to_owned());
        }
        for rung in &now.rungs {
            let priority = rung.priority;
            waits.push(match (rung.latched, rung.held, rung.recovering) {
                (false, Some(held), _) => {
                    format!("{priority}: true for {held} of {}", rung.for_)
                }
                (false, None, _) => format!("{priority}: a value that is {}", rung.fires),
                (true, _, Some(recovering)) => {
                    format!(
                        "{priority}: recovered for {recovering} of {}",
                        rung.recover_for
                    )
                }
                (true, _, None) => format!("{priority}: fires until it is {}", rung.recovers),
            });
        }
        waits
    }
}
