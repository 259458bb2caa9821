//! `dry-run smoke`: the whole path with a simulated runtime, healthy and with each of its faults; and `dry-run simulate`, the runtime.
//!
//! A row of the matrix passes when the verdict and the incidents are those that the fault must give, no fewer and no others.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gonogo_app::AppError;
use gonogo_app::dry_run::finishing::{self, Finished};
use gonogo_app::dry_run::flags::{Flags, Place};
use gonogo_app::dry_run::running::{self, Asked, Follower, Request};
use gonogo_app::dry_run::wanted::{Brief, Packet, Wanted};
use gonogo_app::home::Home;
use gonogo_capture::Captured;
use gonogo_core::Reason;
use gonogo_core::clock::{Clock, SystemClock};
use gonogo_dryrun::spec::RunSpec;
use gonogo_dryrun::{Status, Stream};
use gonogo_simulated::matrix::{self, Fact, Pace, Row, Seen};
use serde_json::{Value, json};

use super::super::Answer;
use crate::args::Select;
use crate::args::dry_run::{Simulate, Smoke};
use crate::screen::{Screen, Tone};

/// How many rows run at once: they mostly wait.
const AT_ONCE: usize = 4;

/// What the simulated runtime embeds itself under.
const LEADING: &[&str] = &["dry-run", "simulate"];

/// The runtime; what it prints is its own.
pub(super) fn simulate(a: &Simulate) -> Answer {
    let mut args: Vec<OsString> = Vec::new();
    if a.inject.iter().any(|i| i == "list") {
        args.push("--help".into());
    } else if let Some(longer) = &a.hold_pipes {
        args.extend(["--hold-pipes".into(), longer.into()]);
        if a.own_session {
            args.push("--own-session".into());
        }
    } else {
        let seconds = |v: f64| OsString::from(v.to_string());
        args.extend(["--duration-seconds".into(), seconds(a.duration_seconds)]);
        args.extend(["--tick-interval".into(), seconds(a.tick_interval)]);
        args.extend(["--sharpe".into(), seconds(a.sharpe)]);
        args.extend(["--seed".into(), a.seed.to_string().into()]);
        args.extend(["--diary-format".into(), a.diary_format.clone().into()]);
        let files = [
            ("--diary", &a.diary),
            ("--performance", &a.performance),
            ("--copy-output", &a.copy_output),
        ];
        for (flag, path) in files {
            if let Some(path) = path {
                args.extend([flag.into(), path.into()]);
            }
        }
        for fault in &a.inject {
            args.extend(["--inject".into(), fault.into()]);
        }
    }
    let code = gonogo_simulated::main_with(LEADING, args.into_iter());
    // Its exit codes are part of what is simulated.
    std::process::exit(i32::from(code));
}

/// Nobody follows: several rows run at once.
struct Nobody;

impl Follower for Nobody {
    fn begun(&mut self, _: &RunSpec, _: &Path) {}
    fn look(&mut self, _: &RunSpec) -> Asked {
        Asked::Nothing
    }
    fn judging(&mut self, _: &RunSpec) {}
}

pub(super) fn smoke(select: &Select, a: &Smoke, screen: &Screen) -> Answer {
    let home = Home {
        // The simulated runtime is judged by the smoke run's own limits, not by a project's.
        config: None,
        ..super::home(select)?
    };
    check(a)?;
    let root = match &a.output_dir {
        Some(path) => home.here.join(path),
        None => {
            let time = running::slug(SystemClock::default().now().wall);
            let name = time.trim_end_matches('Z').replace('T', "-");
            home.here.join("artifacts/final_dry_run_smoke").join(name)
        }
    };
    if root.join("logs").exists() || root.join("matrix").exists() {
        let text = format!("`{}` holds an earlier smoke run", root.display());
        return Err(AppError::new(Reason::OutputFailed, text).hint("give another --output-dir"));
    }
    let pace = Pace::default();
    let rows = chosen(a, &pace)?;
    screen.talk(&format!("smoke run in {}", root.display()));
    let clean = (a.matrix.is_none())
        .then(|| clean(&home, a, &root, screen))
        .transpose()?;
    let mut told: Vec<Value> = Vec::new();
    let mut wrong = 0;
    if !rows.is_empty() {
        screen.talk(&format!("{} faults, {AT_ONCE} at a time", rows.len()));
        for (row, outcome) in rows.iter().zip(all(&home, &root, &pace, &rows)) {
            let said = match &outcome {
                Ok(finished) => judge(row, finished, &root),
                Err(e) => Err(vec![e.to_string()]),
            };
            let verdict = outcome.as_ref().map_or("not run", |f| f.status.word());
            match &said {
                Ok(()) => screen.say(&format!(
                    "{}  {:<26} {verdict:<8} {}",
                    screen.paint(Tone::Good, "ok  "),
                    row.name,
                    row.shows
                )),
                Err(reasons) => {
                    wrong += 1;
                    screen.say(&format!(
                        "{}  {:<26} {verdict:<8} {}",
                        screen.paint(Tone::Bad, "FAIL"),
                        row.name,
                        row.shows
                    ));
                    for reason in reasons {
                        screen.say(&format!("      {reason}"));
                    }
                }
            }
            told.push(json!({"row": row.name, "verdict": verdict, "ok": said.is_ok(), "wrong": said.err().unwrap_or_default()}));
        }
    }
    let status = match (&clean, wrong) {
        (_, 1..) => Status::Fail,
        (Some(finished), 0) => finished.status,
        (None, 0) if rows.is_empty() => Status::Invalid,
        (None, 0) => Status::Pass,
    };
    let faults = match rows.len() {
        0 => String::new(),
        n => format!("; {} of {n} faults found as they should be", n - wrong),
    };
    screen.say(&format!(
        "{} smoke{faults}",
        screen.paint(super::tone(status), &status.word().to_uppercase())
    ));
    screen.frame(&format!("reports   {}", root.display()));
    screen.answer(
        "dry_run_smoke",
        json!({"status": status, "directory": root, "run": clean.as_ref().map(finishing::answer), "matrix": told}),
    );
    Ok(super::exit(status, a.treat_warn_as_error))
}

