//! What each witness cosigned last, as far as we know. It saves a round trip, and it notices a witness that forgot.
//!
//! It is not trusted for anything else: lost, it costs each witness one 409.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gonogo_ledger::Vkey;
use serde::{Deserialize, Serialize};

use crate::disk;
use crate::error::Error;

/// Remembers what witnesses cosigned.
pub trait Recall {
    /// Returns the size of the log `origin` that `witness` cosigned last, 0 if none is known.
    fn last(&self, origin: &str, witness: &Vkey) -> u64;

    /// Takes note that `witness` cosigned `size` leaves of the log `origin`.
    fn cosigned(&mut self, origin: &str, witness: &Vkey, size: u64);
}

/// Sizes by log and witness, in memory or in a JSON file (`witnesses.json`).
#[derive(Debug, Clone, Default)]
pub struct Sizes {
    path: Option<PathBuf>,
    sizes: Wire,
    changed: bool,
}

/// Origin → witness's key → size.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
struct Wire(BTreeMap<String, BTreeMap<String, u64>>);

impl Sizes {
    /// Remembers until it is dropped.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::default()
    }

    /// Remembers in the file `path`, made when there is something to remember.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Setting`] if the file is not one of these. It may be deleted then.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let sizes = match disk::read(path, 1 << 20)? {
            None => Wire::default(),
            Some(bytes) => serde_json::from_slice(&bytes).map_err(|e| Error::Setting {
                what: format!("memory of witnesses {}", path.display()),
                text: format!("{e}; remove the file, witnesses are then asked once more"),
            })?,
        };
        Ok(Self {
            path: Some(path.to_owned()),
            sizes,
            changed: false,
        })
    }
}

impl Recall for Sizes {
    fn last(&self, origin: &str, witness: &Vkey) -> u64 {
        let sizes = self.sizes.0.get(origin);
        let size = sizes.and_then(|sizes| sizes.get(&witness.to_string()));
        size.copied().unwrap_or(0)
    }

    fn cosigned(&mut self, origin: &str, witness: &Vkey, size: u64) {
        let sizes = self.sizes.0.entry(origin.to_owned()).or_default();
        let before = sizes.insert(witness.to_string(), size);
        self.changed |= before != Some(size);
    }
}

impl Sizes {
    /// Writes the file, if anything changed. To be called after [`cosign`](super::cosign()); an error is no reason to throw its result away.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn save(&mut self) -> Result<(), Error> {
        let Some(path) = self.path.as_ref().filter(|_| self.changed) else {
            return Ok(());
        };
        let mut bytes = serde_json::to_vec_pretty(&self.sizes).map_err(|e| Error::Setting {
            what: format!("memory of witnesses {}", path.display()),
            text: e.to_string(),
        })?;
        bytes.push(b'\n');
        disk::replace(&path.with_extension("new"), path, &bytes, 0o644)?;
        self.changed = false;
        Ok(())
    }
}
