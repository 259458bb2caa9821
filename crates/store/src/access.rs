//! Who may come in through doors: tokens, of which only a digest of the secret is kept.

use gonogo_core::id::TokenId;
use gonogo_core::{Digest, Timestamp};
use rusqlite::{OptionalExtension, Row, params};

use crate::database::Store;
use crate::error::{Fault, StoreError};
use crate::operation::parsed;

/// A token as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its id, which is no secret.
    pub id: TokenId,
    /// In whose name it acts.
    pub name: String,
    /// Whose hands it is made for.
    pub kind: TokenKind,
    /// The person that an agent acts for.
    pub acts_for: Option<String>,
    /// What it may be used for, by name.
    pub scopes: Vec<String>,
    /// SHA-256 of the secret.
    pub secret: Digest,
    /// Who made it.
    pub issuer: String,
    /// When it was made.
    pub created: Timestamp,
    /// From when on it is worth nothing.
    pub expires: Timestamp,
    /// Since when it is worth nothing, if somebody took it back.
    pub revoked: Option<Timestamp>,
}

/// Whose hands a token is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// A person's.
    Person,
    /// A program's.
    Agent,
}

impl TokenKind {
    /// The word in the database.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Agent => "agent",
        }
    }
}

const COLUMNS: &str = "id, name, kind, acts_for, scopes, secret, issuer, created, expires, revoked";

impl Store {
    /// Keeps a new token.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be written, or has a token of that id.
    pub fn put_token(&self, token: &Token) -> Result<(), StoreError> {
        self.write(|c| {
            c.execute(
                "INSERT INTO token(id, name, kind, acts_for, scopes, secret, issuer, created, expires)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                params![
                    token.id.as_str(),
                    token.name,
                    token.kind.word(),
                    token.acts_for,
                    token.scopes.join(" "),
                    token.secret.to_string(),
                    token.issuer,
                    token.created.as_millis(),
                    token.expires.as_millis(),
                ],
            )?;
            Ok(())
        })
    }

    /// The token with this id, whether it is still worth something or not.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub fn token(&self, id: &TokenId) -> Result<Option<Token>, StoreError> {
        self.read(|c| {
            let sql = format!("SELECT {COLUMNS} FROM token WHERE id = ?1");
            let mut query = c.prepare_cached(&sql)?;
            let mut rows = query.query([id.as_str()])?;
            rows.next()?.map(read_token).transpose()
        })
    }

    /// Every token, newest first.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub fn tokens(&self) -> Result<Vec<Token>, StoreError> {
        self.read(|c| {
            let sql = format!("SELECT {COLUMNS} FROM token ORDER BY created DESC, id");
            let mut query = c.prepare_cached(&sql)?;
            let mut rows = query.query([])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(read_token(row)?);
            }
            Ok(found)
        })
    }

    /// Takes a token back; says since when it is worth nothing. A second time changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] if there is none.
    pub fn revoke_token(&self, id: &TokenId, at: Timestamp) -> Result<Timestamp, StoreError> {
        self.write(|c| {
            c.execute(
                "UPDATE token SET revoked = ?2 WHERE id = ?1 AND revoked IS NULL",
                params![id.as_str(), at.as_millis()],
            )?;
            let since: Option<i64> = c
                .query_row(
                    "SELECT revoked FROM token WHERE id = ?1",
                    [id.as_str()],
                    |r| r.get(0),
                )
                .optional()?;
            let since = since.ok_or_else(|| StoreError::Unknown {
                what: "token",
                id: id.to_string(),
            })?;
            Ok(Timestamp::from_millis(since))
        })
    }
}

fn read_token(row: &Row<'_>) -> Result<Token, Fault> {
    let text = |i: usize| row.get::<_, String>(i);
    let kind = match text(2)?.as_str() {
        "person" => TokenKind::Person,
        _ => TokenKind::Agent,
    };
    Ok(Token {
        id: parsed("token", &text(0)?)?,
        name: text(1)?,
        kind,
        acts_for: row.get(3)?,
        scopes: text(4)?.split_whitespace().map(str::to_owned).collect(),
        secret: parsed("token", &text(5)?)?,
        issuer: text(6)?,
        created: Timestamp::from_millis(row.get(7)?),
        expires: Timestamp::from_millis(row.get(8)?),
        revoked: row.get::<_, Option<i64>>(9)?.map(Timestamp::from_millis),
    })
}