fn check(a: &Smoke) -> Result<(), AppError> {
    let positive = [
        ("--duration-seconds", a.duration_seconds),
        ("--tick-interval", a.tick_interval),
        ("--progress-interval", a.progress_interval),
    ];
    for (flag, value) in positive {
        if !value.is_finite() || value <= 0.0 || value > 86_400.0 {
            let text = format!("{flag} must be more than 0 and at most a day");
            return Err(AppError::new(Reason::ArgumentInvalid, text));
        }
    }
    if a.duration_seconds < a.tick_interval * 2.0 {
        let text = "--duration-seconds must be at least two ticks";
        return Err(AppError::new(Reason::ArgumentInvalid, text));
    }
    Ok(())
}

/// The rows that were asked for.
fn chosen(a: &Smoke, pace: &Pace) -> Result<Vec<Row>, AppError> {
    let all = matrix::rows(pace);
    if a.single {
        return Ok(Vec::new());
    }
    let Some(names) = a.matrix.as_ref().filter(|names| !names.is_empty()) else {
        return Ok(all);
    };
    for name in names {
        if all.iter().all(|r| r.name != *name) {
            let known: Vec<&str> = all.iter().map(|r| r.name.as_str()).collect();
            let text = format!("--matrix: no row has the name {name:?}");
            return Err(AppError::new(Reason::ArgumentInvalid, text)
                .hint(format!("rows: {}", known.join(", "))));
        }
    }
    Ok(all
        .into_iter()
        .filter(|r| names.contains(&r.name))
        .collect())
}

/// The limits of a smoke run: three ticks and six, at least three seconds and six.
fn limits(pace: &Pace) -> Flags {
    let (warn, fail) = (pace.warn().as_secs_f64(), pace.fail().as_secs_f64());
    let tick = pace.tick.as_secs_f64();
    Flags {
        warn_gap: Some(warn),
        fail_gap: Some(fail),
        live_gap: Some(warn),
        live_gap_severity: Some(Status::Warn),
        startup_grace: Some(pace.start_up.as_secs_f64()),
        diary_stale_warn: Some(warn),
        diary_stale_fail: Some(fail),
        performance_stale_warn: Some(warn),
        performance_stale_fail: Some(fail),
        evidence_interval: Some(tick.max(1.0)),
        evidence_grace: Some(pace.start_up.as_secs_f64() + (tick * 2.0).max(2.0)),
        resource_interval: Some(1.0),
        ballast: Some(gonogo_capture::LEAST_BALLAST),
        ..Flags::default()
    }
}

fn command(home: &Home, args: Vec<OsString>) -> Result<Vec<String>, AppError> {
    let program = home.program.clone().into_os_string();
    let leading = LEADING.iter().map(OsString::from);
    std::iter::once(program)
        .chain(leading)
        .chain(args)
        .map(|a| {
            a.into_string().map_err(|a| {
                let text = format!("the path {a:?} is not UTF-8");
                AppError::new(Reason::ArgumentInvalid, text)
            })
        })
        .collect()
}

