//! Answers to requests that came with a key of their caller's, in a file of its own: `.gonogo/answers.db`.
//!
//! A request is noted before it is carried out and its answer is kept beside it, so that the same request again has the same answer, also
//! after a restart and from another process. Whoever finds a request that is noted and not answered waits for whoever carries it out; one
//! whose process has ended is given up at once, one of a process that cannot be seen from here after a time. It is not `state.db`, because answers that depend on that one are kept until it
//! changes.
//!
//! Where in the ledger a request is about to write is noted before it writes: whoever takes up one that was cut off finds what it left there,
//! and does not do it again.

use std::path::{Path, PathBuf};

use gonogo_core::{Span, Timestamp};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use crate::Process;

/// Name of the file in the state directory.
const FILE: &str = "answers.db";
/// How long answers are kept.
pub const KEPT: Span = Span::from_secs(7 * 86_400);
/// After so long a request that is not answered is given up, whoever carries it out.
pub const LEFT: Span = Span::from_secs(600);
/// How long to wait for another process that writes.
const BUSY: std::time::Duration = std::time::Duration::from_secs(2);

/// How a request stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stands {
    /// It is noted now: whoever asked carries it out, and says how it ended.
    Begun,
    /// Somebody carries it out.
    UnderWay,
    /// It was answered so.
    Answered(String),
    /// The key is another request's.
    Another,
}

/// Where a request was about to write, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The stream.
    pub stream: String,
    /// The record's key.
    pub key: String,
    /// SHA-256 of the record's body in canonical form, in hexadecimal digits: the place may be somebody else's by now.
    pub content: String,
}

/// Why requests cannot be noted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("answers in `{}`: {text}", path.display())]
pub struct AnswersError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong.
    pub text: String,
}

/// The file.
pub struct Answers {
    path: PathBuf,
}

impl Answers {
    /// The file of a state directory. It is opened when it is needed.
    pub fn of(state: &Path) -> Self {
        Self {
            path: state.join(FILE),
        }
    }

    fn with<T>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, AnswersError> {
        let done = open(&self.path).and_then(|mut connection| work(&mut connection));
        done.map_err(|e| AnswersError {
            path: self.path.clone(),
            text: e.to_string(),
        })
    }

    /// How the request of `who` under `key` stands that has this digest; nothing is noted.
    ///
    /// # Errors
    /// [`AnswersError`]. A file that is absent holds nothing.
    pub fn look(&self, who: &str, key: &str, digest: &str) -> Result<Option<Stands>, AnswersError> {
        if !self.path.exists() {
            return Ok(None);
        }
        self.with(|connection| Ok(known(connection, who, key, digest)?.map(|(stands, ..)| stands)))
    }

