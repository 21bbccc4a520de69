-- What stands before a delivery is found by its incident: `|| ''` keeps the planner from the index of channels, which holds all that a storm
-- left behind, while it believes that nothing waits.
-- Materialized: the limit must hold even where the planner would run the choice twice.
WITH ready AS MATERIALIZED (
    SELECT d.id FROM deliveries d
    WHERE d.fate = 'queued' AND d.channel = $3 AND d.lane <= $4 AND d.ready_at <= $2
      AND REPLACE($6, '|' || COALESCE(d.provider, $9) || ' ' || d.tenant || ' ' || d.address || '|', '') = $6
      AND (d.lane = 0 OR REPLACE($7, '|' || COALESCE(d.provider, $9) || ' ' || d.tenant || ' ' || d.address || '|', '') = $7)
      AND (d.lane > 0 OR d.created_at <= $10 OR REPLACE($8, '|' || COALESCE(d.provider, $9) || ' ' || d.tenant || ' ' || d.address || '|', '') = $8)
      AND (d.lane = 0 OR REPLACE($11, '|' || d.tenant || '|', '') = $11)
      AND (d.lane > 0 OR REPLACE($12, '|' || d.tenant || '|', '') = $12)
      AND NOT EXISTS (
        SELECT 1 FROM deliveries e
        WHERE e.incident = d.incident AND e.channel || '' = d.channel AND e.address = d.address
          AND e.ordinal < d.ordinal AND e.fate IN ('queued', 'sending'))
    ORDER BY d.lane, d.ready_at, d.ordinal
    LIMIT $5
    FOR UPDATE SKIP LOCKED)
UPDATE deliveries SET
    fate = 'sending', lease = lease + 1, ready_at = $1, attempts = attempts + 1, asks = 0,
    sent_after = $2, updated_at = $2
FROM ready WHERE deliveries.id = ready.id
RETURNING deliveries.*
