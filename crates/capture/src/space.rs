//! What happens when nothing can be written: every writer waits here, nothing is dropped, and the child waits with us.
//!
//! Writers call [`Space::persist`]; the pump's first thread watches [`Space::mode`], says what happened, and lets the writers try
//! again. The ballast is space kept back for the journal and the verdict: it is given up when even the journal cannot be written, and
//! the child's bytes go on only when it could be reserved again.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use gonogo_dryrun::spec::Capture;
use rustix::event::{EventfdFlags, eventfd};
use rustix::fs::{FallocateFlags, fallocate};

use crate::CaptureError;
use crate::files::Files;

/// The least ballast with which a run on a disk that stays full gets its verdict, bytes.
pub const LEAST_BALLAST: u64 = 4 << 20;

/// What is taken from the reserve at once for a journal's last words.
const CRUMB: u64 = 64 << 10;

/// Whether writers may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// They may.
    Open,
    /// One failed; all wait.
    Blocked,
    /// They may try again.
    Trial,
    /// It is the end: who fails gives up.
    Last,
}

const OPEN: u8 = 0;
const BLOCKED: u8 = 1;
const TRIAL: u8 = 2;
const LAST: u8 = 3;

/// Where writers wait.
#[derive(Debug)]
pub(crate) struct Space {
    mode: AtomicU8,
    reason: Mutex<String>,
    changed: Condvar,
    waker: OwnedFd,
    /// Whether what can be made again is not written any more.
    short: AtomicBool,
}

