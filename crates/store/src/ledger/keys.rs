//! The ledger's two private keys. Made once, under the append lock; never overwritten.

use std::path::Path;

use gonogo_ledger::{LogKey, Pkcs8, SigningKey, Vkey};

use super::disk::Layout;
use super::error::LedgerError;

pub(super) struct Keys {
    pub(super) log: LogKey,
    pub(super) controller: std::sync::Arc<SigningKey>,
}

/// Loads the keys; makes them if the ledger is new (it has no `log.vkey` yet). Until something is acknowledged, everything
/// that is there is made durable once more: whoever wrote it may have died before it was.
pub(super) fn load_or_make(
    layout: &Layout,
    origin: &str,
    acknowledged: Option<&str>,
) -> Result<Keys, LedgerError> {
    let (log_path, controller_path) = (
        layout.keys().join("log.key"),
        layout.keys().join("controller.key"),
    );
    let missing = layout.read_small(&layout.vkey())?.is_none();
    if let (true, Some(note)) = (missing, acknowledged) {
        put_back_vkey(layout, &log_path, note)?;
    } else if missing {
        layout.make_dir(&layout.keys(), 0o700)?;
        make(layout, &log_path, LogKey::generate)?;
        make(layout, &controller_path, SigningKey::generate)?;
        // Whoever has the public key has the private ones: they come first, and the names of their directories.
        for dir in layout.ledger().ancestors().take(3) {
            layout.sync_dir(dir)?;
        }
        let key = load(layout, &log_path, |pkcs8| LogKey::load(origin, pkcs8))?;
        layout.write_durably(
            &layout.vkey(),
            format!("{}\n", key.vkey()).as_bytes(),
            0o644,
        )?;
    }
    if acknowledged.is_none() {
        for (path, mode) in [
            (&log_path, 0o600),
            (&controller_path, 0o600),
            (&layout.vkey(), 0o644),
        ] {
            if let Some(text) = layout.read_small(path)? {
                layout.write_durably(path, text.as_bytes(), mode)?;
            }
        }
        // The names of the directories must survive as the files in them do.
        for dir in layout.ledger().ancestors().take(3) {
            layout.sync_dir(dir)?;
        }
    }
    let vkey = read_vkey(layout)?;
    let log = load(layout, &log_path, |pkcs8| LogKey::load(vkey.name(), pkcs8))?;
    if *log.vkey() != vkey {
        return Err(LedgerError::Key {
            path: log_path,
            text: format!("it is not the private half of {vkey}"),
        });
    }
    let controller = load(layout, &controller_path, SigningKey::load)?;
    Ok(Keys {
        log,
        controller: std::sync::Arc::new(controller),
    })
}

/// Writes a lost `log.vkey` again: the private key and the name in the acknowledged checkpoint tell what was in it, and the
/// checkpoint's signature tells whether they do.
fn put_back_vkey(layout: &Layout, log_path: &Path, note: &str) -> Result<(), LedgerError> {
    let origin = note.lines().next().unwrap_or_default();
    let key = load(layout, log_path, |pkcs8| LogKey::load(origin, pkcs8))?;
    gonogo_ledger::Checkpoint::open(note, key.vkey()).map_err(|e| LedgerError::Key {
        path: log_path.to_owned(),
        text: format!(
            "`log.vkey` is gone, and this key did not sign the acknowledged checkpoint: {e}"
        ),
    })?;
    layout.write_durably(
        &layout.vkey(),
        format!("{}\n", key.vkey()).as_bytes(),
        0o644,
    )
}

/// The controller's next key: the one that an interrupted change left, or a new one.
pub(super) fn next_controller(layout: &Layout) -> Result<Pkcs8, LedgerError> {
    let path = next_path(layout);
    if layout.read_small(&path)?.is_none() {
        make(layout, &path, SigningKey::generate)?;
    }
    load(layout, &path, |pkcs8| {
        SigningKey::load(pkcs8).map(|_| pkcs8.clone())
    })
}

/// Puts the controller's next key into the place of its key, and loads it.
pub(super) fn take_next_controller(layout: &Layout) -> Result<SigningKey, LedgerError> {
    let (next, path) = (next_path(layout), layout.keys().join("controller.key"));
    layout
        .disk()
        .rename(&next, &path)
        .map_err(|e| LedgerError::io("rename", &next, &e))?;
    layout.sync_dir(&layout.keys())?;
    load(layout, &path, SigningKey::load)
}

fn next_path(layout: &Layout) -> std::path::PathBuf {
    layout.keys().join("controller.key.next")
}

/// Reads the log's public key.
pub(super) fn read_vkey(layout: &Layout) -> Result<Vkey, LedgerError> {
    let path = layout.vkey();
    let Some(text) = layout.read_small(&path)? else {
        if layout.checkpoint_lock().exists() {
            let text = "it is gone; any command that records something puts it back";
            return Err(LedgerError::corrupt(&path, text));
        }
        return Err(LedgerError::Absent {
            path: layout.ledger(),
        });
    };
    text.trim_end()
        .parse()
        .map_err(|e: gonogo_ledger::Error| LedgerError::corrupt(&path, e.to_string()))
}

/// Writes a new key, or the one that is there once more: whoever wrote it may have died before it was durable.
fn make(
    layout: &Layout,
    path: &Path,
    generate: impl Fn() -> Result<Pkcs8, gonogo_ledger::Error>,
) -> Result<(), LedgerError> {
    let pem = match layout.read_small(path)? {
        Some(pem) => pem,
        None => generate()?.pem(),
    };
    layout.write_durably(path, pem.as_bytes(), 0o600)
}

fn load<K>(
    layout: &Layout,
    path: &Path,
    read: impl Fn(&Pkcs8) -> Result<K, gonogo_ledger::Error>,
) -> Result<K, LedgerError> {
    let unusable = |text: String| LedgerError::Key {
        path: path.to_owned(),
        text,
    };
    let text = layout
        .read_small(path)
        .map_err(|e| unusable(e.to_string()))?
        .ok_or_else(|| {
            unusable("the file does not exist; restore it from where you keep it".into())
        })?;
    Pkcs8::from_pem(&text)
        .and_then(|pkcs8| read(&pkcs8))
        .map_err(|e| unusable(e.to_string()))
}