/// The healthy run, with every report.
fn clean(home: &Home, a: &Smoke, root: &Path, screen: &Screen) -> Result<Finished, AppError> {
    let pace = Pace {
        tick: Duration::from_secs_f64(a.tick_interval),
        duration: Duration::from_secs_f64(a.duration_seconds),
        ..Pace::default()
    };
    let (diary, performance) = (
        root.join("decision_diary.jsonl"),
        root.join("performance_metrics.json"),
    );
    let args: Vec<OsString> = vec![
        "--duration-seconds".into(),
        // It is ended by the harness, never by itself: a slow start must not make it short.
        (a.duration_seconds + pace.start_up.as_secs_f64() + 60.0)
            .to_string()
            .into(),
        "--tick-interval".into(),
        a.tick_interval.to_string().into(),
        "--diary".into(),
        diary.clone().into(),
        "--performance".into(),
        performance.clone().into(),
    ];
    let flags = Flags {
        command: command(home, args)?,
        duration: Some(a.duration_seconds),
        minimum_uptime: Some(a.minimum_uptime),
        progress_interval: Some(a.progress_interval),
        shutdown_grace: Some(a.tick_interval.mul_add(2.0, 5.0)),
        terminate_grace: Some(5.0),
        allow_warnings: a.allow_warnings,
        diary: Place::At(diary),
        performance: Place::At(performance),
        metadata: a.metadata.clone(),
        env: a.env.clone(),
        ..limits(&pace)
    };
    let here = &home.here;
    let at = |given: &Option<PathBuf>, usual: &str| {
        Some(
            given
                .as_ref()
                .map_or_else(|| root.join(usual), |p| here.join(p)),
        )
    };
    let request = Request {
        flags,
        log_dir: root.join("logs"),
        slug: None,
        wanted: Wanted {
            run_dir: Some(root.to_owned()),
            review_markdown: at(&a.review_markdown, "review.md"),
            review_json: at(&a.review_json, "review.json"),
            review_html: Some(root.join("review.html")),
            brief: Brief {
                notes: a.review_note.clone(),
                label: Some("smoke".into()),
                ..Brief::default()
            },
            packet: a.packet_dir.as_ref().map(|dir| Packet {
                directory: Some(here.join(dir)),
                archive: a.packet_archive.as_ref().map(|p| here.join(p)),
                skip_raw: a.packet_skip_raw,
            }),
            beside: root.to_owned(),
            ..Wanted::default()
        },
    };
    let mut foreground = super::follow::Foreground::new(screen, None);
    let finished = running::run(home, &request, &mut foreground)?;
    super::tell(&finished, screen, "");
    Ok(finished)
}

/// Runs the rows, some at once, and gives their outcomes in the rows' order.
fn all(home: &Home, root: &Path, pace: &Pace, rows: &[Row]) -> Vec<Result<Finished, AppError>> {
    let next = AtomicUsize::new(0);
    let outcomes: Mutex<Vec<Option<Result<Finished, AppError>>>> =
        Mutex::new(rows.iter().map(|_| None).collect());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(rows.len()) {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::SeqCst);
                    let Some(row) = rows.get(n) else { break };
                    let outcome = one(home, root, pace, row, n as u64);
                    if let Ok(mut outcomes) = outcomes.lock() {
                        outcomes[n] = Some(outcome);
                    }
                }
            });
        }
    });
    let lost = || {
        Err(AppError::new(
            Reason::Internal,
            "the row was not run to its end",
        ))
    };
    outcomes
        .into_inner()
        .unwrap_or_default()
        .into_iter()
        .map(|o| o.unwrap_or_else(lost))
        .collect()
}

fn folder(root: &Path, row: &Row) -> PathBuf {
    root.join("matrix").join(&row.name)
}

fn one(home: &Home, root: &Path, pace: &Pace, row: &Row, seed: u64) -> Result<Finished, AppError> {
    let folder = folder(root, row);
    let printed = folder.join("printed");
    std::fs::create_dir_all(&printed).map_err(|e| AppError::io("create", &printed, &e))?;
    let grace = row.grace.as_secs_f64();
    let flags = Flags {
        command: command(home, row.args(pace, &folder, seed))?,
        duration: Some(row.run_for.as_secs_f64()),
        progress_interval: Some(1.0),
        minimum_uptime: Some(0.0),
        shutdown_grace: Some(grace),
        terminate_grace: Some(grace),
        drain: Some(grace),
        diary: Place::At(folder.join("decision_diary.jsonl")),
        performance: Place::At(folder.join("performance_metrics.json")),
        ..limits(pace)
    };
    let request = Request {
        flags,
        log_dir: folder.join("logs"),
        slug: Some("row".into()),
        wanted: Wanted {
            run_dir: Some(folder.clone()),
            beside: folder,
            ..Wanted::default()
        },
    };
    running::run(home, &request, &mut Nobody)
}

