//! Real processes killed with SIGKILL, stopped and continued, and databases copied at every commit.

use std::cell::Cell;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use gonogo_core::Span;
use gonogo_engine::{DriveError, Notice};
use gonogo_store::{Liveness, Store};
use rustix::process::{Pid, Signal, kill_process};

use crate::toy::Toy;
use crate::world::{
    FileEvidence, FileTarget, check, driver, evidence_log, file_driver, operation, submit,
    target_log, toy_plan, until,
};

const DIR: &str = "GONOGO_ENGINE_TEST_DIR";
const GATED: &str = "GONOGO_ENGINE_TEST_GATED";

/// The lease of a child that is stopped on purpose: short, so that the takeover need not wait long.
const SHORT: Span = Span::from_millis(300);

/// Not a test of its own: the process that the tests below start from this very binary. Exits with 0 at the end of the
/// operation and with 3 if it lost its lease.
#[test]
fn child() {
    let Ok(dir) = std::env::var(DIR) else {
        return;
    };
    let dir = Path::new(&dir);
    let mut driver = file_driver(dir);
    let gated = std::env::var(GATED).unwrap_or_default();
    if !gated.is_empty() {
        driver.settings.lease = SHORT;
    }
    if gated == "call" {
        driver.target = std::sync::Arc::new(FileTarget::gated(dir));
    }
    let code = match driver.drive_core::<Toy>(&operation(1), &|p| {
        if gated == "send" && matches!(p.notice, Notice::Sent { .. }) {
            std::fs::write(dir.join("claimed"), "").unwrap();
            until("the gate opens", || dir.join("gate").exists());
        }
    }) {
        Ok(Some(_)) => 0,
        Ok(None) => 2,
        Err(DriveError::LeaseLost(_)) => {
            // The call's own thread may still be on its way to the target.
            until("the call is refused", || {
                target_log(dir).iter().any(|l| l.starts_with("refused "))
            });
            3
        }
        Err(e) => panic!("{e}"),
    };
    std::process::exit(code);
}

fn start(dir: &Path, gated: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child", "--nocapture"])
        .env(DIR, dir)
        .env(GATED, gated)
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

#[test]
fn killed_at_random_points_it_recovers_and_applies_nothing_twice() {
    const KILLS: u32 = 60;
    let mut random = fastrand::Rng::with_seed(7);
    let mut kills = 0;
    let mut rounds = 0;
    while kills < KILLS {
        rounds += 1;
        let home = tempfile::tempdir().unwrap();
        let dir = home.path();
        let store = Store::open(dir).unwrap();
        submit(&store, &toy_plan(25, |_| {}), 1);
        loop {
            let mut child = start(dir, "");
            let life = Duration::from_micros(random.u64(1_000..90_000));
            std::thread::sleep(life);
            if let Some(status) = child.try_wait().unwrap() {
                assert!(status.success(), "{status}");
                break;
            }
            child.kill().unwrap();
            child.wait().unwrap();
            kills += 1;
            assert!(kills < 40 * KILLS, "no progress over {kills} kills");
        }
        check::<Toy>(&store, &operation(1), &evidence_log(dir), &target_log(dir));
        let applied = target_log(dir)
            .iter()
            .filter(|l| l.starts_with("applied "))
            .count();
        assert_eq!(applied, 25);
    }
    eprintln!("{kills} kills over {rounds} operations");
}

#[test]
fn a_copy_of_the_database_at_any_commit_recovers() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    let store = Store::open(dir).unwrap();
    let id = submit(&store, &toy_plan(6, |_| {}), 1);
    let copies = Cell::new(0);
    let copy = || {
        let n = copies.replace(copies.get() + 1);
        let to = home.path().join(format!("copy-{n}"));
        std::fs::create_dir(&to).unwrap();
        // The driver's thread is here, so no commit runs. The target and the evidence may be ahead, as after a crash.
        for name in ["state.db", "state.db-wal", "evidence.log", "target.log"] {
            if dir.join(name).exists() {
                std::fs::copy(dir.join(name), to.join(name)).unwrap();
            }
        }
    };
    let driver = driver(store, FileTarget::new(dir), FileEvidence::new(dir));
    driver
        .drive_core::<Toy>(&id, &|p| {
            if !matches!(p.notice, Notice::Waiting) {
                copy();
            }
        })
        .unwrap()
        .unwrap();
    let store = Store::open(dir).unwrap();
    check::<Toy>(&store, &id, &evidence_log(dir), &target_log(dir));
    assert_eq!(
        copies.get(),
        20,
        "resumed, start, 6 sent, 6 done, 5 due, ended"
    );
    for n in 0..copies.get() {
        let dir = home.path().join(format!("copy-{n}"));
        // The copy's lease belongs to this live process: its end is what a takeover waits for.
        let driver = file_driver(&dir);
        let before = driver.store.operation(&id).unwrap();
        release(&driver.store);
        let terminal = driver.drive_core::<Toy>(&id, &|_| {}).unwrap();
        assert!(terminal.is_some(), "copy {n}");
        check::<Toy>(&driver.store, &id, &evidence_log(&dir), &target_log(&dir));
        let after = driver.store.operation(&id).unwrap();
        assert!(after.seq >= before.seq, "copy {n}");
    }
}

