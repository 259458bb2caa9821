//! Lines that begin as records and are none.

use super::*;

fn told(log: &Logs) -> Vec<(&str, Status, u64, u64)> {
    log.problems
        .iter()
        .map(|p| {
            let number = |name: &str| p.metadata[name].as_u64().unwrap();
            (p.code.as_str(), p.severity, number("count"), number("line"))
        })
        .collect()
}

#[test]
fn broken_records_among_records_are_told_once_with_their_count() {
    let broken = |n: usize| match n % 3 {
        0 => "{\"level\":\"info\",\"message\":\"cut he\n",
        1 => "{\"level\":\"info\",\"ratio\":NaN}\n",
        _ => "{\"level\":\"info\",\"a\":01}\n",
    };
    let mut text = String::new();
    for n in 0..3000 {
        text += &beat(n as f64);
        if n % 300 == 7 {
            text += broken(n / 300);
        }
    }
    let log = audit(&text);
    assert_eq!(told(&log), [("log_records_broken", Status::Warn, 10, 9)]);
    assert_eq!((log.ignored_lines, log.total_lines), (10, 3010));
    assert_eq!(log.status, Status::Warn);
    let problem = &log.problems[0];
    assert_eq!(problem.metadata["path"], "f0");
    assert!(
        problem.message.contains("10 lines of f0") && problem.message.contains("line 9"),
        "{}",
        problem.message
    );
    assert!(
        problem.metadata["sample"]
            .as_str()
            .unwrap()
            .contains("cut he")
    );
    // Whatever the parts and the threads, and by file.
    let packed = gzip(text.as_bytes());
    let again = audit_with(&[text.clone().into_bytes(), packed], &rules(), 3);
    assert_eq!(
        told(&again),
        [
            ("log_records_broken", Status::Warn, 10, 9),
            ("log_records_broken", Status::Warn, 10, 9)
        ]
    );
    assert_eq!(again.problems[1].metadata["path"], "f1");
    // As the lines of our own view, too.
    let log = audit_with(&[view(&text)], &rules(), 1);
    assert_eq!(told(&log), [("log_records_broken", Status::Warn, 10, 9)]);
}

#[test]
fn whoever_says_that_all_are_records_hears_of_any_that_is_none() {
    let mut jsonl = rules();
    jsonl.format = Format::Jsonl;
    let text = format!("a\nb\nc\nd\n{}{{\"x\":NaN}}\n", beat(1.0));
    let log = audit_with(&[text.clone().into_bytes()], &jsonl, 1);
    assert_eq!(told(&log), [("log_records_broken", Status::Warn, 1, 6)]);
    assert_eq!(log.ignored_lines, 5);
    let log = audit(&text);
    assert_eq!((told(&log), log.ignored_lines), (Vec::new(), 0));
    jsonl.format = Format::Text;
    let log = audit_with(&["{\"x\":NaN}\n".repeat(3).into_bytes()], &jsonl, 1);
    assert_eq!((told(&log), log.ignored_lines), (Vec::new(), 0));
}

#[test]
fn text_and_text_between_records_are_told_nothing_about() {
    let beats: String = (0..20).map(|n| beat(n as f64)).collect();
    for text in [
        "all is well\n".repeat(30),
        format!("{beats}plain\n{{ 12 }}\n{{template}}\n{{'a': 1}}\n{{\n  \"a\": 1\n}}\n[1, 2]\n\n"),
        format!("all is well\n{{\"a\": cut\n{}", "and so on\n".repeat(5)),
        format!(
            "{beats}{{\"level\":\"info\",\"msg\":\"a\"}}{{\"level\":\"info\",\"msg\":\"b\"}}\n"
        ),
    ] {
        let log = audit(&text);
        assert_eq!(
            (told(&log), log.status),
            (Vec::new(), Status::Pass),
            "{text}"
        );
    }
}

#[test]
fn a_last_record_that_is_cut_is_told_as_that() {
    let beats: String = (0..20).map(|n| beat(n as f64)).collect();
    let log = audit(&format!("{beats}{{\"level\":\"info\",\"mess"));
    assert_eq!(told(&log), [("log_record_cut", Status::Warn, 1, 21)]);
    assert_eq!(log.ignored_lines, 1);
    // One that is whole but for its line feed is not cut.
    let whole = audit(beats.trim_end());
    assert_eq!((told(&whole), whole.status), (Vec::new(), Status::Pass));
}
