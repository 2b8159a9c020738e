-- Schema 5. What is told to consumers of events (gateway.events.contract).

-- sequence: the order of commits, without gaps. origin: drawn at each opening of the store; origin and sequence are the
-- event's id, which stays unique where a backup was restored. cause: number of the SMS. data: JSON, NULL = none.
CREATE TABLE event (
    sequence INTEGER PRIMARY KEY,
    origin INTEGER NOT NULL,
    at INTEGER NOT NULL,
    cause INTEGER NOT NULL,
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
    cursor INTEGER NOT NULL,
    parked INTEGER NOT NULL DEFAULT 0,
    dropped INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

-- Events that a consumer refused for good, whole: the event itself goes when the other consumers have passed it.
CREATE TABLE parked_event (
    consumer TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    origin INTEGER NOT NULL,
    at INTEGER NOT NULL,
    cause INTEGER NOT NULL,
    msisdn TEXT NOT NULL,
    fetion_number TEXT NOT NULL,
    province TEXT NOT NULL,
    family TEXT NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    data TEXT,
    reason TEXT NOT NULL,
    PRIMARY KEY (consumer, sequence)
) WITHOUT ROWID;
CREATE INDEX parked_event_at ON parked_event (at);
