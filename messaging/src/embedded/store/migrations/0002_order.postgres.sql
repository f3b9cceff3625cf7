-- Posts are ordered by a number of their own, whatever the clock said; what a page needs to know
-- of a post (its size, the size of its thread) is kept with it.
ALTER TABLE posts ADD COLUMN seq BIGINT NOT NULL DEFAULT 0;
ALTER TABLE posts ADD COLUMN size_bytes BIGINT NOT NULL DEFAULT 0;
ALTER TABLE posts ADD COLUMN reply_count BIGINT NOT NULL DEFAULT 0;
ALTER TABLE posts ADD COLUMN last_reply_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE room_members ADD COLUMN viewed_seq BIGINT NOT NULL DEFAULT 0;

-- times were given out once and in order until now
UPDATE posts SET seq = ranked.number
  FROM (SELECT id AS post_id, ROW_NUMBER() OVER (ORDER BY created_at, id) AS number FROM posts)
    AS ranked
  WHERE ranked.post_id = posts.id;
UPDATE posts SET reply_count = thread.replies, last_reply_at = thread.newest
  FROM (SELECT root_id AS first_id, COUNT(*) AS replies, MAX(created_at) AS newest FROM posts
        WHERE root_id <> '' AND deleted_at = 0 GROUP BY root_id) AS thread
  WHERE thread.first_id = posts.id;
-- what was deleted is gone
UPDATE posts SET message = '', props = '{}' WHERE deleted_at <> 0;
UPDATE posts SET size_bytes = 600 + OCTET_LENGTH(message) + OCTET_LENGTH(props);

CREATE UNIQUE INDEX posts_in_order ON posts (seq);
CREATE INDEX posts_of_room_in_order ON posts (room_id, seq);
CREATE INDEX posts_of_thread_in_order ON posts (root_id, seq);
DROP INDEX posts_of_room;
DROP INDEX posts_of_thread;
UPDATE room_members SET viewed_seq = (SELECT COALESCE(MAX(p.seq), 0) FROM posts p
  WHERE p.room_id = room_members.room_id AND p.created_at <= room_members.viewed_at);

-- when the clock was set back: a time between the two may be one before or one after
CREATE TABLE clock_steps (
  number BIGINT PRIMARY KEY, from_ms BIGINT NOT NULL, to_ms BIGINT NOT NULL);
