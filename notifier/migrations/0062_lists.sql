-- What the auditor and the metrics read again and again, and lists by priority, without reading every incident.
CREATE INDEX incidents_by_priority ON incidents (priority, opened_at, id);
CREATE INDEX incidents_live_p1 ON incidents (id) WHERE priority = 'P1' AND status <> 'closed';
CREATE INDEX incidents_live ON incidents (tenant, priority, status) WHERE status <> 'closed';
