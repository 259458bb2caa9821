//! Operations: submitting one exactly once, reading where it stands, and posting inputs to whoever drives it.

use std::fmt::Display;
use std::str::FromStr;

use gonogo_core::id::{ApprovalId, OperationId, PlanId};
use gonogo_core::{Digest, Fingerprint, Timestamp};
use gonogo_release::{Input, Phase, Terminal};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::database::Store;
use crate::draft::Draft;
use crate::error::{Fault, StoreError};
use crate::lease::Holder;

/// A request to begin an operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Submission {
    /// The new operation's id.
    pub operation: OperationId,
    /// Which plan.
    pub plan: PlanId,
    /// The plan's fingerprint, recomputed.
    pub fingerprint: Fingerprint,
    /// Where.
    pub environment: String,
    /// The caller's key: the same key is the same request.
    pub key: String,
    /// Who.
    pub requester: String,
    /// When.
    pub at: Timestamp,
    /// The approvals that count; each is used up.
    pub approvals: Vec<ApprovalId>,
    /// Ties the operation to the call that began it.
    pub trace: Option<String>,
    /// Evidence of the submission, to be appended before anything else of the operation.
    pub records: Vec<Draft>,
}

/// What became of a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submitted {
    /// The operation: the new one, or the one that the same request began earlier.
    pub operation: OperationId,
    /// Whether this submission began it.
    pub fresh: bool,
}

/// An operation as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// Its id.
    pub id: OperationId,
    /// Which plan.
    pub plan: PlanId,
    /// The plan's fingerprint.
    pub fingerprint: Fingerprint,
    /// Where.
    pub environment: String,
    /// The caller's key.
    pub key: String,
    /// Who asked.
    pub requester: String,
    /// When.
    pub created: Timestamp,
    /// Number of the last event; 0 before the first.
    pub seq: u64,
    /// The machine's state after it, as JSON; none before the first.
    pub snapshot: Option<String>,
    /// Digest of the machine's state.
    pub digest: Option<Digest>,
    /// Where it stands.
    pub phase: Phase,
    /// How it ended.
    pub terminal: Option<Terminal>,
    /// Time of the last change.
    pub updated: Timestamp,
    /// Ties it to the call that began it.
    pub trace: Option<String>,
}

/// An operation that is not finished, and who drives it.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenOperation {
    /// The operation.
    pub operation: Operation,
    /// Who has or had the environment's lease; none if nobody ever had.
    pub holder: Option<Holder>,
}

/// One entry of an operation's journal.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// From 1, without gaps.
    pub seq: u64,
    /// Machine time.
    pub at: Timestamp,
    /// What came in.
    pub input: Input,
    /// Digest of the machine's state afterwards.
    pub digest: Digest,
}

/// An input from another process.
#[derive(Debug, Clone, PartialEq)]
pub struct Posted {
    /// Its number; grows.
    pub id: i64,
    /// What came in.
    pub input: Input,
}

/// A version that passed its soak.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownGood {
    /// Where.
    pub environment: String,
    /// The version's name.
    pub version: String,
    /// Digest of its whole description.
    pub content: Digest,
    /// The operation that showed it.
    pub operation: OperationId,
    /// When.
    pub at: Timestamp,
}

const COLUMNS: &str = "id, plan, fingerprint, environment, idempotency, requester, created, seq, snapshot, digest, \
                       phase, terminal, updated, trace";

impl Store {
    /// Begins an operation, exactly once for each (environment, key): one transaction that checks the key, checks that no
    /// other operation is open, uses up the approvals and queues the first input.
    ///
    /// # Errors
    /// [`StoreError::IdempotencyConflict`], [`StoreError::OperationOpen`], [`StoreError::ApprovalReused`]; nothing is
    /// changed then.
    pub fn submit(&self, s: &Submission) -> Result<Submitted, StoreError> {
        self.submit_with(s, None)
    }

