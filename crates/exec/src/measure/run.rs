//! One run, and runs in turn.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, test_kill_process_group,
};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};
use wait4::{ResUse, Wait4};

use super::{MOST_RUNS, MeasureError, Subject, Taken, Terms, instructions};
use crate::launch::{refused, spawn};
use crate::{ExecError, Exit};

/// How long what is left of a group is given to be reaped by its new parent before it counts as left behind.
const SETTLE: Duration = Duration::from_millis(20);

/// Runs `subject` `runs` times, after its warm-up, and returns what each took.
///
/// # Errors
/// As [`in_turn`].
pub fn measure(subject: &Subject, runs: usize, terms: &Terms) -> Result<Vec<Taken>, MeasureError> {
    let order = vec![0; runs.min(MOST_RUNS + 1)];
    in_turn(&[subject], &order, terms)
}

/// Runs the subjects one at a time in `order` (indices into `subjects`), after a warm-up of each, and returns what each took, in that
/// order. All of it happens on this thread, which sleeps meanwhile.
///
/// # Errors
/// The first run that fails, is cut or leaves processes behind ends the series: [`MeasureError::Failed`], [`MeasureError::TimedOut`],
/// [`MeasureError::LeftBehind`]. [`MeasureError::Series`] for an order that is empty, too long or names no subject. Nothing is left running.
pub fn in_turn(
    subjects: &[&Subject],
    order: &[usize],
    terms: &Terms,
) -> Result<Vec<Taken>, MeasureError> {
    if order.is_empty() {
        return Err(MeasureError::Series("no run is asked for"));
    }
    if order.len() > MOST_RUNS || terms.warm_up as usize > MOST_RUNS {
        return Err(MeasureError::Series("more than 10000 runs are asked for"));
    }
    if order.iter().any(|i| *i >= subjects.len()) {
        return Err(MeasureError::Series(
            "the order names a command that is not there",
        ));
    }
    let _pinned = terms.cpu.map(Pinned::to).transpose()?;
    let mut count = 0;
    let mut next = |subject: &Subject| {
        count += 1;
        run(subject, count, terms)
    };
    for _ in 0..terms.warm_up {
        for (i, subject) in subjects.iter().enumerate() {
            if order.contains(&i) {
                next(subject)?;
            }
        }
    }
    order.iter().map(|i| next(subjects[*i])).collect()
}

