UPDATE deliveries SET
    ready_at = $1, asks = asks + 1
WHERE id IN (
    SELECT d.id FROM deliveries d
    WHERE d.fate = 'accepted' AND d.channel = $3 AND d.ready_at <= $2
    ORDER BY d.ready_at
    LIMIT $4)
RETURNING *