    /// As [`Store::submit`], for an operation that begins in the state `snapshot`: one that a workflow service carries out.
    ///
    /// # Errors
    /// As [`Store::submit`].
    pub fn submit_with(
        &self,
        s: &Submission,
        snapshot: Option<&str>,
    ) -> Result<Submitted, StoreError> {
        self.write(|c| {
            if let Some(operation) = earlier(c, s)? {
                return Ok(Submitted {
                    operation,
                    fresh: false,
                });
            }
            let open: Option<String> = c
                .query_row(
                    "SELECT id FROM operation WHERE environment = ?1 AND terminal IS NULL",
                    [&s.environment],
                    |r| r.get(0),
                )
                .optional()?;
            if let Some(open) = open {
                return Err(StoreError::OperationOpen {
                    environment: s.environment.clone(),
                    operation: parsed("operation", &open)?,
                }
                .into());
            }
            use_up(c, s)?;
            c.execute(
                "INSERT INTO operation(id, plan, fingerprint, environment, idempotency, requester, created, seq, phase, updated, trace, snapshot, digest)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8, ?7, ?9, ?10, ?11)",
                params![
                    s.operation.as_str(),
                    s.plan.as_str(),
                    s.fingerprint.to_string(),
                    s.environment,
                    s.key,
                    s.requester,
                    s.at.as_millis(),
                    json("operation", &s.operation, &Phase::Preflight)?,
                    s.trace,
                    snapshot,
                    snapshot.map(|s| Digest::of(s.as_bytes()).to_string()),
                ],
            )?;
            enqueue(c, &s.operation, &Input::Start, s.at)?;
            for (n, draft) in s.records.iter().enumerate() {
                insert_pending(c, &s.operation, 0, n, draft)?;
            }
            Ok(Submitted {
                operation: s.operation.clone(),
                fresh: true,
            })
        })
    }

