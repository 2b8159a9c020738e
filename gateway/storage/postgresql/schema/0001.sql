-- Schema 1. Times are milliseconds since the epoch, UTC. Numbers of SMS: gateway/message.py.

-- One row. version: of the schema. holder: drawn by the gateway that owns the store at each connection, '' = none.
-- batch: the last commit of that gateway. pid, started: of its connection's process on the server. until: when its
-- ownership ends unless it commits.
CREATE TABLE fetion_store (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    version INTEGER NOT NULL,
    holder TEXT NOT NULL,
    batch BIGINT NOT NULL,
    pid INTEGER,
    started TIMESTAMPTZ,
    until TIMESTAMPTZ NOT NULL
) WITH (fillfactor = 20);
INSERT INTO fetion_store VALUES (1, 0, '', 0, NULL, NULL, 'epoch');

CREATE TABLE meta (key TEXT PRIMARY KEY, value BIGINT NOT NULL) WITH (fillfactor = 20);

-- One row per SMS from a handset that was answered positively: trace, uplink record, digest, replay input.
-- hidden: why the text is not stored. detail: JSON as text, NULL = none.
CREATE TABLE journal (
    number BIGINT PRIMARY KEY,
    at BIGINT NOT NULL,
    account TEXT NOT NULL,
    session BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    source TEXT NOT NULL,
    destination TEXT NOT NULL,
    msisdn TEXT NOT NULL,
    access_code TEXT NOT NULL,
    sub_code TEXT NOT NULL,
    province TEXT NOT NULL,
    esm_class INTEGER NOT NULL,
    data_coding INTEGER NOT NULL,
    parts INTEGER NOT NULL,
    instruction TEXT NOT NULL,
    outcome TEXT NOT NULL,
    text TEXT NOT NULL,
    detail TEXT,
    digest BYTEA NOT NULL,
    repeated_at BIGINT NOT NULL DEFAULT 0,
    hidden TEXT NOT NULL
);

-- One row per SMS that leaves: downlink record. state: gateway.message.Delivery. session: of the bind that answered last. text: '' of a secret one, which has
-- `sealed` until it is closed.
CREATE TABLE outbox (
    number BIGINT PRIMARY KEY,
    cause BIGINT NOT NULL,
    msisdn TEXT NOT NULL,
    account TEXT NOT NULL,
    source TEXT NOT NULL,
    destination TEXT NOT NULL,
    ton INTEGER NOT NULL,
    npi INTEGER NOT NULL,
    text TEXT NOT NULL,
    sealed BYTEA,
    secret BOOLEAN NOT NULL,
    reference INTEGER NOT NULL,
    at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    state INTEGER NOT NULL DEFAULT 0,
    parts INTEGER NOT NULL,
    parts_done INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    closed_at BIGINT NOT NULL DEFAULT 0,
    remote_id TEXT NOT NULL DEFAULT '',
    error TEXT NOT NULL DEFAULT '',
    source_ton INTEGER NOT NULL,
    source_npi INTEGER NOT NULL,
    losses INTEGER NOT NULL DEFAULT 0,
    repeat BOOLEAN NOT NULL DEFAULT FALSE,
    session BIGINT NOT NULL DEFAULT 0
);
-- Those that wait, and those that are parked.
CREATE INDEX outbox_open ON outbox (number) WHERE state IN (0, 4);

-- gateway.message.Attempt. An SMS whose only attempt was answered positively has none: its row says enough.
-- place: of the attempt among those kept; the last ones take turns.
CREATE TABLE attempt (
    number BIGINT NOT NULL,
    place INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    part INTEGER NOT NULL,
    left_at BIGINT NOT NULL,
    at BIGINT NOT NULL,
    session BIGINT NOT NULL,
    remote TEXT NOT NULL,
    result TEXT NOT NULL,
    status TEXT NOT NULL,
    waited TEXT NOT NULL,
    PRIMARY KEY (number, place)
);

