-- What is due of each tenant by priority: tenants take turns, and none's steps wait behind the storm of another.
CREATE INDEX incidents_due_of_tenant ON incidents (priority, tenant, due_at) WHERE due_at IS NOT NULL;
-- A heartbeat that was missed does not wait behind all alerts that ran out with it.
CREATE INDEX external_alerts_next ON external_alerts (firing, ends_at) WHERE ends_at IS NOT NULL;
