//! What a decision asks the shell to do.

use super::message::{DeliveryId, Purpose, Recipient};
use super::words::{Actor, ChannelKind, Via, not_a, word};
use model::{InvalidName, Priority};
use std::fmt;

/// What a decision asks the shell to do, in this order, in the transaction that keeps the new
/// state.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Write into the timeline.
    Record(Entry),
    /// Put a delivery into the outbox.
    Send(Box<Delivery>),
    /// Tell those who run Bongsu: log it as an error, and count it.
    Alarm(Alarm),
    /// Keep the new state, of which there is nothing to say.
    Keep,
}

/// An entry of the timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it is, for machines.
    pub kind: EntryKind,
    /// Who did it, and how; none when it happened by itself.
    pub actor: Option<(Actor, Via)>,
    /// One sentence for people, with the reason.
    pub text: String,
}

/// A delivery to put into the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its identity.
    pub id: DeliveryId,
    /// Its place among the incident's deliveries; those to one destination are sent in this order.
    pub ordinal: u64,
    /// The revision that decided it.
    pub revision: u64,
    /// Why.
    pub purpose: Purpose,
    /// How.
    pub channel: ChannelKind,
    /// To whom.
    pub recipient: Recipient,
    /// In a room: who is to act.
    pub mentions: Vec<Recipient>,
    /// What the purpose alone does not say.
    pub note: Option<String>,
    /// Priority of the incident when it was decided.
    pub priority: Priority,
}

/// What those who run Bongsu must see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// What it is about.
    pub kind: AlarmKind,
    /// What exactly.
    pub text: String,
}

word! {
    /// What an entry of the timeline is.
    EntryKind, "kind of timeline entry" {
        /// The condition holds.
        Firing = "firing",
        /// It holds again, or still.
        Reopened = "reopened",
        /// The priority went up.
        Raised = "raised",
        /// The priority went down; nobody is told.
        Lowered = "lowered",
        /// The condition is over.
        Resolved = "resolved",
        /// Closed for want of data.
        Expired = "expired",
        /// The evaluator held something back.
        Held = "held",
        /// An event came twice.
        Duplicate = "duplicate",
        /// An event came behind a later one.
        OutOfOrder = "out_of_order",
        /// Events are missing.
        Gap = "gap",
        /// An event was so late that it pages only once the evaluator caught up.
        Backfilled = "backfilled",
        /// Somebody is paged.
        Page = "page",
        /// Somebody is told.
        Notice = "notice",
        /// It waits for the hours of the contract.
        OutOfHours = "out_of_hours",
        /// A page waits for the end of a silence.
        Silenced = "silenced",
        /// A page waits for the end of a maintenance window.
        Maintenance = "maintenance",
        /// Somebody, or a whole step, could not be reached.
        Skipped = "skipped",
        /// The policy ran out.
        RanOut = "ran_out",
        /// The catalogue misses something.
        Misconfigured = "misconfigured",
        /// Somebody has it.
        Acknowledged = "acknowledged",
        /// The acknowledgement ran out.
        AckRanOut = "ack_ran_out",
        /// Given to a person.
        Assigned = "assigned",
        /// Put off by a person.
        Snoozed = "snoozed",
        /// Said by a person to be the same as another.
        Merged = "merged",
        /// Another explains it: it does not page.
        Inhibited = "inhibited",
        /// Another of its group tells of it: it does not page itself.
        Grouped = "grouped",
        /// It waits a moment for what may explain it, or for its group.
        Waits = "waits",
        /// What held it back is over.
        Released = "released",
        /// Those who joined its group are told.
        Digest = "digest",
        /// Routed to a policy of its own, or to nobody.
        Routed = "routed",
        /// Closed by hand.
        Closed = "closed",
        /// Written by a person.
        Comment = "comment",
        /// A message was taken by its provider, or arrived.
        Delivered = "delivered",
        /// A message could not be delivered.
        Undelivered = "undelivered",
        /// It is unknown whether a message arrived.
        Unknown = "unknown",
        /// A message goes to another provider.
        Diverted = "diverted",
        /// A message is sent again and may arrive twice.
        Repeated = "repeated",
        /// The auditor found the incident without a future.
        Audited = "audited",
    }
}

word! {
    /// What an alarm is about.
    AlarmKind, "kind of alarm" {
        /// Events of an incident are missing.
        SequenceGap = "sequence_gap",
        /// One event id with two contents.
        EventDiffers = "event_differs",
        /// Tenant, policy, contact or provider is missing.
        Misconfigured = "misconfigured",
        /// A record of the alert topic cannot be read.
        Unreadable = "unreadable",
        /// A page reached nobody.
        NobodyReached = "nobody_reached",
        /// A page could not be delivered.
        Undelivered = "undelivered",
        /// An open P1 had no future action.
        Orphaned = "orphaned",
        /// A future action is long overdue.
        Overdue = "overdue",
        /// What arrives is not evaluated.
        Blind = "blind",
        /// A P1 was told past the store.
        BreakGlass = "break_glass",
    }
}
