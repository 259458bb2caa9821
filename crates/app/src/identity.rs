//! Who asks, and what proves it: a key, or a login at a server. On one machine each name has a key file in the project; a team gives its own.
//!
//! Who came in by a login and whose key is elsewhere acts without it: what they do is the server's word, signed with its key, and a record
//! beside it says by which means they showed who they are. What takes a person's own signature is refused without a key.

use std::collections::HashSet;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gonogo_core::Reason;
use gonogo_ledger::key::{KeyId, Pkcs8, SigningKey};
use gonogo_store::ledger::{Draft, LedgerError, RecordView};
use serde_json::json;

use crate::workspace::{make_dir, parent};
use crate::{AppError, Workspace};

/// Kind of the record that says by which login somebody did what the record beside it says of them.
pub(crate) const LOGIN: &str = "by-login";

/// A caller who is proven.
#[derive(Clone)]
pub struct Identity {
    /// Name.
    pub name: String,
    /// Signing key, enrolled in the ledger; none where a login alone proves the name.
    pub key: Option<Arc<SigningKey>>,
    /// By which login, where one alone proves the name.
    login: Option<String>,
}

impl Identity {
    /// Somebody with their key, of which nothing is known yet.
    pub(crate) fn with(name: String, key: SigningKey) -> Self {
        Self {
            name,
            key: Some(Arc::new(key)),
            login: None,
        }
    }

    /// The name and the key's id that [`Self::of`] would give; no id if it would make a key. Nothing is made and nothing is enrolled.
    pub(crate) fn would_be(ws: &Workspace) -> Result<(String, String), AppError> {
        let name = caller_name(ws.caller.name.as_deref())?;
        if ws.caller.key.is_none() && !ws.key_file(&name).exists() {
            return Ok((name, String::new()));
        }
        let me = Self::claimed(ws)?;
        let key = me.key_id();
        let listed = || ws.config.people().filter(|(id, _)| *id == name);
        let other = listed().next().is_some() && !listed().any(|(_, k)| k == key);
        match ws.caller.login.is_some() && other {
            true => Ok((name, String::new())),
            false => Ok((name, key)),
        }
    }

    /// The caller with the key that the configuration lists for the name. A name that it does not list gets a key of its own
    /// on first use; a listed name never does, and a listed key works under its own name alone.
    pub(crate) fn of(ws: &Workspace) -> Result<Self, AppError> {
        let name = caller_name(ws.caller.name.as_deref())?;
        let listed: Vec<&str> = ws
            .config
            .people()
            .filter(|(id, _)| *id == name)
            .map(|(_, key)| key)
            .collect();
        let path = ws.key_file(&name);
        if let Some(login) = &ws.caller.login {
            let here = Self::claimed(ws).ok();
            let theirs = |me: &Self| listed.contains(&me.key_id().as_str());
            let elsewhere = match listed.is_empty() {
                true => !path.exists() && has_a_key(ws, &name)?,
                false => !here.as_ref().is_some_and(theirs),
            };
            if elsewhere {
                return Ok(Self {
                    name,
                    key: None,
                    login: Some(login.clone()),
                });
            }
        }
        if listed.is_empty() && ws.caller.key.is_none() && !path.exists() {
            make_dir(parent(&path))?;
            // Who asks at the same time has made the same person's key.
            create_key(&path).or_else(|e| if path.exists() { Ok(()) } else { Err(e) })?;
        }
        let me = Self::claimed(ws)?;
        let id = me.key_id();
        let fault = if !listed.is_empty() && !listed.contains(&id.as_str()) {
            Some(format!(
                "`{name}` is listed in `{}` with another key than `{}`",
                ws.config.path.display(),
                path.display()
            ))
        } else {
            let owner = ws
                .config
                .people()
                .find(|(other, key)| *key == id && *other != name);
            owner.map(|(other, _)| {
                format!(
                    "key `{}` is listed for `{other}`, not for `{name}`",
                    path.display()
                )
            })
        };
        if let Some(text) = fault {
            return Err(AppError::new(Reason::KeyNotListed, text));
        }
        if listed.is_empty() {
            me.take_no_name_of_others(ws)?;
        }
        me.enrol(ws)?;
        Ok(me)
    }

