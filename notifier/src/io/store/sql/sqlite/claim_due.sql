SELECT id FROM incidents WHERE priority = $1 AND tenant = $2 AND due_at <= $3 ORDER BY due_at LIMIT $4
