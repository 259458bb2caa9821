//! The corpus of traces that real tools printed, and of lines that only look like them: alone, among ordinary records of the same
//! stream, and as one of two sources whose lines alternate.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test says what it measured"
)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use gonogo_dryrun::classify::{Classifier, Finding, Line, Sink, What};
use gonogo_dryrun::spec::{Lines, NumericLevels, StderrPolicy};
use gonogo_dryrun::{Moment, Status, Stream};
use serde::Deserialize;

#[derive(Deserialize)]
struct Manifest {
    trace: Vec<Expected>,
}

#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
struct Expected {
    file: String,
    tool: String,
    command: String,
    language: String,
    kind: String,
    line: u64,
    lines: Option<u64>,
    frames: u64,
    #[serde(default)]
    severity: Option<String>,
    #[serde(default)]
    structured: bool,
}

#[derive(Default)]
struct Found {
    findings: Vec<Finding>,
    lines: u64,
}

impl Sink for Found {
    const LINES: bool = true;

    fn line(&mut self, _: &Line<'_>) {
        self.lines += 1;
    }

    fn finding(&mut self, finding: Finding) {
        self.findings.push(finding);
    }
}

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/traces")
}

fn manifest() -> Vec<Expected> {
    let text = std::fs::read_to_string(corpus().join("manifest.toml")).unwrap();
    toml::from_str::<Manifest>(&text).unwrap().trace
}

fn lines(stderr: StderrPolicy) -> Lines {
    Lines {
        monitor: true,
        stderr,
        allow: Vec::new(),
        numeric: NumericLevels::Auto,
        source_field: None,
    }
}

fn read(stream: Stream, bytes: &[u8], portions: usize) -> Found {
    let mut found = Found::default();
    let mut classifier = Classifier::new(stream, &lines(StderrPolicy::Error)).unwrap();
    for portion in bytes.chunks(portions) {
        classifier.feed(Moment::default(), portion, &mut found);
    }
    classifier.finish(Moment::default(), &mut found);
    found
}

fn is_trace(finding: &&Finding) -> bool {
    matches!(finding.what, What::Trace { .. })
}

/// How well a trace was found: 2 fully, 1 in part, 0 not at all.
fn score(expected: &Expected, found: &[&Finding], first: u64, said: &mut String) -> u8 {
    let Some(finding) = found
        .iter()
        .find(|finding| {
            let What::Trace { lines, .. } = finding.what else {
                return false;
            };
            finding.line <= first && first < finding.line + lines || finding.line == first
        })
        .or_else(|| found.iter().find(|finding| finding.line > first))
    else {
        let _ = writeln!(said, "{} (line {}): missed", expected.file, expected.line);
        return 0;
    };
    let What::Trace {
        language,
        kind,
        lines,
        frames,
    } = &finding.what
    else {
        return 0;
    };
    let severity = match expected.severity.as_deref() {
        Some("warn") => Status::Warn,
        _ => Status::Fail,
    };
    let full = expected.language == *language
        && expected.kind.split('|').any(|expected| expected == kind)
        && expected.lines.is_none_or(|expected| expected == *lines)
        && expected.frames == *frames
        && finding.line == first
        && finding.severity == severity;
    if full {
        return 2;
    }
    let _ = writeln!(
        said,
        "{} (line {}): wanted {} {} lines {:?} frames {}, found line {} {language} {kind} lines {lines} frames {frames} {}",
        expected.file,
        expected.line,
        expected.language,
        expected.kind,
        expected.lines,
        expected.frames,
        finding.line,
        finding.severity
    );
    1
}

/// Puts a line of a trace, and what comes before it, behind what is there already.
type Layout<'a> = &'a dyn Fn(usize, &[u8], &mut Vec<Vec<u8>>);

