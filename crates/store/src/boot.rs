//! Who holds a lease, and since when: the machine's boot clock and the identity of processes.
//!
//! Leases are compared on `CLOCK_BOOTTIME`, which counts suspend and does not follow the wall clock. A process is named
//! by pid and start time (proc(5), `/proc/PID/stat` field 22), so that a reused pid is another process. A pid only means
//! something within its pid namespace: outside of it nobody is declared dead.

use std::sync::atomic::{AtomicU64, Ordering};

use rustix::time::{ClockId, clock_gettime};

/// A process of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its pid within `namespace`.
    pub pid: u32,
    /// Clock ticks between boot and its start.
    pub start: u64,
    /// Its pid namespace, as the kernel names it.
    pub namespace: String,
    /// The boot that it runs under.
    pub boot: String,
}

/// Somebody who may hold leases: one token per driver, so that two drivers in one process are two owners.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Unique among all owners on this machine.
    pub token: String,
    /// The process that the owner lives in.
    pub process: Process,
}

impl Owner {
    /// A new owner in this process.
    pub fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let process = Process::this();
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let boot = process.boot.get(..8).unwrap_or_default();
        let token = format!("{boot}-{}-{}-{n}", process.pid, process.start);
        Self { token, process }
    }
}

impl Default for Owner {
    fn default() -> Self {
        Self::new()
    }
}

impl Process {
    /// This process.
    pub fn this() -> Self {
        let pid = std::process::id();
        Self {
            pid,
            start: start_of(pid).unwrap_or(0),
            namespace: namespace(),
            boot: boot(),
        }
    }

    /// Whether the process certainly ended: other boot, gone, a zombie, or its pid was given to another.
    /// A process of another pid namespace is never certain.
    pub fn is_dead(&self) -> bool {
        if self.boot != boot() {
            return true;
        }
        self.namespace == namespace() && self.start != 0 && start_of(self.pid) != Some(self.start)
    }
}

/// Milliseconds since boot, suspend included.
pub(crate) fn boot_ms() -> u64 {
    let t = clock_gettime(ClockId::Boottime);
    t.tv_sec as u64 * 1000 + t.tv_nsec as u64 / 1_000_000
}

fn boot() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|s| s.trim().to_owned())
        .unwrap_or_default()
}

fn namespace() -> String {
    std::fs::read_link("/proc/self/ns/pid")
        .map(|p| p.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// Start time of a live process; none if it is gone or a zombie.
fn start_of(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the command in parentheses and may hold anything, parentheses included.
    let mut rest = stat.rsplit_once(") ")?.1.split(' ');
    if matches!(rest.next()?, "Z" | "X") {
        return None;
    }
    rest.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives_and_a_reused_pid_is_another() {
        let me = Process::this();
        assert!(me.start > 0 && !me.is_dead());
        let before = Process {
            start: me.start - 1,
            ..me.clone()
        };
        assert!(before.is_dead());
        let elsewhere = Process {
            namespace: "pid:[1]".into(),
            ..before
        };
        assert!(!elsewhere.is_dead());
        let rebooted = Process {
            boot: "earlier".into(),
            ..me
        };
        assert!(rebooted.is_dead());
    }

    #[test]
    fn a_killed_child_is_dead_before_it_is_reaped() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let process = Process {
            pid: child.id(),
            start: start_of(child.id()).unwrap(),
            ..Process::this()
        };
        assert!(!process.is_dead());
        child.kill().unwrap();
        let until = boot_ms() + 5000;
        while !process.is_dead() {
            assert!(boot_ms() < until, "the killed child still counts as alive");
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert!(process.is_dead());
    }

    #[test]
    fn owners_of_one_process_differ() {
        assert_ne!(Owner::new().token, Owner::new().token);
    }
}
