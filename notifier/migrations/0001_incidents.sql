-- One set for SQLite and PostgreSQL: BIGINT, DOUBLE PRECISION and TEXT only. Times are nanoseconds since
-- 1970, truth values are 0 or 1, ids are hexadecimal text, lists are JSON.

CREATE TABLE incidents (
    id                   TEXT PRIMARY KEY NOT NULL,
    tenant               TEXT NOT NULL,
    partition_no         BIGINT NOT NULL,
    template             TEXT NOT NULL,
    group_tags           TEXT NOT NULL,
    env                  TEXT,
    title                TEXT NOT NULL,
    title_ko             TEXT,
    why                  TEXT NOT NULL,
    unit                 TEXT NOT NULL,
    runbook              TEXT,
    value                DOUBLE PRECISION,
    threshold            DOUBLE PRECISION,
    priority             TEXT NOT NULL,
    -- The highest priority since it was opened.
    peak                 TEXT NOT NULL,
    started_at           BIGINT NOT NULL,
    opened_at            BIGINT NOT NULL,
    status               TEXT NOT NULL,
    firing               BIGINT NOT NULL,
    acknowledged_by      TEXT,
    acknowledged_contact TEXT,
    acknowledged_at      BIGINT,
    closed_by            TEXT,
    closed_contact       TEXT,
    closed_at            BIGINT,
    until_resolved       BIGINT NOT NULL,
    last_sequence        BIGINT NOT NULL,
    revision             BIGINT NOT NULL,
    deliveries           BIGINT NOT NULL,
    opening              TEXT NOT NULL,
    round                BIGINT NOT NULL,
    -- The step that is told next, from 0; -1 is everyone.
    target               BIGINT,
    escalates_at         BIGINT,
    paged                BIGINT NOT NULL,
    step_revision        BIGINT,
    nobody               BIGINT NOT NULL,
    ack_runs_out_at      BIGINT,
    reopens_at           BIGINT,
    catches_up_at        BIGINT,
    -- The earliest of the four times above.
    due_at               BIGINT,
    -- What a search looks at, in lower case.
    search               TEXT NOT NULL,
    changed_at           BIGINT NOT NULL
);

CREATE INDEX incidents_newest ON incidents (opened_at, id);
CREATE INDEX incidents_newest_of_tenant ON incidents (tenant, opened_at, id);
CREATE INDEX incidents_by_status ON incidents (status, opened_at, id);
CREATE INDEX incidents_due ON incidents (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX incidents_catching_up ON incidents (tenant, partition_no) WHERE catches_up_at IS NOT NULL;
CREATE INDEX incidents_changed ON incidents (changed_at);

CREATE TABLE events (
    id          TEXT PRIMARY KEY NOT NULL,
    incident    TEXT NOT NULL,
    sequence    BIGINT NOT NULL,
    digest      TEXT NOT NULL,
    times       BIGINT NOT NULL,
    appended_at BIGINT NOT NULL,
    stored_at   BIGINT NOT NULL
);

CREATE INDEX events_of_incident ON events (incident, sequence);

CREATE TABLE timeline (
    incident TEXT NOT NULL,
    ordinal  BIGINT NOT NULL,
    at       BIGINT NOT NULL,
    kind     TEXT NOT NULL,
    actor    TEXT,
    contact  TEXT,
    via      TEXT,
    body     TEXT NOT NULL,
    PRIMARY KEY (incident, ordinal)
);

-- Who heard of an incident and has not heard of its end.
CREATE TABLE told (
    incident TEXT NOT NULL,
    channel  TEXT NOT NULL,
    address  TEXT NOT NULL,
    contact  TEXT,
    name     TEXT NOT NULL,
    language TEXT NOT NULL,
    PRIMARY KEY (incident, channel, address)
);

-- The outbox.
CREATE TABLE deliveries (
    id              TEXT PRIMARY KEY NOT NULL,
    incident        TEXT NOT NULL,
    ordinal         BIGINT NOT NULL,
    revision        BIGINT NOT NULL,
    purpose         TEXT NOT NULL,
    channel         TEXT NOT NULL,
    address         TEXT NOT NULL,
    contact         TEXT,
    name            TEXT NOT NULL,
    language        TEXT NOT NULL,
    mentions        TEXT NOT NULL,
    note            TEXT,
    priority        TEXT NOT NULL,
    -- 0 a page of a P1, 1 other news of a P1, then 2 and 3 by priority.
    lane            BIGINT NOT NULL,
    -- The secret part of the short link.
    token           TEXT NOT NULL,
    fate            TEXT NOT NULL,
    reason          TEXT,
    reference       TEXT,
    attempts        BIGINT NOT NULL,
    unknowns        BIGINT NOT NULL,
    asks            BIGINT NOT NULL,
    possible_repeat BIGINT NOT NULL,
    -- When it may be taken: queued, to send it; sending, because its lease is over; accepted, to look
    -- for its receipt.
    ready_at        BIGINT NOT NULL,
    -- Counts the leases; only the holder of the latest may record an outcome.
    lease           BIGINT NOT NULL,
    sent_after      BIGINT,
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL
);

CREATE INDEX deliveries_newest ON deliveries (created_at, ordinal);
CREATE UNIQUE INDEX deliveries_token ON deliveries (token);
CREATE INDEX deliveries_of_incident ON deliveries (incident, channel, address, ordinal);
CREATE INDEX deliveries_ready ON deliveries (channel, lane, ready_at) WHERE fate IN ('queued', 'sending');
CREATE INDEX deliveries_unconfirmed ON deliveries (channel, ready_at) WHERE fate = 'accepted';
