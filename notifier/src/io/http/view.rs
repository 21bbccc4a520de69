//! What the pages show of incidents and their deliveries, ready to be printed.

use super::labels::{Labels, countdown};
use crate::commands::{DeliveryRecord, IncidentDetail, TimelineEntry};
use crate::core::render::{self, quantity};
use crate::core::{Fate, IncidentSummary, Status};
use model::{Priority, Timestamp};

/// Fates that a row shows; further ones are counted.
const FATES: usize = 5;

/// An incident of a list, or the head of its own page.
pub(super) struct Row {
    pub(super) id: String,
    pub(super) priority: &'static str,
    pub(super) status: Status,
    pub(super) title: String,
    pub(super) why: String,
    pub(super) tenant: String,
    pub(super) host: String,
    pub(super) env: String,
    pub(super) tags: Vec<(String, String)>,
    pub(super) template: String,
    pub(super) firing: bool,
    pub(super) runbook: Option<String>,
    pub(super) value: Option<String>,
    pub(super) threshold: Option<String>,
    pub(super) fired: Moment,
    pub(super) age: String,
    pub(super) due: Option<Due>,
    /// Who has it, or who closed it; none when it closed by itself.
    pub(super) who: Option<String>,
    pub(super) since: Option<Moment>,
    pub(super) fates: Vec<FateView>,
    pub(super) further: usize,
}

/// A point in time: for the script, and as text.
pub(super) struct Moment {
    pub(super) millis: i64,
    pub(super) text: String,
}

/// When escalation goes on.
pub(super) struct Due {
    pub(super) millis: i64,
    pub(super) text: String,
    pub(super) late: bool,
}

/// What became of a delivery.
pub(super) struct FateView {
    /// Style: `good`, `bad`, `unsure`, `moving`, or nothing.
    pub(super) kind: &'static str,
    pub(super) text: String,
}

impl Moment {
    pub(super) fn of(at: Timestamp) -> Self {
        let text = jiff::Timestamp::from_millisecond(at.as_millis()).map_or_else(
            |_| at.as_millis().to_string(),
            |at| {
                at.to_zoned(render::korea())
                    .strftime("%m-%d %H:%M:%S %Z")
                    .to_string()
            },
        );
        Self {
            millis: at.as_millis(),
            text,
        }
    }
}

impl Row {
    pub(super) fn new(
        incident: IncidentSummary,
        deliveries: &[DeliveryRecord],
        now: i64,
        t: &Labels,
    ) -> Self {
        let (fates, further) = fates(deliveries, t);
        let quantity = |value: Option<f64>| value.map(|value| quantity(value, &incident.unit));
        let (who, since) = match (&incident.closed, &incident.acknowledged) {
            (Some((who, at)), _) if incident.status == Status::Closed => (
                who.as_ref().map(|who| who.name.clone()),
                Some(Moment::of(*at)),
            ),
            (_, Some((who, at))) if incident.status == Status::Acknowledged => {
                (Some(who.name.clone()), Some(Moment::of(*at)))
            }
            _ => (None, None),
        };
        Self {
            id: incident.id.to_string(),
            priority: incident.priority.as_str(),
            status: incident.status,
            title: incident.title_in(t.language).to_owned(),
            why: incident.why.clone(),
            tenant: incident.tenant.to_string(),
            host: incident.host().to_owned(),
            env: incident.env.clone().unwrap_or_default(),
            tags: incident
                .group
                .iter()
                .filter(|(key, _)| key != "host")
                .cloned()
                .collect(),
            template: incident.template.clone(),
            firing: incident.firing,
            runbook: incident.runbook.clone().filter(|url| is_web(url)),
            value: quantity(incident.value),
            threshold: quantity(incident.threshold),
            age: t.ago(now - incident.started_at.as_millis()),
            fired: Moment::of(incident.started_at),
            due: incident.due.map(|due| Due::of(due, now)),
            who,
            since,
            fates,
            further,
        }
    }

    /// The state in words.
    pub(super) fn state(&self, t: &Labels) -> &'static str {
        t.status(self.status)
    }

    pub(super) fn is_open(&self) -> bool {
        self.status == Status::Open
    }

    pub(super) fn is_acknowledged(&self) -> bool {
        self.status == Status::Acknowledged
    }

    pub(super) fn is_closed(&self) -> bool {
        self.status == Status::Closed
    }
}

impl Due {
    fn of(due: Timestamp, now: i64) -> Self {
        let left = due.as_millis() - now;
        Self {
            millis: due.as_millis(),
            text: countdown(left),
            late: left < 0,
        }
    }
}

