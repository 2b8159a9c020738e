-- Schema 3. Retransmissions are looked up here; texts that are not stored say why; long messages outlive completion.

-- SMS that may come again although they were executed, because their answers are in doubt.
-- session: on which it was answered last. until: how long it is looked for. used_at: when it came again and was
-- answered, 0 = it may come.
CREATE TABLE candidate (
    number INTEGER PRIMARY KEY,
    digest BLOB NOT NULL,
    session INTEGER NOT NULL,
    until INTEGER NOT NULL,
    used_at INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX candidate_digest ON candidate (digest);

-- done: the numbers up to here have been made candidates. `at` is not used any more.
-- An hour counts from now on: what earlier versions looked for during a day is looked for during an hour.
INSERT INTO candidate (number, digest, session, until)
SELECT j.number, j.digest, max(u.session), min(max(u.until), max(u.at) + 3600000)
FROM (
    SELECT session, min(first) AS first, max(last) AS last, max(at) AS at, max(until) AS until
    FROM uncertain WHERE session != 0 GROUP BY session
    UNION ALL SELECT session, first, last, at, until FROM uncertain WHERE session = 0
) u JOIN journal j ON j.number BETWEEN u.first AND u.last AND u.session IN (0, j.session)
WHERE NOT (j.repeated_at > u.at
    AND j.repeated_at <= coalesce((SELECT value FROM meta WHERE key = 'settled_at'), 0))
GROUP BY j.number;
DROP TABLE uncertain;
CREATE TABLE uncertain (
    id INTEGER PRIMARY KEY,
    session INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    until INTEGER NOT NULL,
    done INTEGER NOT NULL
);

-- hidden: why the text is not stored: password, attempt, or empty.
ALTER TABLE journal ADD COLUMN hidden TEXT NOT NULL DEFAULT '';
UPDATE journal SET hidden = 'password', text = '' WHERE text = '<secret>'
    AND (instruction LIKE 'password.%' OR sub_code = '050');
UPDATE journal SET hidden = 'attempt', text = '' WHERE text = '<masked>';

-- repeat: it may have left before, at a time that nobody noted (a restart, a timeout, a lost session).
ALTER TABLE outbox ADD COLUMN repeat INTEGER NOT NULL DEFAULT 0;

-- msisdn: the sender as understood. ton, npi: of the source. at: when it came. digest: of the octets, keyed.
-- complete: the message was complete and this part may come again; its octets are gone.
ALTER TABLE part ADD COLUMN msisdn TEXT NOT NULL DEFAULT '';
ALTER TABLE part ADD COLUMN ton INTEGER NOT NULL DEFAULT 0;
ALTER TABLE part ADD COLUMN npi INTEGER NOT NULL DEFAULT 1;
ALTER TABLE part ADD COLUMN at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE part ADD COLUMN digest BLOB NOT NULL DEFAULT x'';
ALTER TABLE part ADD COLUMN complete INTEGER NOT NULL DEFAULT 0;
