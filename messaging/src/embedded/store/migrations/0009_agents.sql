-- What a sign-in was made with: names of a browser and of a system, each empty where it is not known.
ALTER TABLE logins ADD COLUMN browser TEXT NOT NULL DEFAULT '';
ALTER TABLE logins ADD COLUMN os TEXT NOT NULL DEFAULT '';
