//! Policies are read strictly.

use gonogo_core::{Span, Verdict as Status};
use gonogo_gate::Policy;
use gonogo_gate::inputs::FileState;
use gonogo_gate::policy::{Baseline, Check, DEFAULT, Lane};

use crate::common::{CODE, gate, good, of, verdict};

#[test]
fn the_built_in_policy_is_a_policy() {
    let policy = Policy::read(DEFAULT).unwrap();
    assert_eq!(policy.gates.len(), 2);
    let suites = policy.gate("suites").unwrap();
    assert!(suites.blocking && suites.lanes == Lane::ALL);
    let Check::Suite(check) = &suites.check else {
        panic!("{suites:?}");
    };
    assert_eq!(check.profile.as_deref(), Some("ci"));
    assert_eq!(check.max_age, Span::from_secs(86_400));
    assert_eq!(check.baseline, Baseline::IfRecorded);
    assert_eq!(
        suites.reproduce,
        ["gonogo", "suite", "run", "--profile", "ci"]
    );
    // What it says of the defaults is what holds without it.
    let bare = Policy::read(&format!(
        "{CODE}{}",
        gate("s", "suite = { profile = \"ci\" }")
    ));
    assert_eq!(bare.unwrap().defaults, policy.defaults);
}

#[test]
fn what_shows_it_again_is_what_wrote_the_evidence() {
    for (check, command) in [
        (
            "json = { document = \"run:unit/out/c.json\", rules = [{ pointer = \"/a\", op = \"exists\" }] }",
            "gonogo suite run --suite unit",
        ),
        (
            "lineage = { equal = [\"run:b/x#/id\", \"run:a/x#/id\", \"run:a/y#/id\"] }",
            "gonogo suite run --suite a --suite b",
        ),
        (
            "coverage = { report = \"run:unit/out/lcov.info\", modules = { core = [\"src/**\"] }, floors = { core = { line = \"75%\" } } }",
            "gonogo suite run --suite unit",
        ),
        (
            "tracker = { export = \"run:unit/out/issues.json\" }",
            "gonogo suite run --suite unit",
        ),
        (
            "platforms = { profile = \"ci\", required = { linux = { os = \"linux\" } } }",
            "gonogo suite run --profile ci",
        ),
        ("perf = { budgets = [\"sort\"] }", "gonogo perf run sort"),
        ("perf = { budgets = \"declared\" }", "gonogo perf run"),
        (
            "json = { document = \"c.json\", rules = [{ pointer = \"/a\", op = \"exists\" }] }",
            "gonogo gate explain g",
        ),
    ] {
        let policy = Policy::read(&format!("{CODE}{}", gate("g", check)));
        let policy = policy.unwrap_or_else(|e| panic!("{check}: {e:?}"));
        assert_eq!(policy.gates[0].reproduce.join(" "), command, "{check}");
    }
}

