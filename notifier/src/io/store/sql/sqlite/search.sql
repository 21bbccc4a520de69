-- Three characters at a time: finds any part of what a search looks at. The rows of `incidents` are its content.
CREATE VIRTUAL TABLE IF NOT EXISTS incidents_search
    USING fts5(search, content = 'incidents', content_rowid = 'rowid', tokenize = 'trigram');
-- The schema's version for which the index was built.
CREATE TABLE IF NOT EXISTS incidents_search_state (built_for BIGINT NOT NULL);
CREATE TRIGGER IF NOT EXISTS incidents_search_insert AFTER INSERT ON incidents BEGIN
    INSERT INTO incidents_search (rowid, search) VALUES (new.rowid, new.search);
END;
CREATE TRIGGER IF NOT EXISTS incidents_search_update AFTER UPDATE OF search ON incidents
WHEN old.search IS NOT new.search BEGIN
    INSERT INTO incidents_search (incidents_search, rowid, search) VALUES ('delete', old.rowid, old.search);
    INSERT INTO incidents_search (rowid, search) VALUES (new.rowid, new.search);
END;
CREATE TRIGGER IF NOT EXISTS incidents_search_delete AFTER DELETE ON incidents BEGIN
    INSERT INTO incidents_search (incidents_search, rowid, search) VALUES ('delete', old.rowid, old.search);
END;
