-- Who hears of what by webhook. owner and its parts: who may read is asked again for every event; sealed_secret: only
-- the server opens it. busy_until: somebody is at it. due_at: of the next challenge.
CREATE TABLE webhook_subscription (
    id text NOT NULL PRIMARY KEY,
    owner text NOT NULL,
    owner_id text NOT NULL,
    owner_provider text NOT NULL,
    owner_provider_id text NOT NULL,
    threat_model_id text,
    title text NOT NULL,
    name text NOT NULL,
    url text NOT NULL,
    events text NOT NULL,
    sealed_secret text NOT NULL,
    status text NOT NULL,
    created_at bigint NOT NULL,
    modified_at bigint NOT NULL,
    active_at bigint,
    last_error text,
    challenges bigint NOT NULL,
    due_at bigint NOT NULL,
    busy_until bigint NOT NULL
);
CREATE INDEX webhook_subscription_by_owner ON webhook_subscription (owner_id);

-- The groups that the owner's token had.
CREATE TABLE webhook_group (
    subscription_id text NOT NULL,
    name text NOT NULL,
    PRIMARY KEY (subscription_id, name)
);

-- The outbox. id is made of the subscription and the event: written twice, it is there once. place: among those of one
-- moment. Rows of a subscription that is gone are dropped later.
CREATE TABLE webhook_delivery (
    id text NOT NULL PRIMARY KEY,
    subscription_id text NOT NULL,
    event_type text NOT NULL,
    threat_model_id text NOT NULL,
    body text NOT NULL,
    status text NOT NULL,
    attempts bigint NOT NULL,
    place bigint NOT NULL,
    due_at bigint NOT NULL,
    created_at bigint NOT NULL,
    delivered_at bigint,
    last_error text
);
CREATE INDEX webhook_delivery_due ON webhook_delivery (subscription_id, due_at, place) WHERE status = 'pending';
CREATE INDEX webhook_delivery_by_age ON webhook_delivery (created_at);
CREATE INDEX webhook_delivery_by_subscription ON webhook_delivery (subscription_id, created_at);

-- Whose owner could read a threat model when it was deleted.
CREATE TABLE webhook_farewell (
    threat_model_id text NOT NULL,
    subscription_id text NOT NULL,
    at bigint NOT NULL,
    PRIMARY KEY (threat_model_id, subscription_id)
);

-- One row: how far the trail was told, when edits were, and which worker does it now.
CREATE TABLE webhook_turn (
    one bigint NOT NULL PRIMARY KEY,
    serial bigint NOT NULL,
    edits_at bigint NOT NULL,
    worker text,
    held_until bigint NOT NULL
);

-- Where diagrams stood when their edits were told.
CREATE TABLE webhook_head (
    diagram bigint NOT NULL PRIMARY KEY,
    epoch text NOT NULL,
    vector bigint NOT NULL,
    at bigint NOT NULL
);