#[test]
fn every_fault_is_told_with_its_line() {
    let good = gate("g", "suite = { profile = \"ci\" }");
    let with = |from: &str, to: &str| format!("{CODE}{}", good.replace(from, to));
    let json = |rule: &str| {
        format!(
            "{CODE}{}",
            gate(
                "g",
                &format!("json = {{ document = \"a\", rules = [ {rule} ] }}")
            )
        )
    };
    let mode = |thresholds: &str| {
        format!(
            "{CODE}[mode]\npromotion = \"rollback\"\nrationale = \"r\"\nsince = 2026-01-01\nexpires = 2026-01-05\nthresholds = \"{thresholds}\"\n{good}"
        )
    };
    let cases: Vec<(String, usize, &str)> = vec![
        (String::new(), 1, "`schema` is needed"),
        (
            "schema = 'x'\n[gates]\n".into(),
            1,
            "expected `gonogo.gate.policy.v1`",
        ),
        (CODE.into(), 1, "`gates` is needed"),
        (format!("{CODE}[gates]\n"), 2, "there is none"),
        (format!("{CODE}gates = 3\n"), 2, "expected a table"),
        ("schema = ".into(), 1, "not TOML"),
        (format!("{CODE}{good}{good}"), 8, "duplicate key"),
        (with("[gates.g]", "[gate.g]"), 2, "did you mean `gates`?"),
        (with("blocking", "blockin"), 5, "did you mean `blocking`?"),
        (
            with("blocking = true\n", ""),
            2,
            "`gates.g.blocking` is needed",
        ),
        (
            with("blocking = true", "blocking = false"),
            2,
            "none of them blocks",
        ),
        (
            with("blocking = true", "blocking = \"true\""),
            5,
            "expected `true` or `false`, found text",
        ),
        (
            with("title = \"T\"", "title = \" \\u200b\""),
            3,
            "it is empty",
        ),
        (with("\"full\"", "\"ful\""), 6, "`ful` is no lane"),
        (with("\"full\"", "\"preflight\""), 6, "stands twice"),
        (
            with("[\"preflight\", \"full\", \"certification\"]", "[]"),
            6,
            "would never be asked",
        ),
        (with("suite =", "suit ="), 7, "did you mean `suite`?"),
        (with("profile", "profil"), 7, "did you mean `profile`?"),
        (
            with("profile = \"ci\"", ""),
            7,
            "a profile or targets are needed",
        ),
        (
            with("profile = \"ci\"", "targets = []"),
            7,
            "nothing would be judged",
        ),
        (
            with("profile = \"ci\"", "profile = \"ci\", targets = [\"a\"]"),
            7,
            "either a profile or targets",
        ),
        (
            with("{ suite = { profile = \"ci\" } }", "{}"),
            7,
            "the check is empty",
        ),
        (with("} }", "}, readiness = {} }"), 7, "one check"),
        (
            with("profile = \"ci\"", "profile = \"ci\", max_age = \"0s\""),
            7,
            "nothing could pass",
        ),
        (
            with("profile = \"ci\"", "profile = \"ci\", max_age = \"9w\""),
            7,
            "not a duration",
        ),
        (with("[gates.g]", "[gates.policy]"), 2, "always there"),
        (with("[gates.g]", "[gates.\"G h\"]"), 2, "an id has"),
        (
            format!("{CODE}[defaults]\nwaiver_max = \"31d\"\n{good}"),
            3,
            "more than 30d",
        ),
        (
            format!("{CODE}[defaults]\nclock_skew = \"2h\"\n{good}"),
            3,
            "more than 1h",
        ),
        (
            format!("{CODE}[mode]\npromotion = \"lenient\"\n{good}"),
            3,
            "`lenient` is not known",
        ),
        (
            format!("{CODE}[mode]\npromotion = \"rollback\"\n{good}"),
            2,
            "`mode.expires` is needed",
        ),
        (
            format!(
                "{CODE}[mode]\npromotion = \"rollback\"\nrationale = \"r\"\nthresholds = \"1\"\nsince = 2026-01-01\nexpires = 2026-02-01\n{good}"
            ),
            7,
            "more than 14d",
        ),
        (mode("TODO"), 7, "`mode.thresholds`: `TODO` says nothing"),
        (mode("none"), 7, "`mode.thresholds`: `none` says nothing"),
        (
            format!("{CODE}[mode]\npromotion = \"strict\"\nexpires = 2026-02-01\n{good}"),
            3,
            "only the rollback mode",
        ),
        (
            json("{ pointer = \"a\", op = \"exists\" }"),
            7,
            "no JSON pointer",
        ),
        (
            json("{ pointer = \"/a\", op = \"=\", value = 1 }"),
            7,
            "`=` is not known",
        ),
        (
            json("{ pointer = \"/a\", op = \"<\", value = \"1\" }"),
            7,
            "compares numbers",
        ),
        (
            json("{ pointer = \"/a\", op = \"<\", value = nan }"),
            7,
            "found a number that does not fit",
        ),
        (
            json("{ pointer = \"/a\", op = \"matches\", value = \"(\" }"),
            7,
            "no pattern",
        ),
        (
            json("{ pointer = \"/a\", op = \"==\" }"),
            7,
            "value` is needed",
        ),
        (json(""), 7, "nothing would be judged"),
        (
            format!(
                "{CODE}{}",
                gate(
                    "g",
                    "percentage = { document = \"a\", pointer = \"/p\", at_least = \"0%\" }"
                )
            ),
            7,
            "nothing would ever be below",
        ),
        (
            format!("{CODE}{}", gate("g", "lineage = { equal = [\"a#/x\"] }")),
            7,
            "equal to itself",
        ),
        (
            format!("{CODE}{}", gate("g", "perf = { budgets = [] }")),
            7,
            "nothing would be judged",
        ),
        (
            format!(
                "{CODE}{}",
                gate("g", "coverage = { report = \"r\", floors = {} }")
            ),
            7,
            "nothing would be judged",
        ),
        (
            format!("{CODE}{}", gate("g", "command = { argv = [] }")),
            7,
            "it is empty",
        ),
    ];
    for (text, line, part) in cases {
        let faults = Policy::read(&text).unwrap_err();
        let found = faults
            .iter()
            .any(|fault| fault.line == line && fault.text.contains(part));
        assert!(found, "{part} on line {line} of\n{text}\n{faults:#?}");
        // What cannot be read judges nothing.
        let mut inputs = good_with(&text);
        inputs.policy.base = gonogo_gate::inputs::Base::Same;
        let verdict = verdict(&inputs);
        assert_eq!((verdict.verdict, verdict.exit_code), (Status::Invalid, 3));
        assert_eq!(of(&verdict, "policy").1, ["POLICY_ERROR"]);
    }
    let huge = format!("{CODE}#{}", "x".repeat(5 << 20));
    assert!(Policy::read(&huge).is_err());
}

fn good_with(text: &str) -> gonogo_gate::Inputs {
    let mut inputs = good();
    inputs.policy.state = FileState::Text { text: text.into() };
    inputs
}

#[test]
fn several_faults_are_told_at_once() {
    let text = format!(
        "{CODE}typo = 1\n[defaults]\nmax_agee = \"1h\"\n{}",
        gate("g", "suite = {}")
    );
    let faults = Policy::read(&text).unwrap_err();
    assert!(faults.len() >= 3, "{faults:#?}");
    assert_eq!(faults[0].to_string().split(':').next(), Some("line 2"));
}

#[test]
fn deep_nesting_is_refused_and_ends_nothing() {
    let deep = [
        format!("a{} = 1\n", ".a".repeat(100_000)),
        format!("[a{}]\n", ".a".repeat(100_000)),
        format!("a = {}\n", "[".repeat(100_000)),
        format!("a = {}\n", "{ a = ".repeat(100_000)),
        format!("{}\n", "[[a]]\n".repeat(100_000)),
    ];
    for text in deep {
        assert!(Policy::read(&format!("{CODE}{text}")).is_err());
        let mut inputs = good();
        inputs.waivers.state = FileState::Text { text };
        assert_eq!(verdict(&inputs).verdict, Status::Invalid);
    }
}
