-- disabled_at: since then this person is locked out, whose logins ended with it (AU12); null: not.
ALTER TABLE account ADD COLUMN disabled_at bigint;
CREATE INDEX login_by_user ON login (user_id);
