//! The key by which marks in reports tell different secrets apart: `keys/redaction.key`, 32 random bytes in hexadecimal.
//!
//! It is made once and is no part of any run, record or packet, so artifacts alone allow no guess at what was taken out. Machines whose runs are
//! to be compared with each other have the same file; losing it costs the comparison of such tests with earlier runs and nothing else.

use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use gonogo_core::Reason;

use crate::AppError;
use crate::home::Home;
use crate::identity;
use crate::workspace::{STATE_DIR, make_dir, parent};

/// Below the state directory.
const FILE: &str = "keys/redaction.key";

/// The key of the project, which is made if there is none; a key for once where there is no project to keep it.
///
/// # Errors
/// A file that cannot be read or written, or is no key.
pub(super) fn key(home: &Home) -> Result<[u8; 32], AppError> {
    let state = home.root().join(STATE_DIR);
    if home.config.is_none() && !state.exists() {
        return Ok(fresh());
    }
    of_file(&state.join(FILE))
}

fn of_file(path: &Path) -> Result<[u8; 32], AppError> {
    match read(path) {
        Err(e) if e.reason == Reason::InputNotFound => {}
        found => return found,
    }
    let fault = |e: std::io::Error| AppError::io("write", path, &e);
    make_dir(parent(path))?;
    let mut file = tempfile::NamedTempFile::new_in(parent(path)).map_err(fault)?;
    let text: String = fresh().iter().map(|b| format!("{b:02x}")).collect();
    file.write_all(format!("{text}\n").as_bytes())
        .map_err(fault)?;
    file.as_file()
        .set_permissions(std::fs::Permissions::from_mode(0o600))
        .map_err(fault)?;
    file.as_file().sync_all().map_err(fault)?;
    match file.persist_noclobber(path) {
        Ok(_) => {}
        // Another run was first; its key is the project's.
        Err(e) if e.error.kind() == ErrorKind::AlreadyExists => {}
        Err(e) => return Err(fault(e.error)),
    }
    read(path)
}

fn read(path: &Path) -> Result<[u8; 32], AppError> {
    let bytes = crate::proposing::bounded(path, 128)?;
    let text = String::from_utf8_lossy(&bytes);
    let text = text.trim();
    let mut key = [0; 32];
    let mut whole = text.len() == 64 && text.is_ascii();
    for (n, byte) in key.iter_mut().enumerate().take_while(|_| text.is_ascii()) {
        let digits = text.get(n * 2..n * 2 + 2).unwrap_or_default();
        match u8::from_str_radix(digits, 16) {
            Ok(value) => *byte = value,
            Err(_) => whole = false,
        }
    }
    match whole {
        true => Ok(key),
        false => {
            let text = format!("`{}` is no key: 64 hexadecimal digits", path.display());
            Err(AppError::new(Reason::KeyUnreadable, text)
                .hint("put the right file there, or remove it: names with secrets in them are then new ones"))
        }
    }
}

fn fresh() -> [u8; 32] {
    let mut key = [0; 32];
    for part in key.chunks_mut(8) {
        part.copy_from_slice(&identity::random());
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_a_damaged_one_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys/redaction.key");
        let first = of_file(&path).unwrap();
        assert_eq!(of_file(&path).unwrap(), first);
        assert_ne!(first, [0; 32]);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        for bad in ["", "zz", &"g".repeat(64), &"ä".repeat(32), &"a".repeat(63)] {
            std::fs::write(&path, bad).unwrap();
            let error = of_file(&path).unwrap_err();
            assert_eq!(error.reason, Reason::KeyUnreadable, "{bad}");
        }
    }
}
