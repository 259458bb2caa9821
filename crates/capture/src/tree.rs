//! The processes of a run: found by descent, cgroup, session and mark; counted, named and signalled.
//!
//! While the keeper lives it is the nearest subreaper, so its descendants (without the pump) are all of them. After its death they are
//! found by what they cannot easily lose: the cgroup, the session, and the mark in their environment.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use gonogo_dryrun::journal::Straggler;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::files::read_bounded;

/// The variable that marks every process of a run with the run's id.
pub const MARK: &str = "GONOGO_DRY_RUN";

/// Most stragglers that are named.
const NAMED: usize = 64;

/// Most bytes of an environment that are read.
const ENVIRONMENT_LIMIT: u64 = 4 << 20;

/// A process, as `/proc/<pid>/stat` shows it (proc_pid_stat(5)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) name: String,
    state: char,
    parent: u32,
    session: u32,
    /// User and system time, clock ticks.
    pub(crate) ticks: u64,
    pub(crate) threads: u32,
    pub(crate) started: u64,
    /// Resident memory, pages.
    pub(crate) pages: u64,
}

impl Process {
    pub(crate) fn of(pid: u32) -> Option<Self> {
        Self::parse(pid, &fs::read(format!("/proc/{pid}/stat")).ok()?)
    }

    /// Its state, as the kernel has it.
    pub(crate) const fn state(&self) -> char {
        self.state
    }

    /// Whether a signal stopped it, and no debugger.
    pub(crate) const fn is_stopped(&self) -> bool {
        self.state == 'T'
    }

    /// The name in parentheses may hold anything, so fields are counted from the last `)`.
    fn parse(pid: u32, line: &[u8]) -> Option<Self> {
        let line = String::from_utf8_lossy(line);
        let (open, close) = (line.find('(')?, line.rfind(')')?);
        let fields: Vec<&str> = line.get(close + 1..)?.split_ascii_whitespace().collect();
        let number = |n: usize| fields.get(n - 3)?.parse::<u64>().ok();
        Some(Self {
            pid,
            name: line.get(open + 1..close)?.to_owned(),
            state: fields.first()?.chars().next()?,
            parent: number(4)? as u32,
            session: number(6)? as u32,
            ticks: number(14)?.saturating_add(number(15)?),
            threads: number(20)? as u32,
            started: number(22)?,
            pages: number(24).unwrap_or(0),
        })
    }

    /// A zombie whose other threads still run is alive.
    pub(crate) fn is_alive(&self) -> bool {
        !matches!(self.state, 'Z' | 'X' | 'x') || self.threads > 1
    }

    fn is_marked(&self, run_id: &str) -> bool {
        let path = format!("/proc/{}/environ", self.pid);
        read_bounded(Path::new(&path), ENVIRONMENT_LIMIT).is_ok_and(|bytes| {
            bytes.split(|b| *b == 0).any(|pair| {
                pair.strip_prefix(MARK.as_bytes())
                    .and_then(|rest| rest.strip_prefix(b"="))
                    == Some(run_id.as_bytes())
            })
        })
    }
}

/// All processes.
pub(crate) fn processes() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(Process::of)
        .collect()
}

/// Those that descend from `root` and are alive, without `root`, the caller, and what descends from `without`.
pub(crate) fn descendants(root: u32, without: &[u32]) -> Vec<Process> {
    let all = processes();
    let mut kin = BTreeSet::from([root]);
    loop {
        let before = kin.len();
        for process in &all {
            if kin.contains(&process.parent) && !without.contains(&process.pid) {
                kin.insert(process.pid);
            }
        }
        if kin.len() == before {
            break;
        }
    }
    kin.remove(&root);
    all.into_iter()
        .filter(|p| kin.contains(&p.pid) && p.is_alive())
        .collect()
}

/// What is left of a run whose keeper is gone.
#[derive(Debug, Clone)]
pub(crate) struct Remains {
    pub(crate) run_id: String,
    pub(crate) session: Option<u32>,
    pub(crate) cgroup: Option<Cgroup>,
}

impl Remains {
    /// Processes that are left, the caller not among them.
    pub(crate) fn processes(&self) -> Vec<Process> {
        let inside: BTreeSet<u32> = self
            .cgroup
            .as_ref()
            .map(Cgroup::members)
            .unwrap_or_default();
        processes()
            .into_iter()
            .filter(|p| p.pid != std::process::id() && p.is_alive())
            .filter(|p| {
                inside.contains(&p.pid)
                    || self.session == Some(p.session)
                    || p.is_marked(&self.run_id)
            })
            .collect()
    }

