-- Materialized: the limit must hold even where the planner would run the choice twice.
WITH ready AS MATERIALIZED (
    SELECT d.id FROM deliveries d
    WHERE d.fate = 'accepted' AND d.channel = $3 AND d.ready_at <= $2
    ORDER BY d.ready_at
    LIMIT $4
    FOR UPDATE SKIP LOCKED)
UPDATE deliveries SET
    ready_at = $1, asks = asks + 1
FROM ready WHERE deliveries.id = ready.id
RETURNING deliveries.*
