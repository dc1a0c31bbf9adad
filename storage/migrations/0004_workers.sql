-- Every commit rewrites the head: room in its page keeps the new version there, and the indexes untouched.
ALTER TABLE diagram_head SET (fillfactor = 50);

-- Who serves from this store. bus_id: of the Redis that carries this worker's news.
CREATE TABLE worker (
    id text NOT NULL PRIMARY KEY,
    bus_id text,
    version text NOT NULL,
    started_at bigint NOT NULL,
    seen_at bigint NOT NULL
);

-- One row, by which a store that lost time knows itself: promoted, or played back from a backup. renewing names what
-- its diagrams are given new epochs for, renewed the number of the last that has one.
CREATE TABLE store_identity (
    one bigint NOT NULL PRIMARY KEY,
    identity text NOT NULL,
    renewing text,
    renewed bigint NOT NULL
);