    /// Kills what is left, and what it makes meanwhile. Returns how many it were.
    pub(crate) fn kill(&self) -> u32 {
        let mut killed = BTreeSet::new();
        for _ in 0..200 {
            let left = self.processes();
            if left.is_empty() {
                break;
            }
            if let Some(cgroup) = &self.cgroup {
                cgroup.kill();
            }
            for process in &left {
                signal(process, Signal::KILL);
                killed.insert(process.pid);
            }
            pause(5);
        }
        killed.len() as u32
    }
}

/// Sends a signal to a process that was seen, and to no other that has its number by now.
pub(crate) fn signal(process: &Process, signal: Signal) -> bool {
    let Some(pid) = Pid::from_raw(process.pid.cast_signed()) else {
        return false;
    };
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(fd) => {
            Process::of(process.pid).is_some_and(|now| now.started == process.started)
                && pidfd_send_signal(&fd, signal).is_ok()
        }
        // A kernel or a sandbox without pidfd; the window between the look and the signal stays.
        Err(rustix::io::Errno::NOSYS | rustix::io::Errno::PERM) => {
            Process::of(process.pid).is_some_and(|now| now.started == process.started)
                && rustix::process::kill_process(pid, signal).is_ok()
        }
        Err(_) => false,
    }
}

/// Waits some milliseconds, for processes that are being killed.
pub(crate) fn pause(ms: u64) {
    std::thread::sleep(std::time::Duration::from_millis(ms));
}

/// The caller, as a lock file names its holder.
pub(crate) fn holder() -> String {
    let pid = std::process::id();
    let started = Process::of(pid).map_or(0, |p| p.started);
    let boot_id = crate::store::boot_id_text();
    format!("{{\"pid\":{pid},\"started\":{started},\"boot_id\":\"{boot_id}\"}}\n")
}

/// The process that a lock file names, if it lives.
pub(crate) fn held_by(text: &str) -> Option<Process> {
    #[derive(serde::Deserialize)]
    struct Holder {
        pid: u32,
        started: u64,
        boot_id: String,
    }
    let holder: Holder = serde_json::from_str(text.trim()).ok()?;
    Process::of(holder.pid).filter(|process| {
        process.started == holder.started
            && holder.boot_id == crate::store::boot_id_text()
            && process.is_alive()
    })
}

/// Names processes for a report.
pub(crate) fn stragglers(processes: &[Process]) -> Vec<Straggler> {
    processes
        .iter()
        .take(NAMED)
        .map(|p| Straggler {
            pid: p.pid,
            name: p.name.clone(),
            command: command(p.pid),
        })
        .collect()
}

fn command(pid: u32) -> String {
    let bytes = read_bounded(Path::new(&format!("/proc/{pid}/cmdline")), 1 << 20);
    let text = String::from_utf8_lossy(&bytes.unwrap_or_default())
        .trim_end_matches('\0')
        .replace('\0', " ");
    text.chars().take(200).collect()
}

/// How many files all of them have open, where that can be read.
pub(crate) fn open_files(processes: &[Process]) -> Option<u64> {
    let mut count = 0;
    for process in processes {
        count += fs::read_dir(format!("/proc/{}/fd", process.pid))
            .ok()?
            .count() as u64;
    }
    Some(count)
}

/// How the names of our cgroups begin; the run's id and the keeper's number follow.
const LEAF: &str = "gonogo-";

/// So old must a leaf be (nanoseconds): its keeper may live in another namespace, where it has another number.
const STALE: i64 = 60_000_000_000;

/// Removes empty leaves of dead keepers in `parent`. Only empty ones can be removed at all, and no other names are touched.
fn sweep(parent: &Path, now: i64) {
    use std::os::unix::fs::MetadataExt;
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| name.starts_with(LEAF)) else {
            continue;
        };
        let Some(keeper) = name
            .rsplit_once('-')
            .and_then(|(_, n)| n.parse::<u32>().ok())
        else {
            continue;
        };
        let Ok(meta) = entry.metadata() else { continue };
        let changed = meta
            .ctime()
            .saturating_mul(1_000_000_000)
            .saturating_add(meta.ctime_nsec());
        if meta.is_dir() && Process::of(keeper).is_none() && now.saturating_sub(changed) >= STALE {
            let _ = fs::remove_dir(entry.path());
        }
    }
}

/// A leaf of the second cgroup hierarchy that holds a run's processes.
#[derive(Debug, Clone)]
pub(crate) struct Cgroup {
    path: PathBuf,
}

