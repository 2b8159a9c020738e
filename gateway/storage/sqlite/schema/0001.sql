-- Schema 1. Times are milliseconds since the epoch, UTC. Numbers of SMS: gateway/message.py.

CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;

-- One row per SMS from a handset that was answered positively: trace, uplink record, digest, replay input.
CREATE TABLE journal (
    number INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    account TEXT NOT NULL,
    session INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
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
    digest BLOB NOT NULL,
    repeated_at INTEGER NOT NULL DEFAULT 0
);

-- One row per SMS that leaves: downlink record. state: gateway.message.Delivery. text: a BLOB is sealed, NULL blanked.
CREATE TABLE outbox (
    number INTEGER PRIMARY KEY,
    cause INTEGER NOT NULL,
    msisdn TEXT NOT NULL,
    account TEXT NOT NULL,
    source TEXT NOT NULL,
    destination TEXT NOT NULL,
    ton INTEGER NOT NULL,
    npi INTEGER NOT NULL,
    text,
    secret INTEGER NOT NULL,
    reference INTEGER NOT NULL,
    at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    state INTEGER NOT NULL,
    parts INTEGER NOT NULL,
    parts_done INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    closed_at INTEGER NOT NULL DEFAULT 0,
    remote_id TEXT NOT NULL DEFAULT '',
    error TEXT NOT NULL DEFAULT ''
);
CREATE INDEX outbox_waiting ON outbox (number) WHERE state = 0;

-- A handset that wrote or was written to. doc: the rest of commands.model.Customer as JSON.
CREATE TABLE customer (
    msisdn INTEGER PRIMARY KEY,
    fetion_number INTEGER UNIQUE,
    state TEXT NOT NULL,
    account TEXT NOT NULL,
    spelling TEXT NOT NULL,
    ton INTEGER NOT NULL,
    npi INTEGER NOT NULL,
    doc TEXT
);

CREATE TABLE buddy (
    owner INTEGER NOT NULL,
    other INTEGER NOT NULL,
    name TEXT NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (owner, other)
) WITHOUT ROWID;

-- Parts of long messages that wait for the others. octets: sealed.
CREATE TABLE part (
    number INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    source TEXT NOT NULL,
    destination TEXT NOT NULL,
    kind TEXT NOT NULL,
    reference INTEGER NOT NULL,
    total INTEGER NOT NULL,
    place INTEGER NOT NULL,
    data_coding INTEGER NOT NULL,
    octets BLOB NOT NULL,
    deadline INTEGER NOT NULL
);

-- Ranges of the journal whose positive answers may not have reached the peer. session 0: any.
CREATE TABLE uncertain (
    session INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    at INTEGER NOT NULL,
    until INTEGER NOT NULL
);
