//! The judge: feeds the live state, writes views, progress and the state itself. It may lag behind the bytes, never in front of them.
//!
//! A fault in judging must not cost a byte: if the live state panics, judging ends (the audit judges afterwards), and capturing goes on.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use gonogo_dryrun::index::Record;
use gonogo_dryrun::live::{Live, Views};
use gonogo_dryrun::spec::{Compression, RunSpec};
use gonogo_dryrun::{Moment, Stream};
use serde::{Deserialize, Serialize};

use super::scribe::{Marks, Scribe};
use super::view::View;
use super::{Chunk, Item, Source};
use crate::captured::Captured;
use crate::clock::{Clock, SECOND, boot};
use crate::files::{Files, read_bounded, write_atomic};
use crate::space::Space;
use crate::store::number;

/// How long the judge sleeps if nothing happens.
const TICK: Duration = Duration::from_millis(200);

/// Fewest real nanoseconds between two writings of progress for incidents.
const URGENT: u64 = SECOND / 2;

/// Most bytes of a state that is read.
const STATE_LIMIT: u64 = 64 << 20;

const LOG: &str = ".log";
const JSONL: &str = ".jsonl";

/// The first line of `state.json`; the live state's own bytes follow.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct State {
    run_id: String,
    /// Entries of the journals that the live state has had.
    keeper: u64,
    pump: u64,
    /// Bytes of each stream that the live state has had.
    fed: [u64; 2],
    /// Number of the last progress.
    sequence: u64,
    views: Marks,
}

/// What the judge has had before.
pub(super) struct Had {
    pub(super) keeper: u64,
    pub(super) pump: u64,
}

pub(super) struct Judge {
    files: Files,
    spec: RunSpec,
    clock: Clock,
    live: Option<Live>,
    state: State,
    scribe: Option<Scribe>,
    text: Views,
    dirty: bool,
    saved: u64,
    flushed: u64,
    written: u64,
    urgent: bool,
    began: bool,
}

impl Judge {
    /// Begins, or goes on from the saved state.
    pub(super) fn begin(
        files: &Files,
        spec: &RunSpec,
        clock: Clock,
        space: Arc<Space>,
    ) -> (Self, Had) {
        let restored = restore(files, spec);
        let (mut state, live) = match restored {
            Some((state, live)) => (state, Some(live)),
            None => (
                State {
                    run_id: spec.run_id.clone(),
                    views: Marks {
                        began: clock.look().boot,
                        ..Marks::default()
                    },
                    ..State::default()
                },
                guard("begin", || Live::new(spec)).and_then(Result::ok),
            ),
        };
        // Progress may have been written since the state was saved.
        state.sequence = state.sequence.max(last_sequence(spec));
        let compressed = spec.capture.compression != Compression::None;
        let open =
            |extension, mark| View::open(files, extension, compressed, mark, Arc::clone(&space));
        let scribe = if spec.capture.views {
            let started = open(LOG, state.views.log)
                .and_then(|log| Ok((log, open(JSONL, state.views.jsonl)?)))
                .and_then(|(log, jsonl)| {
                    Scribe::start(log, jsonl, state.views, &spec.capture, files.views_cut())
                });
            started
                .map_err(|e| {
                    complain(&format!("the views cannot be opened: {e}"));
                    let _ = std::fs::File::create(files.views_cut());
                })
                .ok()
        } else {
            None
        };
        let had = Had {
            keeper: state.keeper,
            pump: state.pump,
        };
        let judge = Self {
            files: files.clone(),
            spec: spec.clone(),
            clock,
            live,
            state,
            scribe,
            text: Views::default(),
            dirty: false,
            saved: 0,
            flushed: 0,
            written: 0,
            urgent: false,
            began: false,
        };
        (judge, had)
    }

    /// Reads again what the saved state had not seen, as the index says that it arrived.
    /// Of the index the first `records` are read; what comes behind them is handed in.
    pub(super) fn replay(&mut self, files: &Files, records: u64) {
        if self.live.is_none() || !files.index().exists() {
            return;
        }
        if let Err(e) = self.replay_from(files.directory(), records) {
            complain(&format!(
                "what was captured before cannot be judged again: {e}"
            ));
        }
    }

