//! Puts a run's files in order after a crash of anything: keeper, pump, harness, machine.
//!
//! Invariant: can be called at any time and any number of times; a run that is alive is not touched, and a run that is in order is not
//! changed.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gonogo_dryrun::Stream;
use gonogo_dryrun::journal::Event;
use gonogo_dryrun::spec::{Compression, RunSpec};
use rustix::fs::{FlockOperation, flock};
use rustix::process::Signal;

use crate::CaptureError;
use crate::captured::Captured;
use crate::clock::{Clock, boot};
use crate::files::Files;
use crate::journal::{Entries, Journal};
use crate::space::{Space, crumb, is_full};
use crate::store::{Store, boot_id_text};
use crate::tree::{Cgroup, Process, Remains, held_by, pause, signal};

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Finalized {
    /// Whether the run was in order already.
    pub was_complete: bool,
    /// Processes that still lived, and were killed.
    pub killed: u32,
    /// Bytes that had arrived and were not indexed.
    pub recovered_bytes: u64,
    /// Why the run ended.
    pub reason: String,
}

/// What a keeper's journal says.
struct Told {
    clock: Clock,
    /// Whether it is of this boot.
    this_boot: bool,
    session: Option<u32>,
    cgroup: Option<Cgroup>,
    /// The first cause of the end.
    cause: Option<&'static str>,
    ended: Option<String>,
    finalized: bool,
}

/// Ends what is left of a run and puts its files in order, after waiting at most `patience` for a keeper and a pump that still live.
///
/// # Errors
/// [`CaptureError::Running`] if they live longer; else what cannot be read or written.
pub fn finalize(directory: &Path, patience: Duration) -> Result<Finalized, CaptureError> {
    let files = Files::new(directory);
    let spec = files.read_spec()?;
    let by = boot().saturating_add(u64::try_from(patience.as_nanos()).unwrap_or(u64::MAX));
    let _keeper = take(&files, &files.lock(), by)?;
    let _pump = take(&files, &files.pump_lock(), by)?;
    let told = read_journal(&files, &spec)?;
    if let Some(reason) = &told.ended
        && (told.finalized && files.verdict().exists()
            || (told.finalized || pump_ended(&files)) && in_order(&files))
    {
        if files.views_cut().exists() {
            // There was no space for them; there may be now. They are made anew from their beginning.
            let _ = std::fs::remove_file(files.state());
            let space = Arc::new(Space::impatient().map_err(CaptureError::system("an event"))?);
            crate::pump::close_views(&files, &spec, told.clock, space);
            if files.views_cut().exists() {
                // Parts of them would keep the space from what is written next, and serve nobody.
                leave_views_out(files.directory(), &spec);
            }
        }
        return Ok(Finalized {
            was_complete: true,
            reason: reason.clone(),
            ..Finalized::default()
        });
    }
    recover(&files, &spec, told)
}

/// Removes the views of a run that has ended, for space; [`finalize`] makes them again when there is some. Returns their paths.
pub fn leave_views_out(directory: &Path, spec: &RunSpec) -> Vec<PathBuf> {
    let files = Files::new(directory);
    let compressed = spec.capture.compression != Compression::None;
    let mut removed = Vec::new();
    if !spec.capture.views || File::create(files.views_cut()).is_err() {
        return removed;
    }
    for extension in [".log", ".jsonl"] {
        for part in 0.. {
            let path = files.view(extension, part, compressed);
            if std::fs::remove_file(&path).is_err() {
                break;
            }
            removed.push(path);
        }
    }
    removed
}

fn recover(files: &Files, spec: &RunSpec, told: Told) -> Result<Finalized, CaptureError> {
    let killed = if told.this_boot {
        let remains = Remains {
            run_id: spec.run_id.clone(),
            session: told.session,
            cgroup: told.cgroup.clone(),
        };
        let killed = remains.kill();
        if let Some(cgroup) = &told.cgroup {
            cgroup.remove();
        }
        killed
    } else {
        0
    };
    let _ = std::fs::remove_file(files.ballast());
    let space = Arc::new(Space::impatient().map_err(CaptureError::system("an event"))?);
    let mut store = Store::open(files, &spec.run_id, &spec.capture, Arc::clone(&space))?;
    let known = Stream::ALL.map(|stream| store.indexed(stream));
    let mut ample = true;
    while let Err(e) = store
        .recover(told.clock.look(), |_, _| {})
        .and_then(|_| store.finish())
    {
        if !is_full(&e) {
            return Err(CaptureError::write(files.directory())(e));
        }
        // The views can be made again. What has no space then stays in a tail, and is judged from there.
        if !ample || leave_views_out(files.directory(), spec).is_empty() {
            ample = false;
            break;
        }
        ample = false;
    }
    let recovered_bytes = std::iter::zip(Stream::ALL, known)
        .map(|(stream, known)| store.indexed(stream) - known)
        .sum();
    if files.views_cut().exists() {
        // They are made from their beginning, or not now.
        let _ = std::fs::remove_file(files.state());
    }
    if ample {
        crate::pump::close_views(files, spec, told.clock, space);
    } else if spec.capture.views {
        let _ = File::create(files.views_cut());
    }

    let mut journal = Journal::open(&files.keeper_journal())?;
    let failed = || CaptureError::write(&files.keeper_journal());
    let reason = told.cause.unwrap_or("keeper_lost").to_owned();
    journal.append(
        told.clock.look(),
        Event::Recovered {
            killed,
            bytes: recovered_bytes,
        },
    );
    journal.append(
        told.clock.look(),
        Event::Ended {
            reason: reason.clone(),
        },
    );
    while let Err(e) = journal.sync() {
        if !(is_full(&e) && crumb(files)) {
            return Err(failed()(e));
        }
    }
    Ok(Finalized {
        was_complete: false,
        killed,
        recovered_bytes,
        reason,
    })
}

