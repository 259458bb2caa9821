//! What this user has seen of each log: the newest checkpoint and the proofs that came with it. A log that later shows
//! another past is caught here, whoever runs it.
//!
//! Lies outside every project: a project that is copied or put back must not take the memory of it along. `GONOGO_MEMORY` names the
//! directory, or `none`; else it is `$XDG_STATE_HOME/gonogo`, else `~/.local/state/gonogo`. Two checkpoints that exclude each
//! other are kept side by side under `conflicts/`: with the log's own signatures on both they are proof against it.
//!
//! Invariants: what is remembered was verified; it never gets older.

use std::cmp::Ordering;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use gonogo_core::{Digest, Reason};
use gonogo_ledger::merkle;
use gonogo_ledger::verify::Shown;
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
    /// Whether this is the memory of ledgers, or of packets.
    of_ledgers: bool,
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
        Self {
            dir,
            of_ledgers: false,
        }
    }

    /// A memory that forgets.
    pub const fn none() -> Self {
        Self {
            dir: None,
            of_ledgers: false,
        }
    }

    /// Whether anything is remembered at all.
    pub const fn is_on(&self) -> bool {
        self.dir.is_some()
    }

    fn of_log(&self, vkey: &Vkey) -> Option<PathBuf> {
        let name = Digest::of(vkey.to_string().as_bytes()).hex();
        Some(self.dir.as_ref()?.join("logs").join(&name[..32]))
    }

    /// The memory of the ledger itself, as commands of its project see it. Packets are sealed at other sizes and come later or
    /// never, so that what is remembered of the one says nothing about what may be missing in the other.
    fn of_ledger(&self) -> Self {
        Self {
            dir: self.dir.clone(),
            of_ledgers: true,
        }
    }

    /// The newest checkpoints of a log that were seen, as its ledger's user and as a reader of its packets.
    ///
    /// # Errors
    /// As [`Memory::recall`].
    pub fn newest(&self, vkey: &Vkey) -> Result<Vec<String>, AppError> {
        let both = [self.recall(vkey)?, self.of_ledger().recall(vkey)?];
        Ok(both.into_iter().flatten().map(|seen| seen.note).collect())
    }

    /// What was seen of the log with this key; none if nothing was.
    ///
    /// # Errors
    /// [`Reason::StoreFailed`] if what is remembered cannot be read: whoever damaged it may have wished for that.
    pub fn recall(&self, vkey: &Vkey) -> Result<Option<Remembered>, AppError> {
        let Some(dir) = self.of_log(vkey) else {
            return Ok(None);
        };
        let path = dir.join(self.file());
        let note = match std::fs::read_to_string(&path) {
            // Nobody else's directory is looked into: who may not read it has seen nothing.
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) => {
                return Ok(None);
            }
            other => other.map_err(|e| damaged(&path, &e.to_string()))?,
        };
        let checkpoint =
            Checkpoint::open(&note, vkey).map_err(|e| damaged(&path, &e.to_string()))?;
        let path = dir.join("proofs");
        if self.of_ledgers {
            return Ok(Some(Remembered {
                checkpoint,
                note,
                proofs: Vec::new(),
            }));
        }
        let proofs = match std::fs::read_to_string(&path) {
            Err(e) if e.kind() == ErrorKind::NotFound => Vec::new(),
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
        if self.of_ledgers {
            return replace(&dir.join(self.file()), note.as_bytes());
        }
        let newest = &proofs[proofs.len().saturating_sub(PROOFS)..];
        let mut text = format!("to {}\n", checkpoint.size);
        for (old, path) in newest {
            text += &format!("from {old}\n{}", merkle::path_to_text(path));
        }
        replace(&dir.join("proofs"), text.as_bytes())?;
        replace(&dir.join(self.file()), note.as_bytes())
    }

    const fn file(&self) -> &'static str {
        if self.of_ledgers {
            "ledger"
        } else {
            "checkpoint"
        }
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
        let memory = self.of_ledger();
        memory.compare_ledger(ledger)
    }

    fn compare_ledger(&self, ledger: &Ledger) -> Result<(), AppError> {
        let vkey = ledger.log_vkey();
        let Some(known) = self.recall(vkey)? else {
            self.keep_ledger(ledger)?;
            return Ok(());
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
                Ok(()) => return self.keep_ledger(ledger),
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

    /// Compares a packet whose log the reader trusts with the packets of that log that were verified before, and remembers it if
    /// `keeps` says that nothing else about it is open.
    ///
    /// # Errors
    /// The memory cannot be read or written.
    pub fn compare_packet(&self, shown: &Shown, keeps: bool) -> Result<Seen, AppError> {
        if !self.is_on() {
            return Ok(Seen::Off);
        }
        let (vkey, now) = (&shown.log, &shown.checkpoint);
        let seen = match self.recall(vkey)? {
            None => Seen::First,
            Some(known) => {
                let old = &known.checkpoint;
                match link(&known, shown) {
                    None => return Ok(Seen::Unproven { size: old.size }),
                    Some(false) => {
                        let kept = self.keep_conflict(vkey, [&known.note, &shown.note]);
                        return Ok(Seen::Conflict {
                            size: old.size,
                            kept,
                        });
                    }
                    Some(true) => Seen::Continues { size: old.size },
                }
            }
        };
        if !keeps {
            let why = "something else about it is open".into();
            return Ok(Seen::Unkept { why });
        }
        let proofs: Vec<_> = shown
            .links
            .iter()
            .map(|l| (l.size, l.path.clone()))
            .collect();
        match self.remember(vkey, now, &shown.note, &proofs) {
            Ok(()) => Ok(seen),
            Err(e) => Ok(Seen::Unkept { why: e.message }),
        }
    }

    /// Remembers a ledger of this machine that was found to be the one that was seen before, as it is now.
    pub(crate) fn remember_ledger(&self, ledger: &Ledger) {
        // Who cannot remember now compares with what was remembered before.
        let _ = self.of_ledger().keep_ledger(ledger);
    }

    fn keep_ledger(&self, ledger: &Ledger) -> Result<(), AppError> {
        if !self.is_on() {
            return Ok(());
        }
        let note = ledger.checkpoint_note()?;
        let now = Checkpoint::open(&note, ledger.log_vkey())?;
        // Who has no place to remember in goes on without a memory, as with `GONOGO_MEMORY=none`.
        let _ = self.remember(ledger.log_vkey(), &now, &note, &[]);
        Ok(())
    }
}

/// What a packet is to somebody who has verified packets of its log before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// Nothing is remembered.
    Off,
    /// It is the first of its log.
    First,
    /// It shows the same past as the checkpoint over so many records that is remembered.
    Continues {
        /// Records.
        size: u64,
    },
    /// Nothing speaks against it, and it cannot be remembered.
    Unkept {
        /// Why.
        why: String,
    },
    /// Nothing links it to the checkpoint over so many records that is remembered.
    Unproven {
        /// Records.
        size: u64,
    },
    /// It shows another past than the checkpoint over so many records that is remembered.
    Conflict {
        /// Records.
        size: u64,
        /// Where both are kept.
        kept: Option<PathBuf>,
    },
}

/// Whether both show one past; none if nothing tells.
fn link(known: &Remembered, shown: &Shown) -> Option<bool> {
    let (old, now) = (&known.checkpoint, &shown.checkpoint);
    match old.size.cmp(&now.size) {
        Ordering::Equal => Some(old.root == now.root),
        Ordering::Less => shown
            .links
            .iter()
            .find(|link| link.size == old.size)
            .map(|link| link.root == old.root),
        Ordering::Greater => {
            known
                .proofs
                .iter()
                .find(|(size, _)| *size == now.size)
                .map(|(size, path)| {
                    merkle::verify_consistency(*size, &now.root, old.size, &old.root, path).is_ok()
                })
        }
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
