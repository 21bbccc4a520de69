SELECT 1 AS locked FROM pg_advisory_xact_lock($1)
