//! What the harness saw and did, as its journals keep it: one JSON object a line, each naming the digest of the line before.
//!
//! There are two: the keeper's (`keeper.jsonl`: the child's life) and the pump's (`pump.jsonl`: resources, evidence files, the disk).
//! The verdict is computed from them, the index and the raw bytes, so what is not in them did not happen.

use serde::{Deserialize, Serialize};

use crate::Moment;

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// From 0, without a hole.
    pub seq: u64,
    /// SHA-256 (hex) of the line before, without its newline; of nothing for the first.
    pub prev: String,
    /// When.
    pub at: Moment,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The keeper began. `boot_id` is the kernel's; `clock_scale` is 1 unless the clocks are simulated.
    Begun {
        /// The run.
        run_id: String,
        /// The keeper's.
        pid: u32,
        /// `/proc/sys/kernel/random/boot_id`.
        boot_id: String,
        /// How much faster than real the clocks go; anything but 1 can never be signed off.
        clock_scale: f64,
        /// The cgroup that is made for the child, whether or not it can be.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cgroup: Option<String>,
    },
    /// The child was started.
    ChildStarted {
        /// Its pid.
        pid: u32,
        /// Its cgroup, where there is one.
        cgroup: Option<String>,
    },
    /// The child could not be started.
    StartFailed {
        /// Why.
        reason: String,
    },
    /// A pump was started.
    PumpStarted {
        /// Its pid.
        pid: u32,
        /// How many were before it.
        restarts: u32,
    },
    /// The pump ended before its work was done.
    PumpLost {
        /// Its pid.
        pid: u32,
        /// How it ended.
        status: String,
    },
    /// The keeper or the pump does not answer: somebody stopped it, or it hangs. Ends with `Answered`, or with its end.
    Unanswered {
        /// `keeper` or `pump`.
        part: String,
        /// Its pid.
        pid: u32,
        /// Its state in `/proc/<pid>/stat`: `T` is stopped.
        state: String,
        /// How long already, milliseconds.
        ms: u64,
    },
    /// It answers again.
    Answered {
        /// `keeper` or `pump`.
        part: String,
        /// How long it did not, milliseconds.
        ms: u64,
    },
    /// The run's time is over.
    TimeOver,
    /// The operator asked for the end.
    Interrupted {
        /// `INT`, `TERM` or `HUP`.
        signal: String,
    },
    /// The harness is gone: the run is ended.
    HarnessLost,
    /// A signal was sent to the whole tree.
    Signalled {
        /// `INT`, `TERM` or `KILL`.
        signal: String,
        /// How many processes were there.
        processes: u32,
    },
    /// The child ended. Exactly one of the two is there.
    ChildExited {
        /// Exit code.
        code: Option<i32>,
        /// Signal that ended it.
        signal: Option<i32>,
        /// Whether it left a core.
        core: bool,
        /// CPU it used, milliseconds.
        cpu_ms: u64,
        /// Its highest resident memory, KiB.
        max_rss_kib: u64,
    },
    /// Processes of the tree outlived the child.
    Stragglers {
        /// At most 64.
        processes: Vec<Straggler>,
        /// Whether a pipe is still held open.
        hold_pipe: bool,
    },
    /// The pipes are at their end, or nobody waits for them any more.
    Drained {
        /// Whether their end was reached.
        complete: bool,
        /// How long that took after the child's end.
        waited_ms: u64,
    },
    /// The wall clock moved against the boot clock.
    ClockStep {
        /// By how much, nanoseconds; positive: forward.
        ns: i64,
    },
    /// The machine slept.
    Suspended {
        /// How long, nanoseconds.
        ns: u64,
    },
    /// Nothing could be written: the child waits. Ends with `Unblocked`.
    Blocked {
        /// Why.
        reason: String,
    },
    /// Writing goes on.
    Unblocked {
        /// How long nothing could be written, milliseconds.
        ms: u64,
    },
    /// A sample of the whole tree.
    Resources {
        /// Percent of one core since the last sample.
        cpu_percent: f64,
        /// Resident memory, MiB.
        memory_mb: f64,
        /// Of the machine's memory, percent.
        memory_percent: f64,
        /// How many processes.
        processes: u32,
        /// Open files of all of them, where that can be read.
        open_files: Option<u64>,
        /// Threads.
        threads: u32,
    },
    /// Resources cannot be sampled.
    ResourcesUnavailable {
        /// Why.
        reason: String,
    },
    /// Space on the volume that takes the bytes.
    Disk {
        /// Bytes that are free for us.
        free_bytes: u64,
        /// At today's rate, when it will be full, seconds; absent if it does not fill.
        full_in_seconds: Option<f64>,
        /// Of the free bytes, what the run's end needs for copies and the packet; the forecast counts it as used.
        #[serde(default, skip_serializing_if = "is_zero")]
        end_bytes: u64,
    },
    /// A look at an evidence file.
    EvidenceSeen {
        /// Its name in the specification: `diary`, `performance`, or a declared one.
        name: String,
        /// Bytes; absent if there is no file.
        size: Option<u64>,
        /// Modification time, milliseconds since 1970.
        mtime_ms: Option<i64>,
        /// Newest time that its content names, milliseconds since 1970.
        newest_ms: Option<i64>,
        /// Entries (lines or members), where that is cheap to know.
        entries: Option<u64>,
        /// Why it could not be read.
        error: Option<String>,
    },
    /// Files of the capture were removed while the run went on: the run is ended.
    CaptureLost {
        /// Which, and what of it.
        reason: String,
    },
    /// A new segment began.
    Rotated {
        /// `stdout` or `stderr`.
        stream: String,
        /// The segment's number, from 1.
        segment: u32,
    },
    /// Somebody put the files in order after a crash (`finalize`). `ended` follows.
    Recovered {
        /// Processes that still lived, and were killed.
        killed: u32,
        /// Bytes that had arrived and were not indexed.
        bytes: u64,
    },
    /// The writer is done, and why: `child_exited`, `time_over`, `interrupted`, `harness_lost`, `keeper_lost`, `capture_lost`,
    /// `start_failed`.
    Ended {
        /// Why.
        reason: String,
    },
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
const fn is_zero(bytes: &u64) -> bool {
    *bytes == 0
}

/// A process that outlived the child.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Straggler {
    /// Its pid.
    pub pid: u32,
    /// Its name.
    pub name: String,
    /// Its command line, at most 200 characters.
    pub command: String,
}
