//! An agent's directory: the lock, the state file, the socket, logs and kept copies.
//!
//! ```text
//! agent.lock   held for the agent's life; holds its process number
//! agent.sock   control socket, 0600
//! agent.log    what a detached agent says
//! failed/PID.json  why an agent could not begin
//! state.json   the state
//! log/SLOT.log what the versions say
//! releases/    kept copies of versions
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use gonogo_core::Reason;
use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with};
use serde::{Deserialize, Serialize};

use super::AgentError;
use super::state::{SCHEMA, State};

/// Longest socket path that is used as it is; `sun_path` holds 108 bytes (unix(7)).
const LONGEST_SOCKET_PATH: usize = 100;
/// A version's log is begun anew beyond this size; one older log is kept.
const LOG_LIMIT: u64 = 16 << 20;
/// Most bytes that are read for the tail of a log.
const TAIL_LIMIT: u64 = 256 << 10;

/// An agent's directory, locked.
#[derive(Debug)]
pub(super) struct Home {
    dir: PathBuf,
    /// Closing it gives the lock back.
    _lock: File,
}

impl Home {
    /// Creates what is missing and takes the lock.
    pub(super) fn open(dir: &Path) -> Result<Self, AgentError> {
        let dir = std::path::absolute(dir).map_err(|e| AgentError::io("find", dir, e))?;
        for path in [dir.clone(), dir.join("log"), dir.join("releases")] {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
            made.map_err(|e| AgentError::io("create", &path, e))?;
        }
        // It may have been there before with other permissions; the socket's safety hangs on it.
        fs::set_permissions(&dir, Permissions::from_mode(0o700))
            .map_err(|e| AgentError::io("protect", &dir, e))?;
        let path = dir.join("agent.lock");
        let opened = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(&path);
        let mut lock = opened.map_err(|e| AgentError::io("open", &path, e))?;
        if let Err(e) = flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            if e != rustix::io::Errno::WOULDBLOCK {
                return Err(AgentError::io("lock", &path, e.into()));
            }
            let mut pid = String::new();
            // Only for the message.
            let _ = lock.read_to_string(&mut pid);
            let pid = pid.trim();
            let holder = if pid.is_empty() {
                "just starting".to_owned()
            } else {
                format!("process {pid}")
            };
            return Err(AgentError::Running { dir, holder });
        }
        let noted = lock
            .set_len(0)
            .and_then(|()| lock.write_all_at(format!("{}\n", std::process::id()).as_bytes(), 0));
        noted.map_err(|e| AgentError::io("write", &path, e))?;
        Ok(Self { dir, _lock: lock })
    }

    pub(super) fn releases(&self) -> PathBuf {
        self.dir.join("releases")
    }

    /// Reads the state; a directory without one begins anew.
    pub(super) fn load(&self, environment: &str) -> Result<State, AgentError> {
        let path = self.dir.join("state.json");
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let state = State::new(fresh_id()?, environment.to_owned());
                self.store(&state)?;
                return Ok(state);
            }
            Err(e) => return Err(AgentError::io("read", path, e)),
        };
        let bad = |text: String| AgentError::State {
            path: path.clone(),
            text,
        };
        let state: State = serde_json::from_slice(&bytes).map_err(|e| bad(e.to_string()))?;
        if state.schema != SCHEMA {
            return Err(bad(format!(
                "schema is `{}`, expected `{SCHEMA}`",
                state.schema
            )));
        }
        if state.environment != environment {
            return Err(bad(format!(
                "it belongs to environment `{}`, not `{environment}`",
                state.environment
            )));
        }
        Ok(state)
    }

    /// Makes the state durable: a new file, synced, then renamed over the old one, then the directory synced.
    pub(super) fn store(&self, state: &State) -> Result<(), AgentError> {
        let path = self.dir.join("state.json");
        let bytes = serde_json::to_vec(state).map_err(|e| AgentError::State {
            path: path.clone(),
            text: e.to_string(),
        })?;
        let temp = self.dir.join("state.json.new");
        let written = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(true)
            .mode(0o600)
            .open(&temp)
            .and_then(|mut file| {
                file.write_all(&bytes)?;
                file.sync_all()
            });
        written.map_err(|e| AgentError::io("write", &temp, e))?;
        fs::rename(&temp, &path).map_err(|e| AgentError::io("replace", &path, e))?;
        sync_dir(&self.dir)
    }

    /// The log of a slot, for appending. A long one is set aside first.
    pub(super) fn log(&self, slot: &str) -> PathBuf {
        let path = self.dir.join("log").join(format!("{slot}.log"));
        if fs::metadata(&path).is_ok_and(|m| m.len() > LOG_LIMIT) {
            // If it cannot be set aside, it goes on growing: output is never lost for tidiness.
            let _ = fs::rename(&path, path.with_extension("log.1"));
        }
        path
    }

    /// Adds a line of the agent's own to a slot's log. Best effort: it is for people.
    pub(super) fn note(&self, slot: &str, text: &str) {
        if let Ok(mut file) = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(self.log(slot))
        {
            let _ = writeln!(file, "gonogo: {text}");
        }
    }

    /// Binds the control socket; a stale one is removed, which the lock makes safe.
    pub(super) fn bind(&self) -> Result<UnixListener, AgentError> {
        let path = self.dir.join("agent.sock");
        match fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                return Err(AgentError::io("remove", path, e));
            }
            _ => {}
        }
        let bound = short(&self.dir).and_then(|short| UnixListener::bind(short.path("agent.sock")));
        let listener = bound.map_err(|e| AgentError::io("listen on", &path, e))?;
        fs::set_permissions(&path, Permissions::from_mode(0o600))
            .map_err(|e| AgentError::io("protect", &path, e))?;
        Ok(listener)
    }

    /// Removes the control socket.
    pub(super) fn unbind(&self) {
        // A stale socket is harmless: the next agent removes it, and nobody answers on it.
        let _ = fs::remove_file(self.dir.join("agent.sock"));
    }
}

