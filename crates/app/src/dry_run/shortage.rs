//! What is left out when there is no space: first comes the verdict, then what tells it, then everything else.
//!
//! Invariants: space was kept back for the verdict before anything was started ([`gonogo_capture::verdict_bytes`]), and it is given
//! up only here, when nothing of the run lives any more. What is given up beyond that can be made again from what was captured. What is
//! left out is told, never silently absent.

use std::path::Path;

use gonogo_core::Reason;
use gonogo_dryrun::spec::RunSpec;
use gonogo_dryrun::summary::LeftOut;

use crate::AppError;

/// Below so much free space nothing is written that may be left out: whoever comes back on the same disk needs a little to open
/// the ledger, bytes.
const KEEP: u64 = 256 << 10;

/// With less free space than this a fault of the disk is one of space, whatever a library calls it, bytes.
const NOTHING: u64 = 64 << 10;

/// The space of a run whose end is being written.
pub(crate) struct Shortage<'a> {
    dir: &'a Path,
    spec: &'a RunSpec,
    left: Vec<LeftOut>,
    /// What was given up already.
    given: u8,
}

impl<'a> Shortage<'a> {
    /// Gives up what was kept back for this.
    ///
    /// # Errors
    /// It cannot be removed.
    pub(crate) fn begin(dir: &'a Path, spec: &'a RunSpec) -> Result<Self, AppError> {
        gonogo_capture::release_reserve(dir).map_err(|e| AppError::io("release", dir, &e))?;
        let mut left = Vec::new();
        if gonogo_capture::Files::new(dir).views_cut().exists() {
            left.push(LeftOut {
                what: "views".to_owned(),
                reason:
                    "there was no space for all of the .log and .jsonl files while the run went on"
                        .to_owned(),
            });
        }
        Ok(Self {
            dir,
            spec,
            left,
            given: 0,
        })
    }

    /// Does what must be done: while there is no space, what can be made again is given up for it.
    pub(crate) fn insist<T>(
        &mut self,
        mut act: impl FnMut() -> Result<T, AppError>,
    ) -> Result<T, AppError> {
        loop {
            match act() {
                Err(e) if self.is_full(&e) && self.give(&e) => {}
                other => return other,
            }
        }
    }

    /// Does what may be left out.
    pub(crate) fn attempt<T>(
        &mut self,
        what: &Path,
        act: impl FnOnce() -> Result<T, AppError>,
    ) -> Result<Option<T>, AppError> {
        let what = what.display().to_string();
        let done = if self.free() < KEEP {
            let text = format!("No space left for what can be left out on the disk of `{what}`");
            Err(AppError::new(Reason::StoreFull, text))
        } else {
            act()
        };
        // It may have been tried before.
        self.left.retain(|left| left.what != what);
        match done {
            Ok(value) => Ok(Some(value)),
            Err(e) if self.is_full(&e) => {
                let reason = e.to_string();
                self.left.push(LeftOut { what, reason });
                Ok(None)
            }
            Err(e) => Err(e),
        }
    }

    /// Leaves something out for another reason than space.
    pub(crate) fn leave(&mut self, what: &Path, why: &AppError) {
        let what = what.display().to_string();
        self.left.retain(|left| left.what != what);
        let reason = why.to_string();
        self.left.push(LeftOut { what, reason });
    }

    /// What was left out so far.
    pub(crate) fn left(&self) -> &[LeftOut] {
        &self.left
    }

    /// Bytes that are free where the run lies.
    fn free(&self) -> u64 {
        rustix::fs::statvfs(self.dir).map_or(u64::MAX, |s| s.f_bavail.saturating_mul(s.f_frsize))
    }

    /// Whether it is a matter of space. A database that cannot map its files says only that there was an error.
    fn is_full(&self, e: &AppError) -> bool {
        e.reason == Reason::StoreFull || (e.reason == Reason::StoreFailed && self.free() < NOTHING)
    }

    /// Gives something up. Returns whether there was something.
    fn give(&mut self, why: &AppError) -> bool {
        self.given += 1;
        match self.given {
            // The pump's own state: nothing but a pump reads it, and there is none any more.
            1 => {
                let _ = std::fs::remove_file(self.dir.join("state.json"));
                true
            }
            2 => {
                let removed = gonogo_capture::leave_views_out(self.dir, self.spec);
                self.left.retain(|l| l.what != "views");
                self.left.extend(removed.iter().map(|path| LeftOut {
                    what: path.display().to_string(),
                    reason: format!("removed, so that there is space for the verdict: {why}"),
                }));
                true
            }
            _ => false,
        }
    }
}
