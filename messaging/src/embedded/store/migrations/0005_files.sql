-- What has arrived of an upload, in the words of its place.
ALTER TABLE uploads ADD COLUMN draft TEXT NOT NULL DEFAULT '';
CREATE INDEX uploads_of_owner ON uploads (owner_id);
CREATE INDEX uploads_by_age ON uploads (created_at);
CREATE INDEX files_of_owner ON files (owner_id);
CREATE INDEX files_by_age ON files (created_at);
-- Bytes whose record is gone, until they are.
CREATE TABLE doomed_blobs (blob_key TEXT PRIMARY KEY, doomed_at BIGINT NOT NULL);
-- What this database is called elsewhere.
CREATE TABLE server_marks (name TEXT PRIMARY KEY, mark TEXT NOT NULL);
