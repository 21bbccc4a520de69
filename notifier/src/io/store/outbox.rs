//! The outbox: deliveries are taken under a lease, and only the latest lease may record an outcome.

use super::values::{Cells, MentionJson};
use super::{Store, StoreError, Tx, rows};
use crate::core::{
    Attempt, By, ChannelKind, DeliveryId, FIRST_LOOK, Fate, IncidentSummary, Next, ProviderRef,
    Purpose, Recipient, Sibling,
};
use model::{IncidentId, Priority, Timestamp};
use sqlx::any::AnyRow;

/// A delivery that this process has under a lease.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// Its identity.
    pub id: DeliveryId,
    /// The incident that it is about.
    pub incident: IncidentId,
    /// Whose that is.
    pub tenant: String,
    /// The lease under which it was taken.
    pub lease: i64,
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
    /// The secret part of its short link.
    pub token: String,
    /// The provider that has it; none: the first of its channel.
    pub provider: Option<String>,
    /// Whose turn is next when that one fails.
    pub next_provider: Option<&'static str>,
    /// When the attempt began whose outcome is open.
    pub sent_after: Timestamp,
    /// What came before.
    pub attempt: Attempt,
}

/// What a sender needs beside the delivery itself.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The incident as it is.
    pub incident: IncidentSummary,
    /// The first message about it in the same room.
    pub thread: Option<ProviderRef>,
}

/// Which deliveries a sender has room for. A destination is written as [`destination`] does.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The last lane: 0 for pages of P1 alone, 3 for all.
    pub lane: i64,
    /// How many at most.
    pub limit: usize,
    /// Destinations that have enough in flight.
    pub not_to: Vec<String>,
    /// Those that had enough for now, but for pages of P1.
    pub paced: Vec<String>,
    /// Those that had enough pages of P1 for now.
    pub paced_p1: Vec<String>,
    /// Tenants that have their share in flight, but for pages of P1.
    pub not_of: Vec<String>,
    /// Those that have their share of pages of P1 in flight.
    pub not_of_p1: Vec<String>,
    /// A page of a P1 that was decided so long ago waits for no pace of ours any more.
    pub outrun: Timestamp,
    /// The provider of deliveries that name none.
    pub first_provider: String,
}

impl Wanted {
    /// Whatever is ready, up to `limit`.
    pub fn all(limit: usize) -> Self {
        Self {
            lane: 3,
            limit,
            not_to: Vec::new(),
            paced: Vec::new(),
            paced_p1: Vec::new(),
            not_of: Vec::new(),
            not_of_p1: Vec::new(),
            outrun: Timestamp::from_nanos(0),
            first_provider: String::new(),
        }
    }
}

/// Where messages of a tenant go: the account, whose they are, the address. Tenants and providers hold no space.
pub fn destination(provider: &str, tenant: &str, address: &str) -> String {
    format!("{provider} {tenant} {address}")
}

/// Destinations, or tenants, between bars; no address of a phone or a chat holds one.
fn excluded(destinations: &[String]) -> String {
    let mut out = String::from("|");
    for destination in destinations {
        out.push_str(destination);
        // One bar on each side of every one, also of two neighbours.
        out.push_str("||");
    }
    out
}

impl Store {
    /// Whether a channel has a delivery that is ready or whose lease ran out. Costs no turn as a
    /// writer.
    pub async fn has_work(&self, channel: ChannelKind, now: Timestamp) -> Result<bool, StoreError> {
        let row = sqlx::query(
            "SELECT 1 AS one FROM deliveries \
             WHERE channel = $1 AND fate IN ('queued', 'sending') AND ready_at <= $2 LIMIT 1",
        )
        .bind(channel.as_str())
        .bind(now.as_nanos())
        .fetch_optional(&self.reader)
        .await?;
        Ok(row.is_some())
    }

    /// Takes deliveries of a channel that are ready, the most urgent first.
    pub async fn claim_ready(
        &self,
        channel: ChannelKind,
        wanted: &Wanted,
        now: Timestamp,
        lease_until: Timestamp,
    ) -> Result<Vec<Claimed>, StoreError> {
        let rows = sqlx::query(self.dialect.claim_deliveries)
            .bind(lease_until.as_nanos())
            .bind(now.as_nanos())
            .bind(channel.as_str())
            .bind(wanted.lane)
            .bind(i64::try_from(wanted.limit).unwrap_or(i64::MAX))
            .bind(excluded(&wanted.not_to))
            .bind(excluded(&wanted.paced))
            .bind(excluded(&wanted.paced_p1))
            .bind(wanted.first_provider.clone())
            .bind(wanted.outrun.as_nanos())
            .bind(excluded(&wanted.not_of))
            .bind(excluded(&wanted.not_of_p1))
            .fetch_all(&self.writer)
            .await?;
        rows.iter().map(claimed).collect()
    }

