-- Whether a contact's phone is theirs: the code that was sent last, as a digest, and the number that was verified.
CREATE TABLE contact_phones (
    contact        TEXT PRIMARY KEY NOT NULL,
    sent_to        TEXT,
    digest         TEXT,
    sent_at        BIGINT,
    tries          BIGINT NOT NULL,
    verified_phone TEXT,
    verified_at    BIGINT,
    verified_by    TEXT
);
