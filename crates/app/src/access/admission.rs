//! Who is let in through the network's doors, and how often: the one place where what a request shows becomes a principal.
//!
//! What was found good is remembered by its digest for a short time, so that a request that follows another costs neither a query nor a
//! signature. Invariants: what is remembered of tokens and sessions holds until anybody commits anything to the store, so a revoked one is
//! worth nothing at once; what is remembered of an issuer's tokens holds for one reading of its keys. An address that keeps showing nothing
//! good is refused before anything is checked. Every table is bounded. Time is an argument.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use gonogo_core::clock::Now;
use gonogo_core::digest::Hasher;
use gonogo_core::id::SessionId;
use gonogo_core::{Digest, Reason, Timestamp};
use gonogo_store::{Generation, Store};

use super::limits::{Exhausted, Limiter, Rate, network};
use super::oidc::Issuer;
use super::sessions::{self, Lives};
use super::{Means, Principal, tokens};
use crate::AppError;
use crate::config::{OidcFile, ServerFile, is_person_name};

/// How long it is remembered that something is good, in milliseconds.
const REMEMBERED: u64 = 60_000;

/// So much is remembered at once; then it begins anew.
const MOST: usize = 1024;

/// What a request shows of who asks.
#[derive(Clone, Copy)]
pub enum Shown<'r> {
    /// `Authorization: Bearer …`.
    Bearer(&'r str),
    /// A session's cookie, as browsers send by themselves, also for pages of others.
    Cookie {
        /// Its value.
        value: &'r str,
        /// Whether the request changes something.
        changes: bool,
        /// `X-CSRF-Token`, which only a page of this server can know.
        csrf: Option<&'r str>,
    },
    /// Nothing.
    Nothing,
}

/// Somebody who was let in.
#[derive(Debug)]
pub struct Admitted {
    /// In whose name the request is.
    pub principal: Arc<Principal>,
    /// A session of which the store should note that it was used.
    pub note: Option<SessionId>,
}

/// The rules of one server, and what it remembers.
pub struct Admission {
    /// An issuer whose tokens are accepted.
    pub issuer: Option<Issuer>,
    /// How long sessions live.
    pub lives: Lives,
    requests: Limiter<String>,
    failures: Limiter<IpAddr>,
    logins_of: Limiter<String>,
    logins_from: Limiter<IpAddr>,
    known: Mutex<HashMap<Digest, Known>>,
}

struct Known {
    principal: Arc<Principal>,
    of: Of,
    /// In monotonic milliseconds.
    remembered_until: u64,
    session: Option<(SessionId, Timestamp)>,
}

/// What has to be as it was, for what is remembered to hold.
#[derive(PartialEq, Eq)]
enum Of {
    Store(Generation),
    Keys(u64),
}

impl Admission {
    /// The rules that the configuration states; paths in it begin at `root`.
    pub fn new(server: &ServerFile, oidc: Option<&OidcFile>, root: &Path) -> Self {
        // Many people come from one address; an attacker has all their names.
        let from = Rate {
            burst: server.logins.burst.saturating_mul(4),
            each_minute: server.logins.each_minute.saturating_mul(4),
        };
        Self {
            issuer: oidc.map(|file| Issuer::new(file, root)),
            lives: server.sessions,
            requests: Limiter::new(server.requests),
            failures: Limiter::new(server.failures),
            logins_of: Limiter::new(server.logins),
            logins_from: Limiter::new(from),
            known: Mutex::new(HashMap::new()),
        }
    }

    /// Lets in whoever shows something good. `looked` is the store's generation, if the request has asked for it already.
    ///
    /// # Errors
    /// [`Reason::Unauthenticated`], [`Reason::TokenAudience`], [`Reason::CsrfMissing`], [`Reason::RateLimited`],
    /// [`Reason::IssuerKeysStale`]; the store cannot be read.
    pub fn admit(
        &self,
        store: &Store,
        shown: Shown<'_>,
        looked: Option<Generation>,
        from: IpAddr,
        now: Now,
    ) -> Result<Admitted, AppError> {
        let from = network(from);
        let digest = match shown {
            Shown::Bearer(text) => digest("bearer ", text),
            Shown::Cookie { value, .. } => digest("cookie ", value),
            Shown::Nothing => {
                self.patience(from, now)?;
                self.failed(from, now);
                let text = "the request carries neither a bearer token nor a session";
                return Err(AppError::new(Reason::Unauthenticated, text));
            }
        };
        // Before the store is asked: what is remembered may be older than what is found, never younger.
        let generation = match looked {
            Some(looked) => Some(looked),
            None => store.generation()?,
        };
        let admitted = match self.remembered(&digest, generation, now)? {
            Remembered::Holds(admitted) => Ok(*admitted),
            other => {
                // Who was good a moment ago does not wait for those who share the address.
                if matches!(other, Remembered::Nothing) {
                    self.patience(from, now)?;
                }
                self.checked(store, shown, digest, generation, now)
            }
        };
        let admitted = admitted.inspect_err(|e| {
            if matches!(e.reason, Reason::Unauthenticated | Reason::TokenAudience) {
                self.failed(from, now);
            }
        })?;
        if let Shown::Cookie {
            value,
            changes: true,
            csrf,
        } = shown
        {
            sessions::must_have_csrf(value, csrf)?;
        }
        Ok(admitted)
    }