/// Takes a lock, or waits for it.
fn take(files: &Files, path: &Path, by: u64) -> Result<File, CaptureError> {
    let mut file = File::options()
        .create(true)
        .read(true)
        .append(true)
        .open(path)
        .map_err(CaptureError::write(path))?;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => {
                // Its keeper is gone; a pump that was stopped would never notice that.
                if path == files.pump_lock()
                    && let Some(pump) = holder(&mut file).filter(Process::is_stopped)
                {
                    signal(&pump, Signal::CONT);
                }
            }
            Err(e) => return Err(CaptureError::write(path)(e.into())),
        }
        if boot() >= by {
            return Err(CaptureError::Running {
                directory: files.directory().to_owned(),
                holder: describe(path, holder(&mut file)),
            });
        }
        pause(20);
    }
}

/// Who holds a lock, as its file names it.
fn holder(file: &mut File) -> Option<Process> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    file.take(400).read_to_string(&mut text).ok()?;
    held_by(&text)
}

fn describe(path: &Path, holder: Option<Process>) -> String {
    let Some(process) = holder else {
        return format!(
            "{} is held; wait for the run's end, or interrupt its harness",
            path.display()
        );
    };
    let pid = process.pid;
    let part = match path.file_name() {
        Some(name) if name == "pump.lock" => "pump",
        _ => "keeper",
    };
    if process.is_stopped() {
        return format!(
            "its {part}, process {pid}, was stopped (state T) and holds it; `kill -CONT {pid}` lets the run go on, `kill -KILL {pid}` ends it and its command; finalize it then"
        );
    }
    format!(
        "its {part}, process {pid} (state {}), holds it; wait for the run's end, or interrupt its harness; `kill -TERM {pid}` ends the run too",
        process.state()
    )
}

fn read_journal(files: &Files, spec: &RunSpec) -> Result<Told, CaptureError> {
    let mut told = Told {
        clock: Clock::begin(1.0),
        this_boot: true,
        session: None,
        cgroup: None,
        cause: None,
        ended: None,
        finalized: false,
    };
    let entries = match Entries::open(&files.keeper_journal()) {
        // The keeper was killed before it began.
        Err(CaptureError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            return Ok(told);
        }
        other => other?,
    };
    for entry in entries {
        let entry = entry?;
        let mut cause = |word| {
            told.cause.get_or_insert(word);
        };
        match entry.event {
            Event::Begun {
                boot_id, cgroup, ..
            } => {
                told.cgroup = cgroup.as_deref().and_then(Cgroup::at);
                told.this_boot = boot_id == boot_id_text();
                if told.this_boot {
                    told.clock = Clock::resume(spec.clock_scale, entry.at);
                }
            }
            Event::ChildStarted { pid, cgroup } => {
                told.session = Some(pid);
                told.cgroup = cgroup.as_deref().and_then(Cgroup::at).or(told.cgroup);
            }
            Event::CaptureLost { .. } => cause("capture_lost"),
            Event::TimeOver => cause("time_over"),
            Event::Interrupted { .. } => cause("interrupted"),
            Event::HarnessLost => cause("harness_lost"),
            Event::StartFailed { .. } => cause("start_failed"),
            Event::ChildExited { .. } => cause("child_exited"),
            Event::Ended { reason } => told.ended = Some(reason),
            Event::Recovered { .. } => told.finalized = true,
            _ => {}
        }
    }
    Ok(told)
}

/// Whether the last pump said that all is written.
fn pump_ended(files: &Files) -> bool {
    let Ok(entries) = Entries::open(&files.pump_journal()) else {
        return false;
    };
    let mut ended = false;
    for entry in entries {
        match entry {
            Ok(entry) => ended = matches!(entry.event, Event::Ended { .. }),
            Err(_) => return false,
        }
    }
    ended
}

/// Whether all bytes that are there are indexed and in members, and nothing is left in a tail.
fn in_order(files: &Files) -> bool {
    let Ok(captured) = Captured::open(files.directory()) else {
        return false;
    };
    captured.index_cut().is_none()
        && Stream::ALL.into_iter().all(|stream| {
            let indexed = captured.indexed(stream);
            let closed = captured
                .members(stream)
                .last()
                .map_or(0, |member| member.offset + member.length);
            let beyond = captured.bytes(stream, indexed).read(&mut [0]);
            closed == indexed && matches!(beyond, Ok(0)) && !files.tail(stream).exists()
        })
}
