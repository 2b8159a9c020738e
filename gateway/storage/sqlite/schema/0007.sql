-- Schema 7. SMS to and from provinces (gateway.message.Asked, Posted).

-- An SMS to a province, which has to answer it by reply_by. over_at: when it was answered, or the customer was told that
-- nobody did; 0 = neither.
CREATE TABLE province_asked (
    number INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    province TEXT NOT NULL,
    msisdn TEXT NOT NULL,
    destination TEXT NOT NULL,
    reply_by INTEGER NOT NULL,
    over_at INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX province_asked_open ON province_asked (reply_by) WHERE over_at = 0;
CREATE INDEX province_asked_at ON province_asked (at);

-- An SMS that a province's system sent: id is its own, by which repeats are known. number: in the outbox.
CREATE TABLE province_sent (
    province TEXT NOT NULL,
    id TEXT NOT NULL,
    at INTEGER NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (province, id)
) WITHOUT ROWID;
CREATE INDEX province_sent_at ON province_sent (at);
