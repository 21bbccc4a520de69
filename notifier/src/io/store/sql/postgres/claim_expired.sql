-- Materialized: the limit must hold even where the planner would run the choice twice.
WITH ready AS MATERIALIZED (
    SELECT d.id FROM deliveries d
    WHERE d.fate = 'sending' AND d.channel = $3 AND d.ready_at <= $2
    ORDER BY d.lane, d.ready_at
    LIMIT $4
    FOR UPDATE SKIP LOCKED)
UPDATE deliveries SET
    lease = lease + 1, ready_at = $1, asks = asks + 1, updated_at = $2,
    unknowns = unknowns + CASE WHEN asks = 0 THEN 1 ELSE 0 END
FROM ready WHERE deliveries.id = ready.id
RETURNING deliveries.*