/// Holds a row's outcome against what it must be.
fn judge(row: &Row, finished: &Finished, root: &Path) -> Result<(), Vec<String>> {
    let incidents = &finished.report.incidents;
    let kinds: Vec<(String, &str)> = incidents
        .iter()
        .map(|i| {
            let kind = serde_json::to_value(i.kind).unwrap_or_default();
            (
                kind.as_str().unwrap_or_default().to_owned(),
                i.severity.word(),
            )
        })
        .collect();
    let seen: Vec<Seen<'_>> = kinds
        .iter()
        .map(|(kind, severity)| Seen { kind, severity })
        .collect();
    let mut wrong = row
        .judge(finished.status.word(), &seen)
        .err()
        .unwrap_or_default();
    let mut facts = row.facts.to_vec();
    let printed = row.name.strip_prefix("trace-");
    // Of a C++ program that only says that it ends there are no frames.
    let whole = gonogo_simulated::TRACES
        .iter()
        .find(|t| Some(t.name) == printed && t.name != "cpp");
    facts.extend(whole.map(|t| Fact::WholeTrace(t.name)));
    for fact in &facts {
        if let Err(text) = holds(fact, row, finished, root) {
            wrong.push(format!("row `{}`: {text}", row.name));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

fn holds(fact: &Fact, row: &Row, finished: &Finished, root: &Path) -> Result<(), String> {
    let report = &finished.report;
    let incidents = &report.incidents;
    let lived = report.duration_seconds.unwrap_or(f64::INFINITY);
    match fact {
        Fact::SameBytes => {
            let captured = Captured::open(&finished.dir).map_err(|e| e.to_string())?;
            for stream in Stream::ALL {
                let printed = folder(root, row).join("printed").join(stream.word());
                same(&captured, stream, &printed)?;
            }
            Ok(())
        }
        Fact::Skew(wanted) => {
            let skew = report.summary.logs.as_ref().and_then(|l| l.skew.as_ref());
            let skew = skew.ok_or("no skew of the child's clock is reported")?;
            let near = |v: f64| (v - *wanted as f64).abs() < 5.0;
            if near(skew.min_seconds) || near(skew.max_seconds) {
                Ok(())
            } else {
                Err(format!(
                    "the skew is {:.0} s to {:.0} s, not {wanted} s",
                    skew.min_seconds, skew.max_seconds
                ))
            }
        }
        Fact::NotLengthened => {
            let most = (row.run_for + row.grace * 2).as_secs_f64();
            match lived <= most {
                true => Ok(()),
                false => Err(format!("it counts {lived:.1} s, more than {most:.1} s")),
            }
        }
        Fact::Quick => {
            let most = row.run_for.as_secs_f64() + 2.0;
            match lived <= most {
                true => Ok(()),
                false => Err(format!(
                    "the child was held up: {lived:.1} s, more than {most:.1} s"
                )),
            }
        }
        Fact::Counted(wanted) => {
            let counted: u64 = incidents
                .iter()
                .filter(|i| i.kind == gonogo_dryrun::IncidentKind::LogLevel)
                .map(|i| i.count)
                .sum();
            match counted == *wanted {
                true => Ok(()),
                false => Err(format!("{counted} lines are counted, not {wanted}")),
            }
        }
        Fact::WholeTrace(name) => {
            let trace = gonogo_simulated::TRACES.iter().find(|t| t.name == *name);
            let text = trace.ok_or("there is no such trace")?.text();
            let squeezed = |t: &str| t.split_whitespace().collect::<Vec<_>>().join(" ");
            let whole = squeezed(text);
            let found = incidents
                .iter()
                .filter(|i| i.kind == gonogo_dryrun::IncidentKind::StackTrace)
                .filter_map(|i| i.metadata.get("sample").and_then(Value::as_str))
                .any(|sample| squeezed(sample) == whole);
            match found {
                true => Ok(()),
                false => Err("no incident holds the whole stack trace".into()),
            }
        }
    }
}

/// Whether what was captured is what was printed.
fn same(captured: &Captured, stream: Stream, printed: &Path) -> Result<(), String> {
    use std::io::Read;
    let mut ours = captured.rebuild(stream);
    let mut theirs =
        std::fs::File::open(printed).map_err(|e| format!("{}: {e}", printed.display()))?;
    let (mut a, mut b) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    let mut at = 0u64;
    loop {
        let n = fill(&mut ours, &mut a).map_err(|e| e.to_string())?;
        let m = fill(&mut theirs, &mut b).map_err(|e| e.to_string())?;
        if a[..n] != b[..m] {
            return Err(format!(
                "{stream}: captured and printed bytes differ after byte {at}"
            ));
        }
        if n == 0 {
            return Ok(());
        }
        at += n as u64;
    }

    fn fill(from: &mut impl Read, into: &mut [u8]) -> std::io::Result<usize> {
        let mut at = 0;
        while at < into.len() {
            match from.read(&mut into[at..]) {
                Ok(0) => break,
                Ok(n) => at += n,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(at)
    }
}