/// Lays a file's lines out and says in which line of it each is; returns the bytes, and the place of each line.
fn laid_out(text: &[u8], how: Layout<'_>) -> (Vec<u8>, Vec<u64>) {
    let mut out: Vec<Vec<u8>> = Vec::new();
    let mut places = Vec::new();
    let mut rows: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    if rows.last().is_some_and(|last| last.is_empty()) {
        rows.pop();
    }
    for (number, row) in rows.iter().enumerate() {
        how(number, row, &mut out);
        places.push(out.len() as u64);
    }
    let mut bytes = out.join(&b"\n"[..]);
    bytes.push(b'\n');
    (bytes, places)
}

fn judge(name: &str, how: Layout<'_>, structured: bool) {
    let wrong = judged(name, how, structured);
    assert!(wrong.is_empty(), "{wrong}");
}

/// Says what is wrong, if anything is.
fn judged(name: &str, how: Layout<'_>, structured: bool) -> String {
    let all = manifest();
    assert!(all.len() >= 100, "only {} traces", all.len());
    let (mut full, mut missed, mut count, mut extra) = (0, 0, 0, 0);
    let mut said = String::new();
    let mut files: Vec<&str> = all.iter().map(|expected| expected.file.as_str()).collect();
    files.dedup();
    for file in files {
        let text = std::fs::read(corpus().join(file)).unwrap();
        let expected: Vec<&Expected> = all
            .iter()
            .filter(|expected| expected.file == file)
            .collect();
        assert!(
            expected
                .iter()
                .all(|expected| !expected.tool.is_empty() && !expected.command.is_empty())
        );
        if expected[0].structured && !structured {
            continue;
        }
        let (bytes, places) = laid_out(&text, how);
        let found = read(Stream::Stderr, &bytes, 4096);
        let traces: Vec<&Finding> = found.findings.iter().filter(is_trace).collect();
        if traces.len() > expected.len() {
            extra += traces.len() - expected.len();
            let kinds: Vec<(u64, &What)> = traces
                .iter()
                .map(|finding| (finding.line, &finding.what))
                .collect();
            let _ = writeln!(
                said,
                "{file}: {} traces too many: {kinds:?}",
                traces.len() - expected.len()
            );
        }
        for expected in expected {
            count += 1;
            match score(
                expected,
                &traces,
                places[expected.line as usize - 1],
                &mut said,
            ) {
                2 => full += 1,
                1 => {}
                _ => missed += 1,
            }
        }
    }
    let summary =
        format!("{name}: {full} of {count} in full, {missed} missed, {extra} too many\n{said}");
    eprintln!("{summary}");
    if missed == 0 && full * 100 >= count * 95 && extra * 100 <= count {
        String::new()
    } else {
        summary
    }
}

#[test]
fn traces_alone_are_found() {
    judge("alone", &|_, row, out| out.push(row.to_vec()), true);
}

fn heartbeat(number: usize) -> Vec<u8> {
    format!("{{\"timestamp\":\"2026-11-21T12:00:00.{number:03}Z\",\"level\":\"info\",\"event\":\"heartbeat\",\"message\":\"heartbeat #{number}\",\"seq\":{number}}}").into_bytes()
}

#[test]
fn traces_between_records_are_found() {
    judge(
        "between JSON records",
        &|number, row, out| {
            if number == 0 {
                out.push(heartbeat(1));
                out.push(b"2026-11-21 12:00:00,123 INFO worker: ready".to_vec());
            }
            if number % 3 == 2 {
                out.push(heartbeat(number));
            }
            out.push(row.to_vec());
        },
        true,
    );
}

#[test]
fn traces_of_one_of_two_sources_are_found() {
    judge(
        "one of two sources",
        &|number, row, out| {
            out.push(
                format!(
                    "db-1   | checkpoint {number} complete: wrote {} buffers",
                    number * 7
                )
                .into_bytes(),
            );
            out.push([b"web-1  | ", row].concat());
        },
        false,
    );
}

#[test]
fn traces_that_are_prefixed_by_a_logger_are_found() {
    judge(
        "each line prefixed by syslog",
        &|number, row, out| {
            out.push(
                [
                    format!("Nov 21 12:00:{:02} host shop[4711]: ", number % 60).as_bytes(),
                    row,
                ]
                .concat(),
            )
        },
        false,
    );
}

