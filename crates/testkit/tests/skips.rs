//! What a skipped test leaves: a line in the list and on stderr, although the harness counts it as passed.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::Path;
use std::process::{Command, Output};

use gonogo_testkit::{LIST, lacks, skip};

/// Set for a process of this binary that is to skip.
const CHILD: &str = "GONOGO_TEST_ABSENT";

/// Not a test of its own: what the tests below start.
#[test]
fn child() {
    if std::env::var_os(CHILD).is_some() {
        skip("a thing", "two lines\n  of why");
    }
}

/// Runs [`child`] as the harness runs any test: with captured output.
fn skipping(list: Option<&Path>) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "child"])
        .env(CHILD, "1")
        .env_remove(LIST);
    if let Some(list) = list {
        command.env(LIST, list);
    }
    command.output().unwrap()
}

#[test]
fn a_skipped_test_is_listed_and_said_although_its_output_is_captured() {
    let list = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("skips-{}", std::process::id()));
    for n in 1..=2 {
        let out = skipping(Some(&list));
        assert!(out.status.success(), "{out:?}");
        let listed = std::fs::read_to_string(&list).unwrap();
        assert_eq!(listed.lines().count(), n, "{listed}");
        let line = listed.lines().last().unwrap();
        assert!(
            line.starts_with("a thing: two lines of why (") && line.contains("skips.rs:"),
            "{line}"
        );
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(said.contains(&format!("skipped: {line}")), "{said}");
    }
    std::fs::remove_file(list).unwrap();
    let out = skipping(None);
    assert!(out.status.success(), "{out:?}");
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(
        said.contains("skipped: a thing: two lines of why"),
        "{said}"
    );
}

#[test]
fn a_skip_that_cannot_be_written_down_is_a_failure() {
    let out = skipping(Some(Path::new(env!("CARGO_TARGET_TMPDIR"))));
    assert!(!out.status.success(), "{out:?}");
    let told = String::from_utf8_lossy(&out.stdout);
    assert!(told.contains("cannot be written down"), "{told}");
}

#[test]
fn what_is_absent_or_forbidden_is_lacking() {
    assert_eq!(lacks("true", &[]), None);
    let absent = lacks("gonogo-no-such-program", &[]).unwrap();
    assert!(absent.contains("not installed"), "{absent}");
    let script = "echo first >&2; echo 'x: ptrace: Operation not permitted' >&2; exit 1";
    let forbidden = lacks("sh", &["-c", script]).unwrap();
    assert!(forbidden.ends_with("x: ptrace: Operation not permitted"));
}

#[test]
#[should_panic(expected = "is there and fails")]
fn a_program_that_fails_is_no_lack() {
    let _ = lacks("sh", &["-c", "echo broken >&2; exit 1"]);
}