/// Connects to the agent of `dir` within `limit`.
pub(crate) fn connect(dir: &Path, limit: Duration) -> io::Result<UnixStream> {
    let dir = std::path::absolute(dir)?;
    let way = short(&dir)?;
    let address = SocketAddrUnix::new(way.path("agent.sock"))?;
    let socket = socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    // A full backlog of a stopped agent would block for ever: connecting obeys the send time-out (unix(7)).
    set_socket_timeout(&socket, Timeout::Send, Some(limit))?;
    rustix::net::connect(&socket, &address)?;
    Ok(UnixStream::from(socket))
}

/// Why an agent could not begin, left for the one who started it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Failure {
    /// The reason.
    pub(crate) reason: Reason,
    /// In words.
    pub(crate) text: String,
    /// Another agent was there first.
    pub(crate) running: bool,
}

impl Failure {
    /// Leaves it. Best effort: the log says it, too.
    pub(super) fn leave(dir: &Path, error: &AgentError) {
        let failure = Self {
            reason: error.reason(),
            text: error.to_string(),
            running: matches!(error, AgentError::Running { .. }),
        };
        let dir = dir.join("failed");
        let _ = DirBuilder::new().recursive(true).mode(0o700).create(&dir);
        if let Ok(bytes) = serde_json::to_vec(&failure) {
            let _ = fs::write(dir.join(format!("{}.json", std::process::id())), bytes);
        }
        forget_oldest(&dir);
    }

    /// Takes what process `pid` has left.
    pub(crate) fn take(dir: &Path, pid: u32) -> Option<Self> {
        let path = dir.join("failed").join(format!("{pid}.json"));
        let failure = serde_json::from_slice(&fs::read(&path).ok()?).ok();
        let _ = fs::remove_file(path);
        failure
    }
}

/// Most failures that wait for somebody to read them.
const MOST_FAILURES: usize = 16;

fn forget_oldest(dir: &Path) {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut all: Vec<_> = entries
        .filter_map(|e| Some((e.metadata().ok()?.modified().ok()?, e.path())))
        .collect();
    all.sort();
    for (_, path) in &all[..all.len().saturating_sub(MOST_FAILURES)] {
        let _ = fs::remove_file(path);
    }
}

