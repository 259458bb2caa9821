//! What a run shows while it goes on: counts, incidents, progress. The pump feeds it and may die at any moment: [`Live::save`] and
//! [`Live::restore`] carry it over to the next one, which reads again from [`Live::position`].
//!
//! Invariants: what [`Live::bytes`] finds does not depend on how the bytes were cut, and is what the audit finds in the same bytes
//! with the same times; after a restore no line is counted or shown again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::classify::{self, Classifier, Counts, Finding, Line, Sink};
use crate::conditions::{Conditions, SavedConditions};
use crate::engine::{Cause, Engine, SavedEngine, worst_first};
use crate::journal::Event;
use crate::progress::{Phase, Progress};
use crate::spec::RunSpec;
use crate::view::Renderer;
use crate::{Moment, Status, Stream};

mod history;

use history::History;

/// Most incidents that progress shows one by one.
const SHOWN: usize = 500;

/// Most bytes of a saved state.
const SAVED_BYTES: usize = 16 << 20;

/// The state of a run that goes on.
#[derive(Debug)]
pub struct Live {
    spec: RunSpec,
    streams: [Reading; 2],
    conditions: Conditions,
    first_line: Option<Moment>,
    last_line: Option<Moment>,
    history: History,
    finished: bool,
}

/// One stream.
#[derive(Debug)]
struct Reading {
    classifier: Classifier,
    engine: Engine,
    renderer: Renderer,
}

/// [`Live`] as it is stored.
#[derive(Serialize, Deserialize)]
struct Saved {
    run_id: String,
    classifier: String,
    streams: [SavedReading; 2],
    conditions: SavedConditions,
    first_line: Option<Moment>,
    last_line: Option<Moment>,
    history: History,
    finished: bool,
}

#[derive(Serialize, Deserialize)]
struct SavedReading {
    engine: SavedEngine,
    classifier: classify::Saved,
}

impl Live {
    /// Begins.
    ///
    /// # Errors
    /// A pattern of the allow-list that is no regular expression.
    pub fn new(spec: &RunSpec) -> Result<Self, String> {
        let reading = |stream| {
            Ok::<_, String>(Reading {
                classifier: Classifier::new(stream, &spec.lines)?,
                engine: Engine::default(),
                renderer: Renderer::new(),
            })
        };
        Ok(Self {
            spec: spec.clone(),
            streams: [reading(Stream::Stdout)?, reading(Stream::Stderr)?],
            conditions: Conditions::new(spec),
            first_line: None,
            last_line: None,
            history: History::default(),
            finished: false,
        })
    }

    /// Goes on from what [`Live::save`] returned; none if that cannot be read or belongs to another run or other rules.
    pub fn restore(spec: &RunSpec, saved: &[u8]) -> Option<Self> {
        if saved.len() > SAVED_BYTES {
            return None;
        }
        let saved: Saved = serde_json::from_slice(saved).ok()?;
        if saved.run_id != spec.run_id || saved.classifier != classify::VERSION {
            return None;
        }
        let mut live = Self::new(spec).ok()?;
        for (reading, old) in live.streams.iter_mut().zip(saved.streams) {
            reading.engine = Engine::restored(old.engine);
            reading.classifier = Classifier::restore(&spec.lines, old.classifier).ok()?;
        }
        live.conditions = Conditions::restored(spec, saved.conditions);
        live.first_line = saved.first_line;
        live.last_line = saved.last_line;
        live.history = saved.history;
        live.finished = saved.finished;
        Some(live)
    }

    /// Returns the state: at most 16 MiB.
    pub fn save(&self) -> Vec<u8> {
        let reading = |r: &Reading| SavedReading {
            engine: r.engine.saved(),
            classifier: r.classifier.save(),
        };
        let saved = Saved {
            run_id: self.spec.run_id.clone(),
            classifier: classify::VERSION.to_owned(),
            streams: [reading(&self.streams[0]), reading(&self.streams[1])],
            conditions: self.conditions.saved(),
            first_line: self.first_line,
            last_line: self.last_line,
            history: self.history.clone(),
            finished: self.finished,
        };
        serde_json::to_vec(&saved).unwrap_or_default()
    }

    /// Returns how many bytes of `stream` need not be read again after [`Live::restore`]: the open line begins there.
    pub fn position(&self, stream: Stream) -> u64 {
        self.streams[stream as usize].classifier.offset()
    }

