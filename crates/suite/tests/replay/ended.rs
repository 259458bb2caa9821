//! Targets whose runner ended before it wrote a report, shown again: the same only if their logs show the same.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use gonogo_core::Reason;
use gonogo_suite::first_failure::{self, scan};
use gonogo_suite::replay::{Observed, Replay, compare, replay_target};
use gonogo_suite::run::{Class, End, LogFailure, Problem};

use super::cases::{Tree, observed, origin, result, row};

/// What a log shows of a target that has no report.
fn shown(end: &End, log: &str) -> Option<LogFailure> {
    let found = scan(&mut log.as_bytes(), &first_failure::Limits::default()).unwrap();
    let shown = found
        .first()
        .map(|found| LogFailure::new("unit/u/output.log", found.clone(), &[]));
    let lines = log.lines().count() as u64;
    LogFailure::of_end(end, shown, ("unit/u/output.log", lines, log.into()), &[])
}

const CONFTEST: &str = "ImportError while loading conftest '/work/p/conftest.py'.\nconftest.py:3: in <module>\n    import nosuchmod\nE   ModuleNotFoundError: No module named 'nosuchmod'\n";

#[test]
fn a_target_without_a_report_is_reproduced_by_what_its_log_shows() {
    let missing = [Problem::new(Reason::EvidenceMissing, "no file is r.xml")];
    let code = |code| End::Exited { code };
    let expects = |end: End, log: Option<&str>| {
        let mut target = result("unit", Class::Unit, "junit", end.clone(), &[]);
        target.problems = missing.to_vec();
        target.first_failure = log.and_then(|log| shown(&end, log));
        replay_target(&origin("pytest", "junit"), &target, &Tree::new())
    };
    let word = |replay: &Replay, end: End, log: Option<&str>| {
        let shown = log.and_then(|log| shown(&end, log));
        let observed = Observed {
            shown: shown.as_ref(),
            ..observed(&end, &[], &missing)
        };
        compare(replay, observed).verdict.word()
    };
    let elsewhere = CONFTEST.replace("/work/p/", "/clean/q/");
    let other = CONFTEST.replace("nosuchmod", "another");
    let crashed = End::Signalled { signal: 11 };
    let late = |after_ms| End::TimedOut { after_ms };
    let usage = "ERROR: usage: pytest [options]\npytest: error: unrecognized arguments: --x\n";
    for (what, expected, was, is) in [
        (
            "the same",
            "reproduced",
            (code(4), Some(CONFTEST)),
            (code(4), Some(elsewhere.as_str())),
        ),
        (
            "another import",
            "different_signature",
            (code(4), Some(CONFTEST)),
            (code(4), Some(other.as_str())),
        ),
        (
            "wrong usage",
            "different_signature",
            (code(4), Some(CONFTEST)),
            (code(4), Some(usage)),
        ),
        (
            "it crashes",
            "different_signature",
            (code(4), Some(CONFTEST)),
            (crashed.clone(), Some("")),
        ),
        (
            "nothing in the log",
            "different_signature",
            (code(1), Some(CONFTEST)),
            (code(1), Some("")),
        ),
        (
            "lines that nobody knows",
            "reproduced",
            (code(1), Some("no licence: denied\n")),
            (code(1), Some("no licence: denied\n")),
        ),
        (
            "other such lines",
            "different_signature",
            (code(1), Some("no licence: denied\n")),
            (code(1), Some("cannot open the shop\n")),
        ),
        (
            "the same signal",
            "reproduced",
            (crashed.clone(), Some("")),
            (crashed.clone(), Some("")),
        ),
        (
            "the same signal elsewhere",
            "different_signature",
            (crashed.clone(), Some(".Fatal Python error: Aborted\n\n")),
            (
                crashed.clone(),
                Some(".Fatal Python error: Segmentation fault\n\n"),
            ),
        ),
        (
            "late again",
            "reproduced",
            (late(5), Some("waiting\n")),
            (late(9), Some("waiting\n")),
        ),
        (
            "a run that kept no signature",
            "cannot_run",
            (code(1), None),
            (code(1), Some(CONFTEST)),
        ),
        (
            "neither has one",
            "cannot_run",
            (code(1), None),
            (code(1), None),
        ),
        (
            "only the evidence is wrong",
            "reproduced",
            (code(0), None),
            (code(0), None),
        ),
    ] {
        let replay = expects(was.0, was.1);
        assert_eq!(word(&replay, is.0, is.1), expected, "{what}");
    }
    // A test that fails now is another failure than a runner that did not come so far.
    let failed = [row("s", "", "t")];
    let end = code(4);
    let replay = expects(code(4), Some(CONFTEST));
    let seen = compare(&replay, observed(&end, &failed, &missing));
    assert_eq!(seen.verdict.word(), "different_signature");
}