    fn replay_from(&mut self, directory: &Path, records: u64) -> Result<(), crate::CaptureError> {
        let captured = Captured::open(directory)?;
        let Some(mut index) = captured.index()? else {
            return Ok(());
        };
        let from = Stream::ALL.map(|stream| {
            self.live
                .as_ref()
                .map_or(0, |live| live.position(stream))
                .min(self.state.fed[number(stream)])
        });
        let mut readers = Stream::ALL.map(|stream| captured.bytes(stream, from[number(stream)]));
        // What was shown already up to here is not shown again; the classifier reads it to know the open line and trace.
        let shown = self.state.fed;
        while let Ok(Some(record)) = index.read() {
            if record.seq() >= records {
                break;
            }
            let Record::Batch(batch) = record else {
                continue;
            };
            let n = number(batch.stream);
            let end = batch.offset + u64::from(batch.length);
            while readers[n].position() < end {
                let at = readers[n].position();
                let stop = if at < shown[n] {
                    end.min(shown[n])
                } else {
                    end
                };
                let mut bytes = vec![0; (stop - at) as usize];
                if io::Read::read_exact(&mut readers[n], &mut bytes).is_err() {
                    // Cut, and told by the audit. Nothing after it can be judged in its place.
                    return Ok(());
                }
                self.feed(batch.stream, batch.at, &bytes, at >= shown[n]);
            }
            self.state.fed[n] = self.state.fed[n].max(end);
        }
        Ok(())
    }

