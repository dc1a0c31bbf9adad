-- since_version: of the session's facts, as of which this member's sockets from before are gone (SES6); kept whatever
-- the status: joined, left or denied.
ALTER TABLE session_member ADD COLUMN since_version bigint;