    /// Takes deliveries of a channel whose lease ran out: whether they were sent is unknown.
    pub async fn claim_expired(
        &self,
        channel: ChannelKind,
        limit: usize,
        now: Timestamp,
        lease_until: Timestamp,
    ) -> Result<Vec<Claimed>, StoreError> {
        let rows = sqlx::query(self.dialect.claim_expired)
            .bind(lease_until.as_nanos())
            .bind(now.as_nanos())
            .bind(channel.as_str())
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(&self.writer)
            .await?;
        rows.iter().map(claimed).collect()
    }

    /// Takes accepted deliveries whose receipt is to be looked for, with what the provider calls
    /// them.
    pub async fn claim_accepted(
        &self,
        channel: ChannelKind,
        limit: usize,
        now: Timestamp,
        again_at: Timestamp,
    ) -> Result<Vec<(Claimed, ProviderRef)>, StoreError> {
        let waiting = sqlx::query(
            "SELECT 1 AS one FROM deliveries \
             WHERE channel = $1 AND fate = 'accepted' AND ready_at <= $2 LIMIT 1",
        )
        .bind(channel.as_str())
        .bind(now.as_nanos())
        .fetch_optional(&self.reader)
        .await?;
        if waiting.is_none() {
            return Ok(Vec::new());
        }
        let rows = sqlx::query(self.dialect.claim_accepted)
            .bind(again_at.as_nanos())
            .bind(now.as_nanos())
            .bind(channel.as_str())
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(&self.writer)
            .await?;
        rows.iter()
            .map(|row| {
                let reference = cells(row).text_or_none("reference")?.unwrap_or_default();
                Ok((claimed(row)?, ProviderRef(reference)))
            })
            .collect()
    }