    /// The operation that used `approval`, if one did.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub fn approval_user(&self, approval: &ApprovalId) -> Result<Option<OperationId>, StoreError> {
        self.read(|c| user_of(c, approval))
    }

    /// Queues an input for whoever drives the operation.
    ///
    /// # Errors
    /// [`StoreError::OperationEnded`] if it takes no more inputs, [`StoreError::Unknown`] if it does not exist.
    pub fn post(&self, id: &OperationId, input: &Input, at: Timestamp) -> Result<i64, StoreError> {
        self.write(|c| {
            if operation(c, id)?.terminal.is_some() {
                return Err(StoreError::OperationEnded(id.clone()).into());
            }
            enqueue(c, id, input, at)
        })
    }

    /// Inputs queued for the operation, oldest first, at most 64.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub fn inbox(&self, id: &OperationId) -> Result<Vec<Posted>, StoreError> {
        self.read(|c| {
            let mut query = c.prepare_cached(
                "SELECT id, input FROM inbox WHERE operation = ?1 ORDER BY id LIMIT 64",
            )?;
            let rows = query.query_map([id.as_str()], |r| {
                Ok((r.get::<_, i64>(0)?, r.get::<_, String>(1)?))
            })?;
            rows.map(|row| {
                let (n, input) = row?;
                Ok(Posted {
                    id: n,
                    input: from_json("inbox", n, &input)?,
                })
            })
            .collect()
        })
    }

    /// The operation with this id.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] if there is none, [`StoreError::Malformed`] if it cannot be understood.
    pub fn operation(&self, id: &OperationId) -> Result<Operation, StoreError> {
        self.read(|c| operation(c, id))
    }

    /// The operation that a caller's key began in an environment, if it did.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub fn by_key(&self, environment: &str, key: &str) -> Result<Option<Operation>, StoreError> {
        self.read(|c| {
            let sql = format!(
                "SELECT {COLUMNS} FROM operation WHERE environment = ?1 AND idempotency = ?2"
            );
            let mut query = c.prepare_cached(&sql)?;
            let mut rows = query.query(params![environment, key])?;
            rows.next()?.map(read_operation).transpose()
        })
    }

    /// Operations whose ids begin with `prefix`, in `environment` or in all, at most `limit`, newest first. The empty prefix
    /// lists all.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub fn operations(
        &self,
        prefix: &str,
        environment: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Operation>, StoreError> {
        self.read(|c| {
            let sql = format!(
                "SELECT {COLUMNS} FROM operation
                 WHERE substr(id, 1, length(?1)) = ?1 AND (?2 IS NULL OR environment = ?2)
                 ORDER BY created DESC, id LIMIT ?3"
            );
            let mut query = c.prepare_cached(&sql)?;
            let mut rows = query.query(params![prefix, environment, limit])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(read_operation(row)?);
            }
            Ok(found)
        })
    }

    /// A page of operations, newest first: at most `limit` behind `after`, in `environment` or in all, and, where `results` are given,
    /// only those that ended so; an empty list of results means those that have not ended.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub fn operations_page(
        &self,
        environment: Option<&str>,
        results: Option<&[&str]>,
        after: Option<&OperationId>,
        limit: u32,
    ) -> Result<Vec<Operation>, StoreError> {
        let results = results.map(|r| r.join(","));
        self.read(|c| {
            let sql = format!(
                "SELECT {COLUMNS} FROM operation
                 WHERE (?1 IS NULL OR environment = ?1)
                 AND (?2 IS NULL OR CASE WHEN terminal IS NULL THEN ?2 = ''
                      ELSE instr(',' || ?2 || ',', ',' || json_extract(terminal, '$.result') || ',') > 0 END)
                 AND (?3 IS NULL OR (created, id) < ((SELECT created FROM operation WHERE id = ?3), ?3))
                 ORDER BY created DESC, id DESC LIMIT ?4"
            );
            let mut query = c.prepare_cached(&sql)?;
            let after = after.map(OperationId::as_str);
            let mut rows = query.query(params![environment, results, after, limit])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(read_operation(row)?);
            }
            Ok(found)
        })
    }

    /// Operations that are not finished, oldest first: not ended, or ended with evidence that is not in the ledger yet. Each
    /// comes with what is known about its driver: one whose driver is not [`Live`](crate::Liveness::Live) waits for somebody
    /// to go on with it.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub fn open_operations(&self) -> Result<Vec<OpenOperation>, StoreError> {
        let open = self.read(|c| {
            let sql = format!(
                "SELECT {COLUMNS} FROM operation
                 WHERE terminal IS NULL OR id IN (SELECT operation FROM pending_record) ORDER BY created, id"
            );
            let mut query = c.prepare_cached(&sql)?;
            let mut rows = query.query([])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(read_operation(row)?);
            }
            Ok(found)
        })?;
        open.into_iter()
            .map(|operation| {
                let holder = self.holder(&operation.environment)?;
                Ok(OpenOperation { operation, holder })
            })
            .collect()
    }

    /// Events of an operation after number `after`, in order, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read or an event cannot be understood.
    pub fn events(
        &self,
        id: &OperationId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<Event>, StoreError> {
        self.read(|c| {
            let mut query = c.prepare_cached(
                "SELECT seq, at, input, digest FROM event WHERE operation = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
            )?;
            let mut rows = query.query(params![id.as_str(), after as i64, limit])?;
            let mut events = Vec::new();
            while let Some(row) = rows.next()? {
                let seq: i64 = row.get(0)?;
                events.push(Event {
                    seq: seq as u64,
                    at: Timestamp::from_millis(row.get(1)?),
                    input: from_json("event", seq, &row.get::<_, String>(2)?)?,
                    digest: parsed("event digest", &row.get::<_, String>(3)?)?,
                });
            }
            Ok(events)
        })
    }

    /// Versions of `environment` that passed their soak, newest first, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub fn known_good(&self, environment: &str, limit: u32) -> Result<Vec<KnownGood>, StoreError> {
        self.read(|c| {
            let mut query = c.prepare_cached(
                "SELECT version, content, operation, at FROM known_good WHERE environment = ?1 ORDER BY n DESC LIMIT ?2",
            )?;
            let mut rows = query.query(params![environment, limit])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(KnownGood {
                    environment: environment.to_owned(),
                    version: row.get(0)?,
                    content: parsed("known-good digest", &row.get::<_, String>(1)?)?,
                    operation: parsed("operation", &row.get::<_, String>(2)?)?,
                    at: Timestamp::from_millis(row.get(3)?),
                });
            }
            Ok(found)
        })
    }
}

