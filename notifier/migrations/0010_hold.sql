-- Who an incident was given to, what holds it back, and what it is grouped by.

ALTER TABLE incidents ADD COLUMN assigned_to TEXT;
ALTER TABLE incidents ADD COLUMN assigned_contact TEXT;
-- The priority was set by a person.
ALTER TABLE incidents ADD COLUMN pinned BIGINT NOT NULL DEFAULT 0;
ALTER TABLE incidents ADD COLUMN hold_kind TEXT;
ALTER TABLE incidents ADD COLUMN hold_by TEXT;
ALTER TABLE incidents ADD COLUMN hold_why TEXT;
ALTER TABLE incidents ADD COLUMN hold_since BIGINT;
-- When it is looked at again.
ALTER TABLE incidents ADD COLUMN hold_until BIGINT;
-- The `host` of its group, by which a host-down incident is found.
ALTER TABLE incidents ADD COLUMN host TEXT;
-- What its tenant groups it by; none where it does not.
ALTER TABLE incidents ADD COLUMN grouped_by TEXT;
-- When the leader of a group next tells of those that joined.
ALTER TABLE incidents ADD COLUMN digest_at BIGINT;

CREATE INDEX incidents_live_by_template ON incidents (tenant, template, host) WHERE status <> 'closed';
CREATE INDEX incidents_live_by_group ON incidents (tenant, grouped_by, opened_at)
    WHERE status <> 'closed' AND grouped_by IS NOT NULL;
CREATE INDEX incidents_held_by ON incidents (hold_by, hold_since) WHERE hold_by IS NOT NULL;
