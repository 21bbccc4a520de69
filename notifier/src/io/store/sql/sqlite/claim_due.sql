SELECT id FROM incidents WHERE due_at <= $1 ORDER BY due_at LIMIT $2
