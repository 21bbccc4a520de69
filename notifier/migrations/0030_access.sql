-- Tokens of programs; only their hashes are kept.
CREATE TABLE api_tokens (
    id         TEXT PRIMARY KEY NOT NULL,
    name       TEXT NOT NULL,
    sha256     TEXT NOT NULL,
    role       TEXT NOT NULL,
    -- `*`, or ids, separated by spaces.
    tenants    TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    ends_at    BIGINT,
    revoked_at BIGINT
);

CREATE UNIQUE INDEX api_tokens_hash ON api_tokens (sha256);
CREATE INDEX api_tokens_name ON api_tokens (name, created_at);

-- Sessions of browsers, by the hash of what their cookie holds.
CREATE TABLE sessions (
    sha256     TEXT PRIMARY KEY NOT NULL,
    name       TEXT NOT NULL,
    proof      TEXT NOT NULL,
    -- Of the credential that must still hold; empty where the provider vouched for them.
    credential TEXT NOT NULL,
    grants     TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    ends_at    BIGINT NOT NULL
);

CREATE INDEX sessions_end ON sessions (ends_at);

-- Sign-ins with an identity provider that are under way, by the hash of what the browser's cookie holds.
CREATE TABLE sign_ins (
    sha256   TEXT PRIMARY KEY NOT NULL,
    state    TEXT NOT NULL,
    nonce    TEXT NOT NULL,
    verifier TEXT NOT NULL,
    next     TEXT NOT NULL,
    ends_at  BIGINT NOT NULL
);

CREATE INDEX sign_ins_end ON sign_ins (ends_at);

-- The audit log. An entry is written with what it tells of, in one transaction, and gets its number and hashes a moment
-- later, in the order of their times: what is written at once need not wait for one another.
CREATE TABLE audit (
    id      TEXT PRIMARY KEY NOT NULL,
    at      BIGINT NOT NULL,
    kind    TEXT NOT NULL,
    actor   TEXT NOT NULL,
    via     TEXT NOT NULL,
    tenant  TEXT,
    subject TEXT NOT NULL,
    detail  TEXT NOT NULL,
    number  BIGINT,
    previous TEXT,
    hash    TEXT
);

CREATE UNIQUE INDEX audit_number ON audit (number);
CREATE INDEX audit_unlinked ON audit (at, id) WHERE number IS NULL;
CREATE INDEX audit_of_tenant ON audit (tenant, number);

-- Where the log ends. Who links entries holds it.
CREATE TABLE audit_head (
    id     BIGINT PRIMARY KEY NOT NULL,
    number BIGINT NOT NULL,
    hash   TEXT NOT NULL
);

INSERT INTO audit_head (id, number, hash)
VALUES (1, 0, '0000000000000000000000000000000000000000000000000000000000000000');

-- Answers to requests with an idempotency key, by the hash of who asked and the key.
CREATE TABLE answered (
    sha256  TEXT PRIMARY KEY NOT NULL,
    -- The hash of the request.
    request TEXT NOT NULL,
    -- None while it is being answered.
    status  BIGINT,
    kind    TEXT,
    body    TEXT,
    ends_at BIGINT NOT NULL
);

CREATE INDEX answered_end ON answered (ends_at);
