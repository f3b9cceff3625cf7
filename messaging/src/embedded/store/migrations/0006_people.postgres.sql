-- What people answer posts with: one of each emoji a person.
CREATE TABLE reactions (
  post_id TEXT NOT NULL REFERENCES posts (id), person_id TEXT NOT NULL REFERENCES people (id),
  emoji TEXT NOT NULL, created_at BIGINT NOT NULL, PRIMARY KEY (post_id, person_id, emoji));
-- Which words are in which post, by the post's place in the order of all posts.
CREATE TABLE post_words (
  word TEXT NOT NULL, seq BIGINT NOT NULL, PRIMARY KEY (word, seq));
CREATE INDEX words_of_post ON post_words (seq);
-- Posts up to this place are still to be indexed, the newest first.
CREATE TABLE unindexed (id BIGINT PRIMARY KEY, up_to BIGINT NOT NULL);
INSERT INTO unindexed (id, up_to) SELECT 1, COALESCE(MAX(seq), 0) FROM posts;
ALTER TABLE people ADD COLUMN locale TEXT NOT NULL DEFAULT '';
-- When the picture was changed; 0 for the drawn one.
ALTER TABLE people ADD COLUMN pictured_at BIGINT NOT NULL DEFAULT 0;
-- The words of the names in lower case, a space before each.
ALTER TABLE people ADD COLUMN search_names TEXT NOT NULL DEFAULT '';
CREATE TABLE portraits (
  person_id TEXT PRIMARY KEY REFERENCES people (id), mime TEXT NOT NULL, picture BLOB NOT NULL);
-- max_uses is 0 for any number; ended_at is when it was withdrawn.
CREATE TABLE invites (
  id TEXT PRIMARY KEY, token_hash TEXT NOT NULL UNIQUE,
  team_id TEXT NOT NULL REFERENCES teams (id), creator_id TEXT NOT NULL REFERENCES people (id),
  created_at BIGINT NOT NULL, expires_at BIGINT NOT NULL, max_uses BIGINT NOT NULL,
  uses BIGINT NOT NULL, ended_at BIGINT NOT NULL);
CREATE INDEX invites_of_team ON invites (team_id, created_at);
