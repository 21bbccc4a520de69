//! Transactions: an incident is locked, changed by a decision, and kept with all that the decision
//! said.

use super::values::{Cells, MentionJson, counter};
use super::{Dialect, StoreError, rows};
use crate::core::{Action, ChannelKind, Delivery, Entry, Fate, Incident, Seen, Silences, Told};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::{AlertEvent, IncidentId, Priority, TenantId, Timestamp};
use sqlx::{Any, AssertSqlSafe, Row, Transaction};
use std::sync::{Arc, LazyLock};

static INSERT: LazyLock<String> = LazyLock::new(rows::insert_sql);
static UPDATE: LazyLock<String> = LazyLock::new(rows::update_sql);

/// Rows of one statement at most: SQLite takes 32,766 values.
const AT_ONCE: usize = 100;

/// A transaction that may write.
pub struct Tx {
    pub(super) inner: Transaction<'static, Any>,
    pub(super) dialect: &'static Dialect,
    pub(super) known: Arc<super::silences::Known>,
    /// The silences as this transaction sees them, once it looked.
    pub(super) silences: Option<Arc<Silences>>,
    pub(super) changes_silences: bool,
}

/// An incident that this transaction has locked.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// As it was read; decisions change it.
    pub incident: Incident,
    told_before: Vec<Told>,
    /// This transaction has made it: nothing of it stands anywhere else.
    is_new: bool,
}

impl Tx {
    /// Makes it all durable.
    pub async fn commit(self) -> Result<(), StoreError> {
        Ok(self.inner.commit().await?)
    }

    /// Locks an incident; the silences before it.
    pub async fn lock(&mut self, id: IncidentId) -> Result<Option<Loaded>, StoreError> {
        self.silences().await?;
        let row = sqlx::query(self.dialect.lock_incident)
            .bind(id.to_string())
            .fetch_optional(&mut *self.inner)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let told = self.told(id).await?;
        Ok(Some(Loaded {
            incident: rows::incident(&row, told.clone())?,
            told_before: told,
            is_new: false,
        }))
    }

    /// Locks the incident of an event; makes it when this is its first.
    pub async fn lock_for(
        &mut self,
        event: &AlertEvent,
        now: Timestamp,
    ) -> Result<Loaded, StoreError> {
        if let Some(loaded) = self.lock(event.incident_id).await? {
            return Ok(loaded);
        }
        let unseen = Incident::unseen(event);
        let query = rows::bind_fixed(sqlx::query(AssertSqlSafe(INSERT.as_str())), &unseen)?;
        let made = rows::bind_changing(query, &unseen, now)
            .execute(&mut *self.inner)
            .await?;
        if made.rows_affected() == 1 {
            return Ok(Loaded {
                incident: unseen,
                told_before: Vec::new(),
                is_new: true,
            });
        }
        // Another replica was first.
        self.lock(event.incident_id)
            .await?
            .ok_or(StoreError::Database(sqlx::Error::RowNotFound))
    }

    /// Remembers an event; its incident is locked.
    pub async fn remember(
        &mut self,
        event: &AlertEvent,
        digest: &str,
        appended_at: Timestamp,
        now: Timestamp,
    ) -> Result<Seen, StoreError> {
        let row = sqlx::query(
            "INSERT INTO events (id, incident, sequence, digest, times, appended_at, stored_at) \
             VALUES ($1, $2, $3, $4, 1, $5, $6) \
             ON CONFLICT (id) DO UPDATE SET times = events.times + 1 \
             RETURNING times, digest",
        )
        .bind(event.event_id.to_string())
        .bind(event.incident_id.to_string())
        .bind(counter(event.sequence))
        .bind(digest.to_owned())
        .bind(appended_at.as_nanos())
        .bind(now.as_nanos())
        .fetch_one(&mut *self.inner)
        .await?;
        let cells = Cells {
            table: "events",
            row: &row,
        };
        Ok(match (cells.count("times")?, cells.text("digest")?) {
            (1, _) => Seen::Never,
            (times, first) if first == digest => Seen::Times(times),
            _ => Seen::Otherwise,
        })
    }

