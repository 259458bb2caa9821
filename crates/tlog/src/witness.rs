//! A witness: cosigns checkpoints of other people's logs, each only if it extends the last one (c2sp.org/tlog-witness v1.0.0).
//!
//! `gonogo witness serve` runs it with [`run`](crate::server::run). The rules of a request are `gonogo_ledger::witness`'s; here are the key,
//! the memory and the transport.
//!
//! Invariants:
//! - What was cosigned is on disk before the cosignature leaves: temporary file, fsync, rename, fsync of the directory. If any of that
//!   fails, this witness never acknowledges again until it is started anew, because nobody knows what the disk holds.
//! - One log's requests are settled one after the other; what is remembered of a log never becomes smaller.
//! - Times of cosignatures never go backwards.
//! - Two checkpoints that contradict each other are kept as evidence before they are refused.

mod evidence;
mod home;
mod http;
mod memory;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gonogo_core::clock::Clock;
use gonogo_ledger::witness::{AddCheckpoint, Refusal, judge, origin_hash};
use gonogo_ledger::{CosignerKey, Note, Vkey};

use crate::error::Error;
use home::Home;
pub use home::read_logs;
pub use http::WitnessSite;
use memory::Known;

/// The longest request, in bytes. A note of ours has some hundreds of bytes; one with a dozen post-quantum cosignatures fits, too.
pub const MAX_REQUEST: usize = 64 * 1024;

/// Told what an operator should know: a line, without newline.
pub type Notice = Arc<dyn Fn(&str) + Send + Sync>;

/// A witness with its key and memory; clones are the same witness.
#[derive(Clone)]
pub struct Witness(Arc<Inner>);

struct Inner {
    home: Home,
    key: CosignerKey,
    logs: BTreeMap<String, Log>,
    clock: Arc<dyn Clock>,
    notice: Notice,
    /// The newest time that any cosignature carries, in seconds since 1970.
    latest: AtomicU64,
    broken: AtomicBool,
}

struct Log {
    key: Vkey,
    /// What was cosigned last. Held while a request is settled, also over the disk's answer.
    known: Mutex<Option<Known>>,
}

/// How a witness answers a request that it could read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Cosigned, and on disk: the signature line with its newline.
    Cosigned(String),
    /// Not cosigned.
    Refused(Refusal),
    /// The witness itself is at fault. The text is for the operator; the asker learns no more than that.
    Unable(String),
}

impl Witness {
    /// Opens the witness `name` in `dir` for `logs`, and makes its key (`key.pem`, mode 0600) if the directory is new. `dir` is held for
    /// this process.
    ///
    /// # Errors
    /// [`Error::State`] if what the directory remembers is damaged, or was cosigned by another key or under another name;
    /// [`Error::Setting`] for an unusable name or list of logs; [`Error::Busy`], [`Error::Io`].
    pub fn open(
        dir: &Path,
        name: &str,
        logs: &[Vkey],
        clock: Arc<dyn Clock>,
        notice: Notice,
    ) -> Result<Self, Error> {
        let (home, key) = Home::open(dir, name)?;
        let mut known_logs = BTreeMap::new();
        let mut latest = 0;
        for vkey in logs {
            home::check_log(vkey)?;
            let known = home.load(vkey.name(), key.vkey())?;
            latest = latest.max(known.as_ref().map_or(0, |k| k.time));
            let log = Log {
                key: vkey.clone(),
                known: Mutex::new(known),
            };
            if known_logs.insert(vkey.name().to_owned(), log).is_some() {
                return Err(Error::Setting {
                    what: format!("log `{}`", vkey.name()),
                    text: "it is listed twice; keep one key for each log".into(),
                });
            }
        }
        Ok(Self(Arc::new(Inner {
            home,
            key,
            logs: known_logs,
            clock,
            notice,
            latest: AtomicU64::new(latest),
            broken: AtomicBool::new(false),
        })))
    }

    /// Returns the key that others put into their policies.
    #[must_use]
    pub fn vkey(&self) -> &Vkey {
        self.0.key.vkey()
    }