    /// The stream's next bytes arrived. What the views show of them is appended to `views`.
    pub fn bytes(&mut self, stream: Stream, at: Moment, bytes: &[u8], views: Option<&mut Views>) {
        if !bytes.is_empty() {
            self.read(stream, at, views, Step::Feed(bytes));
        }
    }

    /// Lets the classifier of `stream` go on and takes in what it found.
    fn read(&mut self, stream: Stream, at: Moment, views: Option<&mut Views>, step: Step<'_>) {
        let monitor = self.spec.lines.monitor;
        let reading = &mut self.streams[stream as usize];
        let before = totals(reading.classifier.counts());
        let engine = monitor.then_some(&mut reading.engine);
        match views {
            Some(views) => {
                let renderer = &mut reading.renderer;
                let mut sink = Showing {
                    engine,
                    stream,
                    renderer,
                    views,
                };
                step.run(&mut reading.classifier, at, &mut sink);
            }
            None => step.run(&mut reading.classifier, at, &mut Counting { engine }),
        }
        let after = totals(reading.classifier.counts());
        let counts = [
            after[0] - before[0],
            after[1] - before[1],
            after[2] - before[2],
        ];
        if counts[0] > 0 {
            let gap = self.last_line.map_or(0, |l| at.since(l)) as f64 / 1e9;
            self.first_line.get_or_insert(at);
            self.last_line = Some(self.last_line.map_or(at, |l| l.max(at)));
            self.history.lines(at, counts, gap);
            self.conditions.lines(at, counts[0]);
        }
    }

    /// Something happened that the journals hold.
    pub fn event(&mut self, at: Moment, event: &Event) {
        self.conditions.event(at, event);
        match event {
            Event::ChildStarted { .. } => self.history.begin(at, self.spec.target_seconds),
            Event::Resources {
                memory_mb,
                cpu_percent,
                ..
            } => {
                self.history.usage(at, *memory_mb, *cpu_percent);
            }
            _ => {}
        }
    }

    /// Time goes by: silences and stale evidence are noticed here.
    pub fn tick(&mut self, at: Moment) {
        for stream in Stream::ALL {
            self.read(stream, at, None, Step::Quiet);
        }
        self.conditions.tick(at);
    }

    /// Both streams are at their end: a last line without a line feed is a line, an open trace ends.
    pub fn finish(&mut self, at: Moment, mut views: Option<&mut Views>) {
        if std::mem::replace(&mut self.finished, true) {
            return;
        }
        for stream in Stream::ALL {
            self.read(stream, at, views.as_deref_mut(), Step::Finish);
        }
    }

    /// Returns whether there is an incident that progress has not shown yet, and takes note that it will.
    pub fn take_urgent(&mut self) -> bool {
        let [out, err] = &mut self.streams;
        let urgent = [
            out.engine.take_urgent(),
            err.engine.take_urgent(),
            self.conditions.take_urgent(),
        ];
        urgent.contains(&true)
    }

    /// Returns all causes, worst first.
    pub fn causes(&self) -> Vec<&Cause> {
        let [out, err] = &self.streams;
        let mut causes = out.engine.causes();
        causes.extend(err.engine.causes());
        causes.extend(self.conditions.causes());
        causes.sort_by(|a, b| worst_first(a, b));
        causes
    }

    /// Returns the worst so far that no rule accepts.
    pub fn status(&self) -> Status {
        let [out, err] = &self.streams;
        let lines = out.engine.status().max(err.engine.status());
        lines.max(self.conditions.status())
    }

