//! The notifier's own watch over blindness, one for each cluster: whether somebody evaluates what arrives there, without
//! asking the evaluators themselves.
//!
//! Each partition of a tenant's points is to be told of as caught up again and again. What is not told of within the bound
//! is blind, and so is a cluster that cannot be reached for that long. A service whose processes gave signs of life, and of
//! which none does any more, is silent.

use super::external::{Facts, Report, Says};
use model::{Priority, Span, TenantId, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What to do about it.
const RUNBOOK: &str = "https://github.com/bongsu/bongsu/blob/main/docs/runbooks/bongsu-blind.md";

/// A partition of a tenant's points.
pub type Part = (TenantId, u32);

/// What is blind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Blind {
    /// Every tenant of the cluster, or the cluster itself is gone.
    Cluster,
    /// One tenant.
    Tenant(TenantId),
    /// A service: `router`, `consumer`, ...
    Service(String),
}

/// What the watch learns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sign {
    /// A partition is evaluated up to the present.
    CaughtUp(Part),
    /// A process of this service lives.
    Alive(String),
    /// The cluster answered; these partitions are to be evaluated.
    Reached(BTreeSet<Part>),
    /// The cluster did not answer.
    Unreached(String),
}

/// What a look found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// It is blind.
    Blind {
        /// What.
        what: Blind,
        /// Since when nothing was heard.
        since: Timestamp,
        /// Why that is said, as a sentence.
        why: String,
    },
    /// It was blind and is not any more.
    Sees(Blind),
}

/// The watch over one cluster.
#[derive(Debug, Clone)]
pub struct Watch {
    cluster: String,
    bound: Span,
    looked: Timestamp,
    reached: Timestamp,
    trouble: Option<String>,
    heard: BTreeMap<Part, Timestamp>,
    services: BTreeMap<String, Timestamp>,
    blind: BTreeSet<Blind>,
}

impl Watch {
    /// A watch that begins now: what it does not hear of within `bound` is blind.
    pub fn new(cluster: &str, bound: Span, now: Timestamp) -> Self {
        Self {
            cluster: cluster.to_owned(),
            bound,
            looked: now,
            reached: now,
            trouble: None,
            heard: BTreeMap::new(),
            services: BTreeMap::new(),
            blind: BTreeSet::new(),
        }
    }

    /// Whether the last look found nothing blind, and else what.
    pub fn content(&self) -> Result<(), String> {
        match self.blind.first() {
            None => Ok(()),
            Some(Blind::Cluster) => Err(format!("cluster {} is blind", self.cluster)),
            Some(Blind::Tenant(tenant)) => Err(format!("tenant {tenant} is blind")),
            Some(Blind::Service(service)) => Err(format!("service {service} is silent")),
        }
    }

    /// Takes what was learnt.
    pub fn learn(&mut self, sign: Sign, now: Timestamp) {
        match sign {
            Sign::CaughtUp(part) => {
                // What is not to be evaluated, such as a tenant's old topic, is not waited for either.
                if let Some(heard) = self.heard.get_mut(&part) {
                    *heard = now;
                }
            }
            Sign::Alive(service) => drop(self.services.insert(service, now)),
            Sign::Reached(parts) => {
                (self.reached, self.trouble) = (now, None);
                self.heard.retain(|part, _| parts.contains(part));
                for part in parts {
                    self.heard.entry(part).or_insert(now);
                }
            }
            Sign::Unreached(why) => self.trouble = Some(why),
        }
    }

