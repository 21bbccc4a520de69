//! What is known of contacts' phones, as rows.

use super::values::{Cells, counter};
use super::{Store, StoreError, Tx};
use crate::core::{Phone, Sent};
use sqlx::any::AnyRow;
use std::collections::BTreeMap;

impl Tx {
    /// What is known of a contact's phone. Its row is made where there is none, and is locked by writing it.
    pub async fn phone(&mut self, contact: &str) -> Result<Phone, StoreError> {
        let row = sqlx::query(
            "INSERT INTO contact_phones (contact, tries) VALUES ($1, 0) \
             ON CONFLICT (contact) DO UPDATE SET tries = contact_phones.tries RETURNING *",
        )
        .bind(contact.to_owned())
        .fetch_one(&mut *self.inner)
        .await?;
        phone(&row)
    }

    /// Keeps what is known of it.
    pub async fn save_phone(&mut self, contact: &str, phone: &Phone) -> Result<(), StoreError> {
        let sent = phone.sent.as_ref();
        let verified = phone.verified.as_ref();
        sqlx::query(
            "UPDATE contact_phones SET sent_to = $2, digest = $3, sent_at = $4, tries = $5, verified_phone = $6, \
             verified_at = $7, verified_by = $8 WHERE contact = $1",
        )
        .bind(contact.to_owned())
        .bind(sent.map(|sent| sent.phone.clone()))
        .bind(sent.map(|sent| sent.digest.clone()))
        .bind(sent.map(|sent| sent.at.as_nanos()))
        .bind(counter(sent.map_or(0, |sent| u64::from(sent.tries))))
        .bind(verified.map(|(phone, ..)| phone.clone()))
        .bind(verified.map(|(_, at, _)| at.as_nanos()))
        .bind(verified.map(|(.., by)| by.clone()))
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }
}

impl Store {
    /// What is known of every contact's phone.
    pub async fn phones(&self) -> Result<BTreeMap<String, Phone>, StoreError> {
        let rows = sqlx::query("SELECT * FROM contact_phones")
            .fetch_all(&self.reader)
            .await?;
        let each = rows
            .iter()
            .map(|row| Ok((cells(row).text("contact")?, phone(row)?)));
        each.collect()
    }
}

fn cells(row: &AnyRow) -> Cells<'_> {
    Cells {
        table: "contact_phones",
        row,
    }
}

fn phone(row: &AnyRow) -> Result<Phone, StoreError> {
    let cells = cells(row);
    let sent = match (
        cells.text_or_none("sent_to")?,
        cells.text_or_none("digest")?,
    ) {
        (Some(phone), Some(digest)) => Some(Sent {
            phone,
            digest,
            at: cells.time("sent_at")?,
            tries: cells.small("tries")?,
        }),
        _ => None,
    };
    let verified = match cells.text_or_none("verified_phone")? {
        Some(phone) => Some((
            phone,
            cells.time("verified_at")?,
            cells.text("verified_by")?,
        )),
        None => None,
    };
    Ok(Phone { sent, verified })
}