    /// Settles the body of an `add-checkpoint` request. Blocks for the disk.
    #[must_use]
    pub fn add_checkpoint(&self, body: &[u8]) -> Answer {
        let request = match AddCheckpoint::parse(body) {
            Ok(request) => request,
            Err(refusal) => return Answer::Refused(refusal),
        };
        let Some(log) = self.0.logs.get(request.origin()) else {
            return Answer::Refused(Refusal::UnknownLog);
        };
        let mut known = lock(&log.known);
        let before = known.as_ref().map(|k| &k.checkpoint);
        match judge(&request, Some(&log.key), before) {
            Ok(_) => match self.remember(log, &request, &mut known) {
                Ok(line) => Answer::Cosigned(line),
                Err(text) => {
                    (self.0.notice)(&text);
                    Answer::Unable(text)
                }
            },
            Err(refusal) => {
                if let Some(known) = &*known {
                    self.keep_evidence(log, known, &request, &refusal);
                }
                Answer::Refused(refusal)
            }
        }
    }

    /// Returns the last cosigned checkpoint of the log whose [`origin_hash`] is `hash`, with the log's and this witness's signatures.
    #[must_use]
    pub fn checkpoint(&self, hash: &str) -> Option<String> {
        let mut logs = self.0.logs.iter();
        let (_, log) = logs.find(|(origin, _)| origin_hash(origin) == hash)?;
        // After a failed write nobody knows what the disk holds; what is shown must be what a restart would show.
        if self.0.broken.load(Ordering::SeqCst) {
            return None;
        }
        lock(&log.known).as_ref().map(|k| k.note.clone())
    }

    /// Makes what was judged good durable, then cosigns it.
    fn remember(
        &self,
        log: &Log,
        request: &AddCheckpoint,
        known: &mut Option<Known>,
    ) -> Result<String, String> {
        let inner = &self.0;
        if inner.broken.load(Ordering::SeqCst) {
            return Err(
                "an earlier write failed; start the witness anew to see what the disk holds".into(),
            );
        }
        let origin = log.key.name();
        let now = inner.clock.now().wall.as_millis() / 1000;
        let latest = inner.latest.load(Ordering::SeqCst);
        let time = match u64::try_from(now) {
            Ok(time) if time >= latest && time > 0 => time,
            _ => {
                return Err(format!(
                    "log `{origin}` was not cosigned: the clock says {now} and the newest cosignature {latest}; set the clock"
                ));
            }
        };
        let failed = |e: &dyn fmt::Display| {
            format!(
                "log `{origin}` was not cosigned: {e}; nothing is cosigned until the witness is started anew"
            )
        };
        let (note, line) = Known::seal(&inner.key, &log.key, &request.note, time)
            .map_err(|e| format!("log `{origin}` was not cosigned: {e}"))?;
        // Read back as a restart would read it, before it replaces what is remembered.
        let new = Known::open(&note, origin, inner.key.vkey())
            .map_err(|e| format!("log `{origin}` was not cosigned: {e}"))?;
        if let Err(e) = inner.home.save(origin, &note) {
            inner.broken.store(true, Ordering::SeqCst);
            return Err(failed(&e));
        }
        // Another log's failure in between leaves this one's file right and its answer unsent.
        if inner.broken.load(Ordering::SeqCst) {
            return Err(failed(&"a write for another log failed"));
        }
        inner.latest.fetch_max(time, Ordering::SeqCst);
        *known = Some(new);
        Ok(line)
    }

    /// Keeps both checkpoints if they contradict each other, or if the log's signature is good and the proof is not.
    fn keep_evidence(&self, log: &Log, known: &Known, request: &AddCheckpoint, refusal: &Refusal) {
        let proven = refusal.is_split_view();
        if !proven && !matches!(refusal, Refusal::Proof(_)) {
            return;
        }
        let origin = log.key.name();
        let theirs = memory::signed_by(&request.note, &log.key).unwrap_or_default();
        let said = match self.0.home.keep(origin, &known.note, &theirs, proven) {
            Ok(Some(path)) => format!("both checkpoints are in {}", path.display()),
            Ok(None) => "this evidence, or enough of its kind, is kept already".into(),
            Err(e) => format!("the evidence could not be kept: {e}"),
        };
        (self.0.notice)(&format!("log `{origin}`: {refusal}; {said}"));
    }
}

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Witness({})", self.0.key.vkey())
    }
}

/// What is remembered changes in one assignment, so a panic elsewhere leaves it whole.
fn lock(known: &Mutex<Option<Known>>) -> MutexGuard<'_, Option<Known>> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a note carries a signature of `key` that verifies.
fn is_signed(note: &str, key: &Vkey) -> bool {
    Note::parse(note).is_ok_and(|note| note.verify(key).is_ok())
}