    /// Looks at what was heard. A look that itself comes late, because this machine slept or its clock was set, proves
    /// nothing: everything is waited for anew.
    pub fn look(&mut self, now: Timestamp) -> Vec<Found> {
        let pause = now.since(self.looked);
        self.looked = now;
        if pause < Span::ZERO || pause > Span::from_nanos(self.bound.as_nanos() / 2) {
            self.reached = now;
            let heard = self.heard.values_mut().chain(self.services.values_mut());
            heard.for_each(|heard| *heard = now);
            return Vec::new();
        }
        let found = self.judge(now);
        let blind: BTreeSet<Blind> = found.iter().map(|(what, ..)| what.clone()).collect();
        let whole = blind.contains(&Blind::Cluster);
        // While the whole is blind nothing is known of its tenants.
        let over = |what: &&Blind| !blind.contains(what) && !whole;
        let over: Vec<Blind> = self.blind.iter().filter(over).cloned().collect();
        self.blind.retain(|what| !over.contains(what));
        self.blind.extend(blind);
        let found = found
            .into_iter()
            .map(|(what, since, why)| Found::Blind { what, since, why });
        found.chain(over.into_iter().map(Found::Sees)).collect()
    }

    fn judge(&self, now: Timestamp) -> Vec<(Blind, Timestamp, String)> {
        let cluster = &self.cluster;
        let gone = whole(now.since(self.reached));
        if gone > self.bound {
            let said = self.trouble.as_deref().unwrap_or("no answer");
            let why = format!("Kafka cluster {cluster} cannot be reached for {gone}: {said}");
            return vec![(Blind::Cluster, self.reached, why)];
        }
        let silent = |heard: &Timestamp| now.since(*heard) > self.bound;
        let newest = self.heard.values().max();
        if let Some(newest) = newest.filter(|newest| silent(newest)) {
            let (parts, silence) = (self.heard.len(), whole(now.since(*newest)));
            let why = format!(
                "no evaluator says of any of the {parts} partitions of cluster {cluster} that it is up to the present, \
                 for {silence}: nothing there is judged"
            );
            return vec![(Blind::Cluster, *newest, why)];
        }
        let mut tenants = BTreeMap::<&TenantId, (Timestamp, Vec<u32>)>::new();
        for ((tenant, partition), heard) in &self.heard {
            if silent(heard) {
                let (since, parts) = tenants.entry(tenant).or_insert((*heard, Vec::new()));
                *since = (*since).min(*heard);
                parts.push(*partition);
            }
        }
        let blind = tenants.into_iter().map(|(tenant, (since, parts))| {
            let (count, silence) = (parts.len(), whole(now.since(since)));
            let named: Vec<String> = parts.iter().take(5).map(ToString::to_string).collect();
            let why = format!(
                "{count} of the tenant's partitions ({}) are not evaluated up to the present for {silence}: what arrives \
                 there is not judged",
                named.join(", ")
            );
            (Blind::Tenant(tenant.clone()), since, why)
        });
        let services = self.services.iter().filter(|(_, heard)| silent(heard));
        let services = services.map(|(service, heard)| {
            let silence = whole(now.since(*heard));
            let why =
                format!("no process of the service {service} gave a sign of life for {silence}");
            (Blind::Service(service.clone()), *heard, why)
        });
        blind.chain(services).collect()
    }
}

/// What a watch reports of something blind, or that sees again: a P1 of Bongsu's own tenant.
pub fn report(cluster: &str, what: &Blind, since: Timestamp, why: &str, says: Says) -> Report {
    let mut labels = vec![("cluster".to_owned(), cluster.to_owned())];
    let title = match what {
        Blind::Cluster => format!("Nobody judges what arrives at Kafka cluster {cluster}"),
        Blind::Tenant(tenant) => {
            labels.push(("tenant".to_owned(), tenant.to_string()));
            format!("Nobody judges what arrives of tenant {tenant}")
        }
        Blind::Service(service) => {
            labels.push(("service".to_owned(), service.clone()));
            format!("No {service} of Kafka cluster {cluster} gives a sign of life")
        }
    };
    Report {
        key: format!("{cluster}/{what}"),
        says,
        starts_at: since,
        priority: Priority::P1,
        reopens: true,
        facts: Facts {
            name: "bongsu-blind".to_owned(),
            labels,
            annotations: Vec::new(),
            title,
            why: why.to_owned(),
            runbook: Some(RUNBOOK.to_owned()),
            generator: String::new(),
        },
    }
}

