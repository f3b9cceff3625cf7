-- Tables and columns follow the reference's. `IF NOT EXISTS` adopts a database of the time before
-- there were numbered steps; on SQLite its INTEGER is our BIGINT.
CREATE TABLE IF NOT EXISTS calls_channels (
    channelid TEXT PRIMARY KEY, enabled BIGINT NOT NULL, props TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS calls (
    id TEXT PRIMARY KEY, channelid TEXT NOT NULL, startat BIGINT NOT NULL, endat BIGINT NOT NULL,
    createat BIGINT NOT NULL, deleteat BIGINT NOT NULL, title TEXT NOT NULL, postid TEXT NOT NULL,
    threadid TEXT NOT NULL, ownerid TEXT NOT NULL, participants TEXT NOT NULL, stats TEXT NOT NULL,
    props TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS calls_channelid ON calls (channelid);
CREATE INDEX IF NOT EXISTS calls_endat ON calls (endat);
CREATE TABLE IF NOT EXISTS calls_sessions (
    id TEXT PRIMARY KEY, callid TEXT NOT NULL, userid TEXT NOT NULL, joinat BIGINT NOT NULL,
    unmuted BIGINT NOT NULL, raisedhand BIGINT NOT NULL, video BIGINT NOT NULL,
    props TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS calls_sessions_callid ON calls_sessions (callid);
CREATE TABLE IF NOT EXISTS calls_jobs (
    id TEXT PRIMARY KEY, callid TEXT NOT NULL, type TEXT NOT NULL, creatorid TEXT NOT NULL,
    initat BIGINT NOT NULL, startat BIGINT NOT NULL, endat BIGINT NOT NULL, props TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS calls_jobs_callid ON calls_jobs (callid);
-- Our own keys at other services, sealed.
CREATE TABLE IF NOT EXISTS keys (name TEXT PRIMARY KEY, value TEXT NOT NULL);