    /// Notes a request, unless it is known.
    ///
    /// # Errors
    /// [`AnswersError`]; nothing was noted then.
    pub fn begin(
        &self,
        who: &str,
        key: &str,
        digest: &str,
        now: Timestamp,
    ) -> Result<Stands, AnswersError> {
        let before =
            |span: Span| now.as_millis() - i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        let me = Process::this();
        self.with(|connection| {
            let change = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            change.execute("DELETE FROM request WHERE at < ?1", [before(KEPT)])?;
            change.execute(
                "DELETE FROM place WHERE NOT EXISTS (SELECT 1 FROM request WHERE request.who = place.who AND request.key = place.request)",
                [],
            )?;
            let stands = match known(&change, who, key, digest)? {
                Some((Stands::UnderWay, at, by)) if at < before(LEFT) || by.is_dead() => {
                    Stands::Begun
                }
                Some((stands, ..)) => return Ok(stands),
                None => Stands::Begun,
            };
            change.execute(
                "INSERT OR REPLACE INTO request(who, key, digest, at, pid, start, namespace, boot)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                params![
                    who,
                    key,
                    digest,
                    now.as_millis(),
                    me.pid,
                    me.start.cast_signed(),
                    me.namespace,
                    me.boot
                ],
            )?;
            change.commit()?;
            Ok(stands)
        })
    }

    /// Notes where a request that was begun is about to write.
    ///
    /// # Errors
    /// [`AnswersError`]; then it must not write.
    pub fn note(&self, who: &str, key: &str, places: &[Place]) -> Result<(), AnswersError> {
        self.with(|connection| {
            let change = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for place in places {
                change.execute(
                    "INSERT OR REPLACE INTO place(who, request, stream, key, content) VALUES (?1, ?2, ?3, ?4, ?5)",
                    params![who, key, place.stream, place.key, place.content],
                )?;
            }
            change.commit()
        })
    }

    /// Where a request was about to write, as often as it was begun.
    ///
    /// # Errors
    /// [`AnswersError`]. A file that is absent holds nothing.
    pub fn places(&self, who: &str, key: &str) -> Result<Vec<Place>, AnswersError> {
        if !self.path.exists() {
            return Ok(Vec::new());
        }
        self.with(|connection| {
            let mut query = connection.prepare(
                "SELECT stream, key, content FROM place WHERE who = ?1 AND request = ?2 ORDER BY rowid",
            )?;
            let rows = query.query_map([who, key], |row| {
                Ok(Place {
                    stream: row.get(0)?,
                    key: row.get(1)?,
                    content: row.get(2)?,
                })
            })?;
            rows.collect()
        })
    }

    /// Leaves a request that was begun to whoever asks for it again: they find what it wrote.
    ///
    /// # Errors
    /// [`AnswersError`]; it stays under way then, until it is given up.
    pub fn leave(&self, who: &str, key: &str) -> Result<(), AnswersError> {
        self.with(|connection| {
            connection.execute(
                "UPDATE request SET boot = '' WHERE who = ?1 AND key = ?2",
                params![who, key],
            )?;
            Ok(())
        })
    }

    /// Says how a request ended that was begun: with an answer, or so that it may be asked again.
    ///
    /// # Errors
    /// [`AnswersError`]; it stays under way then, until it is given up.
    pub fn end(&self, who: &str, key: &str, answer: Option<&str>) -> Result<(), AnswersError> {
        self.with(|connection| {
            match answer {
                Some(answer) => connection.execute(
                    "UPDATE request SET answer = ?3 WHERE who = ?1 AND key = ?2",
                    params![who, key, answer],
                )?,
                None => connection.execute(
                    "DELETE FROM request WHERE who = ?1 AND key = ?2",
                    params![who, key],
                )?,
            };
            connection.execute(
                "DELETE FROM place WHERE who = ?1 AND request = ?2",
                params![who, key],
            )?;
            Ok(())
        })
    }
}

