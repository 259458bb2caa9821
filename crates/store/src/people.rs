//! People with passwords, and their sessions. Of a password its hash is kept, of a session the digest of its secret.
//!
//! Invariants: a session is its user's as the user is now: a changed password, a disabled and a removed user end all of them in the same
//! transaction; a session that has ended is gone.

use gonogo_core::id::SessionId;
use gonogo_core::{Digest, Timestamp};
use rusqlite::{Connection, Row, params};

use crate::database::Store;
use crate::error::{Fault, StoreError};
use crate::operation::parsed;

/// Sessions that a user can have at once; a further one ends the oldest.
const SESSIONS: u32 = 20;

/// Somebody with a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Name, as records carry it.
    pub name: String,
    /// Roles, by name.
    pub roles: Vec<String>,
    /// What is kept of the password, as a PHC string.
    pub password: String,
    /// Who made the user.
    pub issuer: String,
    /// When.
    pub created: Timestamp,
    /// Since when the password is this one.
    pub changed: Timestamp,
    /// Since when the user is let in no more.
    pub disabled: Option<Timestamp>,
}

/// A session as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its id, which is no secret.
    pub id: SessionId,
    /// Whose it is.
    pub user: String,
    /// SHA-256 of the secret.
    pub secret: Digest,
    /// When it began.
    pub created: Timestamp,
    /// When it was last used, roughly.
    pub seen: Timestamp,
    /// From when on it is worth nothing, used or not.
    pub expires: Timestamp,
}

/// A session with its user as the user is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The session.
    pub session: Session,
    /// Its user.
    pub user: User,
}

const USER: &str = "name, roles, password, issuer, created, changed, disabled";

