-- Schema 6. Attempts to send an SMS, for traces; state 4 is called parked everywhere.

DROP INDEX outbox_suspect;
CREATE INDEX outbox_parked ON outbox (number) WHERE state = 4;

-- session: of the bind that answered last, 0 = not known (closed by an earlier version, or never answered).
ALTER TABLE outbox ADD COLUMN session INTEGER NOT NULL DEFAULT 0;

-- gateway.message.Attempt. An SMS whose only attempt was answered positively has none: its row says enough.
-- place: of the attempt among those kept; the last ones take turns.
CREATE TABLE attempt (
    number INTEGER NOT NULL,
    place INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    part INTEGER NOT NULL,
    left_at INTEGER NOT NULL,
    at INTEGER NOT NULL,
    session INTEGER NOT NULL,
    remote TEXT NOT NULL,
    result TEXT NOT NULL,
    status TEXT NOT NULL,
    waited TEXT NOT NULL,
    PRIMARY KEY (number, place)
) WITHOUT ROWID;