/// The service of a line of a process' own health; none where the line is another's.
pub fn service_of(line: &str) -> Option<&str> {
    let head = line.split([' ', '\n']).next()?;
    let mut parts = head.split(',');
    if parts.next() != Some("bongsu_health") {
        return None;
    }
    parts.find_map(|tag| tag.strip_prefix("service="))
}

/// Without the part of a second that nobody reads.
fn whole(span: Span) -> Span {
    Span::from_secs(span.as_nanos() / 1_000_000_000)
}

impl fmt::Display for Blind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster => f.write_str("cluster"),
            Self::Tenant(tenant) => write!(f, "tenant/{tenant}"),
            Self::Service(service) => write!(f, "service/{service}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);
    const BOUND: Span = Span::from_secs(120);

    fn part(tenant: &str, partition: u32) -> Part {
        (TenantId::parse(tenant).unwrap(), partition)
    }

    fn parts() -> BTreeSet<Part> {
        [part("acme", 0), part("acme", 1), part("globex", 0)].into()
    }

    /// Looks every 5 s for so long; `signs` says what is heard at each second. What was found, with its second.
    fn runs(
        watch: &mut Watch,
        seconds: std::ops::Range<i64>,
        signs: impl Fn(i64) -> Vec<Sign>,
    ) -> Vec<(i64, Found)> {
        let mut found = Vec::new();
        for second in seconds {
            let now = START.plus(Span::from_secs(second));
            for sign in signs(second) {
                watch.learn(sign, now);
            }
            if second % 5 == 0 {
                found.extend(watch.look(now).into_iter().map(|one| (second, one)));
            }
        }
        found
    }

    fn what(found: &[(i64, Found)]) -> Vec<(i64, String)> {
        let mut said: Vec<(i64, String)> = Vec::new();
        for (second, found) in found {
            let word = match found {
                Found::Blind { what, .. } => format!("blind {what}"),
                Found::Sees(what) => format!("sees {what}"),
            };
            if said.iter().all(|(_, before)| *before != word) {
                said.push((*second, word));
            }
        }
        said
    }

    fn all_well(second: i64) -> Vec<Sign> {
        let mut signs = vec![Sign::Reached(parts())];
        if second % 60 == 0 {
            signs.extend(parts().into_iter().map(Sign::CaughtUp));
        }
        signs
    }

    #[test]
    fn who_is_told_of_every_minute_is_never_blind() {
        let mut watch = Watch::new("a", BOUND, START);
        assert_eq!(runs(&mut watch, 0..3_600, all_well), []);
        assert_eq!(watch.content(), Ok(()));
    }

    #[test]
    fn an_evaluator_that_is_gone_is_told_as_one_alarm_of_the_cluster() {
        let mut watch = Watch::new("a", BOUND, START);
        let dies = |second| match second {
            0..=300 | 900.. => all_well(second),
            _ => vec![Sign::Reached(parts())],
        };
        let found = what(&runs(&mut watch, 0..1_000, dies));
        assert_eq!(
            found,
            [(425, "blind cluster".into()), (900, "sees cluster".into())]
        );
        assert_eq!(watch.content(), Ok(()));
    }

    #[test]
    fn a_tenant_that_one_partition_of_is_left_out_is_blind_alone() {
        let mut watch = Watch::new("a", BOUND, START);
        let one_stops = |second| {
            let mut signs = all_well(second);
            if second > 100 {
                signs.retain(|sign| *sign != Sign::CaughtUp(part("acme", 1)));
            }
            signs
        };
        let found = runs(&mut watch, 0..400, one_stops);
        assert_eq!(what(&found), [(185, "blind tenant/acme".into())]);
        assert!(watch.content().is_err());
        let Found::Blind { why, since, .. } = &found[0].1 else {
            panic!("{found:?}");
        };
        assert!(why.starts_with("1 of the tenant's partitions (1)"), "{why}");
        assert_eq!(*since, START.plus(Span::from_secs(60)));
    }

    #[test]
    fn a_cluster_that_does_not_answer_is_blind_also_before_any_tenant_is_known() {
        let mut watch = Watch::new("a", BOUND, START);
        let gone = |_| vec![Sign::Unreached("connection refused".to_owned())];
        let found = runs(&mut watch, 0..200, gone);
        assert_eq!(what(&found), [(125, "blind cluster".into())]);
        assert!(
            format!("{found:?}").contains("connection refused"),
            "{found:?}"
        );
    }

    #[test]
    fn a_service_is_silent_when_none_of_its_processes_speaks_any_more() {
        let mut watch = Watch::new("a", BOUND, START);
        let one_of_two_routers_goes_and_then_the_other = |second| {
            let mut signs = all_well(second);
            let routers = [("router-1", 100), ("router-2", 300)];
            for (host, until) in routers {
                if second % 10 == 0 && second <= until {
                    let line =
                        format!("bongsu_health,env=prod,host={host},service=router up=1i 5\n");
                    signs.push(Sign::Alive(service_of(&line).unwrap().to_owned()));
                }
            }
            signs
        };
        let found = runs(
            &mut watch,
            0..500,
            one_of_two_routers_goes_and_then_the_other,
        );
        assert_eq!(what(&found), [(425, "blind service/router".into())]);
        for other in ["cpu,service=router v=1", "bongsu_health,host=a v=1", ""] {
            assert_eq!(service_of(other), None, "{other}");
        }
    }

    #[test]
    fn a_new_tenant_and_one_that_was_removed_are_no_alarm() {
        let mut watch = Watch::new("a", BOUND, START);
        let changes = |second: i64| {
            let mut known = parts();
            if second > 200 {
                known.insert(part("late", 0));
                known.remove(&part("globex", 0));
            }
            let mut signs = vec![Sign::Reached(known.clone())];
            if second % 60 == 0 {
                signs.extend(known.into_iter().map(Sign::CaughtUp));
            }
            signs
        };
        assert_eq!(runs(&mut watch, 0..1_000, changes), []);
    }

    #[test]
    fn up_to_half_of_the_bound_between_two_looks_is_no_late_look() {
        for (pause, blind) in [(1, true), (60, true), (61, false)] {
            let mut watch = Watch::new("a", BOUND, START);
            let mut seconds = 0;
            let mut found = Vec::new();
            while seconds <= 240 {
                seconds += pause;
                let now = START.plus(Span::from_secs(seconds));
                found.extend(watch.look(now));
                // Asked twice at one instant it says the same.
                assert_eq!(
                    watch.look(now).is_empty(),
                    watch.content().is_ok(),
                    "{pause} {seconds}"
                );
            }
            assert_eq!(!found.is_empty(), blind, "{pause}");
        }
    }

    #[test]
    fn a_clock_that_was_set_back_makes_nothing_wait_for_longer_than_the_bound() {
        let mut watch = Watch::new("a", BOUND, START);
        runs(&mut watch, 0..100, all_well);
        let gone = |_| vec![Sign::Unreached("timeout".to_owned())];
        let found = runs(&mut watch, -3_600..-3_400, gone);
        assert_eq!(what(&found), [(-3_600 + 125, "blind cluster".into())]);
    }

    #[test]
    fn a_look_that_comes_late_proves_nothing() {
        let mut watch = Watch::new("a", BOUND, START);
        runs(&mut watch, 0..100, all_well);
        for (seconds, then) in [(3_600, 3_605), (10, 15)] {
            // The machine slept, or its clock was set.
            let at = |seconds| START.plus(Span::from_secs(seconds));
            assert_eq!(watch.look(at(seconds)), []);
            assert_eq!(watch.look(at(then)), []);
        }
    }
}
