//! What this user has seen of each log: the newest checkpoint and the proofs that came with it. A log that later shows
//! another past is caught here, whoever runs it.
//!
//! Lies outside every project: a project that is copied or put back must not take the memory of it along. `GONOGO_MEMORY` names the
//! directory, or `none`; else it is `$XDG_STATE_HOME/gonogo`, else `~/.local/state/gonogo`. Two checkpoints that exclude each
//! other are kept side by side under `conflicts/`: with the log's own signatures on both they are proof against it.
//!
//! Invariants: what is remembered was verified; it never gets older.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use gonogo_core::{Digest, Reason};
use gonogo_ledger::merkle;
use gonogo_ledger::{Checkpoint, Vkey};
use gonogo_store::ledger::Ledger;

use crate::AppError;
use crate::workspace::make_dir;

/// At most so many proofs are remembered with a checkpoint.
const PROOFS: usize = 256;

/// Where checkpoints are remembered.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    dir: Option<PathBuf>,
}

/// What is remembered of one log.
#[derive(Debug, Clone)]
pub struct Remembered {
    /// The newest checkpoint that was seen.
    pub checkpoint: Checkpoint,
    /// Its signed note.
    pub note: String,
    /// Consistency proofs that lead to it, by old size.
    pub proofs: Vec<(u64, Vec<Digest>)>,
}

impl Memory {
    /// The memory that the environment names. Without a home directory there is none.
    pub fn of_user(variable: impl Fn(&str) -> Option<std::ffi::OsString>) -> Self {
        let set = |name: &str| variable(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let dir = match set("GONOGO_MEMORY") {
            Some(none) if none.as_os_str() == "none" => None,
            Some(dir) => Some(dir),
            None => set("XDG_STATE_HOME")
                .filter(|dir| dir.is_absolute())
                .or_else(|| set("HOME").map(|home| home.join(".local/state")))
                .map(|dir| dir.join("gonogo")),
        };
        Self { dir }
    }

    /// A memory that forgets.
    pub const fn none() -> Self {
        Self { dir: None }
    }

    /// Whether anything is remembered at all.
    pub const fn is_on(&self) -> bool {
        self.dir.is_some()
    }

    fn of_log(&self, vkey: &Vkey) -> Option<PathBuf> {
        let name = Digest::of(vkey.to_string().as_bytes()).hex();
        Some(self.dir.as_ref()?.join("logs").join(&name[..32]))
    }

    /// What was seen of the log with this key; none if nothing was.
    ///
    /// # Errors
    /// [`Reason::StoreFailed`] if what is remembered cannot be read: whoever damaged it may have wished for that.
    pub fn recall(&self, vkey: &Vkey) -> Result<Option<Remembered>, AppError> {
        let Some(dir) = self.of_log(vkey) else {
            return Ok(None);
        };
        let path = dir.join("checkpoint");
        let note = match std::fs::read_to_string(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(|e| damaged(&path, &e.to_string()))?,
        };
        let checkpoint =
            Checkpoint::open(&note, vkey).map_err(|e| damaged(&path, &e.to_string()))?;
        let path = dir.join("proofs");
        let proofs = match std::fs::read_to_string(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Ok(text) => read_proofs(&text, &checkpoint).unwrap_or_default(),
            Err(e) => return Err(damaged(&path, &e.to_string())),
        };
        Ok(Some(Remembered {
            checkpoint,
            note,
            proofs,
        }))
    }

    /// Remembers a verified checkpoint, unless a newer one of that log is remembered. Proofs lead from older sizes to it.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn remember(
        &self,
        vkey: &Vkey,
        checkpoint: &Checkpoint,
        note: &str,
        proofs: &[(u64, Vec<Digest>)],
    ) -> Result<(), AppError> {
        let Some(dir) = self.of_log(vkey) else {
            return Ok(());
        };
        let known = self.recall(vkey)?;
        if known.is_some_and(|known| known.checkpoint.size >= checkpoint.size) {
            return Ok(());
        }
        make_dir(&dir)?;
        let newest = &proofs[proofs.len().saturating_sub(PROOFS)..];
        let mut text = format!("to {}\n", checkpoint.size);
        for (old, path) in newest {
            text += &format!("from {old}\n{}", merkle::path_to_text(path));
        }
        replace(&dir.join("proofs"), text.as_bytes())?;
        replace(&dir.join("checkpoint"), note.as_bytes())
    }