-- A handset that wrote or was written to. doc: the rest of commands.model.Customer as JSON. matching: has ordered the
-- matching product.
CREATE TABLE customer (
    msisdn BIGINT PRIMARY KEY,
    fetion_number BIGINT UNIQUE,
    state TEXT NOT NULL,
    account TEXT NOT NULL,
    spelling TEXT NOT NULL,
    ton INTEGER NOT NULL,
    npi INTEGER NOT NULL,
    doc TEXT,
    matching INTEGER NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX customer_matching ON customer (msisdn) WHERE matching = 1;

CREATE TABLE buddy (
    owner BIGINT NOT NULL,
    other BIGINT NOT NULL,
    name TEXT NOT NULL,
    since BIGINT NOT NULL,
    blocked BOOLEAN NOT NULL,
    matched_at BIGINT NOT NULL,
    PRIMARY KEY (owner, other)
);

-- Parts of long messages that wait for the others. octets: sealed; empty where the message is complete.
CREATE TABLE part (
    number BIGINT PRIMARY KEY,
    account TEXT NOT NULL,
    source TEXT NOT NULL,
    destination TEXT NOT NULL,
    kind TEXT NOT NULL,
    reference INTEGER NOT NULL,
    total INTEGER NOT NULL,
    place INTEGER NOT NULL,
    data_coding INTEGER NOT NULL,
    octets BYTEA NOT NULL,
    deadline BIGINT NOT NULL,
    msisdn TEXT NOT NULL,
    ton INTEGER NOT NULL,
    npi INTEGER NOT NULL,
    at BIGINT NOT NULL,
    digest BYTEA NOT NULL,
    complete BOOLEAN NOT NULL
);

-- One row per order or cancellation of a product: charging record. cause: number of the SMS.
CREATE TABLE product_record (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    cause BIGINT NOT NULL,
    msisdn TEXT NOT NULL,
    product TEXT NOT NULL,
    operation TEXT NOT NULL,
    at BIGINT NOT NULL,
    trial BOOLEAN NOT NULL,
    province TEXT NOT NULL
);

-- Ranges of the journal whose positive answers may not have reached the peer. session 0: any. done: the numbers up to
-- here have been made candidates.
CREATE TABLE uncertain (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session BIGINT NOT NULL,
    first BIGINT NOT NULL,
    last BIGINT NOT NULL,
    until BIGINT NOT NULL,
    done BIGINT NOT NULL
);

-- SMS that may come again although they were executed. session: on which it was answered last. until: how long it is
-- looked for. used_at: when it came again and was answered, 0 = it may come.
CREATE TABLE candidate (
    number BIGINT PRIMARY KEY,
    digest BYTEA NOT NULL,
    session BIGINT NOT NULL,
    until BIGINT NOT NULL,
    used_at BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX candidate_digest ON candidate (digest);

-- sequence: the order of commits, without gaps. origin: drawn at each opening of the store; origin and sequence are the
-- event's id. cause: number of the SMS. data: JSON as text, NULL = none.
CREATE TABLE event (
    sequence BIGINT PRIMARY KEY,
    origin BIGINT NOT NULL,
    at BIGINT NOT NULL,
    cause BIGINT NOT NULL,
    msisdn TEXT NOT NULL,
    fetion_number TEXT NOT NULL,
    province TEXT NOT NULL,
    family TEXT NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    data TEXT
);

-- cursor: the last event that it is done with. parked: events that it refused for good. dropped: events that went
-- before it took them. Both count from its first day.
CREATE TABLE consumer (
    name TEXT PRIMARY KEY,
    cursor BIGINT NOT NULL DEFAULT 0,
    parked BIGINT NOT NULL DEFAULT 0,
    dropped BIGINT NOT NULL DEFAULT 0
);

-- Events that a consumer refused for good, whole: the event itself goes when the other consumers have passed it.
CREATE TABLE parked_event (
    consumer TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    origin BIGINT NOT NULL,
    at BIGINT NOT NULL,
    cause BIGINT NOT NULL,
    msisdn TEXT NOT NULL,
    fetion_number TEXT NOT NULL,
    province TEXT NOT NULL,
    family TEXT NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    data TEXT,
    reason TEXT NOT NULL,
    PRIMARY KEY (consumer, sequence)
);
CREATE INDEX parked_event_at ON parked_event (at);
