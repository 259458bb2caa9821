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
    pub(crate) fn of(ws: &Workspace) -> Result<Self, AppError> {
        let name = caller_name(ws.caller.name.as_deref())?;
        let path = match &ws.caller.key {
            Some(path) => path.clone(),
            None => {
                let path = key_path(&ws.state, &name);
                if !path.exists() {
                    create_key(&path)?;
                }
                path
            }
        };
        let key = Arc::new(read_key(&path)?);
        match ws
            .ledger
            .enrol(*key.public(), &name, "person", &name, ws.clock.now().wall)
        {
            Err(LedgerError::KeyReused { .. }) => {
                let text = format!(
                    "key `{}` belongs to another name in the ledger, not to `{name}`",
                    path.display()
                );
                return Err(AppError::new(Reason::ArgumentInvalid, text)
                    .hint("give the name that the key was used with: --as NAME")
                    .hint("or a key of your own: `gonogo key new --out FILE`"));
            }
            enrolled => enrolled?,
        };
        Ok(Self { name, key })
    }

    /// The key's name in records.
    pub fn key_id(&self) -> String {
        self.key.public().id().to_string()
    }
}

/// Makes a new P-256 key, readable by its owner only. Never overwrites.
///
/// # Errors
/// The path cannot be written, or something is there already.
pub fn create_key(path: &Path) -> Result<(), AppError> {
    make_dir(parent(path))?;
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
            _ => AppError::io("create", path, &e),
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
    if crate::config::is_plain_name(&name) {
        return Ok(name);
    }
    let text = format!(
        "`{name}` cannot be used as a name: letters, digits, `.`, `_`, `+` and `-`, at most 64"
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

/// Path of the key of `name` in the project.
pub fn key_path(state: &Path, name: &str) -> PathBuf {
    state.join("keys").join(format!("{name}.p256.pem"))
}
