-- Schema 9. Figures, accounts of the console, actions of operators (gateway.storage.figures, accounts; gateway.message.Acted).

-- kind: day, week or month. period: its first day, YYYY-MM-DD in service.timezone. The other columns: gateway.storage.figures.
-- The order of the key is that of gateway.storage.figures.ORDER.
CREATE TABLE figure (
    kind TEXT NOT NULL,
    measure TEXT NOT NULL,
    period TEXT NOT NULL,
    province TEXT NOT NULL,
    way TEXT NOT NULL,
    what TEXT NOT NULL,
    outcome TEXT NOT NULL,
    count INTEGER NOT NULL,
    parts INTEGER NOT NULL,
    PRIMARY KEY (kind, measure, period, outcome, way, what, province)
) WITHOUT ROWID;

-- Which customers were active in a period. ways: a bit for each way of access that he used (gateway.storage.figures).
CREATE TABLE active_customer (
    kind TEXT NOT NULL,
    period TEXT NOT NULL,
    msisdn INTEGER NOT NULL,
    province TEXT NOT NULL,
    ways INTEGER NOT NULL,
    PRIMARY KEY (kind, period, msisdn)
) WITHOUT ROWID;

-- Accounts of the console. password: argon2. province: 000 = headquarters, which sees all.
CREATE TABLE console_account (
    name TEXT PRIMARY KEY,
    password TEXT NOT NULL,
    role TEXT NOT NULL,
    province TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    disabled INTEGER NOT NULL
) WITHOUT ROWID;

-- Sessions and tokens, by a digest of what the visitor shows. token: its name; '' = a session of a browser.
CREATE TABLE console_session (
    digest BLOB PRIMARY KEY,
    account TEXT NOT NULL,
    token TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) WITHOUT ROWID;

-- What was done at the console: who, what, about whom, why, from where.
CREATE TABLE console_audit (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    account TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    reason TEXT NOT NULL,
    remote TEXT NOT NULL
);
CREATE INDEX console_audit_at ON console_audit (at);

-- An operator's action: number is that of its row in the journal. request: drawn by the page, by which a second click is known.
CREATE TABLE operator_action (
    request TEXT PRIMARY KEY,
    number INTEGER NOT NULL,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    msisdn TEXT NOT NULL,
    reason TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX operator_action_at ON operator_action (at);
