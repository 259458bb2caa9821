//! What lies around a runbook: files of the project, and programs of this machine.
//!
//! Invariant: nothing outside of the project's directory counts as a part of it, also not by a link.

use std::path::PathBuf;

use gonogo_suite::runbook::Tree;

use crate::suite::preflight;

/// Most bytes of a file that is read: a Makefile, a `package.json`.
const TEXT: u64 = 4 << 20;

/// The project's directory.
#[derive(Debug)]
pub(super) struct Around {
    pub(super) root: PathBuf,
}

impl Around {
    fn real(&self, path: &str) -> Option<PathBuf> {
        let root = std::fs::canonicalize(&self.root).ok()?;
        let real = std::fs::canonicalize(root.join(path)).ok()?;
        (real.starts_with(&root) && real.is_file()).then_some(real)
    }
}

impl Tree for Around {
    fn is_file(&self, path: &str) -> bool {
        self.real(path).is_some()
    }

    fn is_program(&self, name: &str) -> bool {
        !name.contains('/') && preflight::program(name, &self.root).is_some()
    }

    fn text(&self, path: &str) -> Option<String> {
        let bytes = crate::proposing::bounded(&self.real(path)?, TEXT).ok()?;
        String::from_utf8(bytes).ok()
    }
}
