//! Tables. The version stands in `PRAGMA user_version`; a newer one is refused.
//!
//! `WITHOUT ROWID` where the key is (operation, number): a transition then touches few pages, and pages are what a commit
//! pays for. The unique partial index is the last line of defence for "one open operation per environment".

/// The schema that this gonogo reads and writes.
pub(crate) const VERSION: i64 = 3;

/// What leads from each schema to the next, from an empty database on, in parts by what they are for. Never changed once it was
/// released: new steps go behind.
pub(crate) const STEPS: &[&[&str]] = &[&[FIRST], &[ACCESS], &[PEOPLE]];

const FIRST: &str = "
CREATE TABLE plan(
    id TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, environment TEXT NOT NULL, service TEXT NOT NULL,
    requester TEXT NOT NULL, created INTEGER NOT NULL, body TEXT NOT NULL
) STRICT;
CREATE INDEX plan_by_time ON plan(created);
CREATE TABLE operation(
    id TEXT PRIMARY KEY, plan TEXT NOT NULL, fingerprint TEXT NOT NULL, environment TEXT NOT NULL,
    idempotency TEXT NOT NULL, requester TEXT NOT NULL, created INTEGER NOT NULL, seq INTEGER NOT NULL,
    snapshot TEXT, digest TEXT, phase TEXT NOT NULL, terminal TEXT, updated INTEGER NOT NULL,
    UNIQUE(environment, idempotency)
) STRICT;
CREATE UNIQUE INDEX operation_open ON operation(environment) WHERE terminal IS NULL;
CREATE INDEX operation_by_time ON operation(created);
CREATE TABLE event(
    operation TEXT NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL, input TEXT NOT NULL, digest TEXT NOT NULL,
    PRIMARY KEY(operation, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE outbox(
    operation TEXT NOT NULL, act INTEGER NOT NULL, state TEXT NOT NULL CHECK(state IN ('ready','started','done')),
    epoch INTEGER, body TEXT NOT NULL, claimed_at INTEGER,
    PRIMARY KEY(operation, act)
) STRICT, WITHOUT ROWID;
CREATE TABLE timer(
    operation TEXT NOT NULL, id INTEGER NOT NULL, due INTEGER NOT NULL,
    PRIMARY KEY(operation, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE inbox(
    id INTEGER PRIMARY KEY AUTOINCREMENT, operation TEXT NOT NULL, input TEXT NOT NULL, at INTEGER NOT NULL
) STRICT;
CREATE INDEX inbox_by_operation ON inbox(operation, id);
CREATE TABLE pending_record(
    operation TEXT NOT NULL, seq INTEGER NOT NULL, n INTEGER NOT NULL, draft TEXT NOT NULL,
    PRIMARY KEY(operation, seq, n)
) STRICT, WITHOUT ROWID;
CREATE TABLE lease(
    environment TEXT PRIMARY KEY, owner TEXT NOT NULL, epoch INTEGER NOT NULL, expires INTEGER NOT NULL,
    pid INTEGER NOT NULL, start INTEGER NOT NULL, namespace TEXT NOT NULL, boot TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE approval_use(
    approval TEXT PRIMARY KEY, operation TEXT NOT NULL, at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE known_good(
    n INTEGER PRIMARY KEY AUTOINCREMENT, environment TEXT NOT NULL, version TEXT NOT NULL, content TEXT NOT NULL,
    operation TEXT NOT NULL UNIQUE, at INTEGER NOT NULL
) STRICT;
CREATE INDEX known_good_by_environment ON known_good(environment, n);
CREATE TABLE ledger_bond(
    id INTEGER PRIMARY KEY CHECK(id = 0), log_key TEXT NOT NULL
) STRICT;
";

/// Who may come in through doors, and what ties an operation to the call that began it.
const ACCESS: &str = "
ALTER TABLE operation ADD COLUMN trace TEXT;
CREATE TABLE token(
    id TEXT PRIMARY KEY, name TEXT NOT NULL, kind TEXT NOT NULL CHECK(kind IN ('person','agent')), acts_for TEXT,
    scopes TEXT NOT NULL, secret TEXT NOT NULL, issuer TEXT NOT NULL, created INTEGER NOT NULL, expires INTEGER NOT NULL,
    revoked INTEGER
) STRICT, WITHOUT ROWID;
";

/// People with passwords, and their sessions.
const PEOPLE: &str = "
CREATE TABLE user(
    name TEXT PRIMARY KEY, roles TEXT NOT NULL, password TEXT NOT NULL, issuer TEXT NOT NULL, created INTEGER NOT NULL,
    changed INTEGER NOT NULL, disabled INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE session(
    id TEXT PRIMARY KEY, user TEXT NOT NULL, secret TEXT NOT NULL, created INTEGER NOT NULL, seen INTEGER NOT NULL,
    expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX session_by_user ON session(user, created);
";
