//! Answers to requests that came with a key of their caller's, in a file of its own: `.gonogo/answers.db`.
//!
//! A request is noted before it is carried out and its answer is kept beside it, so that the same request again has the same answer, also
//! after a restart and from another process. Whoever finds a request that is noted and not answered waits for whoever carries it out; one
//! that nobody answers any more is given up after a time. It is not `state.db`, because answers that depend on that one are kept until it
//! changes.

use std::path::{Path, PathBuf};

use gonogo_core::{Span, Timestamp};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

/// Name of the file in the state directory.
const FILE: &str = "answers.db";
/// How long answers are kept.
pub const KEPT: Span = Span::from_secs(7 * 86_400);
/// After so long a request that is not answered was left by a process that has ended.
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
        self.with(|connection| Ok(known(connection, who, key, digest)?.map(|(stands, _)| stands)))
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
        self.with(|connection| {
            let change = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            change.execute("DELETE FROM asked WHERE at < ?1", [before(KEPT)])?;
            let stands = match known(&change, who, key, digest)? {
                Some((Stands::UnderWay, at)) if at < before(LEFT) => Stands::Begun,
                Some((stands, _)) => return Ok(stands),
                None => Stands::Begun,
            };
            change.execute(
                "INSERT OR REPLACE INTO asked(who, key, digest, at, answer) VALUES (?1, ?2, ?3, ?4, NULL)",
                params![who, key, digest, now.as_millis()],
            )?;
            change.commit()?;
            Ok(stands)
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
                    "UPDATE asked SET answer = ?3 WHERE who = ?1 AND key = ?2",
                    params![who, key, answer],
                )?,
                None => connection.execute(
                    "DELETE FROM asked WHERE who = ?1 AND key = ?2",
                    params![who, key],
                )?,
            };
            Ok(())
        })
    }
}

fn known(
    connection: &Connection,
    who: &str,
    key: &str,
    digest: &str,
) -> rusqlite::Result<Option<(Stands, i64)>> {
    let mut query =
        connection.prepare("SELECT digest, answer, at FROM asked WHERE who = ?1 AND key = ?2")?;
    let row = query.query_row([who, key], |row| {
        let (of, answer): (String, Option<String>) = (row.get(0)?, row.get(1)?);
        let stands = match answer {
            _ if of != digest => Stands::Another,
            Some(answer) => Stands::Answered(answer),
            None => Stands::UnderWay,
        };
        Ok((stands, row.get(2)?))
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
        "CREATE TABLE IF NOT EXISTS asked(
            who TEXT NOT NULL, key TEXT NOT NULL, digest TEXT NOT NULL, at INTEGER NOT NULL, answer TEXT,
            PRIMARY KEY(who, key)
        ) STRICT, WITHOUT ROWID;",
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
}
