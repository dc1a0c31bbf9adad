-- Of fields and metadata: a change says which version it was made of, so that of two at once none is lost.
ALTER TABLE diagram ADD COLUMN version bigint NOT NULL DEFAULT 1;
ALTER TABLE item ADD COLUMN version bigint NOT NULL DEFAULT 1;
