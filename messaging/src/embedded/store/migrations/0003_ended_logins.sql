-- Logins that ended, for every process that serves their sockets; kept for an hour.
CREATE TABLE ended_logins (
  number BIGINT PRIMARY KEY, login_id TEXT NOT NULL, person_id TEXT NOT NULL,
  ended_at BIGINT NOT NULL);
