//! Every script in `tests/scenarios` says what the file beside it says. `UPDATE=1` rewrites those files.

use std::path::{Path, PathBuf};

use gonogo_testkit::scenario;

fn scripts() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let entries = std::fs::read_dir(folder).expect("the folder of scripts");
    let mut found: Vec<PathBuf> = entries
        .map(|e| e.expect("a readable entry").path())
        .collect();
    found.sort();
    found
}

#[test]
fn every_script_says_what_its_file_says() {
    let update = std::env::var_os("UPDATE").is_some();
    let mut differ = Vec::new();
    let mut ran = 0;
    for path in scripts() {
        if path.extension().is_none_or(|e| e != "txt") {
            assert!(
                path.with_extension("txt").exists(),
                "{path:?} has no script"
            );
            continue;
        }
        ran += 1;
        let text = std::fs::read_to_string(&path).unwrap();
        let said = scenario::run(&text).unwrap_or_else(|e| panic!("{path:?}: {e}"));
        let beside = path.with_extension("out");
        if update {
            std::fs::write(&beside, said).unwrap();
        } else if std::fs::read_to_string(&beside).unwrap_or_default() != said {
            let first = std::fs::read_to_string(&beside).unwrap_or_default();
            let line = first.lines().zip(said.lines()).position(|(a, b)| a != b);
            let at = line.unwrap_or_else(|| first.lines().count().min(said.lines().count()));
            let (was, is) = (first.lines().nth(at), said.lines().nth(at));
            differ.push(format!(
                "{path:?} line {}:\n  was {was:?}\n  is  {is:?}",
                at + 1
            ));
        }
    }
    assert!(
        differ.is_empty(),
        "UPDATE=1 accepts the new output\n{}",
        differ.join("\n")
    );
    assert!(ran >= 25, "only {ran} scripts were found");
}

#[test]
fn scripts_say_how_they_end() {
    // A script's first line tells the ending; the outcome of a careless UPDATE=1 is seen here.
    for path in scripts()
        .iter()
        .filter(|p| p.extension().is_some_and(|e| e == "txt"))
    {
        let text = std::fs::read_to_string(path).unwrap();
        let first = text.lines().next().unwrap_or_default();
        let wanted = first
            .strip_prefix("# ends ")
            .and_then(|rest| rest.split(':').next());
        let wanted =
            wanted.unwrap_or_else(|| panic!("{path:?} does not begin with `# ends RESULT: …`"));
        let said = scenario::run(&text).unwrap();
        let end = said
            .lines()
            .find_map(|l| l.strip_prefix("  END "))
            .unwrap_or("nowhere");
        let mut words = wanted.split(' ');
        let result = words.next().unwrap_or_default();
        assert!(
            end.starts_with(result) && words.all(|code| end.contains(code)),
            "{path:?}: wanted {wanted}, ended {end}"
        );
    }
}

#[test]
fn a_script_that_does_not_fit_is_refused() {
    let cases = [
        ("", "a script begins with a plan"),
        ("plan from 1 to 2 bogus", "`bogus` is not part of a plan"),
        ("plan from 1 to 2 stages 5\nstart\nprobe", "probe or not"),
        ("plan from 1 to 2 stages 5\napplied", "no act is open"),
        ("plan from 1 to 2 stages 5\nsample canary x/1", "line 2"),
        (
            "plan from 1 to 2 stages 5\nstart now",
            "`now` is not understood",
        ),
    ];
    for (text, why) in cases {
        let error = scenario::run(text).unwrap_err().to_string();
        assert!(error.contains(why), "{text:?}: {error}");
    }
}
