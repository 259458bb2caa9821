//! The verdict of a run, from its evidence and nothing else: specification, journals, index, raw bytes, evidence files.
//!
//! Used at a run's end, by `finalize`, by `audit`, and by a verifier of a packet. Invariants: the same evidence and time of judgement
//! give the same bytes of JSON; nothing that cannot be read is passed over: it is a finding, and the verdict is still given.

use std::collections::BTreeMap;

use gonogo_core::{Digest, Timestamp};

use crate::audit::captured::{self, Plan, RunFiles};
use crate::audit::{self, Clock};
use crate::classify;
use crate::conditions::Conditions;
use crate::engine::{Cause, Engine, NotKept, worst_first};
use crate::evidence::{Window, finding};
use crate::index::Record;
use crate::sign_off::{ALLOW_WARNINGS, Assessed, Finding, assess};
use crate::spec::{ARTIFACTS, Artifact, FOREIGN, RunSpec};
use crate::summary::{Blind, Logs, Report, RunFacts, SCHEMA, Summary};
use crate::{Incident, IncidentKind, Moment, Status, Stream};

mod beside;
mod journals;

use beside::evidence_of;
use journals::{Journal, Next};

/// Version of these rules, the audit's and the sign-off's. Any change that can change a verdict's bytes changes it.
pub const VERSION: &str = "gonogo.judge.v3";

/// Most incidents that a report lists.
const INCIDENTS: usize = 2000;

/// How a run is judged.
#[derive(Debug, Clone)]
pub struct Judgement {
    /// When.
    pub evaluated_at: Timestamp,
    /// Threads to read with; does not change the verdict.
    pub threads: usize,
}

impl Judgement {
    /// Judges at `evaluated_at`, on two threads.
    pub const fn at(evaluated_at: Timestamp) -> Self {
        Self {
            evaluated_at,
            threads: 2,
        }
    }
}