/// What stands before each line of a source: the name is the source's, the number the line's.
const PREFIXES: &[(&str, Prefix)] = &[
    ("tag", |name, _| format!("{name}: ")),
    ("bar", |name, _| format!("{name} │ ")),
    ("stream", |name, _| format!("{name} stderr | ")),
    ("logcat brief", |name, _| format!("E/{name}( 1234): ")),
    ("logcat threadtime", |name, n| {
        format!(
            "11-21 10:00:{:02}.{:03}  1234  1234 E {name}: ",
            n % 60,
            n % 1000
        )
    }),
    ("service and container", |name, _| format!("{name}-1 app: ")),
    ("two words", |name, _| format!("{name}-5d9 app ")),
    ("router", |name, n| {
        format!(
            "2026-01-01T00:00:{:02}.{n:06}+00:00 app[{name}.1]: ",
            n % 60
        )
    }),
    ("actions", |name, n| {
        format!("{name}\tbuild\t2026-01-01T00:00:{:02}.{n:07}Z ", n % 60)
    }),
    ("kubectl", |name, _| format!("[pod/{name}-1/app] ")),
    ("pod", |name, _| format!("pod/{name}-1 ")),
    ("foreman", |name, n| {
        format!("10:00:{:02} {name}.1  | ", n % 60)
    }),
    ("journal", |name, n| {
        format!("Nov 21 10:00:{:02} host {name}[123]: ", n % 60)
    }),
    ("journal, precise", |name, n| {
        format!(
            "2026-11-21T10:00:{:02}.{n:06}+0100 host {name}[123]: ",
            n % 60
        )
    }),
    ("container runtime", |name, n| {
        format!("2026-11-21T10:00:{:02}.{n:09}Z stderr F {name}: ", n % 60)
    }),
    ("compose", |name, _| format!("{name}-1  | ")),
    ("thread", |name, n| {
        format!("2026-11-21 10:00:{:02},{n:03} [{name}-1] ", n % 60)
    }),
    ("uptime", |name, n| format!("[{n:5}.{n:06}] {name}: ")),
    ("angles", |name, _| format!("<{name}> ")),
    ("worker", |name, _| format!("[worker-{}] ", name.len())),
    ("turbo", |name, _| format!("{name}:dev: ")),
    ("pm2", |name, _| format!("0|{name}  | ")),
    ("stern", |name, _| format!("{name}-5d9c7b8f6d-x2x9z app ")),
    ("number", |name, _| format!("12{} ", name.len())),
    ("colour", |name, _| format!("\u{1b}[36m{name}\u{1b}[0m: ")),
    ("concurrently", |name, _| format!("[{name}] ")),
    ("hex", |name, _| format!("{name}=3f9c1a {name} ")),
    ("date and level", |name, n| {
        format!("2026-11-21 10:00:{:02}.{n:03} ERROR {name} --- ", n % 60)
    }),
];

type Prefix = fn(&str, usize) -> String;

