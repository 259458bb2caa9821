//! Streams that `go test -json` wrote.

#[path = "reports/check.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod check;

use gonogo_suite::Format;

/// Behind a package's last event nothing says whether a further package follows.
fn between(cut: &[u8]) -> bool {
    let text = String::from_utf8_lossy(cut);
    text.lines().last().is_some_and(|l| {
        !l.contains("\"Test\"")
            && ["pass", "fail", "skip"]
                .iter()
                .any(|w| l.contains(&format!("\"Action\":\"{w}\",\"Package\"")))
    }) && text.ends_with('\n')
        || text.lines().all(|l| l.contains("build-output"))
}

#[test]
fn go_all() {
    let bytes = check::fixture("go/all.jsonl");
    check::known(Format::Go, &bytes);
    insta::assert_snapshot!(check::table(Format::Go, &bytes));
    check::cuts(Format::Go, &bytes, between);
    check::noise(Format::Go, &bytes);
}

#[test]
fn go_green_calc() {
    let bytes = check::fixture("go/green-calc.jsonl");
    check::known(Format::Go, &bytes);
    insta::assert_snapshot!(check::table(Format::Go, &bytes));
    check::cuts(Format::Go, &bytes, between);
    check::noise(Format::Go, &bytes);
}

#[test]
fn go_cached() {
    let bytes = check::fixture("go/cached.jsonl");
    check::known(Format::Go, &bytes);
    insta::assert_snapshot!(check::table(Format::Go, &bytes));
    check::cuts(Format::Go, &bytes, between);
    check::noise(Format::Go, &bytes);
}

#[test]
fn go_count2() {
    let bytes = check::fixture("go/count2.jsonl");
    check::known(Format::Go, &bytes);
    insta::assert_snapshot!(check::table(Format::Go, &bytes));
    check::cuts(Format::Go, &bytes, between);
    check::noise(Format::Go, &bytes);
}

#[test]
fn go_bench() {
    let bytes = check::fixture("go/bench.jsonl");
    check::known(Format::Go, &bytes);
    insta::assert_snapshot!(check::table(Format::Go, &bytes));
    check::cuts(Format::Go, &bytes, between);
    check::noise(Format::Go, &bytes);
}

#[test]
fn go_race() {
    let bytes = check::fixture("go/race.jsonl");
    check::known(Format::Go, &bytes);
    insta::assert_snapshot!(check::table(Format::Go, &bytes));
    check::cuts(Format::Go, &bytes, between);
    check::noise(Format::Go, &bytes);
}

#[test]
fn what_is_no_stream_of_go_is_refused() {
    check::refusals(Format::Go);
}

#[test]
fn streams_by_hand() {
    let run = "{\"Action\":\"run\",\"Package\":\"p\",\"Test\":\"T\"}\n";
    let pass = "{\"Action\":\"pass\",\"Package\":\"p\",\"Test\":\"T\",\"Elapsed\":0.1}\n";
    let end = |word: &str| format!("{{\"Action\":\"{word}\",\"Package\":\"p\",\"Elapsed\":1}}\n");
    check::cases(
        Format::Go,
        &[
            (&format!("{run}{pass}{}", end("pass")), &["pass T"], &[]),
            // No last event, whatever the package says.
            (
                &format!("{run}{}", end("pass")),
                &["error T"],
                &["CountMismatch"],
            ),
            (&format!("{run}{}", end("fail")), &["error T"], &[]),
            // All passed and the package did not.
            (
                &format!("{run}{pass}{}", end("fail")),
                &["pass T", "fail (package)"],
                &[],
            ),
            // Other lines between, before and in front.
            (
                &format!(
                    "go: downloading x\nnoise{run}not json {{\n12:00:01 {pass}{}",
                    end("pass")
                ),
                &["pass T"],
                &[],
            ),
            (
                &format!("{run}{pass}{pass}{}", end("pass")),
                &["pass T", "pass T"],
                &["Collision"],
            ),
            (
                &format!(
                    "{run}{{\"Action\":\"explode\",\"Package\":\"p\",\"Test\":\"T\",\"Elapsed\":1}}\n{}",
                    end("pass")
                ),
                &["unknown T"],
                &["UnknownOutcome"],
            ),
            (&format!("{run}{pass}"), &["pass T"], &["Incomplete"]),
            // Old versions: the compiler speaks beside the stream.
            (
                "# p\na.go:3:4: undefined: x\nFAIL\tp [build failed]\n",
                &["fail (build)"],
                &[],
            ),
            (&end("skip"), &[], &["NoTests"]),
            (
                &format!(
                    "{run}{{\"Action\":\"pass\",\"Package\":\"p\",\"Test\":\"T\",\"Elapsed\":\"soon\"}}\n{}",
                    end("pass")
                ),
                &["pass T"],
                &["OddValue"],
            ),
        ],
    );
}

#[test]
fn a_stream_in_utf_16_is_read() {
    let text = String::from_utf8(check::fixture("go/green-calc.jsonl")).unwrap();
    let wide: Vec<u8> = [0xff, 0xfe]
        .into_iter()
        .chain(text.encode_utf16().flat_map(u16::to_le_bytes))
        .collect();
    check::known(Format::Go, &wide);
    let (reading, attempts) = check::read(Format::Go, &wide);
    assert!(reading.is_whole());
    assert_eq!(attempts, check::read(Format::Go, text.as_bytes()).1);
}