    /// A name that a key was enrolled under stays that key's, also after it was revoked: whoever comes with another key is
    /// somebody else, until the configuration lists the key or it was enrolled by name.
    fn take_no_name_of_others(&self, ws: &Workspace) -> Result<(), AppError> {
        let Some(own) = &self.key else {
            return Ok(());
        };
        let all = ws.ledger.enrolled_keys()?;
        let mut of_name = all.iter().filter(|k| k.who == self.name).peekable();
        if of_name.peek().is_none() || of_name.any(|k| k.key == *own.public()) {
            return Ok(());
        }
        let text = format!(
            "the name `{}` belongs to another key in the ledger",
            self.name
        );
        Err(AppError::new(Reason::KeyNotListed, text)
            .hint("give a name of your own: --as NAME")
            .hint(format!(
                "if the key is new and the person is not, have it enrolled: `gonogo ledger keys enrol PUBLIC.pem --who {}`",
                self.name
            )))
    }

    /// The caller's name and key as claimed: nothing is made and nothing is enrolled.
    pub(crate) fn claimed(ws: &Workspace) -> Result<Self, AppError> {
        let name = caller_name(ws.caller.name.as_deref())?;
        let path = ws.key_file(&name);
        if ws.caller.key.is_none() && !path.exists() {
            let text = format!(
                "no key of `{name}` is here: `{}` does not exist",
                path.display()
            );
            return Err(AppError::new(Reason::KeyUnreadable, text)
                .hint("give your key: --key FILE")
                .hint(
                    "make one: `gonogo key new --out FILE`, and have its id listed in gonogo.toml",
                ));
        }
        Ok(Self::with(name, read_key(&path)?))
    }

    /// Enrols the key under the name, so that it may sign records.
    pub(crate) fn enrol(&self, ws: &Workspace) -> Result<(), AppError> {
        let name = &self.name;
        let Some(own) = &self.key else {
            return Ok(());
        };
        match ws
            .ledger
            .enrol(*own.public(), name, "person", name, ws.clock.now().wall)
        {
            Err(LedgerError::KeyReused { .. }) => {
                let text = format!(
                    "key `{}` belongs to another name in the ledger, not to `{name}`",
                    ws.key_file(name).display()
                );
                Err(AppError::new(Reason::ArgumentInvalid, text)
                    .hint("give the name that the key was used with: --as NAME")
                    .hint("or a key of your own: `gonogo key new --out FILE`"))
            }
            enrolled => {
                enrolled?;
                Ok(())
            }
        }
    }

    /// The key's name in records; empty where there is none.
    pub fn key_id(&self) -> String {
        let key = self.key.as_ref();
        key.map_or_else(String::new, |key| key.public().id().to_string())
    }

    /// The key, for what takes a person's own signature.
    ///
    /// # Errors
    /// [`Reason::KeyUnreadable`] where a login alone proves the name.
    pub(crate) fn own_key(&self) -> Result<&Arc<SigningKey>, AppError> {
        self.key.as_ref().ok_or_else(|| {
            let text = format!(
                "this is signed with `{}`'s own key, which is not here",
                self.name
            );
            AppError::new(Reason::KeyUnreadable, text)
                .hint("sign it where the key is, with --key FILE, and bring it here")
        })
    }

    /// Whether it is whom a list names, with this key; the name alone counts where a login proves that.
    pub(crate) fn is(&self, name: &str, key: &str) -> bool {
        self.name == name && (self.key.is_none() || self.key_id() == key)
    }

    /// Records, and beside each that the server signs in the name of a login the one that says so.
    pub(crate) fn vouched(&self, drafts: Vec<Draft>) -> Vec<Draft> {
        let Some(means) = &self.login else {
            return drafts;
        };
        let beside = |of: &Draft| Draft {
            key: format!("{}/login", of.key),
            kind: LOGIN.into(),
            body: json!({"by": self.name, "means": means, "of": of.key}),
            ..of.clone()
        };
        let both = |draft: Draft| {
            let login = beside(&draft);
            [draft, login]
        };
        drafts.into_iter().flat_map(both).collect()
    }
}

/// Whether the ledger knows a key under this name, which is not one of this project's.
fn has_a_key(ws: &Workspace, name: &str) -> Result<bool, AppError> {
    let all = ws.ledger.enrolled_keys()?;
    Ok(all.iter().any(|k| k.who == name))
}

/// A record that a server signed in somebody's name, and whose it is by a login.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Vouched {
    signer: KeyId,
    key: String,
    by: String,
}

impl Vouched {
    /// What has to be said beside a record.
    pub(crate) fn of(record: &RecordView) -> Self {
        Self {
            signer: record.signer,
            key: record.key.clone(),
            by: record.actor.clone(),
        }
    }
}

