-- Schema 4. SMS that leave at once touch no index.

-- listed: it is in outbox_waiting while it waits. Every other SMS that waits has a number above meta.listed.
DROP INDEX outbox_waiting;
ALTER TABLE outbox ADD COLUMN listed INTEGER NOT NULL DEFAULT 0;
UPDATE outbox SET listed = 1 WHERE state = 0;
CREATE INDEX outbox_waiting ON outbox (number) WHERE listed = 1 AND state = 0;
INSERT INTO meta VALUES ('listed', coalesce((SELECT max(number) FROM outbox), 0));