    /// Looks for a receipt again at that time; none is never.
    pub async fn look_again(
        &self,
        id: DeliveryId,
        at: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        sqlx::query("UPDATE deliveries SET ready_at = $2 WHERE id = $1 AND fate = 'accepted'")
            .bind(id.to_string())
            .bind(at.map_or(i64::MAX, Timestamp::as_nanos))
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// What a sender needs beside the delivery itself; none when the incident is gone.
    pub async fn surroundings(
        &self,
        claimed: &Claimed,
    ) -> Result<Option<Surroundings>, StoreError> {
        let row = sqlx::query("SELECT * FROM incidents WHERE id = $1")
            .bind(claimed.incident.to_string())
            .fetch_optional(&self.reader)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let first = sqlx::query(
            "SELECT reference FROM deliveries WHERE incident = $1 AND channel = $2 \
             AND address = $3 AND reference IS NOT NULL ORDER BY ordinal LIMIT 1",
        )
        .bind(claimed.incident.to_string())
        .bind(claimed.channel.as_str())
        .bind(claimed.recipient.address.clone())
        .fetch_optional(&self.reader)
        .await?;
        let thread = match &first {
            Some(row) => cells(row).text_or_none("reference")?.map(ProviderRef),
            None => None,
        };
        Ok(Some(Surroundings {
            incident: rows::incident(&row, Vec::new())?.summary(),
            thread,
        }))
    }
}

impl Tx {
    /// Records what is to be done with a delivery. False when its lease is another's by now.
    pub async fn settle(
        &mut self,
        claimed: &Claimed,
        next: &Next,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut provider = claimed.provider.clone();
        let mut refusals = claimed.attempt.refusals;
        if let Next::Again { by, .. } = next
            && *by != By::Same
        {
            provider = claimed.next_provider.map(str::to_owned);
            if *by == By::OtherAfterRefusal {
                refusals |= 1_u32.checked_shl(claimed.attempt.provider).unwrap_or(0);
            }
        }
        let (fate, ready_at, repeat, reference, reason) = match next {
            Next::Settle {
                fate,
                reference,
                reason,
            } => {
                let receipt_at = now.plus(FIRST_LOOK);
                (*fate, receipt_at, None, reference.clone(), reason.clone())
            }
            Next::Again {
                at,
                possible_repeat,
                reason,
                ..
            } => (
                Fate::Queued,
                *at,
                Some(*possible_repeat),
                None,
                Some(reason.clone()),
            ),
            Next::Ask { at, reason } => (Fate::Sending, *at, None, None, Some(reason.clone())),
        };
        let repeat = repeat.unwrap_or(claimed.attempt.possible_repeat);
        let done = sqlx::query(
            "UPDATE deliveries SET fate = $3, ready_at = $4, possible_repeat = $5, \
             reference = COALESCE($6, reference), reason = $7, updated_at = $8, \
             provider = $9, refusals = $10 \
             WHERE id = $1 AND lease = $2 AND fate = 'sending'",
        )
        .bind(claimed.id.to_string())
        .bind(claimed.lease)
        .bind(fate.as_str())
        .bind(ready_at.as_nanos())
        .bind(i64::from(repeat))
        .bind(reference.map(|reference| reference.0))
        .bind(reason)
        .bind(now.as_nanos())
        .bind(provider)
        .bind(i64::from(refusals))
        .execute(&mut *self.inner)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// The other messages of the step that a delivery belongs to.
    pub async fn siblings(&mut self, claimed: &Claimed) -> Result<Vec<Sibling>, StoreError> {
        let rows = sqlx::query(
            "SELECT contact, fate FROM deliveries \
             WHERE incident = $1 AND revision = $2 AND id <> $3",
        )
        .bind(claimed.incident.to_string())
        .bind(super::values::counter(claimed.revision))
        .bind(claimed.id.to_string())
        .fetch_all(&mut *self.inner)
        .await?;
        rows.iter()
            .map(|row| {
                let cells = cells(row);
                Ok(Sibling {
                    personal: cells.text_or_none("contact")?.is_some(),
                    fate: cells.named("fate", Fate::parse)?,
                })
            })
            .collect()
    }

    /// Whether another page to the same destination was not in vain.
    pub async fn heard_before(&mut self, claimed: &Claimed) -> Result<bool, StoreError> {
        let rows = sqlx::query(
            "SELECT purpose FROM deliveries WHERE incident = $1 AND channel = $2 AND address = $3 \
             AND id <> $4 AND fate NOT IN ('failed', 'queued')",
        )
        .bind(claimed.incident.to_string())
        .bind(claimed.channel.as_str())
        .bind(claimed.recipient.address.clone())
        .bind(claimed.id.to_string())
        .fetch_all(&mut *self.inner)
        .await?;
        for row in &rows {
            if cells(row).named("purpose", Purpose::parse)?.is_page() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Notes that an accepted delivery has waited too long for its receipt. False when that was
    /// noted before, or it has its receipt.
    pub async fn mark_overdue(
        &mut self,
        id: DeliveryId,
        look_at: Timestamp,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE deliveries SET overdue = 1, ready_at = $2 \
             WHERE id = $1 AND fate = 'accepted' AND overdue = 0",
        )
        .bind(id.to_string())
        .bind(look_at.as_nanos())
        .execute(&mut *self.inner)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Notes that a delivery that is tried again comes too late for its urgency.
    pub async fn mark_late(&mut self, id: DeliveryId) -> Result<(), StoreError> {
        sqlx::query("UPDATE deliveries SET overdue = 1 WHERE id = $1")
            .bind(id.to_string())
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }

    /// The incident and the fate of a delivery, for a provider's later word on it.
    pub async fn fate_of(&mut self, id: DeliveryId) -> Result<Option<(Claimed, Fate)>, StoreError> {
        let row = sqlx::query("SELECT * FROM deliveries WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(&mut *self.inner)
            .await?;
        row.map(|row| Ok((claimed(&row)?, cells(&row).named("fate", Fate::parse)?)))
            .transpose()
    }

    /// Sets a fate that a provider reported; the caller has seen that it goes forward.
    pub async fn report(
        &mut self,
        id: DeliveryId,
        from: Fate,
        to: Fate,
        reason: Option<String>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE deliveries SET fate = $3, reason = COALESCE($4, reason), updated_at = $5 \
             WHERE id = $1 AND fate = $2",
        )
        .bind(id.to_string())
        .bind(from.as_str())
        .bind(to.as_str())
        .bind(reason)
        .bind(now.as_nanos())
        .execute(&mut *self.inner)
        .await?;
        Ok(done.rows_affected() == 1)
    }
}

pub(super) fn cells(row: &AnyRow) -> Cells<'_> {
    Cells {
        table: "deliveries",
        row,
    }
}

pub(super) fn claimed(row: &AnyRow) -> Result<Claimed, StoreError> {
    let cells = cells(row);
    let mentions: Vec<MentionJson> = cells.json("mentions")?;
    let mentions = mentions
        .into_iter()
        .map(Recipient::try_from)
        .collect::<Result<_, _>>()
        .map_err(|error| cells.wrong(error.to_string()))?;
    Ok(Claimed {
        id: cells.named("id", DeliveryId::parse)?,
        incident: cells.named("incident", IncidentId::parse)?,
        tenant: cells.text("tenant")?,
        lease: cells.int("lease")?,
        revision: cells.count("revision")?,
        purpose: cells.named("purpose", Purpose::parse)?,
        channel: cells.named("channel", ChannelKind::parse)?,
        recipient: cells.recipient()?,
        mentions,
        note: cells.text_or_none("note")?,
        token: cells.text("token")?,
        provider: cells.text_or_none("provider")?,
        next_provider: None,
        sent_after: cells
            .time_or_none("sent_after")?
            .unwrap_or(cells.time("created_at")?),
        attempt: Attempt {
            priority: cells.named("priority", Priority::parse)?,
            attempts: cells.small("attempts")?,
            unknowns: cells.small("unknowns")?,
            asks: cells.small("asks")?,
            possible_repeat: cells.truth("possible_repeat")?,
            overdue: cells.truth("overdue")?,
            refusals: cells.small("refusals")?,
            // Who sends it knows better.
            provider: 0,
            providers: 1,
            created_at: cells.time("created_at")?,
        },
    })
}
