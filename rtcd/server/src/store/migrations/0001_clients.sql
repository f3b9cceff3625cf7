-- `IF NOT EXISTS` adopts a store of the time before there were numbered steps.
CREATE TABLE IF NOT EXISTS clients (
    client_id TEXT PRIMARY KEY NOT NULL, key_hash TEXT NOT NULL);