/// Only these may stand in a link.
pub(super) fn is_web(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

/// The latest page to each recipient over each channel, the newest first.
fn fates(deliveries: &[DeliveryRecord], t: &Labels) -> (Vec<FateView>, usize) {
    let mut latest: Vec<&DeliveryRecord> = Vec::new();
    for delivery in deliveries
        .iter()
        .rev()
        .filter(|delivery| delivery.purpose.is_page())
    {
        let same = |known: &&DeliveryRecord| {
            known.channel == delivery.channel
                && known.recipient.address == delivery.recipient.address
        };
        if !latest.iter().any(same) {
            latest.push(delivery);
        }
    }
    let further = latest.len().saturating_sub(FATES);
    let shown = latest.into_iter().take(FATES).map(|delivery| {
        let (to, how) = (&delivery.recipient.name, t.channel(delivery.channel));
        let fate = t.fate(delivery.fate);
        FateView {
            kind: kind(delivery.fate),
            text: format!("{to} · {how} · {fate}"),
        }
    });
    (shown.collect(), further)
}

fn kind(fate: Fate) -> &'static str {
    match fate {
        Fate::Queued | Fate::Sending => "moving",
        Fate::Accepted => "",
        Fate::Delivered | Fate::Read | Fate::Answered => "good",
        Fate::Failed => "bad",
        Fate::Unknown => "unsure",
    }
}

/// How many incidents of each priority are open, and how many of them nobody has.
pub(super) struct Tally {
    pub(super) priorities: Vec<(&'static str, usize)>,
    pub(super) unacknowledged: usize,
    pub(super) open: usize,
}

impl Tally {
    pub(super) fn of(rows: &[Row]) -> Self {
        let count = |of: &str| rows.iter().filter(|row| row.priority == of).count();
        Self {
            priorities: Priority::ALL
                .map(|p| (p.as_str(), count(p.as_str())))
                .to_vec(),
            unacknowledged: rows.iter().filter(|row| row.is_open()).count(),
            open: rows.len(),
        }
    }
}

/// An incident with its account.
pub(super) struct Account {
    pub(super) row: Row,
    pub(super) timeline: Vec<EntryView>,
    pub(super) deliveries: Vec<DeliveryView>,
}

/// An entry of the timeline.
pub(super) struct EntryView {
    /// Style: `strong`, `good`, or nothing.
    pub(super) kind: &'static str,
    pub(super) at: Moment,
    pub(super) text: String,
    pub(super) by: Option<String>,
}

/// A delivery on the page of its incident.
pub(super) struct DeliveryView {
    pub(super) fate: FateView,
    pub(super) to: String,
    pub(super) channel: &'static str,
    pub(super) purpose: &'static str,
    pub(super) at: Moment,
    pub(super) attempts: u32,
    pub(super) possible_repeat: bool,
    pub(super) reason: Option<String>,
}

impl Account {
    pub(super) fn new(detail: IncidentDetail, now: i64, t: &Labels) -> Self {
        let newest_first = detail.timeline.into_iter().rev();
        let deliveries = detail.deliveries.iter().rev();
        Self {
            timeline: newest_first.map(EntryView::of).collect(),
            deliveries: deliveries
                .map(|delivery| DeliveryView::of(delivery, t))
                .collect(),
            row: Row::new(detail.incident, &detail.deliveries, now, t),
        }
    }
}

impl EntryView {
    fn of(entry: TimelineEntry) -> Self {
        let kind = match entry.kind.as_str() {
            "firing" | "reopened" | "raised" | "escalated" | "ran_out" => "strong",
            "acknowledged" | "resolved" | "closed" => "good",
            _ => "",
        };
        let by = entry
            .actor
            .map(|(actor, via)| format!("{} ({via})", actor.name));
        Self {
            kind,
            at: Moment::of(entry.at),
            text: entry.text,
            by,
        }
    }
}

impl DeliveryView {
    fn of(delivery: &DeliveryRecord, t: &Labels) -> Self {
        let text = t.fate(delivery.fate).to_owned();
        Self {
            fate: FateView {
                kind: kind(delivery.fate),
                text,
            },
            to: delivery.recipient.name.clone(),
            channel: t.channel(delivery.channel),
            purpose: t.purpose(delivery.purpose),
            at: Moment::of(delivery.updated_at),
            attempts: delivery.attempts,
            possible_repeat: delivery.possible_repeat,
            reason: delivery.reason.clone(),
        }
    }
}
