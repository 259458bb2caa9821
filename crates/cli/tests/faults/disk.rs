//! Disks that are full or fail. They need a file system of their own and a tracer; where those are not to be had the test
//! is skipped, and says why.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gonogo_release::machine::{Ending, Phase};
use gonogo_store::ledger::Ledger;
use gonogo_testkit::{lacks, skip};
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use crate::lab::{GOOD, LONGEST, Lab, OTHER, lost, nothing_lost, wait};
use crate::{PROGRAM, ended, founded_slow, lab};

/// A small file system of its own, taken away when dropped.
struct Mount(PathBuf);

impl Mount {
    /// 64 MiB; where this test may not mount, or the kernel has no tmpfs, why not.
    fn new(at: &Path) -> Result<Self, String> {
        std::fs::create_dir_all(at).unwrap();
        match mount("tmpfs", at, "tmpfs", MountFlags::empty(), c"size=64m") {
            Ok(()) => Ok(Self(at.to_owned())),
            Err(e @ (Errno::PERM | Errno::ACCESS | Errno::NODEV)) => {
                Err(format!("a tmpfs of 64 MiB cannot be mounted: {e}"))
            }
            Err(e) => panic!(
                "a tmpfs of 64 MiB cannot be mounted on {}: {e}",
                at.display()
            ),
        }
    }

    /// Writes until nothing fits any more; returns the file to remove.
    fn fill(&self) -> PathBuf {
        let path = self.0.join("ballast");
        let mut file = std::fs::File::create(&path).unwrap();
        for size in [1 << 20, 1 << 12, 1] {
            let piece = vec![7_u8; size];
            while file.write_all(&piece).is_ok() {}
        }
        path
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = unmount(&self.0, UnmountFlags::DETACH);
    }
}

#[test]
fn a_full_disk_holds_the_release_and_space_lets_it_go_on() {
    let config = lab::QUICK.replace("bake = \"400ms\"", "bake = \"3s\"");
    let lab = Lab::new(Path::new(PROGRAM), &config);
    let mount = match Mount::new(&lab.path(".gonogo")) {
        Ok(mount) => mount,
        Err(why) => return skip("a release on a full disk", &why),
    };
    lab.found();
    let load = lab.load(200.0);
    let plan = lab.approved(OTHER);
    let apply = lab.start(&["apply", &plan]);
    let id = lab
        .until(&plan, "the stage begins", |o| o.phase == Phase::Observe)
        .id;
    let ballast = mount.fill();
    wait("the command says what it waits for", LONGEST, || {
        apply.said().contains("STORE_FULL").then_some(())
    });
    let held = lab.operation(&plan).unwrap();
    let recorded = Ledger::open_read(&lab.path(".gonogo"))
        .unwrap()
        .size()
        .unwrap();
    // Longer than the stage's bake: without the full disk it would be over.
    let sent = load.snapshot().sent;
    wait("five seconds of requests", LONGEST, || {
        (load.snapshot().sent > sent + 1000).then_some(())
    });
    let still = lab.operation(&plan).unwrap();
    assert_eq!(
        (still.phase, still.terminal),
        (held.phase, None),
        "it does not advance"
    );
    let status = lab.run(&["status", id.as_str()]);
    assert!(
        format!("{}{}", status.out, status.err).contains("STORE_FULL"),
        "{status:?}"
    );
    std::fs::remove_file(ballast).unwrap();
    let ran = apply.finish(LONGEST);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    ended(&lab, &id, Ending::Promoted, OTHER);
    let ledger = Ledger::open_read(&lab.path(".gonogo")).unwrap();
    assert_eq!(
        ledger.check().unwrap(),
        ledger.size().unwrap(),
        "every record is whole"
    );
    assert!(ledger.size().unwrap() > recorded);
    nothing_lost(load);
    // The mount first: a directory with one in it cannot be removed.
    drop(mount);
    drop(lab);
}

/// A project on a small file system that is filled while a release is in its first stage, and that release's id, plan and command.
fn filled(
    stage: &str,
) -> Result<
    (
        Lab,
        Mount,
        String,
        gonogo_core::id::OperationId,
        crate::lab::Running,
    ),
    String,
> {
    let config = lab::QUICK.replace(
        "bake = \"400ms\", within = \"60s\"",
        &format!("bake = \"3s\", within = \"{stage}\""),
    );
    let lab = Lab::new(Path::new(PROGRAM), &config);
    let mount = Mount::new(&lab.path(".gonogo"))?;
    lab.found();
    let plan = lab.approved(OTHER);
    let apply = lab.start(&["apply", &plan]);
    let id = lab
        .until(&plan, "the stage begins", |o| o.phase == Phase::Observe)
        .id;
    mount.fill();
    wait("the command says what it waits for", LONGEST, || {
        apply.said().contains("STORE_FULL").then_some(())
    });
    Ok((lab, mount, plan, id, apply))
}