fn known(
    connection: &Connection,
    who: &str,
    key: &str,
    digest: &str,
) -> rusqlite::Result<Option<(Stands, i64, Process)>> {
    let mut query = connection.prepare(
        "SELECT digest, answer, at, pid, start, namespace, boot FROM request WHERE who = ?1 AND key = ?2",
    )?;
    let row = query.query_row([who, key], |row| {
        let (of, answer): (String, Option<String>) = (row.get(0)?, row.get(1)?);
        let stands = match answer {
            _ if of != digest => Stands::Another,
            Some(answer) => Stands::Answered(answer),
            None => Stands::UnderWay,
        };
        let by = Process {
            pid: row.get(3)?,
            start: row.get::<_, i64>(4)?.cast_unsigned(),
            namespace: row.get(5)?,
            boot: row.get(6)?,
        };
        Ok((stands, row.get(2)?, by))
    });
    row.optional()
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    use std::os::unix::fs::OpenOptionsExt;
    // SQLite makes files that everybody may read; what this one holds is nobody's affair.
    let made = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path);
    made.map_err(|e| rusqlite::Error::ToSqlConversionFailure(Box::new(e)))?;
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS request(
            who TEXT NOT NULL, key TEXT NOT NULL, digest TEXT NOT NULL, at INTEGER NOT NULL, answer TEXT,
            pid INTEGER NOT NULL, start INTEGER NOT NULL, namespace TEXT NOT NULL, boot TEXT NOT NULL,
            PRIMARY KEY(who, key)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS place(
            who TEXT NOT NULL, request TEXT NOT NULL, stream TEXT NOT NULL, key TEXT NOT NULL, content TEXT NOT NULL,
            PRIMARY KEY(who, request, stream, key)
        ) STRICT;",
    )?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + seconds * 1_000)
    }

    #[test]
    fn a_request_is_carried_out_once_and_answered_as_often_as_it_is_asked() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (Answers::of(dir.path()), Answers::of(dir.path()));
        assert_eq!(a.look("ann", "k", "d1").unwrap(), None);
        assert_eq!(a.begin("ann", "k", "d1", at(0)).unwrap(), Stands::Begun);
        assert_eq!(b.begin("ann", "k", "d1", at(1)).unwrap(), Stands::UnderWay);
        assert_eq!(b.begin("ann", "k", "d2", at(1)).unwrap(), Stands::Another);
        assert_eq!(b.begin("ben", "k", "d2", at(1)).unwrap(), Stands::Begun);
        a.end("ann", "k", Some("yes")).unwrap();
        let answered = Stands::Answered("yes".into());
        assert_eq!(b.begin("ann", "k", "d1", at(2)).unwrap(), answered);
        assert_eq!(b.look("ann", "k", "d1").unwrap(), Some(answered));
        // What failed may be asked again.
        b.end("ben", "k", None).unwrap();
        assert_eq!(a.begin("ben", "k", "d3", at(3)).unwrap(), Stands::Begun);
        // Nobody answers it any more.
        assert_eq!(a.begin("ben", "k", "d3", at(604)).unwrap(), Stands::Begun);
        assert_eq!(
            a.begin("ann", "k", "d9", at(8 * 86_400)).unwrap(),
            Stands::Begun
        );
    }

    #[test]
    fn where_a_request_wrote_is_known_until_it_is_answered() {
        let dir = tempfile::tempdir().unwrap();
        let answers = Answers::of(dir.path());
        let place = |key: &str| Place {
            stream: "control/freezes".into(),
            key: key.into(),
            content: "00".into(),
        };
        assert_eq!(answers.places("ann", "k").unwrap(), []);
        answers.begin("ann", "k", "d1", at(0)).unwrap();
        answers
            .note("ann", "k", &[place("freeze/1"), place("freeze/2")])
            .unwrap();
        answers.leave("ann", "k").unwrap();
        // Whoever asks again is given it at once, and what was noted with it, also where others come and go meanwhile.
        answers.begin("ben", "k", "d1", at(1)).unwrap();
        answers.end("ben", "k", None).unwrap();
        assert_eq!(
            answers.begin("ann", "k", "d1", at(1)).unwrap(),
            Stands::Begun
        );
        answers.note("ann", "k", &[place("freeze/3")]).unwrap();
        let noted = answers.places("ann", "k").unwrap();
        assert_eq!(noted, ["freeze/1", "freeze/2", "freeze/3"].map(place));
        assert_eq!(answers.places("ben", "k").unwrap(), []);
        assert_eq!(
            answers.begin("ann", "k", "d2", at(2)).unwrap(),
            Stands::Another
        );
        answers.end("ann", "k", Some("yes")).unwrap();
        assert_eq!(answers.places("ann", "k").unwrap(), []);
    }

    #[test]
    fn what_a_process_left_that_has_ended_may_be_asked_again_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let answers = Answers::of(dir.path());
        answers.begin("ann", "k", "d1", at(0)).unwrap();
        answers.begin("ann", "kept", "d1", at(0)).unwrap();
        answers.end("ann", "kept", Some("yes")).unwrap();
        // As if another process had begun both.
        let mut ended = std::process::Command::new("true").spawn().unwrap();
        ended.wait().unwrap();
        let db = Connection::open(dir.path().join(FILE)).unwrap();
        db.execute("UPDATE request SET pid = ?1, start = 1", [ended.id()])
            .unwrap();
        let begin = |key: &str| answers.begin("ann", key, "d1", at(1)).unwrap();
        assert_eq!(begin("k"), Stands::Begun);
        assert_eq!(begin("k"), Stands::UnderWay);
        assert_eq!(begin("kept"), Stands::Answered("yes".into()));
    }
}
