-- Schema 8. Receipts, both ways (gateway.message.PartReceipt, EarlyReceipt); TLVs that a reply takes over.

-- kind: gateway.message.Kind. tlvs: as they stand on the wire.
ALTER TABLE outbox ADD COLUMN kind INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN tlvs BLOB NOT NULL DEFAULT x'';

-- registered: what the sender wants to be told of the part.
ALTER TABLE part ADD COLUMN registered INTEGER NOT NULL DEFAULT 0;

-- One row per part that left with a receipt asked for. key: remote_id, folded. until: when it is reported that none has
-- come, 0 = not (any more). state: gateway.message.Delivery.
CREATE TABLE receipt (
    number INTEGER NOT NULL,
    part INTEGER NOT NULL,
    parts INTEGER NOT NULL,
    msisdn TEXT NOT NULL,
    account TEXT NOT NULL,
    remote_id TEXT NOT NULL,
    key TEXT NOT NULL,
    at INTEGER NOT NULL,
    until INTEGER NOT NULL,
    state INTEGER NOT NULL,
    said TEXT NOT NULL,
    error TEXT NOT NULL,
    receipted_at INTEGER NOT NULL,
    PRIMARY KEY (number, part)
) WITHOUT ROWID;
CREATE INDEX receipt_key ON receipt (account, key);
CREATE INDEX receipt_until ON receipt (until) WHERE until > 0;

-- Receipts of no part that is known. other: what the part may be called besides, '' = nothing. reported: nobody claimed it.
CREATE TABLE early_receipt (
    account TEXT NOT NULL,
    key TEXT NOT NULL,
    other TEXT NOT NULL,
    remote_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    state INTEGER NOT NULL,
    said TEXT NOT NULL,
    error TEXT NOT NULL,
    receipted_at INTEGER NOT NULL,
    source TEXT NOT NULL,
    destination TEXT NOT NULL,
    reported INTEGER NOT NULL,
    PRIMARY KEY (account, key, state)
) WITHOUT ROWID;
CREATE INDEX early_receipt_other ON early_receipt (account, other) WHERE reported = 0;
CREATE INDEX early_receipt_at ON early_receipt (at);
CREATE INDEX early_receipt_open ON early_receipt (at) WHERE reported = 0;
