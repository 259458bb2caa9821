//! Evidence files, as somebody sees them who looks while they are written.

use rustix::process::Signal;

use crate::lab::{Running, ran, simulated, until};

#[test]
fn no_reader_ever_sees_half_of_the_performance_figures() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("performance.json");
    let argument = format!("--performance={}", path.display());
    let mut running = Running::start(&["--tick-interval=0.001", &argument]);
    running.beat(1);
    until("the figures are there", || path.exists().then_some(()));
    let mut seen = std::collections::BTreeSet::new();
    until("many versions are seen", || {
        let figures: serde_json::Value =
            serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        seen.insert(figures["trades"].as_u64().unwrap());
        (seen.len() > 300).then_some(())
    });
    running.signal(Signal::INT);
    assert_eq!(running.exit().code(), Some(0));
    let left: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(left, ["performance.json"]);
}

#[test]
fn the_environment_says_where_evidence_goes() {
    let folder = tempfile::tempdir().unwrap();
    let (diary, performance) = (
        folder.path().join("a/diary.jsonl"),
        folder.path().join("b/performance.json"),
    );
    let out = simulated(&[
        "--duration-seconds=0.2",
        "--tick-interval=0.05",
        "--sharpe=2.5",
    ])
    .env("FINAL_DRY_RUN_DIARY_PATH", &diary)
    .env("FINAL_DRY_RUN_PERFORMANCE_PATH", &performance)
    .output()
    .unwrap();
    assert!(out.status.success(), "{out:?}");
    let entries = crate::lab::lines(&std::fs::read(diary).unwrap());
    let beats = crate::lab::lines(&out.stdout).len() - 1;
    assert_eq!(entries.len(), beats);
    assert_eq!(entries[0]["entry_id"], "smoke-00001");
    let figures: serde_json::Value =
        serde_json::from_slice(&std::fs::read(performance).unwrap()).unwrap();
    assert_eq!(figures["sharpe_ratio"], 2.5);
    assert_eq!(figures["trades"], beats);
}

#[test]
fn evidence_that_can_never_be_written_ends_the_run_at_its_start() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    let path = folder.path().join("file/diary.jsonl");
    let ran = ran(&[&format!("--diary={}", path.display())]);
    assert_eq!(ran.status.code(), Some(73));
    assert!(
        ran.said().contains("file/diary.jsonl cannot be written"),
        "{}",
        ran.said()
    );
}

#[test]
fn evidence_that_cannot_be_written_later_is_told_once_and_the_run_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let evidence = folder.path().join("evidence");
    let argument = format!(
        "--performance={}",
        evidence.join("performance.json").display()
    );
    let mut running = Running::start(&["--tick-interval=0.02", &argument]);
    running.beat(2);
    std::fs::rename(&evidence, folder.path().join("aside")).unwrap();
    // A tick may make the folder again in between.
    until("the folder is replaced", || {
        let _ = std::fs::remove_dir_all(&evidence);
        std::fs::write(&evidence, "").ok()
    });
    // The tick that was at it may have found the old folder, no folder or the file; the later ones only the file.
    let lines: Vec<_> = (0..40).map(|_| running.line()).collect();
    let trouble: Vec<_> = lines.iter().filter(|l| l["level"] == "warning").collect();
    assert!(!trouble.is_empty() && trouble.len() <= 2, "{trouble:?}");
    for line in &trouble {
        assert!(
            line["message"]
                .as_str()
                .unwrap()
                .contains("cannot be written"),
            "{line}"
        );
    }
    assert!(
        lines[20..].iter().all(|l| l["event"] == "heartbeat"),
        "told once: {lines:?}"
    );
    running.signal(Signal::TERM);
    assert_eq!(running.exit().code(), Some(0));
}