impl Space {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            mode: AtomicU8::new(OPEN),
            reason: Mutex::new(String::new()),
            changed: Condvar::new(),
            waker: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            short: AtomicBool::new(false),
        })
    }

    /// For those who write when nobody else does, and cannot wait: recovery after a run.
    pub(crate) fn impatient() -> io::Result<Self> {
        let space = Self::new()?;
        space.mode.store(LAST, Ordering::SeqCst);
        Ok(space)
    }

    /// Becomes readable when the mode changes, or [`Space::wake`] is called.
    pub(crate) fn waker(&self) -> impl AsFd {
        self.waker.as_fd()
    }

    /// Wakes the first thread.
    pub(crate) fn wake(&self) {
        let _ = rustix::io::write(&self.waker, &1_u64.to_ne_bytes());
    }

    /// Takes the wake-ups that there are.
    pub(crate) fn drain(&self) {
        let _ = rustix::io::read(&self.waker, &mut [0_u8; 8]);
    }

    pub(crate) fn mode(&self) -> Mode {
        match self.mode.load(Ordering::SeqCst) {
            OPEN => Mode::Open,
            BLOCKED => Mode::Blocked,
            TRIAL => Mode::Trial,
            _ => Mode::Last,
        }
    }

    /// Why nothing can be written.
    pub(crate) fn reason(&self) -> String {
        self.lock().clone()
    }

    /// Lets writers try again.
    pub(crate) fn retry(&self) {
        let _guard = self.lock();
        let _ = self
            .mode
            .compare_exchange(BLOCKED, TRIAL, Ordering::SeqCst, Ordering::SeqCst);
        self.changed.notify_all();
    }

    /// From now on who cannot write gives up. On a disk that is full now what can be made again is not written at all.
    pub(crate) fn last_resort(&self, short: bool) {
        let _guard = self.lock();
        self.short.fetch_or(short, Ordering::SeqCst);
        self.mode.store(LAST, Ordering::SeqCst);
        self.changed.notify_all();
    }

    /// From now on what can be made again is not written; who waits for space tries again.
    pub(crate) fn spare(&self) {
        self.short.store(true, Ordering::SeqCst);
        self.retry();
    }

    /// As [`Space::persist`], for what can be made again: the last space is left to what cannot.
    ///
    /// # Errors
    /// As [`Space::persist`].
    pub(crate) fn persist_if_ample<T>(
        &self,
        what: &str,
        mut attempt: impl FnMut() -> io::Result<T>,
    ) -> io::Result<T> {
        self.persist(what, || {
            if self.short.load(Ordering::SeqCst) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            attempt()
        })
    }

    /// Does something that takes space, again and again until there is some.
    ///
    /// # Errors
    /// What is no matter of space; and that, once it is the end.
    pub(crate) fn persist<T>(
        &self,
        what: &str,
        mut attempt: impl FnMut() -> io::Result<T>,
    ) -> io::Result<T> {
        loop {
            match attempt() {
                Ok(value) => {
                    if self.mode.load(Ordering::Relaxed) == TRIAL {
                        let _ = self.mode.compare_exchange(
                            TRIAL,
                            OPEN,
                            Ordering::SeqCst,
                            Ordering::SeqCst,
                        );
                        self.wake();
                    }
                    return Ok(value);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if is_full(&e) => {
                    if !self.wait(what, &e) {
                        return Err(e);
                    }
                }
                Err(e) => return Err(e),
            }
        }
    }

    fn wait(&self, what: &str, error: &io::Error) -> bool {
        let mut reason = self.lock();
        match self.mode.load(Ordering::SeqCst) {
            LAST => return false,
            BLOCKED => {}
            _ => {
                self.mode.store(BLOCKED, Ordering::SeqCst);
                *reason = format!("{what}: {error}");
                self.wake();
            }
        }
        while self.mode.load(Ordering::SeqCst) == BLOCKED {
            reason = self
                .changed
                .wait(reason)
                .unwrap_or_else(PoisonError::into_inner);
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, String> {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether waiting may help: the disk is full, a quota is used up, or the device does not take it now.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::ReadOnlyFilesystem
    ) || error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
}

/// Space kept back.
#[derive(Debug)]
pub(crate) struct Ballast {
    path: PathBuf,
    bytes: u64,
    held: bool,
}

impl Ballast {
    pub(crate) const fn new(path: PathBuf, bytes: u64) -> Self {
        Self {
            path,
            bytes,
            held: false,
        }
    }

    /// Whether it is held, or none is wanted.
    pub(crate) const fn is_held(&self) -> bool {
        self.held || self.bytes == 0
    }

    /// Whether there is something to give up.
    pub(crate) const fn bytes_held(&self) -> bool {
        self.held
    }

    /// Reserves it.
    pub(crate) fn reserve(&mut self) -> io::Result<()> {
        if self.is_held() {
            return Ok(());
        }
        let reserved = self.fill();
        if reserved.is_err() {
            // Half a ballast would keep space from the child without serving anybody.
            let _ = std::fs::remove_file(&self.path);
        }
        reserved?;
        self.held = true;
        Ok(())
    }

    fn fill(&self) -> io::Result<()> {
        fill(&File::create(&self.path)?, self.bytes)
    }

    /// Gives it up.
    pub(crate) fn release(&mut self) {
        let _ = std::fs::remove_file(&self.path);
        self.held = false;
    }
}

fn fill(file: &File, bytes: u64) -> io::Result<()> {
    match fallocate(file, FallocateFlags::empty(), 0, bytes) {
        Ok(()) => return Ok(()),
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {}
        Err(e) => return Err(e.into()),
    }
    let block = [0; 1 << 16];
    let mut left = bytes;
    while left > 0 {
        let count = left.min(block.len() as u64);
        io::Write::write_all(&mut &*file, &block[..count as usize])?;
        left -= count;
    }
    file.sync_data()
}

/// How much of the ballast is for the verdict alone. The pump's part goes for its last bytes, its journal and the views, and these
/// take all that they get.
pub const fn verdict_bytes(capture: &Capture) -> u64 {
    capture.ballast_bytes / 2
}

/// Keeps space back for the verdict.
pub(crate) fn reserve(files: &Files, capture: &Capture) -> Result<(), CaptureError> {
    let bytes = verdict_bytes(capture);
    if bytes == 0 {
        return Ok(());
    }
    let path = files.reserve();
    File::create_new(&path)
        .and_then(|file| fill(&file, bytes))
        .map_err(CaptureError::write(&path))
}

/// Gives the verdict the space that was kept back for it. Call it when nothing of the run lives any more.
///
/// # Errors
/// It cannot be given.
pub fn release_reserve(directory: &Path) -> io::Result<()> {
    match std::fs::remove_file(Files::new(directory).reserve()) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// Gives a journal's last words a little of what is kept back for the verdict. Returns whether there was some.
pub(crate) fn crumb(files: &Files) -> bool {
    let Ok(file) = File::options().write(true).open(files.reserve()) else {
        return false;
    };
    let Ok(meta) = file.metadata() else {
        return false;
    };
    let left = meta.len().saturating_sub(CRUMB);
    meta.len() > 0 && file.set_len(left).is_ok()
}

/// Bytes that are free for us on the volume of `path`.
pub(crate) fn free_bytes(path: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(path).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}