#[test]
fn a_prefix_that_no_list_knows_is_learnt() {
    let mut wrong = String::new();
    for (name, prefix) in PREFIXES {
        wrong += &judged(
            name,
            &|number, row, out| {
                if number == 0 {
                    out.push(format!("{}ready", prefix("pkg", number)).into_bytes());
                }
                out.push([prefix("pkg", number).as_bytes(), row].concat());
            },
            false,
        );
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn lines_of_another_prefix_between_do_not_end_a_trace() {
    let mut wrong = String::new();
    for (name, prefix) in PREFIXES {
        wrong += &judged(
            &format!("{name}, two sources"),
            &|number, row, out| {
                if number == 0 {
                    out.push(format!("{}ready", prefix("web", number)).into_bytes());
                }
                for line in 0..1 + number % 3 {
                    out.push(
                        format!("{}checkpoint {number} of {line} done", prefix("db", number))
                            .into_bytes(),
                    );
                }
                out.push([prefix("web", number).as_bytes(), row].concat());
            },
            false,
        );
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn two_traces_whose_lines_alternate_do_not_mix() {
    alternate(
        "compose",
        |name, _| format!("{name}  | "),
        ["web_1", "web_2"],
    );
}

#[test]
fn two_traces_of_any_two_prefixes_do_not_mix() {
    let mut wrong = String::new();
    for (name, prefix) in PREFIXES {
        wrong += &alternate(name, *prefix, ["web", "worker"]);
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn two_traces_of_the_streams_of_one_container_do_not_mix() {
    let wrong = alternate(
        "container runtime's streams",
        |name, n| format!("2026-11-21T10:00:{:02}.{n:09}Z {name} F ", n % 60),
        ["stdout", "stderr"],
    );
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn two_traces_of_workers_that_are_counted_do_not_mix() {
    let wrong = alternate(
        "counted workers",
        |name, _| format!("[{name}] "),
        ["worker-1", "worker-2"],
    );
    assert!(wrong.is_empty(), "{wrong}");
}

fn alternate(name: &str, prefix: Prefix, names: [&str; 2]) -> String {
    let all = manifest();
    let plain: Vec<&Expected> = all
        .iter()
        .filter(|expected| !expected.structured && expected.frames > 0 && expected.line == 1)
        .collect();
    let mut said = String::new();
    let (mut full, mut count) = (0, 0);
    for (at, first) in plain.iter().enumerate() {
        let second = plain[(at + 7) % plain.len()];
        let text = |expected: &Expected| -> Vec<Vec<u8>> {
            let bytes = std::fs::read(corpus().join(&expected.file)).unwrap();
            bytes
                .split(|byte| *byte == b'\n')
                .map(<[u8]>::to_vec)
                .collect()
        };
        let (a, b) = (text(first), text(second));
        let mut bytes = Vec::new();
        let mut place = [0; 2];
        let mut number = 0;
        for source in names {
            number += 1;
            bytes.extend_from_slice(prefix(source, number as usize).as_bytes());
            bytes.extend_from_slice(b"ready\n");
        }
        for row in 0..a.len().max(b.len()) {
            for (side, (rows, source)) in [(&a, names[0]), (&b, names[1])].into_iter().enumerate() {
                if let Some(row) = rows.get(row) {
                    number += 1;
                    if place[side] == 0 {
                        place[side] = number;
                    }
                    bytes.extend_from_slice(prefix(source, number as usize).as_bytes());
                    bytes.extend_from_slice(row);
                    bytes.push(b'\n');
                }
            }
        }
        let found = read(Stream::Stdout, &bytes, 1000);
        let traces: Vec<&Finding> = found.findings.iter().filter(is_trace).collect();
        for (expected, place) in [(first, place[0]), (&second, place[1])] {
            count += 1;
            let of: Vec<&Finding> = traces
                .iter()
                .filter(|finding| finding.line == place)
                .copied()
                .collect();
            if score(expected, &of, place, &mut said) == 2 {
                full += 1;
            }
        }
    }
    let summary = format!("{name}, alternating: {full} of {count}\n{said}");
    eprintln!("{summary}");
    if full * 100 >= count * 95 {
        String::new()
    } else {
        summary
    }
}

#[test]
fn what_only_looks_like_a_trace_is_none() {
    let mut files: Vec<PathBuf> = std::fs::read_dir(corpus().join("harmless"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() >= 50, "only {} files", files.len());
    let mut wrong = String::new();
    for file in &files {
        let text = std::fs::read(file).unwrap();
        for stream in Stream::ALL {
            for finding in read(stream, &text, 512).findings.iter().filter(|finding| {
                // On stderr every line without a level is an error by policy: that is not what is asked here.
                is_trace(finding) || stream == Stream::Stdout
            }) {
                let _ = writeln!(
                    wrong,
                    "{} on {stream}: line {} {:?} {}",
                    file.display(),
                    finding.line,
                    finding.what,
                    finding.severity
                );
            }
        }
    }
    eprintln!(
        "harmless: {} look-alikes, {} false",
        files.len(),
        wrong.lines().count()
    );
    assert_eq!(wrong, "");
}