/// Runs `subject` once, as run `number` of its series.
fn run(subject: &Subject, number: usize, terms: &Terms) -> Result<Taken, MeasureError> {
    let argv = match &terms.instructions {
        Some(counter) => instructions::wrap(counter, &subject.argv)?,
        None => subject.argv.clone(),
    };
    let (program, arguments) = argv.split_first().ok_or(ExecError::NoProgram)?;
    let (out, err) = match &subject.output {
        Some(path) => {
            let file = |source| MeasureError::File {
                path: path.clone(),
                source,
            };
            let out = File::create(path).map_err(file)?;
            let err = out.try_clone().map_err(file)?;
            (Stdio::from(out), Stdio::from(err))
        }
        None => (Stdio::null(), Stdio::null()),
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .envs(&subject.env)
        .current_dir(&subject.dir)
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .process_group(0);
    let own_rss = own_rss();
    let began = monotonic();
    let child = spawn(&mut command).map_err(|e| refused(program, &subject.dir, e))?;
    let mut running = Running::of(child)?;
    let in_time = running.wait(terms.timeout)?;
    let wall = monotonic().saturating_sub(began);
    if !in_time {
        drop(running);
        return Err(MeasureError::TimedOut {
            run: number,
            program: subject.argv.first().cloned().unwrap_or_default(),
            timeout: terms.timeout,
        });
    }
    let used = running.reap()?;
    let left = running.left_behind();
    drop(running);
    let program = subject.argv.first().cloned().unwrap_or_default();
    if !used.status.success() {
        return Err(MeasureError::Failed {
            run: number,
            program,
            exit: exit_of(used.status),
        });
    }
    if left {
        return Err(MeasureError::LeftBehind {
            run: number,
            program,
        });
    }
    let instructions = match &terms.instructions {
        Some(counter) => Some(instructions::read(counter)?),
        None => None,
    };
    Ok(Taken {
        user: used.rusage.utime,
        system: used.rusage.stime,
        wall,
        max_rss: Some(used.rusage.maxrss).filter(|rss| own_rss.is_some_and(|own| *rss > own)),
        instructions,
    })
}

/// A child with its group. Dropped, it is killed and reaped, with all that is left of the group.
struct Running {
    child: Child,
    group: Pid,
    handle: OwnedFd,
    reaped: bool,
}

impl Running {
    fn of(mut child: Child) -> Result<Self, MeasureError> {
        let pid = child.id();
        let group = i32::try_from(pid).ok().and_then(Pid::from_raw);
        let opened = group
            .ok_or(Errno::SRCH)
            .and_then(|group| Ok((group, pidfd_open(group, PidfdFlags::empty())?)));
        match opened {
            Ok((group, handle)) => Ok(Self {
                child,
                group,
                handle,
                reaped: false,
            }),
            Err(e) => {
                // The answer is the error already at hand; a child that is gone is what is wanted.
                let _ = child.kill();
                let _ = child.wait();
                Err(wait_failed(pid, e).into())
            }
        }
    }

    /// Whether it ended within `limit`. It is not reaped.
    fn wait(&self, limit: Duration) -> Result<bool, ExecError> {
        let end = monotonic().saturating_add(limit);
        loop {
            let left = end.saturating_sub(monotonic());
            let timeout = Timespec::try_from(left).unwrap_or(Timespec {
                tv_sec: i64::MAX,
                tv_nsec: 0,
            });
            let mut fds = [PollFd::new(&self.handle, PollFlags::IN)];
            match poll(&mut fds, Some(&timeout)) {
                Ok(0) if left.is_zero() => return Ok(false),
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) => return Ok(true),
                Err(e) => return Err(wait_failed(self.child.id(), e)),
            }
        }
    }

    fn reap(&mut self) -> Result<ResUse, ExecError> {
        let used = self.child.wait4().map_err(|source| ExecError::Wait {
            pid: self.child.id(),
            source,
        })?;
        self.reaped = true;
        Ok(used)
    }

    /// Whether the group has members after its leader was reaped. A descendant that is dead and waits for its new parent to reap it is
    /// given a moment.
    fn left_behind(&self) -> bool {
        let there = || test_kill_process_group(self.group).is_ok();
        if !there() {
            return false;
        }
        let end = monotonic().saturating_add(SETTLE);
        while monotonic() < end {
            std::thread::sleep(Duration::from_millis(1));
            if !there() {
                return false;
            }
        }
        true
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // While the leader is unreaped, or the group has members, its number belongs to nobody else.
        if !self.reaped || test_kill_process_group(self.group).is_ok() {
            let _ = kill_process_group(self.group, Signal::KILL);
        }
        if !self.reaped {
            let _ = self.child.wait();
        }
    }
}

/// This thread on one CPU, which its children inherit; back where it was when dropped.
struct Pinned(CpuSet);

impl Pinned {
    fn to(cpu: usize) -> Result<Self, MeasureError> {
        let failed = |e: Errno| MeasureError::Cpu {
            cpu,
            source: e.into(),
        };
        if cpu >= CpuSet::MAX_CPU {
            return Err(failed(Errno::INVAL));
        }
        let before = sched_getaffinity(None).map_err(failed)?;
        let mut one = CpuSet::new();
        one.set(cpu);
        sched_setaffinity(None, &one).map_err(failed)?;
        Ok(Self(before))
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // It was allowed before, so it is now; and there is nobody to tell.
        let _ = sched_setaffinity(None, &self.0);
    }
}

fn wait_failed(pid: u32, e: Errno) -> ExecError {
    ExecError::Wait {
        pid,
        source: e.into(),
    }
}

fn exit_of(status: ExitStatus) -> Exit {
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Status(code),
        (None, Some(signal)) => Exit::Signal(signal),
        (None, None) => Exit::Gone,
    }
}

/// The highest resident memory of this process so far, in bytes.
fn own_rss() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.split_ascii_whitespace().next()?.parse().ok()?;
    Some(kib.saturating_mul(1024))
}

fn monotonic() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    Duration::try_from(now).unwrap_or_default()
}