    /// Returns the progress, `sequence` not filled in.
    pub fn progress(&self, at: Moment) -> Progress {
        let life = self.conditions.life();
        let (status, phase) = match (life.started, self.status()) {
            (None, Status::Pass) => ("starting", Phase::Startup),
            (None, worse) => (worse.word(), Phase::Startup),
            (Some(_), Status::Pass) => ("running", Phase::Running),
            (Some(_), worse) => (worse.word(), Phase::Running),
        };
        let until = life.ended.unwrap_or(at);
        let causes = self.causes();
        let [out, err] = &self.streams;
        let fallen = out.engine.causes_not_kept() + err.engine.causes_not_kept();
        let mut counts = out.classifier.counts().clone();
        counts.add(err.classifier.counts());
        let criteria = &self.spec.criteria;
        Progress {
            status: status.to_owned(),
            phase,
            sequence: 0,
            now: at.timestamp(),
            started_at: life.started.map(Moment::timestamp),
            elapsed_seconds: life.started.map_or(0, |s| until.since(s)) as f64 / 1e9,
            target_duration_seconds: self.spec.target_seconds,
            required_duration_seconds: criteria
                .minimum_duration_seconds
                .unwrap_or(self.spec.target_seconds),
            total_lines: counts.lines,
            total_bytes: counts.bytes,
            line_counts: Stream::ALL
                .map(|s| {
                    (
                        s.word().to_owned(),
                        self.streams[s as usize].classifier.counts().lines,
                    )
                })
                .into(),
            level_counts: level_counts(&counts),
            first_line_at: self.first_line.map(Moment::timestamp),
            last_line_at: self.last_line.map(Moment::timestamp),
            longest_gap_seconds: self.conditions.longest_gap(at) as f64 / 1e9,
            lines_per_second: self.history.rate(at),
            command: self.spec.command.clone(),
            minimum_uptime_ratio: criteria.minimum_uptime_ratio,
            require_diary_evidence: criteria.require_diary,
            require_performance_evidence: criteria.require_performance,
            exit_code: life.exit_code(),
            incidents: causes.iter().take(SHOWN).map(|c| c.incident()).collect(),
            incidents_not_kept: fallen + causes.len().saturating_sub(SHOWN) as u64,
            summary: None,
            sign_off: None,
            config_metadata: self.spec.metadata.clone(),
            resources: self.resources(),
            history: self.history.points(at),
        }
    }

    fn resources(&self) -> BTreeMap<String, Value> {
        let mut resources = BTreeMap::new();
        if let Some((memory, cpu)) = self.conditions.usage().now() {
            resources.insert("memory_mb".to_owned(), memory.into());
            resources.insert("cpu_percent".to_owned(), cpu.into());
        }
        for (name, count) in self.conditions.usage().counts() {
            resources.insert(name.clone(), (*count).into());
        }
        for (name, value) in self.conditions.disk_facts() {
            resources.insert(name.clone(), (*value).into());
        }
        resources
    }
}

/// What the derived views get: bytes to append.
#[derive(Debug, Default)]
pub struct Views {
    /// For `.log`: whole lines of both streams in order of arrival.
    pub log: Vec<u8>,
    /// For `.jsonl`.
    pub jsonl: Vec<u8>,
}

/// What a classifier is asked to do.
enum Step<'a> {
    Feed(&'a [u8]),
    Quiet,
    Finish,
}

impl Step<'_> {
    fn run<S: Sink>(&self, classifier: &mut Classifier, at: Moment, sink: &mut S) {
        match self {
            Self::Feed(bytes) => classifier.feed(at, bytes, sink),
            Self::Quiet => classifier.quiet(at, sink),
            Self::Finish => classifier.finish(at, sink),
        }
    }
}

/// Takes findings and renders lines.
struct Showing<'a> {
    engine: Option<&'a mut Engine>,
    stream: Stream,
    renderer: &'a mut Renderer,
    views: &'a mut Views,
}

impl Sink for Showing<'_> {
    const LINES: bool = true;

    fn line(&mut self, line: &Line<'_>) {
        self.renderer.log(line, &mut self.views.log);
        self.renderer
            .jsonl(self.stream, line, &mut self.views.jsonl);
    }

    fn finding(&mut self, finding: Finding) {
        if let Some(engine) = &mut self.engine {
            engine.finding(finding);
        }
    }
}

/// Takes findings; lines are only counted.
struct Counting<'a> {
    engine: Option<&'a mut Engine>,
}

impl Sink for Counting<'_> {
    const LINES: bool = false;

    fn line(&mut self, _line: &Line<'_>) {}

    fn finding(&mut self, finding: Finding) {
        if let Some(engine) = &mut self.engine {
            engine.finding(finding);
        }
    }
}

/// Lines, warnings, errors.
const fn totals(counts: &Counts) -> [u64; 3] {
    [counts.lines, counts.warnings, counts.errors]
}

/// Returns lines by the word of their level.
pub(crate) fn level_counts(counts: &Counts) -> BTreeMap<String, u64> {
    counts
        .levels()
        .map(|(word, lines)| (word.to_owned(), lines))
        .collect()
}

#[cfg(test)]
mod tests;
