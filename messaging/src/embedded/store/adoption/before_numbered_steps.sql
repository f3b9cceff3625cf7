-- A database as the versions before numbered migrations made it, with something in every table.
CREATE TABLE people (
    id TEXT PRIMARY KEY, username TEXT NOT NULL UNIQUE, email TEXT NOT NULL UNIQUE,
    first_name TEXT NOT NULL, last_name TEXT NOT NULL, nickname TEXT NOT NULL,
    position TEXT NOT NULL, password_hash TEXT NOT NULL, is_bot BOOLEAN NOT NULL,
    is_admin BOOLEAN NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL,
    deleted_at BIGINT NOT NULL);
CREATE TABLE logins (
    id TEXT PRIMARY KEY, token_hash TEXT NOT NULL UNIQUE,
    person_id TEXT NOT NULL REFERENCES people (id), created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL);
CREATE INDEX logins_of_person ON logins (person_id);
CREATE TABLE teams (
    id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, display_name TEXT NOT NULL,
    description TEXT NOT NULL, kind TEXT NOT NULL, created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL, deleted_at BIGINT NOT NULL);
CREATE TABLE team_members (
    team_id TEXT NOT NULL REFERENCES teams (id),
    person_id TEXT NOT NULL REFERENCES people (id), is_admin BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL, PRIMARY KEY (team_id, person_id));
CREATE INDEX team_members_of_person ON team_members (person_id);
CREATE TABLE rooms (
    id TEXT PRIMARY KEY, team_id TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL,
    display_name TEXT NOT NULL, header TEXT NOT NULL, purpose TEXT NOT NULL,
    creator_id TEXT NOT NULL, is_default BOOLEAN NOT NULL, created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL, deleted_at BIGINT NOT NULL, last_post_at BIGINT NOT NULL,
    last_root_post_at BIGINT NOT NULL, post_count BIGINT NOT NULL,
    root_post_count BIGINT NOT NULL, UNIQUE (team_id, name));
CREATE TABLE room_members (
    room_id TEXT NOT NULL REFERENCES rooms (id),
    person_id TEXT NOT NULL REFERENCES people (id), is_admin BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL, viewed_at BIGINT NOT NULL, viewed_posts BIGINT NOT NULL,
    viewed_root_posts BIGINT NOT NULL, mentions BIGINT NOT NULL,
    PRIMARY KEY (room_id, person_id));
CREATE INDEX room_members_of_person ON room_members (person_id);
CREATE TABLE posts (
    id TEXT PRIMARY KEY, room_id TEXT NOT NULL REFERENCES rooms (id),
    author_id TEXT NOT NULL REFERENCES people (id), root_id TEXT NOT NULL,
    message TEXT NOT NULL, kind TEXT NOT NULL, props TEXT NOT NULL,
    created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL, edited_at BIGINT NOT NULL,
    deleted_at BIGINT NOT NULL);
CREATE INDEX posts_of_room ON posts (room_id, created_at);
CREATE INDEX posts_changed ON posts (room_id, updated_at);
CREATE INDEX posts_of_thread ON posts (root_id, created_at);
CREATE TABLE files (
    id TEXT PRIMARY KEY, owner_id TEXT NOT NULL REFERENCES people (id),
    room_id TEXT NOT NULL REFERENCES rooms (id), name TEXT NOT NULL,
    extension TEXT NOT NULL, mime TEXT NOT NULL, size_bytes BIGINT NOT NULL,
    created_at BIGINT NOT NULL);
CREATE TABLE post_files (
    post_id TEXT NOT NULL REFERENCES posts (id), file_id TEXT NOT NULL REFERENCES files (id),
    position BIGINT NOT NULL, listed BOOLEAN NOT NULL, PRIMARY KEY (post_id, file_id));
CREATE INDEX posts_of_file ON post_files (file_id);
CREATE TABLE uploads (
    id TEXT PRIMARY KEY, file_id TEXT NOT NULL UNIQUE,
    owner_id TEXT NOT NULL REFERENCES people (id),
    room_id TEXT NOT NULL REFERENCES rooms (id), filename TEXT NOT NULL,
    size_bytes BIGINT NOT NULL, created_at BIGINT NOT NULL);
CREATE TABLE preferences (
    person_id TEXT NOT NULL REFERENCES people (id), category TEXT NOT NULL,
    name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (person_id, category, name));
CREATE TABLE schema_steps (step BIGINT PRIMARY KEY);
INSERT INTO schema_steps (step) VALUES (1);
INSERT INTO people VALUES
    ('anna1111111111111111111111', 'anna', 'anna@example.org', 'Anna', 'A', '', 'host', 'hash-a', 0, 1, 10, 11, 0),
    ('ben11111111111111111111111', 'ben', 'ben@example.org', 'Ben', 'B', 'b', '', 'hash-b', 0, 0, 12, 12, 0),
    ('bot11111111111111111111111', 'calls', 'calls@localhost', 'Calls', '', '', '', '', 1, 0, 13, 13, 0);
INSERT INTO logins VALUES ('login1', 'token-hash', 'anna1111111111111111111111', 20, 0);
INSERT INTO teams VALUES ('team1111111111111111111111', 'main', 'Main', '', 'O', 5, 5, 0);
INSERT INTO team_members VALUES
    ('team1111111111111111111111', 'anna1111111111111111111111', 1, 14),
    ('team1111111111111111111111', 'ben11111111111111111111111', 0, 15);
INSERT INTO rooms VALUES
    ('room1111111111111111111111', 'team1111111111111111111111', 'O', 'town-square', 'Town Square', '', '', '', 1, 5, 5, 0, 30, 30, 2, 1),
    ('room2222222222222222222222', 'team1111111111111111111111', 'P', 'plans', 'Plans', 'h', 'p', 'anna1111111111111111111111', 0, 6, 6, 0, 0, 0, 0, 0);
INSERT INTO room_members VALUES
    ('room1111111111111111111111', 'anna1111111111111111111111', 1, 14, 30, 2, 1, 0),
    ('room1111111111111111111111', 'ben11111111111111111111111', 0, 15, 16, 1, 1, 3);
INSERT INTO posts VALUES
    ('post1111111111111111111111', 'room1111111111111111111111', 'anna1111111111111111111111', '', 'hello', '', '{"a":1}', 29, 29, 0, 0),
    ('post2222222222222222222222', 'room1111111111111111111111', 'ben11111111111111111111111', 'post1111111111111111111111', 'hi', '', '{}', 30, 30, 0, 0);
INSERT INTO files VALUES
    ('file1111111111111111111111', 'anna1111111111111111111111', 'room1111111111111111111111', 'a.png', 'png', 'image/png', 7, 28),
    ('file2222222222222222222222', 'anna1111111111111111111111', 'room1111111111111111111111', 'b.vtt', 'vtt', 'text/vtt', 8, 28);
INSERT INTO post_files VALUES
    ('post1111111111111111111111', 'file1111111111111111111111', 0, 1),
    ('post1111111111111111111111', 'file2222222222222222222222', 0, 0);
INSERT INTO uploads VALUES
    ('upload11111111111111111111', 'file3333333333333333333333', 'ben11111111111111111111111', 'room1111111111111111111111', 'c.mp4', 9, 31);
INSERT INTO preferences VALUES ('ben11111111111111111111111', 'display', 'theme', 'dark');
