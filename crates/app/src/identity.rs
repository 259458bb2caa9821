//! Who asks, and the key that proves it. On one machine each name has a key file in the project; a team gives its own.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gonogo_core::Reason;
use gonogo_ledger::key::{Pkcs8, SigningKey};
use gonogo_store::ledger::LedgerError;

use crate::workspace::{make_dir, parent};
use crate::{AppError, Workspace};

/// A caller with a key.
#[derive(Clone)]
pub struct Identity {
    /// Name.
    pub name: String,
    /// Signing key, enrolled in the ledger.
    pub key: Arc<SigningKey>,
}

impl Identity {
    /// The name and the key's id that [`Self::of`] would give; no id if it would make a key. Nothing is made and nothing is enrolled.
    pub(crate) fn would_be(ws: &Workspace) -> Result<(String, String), AppError> {
        let name = caller_name(ws.caller.name.as_deref())?;
        if ws.caller.key.is_none() && !ws.key_file(&name).exists() {
            return Ok((name, String::new()));
        }
        let me = Self::claimed(ws)?;
        Ok((name, me.key_id()))
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
        if listed.is_empty() && ws.caller.key.is_none() && !path.exists() {
            make_dir(parent(&path))?;
            create_key(&path)?;
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
        let all = ws.ledger.enrolled_keys()?;
        let mut of_name = all.iter().filter(|k| k.who == self.name).peekable();
        if of_name.peek().is_none() || of_name.any(|k| k.key == *self.key.public()) {
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
        let key = Arc::new(read_key(&path)?);
        Ok(Self { name, key })
    }

    /// Enrols the key under the name, so that it may sign records.
    pub(crate) fn enrol(&self, ws: &Workspace) -> Result<(), AppError> {
        let name = &self.name;
        match ws.ledger.enrol(
            *self.key.public(),
            name,
            "person",
            name,
            ws.clock.now().wall,
        ) {
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

    /// The key's name in records.
    pub fn key_id(&self) -> String {
        self.key.public().id().to_string()
    }
}

/// Makes a new P-256 key, readable by its owner only. Never overwrites.
///
/// # Errors
/// The directory does not exist, the path cannot be written, or something is there already.
pub fn create_key(path: &Path) -> Result<(), AppError> {
    let pem = SigningKey::generate()?.pem();
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(|e| match e.kind() {
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
        })?;
    file.write_all(pem.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(|e| AppError::io("write", path, &e))
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
    format!("{}{}", nonce(), nonce())
}

/// Path of the key of `name` in the project.
pub fn key_path(state: &Path, name: &str) -> PathBuf {
    state.join("keys").join(format!("{name}.p256.pem"))
}