/// Reads the last lines of a file: at most `lines`, at most 256 KiB, nothing before `from`. Bytes that are no UTF-8 are replaced.
pub(crate) fn tail(path: &Path, lines: usize, from: u64) -> io::Result<Vec<String>> {
    let mut file = File::open(path)?;
    let end = file.metadata()?.len();
    let begin = end.saturating_sub(TAIL_LIMIT).max(from.min(end));
    file.seek(SeekFrom::Start(begin))?;
    let mut bytes = Vec::new();
    file.take(TAIL_LIMIT).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let mut all: Vec<&str> = text.lines().collect();
    // A line that begins before the window is cut; better none than half.
    if begin > from && all.len() > 1 {
        all.remove(0);
    }
    let first = all.len().saturating_sub(lines);
    Ok(all[first..].iter().map(|line| (*line).to_owned()).collect())
}

/// Makes a directory's entries durable.
pub(super) fn sync_dir(dir: &Path) -> Result<(), AgentError> {
    File::open(dir)
        .and_then(|d| d.sync_all())
        .map_err(|e| AgentError::io("sync", dir, e))
}

/// A name that nobody else has: the kernel's random UUID.
pub(super) fn fresh_id() -> Result<String, AgentError> {
    let path = "/proc/sys/kernel/random/uuid";
    fs::read_to_string(path)
        .map(|id| id.trim().to_owned())
        .map_err(|e| AgentError::io("read", path, e))
}

/// A way to a directory that is short enough for a socket's address.
struct Short {
    dir: PathBuf,
    /// Open while the way is used: it leads through this descriptor.
    _fd: Option<OwnedFd>,
}

impl Short {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

fn short(dir: &Path) -> io::Result<Short> {
    if dir.as_os_str().len() + "/agent.sock".len() <= LONGEST_SOCKET_PATH {
        return Ok(Short {
            dir: dir.to_owned(),
            _fd: None,
        });
    }
    let fd = open(
        dir,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    Ok(Short {
        dir: PathBuf::from(format!("/proc/self/fd/{}", fd.as_raw_fd())),
        _fd: Some(fd),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::open(dir.path()).unwrap();
        match Home::open(dir.path()) {
            Err(AgentError::Running { holder, .. }) => {
                assert_eq!(holder, format!("process {}", std::process::id()))
            }
            other => panic!("{other:?}"),
        }
        drop(home);
        Home::open(dir.path()).unwrap();
    }

    #[test]
    fn the_state_comes_back_and_foreign_or_damaged_state_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::open(dir.path()).unwrap();
        let mut state = home.load("prod").unwrap();
        assert_eq!(
            home.load("prod").unwrap(),
            state,
            "the id is kept from the start"
        );
        state.generation = 9;
        home.store(&state).unwrap();
        assert_eq!(home.load("prod").unwrap(), state);
        assert!(matches!(home.load("stage"), Err(AgentError::State { .. })));
        fs::write(dir.path().join("state.json"), "{").unwrap();
        assert!(matches!(home.load("prod"), Err(AgentError::State { .. })));
    }

    #[test]
    fn a_socket_below_a_long_path_is_reachable() {
        let dir = tempfile::tempdir().unwrap();
        let long = dir.path().join("x".repeat(120));
        let home = Home::open(&long).unwrap();
        let listener = home.bind().unwrap();
        connect(&long, Duration::from_secs(5)).unwrap();
        listener.accept().unwrap();
        let mode = fs::metadata(long.join("agent.sock"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_tail_holds_whole_last_lines_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        fs::write(&path, "one\ntwo\nthree\n").unwrap();
        assert_eq!(tail(&path, 2, 0).unwrap(), ["two", "three"]);
        assert_eq!(tail(&path, 9, 4).unwrap(), ["two", "three"]);
        assert_eq!(tail(&path, 9, 999).unwrap(), [""; 0]);
        fs::write(&path, format!("{}\nlast\n", "y".repeat(300 << 10))).unwrap();
        assert_eq!(tail(&path, 9, 0).unwrap(), ["last"]);
    }
}