/// Ends the lease in a copied database: the process that holds it drives the original.
fn release(store: &Store) {
    let Some(holder) = store.holder("local").unwrap() else {
        return;
    };
    if holder.liveness == Liveness::Live {
        let connection = rusqlite::Connection::open(store.path()).unwrap();
        connection
            .execute("UPDATE lease SET expires = 0", [])
            .unwrap();
    }
}

/// Stops a child in its first act, lets another driver finish the operation, and continues the child.
fn paused(gated: &str, reached: impl Fn(&Path) -> bool) {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    let store = Store::open(dir).unwrap();
    let id = submit(&store, &toy_plan(3, |_| {}), 1);
    let mut child = start(dir, gated);
    until("the child's first act", || reached(dir));
    let pid = Pid::from_child(&child);
    kill_process(pid, Signal::STOP).unwrap();
    let driver = driver(store, FileTarget::new(dir), FileEvidence::new(dir));
    let mut terminal = None;
    until("the lease runs out", || {
        match driver.drive_core::<Toy>(&id, &|_| {}) {
            Ok(t) => {
                terminal = t;
                true
            }
            Err(DriveError::LeaseHeld(_)) => false,
            Err(e) => panic!("{e}"),
        }
    });
    assert!(terminal.is_some());
    std::fs::write(dir.join("gate"), "").unwrap();
    kill_process(pid, Signal::CONT).unwrap();
    let status = child.wait().unwrap();
    assert_eq!(
        status.code(),
        Some(3),
        "the paused driver learns that it lost its lease"
    );
    let log = target_log(dir);
    let key = format!("{id}/step/1");
    // The second driver's reign is 2, and its probe begins 3.
    assert!(log.contains(&format!("applied {key} 3")), "{log:?}");
    assert_eq!(log.last(), Some(&format!("refused {key} 1")), "{log:?}");
    check::<Toy>(&driver.store, &id, &evidence_log(dir), &log);
}

#[test]
fn paused_between_claim_and_send_it_carries_the_claims_epoch() {
    paused("send", |dir| dir.join("claimed").exists());
}

#[test]
fn paused_inside_a_call_it_is_refused_by_the_fence() {
    paused("call", |dir| !target_log(dir).is_empty());
}

#[test]
fn of_two_drivers_on_one_database_exactly_one_acts() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    let store = Store::open(dir).unwrap();
    let id = submit(&store, &toy_plan(3, |_| {}), 1);
    let mut first = file_driver(dir);
    first.target = std::sync::Arc::new(FileTarget::gated(dir));
    std::thread::scope(|scope| {
        let running = scope.spawn(|| first.drive_core::<Toy>(&id, &|_| {}));
        until("the first call", || !target_log(dir).is_empty());
        let second = driver(store, FileTarget::new(dir), FileEvidence::new(dir));
        let refused = second.drive_core::<Toy>(&id, &|_| {});
        assert!(
            matches!(refused, Err(DriveError::LeaseHeld(_))),
            "{refused:?}"
        );
        let open = second.store.open_operations().unwrap();
        assert_eq!(open[0].holder.as_ref().unwrap().liveness, Liveness::Live);
        assert_eq!(target_log(dir).len(), 1);
        std::fs::write(dir.join("gate"), "").unwrap();
        assert!(running.join().unwrap().unwrap().is_some());
        let ended = second.drive_core::<Toy>(&id, &|_| {}).unwrap();
        assert!(ended.is_some(), "an ended operation is read, not driven");
    });
    let log = target_log(dir);
    assert_eq!(log.len(), 6, "called and applied, three times: {log:?}");
    assert!(log.iter().all(|l| l.ends_with(" 1")), "{log:?}");
    let store = Store::open(dir).unwrap();
    check::<Toy>(&store, &id, &evidence_log(dir), &log);
    assert_eq!(store.open_operations().unwrap(), []);
}