fn earlier(c: &Connection, s: &Submission) -> Result<Option<OperationId>, Fault> {
    let found: Option<(String, String)> = c
        .query_row(
            "SELECT id, fingerprint FROM operation WHERE environment = ?1 AND idempotency = ?2",
            params![s.environment, s.key],
            |r| Ok((r.get(0)?, r.get(1)?)),
        )
        .optional()?;
    let Some((id, fingerprint)) = found else {
        return Ok(None);
    };
    let operation = parsed("operation", &id)?;
    if fingerprint != s.fingerprint.to_string() {
        return Err(StoreError::IdempotencyConflict {
            key: s.key.clone(),
            environment: s.environment.clone(),
            operation,
        }
        .into());
    }
    Ok(Some(operation))
}

fn use_up(c: &Connection, s: &Submission) -> Result<(), Fault> {
    for approval in &s.approvals {
        if let Some(operation) = user_of(c, approval)? {
            return Err(StoreError::ApprovalReused {
                approval: approval.clone(),
                operation,
            }
            .into());
        }
        c.execute(
            "INSERT INTO approval_use(approval, operation, at) VALUES (?1, ?2, ?3)",
            params![approval.as_str(), s.operation.as_str(), s.at.as_millis()],
        )?;
    }
    Ok(())
}

fn user_of(c: &Connection, approval: &ApprovalId) -> Result<Option<OperationId>, Fault> {
    let user: Option<String> = c
        .query_row(
            "SELECT operation FROM approval_use WHERE approval = ?1",
            [approval.as_str()],
            |r| r.get(0),
        )
        .optional()?;
    user.map(|id| parsed("operation", &id)).transpose()
}

fn enqueue(c: &Connection, id: &OperationId, input: &Input, at: Timestamp) -> Result<i64, Fault> {
    c.prepare_cached("INSERT INTO inbox(operation, input, at) VALUES (?1, ?2, ?3)")?
        .execute(params![
            id.as_str(),
            json("inbox", id, input)?,
            at.as_millis()
        ])?;
    Ok(c.last_insert_rowid())
}

fn operation(c: &Connection, id: &OperationId) -> Result<Operation, Fault> {
    let sql = format!("SELECT {COLUMNS} FROM operation WHERE id = ?1");
    let mut query = c.prepare_cached(&sql)?;
    let mut rows = query.query([id.as_str()])?;
    match rows.next()? {
        Some(row) => read_operation(row),
        None => Err(StoreError::Unknown {
            what: "operation",
            id: id.to_string(),
        }
        .into()),
    }
}

fn read_operation(row: &Row<'_>) -> Result<Operation, Fault> {
    let text = |i: usize| row.get::<_, String>(i);
    let id: OperationId = parsed("operation", &text(0)?)?;
    let digest: Option<String> = row.get(9)?;
    let terminal: Option<String> = row.get(11)?;
    Ok(Operation {
        plan: parsed("plan", &text(1)?)?,
        fingerprint: parsed("fingerprint", &text(2)?)?,
        environment: text(3)?,
        key: text(4)?,
        requester: text(5)?,
        created: Timestamp::from_millis(row.get(6)?),
        seq: row.get::<_, i64>(7)? as u64,
        snapshot: row.get(8)?,
        digest: digest.map(|d| parsed("digest", &d)).transpose()?,
        phase: from_json("operation", &id, &text(10)?)?,
        terminal: terminal
            .map(|t| from_json("operation", &id, &t))
            .transpose()?,
        updated: Timestamp::from_millis(row.get(12)?),
        trace: row.get(13)?,
        id,
    })
}

pub(crate) fn insert_pending(
    c: &Connection,
    id: &OperationId,
    seq: u64,
    n: usize,
    draft: &Draft,
) -> Result<(), Fault> {
    c.prepare_cached(
        "INSERT INTO pending_record(operation, seq, n, draft) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![
        id.as_str(),
        seq as i64,
        n as i64,
        json("draft", id, draft)?
    ])?;
    Ok(())
}

pub(crate) fn json<T: Serialize>(
    what: &'static str,
    id: impl Display,
    value: &T,
) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|e| Fault::malformed(what, id, e))
}

pub(crate) fn from_json<T: DeserializeOwned>(
    what: &'static str,
    id: impl Display,
    text: &str,
) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(|e| Fault::malformed(what, id, e))
}

pub(crate) fn parsed<T: FromStr>(what: &'static str, text: &str) -> Result<T, Fault>
where
    T::Err: Display,
{
    text.parse().map_err(|e| Fault::malformed(what, text, e))
}