    /// Keeps two signed checkpoints that exclude each other; returns where.
    pub fn keep_conflict(&self, vkey: &Vkey, notes: [&str; 2]) -> Option<PathBuf> {
        let both = Digest::of(notes.concat().as_bytes()).hex();
        let dir = self.of_log(vkey)?.join("conflicts").join(&both[..16]);
        make_dir(&dir).ok()?;
        replace(&dir.join("log.vkey"), format!("{vkey}\n").as_bytes()).ok()?;
        for (name, note) in ["seen-before", "seen-now"].iter().zip(notes) {
            replace(&dir.join(name), note.as_bytes()).ok()?;
        }
        Some(dir)
    }

    /// Compares a ledger of this machine with what was seen of it, and remembers it as it is now.
    ///
    /// # Errors
    /// [`Reason::LedgerRolledBack`] if it has become shorter; [`Reason::SplitView`] if it has another past.
    pub fn compare(&self, ledger: &Ledger) -> Result<(), AppError> {
        let vkey = ledger.log_vkey();
        let Some(known) = self.recall(vkey)? else {
            return self.remember_ledger(ledger);
        };
        let note = ledger.checkpoint_note()?;
        let now = Checkpoint::open(&note, vkey)?;
        let old = &known.checkpoint;
        let (reason, text) = if now.size < old.size {
            let text = format!(
                "the ledger `{}` has {} records, and {} were seen before: it is an older copy",
                vkey.name(),
                now.size,
                old.size
            );
            (Reason::LedgerRolledBack, text)
        } else {
            let (new, path) = ledger.prove_consistency(old.size)?;
            match merkle::verify_consistency(old.size, &old.root, new.size, &new.root, &path) {
                Ok(()) => return self.remember_ledger(ledger),
                Err(_) => {
                    let text = format!(
                        "the first {} records of the ledger `{}` are others than those that were seen before",
                        old.size,
                        vkey.name()
                    );
                    (Reason::SplitView, text)
                }
            }
        };
        let mut error = AppError::new(reason, text);
        if let Some(dir) = self.keep_conflict(vkey, [&known.note, &note]) {
            error = error.hint(format!(
                "both signed checkpoints are kept in `{}`: stop, and find out which copy is the real one",
                dir.display()
            ));
        }
        Err(error.hint("docs/recovery.md says what to do"))
    }

    fn remember_ledger(&self, ledger: &Ledger) -> Result<(), AppError> {
        if !self.is_on() {
            return Ok(());
        }
        let note = ledger.checkpoint_note()?;
        let now = Checkpoint::open(&note, ledger.log_vkey())?;
        self.remember(ledger.log_vkey(), &now, &note, &[])
    }
}

/// Reads what [`Memory::remember`] wrote, if it belongs to the checkpoint: the two files are not replaced at one moment.
fn read_proofs(text: &str, checkpoint: &Checkpoint) -> Option<Vec<(u64, Vec<Digest>)>> {
    let mut lines = text.lines().peekable();
    let to = lines.next()?.strip_prefix("to ")?;
    if to.parse() != Ok(checkpoint.size) {
        return None;
    }
    let mut proofs = Vec::new();
    while let Some(line) = lines.next() {
        let old = line.strip_prefix("from ")?.parse().ok()?;
        let mut path = String::new();
        while let Some(line) = lines.next_if(|line| !line.starts_with("from ")) {
            path += line;
            path.push('\n');
        }
        proofs.push((old, merkle::path_from_text(&path).ok()?));
    }
    Some(proofs)
}

fn replace(path: &Path, bytes: &[u8]) -> Result<(), AppError> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let failed = |e: &std::io::Error| AppError::io("write", path, e);
    let mut file = tempfile::NamedTempFile::new_in(dir).map_err(|e| failed(&e))?;
    file.write_all(bytes).map_err(|e| failed(&e))?;
    file.persist(path).map_err(|e| failed(&e.error))?;
    Ok(())
}

fn damaged(path: &Path, why: &str) -> AppError {
    let text = format!(
        "what was seen of a log before cannot be read: `{}`: {why}",
        path.display()
    );
    AppError::new(Reason::StoreFailed, text)
        .hint("find out who changed it; to forget that log, remove its directory")
}