    /// Judges until nobody sends any more.
    pub(super) fn work(mut self, items: &Receiver<Item>, empty: &Sender<Vec<u8>>) {
        loop {
            match items.recv_timeout(TICK) {
                Ok(Item::Bytes(Chunk { stream, at, bytes })) => {
                    self.feed(stream, at, &bytes, true);
                    self.state.fed[number(stream)] += bytes.len() as u64;
                    let _ = empty.send(bytes);
                }
                Ok(Item::Event { at, event, source }) => {
                    self.judge("event", |live, _| live.event(at, &event));
                    match source {
                        Source::Keeper => self.state.keeper += 1,
                        Source::Pump => self.state.pump += 1,
                    }
                    self.began |=
                        matches!(event, gonogo_dryrun::journal::Event::ChildStarted { .. });
                    self.dirty = true;
                }
                Ok(Item::Rotate) => {
                    if let Some(scribe) = &self.scribe {
                        scribe.rotate();
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.keep_up();
        }
        self.finish();
    }

    fn feed(&mut self, stream: Stream, at: Moment, bytes: &[u8], show: bool) {
        let show = show && self.scribe.is_some();
        self.judge("bytes", |live, views| {
            live.bytes(stream, at, bytes, show.then_some(views));
        });
        self.dirty = true;
        self.show();
    }

    fn show(&mut self) {
        if let Some(scribe) = &self.scribe {
            scribe.write(&mut self.text, self.clock.look().boot);
        }
    }

    /// What is due now: the state, views, progress.
    fn keep_up(&mut self) {
        let now = boot();
        let at = self.clock.look();
        if now - self.flushed >= SECOND / 4 {
            self.flushed = now;
            self.judge("tick", |live, _| live.tick(at));
            if let Some(scribe) = &self.scribe {
                scribe.flush();
            }
            self.urgent |= self.judge("urgent", |live, _| live.take_urgent()) == Some(true);
        }
        if self.dirty && now - self.saved >= SECOND {
            self.save();
        }
        let interval = self.spec.progress_interval_seconds;
        let due = interval.is_some_and(|seconds| {
            now - self.written >= self.clock.real_nanos(seconds).max(SECOND / 20)
        });
        if due || ((self.urgent || self.began) && now - self.written >= URGENT) {
            self.write_progress(at);
        }
    }

    fn save(&mut self) {
        self.saved = boot();
        self.dirty = false;
        let Some(saved) = self.judge("save", |live, _| live.save()) else {
            return;
        };
        if let Some(marks) = self.scribe.as_ref().and_then(Scribe::marks) {
            self.state.views = marks;
        }
        let Ok(mut bytes) = serde_json::to_vec(&self.state) else {
            return;
        };
        bytes.push(b'\n');
        bytes.extend_from_slice(&saved);
        // On a full disk the older state stays; more is read again.
        let _ = write_atomic(&self.files.state(), &bytes, false);
    }

    fn write_progress(&mut self, at: Moment) {
        let Some(path) = self.spec.progress_path.clone().map(PathBuf::from) else {
            return;
        };
        if self.spec.progress_interval_seconds.is_none() {
            return;
        }
        self.written = boot();
        self.urgent = false;
        self.began = false;
        let Some(mut progress) = self.judge("progress", |live, _| live.progress(at)) else {
            return;
        };
        let sequence = self.state.sequence + 1;
        progress.sequence = sequence;
        // By way of a value: its keys are sorted.
        let Some(text) = serde_json::to_value(&progress)
            .and_then(|value| serde_json::to_string_pretty(&value))
            .ok()
        else {
            return;
        };
        let text = text + "\n";
        if let Some(parent) = path.parent() {
            let _ = std::fs::create_dir_all(parent);
        }
        if write_atomic(&path, text.as_bytes(), false).is_ok() {
            self.state.sequence = sequence;
            self.dirty = true;
        }
        if let Some(directory) = &self.spec.timeline_dir {
            let stamp: String = at
                .timestamp()
                .to_string()
                .chars()
                .filter(|c| !matches!(c, '-' | ':'))
                .take(15)
                .collect();
            let name = format!("snapshot-{stamp}-{sequence:05}.json");
            let _ = std::fs::create_dir_all(directory);
            let _ = write_atomic(&Path::new(directory).join(name), text.as_bytes(), false);
        }
    }

    fn finish(&mut self) {
        let at = self.clock.look();
        let show = self.scribe.is_some();
        self.judge("finish", |live, views| {
            live.tick(at);
            live.finish(at, show.then_some(views));
        });
        self.show();
        self.save();
        let ended = self.scribe.take().and_then(|mut scribe| scribe.finish());
        if let Some((marks, whole)) = ended {
            self.state.views = marks;
            if whole {
                let _ = std::fs::remove_file(self.files.views_cut());
            }
        }
        self.dirty = true;
        self.save();
        self.write_progress(at);
    }

    fn judge<T>(&mut self, what: &str, act: impl FnOnce(&mut Live, &mut Views) -> T) -> Option<T> {
        let live = self.live.as_mut()?;
        let text = &mut self.text;
        let result = guard(what, || act(live, text));
        if result.is_none() {
            self.live = None;
        }
        result
    }
}

/// Calls what must not take the capture with it.
fn guard<T>(what: &str, act: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(act)) {
        Ok(value) => Some(value),
        Err(_) => {
            complain(&format!(
                "judging panicked ({what}); the run is captured on, and judged afterwards"
            ));
            None
        }
    }
}

/// Writes to the capture's internal.log, which is this process's standard error.
pub(super) fn complain(text: &str) {
    let _ = io::Write::write_all(&mut io::stderr(), format!("pump: {text}\n").as_bytes());
}

fn restore(files: &Files, spec: &RunSpec) -> Option<(State, Live)> {
    let (state, rest) = read_state(files, &spec.run_id)?;
    let live = guard("restore", || Live::restore(spec, &rest))??;
    Some((state, live))
}

fn read_state(files: &Files, run_id: &str) -> Option<(State, Vec<u8>)> {
    let bytes = read_bounded(&files.state(), STATE_LIMIT).ok()?;
    let end = memchr::memchr(b'\n', &bytes)?;
    let state: State = serde_json::from_slice(&bytes[..end]).ok()?;
    (state.run_id == run_id).then(|| (state, bytes[end + 1..].to_vec()))
}

/// The number of the progress that is there: numbers grow whatever state is found.
fn last_sequence(spec: &RunSpec) -> u64 {
    spec.progress_path
        .as_deref()
        .and_then(|path| read_bounded(Path::new(path), STATE_LIMIT).ok())
        .and_then(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).ok())
        .and_then(|value| value.get("sequence")?.as_u64())
        .unwrap_or(0)
}

/// Brings the views of a run whose pump is gone to what was captured, and closes them.
pub(crate) fn close_views(files: &Files, spec: &RunSpec, clock: Clock, space: Arc<Space>) {
    let (mut judge, _) = Judge::begin(files, spec, clock, space);
    judge.replay(files, u64::MAX);
    judge.spec.progress_interval_seconds = None;
    judge.finish();
}
