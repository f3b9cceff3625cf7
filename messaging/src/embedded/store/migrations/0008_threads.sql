-- Who follows which thread, and up to where. is_following is 0 for who stopped: then only her own
-- reply, her name in one, or her wish brings her back. unread counts the living replies behind
-- viewed_seq, mentions those of them that are about her.
CREATE TABLE thread_followers (
  root_id TEXT NOT NULL REFERENCES posts (id), person_id TEXT NOT NULL REFERENCES people (id),
  is_following BIGINT NOT NULL, viewed_at BIGINT NOT NULL, viewed_seq BIGINT NOT NULL,
  unread BIGINT NOT NULL, mentions BIGINT NOT NULL, PRIMARY KEY (root_id, person_id));
CREATE INDEX threads_of_person ON thread_followers (person_id, root_id);
-- Whoever wrote in a thread until now follows it, and has read it.
INSERT INTO thread_followers
    (root_id, person_id, is_following, viewed_at, viewed_seq, unread, mentions)
  SELECT first.id, writer.author_id, 1, first.last_reply_at,
    (SELECT COALESCE(MAX(reply.seq), 0) FROM posts reply WHERE reply.root_id = first.id), 0, 0
  FROM posts first
  JOIN (SELECT DISTINCT CASE WHEN root_id = '' THEN id ELSE root_id END AS thread_id, author_id
        FROM posts WHERE deleted_at = 0) AS writer ON writer.thread_id = first.id
  JOIN people ON people.id = writer.author_id
  WHERE first.reply_count > 0 AND first.deleted_at = 0 AND people.is_bot = 0;
-- Of the mentions in a room, those in first posts.
ALTER TABLE room_members ADD COLUMN root_mentions BIGINT NOT NULL DEFAULT 0;
UPDATE room_members SET root_mentions = mentions;
