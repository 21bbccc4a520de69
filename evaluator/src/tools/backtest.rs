//! What rules would have said over history: incidents a week and minutes firing per priority.

use crate::core::{Action, Plan, Replay};
use model::{AlertEvent, IncidentId, Priority, Span, TenantId, Timestamp};
use std::collections::BTreeMap;

/// A replay whose events are counted.
#[derive(Debug)]
pub struct Backtest {
    replay: Replay,
    /// What each incident has come to.
    incidents: BTreeMap<IncidentId, Seen>,
    first: Option<Timestamp>,
    last: Timestamp,
}

#[derive(Debug)]
struct Seen {
    template: String,
    peak: Priority,
    /// Since when it is shown at which priority.
    open: Option<(Timestamp, Priority)>,
    fired: BTreeMap<Priority, Span>,
}

/// The figures of one template and priority.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Figures {
    /// Incidents whose highest priority it was.
    pub incidents: u64,
    /// How long it was shown.
    pub firing: Span,
}

impl Backtest {
    /// Before the first point.
    pub fn new(tenant: TenantId, plan: Plan) -> Self {
        Self {
            replay: Replay::new(tenant, plan),
            incidents: BTreeMap::new(),
            first: None,
            last: Timestamp::from_nanos(i64::MIN),
        }
    }

    /// Takes whole lines.
    pub fn take(&mut self, lines: &[u8]) {
        let times = schemas::line::scan(lines).flatten();
        for at in times.filter_map(|line| line.timestamp()) {
            let at = Timestamp::from_nanos(at);
            self.first = Some(self.first.map_or(at, |first| first.min(at)));
            self.last = self.last.max(at);
        }
        let actions = self.replay.take(lines);
        self.count(actions);
    }

    /// The replay as it stands.
    pub fn replay(&self) -> &Replay {
        &self.replay
    }

    /// From the first point to the last.
    pub fn covered(&self) -> Span {
        self.first
            .map_or(Span::ZERO, |first| self.last.since(first))
    }

    /// The figures by template and priority; what is open still fires until the last point.
    pub fn figures(&self) -> BTreeMap<(String, Priority), Figures> {
        let mut figures: BTreeMap<(String, Priority), Figures> = BTreeMap::new();
        for seen in self.incidents.values() {
            let key = |priority| (seen.template.clone(), priority);
            figures.entry(key(seen.peak)).or_default().incidents += 1;
            let still = seen
                .open
                .map(|(since, priority)| (priority, self.last.since(since).max(Span::ZERO)));
            let fired = seen.fired.iter().map(|(priority, span)| (*priority, *span));
            for (priority, span) in fired.chain(still) {
                let figures = figures.entry(key(priority)).or_default();
                figures.firing = figures.firing.plus(span);
            }
        }
        figures
    }

    fn count(&mut self, actions: Vec<Action>) {
        for action in actions {
            if let Action::Emit(event) = action {
                self.event(&event);
            }
        }
    }

    fn event(&mut self, event: &AlertEvent) {
        use model::AlertKind::{Expired, Firing, Lowered, Raised, Reopened, Resolved};
        // What is held back shows nothing new.
        if !matches!(
            event.kind,
            Firing | Reopened | Raised | Lowered | Resolved | Expired
        ) {
            return;
        }
        let seen = self
            .incidents
            .entry(event.incident_id)
            .or_insert_with(|| Seen {
                template: event.template.clone(),
                peak: event.priority.unwrap_or(Priority::P3),
                open: None,
                fired: BTreeMap::new(),
            });
        if let Some((since, priority)) = seen.open.take() {
            let fired = seen.fired.entry(priority).or_insert(Span::ZERO);
            *fired = fired.plus(event.at.since(since).max(Span::ZERO));
        }
        if let Some(priority) = event.priority {
            seen.peak = seen.peak.max(priority);
            seen.open = Some((event.at, priority));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::Rules;

    #[test]
    fn an_incident_counts_at_its_peak_and_each_priority_for_its_time() {
        let rules = "template: load\napplies_to: {measurement: m}\none_alert_per: [host]\ncheck: v\n\
            over: last of 1m\nlevels:\n  P1: {above: 80}\n  P2: {above: 60}\n";
        let rules = Rules::read(&[("r.yaml".to_owned(), rules.to_owned())], None).unwrap();
        let mut test = Backtest::new(rules.tenant().clone(), rules.plan().unwrap());
        let values = [70, 70, 90, 90, 90, 70, 10, 10];
        for (n, value) in (1_i64..).zip(values) {
            let at = (1_767_225_600 + 60 * n) * 1_000_000_000;
            test.take(format!("m,host=a,env=prod v={value} {at}\n").as_bytes());
        }
        let of = |priority| {
            test.figures()
                .remove(&("load".to_owned(), priority))
                .unwrap_or_default()
        };
        let minutes = |n: i64| Span::from_secs(60 * n);
        assert_eq!(
            of(Priority::P1),
            Figures {
                incidents: 1,
                firing: minutes(3)
            }
        );
        assert_eq!(
            of(Priority::P2),
            Figures {
                incidents: 0,
                firing: minutes(3)
            }
        );
        assert_eq!(test.covered(), minutes(7));
    }
}
