//! Real programs print what the fixtures of simulated traces say: the language's start line, its frames, its end.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::io::Read as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use gonogo_simulated::TRACES;
use gonogo_testkit::programs::{End, PROGRAMS, Program, background};
use gonogo_testkit::skip;

/// Holds a trace against what is known of the program that printed it. Returns what is wrong.
fn wrong(program: &Program, text: &str) -> Option<String> {
    let begins = |line: &str| {
        // Ruby names the script first, as it was given.
        line.starts_with(program.start) || (program.name == "ruby" && line.contains(program.start))
    };
    let mut from = 0;
    for line in text.split_inclusive('\n') {
        if begins(line) {
            break;
        }
        from += line.len();
    }
    if from == text.len() {
        return Some(format!("no line begins with {:?}", program.start));
    }
    // The first mark may be on the line of the start itself.
    let mut rest = &text[from..];
    rest = &rest[rest.find(program.start)? + program.start.len()..];
    for mark in program.marks {
        let Some(at) = rest.find(mark) else {
            return Some(format!("{mark:?} does not follow"));
        };
        rest = &rest[at + mark.len()..];
    }
    None
}

#[test]
fn fixtures_are_what_the_programs_print() {
    for program in PROGRAMS {
        let trace = TRACES.iter().find(|t| t.name == program.name).unwrap();
        assert_eq!(wrong(program, trace.text()), None, "{}", program.name);
        let end = match program.end {
            End::Code(code) => code,
            End::Signal(signal) => 128 + signal,
        };
        assert!(
            trace.printed_by().ends_with(&format!("exit status {end}.")),
            "{}",
            program.name
        );
    }
    // .NET has a fixture and a source, and needs a project and packages to be built: nobody runs it here.
    let without: Vec<_> = TRACES
        .iter()
        .filter(|t| PROGRAMS.iter().all(|p| p.name != t.name))
        .map(|t| t.name)
        .collect();
    assert_eq!(without, ["dotnet"]);
}

#[test]
fn a_trace_that_lacks_a_frame_is_noticed() {
    for program in PROGRAMS {
        let text = TRACES
            .iter()
            .find(|t| t.name == program.name)
            .unwrap()
            .text();
        for mark in program.marks {
            let cut = text.replace(mark, "");
            assert!(wrong(program, &cut).is_some(), "{}: {mark}", program.name);
        }
        assert!(wrong(program, "").is_some());
    }
}

#[test]
fn every_fixture_names_a_source_that_is_there() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for trace in TRACES {
        let words = trace.printed_by().split_whitespace();
        let source = words.skip_while(|w| *w != "program").nth(1).unwrap();
        assert!(folder.join(source).is_file(), "{}: {source}", trace.name);
    }
}

/// Runs the program of a language and compares.
fn prints(name: &str) {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::named(name);
    let ready = match program.prepare(folder.path()) {
        Ok(ready) => ready,
        Err(why) => return skip(&format!("what a real program prints ({name})"), &why),
    };
    let out = ready
        .command()
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    let end = match program.end {
        End::Code(code) => out.status.code() == Some(code),
        End::Signal(signal) => out.status.signal() == Some(signal),
    };
    assert!(end, "{name} ended with {:?}: {said}", out.status);
    assert_eq!(wrong(program, &said), None, "{name}: {said}");
    let beats = String::from_utf8(out.stdout).unwrap();
    let beats: Vec<serde_json::Value> = beats
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert_eq!(beats.len(), 3, "{name}");
    assert!(
        beats
            .iter()
            .all(|b| b["event"] == "heartbeat" && b["level"] == "info"),
        "{name}: {beats:?}"
    );
}

#[test]
fn python_prints_its_trace() {
    prints("python");
}

#[test]
fn java_prints_its_trace() {
    prints("java");
}

#[test]
fn kotlin_prints_its_trace() {
    prints("kotlin");
}

#[test]
fn go_prints_its_trace() {
    prints("go");
}

#[test]
fn rust_prints_its_trace() {
    prints("rust");
}

#[test]
fn node_prints_its_trace() {
    prints("node");
}

#[test]
fn ruby_prints_its_trace() {
    prints("ruby");
}

#[test]
fn cpp_prints_its_last_words() {
    prints("cpp");
}

#[test]
fn the_address_sanitizer_prints_its_report() {
    prints("asan");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how long real processes take")]
fn the_script_ends_and_its_child_keeps_the_pipes() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = background(folder.path(), 3).command();
    let began = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    assert!(child.wait().unwrap().success());
    let ended = began.elapsed();
    let mut all = String::new();
    out.read_to_string(&mut all).unwrap();
    let closed = began.elapsed();
    err.read_to_string(&mut all).unwrap();
    assert_eq!(all.lines().count(), 3);
    assert!(
        closed >= Duration::from_secs(3) && ended < closed,
        "ended after {ended:?}, closed after {closed:?}"
    );
}