    /// Keeps the incident and all that a decision said of it.
    pub async fn save(
        &mut self,
        loaded: &Loaded,
        actions: &[Action],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let incident = &loaded.incident;
        let query = sqlx::query(AssertSqlSafe(UPDATE.as_str())).bind(incident.id.to_string());
        rows::bind_changing(query, incident, now)
            .execute(&mut *self.inner)
            .await?;
        if incident.told != loaded.told_before {
            self.save_told(loaded).await?;
        }
        let (mut entries, mut deliveries) = (Vec::new(), Vec::new());
        for action in actions {
            match action {
                Action::Record(entry) => entries.push(entry),
                Action::Send(delivery) => deliveries.push(&**delivery),
                Action::Alarm(_) | Action::Keep => {}
            }
        }
        // A question to a PostgreSQL is a way there and back: what is of one kind goes together.
        self.insert_entries(loaded, &entries, now).await?;
        for entry in entries {
            self.audit_entry(incident.id, &incident.tenant, entry, now)
                .await?;
        }
        for some in deliveries.chunks(AT_ONCE) {
            self.enqueue(incident, some, now).await?;
        }
        Ok(())
    }

    /// Incidents that wait for the word that this partition caught up.
    pub async fn catching_up(
        &mut self,
        tenant: &TenantId,
        partition: u32,
    ) -> Result<Vec<IncidentId>, StoreError> {
        let rows = sqlx::query(
            "SELECT id FROM incidents \
             WHERE tenant = $1 AND partition_no = $2 AND catches_up_at IS NOT NULL ORDER BY id",
        )
        .bind(tenant.to_string())
        .bind(i64::from(partition))
        .fetch_all(&mut *self.inner)
        .await?;
        rows.iter().map(id_of).collect()
    }

    async fn told(&mut self, id: IncidentId) -> Result<Vec<Told>, StoreError> {
        let rows = sqlx::query("SELECT * FROM told WHERE incident = $1")
            .bind(id.to_string())
            .fetch_all(&mut *self.inner)
            .await?;
        let mut told = rows
            .iter()
            .map(|row| {
                let cells = Cells { table: "told", row };
                Ok(Told {
                    channel: cells.named("channel", ChannelKind::parse)?,
                    recipient: cells.recipient()?,
                })
            })
            .collect::<Result<Vec<_>, StoreError>>()?;
        told.sort();
        Ok(told)
    }

    async fn save_told(&mut self, loaded: &Loaded) -> Result<(), StoreError> {
        let incident = &loaded.incident;
        if !loaded.told_before.is_empty() {
            sqlx::query("DELETE FROM told WHERE incident = $1")
                .bind(incident.id.to_string())
                .execute(&mut *self.inner)
                .await?;
        }
        for some in incident.told.chunks(AT_ONCE) {
            let sql = format!(
                "INSERT INTO told (incident, channel, address, contact, name, language) VALUES {}",
                rows::groups(some.len(), 6)
            );
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for Told { channel, recipient } in some {
                query = query
                    .bind(incident.id.to_string())
                    .bind(channel.as_str())
                    .bind(recipient.address.clone())
                    .bind(recipient.contact.clone())
                    .bind(recipient.name.clone())
                    .bind(recipient.language.as_str());
            }
            query.execute(&mut *self.inner).await?;
        }
        Ok(())
    }

    async fn next_entry(&mut self, id: IncidentId) -> Result<i64, StoreError> {
        let row = sqlx::query(
            "SELECT COALESCE(MAX(ordinal), 0) + 1 AS next FROM timeline WHERE incident = $1",
        )
        .bind(id.to_string())
        .fetch_one(&mut *self.inner)
        .await?;
        Ok(row.try_get("next")?)
    }