impl Store {
    /// Keeps a new user; says whether the name was free.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be written.
    pub fn put_user(&self, user: &User) -> Result<bool, StoreError> {
        self.write(|c| {
            let n = c.execute(
                "INSERT OR IGNORE INTO user(name, roles, password, issuer, created, changed) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![
                    user.name,
                    user.roles.join(" "),
                    user.password,
                    user.issuer,
                    user.created.as_millis(),
                    user.changed.as_millis(),
                ],
            )?;
            Ok(n == 1)
        })
    }

    /// The user of this name.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub fn user(&self, name: &str) -> Result<Option<User>, StoreError> {
        self.read(|c| {
            let mut query =
                c.prepare_cached(&format!("SELECT {USER} FROM user WHERE name = ?1"))?;
            let mut rows = query.query([name])?;
            rows.next()?.map(|row| read_user(row, 0)).transpose()
        })
    }

    /// Every user, by name.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub fn users(&self) -> Result<Vec<User>, StoreError> {
        self.read(|c| {
            let mut query = c.prepare_cached(&format!("SELECT {USER} FROM user ORDER BY name"))?;
            let mut rows = query.query([])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(read_user(row, 0)?);
            }
            Ok(found)
        })
    }

    /// Gives a user another password and ends the user's sessions; says how many.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] if there is no such user.
    pub fn set_password(&self, name: &str, kept: &str, at: Timestamp) -> Result<usize, StoreError> {
        self.write(|c| {
            let n = c.execute(
                "UPDATE user SET password = ?2, changed = ?3 WHERE name = ?1",
                params![name, kept, at.as_millis()],
            )?;
            ended_with(c, name, n)
        })
    }

    /// Lets a user in no more, or again; either way ends the user's sessions and says how many.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] if there is no such user.
    pub fn set_disabled(&self, name: &str, since: Option<Timestamp>) -> Result<usize, StoreError> {
        self.write(|c| {
            let n = c.execute(
                "UPDATE user SET disabled = ?2 WHERE name = ?1",
                params![name, since.map(Timestamp::as_millis)],
            )?;
            ended_with(c, name, n)
        })
    }

    /// Removes a user and ends the user's sessions; says how many.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] if there is no such user.
    pub fn remove_user(&self, name: &str) -> Result<usize, StoreError> {
        self.write(|c| {
            let n = c.execute("DELETE FROM user WHERE name = ?1", [name])?;
            ended_with(c, name, n)
        })
    }

    /// Begins a session, if the user is let in and still has the password of which `kept` was kept; says whether it began. What has
    /// expired is cleared away.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be written.
    pub fn begin_session(&self, session: &Session, kept: &str) -> Result<bool, StoreError> {
        self.write(|c| {
            c.execute(
                "DELETE FROM session WHERE expires <= ?1",
                [session.created.as_millis()],
            )?;
            let n = c.execute(
                "INSERT INTO session(id, user, secret, created, seen, expires)
                 SELECT ?1, name, ?3, ?4, ?4, ?5 FROM user WHERE name = ?2 AND password = ?6 AND disabled IS NULL",
                params![
                    session.id.as_str(),
                    session.user,
                    session.secret.to_string(),
                    session.created.as_millis(),
                    session.expires.as_millis(),
                    kept,
                ],
            )?;
            c.execute(
                "DELETE FROM session WHERE user = ?1 AND id NOT IN
                 (SELECT id FROM session WHERE user = ?1 ORDER BY created DESC, id LIMIT ?2)",
                params![session.user, SESSIONS],
            )?;
            Ok(n == 1)
        })
    }

    /// The session with this id, and its user; none if it has ended.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub fn session(&self, id: &SessionId) -> Result<Option<Opened>, StoreError> {
        self.read(|c| {
            let mut query = c.prepare_cached(
                "SELECT s.id, s.user, s.secret, s.created, s.seen, s.expires,
                        u.name, u.roles, u.password, u.issuer, u.created, u.changed, u.disabled
                 FROM session s JOIN user u ON u.name = s.user WHERE s.id = ?1",
            )?;
            let mut rows = query.query([id.as_str()])?;
            rows.next()?.map(read_opened).transpose()
        })
    }

    /// Notes that a session was used.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be written.
    pub fn touch_session(&self, id: &SessionId, at: Timestamp) -> Result<(), StoreError> {
        self.write(|c| {
            c.execute(
                "UPDATE session SET seen = max(seen, ?2) WHERE id = ?1",
                params![id.as_str(), at.as_millis()],
            )?;
            Ok(())
        })
    }

    /// Ends a session; says whether there was one.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be written.
    pub fn end_session(&self, id: &SessionId) -> Result<bool, StoreError> {
        self.write(|c| Ok(c.execute("DELETE FROM session WHERE id = ?1", [id.as_str()])? == 1))
    }
}

/// Ends the sessions of a user of whom there was one.
fn ended_with(c: &Connection, name: &str, users: usize) -> Result<usize, Fault> {
    if users == 0 {
        return Err(Fault::Store(StoreError::Unknown {
            what: "user",
            id: name.to_owned(),
        }));
    }
    Ok(c.execute("DELETE FROM session WHERE user = ?1", [name])?)
}

fn read_user(row: &Row<'_>, from: usize) -> Result<User, Fault> {
    let time = |i: usize| row.get::<_, i64>(from + i).map(Timestamp::from_millis);
    let disabled: Option<i64> = row.get(from + 6)?;
    Ok(User {
        name: row.get(from)?,
        roles: row
            .get::<_, String>(from + 1)?
            .split_whitespace()
            .map(str::to_owned)
            .collect(),
        password: row.get(from + 2)?,
        issuer: row.get(from + 3)?,
        created: time(4)?,
        changed: time(5)?,
        disabled: disabled.map(Timestamp::from_millis),
    })
}

fn read_opened(row: &Row<'_>) -> Result<Opened, Fault> {
    let time = |i: usize| row.get::<_, i64>(i).map(Timestamp::from_millis);
    Ok(Opened {
        session: Session {
            id: parsed("session", &row.get::<_, String>(0)?)?,
            user: row.get(1)?,
            secret: parsed("session", &row.get::<_, String>(2)?)?,
            created: time(3)?,
            seen: time(4)?,
            expires: time(5)?,
        },
        user: read_user(row, 6)?,
    })
}
