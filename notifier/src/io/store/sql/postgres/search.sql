-- Three characters at a time: finds any part of what a search looks at.
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE INDEX IF NOT EXISTS incidents_search ON incidents USING gin (search gin_trgm_ops);
