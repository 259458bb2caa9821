//! What a command costs: runs it, alone or in turn with others, and reads what the kernel accounts to exactly that child.
//!
//! The rules in `gonogo-suite` say in which order base and head run and what follows from the figures; this is the hand that measures.
//!
//! CPU time is user and system time of the child and of every descendant that was waited for (`wait4`, `RUSAGE_BOTH` of Linux). Where the
//! kernel accounts by ticks, only the *split* into user and system is coarse: the sum is scaled to the scheduler's own clock, so it is
//! good to the microsecond that the call reports. Time stolen by the hypervisor is not in it where the guest is told of it.
//!
//! Invariants: a run that fails, times out or leaves processes behind is an error and never a figure; each run has its own group, which
//! is ended whole; nothing is inherited but what the caller lists; a figure that the kernel cannot tell is absent, not zero.

mod instructions;
mod run;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::{ExecError, Exit};

pub use run::{in_turn, measure};

/// Most runs of one series.
pub const MOST_RUNS: usize = 10_000;

/// A command under measurement.
///
/// Base and head should differ in as little else as they can: the length of the path and the size of the environment move the stack,
/// which alone can change a figure by more than a per cent.
#[derive(Debug, Clone)]
pub struct Subject {
    /// Program and arguments. A program without `/` is looked for in `PATH` of `env`.
    pub argv: Vec<String>,
    /// The whole environment; nothing is inherited. See [`environment`].
    pub env: BTreeMap<String, String>,
    /// Working directory.
    pub dir: PathBuf,
    /// File that standard output and error replace at each run; none drops them. Some programs do less work when their output is
    /// dropped, `grep` among them.
    pub output: Option<PathBuf>,
}

/// How it is measured.
#[derive(Debug, Clone)]
pub struct Terms {
    /// How long one run may take. It is killed then, and is no figure.
    pub timeout: Duration,
    /// Runs of each command before the first that counts. They must succeed as well.
    pub warm_up: u32,
    /// The one CPU on which the runs take place.
    pub cpu: Option<usize>,
    /// Counts instructions instead of running the command bare.
    pub instructions: Option<Callgrind>,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(60),
            warm_up: 1,
            cpu: None,
            instructions: None,
        }
    }
}

/// Counts instructions with `valgrind --tool=callgrind`, children included: some fifty times slower, and the same number each time for
/// a program without chance in it.
#[derive(Debug, Clone)]
pub struct Callgrind {
    /// The program, `valgrind` or its path.
    pub program: String,
    /// An empty directory of our own for what it writes.
    pub scratch: PathBuf,
}

/// What one run took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Time in user mode; its share of the sum may be an estimate.
    pub user: Duration,
    /// Time in the kernel; its share of the sum may be an estimate.
    pub system: Duration,
    /// From before the start until the end was seen, by the monotonic clock.
    pub wall: Duration,
    /// Highest resident memory in bytes, of the child or of any descendant that was waited for. None if it is not above what this
    /// process has itself: until a child runs its program it counts as large as its parent, and the kernel keeps the greater.
    pub max_rss: Option<u64>,
    /// Instructions, if they were counted; then the times are those of the counter.
    pub instructions: Option<u64>,
}

impl Taken {
    /// CPU time.
    pub const fn cpu(&self) -> Duration {
        self.user.saturating_add(self.system)
    }
}

/// Why there is no figure.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError {
    /// It could not be started, or not be waited for.
    #[error(transparent)]
    Exec(#[from] ExecError),
    /// It failed.
    #[error(
        "run {run} of `{program}` {exit}: a failed run is no figure; run it by hand and mend it first"
    )]
    Failed {
        /// Which run of the series, from 1; warm-up runs count.
        run: usize,
        /// The program.
        program: String,
        /// How it ended.
        exit: Exit,
    },
    /// It took too long and was killed.
    #[error(
        "run {run} of `{program}` was killed after {} s: a run that was cut is no figure; allow more time or measure less work",
        timeout.as_secs_f64()
    )]
    TimedOut {
        /// Which run of the series, from 1.
        run: usize,
        /// The program.
        program: String,
        /// The limit.
        timeout: Duration,
    },
    /// Something that it started was still there when it ended, and was killed: its cost is not in the figure.
    #[error(
        "run {run} of `{program}` left processes behind, so not all of its cost can be told; let it wait for what it starts"
    )]
    LeftBehind {
        /// Which run of the series, from 1.
        run: usize,
        /// The program.
        program: String,
    },
    /// There is nothing to run, or too much.
    #[error("cannot measure: {0}")]
    Series(&'static str),
    /// The CPU cannot be had.
    #[error(
        "cannot run on CPU {cpu}: {source}; `nproc` and the limits of the container say which there are"
    )]
    Cpu {
        /// Its number, from 0.
        cpu: usize,
        /// The system's reason.
        source: io::Error,
    },
    /// A file could not be used.
    #[error("cannot use {path}: {source}; check the directory's permissions and free space")]
    File {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The counter's output holds no count.
    #[error("no instruction count in {path}: {why}; check that `valgrind --tool=callgrind` works")]
    Counter {
        /// The file or directory.
        path: PathBuf,
        /// What is missing.
        why: &'static str,
    },
}

/// The variables of this process's environment that are named in `allow`. Others are not there for the command that is measured.
pub fn environment(allow: &[&str]) -> BTreeMap<String, String> {
    let known = |name: &&str| Some(((*name).to_owned(), std::env::var(name).ok()?));
    allow.iter().filter_map(known).collect()
}

/// This machine's class, for comparing figures only among their like: architecture, CPU model and number, memory in GiB.
///
/// # Errors
/// [`ExecError::Proc`] without a readable `/proc`.
pub fn host_class() -> Result<String, ExecError> {
    let read = |path: &str| {
        std::fs::read_to_string(path).map_err(|source| ExecError::Proc {
            path: PathBuf::from(path),
            source,
        })
    };
    let cpus = read("/proc/cpuinfo")?;
    let model = cpus
        .lines()
        .find_map(|l| l.strip_prefix("model name"))
        .map_or("unknown CPU", |l| l.trim_start_matches([' ', '\t', ':']));
    let count = cpus
        .lines()
        .filter(|l| l.starts_with("processor"))
        .count()
        .max(1);
    let memory = read("/proc/meminfo")?;
    let kib: u64 = memory
        .lines()
        .find_map(|l| l.strip_prefix("MemTotal:"))
        .and_then(|l| l.split_ascii_whitespace().next()?.parse().ok())
        .unwrap_or(0);
    let gib = kib.div_ceil(1 << 20);
    let model: Vec<&str> = model.split_ascii_whitespace().collect();
    Ok(format!(
        "{} {} x{count} {gib}GiB",
        std::env::consts::ARCH,
        model.join(" ")
    ))
}
