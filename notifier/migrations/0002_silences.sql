-- Silences and maintenance windows.
CREATE TABLE silences (
    id         TEXT PRIMARY KEY NOT NULL,
    -- None: of every tenant.
    tenant     TEXT,
    kind       TEXT NOT NULL,
    matchers   TEXT NOT NULL,
    author     TEXT NOT NULL,
    body       TEXT NOT NULL,
    starts_at  BIGINT NOT NULL,
    ends_at    BIGINT NOT NULL,
    -- `sat,sun 02:00-06:00`, and the zone.
    hours      TEXT,
    zone       TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE INDEX silences_end ON silences (ends_at);

-- Counts the changes of silences. Who decides holds it, so that nobody waits for a silence that was ended meanwhile.
CREATE TABLE silences_revision (
    id       BIGINT PRIMARY KEY NOT NULL,
    revision BIGINT NOT NULL
);

INSERT INTO silences_revision (id, revision) VALUES (1, 0);

-- 1: the next page waits for the end of a silence.
ALTER TABLE incidents ADD COLUMN held BIGINT NOT NULL DEFAULT 0;

CREATE INDEX incidents_held ON incidents (id) WHERE held = 1;
