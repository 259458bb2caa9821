//! The witness's directory: `key.pem` (0600), `witness.vkey`, `lock`, `known/<origin hash>` for each log, `conflicts/<origin hash>/…`.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use gonogo_ledger::note::MAX_NOTE;
use gonogo_ledger::policy::Policy;
use gonogo_ledger::witness::origin_hash;
use gonogo_ledger::{CosignerKey, KeyKind, Pkcs8, Vkey};

use super::evidence;
use super::memory::Known;
use crate::disk::{self, Lock};
use crate::error::Error;

const KEY: &str = "key.pem";
const VKEY: &str = "witness.vkey";
const KNOWN: &str = "known";

pub(super) struct Home {
    dir: PathBuf,
    _lock: Lock,
}

impl Home {
    pub(super) fn open(dir: &Path, name: &str) -> Result<(Self, CosignerKey), Error> {
        if !dir.is_dir() {
            if let Some(above) = dir.parent() {
                disk::make_dirs(above)?;
            }
            fs::DirBuilder::new()
                .mode(0o700)
                .create(dir)
                .map_err(Error::io("make directory", dir))?;
            disk::sync_dir(dir.parent().unwrap_or(Path::new("")))?;
        }
        let lock = Lock::take(dir)?;
        let known = dir.join(KNOWN);
        if known.is_dir() || !dir.join(VKEY).exists() {
            disk::make_dirs(&known)?;
        } else {
            return Err(Error::State {
                path: known,
                text: "it is missing, and with it what this witness cosigned".into(),
            });
        }
        let home = Self {
            dir: dir.to_owned(),
            _lock: lock,
        };
        let key = home.key(name)?;
        Ok((home, key))
    }

    fn key(&self, name: &str) -> Result<CosignerKey, Error> {
        let path = self.dir.join(KEY);
        let state = |path: &Path, text: &str| Error::State {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        let pkcs8 = match disk::read(&path, 4096)? {
            Some(pem) => {
                let meta = fs::metadata(&path).map_err(Error::io("look at", &path))?;
                if meta.permissions().mode() & 0o077 != 0 {
                    return Err(state(
                        &path,
                        "others may read it; make it mode 0600, and a new key if they did",
                    ));
                }
                let pem = String::from_utf8(pem).map_err(|_| state(&path, "it is not PEM"))?;
                Pkcs8::from_pem(&pem).map_err(|e| state(&path, &e.to_string()))?
            }
            None if self.remembers()? => {
                return Err(state(
                    &path,
                    "it is missing, and the directory remembers logs",
                ));
            }
            None => {
                let pkcs8 = CosignerKey::generate()?;
                disk::replace(&self.temporary(), &path, pkcs8.pem().as_bytes(), 0o600)?;
                pkcs8
            }
        };
        let key = CosignerKey::load(name, &pkcs8)?;
        let path = self.dir.join(VKEY);
        let line = format!("{}\n", key.vkey());
        match disk::read(&path, 4096)? {
            None => disk::replace(&self.temporary(), &path, line.as_bytes(), 0o644)?,
            Some(known) if known == line.as_bytes() => {}
            // A type 04 cosignature does not bind the name: under two names one key would count twice.
            Some(_) => {
                return Err(state(
                    &path,
                    "the key was used under another name, or is another key",
                ));
            }
        }
        Ok(key)
    }

    fn remembers(&self) -> Result<bool, Error> {
        let dir = self.dir.join(KNOWN);
        let mut entries = fs::read_dir(&dir).map_err(Error::io("list", &dir))?;
        Ok(entries.next().is_some() || self.dir.join(VKEY).exists())
    }

    /// Reads what is remembered of a log.
    pub(super) fn load(&self, origin: &str, own: &Vkey) -> Result<Option<Known>, Error> {
        let path = self.known(origin);
        let Some(bytes) = disk::read(&path, MAX_NOTE as u64)? else {
            return Ok(None);
        };
        let state = |text: String| Error::State {
            path: path.clone(),
            text,
        };
        let note = String::from_utf8(bytes).map_err(|_| state("it is not UTF-8".into()))?;
        Known::open(&note, origin, own)
            .map(Some)
            .map_err(|e| state(e.to_string()))
    }

    /// Remembers a log's note. When this returns without error, a loss of power does not undo it.
    pub(super) fn save(&self, origin: &str, note: &str) -> Result<(), Error> {
        let path = self.known(origin);
        // One temporary name for each log: its requests are settled one after the other.
        let temporary = self.dir.join(format!("new-{}", origin_hash(origin)));
        disk::replace(&temporary, &path, note.as_bytes(), 0o644)
    }

    /// Keeps two checkpoints of a log that contradict each other; `None` if nothing was written.
    pub(super) fn keep(
        &self,
        origin: &str,
        ours: &str,
        theirs: &str,
        proven: bool,
    ) -> Result<Option<PathBuf>, Error> {
        let dir = self.dir.join("conflicts").join(origin_hash(origin));
        evidence::keep(&dir, ours, theirs, proven)
    }

    fn known(&self, origin: &str) -> PathBuf {
        self.dir.join(KNOWN).join(origin_hash(origin))
    }

    fn temporary(&self) -> PathBuf {
        self.dir.join("new-key")
    }
}

/// Reads a list of logs: lines `log <vkey> [url]` as in a C2SP tlog-policy, empty lines and `#` comments.
///
/// # Errors
/// [`Error::Io`]; [`Error::Setting`] naming what is wrong.
pub fn read_logs(path: &Path) -> Result<Vec<Vkey>, Error> {
    let setting = |text: String| Error::Setting {
        what: format!("list of logs {}", path.display()),
        text,
    };
    let bytes = disk::read(path, 256 * 1024)?.ok_or_else(|| setting("it does not exist".into()))?;
    let text = String::from_utf8(bytes).map_err(|_| setting("it is not UTF-8".into()))?;
    if let Some(line) = text
        .lines()
        .find(|l| !l.trim().is_empty() && !l.starts_with('#') && !l.starts_with("log "))
    {
        let line: String = line.chars().take(60).collect();
        return Err(setting(format!(
            "`{}` is no line `log <vkey>`",
            line.escape_debug()
        )));
    }
    let newline = if text.ends_with('\n') || text.is_empty() {
        ""
    } else {
        "\n"
    };
    let policy = Policy::parse(&format!("{text}{newline}quorum none\n"))
        .map_err(|e| setting(e.to_string()))?;
    Ok(policy.logs().iter().map(|log| log.vkey.clone()).collect())
}

/// A log's key must be one that signs checkpoints.
pub(super) fn check_log(vkey: &Vkey) -> Result<(), Error> {
    if vkey.kind() == KeyKind::Ed25519 {
        return Ok(());
    }
    Err(Error::Setting {
        what: format!("log `{}`", vkey.name()),
        text: format!(
            "its key is of kind {}, a log signs with {}",
            vkey.kind(),
            KeyKind::Ed25519
        ),
    })
}