    fn remembered(
        &self,
        digest: &Digest,
        generation: Option<Generation>,
        now: Now,
    ) -> Result<Remembered, AppError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(found) = known.get_mut(digest) else {
            return Ok(Remembered::Nothing);
        };
        let as_it_was = match found.of {
            Of::Store(of) => generation == Some(of),
            Of::Keys(of) => match &self.issuer {
                Some(issuer) => issuer.version(now)? == of,
                None => false,
            },
        };
        let over = found.principal.until.is_some_and(|until| until <= now.wall);
        if !as_it_was || over || found.remembered_until <= now.mono_ms {
            return Ok(Remembered::Once);
        }
        let note = match &mut found.session {
            Some((id, from)) if *from <= now.wall => {
                // Once is enough: what is noted is another generation of the store.
                *from = now.wall.after(self.lives.idle);
                Some(id.clone())
            }
            _ => None,
        };
        Ok(Remembered::Holds(Box::new(Admitted {
            principal: Arc::clone(&found.principal),
            note,
        })))
    }

    /// Checks what is shown, and remembers what is good.
    fn checked(
        &self,
        store: &Store,
        shown: Shown<'_>,
        digest: Digest,
        generation: Option<Generation>,
        now: Now,
    ) -> Result<Admitted, AppError> {
        let (principal, of, session) = match shown {
            Shown::Bearer(text) => match &self.issuer {
                Some(issuer) if Issuer::may_be(text) => {
                    let checked = issuer.principal(text, now)?;
                    (checked.principal, Some(Of::Keys(checked.keys)), None)
                }
                _ => {
                    let principal = tokens::principal(store, text, now.wall)?;
                    (principal, generation.map(Of::Store), None)
                }
            },
            Shown::Cookie { value, .. } => {
                let shown = sessions::principal(store, value, now.wall, self.lives)?;
                let session = Some((shown.id, shown.note_from));
                (shown.principal, generation.map(Of::Store), session)
            }
            Shown::Nothing => return Err(AppError::new(Reason::Unauthenticated, "nothing")),
        };
        let principal = Arc::new(principal);
        let note = session.clone().filter(|(_, from)| *from <= now.wall);
        if let Some(of) = of {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if known.len() >= MOST {
                known.clear();
            }
            let session = session.map(|(id, from)| match &note {
                Some(_) => (id, now.wall.after(self.lives.idle)),
                None => (id, from),
            });
            let entry = Known {
                principal: Arc::clone(&principal),
                of,
                remembered_until: now.mono_ms + REMEMBERED,
                session,
            };
            known.insert(digest, entry);
        }
        Ok(Admitted {
            principal,
            note: note.map(|(id, _)| id),
        })
    }

    /// Counts a request in the name of `who`. The user of this machine asks as often as they like.
    ///
    /// # Errors
    /// [`Reason::RateLimited`].
    pub fn count(&self, who: &Principal, now: Now) -> Result<(), AppError> {
        if who.means == Means::Local {
            return Ok(());
        }
        let taken = self.requests.take(&who.name, now.mono_ms);
        taken.map_err(|e| limited(format!("`{}` asks too often", who.name), e))
    }

    fn patience(&self, from: IpAddr, now: Now) -> Result<(), AppError> {
        let left = self.failures.look(&from, now.mono_ms);
        let text = "too many requests from this address showed nobody who is let in";
        left.map_err(|e| limited(text.into(), e))
    }

    fn failed(&self, from: IpAddr, now: Now) {
        // Who has none left is refused the next time.
        self.failures.take(&from, now.mono_ms).ok();
    }

    /// Counts a login before its password is looked at.
    ///
    /// # Errors
    /// [`Reason::RateLimited`], whether there is such a user or not.
    pub fn may_try(&self, user: &str, from: IpAddr, now: Now) -> Result<(), AppError> {
        let from = network(from);
        let refused = |e| limited("too many logins failed".into(), e);
        self.logins_from.take(&from, now.mono_ms).map_err(refused)?;
        let own = self.logins_of.take(&bucket(user), now.mono_ms);
        own.map_err(refused)
    }

    /// Forgets a login that was right.
    pub fn was_right(&self, user: &str, from: IpAddr, now: Now) {
        self.logins_from.give_back(&network(from), now.mono_ms);
        self.logins_of.give_back(&bucket(user), now.mono_ms);
    }
}

enum Remembered {
    Holds(Box<Admitted>),
    /// It was good, and has to be checked again.
    Once,
    Nothing,
}

/// What stands for a secret in the table of what is remembered.
fn digest(kind: &str, text: &str) -> Digest {
    let mut hasher = Hasher::default();
    hasher.update(kind.as_bytes());
    hasher.update(text.as_bytes());
    hasher.finish()
}

/// All names that nobody can have share one bucket.
fn bucket(user: &str) -> String {
    match is_person_name(user) {
        true => user.to_owned(),
        false => String::new(),
    }
}

fn limited(text: String, e: Exhausted) -> AppError {
    let seconds = e.again_ms.div_ceil(1000).clamp(1, 3600);
    AppError::new(Reason::RateLimited, text).with("retryAfterSeconds", seconds)
}

#[cfg(test)]
mod tests;
