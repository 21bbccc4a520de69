-- What the own rules of those who were paged have still to send, as JSON.
ALTER TABLE incidents ADD COLUMN follow_ups TEXT NOT NULL DEFAULT '[]';
