//! What the evidence files hold, tick by tick.

use serde_json::Value;

use super::*;

fn diary(folder: &Path, format: DiaryFormat) -> Evidence {
    Evidence::new(&Options {
        diary: Some(folder.join("sub/diary")),
        diary_format: format,
        performance: Some(folder.join("performance.json")),
        ..Options::default()
    })
}

fn entries(folder: &Path, format: DiaryFormat) -> Result<Vec<Value>, serde_json::Error> {
    let text = fs::read_to_string(folder.join("sub/diary")).unwrap();
    match format {
        DiaryFormat::Jsonl => text.lines().map(serde_json::from_str).collect(),
        DiaryFormat::Array => serde_json::from_str(&text),
        DiaryFormat::Object => {
            let whole: Value = serde_json::from_str(&text)?;
            assert!(whole["generated_at"].is_string() && whole["probe_registry"].is_object());
            Ok(whole["entries"].as_array().unwrap().clone())
        }
    }
}

const FORMATS: [DiaryFormat; 3] = [DiaryFormat::Jsonl, DiaryFormat::Object, DiaryFormat::Array];

#[test]
fn after_each_tick_the_diary_is_whole_and_has_one_entry_more() {
    for format in FORMATS {
        let folder = tempfile::tempdir().unwrap();
        let mut evidence = diary(folder.path(), format);
        for n in 1..=30 {
            evidence.tick(n, [].iter()).unwrap();
            let entries = entries(folder.path(), format).unwrap();
            assert_eq!(entries.len() as u64, n, "{format:?}");
            assert_eq!(entries.last().unwrap()["entry_id"], format!("smoke-{n:05}"));
        }
    }
}

#[test]
fn an_entry_costs_the_same_at_the_end_of_a_long_run() {
    for format in FORMATS {
        let folder = tempfile::tempdir().unwrap();
        let mut diary = diary(folder.path(), format).diary.unwrap();
        let first = diary
            .append(&entry(10_000, SignedDuration::ZERO), true)
            .unwrap();
        for n in 10_001..13_000 {
            let written = diary.append(&entry(n, SignedDuration::ZERO), true).unwrap();
            assert!(
                written <= first + 16,
                "{format:?}: entry {n} took {written} bytes, the first {first}"
            );
        }
    }
}

#[test]
fn a_broken_diary_cannot_be_parsed_and_a_broken_document_heals() {
    for format in FORMATS {
        let folder = tempfile::tempdir().unwrap();
        let mut evidence = diary(folder.path(), format);
        evidence.tick(1, [].iter()).unwrap();
        evidence
            .tick(2, [Kind::Broken(Which::Diary)].iter())
            .unwrap();
        assert!(entries(folder.path(), format).is_err(), "{format:?}");
        evidence
            .tick(3, [Kind::Broken(Which::Diary)].iter())
            .unwrap();
        assert!(entries(folder.path(), format).is_err(), "{format:?}");
        evidence.tick(4, [].iter()).unwrap();
        let last = entries(folder.path(), format);
        match format {
            DiaryFormat::Jsonl => assert!(last.is_err(), "the torn lines stay among the good ones"),
            _ => assert_eq!(last.unwrap().len(), 2),
        }
        let performance = fs::read(folder.path().join("performance.json")).unwrap();
        assert!(
            serde_json::from_slice::<Value>(&performance).is_ok(),
            "only the diary is broken"
        );
    }
}

#[test]
fn touched_evidence_gets_a_new_time_and_no_new_content_and_stale_evidence_gets_neither() {
    let folder = tempfile::tempdir().unwrap();
    let mut evidence = diary(folder.path(), DiaryFormat::Jsonl);
    evidence.tick(1, [].iter()).unwrap();
    let paths = ["sub/diary", "performance.json"].map(|name| folder.path().join(name));
    let old = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000);
    let look = |path: &PathBuf| {
        (
            fs::read(path).unwrap(),
            fs::metadata(path).unwrap().modified().unwrap(),
        )
    };
    let age = || {
        for path in &paths {
            let file = File::options().write(true).open(path).unwrap();
            file.set_times(FileTimes::new().set_modified(old)).unwrap();
        }
    };
    age();
    let before = paths.each_ref().map(look);
    evidence.tick(2, [Kind::Stale(Which::Both)].iter()).unwrap();
    assert_eq!(paths.each_ref().map(look), before);
    evidence
        .tick(3, [Kind::Touched(Which::Both)].iter())
        .unwrap();
    for (path, before) in paths.iter().zip(&before) {
        let after = look(path);
        assert_eq!(after.0, before.0);
        assert!(after.1 > before.1);
    }
    age();
    evidence
        .tick(4, [Kind::Stale(Which::Diary)].iter())
        .unwrap();
    assert_eq!(look(&paths[0]), before[0]);
    assert_ne!(look(&paths[1]).0, before[1].0);
}

#[test]
fn performance_says_what_it_should() {
    let folder = tempfile::tempdir().unwrap();
    let mut evidence = diary(folder.path(), DiaryFormat::Jsonl);
    evidence.tick(4, [].iter()).unwrap();
    let read = || -> Value {
        serde_json::from_slice(&fs::read(folder.path().join("performance.json")).unwrap()).unwrap()
    };
    let figures = read();
    assert_eq!(figures["roi"], 0.06);
    assert_eq!(
        (&figures["win_rate"], &figures["sharpe_ratio"]),
        (&json!(0.58), &json!(1.2))
    );
    let stamp = |name: &str, figures: &Value| {
        figures[name]
            .as_str()
            .unwrap()
            .parse::<jiff::Timestamp>()
            .unwrap()
    };
    let covered = stamp("generated_at", &figures).duration_since(stamp("period_start", &figures));
    assert!((covered - PERIOD).abs() < SignedDuration::from_secs(1));
    evidence
        .tick(
            5,
            [Kind::Future(std::time::Duration::from_secs(7_200))].iter(),
        )
        .unwrap();
    let ahead = stamp("generated_at", &read()).duration_since(stamp("generated_at", &figures));
    assert!(ahead >= SignedDuration::from_secs(7_200) && ahead < SignedDuration::from_secs(7_300));
    let names: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(names.len(), 2, "nothing temporary is left: {names:?}");
}

#[test]
fn what_cannot_be_written_is_told_with_its_path_and_the_rest_is_written() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("sub"), "in the way").unwrap();
    let mut evidence = diary(folder.path(), DiaryFormat::Jsonl);
    let error = evidence.tick(1, [].iter()).unwrap_err();
    assert!(
        error.contains("sub/diary") && error.contains("cannot be written"),
        "{error}"
    );
    assert!(folder.path().join("performance.json").exists());
}