/// All of a stream of which it is said beside them, by the same key, by which login they are their actor's.
///
/// # Errors
/// The ledger cannot be read.
pub(crate) fn vouched(ws: &Workspace, stream: String) -> Result<HashSet<Vouched>, AppError> {
    let beside = ws.every(stream, LOGIN)?;
    let word = |r: &RecordView, key: &str| r.body[key].as_str().map(str::to_owned);
    let all = beside.iter().filter_map(|r| {
        Some(Vouched {
            signer: r.signer,
            key: word(r, "of")?,
            by: word(r, "by")?,
        })
    });
    Ok(all.collect())
}

/// Makes a new P-256 key, readable by its owner only. Never overwrites.
///
/// # Errors
/// The directory does not exist, the path cannot be written, or something is there already.
pub fn create_key(path: &Path) -> Result<(), AppError> {
    let pem = SigningKey::generate()?.pem();
    let failed = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::AlreadyExists => {
            let text = format!(
                "`{}` is there already, and a key is never overwritten",
                path.display()
            );
            AppError::new(Reason::OutputFailed, text).hint("give another path")
        }
        _ => AppError::new(
            Reason::OutputFailed,
            format!("cannot create `{}`: {e}", path.display()),
        ),
    };
    if path.symlink_metadata().is_ok() {
        return Err(failed(std::io::ErrorKind::AlreadyExists.into()));
    }
    // It gets its name when it is whole: whoever reads, and whatever ends this process, there is no half of a key.
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.new", nonce()));
    let beside = PathBuf::from(beside);
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)
        .map_err(failed)?;
    let written = file
        .write_all(pem.as_bytes())
        .and_then(|()| file.sync_all());
    let named = written.and_then(|()| std::fs::hard_link(&beside, path));
    drop(std::fs::remove_file(&beside));
    named.map_err(failed)
}

/// Reads a P-256 key in PKCS#8 PEM.
///
/// # Errors
/// [`Reason::KeyUnreadable`].
pub fn read_key(path: &Path) -> Result<SigningKey, AppError> {
    let unusable = |why: String| {
        AppError::new(
            Reason::KeyUnreadable,
            format!("key `{}`: {why}", path.display()),
        )
    };
    let pem = std::fs::read_to_string(path).map_err(|e| unusable(e.to_string()))?;
    let pkcs8 = Pkcs8::from_pem(&pem).map_err(|e| unusable(e.to_string()))?;
    SigningKey::load(&pkcs8).map_err(|e| unusable(e.to_string()))
}

/// The caller's name: as given, or the operating system's.
pub fn caller_name(given: Option<&str>) -> Result<String, AppError> {
    let name = match given {
        Some(name) => name.to_owned(),
        None => std::env::var("USER")
            .or_else(|_| std::env::var("LOGNAME"))
            .unwrap_or_else(|_| "you".into()),
    };
    if crate::config::is_person_name(&name) {
        return Ok(name);
    }
    let text = format!(
        "`{name}` cannot be used as a name: letters, digits, `.`, `_`, `+`, `-` and `@`, at most 64"
    );
    Err(AppError::new(Reason::ArgumentInvalid, text).hint("give one with --as NAME"))
}

/// Eight random bytes for a new id.
pub fn random() -> [u8; 8] {
    use ring::rand::SecureRandom;
    let mut bytes = [0; 8];
    // Without the kernel's randomness no id and no key can be made; there is no safe way to go on.
    ring::rand::SystemRandom::new()
        .fill(&mut bytes)
        .expect("the kernel gives randomness");
    bytes
}

/// A text that nobody made before.
pub fn nonce() -> String {
    random().iter().map(|b| format!("{b:02x}")).collect()
}

/// A new trace's id, as W3C Trace Context has them.
pub fn new_trace() -> String {
    use std::cell::RefCell;

    const HEX: &[u8; 16] = b"0123456789abcdef";
    thread_local! {
        // Randomness that was asked for and not used yet: each request has a trace, and a call of the kernel costs more than the rest.
        static AHEAD: RefCell<(usize, [u8; 512])> = const { RefCell::new((512, [0; 512])) };
    }
    AHEAD.with_borrow_mut(|(used, bytes)| {
        if *used + 16 > bytes.len() {
            for eight in bytes.chunks_exact_mut(8) {
                eight.copy_from_slice(&random());
            }
            *used = 0;
        }
        let own = &bytes[*used..*used + 16];
        *used += 16;
        let digits = own.iter().flat_map(|b| [b >> 4, b & 15]);
        digits.map(|d| char::from(HEX[usize::from(d)])).collect()
    })
}

/// Path of the key of `name` in the project.
pub fn key_path(state: &Path, name: &str) -> PathBuf {
    state.join("keys").join(format!("{name}.p256.pem"))
}
