-- Whether TMI's web app fetched the ticket: it is told some things otherwise than other clients of its dialect.
ALTER TABLE ticket ADD COLUMN by_cookie bigint NOT NULL DEFAULT 0;
