-- The name under which a push relay knows the device of a login.
CREATE TABLE push_ids (
  login_id TEXT PRIMARY KEY, person_id TEXT NOT NULL, push_id TEXT NOT NULL);
CREATE INDEX push_ids_person ON push_ids (person_id);