impl Cgroup {
    /// The caller's own cgroup.
    fn own() -> Option<PathBuf> {
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        let own = own.lines().find_map(|line| line.strip_prefix("0::"))?;
        ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]
            .into_iter()
            .find(|mount| Path::new(mount).join("cgroup.procs").exists())
            .map(|mount| Path::new(mount).join(own.trim_start_matches('/')))
    }

    /// Names a leaf below the caller's own cgroup.
    pub(crate) fn plan(run_id: &str) -> Option<Self> {
        let name: String = run_id
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
            .take(100)
            .collect();
        Some(Self {
            path: Self::own()?.join(format!("{LEAF}{name}-{}", std::process::id())),
        })
    }

    /// Makes it, where that is allowed.
    pub(crate) fn make(&self) -> bool {
        fs::create_dir(&self.path).is_ok()
    }

    /// Removes the leaves beside ours whose keepers are dead and in which nobody is.
    pub(crate) fn sweep(now: i64) {
        if let Some(own) = Self::own() {
            sweep(&own, now);
        }
    }

    /// Names a leaf that was made.
    pub(crate) fn at(path: &str) -> Option<Self> {
        let path = PathBuf::from(path);
        // What a journal says is not trusted to kill or remove anything else.
        let ours = path.starts_with("/sys/fs/cgroup")
            && path
                .file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with(LEAF))
            && path.components().all(|part| part.as_os_str() != "..");
        ours.then_some(Self { path })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Moves the calling process into it.
    pub(crate) fn enter(&self) -> io::Result<()> {
        fs::write(self.path.join("cgroup.procs"), "0")
    }

    fn walk(&self, visit: &mut impl FnMut(&Path), depth: u32) {
        fn go(path: &Path, visit: &mut impl FnMut(&Path), depth: u32) {
            if depth == 0 {
                return;
            }
            if let Ok(entries) = fs::read_dir(path) {
                for entry in entries.flatten() {
                    if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                        go(&entry.path(), visit, depth - 1);
                    }
                }
            }
            visit(path);
        }
        go(&self.path, visit, depth);
    }

    /// Processes in it and below.
    pub(crate) fn members(&self) -> BTreeSet<u32> {
        let mut found = BTreeSet::new();
        self.walk(
            &mut |path| {
                if let Ok(text) = fs::read_to_string(path.join("cgroup.procs")) {
                    found.extend(text.lines().filter_map(|line| line.parse::<u32>().ok()));
                }
            },
            16,
        );
        found
    }

    /// CPU time of all that ever was in it, microseconds.
    pub(crate) fn cpu_micros(&self) -> Option<u64> {
        let text = fs::read_to_string(self.path.join("cpu.stat")).ok()?;
        text.lines()
            .find_map(|line| line.strip_prefix("usage_usec "))?
            .parse()
            .ok()
    }

    /// Kills all in it at once (kernel 5.14).
    pub(crate) fn kill(&self) {
        // Where the file is not there, each process is killed by itself.
        let _ = fs::write(self.path.join("cgroup.kill"), "1");
    }

    /// Removes it, if it is empty.
    pub(crate) fn remove(&self) {
        for _ in 0..250 {
            self.walk(
                &mut |path| {
                    let _ = fs::remove_dir(path);
                },
                16,
            );
            if !self.path.exists() {
                return;
            }
            pause(2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_does_not_shift_the_fields() {
        let line = b"7 (a) Z 1 (b) S 3 77 5 0 -1 4194304 97 0 0 0 11 12 0 0 20 0 4 0 172125 3133440 360 1 1";
        let p = Process::parse(7, line).unwrap();
        assert_eq!(
            (p.parent, p.session, p.ticks, p.threads, p.started, p.pages),
            (3, 5, 23, 4, 172_125, 360)
        );
        assert_eq!(p.name, "a) Z 1 (b");
        assert_eq!(Process::parse(7, b"7 (a"), None);
        assert_eq!(Process::parse(7, b") ("), None);
    }

    #[test]
    fn empty_leaves_of_dead_keepers_are_swept_and_no_others() {
        let dir = tempfile::tempdir().unwrap();
        // Above every number that a process can have (pid_max_limit is 2^22).
        let dead = 1 << 23;
        let alive = std::process::id();
        let names = [
            format!("gonogo-run_a-{dead}"),
            format!("gonogo-run_b-{alive}"),
            format!("gonogo-run_c-{dead}"),
            format!("other-{dead}"),
            "gonogo-without".to_owned(),
        ];
        for name in &names {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        std::fs::create_dir(dir.path().join(&names[2]).join("somebody")).unwrap();
        let there = || names.each_ref().map(|name| dir.path().join(name).exists());
        let now = crate::clock::real().wall;
        sweep(dir.path(), now);
        assert_eq!(there(), [true; 5], "they are young");
        sweep(dir.path(), now + 2 * STALE);
        assert_eq!(there(), [false, true, true, true, true]);
    }

    #[test]
    fn only_our_own_cgroups_are_named() {
        assert!(Cgroup::at("/sys/fs/cgroup/unified/gonogo-x-1").is_some());
        for bad in [
            "/sys/fs/cgroup/unified/x",
            "/tmp/gonogo-x",
            "/sys/fs/cgroup/../../tmp/gonogo-x",
            "",
        ] {
            assert!(Cgroup::at(bad).is_none(), "{bad}");
        }
    }
}
