-- A database as the versions before numbered migrations made it.
CREATE TABLE IF NOT EXISTS calls_channels (
    channelid TEXT PRIMARY KEY, enabled INTEGER NOT NULL, props TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS calls (
    id TEXT PRIMARY KEY, channelid TEXT NOT NULL, startat INTEGER NOT NULL, endat INTEGER NOT NULL,
    createat INTEGER NOT NULL, deleteat INTEGER NOT NULL, title TEXT NOT NULL, postid TEXT NOT NULL,
    threadid TEXT NOT NULL, ownerid TEXT NOT NULL, participants TEXT NOT NULL, stats TEXT NOT NULL,
    props TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS calls_channelid ON calls (channelid);
CREATE INDEX IF NOT EXISTS calls_endat ON calls (endat);
CREATE TABLE IF NOT EXISTS calls_sessions (
    id TEXT PRIMARY KEY, callid TEXT NOT NULL, userid TEXT NOT NULL, joinat INTEGER NOT NULL,
    unmuted INTEGER NOT NULL, raisedhand INTEGER NOT NULL, video INTEGER NOT NULL,
    props TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS calls_sessions_callid ON calls_sessions (callid);
CREATE TABLE IF NOT EXISTS calls_jobs (
    id TEXT PRIMARY KEY, callid TEXT NOT NULL, type TEXT NOT NULL, creatorid TEXT NOT NULL,
    initat INTEGER NOT NULL, startat INTEGER NOT NULL, endat INTEGER NOT NULL, props TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS calls_jobs_callid ON calls_jobs (callid);
CREATE TABLE IF NOT EXISTS keys (name TEXT PRIMARY KEY, value TEXT NOT NULL);
INSERT INTO calls_channels VALUES ('room1', 1, '{"colour":"red"}'), ('room2', 0, '{}');
INSERT INTO calls VALUES
    ('call1', 'room1', 100, 0, 100, 0, 'Stand-up', 'post1', 'post1', 'anna', '["anna","ben"]', '{}',
     '{"hosts":["anna"],"host_locked_user_id":null,"rtcd_host":"http://media:8045",
       "screen_sharing_session_id":null,"dismissed_notification":{"carl":true}}'),
    ('call0', 'room2', 50, 60, 50, 0, '', '', '', 'anna', '[]', '{}', '{}');
INSERT INTO calls_sessions VALUES
    ('session1', 'call1', 'anna', 101, 1, 0, 0, '{"login":"login1","connection":"conn1","job":null}'),
    ('session2', 'call1', 'ben', 102, 0, 103, 1, '{"login":"login2","connection":"conn2","job":null}');
INSERT INTO calls_jobs VALUES
    ('job1', 'call1', 'recording', 'anna', 104, 105, 106, '{"job_id":"svc1","bot_conn_id":null,"err":""}'),
    ('job2', 'call1', 'recording', 'anna', 107, 108, 0, '{"job_id":"svc2","bot_conn_id":null,"err":""}');
INSERT INTO keys VALUES ('client_id', 'our id'), ('rtcd_auth_key', 'our key in clear');
