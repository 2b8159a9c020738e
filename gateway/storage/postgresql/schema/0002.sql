-- Schema 2: several gateways (nodes) on one store, docs/decisions/017-nodes.md. What there was is that of
-- node 0.

-- One that runs has no columns left to claim its store with.
DO $$ BEGIN
    IF EXISTS (SELECT FROM fetion_store s WHERE holder != '' AND until > clock_timestamp()
            AND (pid IS NULL OR EXISTS (SELECT FROM pg_stat_activity a
                WHERE a.pid = s.pid AND a.backend_start = s.started))) THEN
        RAISE EXCEPTION 'a gateway of an older version has this store open' USING ERRCODE = '55006';
    END IF;
END $$;

-- One row per node, 0: the gateway without a name. holder: drawn by the gateway that is this node at each
-- connection, '' = none. batch: its commits, over all its restarts. until: when its lease is over unless it
-- commits. pid, started: of its connection's process on the server. recovered: since its start it has noted
-- what its last end left in doubt. settled, settled_at: gateway.message.Watermark. receivers: JSON, by
-- account the address ranges of binds that take SMS.
CREATE TABLE node (
    number INTEGER PRIMARY KEY CHECK (number BETWEEN 0 AND 127),
    name TEXT NOT NULL UNIQUE,
    holder TEXT NOT NULL DEFAULT '',
    batch BIGINT NOT NULL DEFAULT 0,
    until TIMESTAMPTZ NOT NULL DEFAULT 'epoch',
    pid INTEGER,
    started TIMESTAMPTZ,
    recovered BOOLEAN NOT NULL DEFAULT FALSE,
    settled BIGINT NOT NULL,
    settled_at BIGINT NOT NULL DEFAULT 0,
    receivers TEXT NOT NULL DEFAULT '{}'
) WITH (fillfactor = 20);
INSERT INTO node (number, name, batch, settled, settled_at)
SELECT 0, '', batch, coalesce((SELECT value FROM meta WHERE key = 'settled'), 0),
    coalesce((SELECT value FROM meta WHERE key = 'settled_at'), 0)
FROM fetion_store;
DELETE FROM meta WHERE key IN ('settled', 'settled_at');
ALTER TABLE fetion_store DROP COLUMN holder, DROP COLUMN batch, DROP COLUMN pid, DROP COLUMN started,
    DROP COLUMN until;

-- revision: grows with each change of the customer or of its list of buddies.
ALTER TABLE customer ADD COLUMN revision BIGINT NOT NULL DEFAULT 1;

-- node: which one sends it. moved: another node put it there, and this one has not taken it in.
ALTER TABLE outbox ADD COLUMN node INTEGER NOT NULL DEFAULT 0, ADD COLUMN moved BOOLEAN NOT NULL DEFAULT FALSE;
DROP INDEX outbox_open;
CREATE INDEX outbox_open ON outbox (node, number) WHERE state IN (0, 4);
CREATE INDEX outbox_moved ON outbox (node, number) WHERE moved;

-- node: which one joins it.
ALTER TABLE part ADD COLUMN node INTEGER NOT NULL DEFAULT 0;
CREATE INDEX part_node ON part (node, number);

-- node: which one makes candidates of it.
ALTER TABLE uncertain ADD COLUMN node INTEGER NOT NULL DEFAULT 0;

-- used_by: the node at which it came again.
ALTER TABLE candidate ADD COLUMN used_by INTEGER NOT NULL DEFAULT 0;
CREATE INDEX candidate_used ON candidate (used_by) WHERE used_at > 0;

-- sequence: the order of a node's commits. number: stands in the event's id, 0: its sequence. It stays when
-- the event moves to another node.
ALTER TABLE event ADD COLUMN node INTEGER NOT NULL DEFAULT 0, ADD COLUMN number BIGINT NOT NULL DEFAULT 0,
    DROP CONSTRAINT event_pkey, ADD PRIMARY KEY (node, sequence);
ALTER TABLE consumer ADD COLUMN node INTEGER NOT NULL DEFAULT 0,
    DROP CONSTRAINT consumer_pkey, ADD PRIMARY KEY (node, name);
ALTER TABLE parked_event ADD COLUMN node INTEGER NOT NULL DEFAULT 0,
    ADD COLUMN number BIGINT NOT NULL DEFAULT 0,
    DROP CONSTRAINT parked_event_pkey, ADD PRIMARY KEY (node, consumer, sequence);

-- SMS of named nodes whose answers are not certain yet, so that a resend is recognised at any node. ordinal:
-- counts those with this digest.
CREATE TABLE answered (
    digest BYTEA NOT NULL,
    ordinal INTEGER NOT NULL,
    number BIGINT NOT NULL,
    PRIMARY KEY (digest, ordinal)
);
CREATE INDEX answered_number ON answered (number);

-- Tasks that only one node may do, by whom they are held.
CREATE TABLE holding (name TEXT PRIMARY KEY, node INTEGER NOT NULL);