    async fn insert_entries(
        &mut self,
        loaded: &Loaded,
        entries: &[&Entry],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        let id = loaded.incident.id;
        let mut ordinal = match loaded.is_new {
            true => 1,
            false => self.next_entry(id).await?,
        };
        for some in entries.chunks(AT_ONCE) {
            let sql = format!(
                "INSERT INTO timeline (incident, ordinal, at, kind, actor, contact, via, body) VALUES {}",
                rows::groups(some.len(), 8)
            );
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for entry in some {
                let (actor, via) = entry.actor.clone().unzip();
                query = query
                    .bind(id.to_string())
                    .bind(ordinal)
                    .bind(now.as_nanos())
                    .bind(entry.kind.as_str())
                    .bind(actor.as_ref().map(|actor| actor.name.clone()))
                    .bind(actor.and_then(|actor| actor.contact))
                    .bind(via.map(|via| via.as_str()))
                    .bind(entry.text.clone());
                ordinal += 1;
            }
            query.execute(&mut *self.inner).await?;
        }
        Ok(())
    }

    async fn enqueue(
        &mut self,
        incident: &Incident,
        deliveries: &[&Delivery],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = format!(
            "INSERT INTO deliveries (id, incident, ordinal, revision, purpose, channel, address, \
             contact, name, language, mentions, note, priority, lane, token, fate, attempts, \
             unknowns, asks, possible_repeat, ready_at, lease, created_at, updated_at, tenant) \
             VALUES {} ON CONFLICT (id) DO NOTHING",
            rows::groups(deliveries.len(), 25)
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for delivery in deliveries {
            let mentions: Vec<MentionJson> = delivery.mentions.iter().map(Into::into).collect();
            let mentions = serde_json::to_string(&mentions).map_err(|error| StoreError::Row {
                table: "deliveries",
                reason: error.to_string(),
            })?;
            query = query
                .bind(delivery.id.to_string())
                .bind(incident.id.to_string())
                .bind(counter(delivery.ordinal))
                .bind(counter(delivery.revision))
                .bind(delivery.purpose.as_str())
                .bind(delivery.channel.as_str())
                .bind(delivery.recipient.address.clone())
                .bind(delivery.recipient.contact.clone())
                .bind(delivery.recipient.name.clone())
                .bind(delivery.recipient.language.as_str())
                .bind(mentions)
                .bind(delivery.note.clone())
                .bind(delivery.priority.as_str())
                .bind(lane(delivery))
                .bind(link_token()?)
                .bind(Fate::Queued.as_str())
                // Attempts, unknowns, asks, and whether it may be a repeat.
                .bind(0_i64)
                .bind(0_i64)
                .bind(0_i64)
                .bind(0_i64)
                .bind(now.as_nanos())
                .bind(0_i64)
                .bind(now.as_nanos())
                .bind(now.as_nanos())
                .bind(incident.tenant.to_string());
        }
        query.execute(&mut *self.inner).await?;
        Ok(())
    }
}

/// The queue that a delivery stands in: pages of P1 have one of their own.
fn lane(delivery: &Delivery) -> i64 {
    match (delivery.priority, delivery.purpose.is_page()) {
        (Priority::P1, true) => 0,
        (Priority::P1, false) => 1,
        (Priority::P2, _) => 2,
        (Priority::P3, _) => 3,
    }
}

/// 96 random bits, short enough for a text message.
fn link_token() -> Result<String, StoreError> {
    let mut bytes = [0_u8; 12];
    getrandom::fill(&mut bytes).map_err(|error| StoreError::Random(error.to_string()))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

pub(super) fn id_of(row: &sqlx::any::AnyRow) -> Result<IncidentId, StoreError> {
    let cells = Cells {
        table: "incidents",
        row,
    };
    cells.named("id", IncidentId::parse)
}
