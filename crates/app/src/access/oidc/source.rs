//! Where an issuer's keys come from, how often they are read, and how long they hold.
//!
//! Keys are read again after a while, and at once for a token with a key that is not among them: that is how issuers change keys. Whoever
//! makes up keys' names cannot have them read more often than a bucket admits. Keys that cannot be read again hold for a stated time, so
//! that an issuer that is away for an hour does not stop releases; then no token is accepted.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use gonogo_core::Span;
use gonogo_outbound::exchange;

use super::keys::KeySet;
use crate::access::limits::{Limiter, Rate};

/// The most that a set of keys may have, in bytes.
const MOST: usize = 256 << 10;

/// The longest that an issuer may take to answer.
const WITHIN: Duration = Duration::from_secs(5);

/// How often keys are read because of tokens.
const READINGS: Rate = Rate {
    burst: 5,
    each_minute: 2,
};

/// Where keys are.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// At an address.
    Url(String),
    /// In a file.
    File(PathBuf),
}

/// Whether keys should be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wants {
    /// They are fresh, or were just looked for in vain.
    Nothing,
    /// Some time; those that are here will do meanwhile.
    Soon,
    /// Before the token is checked.
    Now,
}

/// Keys, and how they are kept fresh.
pub(super) struct Source {
    place: Place,
    refresh: Span,
    keep: Span,
    current: RwLock<Option<Current>>,
    readings: Limiter<()>,
    /// When keys were last looked for.
    tried: Mutex<Option<u64>>,
}

#[derive(Clone)]
struct Current {
    set: Arc<KeySet>,
    version: u64,
    at: u64,
}

impl Source {
    /// A source that was not read yet.
    pub(super) fn new(place: Place, refresh: Span, keep: Span) -> Self {
        Self {
            place,
            refresh,
            keep,
            current: RwLock::new(None),
            readings: Limiter::new(READINGS),
            tried: Mutex::new(None),
        }
    }

    fn current(&self) -> Option<Current> {
        let current = self.current.read();
        current.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The keys that hold at `now`, and which reading they are.
    pub(super) fn keys(&self, now: u64) -> Option<(Arc<KeySet>, u64)> {
        let current = self.current()?;
        let fresh = now.saturating_sub(current.at) <= self.keep.as_millis();
        fresh.then_some((current.set, current.version))
    }

    /// Whether keys should be read; `known` says whether a set has what is needed.
    pub(super) fn wants(&self, known: impl Fn(&KeySet) -> bool, now: u64) -> Wants {
        let admitted = |wants| match self.readings.look(&(), now) {
            Ok(()) => wants,
            Err(_) => Wants::Nothing,
        };
        let Some(current) = self.current() else {
            return admitted(Wants::Now);
        };
        let age = now.saturating_sub(current.at);
        if age > self.keep.as_millis() || !known(&current.set) {
            return admitted(Wants::Now);
        }
        let tried = *self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        let refresh = self.refresh.as_millis();
        let tried_lately = tried.is_some_and(|at| now.saturating_sub(at) < refresh.min(30_000));
        match age > refresh && !tried_lately {
            true => admitted(Wants::Soon),
            false => Wants::Nothing,
        }
    }

    /// Reads the keys, if the bucket admits it; says why they cannot be read.
    pub(super) fn refresh(&self, now: u64) -> Result<(), String> {
        if self.readings.take(&(), now).is_err() {
            return Err("they were looked for too often".into());
        }
        *self.tried.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
        let set = KeySet::read(&self.place.read()?)?;
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let version = current.as_ref().map_or(1, |c| c.version + 1);
        *current = Some(Current {
            set: Arc::new(set),
            version,
            at: now,
        });
        Ok(())
    }
}

impl Place {
    fn read(&self) -> Result<Vec<u8>, String> {
        match self {
            Self::File(path) => read_file(path).map_err(|e| format!("`{}`: {e}", path.display())),
            Self::Url(url) => {
                let request = http::Request::get(url)
                    .header(
                        http::header::ACCEPT,
                        "application/json, application/jwk-set+json",
                    )
                    .body(bytes::Bytes::new())
                    .map_err(|e| e.to_string())?;
                let answer = exchange(request, MOST, WITHIN).map_err(|e| e.to_string())?;
                match answer.status() {
                    http::StatusCode::OK => Ok(answer.into_body().to_vec()),
                    other => Err(format!("it answered with status {}", other.as_u16())),
                }
            }
        }
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    // Looked at before it is opened: opening a pipe would wait for a writer.
    let is_file = path.metadata().map_err(|e| e.to_string())?.is_file();
    if !is_file {
        return Err("this is no regular file".into());
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(|e| e.to_string())?;
    file.take(MOST as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| e.to_string())?;
    match bytes.len() > MOST {
        true => Err(format!("it has more than {MOST} bytes")),
        false => Ok(bytes),
    }
}
