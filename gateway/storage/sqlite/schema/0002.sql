-- Schema 2. What the whole of appendix 8 keeps.

-- matching: has ordered the matching product.
ALTER TABLE customer ADD COLUMN matching INTEGER NOT NULL DEFAULT 0;
CREATE INDEX customer_matching ON customer (msisdn) WHERE matching = 1;

ALTER TABLE buddy ADD COLUMN blocked INTEGER NOT NULL DEFAULT 0;
ALTER TABLE buddy ADD COLUMN matched_at INTEGER NOT NULL DEFAULT 0;

-- source_ton, source_npi: of our own number, as the handset's centre wrote it.
ALTER TABLE outbox ADD COLUMN source_ton INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN source_npi INTEGER NOT NULL DEFAULT 1;
-- losses: how many sessions were lost while it was in flight.
ALTER TABLE outbox ADD COLUMN losses INTEGER NOT NULL DEFAULT 0;
CREATE INDEX outbox_suspect ON outbox (number) WHERE state = 4;

-- One row per order or cancellation of a product: charging record. cause: number of the SMS.
CREATE TABLE product_record (
    cause INTEGER NOT NULL,
    msisdn INTEGER NOT NULL,
    product TEXT NOT NULL,
    operation TEXT NOT NULL,
    at INTEGER NOT NULL,
    trial INTEGER NOT NULL,
    province TEXT NOT NULL
);
