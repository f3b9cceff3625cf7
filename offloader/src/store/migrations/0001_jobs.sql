-- `IF NOT EXISTS` adopts a database of the time before there were numbered steps.
CREATE TABLE IF NOT EXISTS clients (
    id TEXT PRIMARY KEY, key_hash TEXT NOT NULL, created_at BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, tenant TEXT NOT NULL, request TEXT NOT NULL, sealed BLOB NOT NULL,
    phase TEXT NOT NULL, start_at BIGINT NOT NULL, stop_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL, note TEXT NOT NULL);
