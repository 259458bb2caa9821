//! Reads broken configurations: every file in `fixtures/config/invalid` is compared, fault by fault, with the text beside it.
//!
//! Set `GONOGO_BLESS` to write the texts anew, then read the difference.

use std::path::Path;

use gonogo_app::config::{Config, ConfigErrors};
use gonogo_core::Reason;
use proptest::prelude::*;

fn render(errors: &ConfigErrors) -> String {
    let mut out = String::new();
    for e in errors.all() {
        out += &format!(
            "{} {}:{} `{}`\n  {}\n",
            e.reason, e.line, e.column, e.key, e.message
        );
        for line in e.excerpt.iter().flat_map(|x| x.lines()) {
            out += &format!("    {line}\n");
        }
        for hint in &e.hints {
            out += &format!("  hint: {hint}\n");
        }
        assert!(e.hints.len() <= 3, "{e:?}");
    }
    out
}

#[test]
fn every_fault_is_named_with_its_place() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/config/invalid");
    let mut names: Vec<_> = std::fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "toml"))
        .collect();
    names.sort();
    assert!(names.len() >= 20, "fixtures are gone: {names:?}");
    for path in names {
        let bytes = std::fs::read(&path).unwrap();
        let errors =
            Config::parse(Path::new("gonogo.toml"), &bytes).expect_err(&path.display().to_string());
        let got = render(&errors);
        for secret in ["hunter2", "AKIAIOSFODNN7EXAMPLE"] {
            assert!(!got.contains(secret), "a secret is shown: {got}");
        }
        let text = path.with_extension("txt");
        if std::env::var_os("GONOGO_BLESS").is_some() {
            std::fs::write(&text, &got).unwrap();
        }
        let want = std::fs::read_to_string(&text).unwrap_or_default();
        assert_eq!(got, want, "{}", path.display());
    }
}

#[test]
fn valid_files_have_no_fault() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/config/valid");
    for name in ["small.toml", "full.toml"] {
        let bytes = std::fs::read(dir.join(name)).unwrap();
        if let Err(e) = Config::parse(Path::new("gonogo.toml"), &bytes) {
            panic!("{name}: {}", render(&e));
        }
    }
}

#[test]
fn silence_never_opens_a_gate_or_an_approval() {
    let small = include_str!("fixtures/config/valid/small.toml");
    for (line, reason) in [
        ("gates = \"none\"\n", Reason::GatesUnstated),
        ("approval = \"self\"\n", Reason::ConfigMissingKey),
    ] {
        assert!(small.contains(line));
        let text = small.replace(line, "");
        let errors = Config::parse(Path::new("g"), text.as_bytes()).unwrap_err();
        assert_eq!(errors.all().len(), 1);
        assert_eq!(errors.first().reason, reason);
    }
    for gates in [
        "[]",
        "\"\"",
        "\"None\"",
        "true",
        "{}",
        "[\"none\"]",
        "\"smoke\"",
    ] {
        let text = small.replace("gates = \"none\"", &format!("gates = {gates}"));
        let errors = Config::parse(Path::new("g"), text.as_bytes()).unwrap_err();
        // A table without a gate lacks one; everything else names one that does not exist.
        let reason = match gates {
            "{}" => Reason::ConfigMissingKey,
            _ => Reason::GateUnknown,
        };
        assert_eq!(errors.first().reason, reason, "{gates}");
    }
}

proptest! {
    /// Whatever stands in the file: an answer, with a place inside the file.
    #[test]
    fn no_text_makes_the_reader_panic(
        cut in 0usize..1500,
        insert in "[\\[\\]{}=\"'#a-zäß%0-9.\\n\\t\u{0}\\\\]{0,12}",
    ) {
        let full = include_str!("fixtures/config/valid/full.toml");
        let mut at = cut.min(full.len());
        while !full.is_char_boundary(at) { at -= 1; }
        let text = format!("{}{insert}{}", &full[..at], &full[at..]);
        if let Err(errors) = Config::parse(Path::new("g"), text.as_bytes()) {
            for e in errors.all() {
                prop_assert!(e.line >= 1 && e.line <= text.matches('\n').count() + 1, "{e:?}");
                prop_assert!(e.column >= 1);
            }
        }
        // A file cut off anywhere: the same.
        let _ = Config::parse(Path::new("g"), &text.as_bytes()[..at]);
    }
}