#[test]
fn on_a_full_disk_a_release_can_be_taken_back() {
    let (lab, mount, _, id, apply) = match filled("60s") {
        Ok(filled) => filled,
        Err(why) => return skip("taking a release back on a full disk", &why),
    };
    let load = lab.load(200.0);
    let cancelled = lab.run(&["cancel", id.as_str(), "--yes"]);
    assert_eq!(cancelled.code, Some(0), "{cancelled:?}");
    let ran = apply.finish(LONGEST);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    ended(&lab, &id, Ending::Cancelled, lab::GOOD);
    nothing_lost(load);
    drop(mount);
    drop(lab);
}

#[test]
fn on_a_full_disk_a_release_goes_back_when_its_time_is_over() {
    let (lab, mount, _, id, apply) = match filled("8s") {
        Ok(filled) => filled,
        Err(why) => return skip("a release on a full disk whose time is over", &why),
    };
    let ran = apply.finish(LONGEST);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    ended(&lab, &id, Ending::RolledBack, GOOD);
    drop(mount);
    drop(lab);
}

/// What strace must be able to do.
const TRACED: [&str; 5] = ["-qq", "-f", "-e", "trace=none", "true"];

/// Runs `apply` under a tracer that makes the `when`-th call of `call` in its process fail with EIO.
fn failing_sync(call: &str, when: u32) {
    let lab = founded_slow("1s");
    let load = lab.load(200.0);
    let plan = lab.approved(OTHER);
    let inject = format!("inject={call}:error=EIO:when={when}");
    let trace = format!("trace={call}");
    let command = lab.wrapped(
        &[
            "strace",
            "-f",
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            &trace,
            "-e",
            &inject,
        ],
        &["apply", &plan],
    );
    let ran = lab.begin(command).finish(LONGEST);
    assert_eq!(ran.code, Some(70), "the process ends at once: {ran:?}");
    assert!(ran.err.contains("disk failed to make"), "{ran:?}");
    assert!(
        !ran.out.contains("promoted"),
        "nothing is acknowledged: {ran:?}"
    );
    let id = lab.operation(&plan).map(|o| o.id);
    // Nothing but the next command is needed.
    let again = lab.run(&["apply", &plan]);
    assert_eq!(again.code, Some(0), "{again:?}");
    let known = lab.operation(&plan).unwrap();
    assert!(
        id.is_none_or(|id| id == known.id),
        "the same operation goes on"
    );
    ended(&lab, &known.id, Ending::Promoted, OTHER);
    let ledger = Ledger::open_read(&lab.path(".gonogo")).unwrap();
    assert_eq!(
        ledger.check().unwrap(),
        ledger.size().unwrap(),
        "every record is whole"
    );
    assert_eq!(lost(&load.snapshot()), 0);
    assert!(load.snapshot().versions.contains_key(GOOD));
    nothing_lost(load);
}

#[test]
fn a_failed_sync_of_the_ledger_ends_the_process_and_the_next_one_recovers() {
    if let Some(why) = lacks("strace", &TRACED) {
        return skip("failed syncs of the ledger", &why);
    }
    // Calls are counted for each thread: early ones are the submission's, later ones the controller's.
    for when in [1, 4, 20] {
        failing_sync("fdatasync", when);
    }
}

#[test]
fn a_failed_sync_of_the_database_ends_the_process_and_the_next_one_recovers() {
    if let Some(why) = lacks("strace", &TRACED) {
        return skip("failed syncs of the database", &why);
    }
    for when in [2, 6, 25] {
        failing_sync("fsync", when);
    }
}

#[test]
fn a_disk_that_is_full_from_the_start_refuses_and_changes_nothing() {
    let lab = Lab::new(Path::new(PROGRAM), lab::QUICK);
    let mount = match Mount::new(&lab.path(".gonogo")) {
        Ok(mount) => mount,
        Err(why) => return skip("a disk that is full from the start", &why),
    };
    lab.found();
    let plan = lab.approved(OTHER);
    let ballast = mount.fill();
    let began = crate::lab::now();
    let ran = lab.run(&["apply", &plan]);
    assert!(ran.err.contains("STORE_FULL"), "{ran:?}");
    assert_eq!(ran.code, Some(69), "{ran:?}");
    assert!(began.elapsed() < Duration::from_secs(30));
    lab.serves_only(GOOD);
    std::fs::remove_file(ballast).unwrap();
    let load = lab.load(200.0);
    assert_eq!(lab.run(&["apply", &plan]).code, Some(0));
    nothing_lost(load);
    // The mount first: a directory with one in it cannot be removed.
    drop(mount);
    drop(lab);
}
