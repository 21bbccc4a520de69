//! Deliveries whose last word is still to come from their provider.

use super::read::delivery;
use super::{Store, StoreError};
use crate::commands::DeliveryRecord;
use crate::core::Fate;
use model::Timestamp;

impl Store {
    /// Deliveries decided at or after `since` that a provider accepted and said no more of, newest first.
    pub async fn accepted_since(
        &self,
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<DeliveryRecord>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM deliveries WHERE created_at >= $1 AND fate = $2 \
             ORDER BY created_at DESC, ordinal DESC LIMIT $3",
        )
        .bind(since.as_nanos())
        .bind(Fate::Accepted.as_str())
        .bind(i64::from(limit))
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(delivery).collect()
    }
}