/// A report's bytes, as they are kept and compared: keys sorted, two spaces, a newline at the end.
pub fn to_bytes(report: &Report) -> Vec<u8> {
    // Through a value, whose keys are sorted. What is no number in JSON was never put into a report.
    let value = serde_json::to_value(report).unwrap_or_default();
    let mut bytes = serde_json::to_vec_pretty(&value).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

/// Judges a captured run.
pub fn judge(spec: &RunSpec, files: &dyn RunFiles, how: &Judgement) -> Report {
    let mut replay = Replay::new(spec);
    replay.run(files);
    let Replay {
        mut conditions,
        plan,
        mut problems,
        last_seen,
        ..
    } = replay;
    let life = conditions.life().clone();
    // Without the child's end the last that is known of it is as far as anything can be judged.
    let end = life.ended.or(last_seen.filter(|_| life.started.is_some()));
    if let (Some(_), None, None) = (life.started, life.ended, &life.start_failed) {
        problems.push(finding(
            Status::Fail,
            "end_unknown",
            "keeper.jsonl",
            "how and when the child ended is not known",
        ));
    }
    if life.started.is_none() && life.start_failed.is_none() {
        problems.push(finding(
            Status::Invalid,
            "start_unknown",
            "keeper.jsonl",
            "no journal says that the child was started",
        ));
    }
    if life.endings.is_empty() {
        problems.push(finding(
            Status::Invalid,
            "journal_open",
            "keeper.jsonl",
            "the journals have no end: the run goes on or was never finalized",
        ));
    }
    problems.extend(artifacts(spec, files));
    problems.extend(foreign(files));
    if let Some((severity, text)) = conditions.usage().unchecked(&spec.resources) {
        problems.push(finding(severity, "resources_unchecked", "pump.jsonl", text));
    }
    let window = life.started.zip(end);
    let mut lines = [0; 2];
    let mut fallen = conditions.not_kept();
    let read = captured::read(spec, files, &plan, how.threads);
    let (logs, mut causes): (Option<Logs>, Vec<Cause>) = match read {
        Err(reason) => {
            problems.push(finding(
                Status::Invalid,
                "rules_unreadable",
                "run.json",
                format!("a rule of the allow-list cannot be read: {reason}"),
            ));
            (None, Vec::new())
        }
        Ok(mut read) => {
            problems.extend(read.problems);
            let stopped = life.signal.is_some() || !life.signalled.is_empty();
            let (broken, ignored) = audit::records::of_streams(&read.total.shapes, stopped);
            problems.extend(broken);
            read.total.ignored += ignored;
            lines = read.lines;
            if spec.lines.monitor {
                fallen.extend(read.engines.iter().flat_map(Engine::not_kept));
            }
            let causes = read
                .engines
                .iter()
                .flat_map(|e| e.causes())
                .filter(|_| spec.lines.monitor)
                .cloned()
                .collect();
            let clock_time = |m: Moment| i64::try_from(m.boot).unwrap_or(i64::MAX);
            let clock = Clock {
                window: window.map(|(a, b)| (clock_time(a), clock_time(b))),
                wall: &|boot| plan.wall(boot),
                edges: true,
            };
            let blind = blind(spec, &conditions, end.unwrap_or_default());
            let engines: Vec<&crate::engine::Engine> = read.engines.iter().collect();
            let gaps = (&spec.gaps, spec.heartbeat.as_ref());
            (
                Some(audit::report(
                    &read.total,
                    &engines,
                    gaps,
                    &clock,
                    blind,
                    problems.clone(),
                )),
                causes,
            )
        }
    };
    let _ = conditions.take_urgent();
    causes.extend(conditions.causes().into_iter().cloned());
    causes.sort_by(worst_first);
    let incidents = shown(&causes, fallen, spec.criteria.allow_warnings);
    let window = window.map(|(a, b)| Window {
        from: a.timestamp(),
        to: b.timestamp(),
    });
    let facts = facts(spec, &conditions, (logs.as_ref(), lines), &incidents, end);
    let grown = |name: &str| conditions.evidence_age(spec, name, end?);
    let summary = summary(spec, files, how, (logs, facts, problems), window, &grown);
    // What the journal says counts: a specification cannot make simulated time real.
    let clock_scale = match conditions.clock_scale() {
        Some(scale) if scale != 1.0 => scale,
        _ => spec.clock_scale,
    };
    let sign_off = assess(Assessed {
        summary: &summary,
        incidents: &incidents,
        criteria: &spec.criteria,
        clock_scale,
        evaluated_at: how.evaluated_at,
    });
    let counted = |status: Status| {
        if spec.criteria.allow_warnings && status == Status::Warn {
            Status::Pass
        } else {
            status
        }
    };
    let worst = incidents
        .iter()
        .filter(|i| i.accepted.is_none())
        .map(|i| i.severity)
        .max()
        .unwrap_or_default();
    let status = counted(summary.status)
        .max(sign_off.status)
        .max(counted(worst));
    report(spec, how, status, summary, sign_off, incidents)
}

/// Judges logs that somebody else captured, with evidence beside them. `files` gives the evidence as `evidence/<name>`. There is no
/// sign-off unless `signs_off`.
pub fn judge_logs(
    spec: &RunSpec,
    logs: Logs,
    names: Vec<String>,
    files: &dyn RunFiles,
    how: &Judgement,
    signs_off: bool,
) -> Report {
    let window = logs.started_at.zip(logs.ended_at);
    let window = window.map(|(from, to)| Window { from, to });
    let path = |name: &str| {
        let found = spec.evidence.iter().find(|e| e.name == name);
        found.map(|e| e.path.clone())
    };
    let facts = RunFacts {
        log_paths: names,
        diary_path: path("diary"),
        performance_path: path("performance"),
        classifier: Some(classify::VERSION.to_owned()),
        user: spec.metadata.clone(),
        ..RunFacts::default()
    };
    let mut logs = logs;
    if logs.total_lines == 0 {
        // Nothing was shown, so nothing is well.
        let text = "the logs hold no line, so they say nothing";
        logs.problems
            .push(finding(Status::Invalid, "no_lines", "logs", text));
        logs.status = Status::Invalid;
    }
    let parts = (Some(logs), facts, Vec::new());
    let summary = summary(spec, files, how, parts, window, &|_| None);
    let sign_off = signs_off.then(|| {
        assess(Assessed {
            summary: &summary,
            incidents: &[],
            criteria: &spec.criteria,
            clock_scale: 1.0,
            evaluated_at: how.evaluated_at,
        })
    });
    let status = match &sign_off {
        // Accepted warnings are the sign-off's business; it has looked at everything.
        Some(sign_off) if spec.criteria.allow_warnings && summary.status == Status::Warn => {
            sign_off.status
        }
        Some(sign_off) => summary.status.max(sign_off.status),
        None => summary.status,
    };
    Report {
        sign_off,
        log_directory: None,
        ..report(
            spec,
            how,
            status,
            summary,
            crate::sign_off::SignOff {
                evaluated_at: how.evaluated_at,
                status,
                criteria: spec.criteria.clone(),
                findings: Vec::new(),
            },
            Vec::new(),
        )
    }
}

/// Adds what was found beside a run's files, to the summary as to the sign-off. It is accepted by no rule.
pub fn tell(report: &mut Report, found: Finding) {
    let severity = found.severity;
    report.summary.status = report.summary.status.max(severity);
    report.status = report.status.max(severity);
    if let Some(sign_off) = &mut report.sign_off {
        sign_off.status = sign_off.status.max(severity);
        let place = sign_off
            .findings
            .iter()
            .position(|f| f.accepted.is_some() || f.severity < severity);
        let place = place.unwrap_or(sign_off.findings.len());
        sign_off.findings.insert(place, found.clone());
    }
    report.summary.unreadable.push(found);
}

/// Replays journals and arrivals.
struct Replay {
    run_id: String,
    /// Whether a pump said that it had indexed everything.
    was_indexed: bool,
    conditions: Conditions,
    plan: Plan,
    problems: Vec<Finding>,
    /// The last moment before the end that anything tells of.
    last_seen: Option<Moment>,
}

impl Replay {
    /// Evidence of another run says nothing about this one.
    fn foreign(&mut self, name: &str) {
        let text = format!("{name} is of another run than run.json");
        self.problems
            .push(finding(Status::Invalid, "other_run", name, text));
    }

    fn new(spec: &RunSpec) -> Self {
        Self {
            run_id: spec.run_id.clone(),
            was_indexed: false,
            conditions: Conditions::new(spec),
            plan: Plan::new(),
            problems: Vec::new(),
            last_seen: None,
        }
    }

    fn run(&mut self, files: &dyn RunFiles) {
        let mut journals = Vec::new();
        let mut pump = None;
        for name in ["keeper.jsonl", "pump.jsonl"] {
            match files.open(name) {
                Ok(Some(source)) => {
                    if name == "pump.jsonl" {
                        pump = Some(journals.len());
                    }
                    journals.push(Journal::new(name, source));
                }
                Ok(None) => self.problems.push(finding(
                    Status::Invalid,
                    "journal_missing",
                    name,
                    format!("the journal {name} is missing"),
                )),
                Err(e) => self.problems.push(finding(
                    Status::Invalid,
                    "journal_unreadable",
                    name,
                    format!("the journal {name} cannot be read: {e}"),
                )),
            }
        }
        let source = match files.open("index") {
            Ok(source) => source,
            Err(e) => {
                self.problems.push(finding(
                    Status::Invalid,
                    "index_unreadable",
                    "index",
                    format!("the index cannot be read: {e}"),
                ));
                None
            }
        };
        let mut index = match source.as_deref().map(captured::open_index) {
            Some(Ok(index)) => {
                if index.header().run != Digest::of(self.run_id.as_bytes()) {
                    self.foreign("index");
                }
                Some(index)
            }
            Some(Err(problem)) => {
                self.problems.push(problem);
                None
            }
            None => None,
        };
        let has_index = index.is_some();
        let mut record = None;
        loop {
            if record.is_none()
                && let Some(reader) = &mut index
            {
                record = self.next_record(reader);
            }
            let arrival = match &record {
                Some(Record::Batch(batch)) => Some(batch.at.boot),
                Some(Record::Member(_)) => Some(0),
                None => None,
            };
            let event = journals
                .iter_mut()
                .enumerate()
                .filter_map(|(i, j)| Some((j.peek()?.at.boot, i)))
                .min();
            match (event, arrival) {
                (Some((at, i)), arrival) if arrival.is_none_or(|a| at <= a) => {
                    if let Some(entry) = journals[i].take() {
                        self.plan.note(entry.at);
                        let after = matches!(
                            entry.event,
                            crate::journal::Event::Recovered { .. }
                                | crate::journal::Event::Ended { .. }
                        );
                        if !after {
                            self.last_seen =
                                Some(self.last_seen.map_or(entry.at, |l| l.max(entry.at)));
                        }
                        match &entry.event {
                            // The pump's own last word: everything is indexed.
                            crate::journal::Event::Ended { .. } if Some(i) == pump => {
                                self.was_indexed = true;
                            }
                            crate::journal::Event::Recovered { bytes, .. }
                                if *bytes > 0 && self.was_indexed =>
                            {
                                let text = format!(
                                    "{bytes} bytes were indexed again after everything had been: the index was removed, cut or the bytes replaced"
                                );
                                self.problems.push(finding(
                                    Status::Invalid,
                                    "index_replaced",
                                    "index",
                                    text,
                                ));
                            }
                            _ => {}
                        }
                        if let crate::journal::Event::Begun { run_id, .. } = &entry.event
                            && *run_id != self.run_id
                        {
                            self.foreign("keeper.jsonl");
                        }
                        self.conditions.event(entry.at, &entry.event);
                    }
                }
                (_, Some(_)) => {
                    if let Some(record) = record.take() {
                        self.arrived(&record);
                    }
                }
                (_, None) => break,
            }
        }
        for last in self.plan.last.iter().flatten().filter(|b| b.open_end) {
            self.conditions.lines(last.at, 1);
        }
        for journal in journals {
            match journal.end() {
                Next::Whole => {}
                Next::Torn(reason) => self.problems.push(finding(
                    Status::Warn,
                    "journal_torn",
                    journal.name(),
                    format!(
                        "the journal {} ends in a torn line: {reason}",
                        journal.name()
                    ),
                )),
                Next::Broken(reason) => self.problems.push(finding(
                    Status::Invalid,
                    "journal_broken",
                    journal.name(),
                    format!("the journal {} is broken: {reason}", journal.name()),
                )),
            }
        }
        let started = self.conditions.life().started.is_some();
        if !has_index && started {
            self.problems.push(finding(
                Status::Invalid,
                "index_missing",
                "index",
                "there is no index that can be read",
            ));
        }
    }

    fn next_record<R: std::io::Read>(
        &mut self,
        reader: &mut crate::index::Reader<R>,
    ) -> Option<Record> {
        match reader.read() {
            Ok(Some(record)) => Some(record),
            Ok(None) => {
                if let Some(cut) = reader.cut() {
                    let text = format!(
                        "the index was torn at byte {} ({} bytes): {}",
                        cut.at, cut.bytes, cut.reason
                    );
                    self.problems
                        .push(finding(Status::Warn, "index_torn", "index", text));
                }
                None
            }
            Err(e) => {
                self.problems.push(finding(
                    Status::Invalid,
                    "index_damaged",
                    "index",
                    e.to_string(),
                ));
                None
            }
        }
    }

    fn arrived(&mut self, record: &Record) {
        self.plan.take(record);
        if let Record::Batch(batch) = record {
            self.last_seen = Some(self.last_seen.map_or(batch.at, |l| l.max(batch.at)));
            if batch.newlines > 0 {
                self.conditions.lines(batch.at, u64::from(batch.newlines));
            }
        }
    }
}

fn blind(spec: &RunSpec, conditions: &Conditions, end: Moment) -> audit::BlindTimes {
    conditions
        .blind_spans(end)
        .into_iter()
        .map(|span| {
            let clock = |m: Moment| i64::try_from(m.boot).unwrap_or(i64::MAX);
            let shown = Blind {
                from: span.from.timestamp(),
                to: span.to.timestamp(),
                explained: spec.explained.get(&span.reason).cloned(),
                reason: span.reason,
            };
            ((clock(span.from), clock(span.to)), shown)
        })
        .collect()
}

/// Accepted warnings are told as that.
/// What lay in the directory and does not belong there. Whoever put it there could have changed the rest.
fn foreign(files: &dyn RunFiles) -> Option<Finding> {
    use std::io::Read as _;
    const SHOWN: u64 = 2000;
    let source = match files.open(FOREIGN) {
        Ok(None) => return None,
        Ok(Some(source)) => source,
        Err(e) => {
            let text = format!("what else lay in the run's directory is not known: {e}");
            return Some(finding(Status::Invalid, "directory_changed", FOREIGN, text));
        }
    };
    let mut bytes = Vec::new();
    let read = source.size().and_then(|size| {
        audit::reader_of(source.as_ref(), size.min(SHOWN)).read_to_end(&mut bytes)
    });
    let said = match read {
        Ok(_) => String::from_utf8_lossy(&bytes).trim().replace('\n', "; "),
        Err(e) => e.to_string(),
    };
    let text = format!("something else than the harness changed the run's directory: {said}");
    Some(finding(Status::Invalid, "directory_changed", FOREIGN, text))
}

/// The artifacts must be at the end what they were before the run, and untouched: else nobody knows what ran.
fn artifacts(spec: &RunSpec, files: &dyn RunFiles) -> Vec<Finding> {
    if spec.artifacts.is_empty() {
        return Vec::new();
    }
    let read = || -> Result<Vec<Artifact>, String> {
        let source = files
            .open(ARTIFACTS)
            .map_err(|e| e.to_string())?
            .ok_or("it does not exist")?;
        let size = source.size().map_err(|e| e.to_string())?;
        if size > 1 << 20 {
            return Err("it is too large".to_owned());
        }
        serde_json::from_reader(audit::reader_of(source.as_ref(), size)).map_err(|e| e.to_string())
    };
    match read() {
        Err(why) => {
            let text = format!("what became of the artifacts is not known: {why}");
            vec![finding(
                Status::Invalid,
                "artifacts_unknown",
                ARTIFACTS,
                text,
            )]
        }
        Ok(after) => spec
            .artifacts
            .iter()
            .filter(|before| !after.contains(before))
            .map(|before| {
                let bytes =
                    |now: &&Artifact| now.path == before.path && now.sha256 == before.sha256;
                let text = match after.iter().find(bytes) {
                    Some(_) => format!(
                        "the artifact {} was written or replaced during the run, and put back",
                        before.path
                    ),
                    None => format!(
                        "the artifact {} is not what it was before the run",
                        before.path
                    ),
                };
                finding(Status::Fail, "artifact_changed", &before.path, text)
            })
            .collect(),
    }
}

/// The incidents of a report: the worst one by one, the rest one for each severity and kind, so that counts stay exact.
fn shown(causes: &[Cause], mut fallen: Vec<NotKept>, allow_warnings: bool) -> Vec<Incident> {
    let (listed, rest) = causes.split_at(causes.len().min(INCIDENTS));
    fallen.extend(rest.iter().map(|cause| {
        let incident = cause.incident();
        NotKept {
            severity: incident.severity,
            kind: incident.kind,
            accepted: incident.accepted.is_some(),
            causes: 1,
            count: incident.count,
            first_at: incident.occurred_at,
            last_at: incident.last_at.unwrap_or(incident.occurred_at),
        }
    }));
    let mut sums: BTreeMap<(std::cmp::Reverse<Status>, IncidentKind, bool), NotKept> =
        BTreeMap::new();
    for part in fallen {
        sums.entry((std::cmp::Reverse(part.severity), part.kind, part.accepted))
            .and_modify(|sum| {
                sum.causes += part.causes;
                sum.count += part.count;
                sum.first_at = sum.first_at.min(part.first_at);
                sum.last_at = sum.last_at.max(part.last_at);
            })
            .or_insert(part);
    }
    let one_by_one = listed.iter().map(Cause::incident);
    let together = sums.into_values().map(|sum| Incident {
        severity: sum.severity,
        occurred_at: sum.first_at,
        message: format!(
            "{} more causes of this kind are not listed one by one",
            sum.causes
        ),
        kind: sum.kind,
        count: sum.count,
        last_at: Some(sum.last_at),
        open: false,
        accepted: sum.accepted.then(|| "allow-list".to_owned()),
        metadata: BTreeMap::from([("causes".to_owned(), sum.causes.into())]),
    });
    one_by_one
        .chain(together)
        .map(|mut incident| {
            if allow_warnings && incident.severity == Status::Warn && incident.accepted.is_none() {
                incident.accepted = Some(ALLOW_WARNINGS.to_owned());
            }
            incident
        })
        .collect()
}

fn facts(
    spec: &RunSpec,
    conditions: &Conditions,
    (logs, lines): (Option<&Logs>, [u64; 2]),
    incidents: &[Incident],
    end: Option<Moment>,
) -> RunFacts {
    let line_counts: BTreeMap<String, u64> = Stream::ALL
        .map(|s| (s.word().to_owned(), lines[s as usize]))
        .into();
    let life = conditions.life();
    let path = |name: &str| {
        spec.evidence
            .iter()
            .find(|e| e.name == name)
            .map(|e| e.path.clone())
    };
    RunFacts {
        diary_path: path("diary"),
        performance_path: path("performance"),
        command: spec.command.clone(),
        run_id: Some(spec.run_id.clone()),
        started_at: life.started.map(Moment::timestamp),
        ended_at: end.map(Moment::timestamp),
        exit_code: life.exit_code(),
        target_duration_seconds: Some(spec.target_seconds),
        actual_duration_seconds: life.started.zip(end).map(|(a, b)| b.since(a) as f64 / 1e9),
        timed_out: Some(life.timed_out),
        harness_incidents: incidents.to_vec(),
        log_level_counts: logs.map(|l| l.level_counts.clone()).unwrap_or_default(),
        log_total_lines: logs.map(|l| l.total_lines),
        progress_path: spec.progress_path.clone(),
        resource_monitor: Some(conditions.usage().report(&spec.resources)),
        classifier: Some(classify::VERSION.to_owned()),
        user: spec.metadata.clone(),
        log_line_counts: line_counts,
        ..RunFacts::default()
    }
}

fn summary(
    spec: &RunSpec,
    files: &dyn RunFiles,
    how: &Judgement,
    (logs, metadata, mut problems): (Option<Logs>, RunFacts, Vec<Finding>),
    window: Option<Window>,
    grown: &dyn Fn(&str) -> Option<f64>,
) -> Summary {
    let mut summary = Summary {
        generated_at: how.evaluated_at,
        status: Status::Pass,
        metadata,
        logs,
        diary: None,
        performance: None,
        evidence: Vec::new(),
        unreadable: Vec::new(),
    };
    if summary.logs.is_none() {
        summary.unreadable.append(&mut problems);
    }
    for declared in &spec.evidence {
        let at_end = (window, grown(&declared.name));
        evidence_of(spec, declared, files, how, at_end, &mut summary);
    }
    let parts = [
        summary.logs.as_ref().map(|l| l.status),
        summary.diary.as_ref().map(|d| d.status),
        summary.performance.as_ref().map(|p| p.status),
    ];
    let parts = parts.into_iter().flatten();
    let more = summary
        .evidence
        .iter()
        .map(|e| e.status)
        .chain(summary.unreadable.iter().map(|f| f.severity));
    summary.status = parts.chain(more).max().unwrap_or_default();
    summary
}

fn report(
    spec: &RunSpec,
    how: &Judgement,
    status: Status,
    summary: Summary,
    sign_off: crate::sign_off::SignOff,
    incidents: Vec<Incident>,
) -> Report {
    Report {
        schema: SCHEMA.to_owned(),
        status,
        sign_off: Some(sign_off),
        incidents,
        review: None,
        progress_path: spec.progress_path.clone(),
        progress_timeline_dir: spec.timeline_dir.clone(),
        generated_at: Some(how.evaluated_at),
        command: spec.command.clone(),
        run_directory: None,
        log_directory: Some(spec.log_dir.clone()),
        metadata: spec.metadata.clone(),
        started_at: summary.metadata.started_at,
        ended_at: summary.metadata.ended_at,
        duration_seconds: summary.metadata.actual_duration_seconds,
        evidence_packet: None,
        wrap_up: None,
        left_out: Vec::new(),
        summary,
    }
}

#[cfg(test)]
mod tests;
