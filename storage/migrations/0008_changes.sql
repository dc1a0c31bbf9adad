-- Who changed what, and by which door. Nothing refers to anything: it outlives what it speaks of. detail: JSON.
CREATE TABLE change (
    serial bigint NOT NULL PRIMARY KEY,
    at bigint NOT NULL,
    user_id text,
    author text,
    action text NOT NULL,
    object_type text NOT NULL,
    object_id text NOT NULL,
    threat_model_id text NOT NULL,
    diagram_id text,
    door text NOT NULL,
    vector bigint,
    detail text NOT NULL
);
CREATE INDEX change_by_threat_model ON change (threat_model_id, serial);
CREATE INDEX change_by_diagram ON change (diagram_id, serial) WHERE diagram_id IS NOT NULL;
CREATE INDEX change_by_age ON change (at);

-- One row, held from the taking of a serial to the end of the transaction: changes become visible in their order.
CREATE TABLE change_serial (
    one bigint NOT NULL PRIMARY KEY,
    last bigint NOT NULL
);
INSERT INTO change_serial (one, last) VALUES (1, 0);
