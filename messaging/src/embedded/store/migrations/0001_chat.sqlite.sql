-- The tables as they were before there were numbered steps: a database of that time is adopted.
CREATE TABLE IF NOT EXISTS people (
    id TEXT PRIMARY KEY, username TEXT NOT NULL UNIQUE, email TEXT NOT NULL UNIQUE,
    first_name TEXT NOT NULL, last_name TEXT NOT NULL, nickname TEXT NOT NULL,
    position TEXT NOT NULL, password_hash TEXT NOT NULL, is_bot BOOLEAN NOT NULL,
    is_admin BOOLEAN NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL,
    deleted_at BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS logins (
    id TEXT PRIMARY KEY, token_hash TEXT NOT NULL UNIQUE,
    person_id TEXT NOT NULL REFERENCES people (id), created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL);
CREATE INDEX IF NOT EXISTS logins_of_person ON logins (person_id);
CREATE TABLE IF NOT EXISTS teams (
    id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, display_name TEXT NOT NULL,
    description TEXT NOT NULL, kind TEXT NOT NULL, created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL, deleted_at BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS team_members (
    team_id TEXT NOT NULL REFERENCES teams (id),
    person_id TEXT NOT NULL REFERENCES people (id), is_admin BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL, PRIMARY KEY (team_id, person_id));
CREATE INDEX IF NOT EXISTS team_members_of_person ON team_members (person_id);
-- team_id is empty for direct and group rooms; `name` is then made of the members' ids
CREATE TABLE IF NOT EXISTS rooms (
    id TEXT PRIMARY KEY, team_id TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL,
    display_name TEXT NOT NULL, header TEXT NOT NULL, purpose TEXT NOT NULL,
    creator_id TEXT NOT NULL, is_default BOOLEAN NOT NULL, created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL, deleted_at BIGINT NOT NULL, last_post_at BIGINT NOT NULL,
    last_root_post_at BIGINT NOT NULL, post_count BIGINT NOT NULL,
    root_post_count BIGINT NOT NULL, UNIQUE (team_id, name));
CREATE TABLE IF NOT EXISTS room_members (
    room_id TEXT NOT NULL REFERENCES rooms (id),
    person_id TEXT NOT NULL REFERENCES people (id), is_admin BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL, viewed_at BIGINT NOT NULL, viewed_posts BIGINT NOT NULL,
    viewed_root_posts BIGINT NOT NULL, mentions BIGINT NOT NULL,
    PRIMARY KEY (room_id, person_id));
CREATE INDEX IF NOT EXISTS room_members_of_person ON room_members (person_id);
CREATE TABLE IF NOT EXISTS posts (
    id TEXT PRIMARY KEY, room_id TEXT NOT NULL REFERENCES rooms (id),
    author_id TEXT NOT NULL REFERENCES people (id), root_id TEXT NOT NULL,
    message TEXT NOT NULL, kind TEXT NOT NULL, props TEXT NOT NULL,
    created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL, edited_at BIGINT NOT NULL,
    deleted_at BIGINT NOT NULL);
CREATE INDEX IF NOT EXISTS posts_of_room ON posts (room_id, created_at);
CREATE INDEX IF NOT EXISTS posts_changed ON posts (room_id, updated_at);
CREATE INDEX IF NOT EXISTS posts_of_thread ON posts (root_id, created_at);
CREATE TABLE IF NOT EXISTS files (
    id TEXT PRIMARY KEY, owner_id TEXT NOT NULL REFERENCES people (id),
    room_id TEXT NOT NULL REFERENCES rooms (id), name TEXT NOT NULL,
    extension TEXT NOT NULL, mime TEXT NOT NULL, size_bytes BIGINT NOT NULL,
    created_at BIGINT NOT NULL);
-- listed: an attachment that clients show; otherwise the post only gives the right to read it
CREATE TABLE IF NOT EXISTS post_files (
    post_id TEXT NOT NULL REFERENCES posts (id), file_id TEXT NOT NULL REFERENCES files (id),
    position BIGINT NOT NULL, listed BOOLEAN NOT NULL, PRIMARY KEY (post_id, file_id));
CREATE INDEX IF NOT EXISTS posts_of_file ON post_files (file_id);
-- file_id is reserved from the start: a crash between rename and commit can be finished
CREATE TABLE IF NOT EXISTS uploads (
    id TEXT PRIMARY KEY, file_id TEXT NOT NULL UNIQUE,
    owner_id TEXT NOT NULL REFERENCES people (id),
    room_id TEXT NOT NULL REFERENCES rooms (id), filename TEXT NOT NULL,
    size_bytes BIGINT NOT NULL, created_at BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS preferences (
    person_id TEXT NOT NULL REFERENCES people (id), category TEXT NOT NULL,
    name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (person_id, category, name));

-- A yes or no is a BIGINT of 0 or 1 on both engines.
ALTER TABLE people ADD COLUMN is_bot_flag BIGINT NOT NULL DEFAULT 0;
UPDATE people SET is_bot_flag = is_bot;
ALTER TABLE people DROP COLUMN is_bot;
ALTER TABLE people RENAME COLUMN is_bot_flag TO is_bot;
ALTER TABLE people ADD COLUMN is_admin_flag BIGINT NOT NULL DEFAULT 0;
UPDATE people SET is_admin_flag = is_admin;
ALTER TABLE people DROP COLUMN is_admin;
ALTER TABLE people RENAME COLUMN is_admin_flag TO is_admin;
ALTER TABLE team_members ADD COLUMN is_admin_flag BIGINT NOT NULL DEFAULT 0;
UPDATE team_members SET is_admin_flag = is_admin;
ALTER TABLE team_members DROP COLUMN is_admin;
ALTER TABLE team_members RENAME COLUMN is_admin_flag TO is_admin;
ALTER TABLE rooms ADD COLUMN is_default_flag BIGINT NOT NULL DEFAULT 0;
UPDATE rooms SET is_default_flag = is_default;
ALTER TABLE rooms DROP COLUMN is_default;
ALTER TABLE rooms RENAME COLUMN is_default_flag TO is_default;
ALTER TABLE room_members ADD COLUMN is_admin_flag BIGINT NOT NULL DEFAULT 0;
UPDATE room_members SET is_admin_flag = is_admin;
ALTER TABLE room_members DROP COLUMN is_admin;
ALTER TABLE room_members RENAME COLUMN is_admin_flag TO is_admin;
ALTER TABLE post_files ADD COLUMN listed_flag BIGINT NOT NULL DEFAULT 0;
UPDATE post_files SET listed_flag = listed;
ALTER TABLE post_files DROP COLUMN listed;
ALTER TABLE post_files RENAME COLUMN listed_flag TO listed;
DROP TABLE IF EXISTS schema_steps;
