//! A disk that fills: the child waits, nothing is lost, it is told, and there is a verdict. It needs a file system of its own;
//! where that cannot be had the test is skipped, and says why.

use std::path::{Path, PathBuf};

use gonogo_testkit::skip;
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount, mount_remount, unmount};
use rustix::process::Signal;

use crate::lab::{BARE, Lab, SOON, incidents, orchestrate};
use crate::project::{Running, wait};

/// A small file system of its own, taken away when dropped.
struct Mount(PathBuf);

impl Mount {
    fn new(at: &Path) -> Result<Self, String> {
        std::fs::create_dir_all(at).unwrap();
        match mount("tmpfs", at, "tmpfs", MountFlags::empty(), c"size=24m") {
            Ok(()) => Ok(Self(at.to_owned())),
            Err(e @ (Errno::PERM | Errno::ACCESS | Errno::NODEV)) => {
                Err(format!("a tmpfs of 24 MiB cannot be mounted: {e}"))
            }
            Err(e) => panic!(
                "a tmpfs of 24 MiB cannot be mounted on {}: {e}",
                at.display()
            ),
        }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = unmount(&self.0, UnmountFlags::DETACH);
    }
}

/// Prints numbered lines as fast as it can, up to 12 MiB, and goes on slowly until it is told to end.
const FLOODS: &str = r#"
import signal, sys, time
signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
n = 0
while n < 12 * 1024:
    n += 1
    sys.stdout.write("%08d %s\n" % (n, "x" * 1014))
sys.stdout.flush()
while True:
    time.sleep(0.1)
"#;

#[test]
fn a_full_disk_loses_nothing_is_told_and_is_judged() {
    if let Some(why) = gonogo_testkit::lacks("python3", &["--version"]) {
        return skip("a dry run on a full disk", &why);
    }
    let lab = Lab::new();
    let mount = match Mount::new(&lab.path("artifacts")) {
        Ok(mount) => mount,
        Err(why) => return skip("a dry run on a full disk", &why),
    };
    // Leaves room for a few megabytes beside the ballast.
    let filler = lab.path("artifacts/filler");
    std::fs::write(&filler, vec![7; 14 << 20]).unwrap();
    let flags = [
        &BARE[..2],
        &[
            "--ballast",
            "2MiB",
            "--no-views",
            "--no-packet",
            "--shutdown-grace-seconds",
            "20",
        ],
    ]
    .concat();
    let args = orchestrate("full", 300.0, &flags, &["python3", "-c", FLOODS]);
    let mut command = lab.command(&args.iter().map(String::as_str).collect::<Vec<_>>());
    command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let harness = Running::of(command.spawn().unwrap());
    let dir = "artifacts/final_dry_run/full";
    let progress = lab.path(&format!("{dir}/progress.json"));
    let journal = lab.path(&format!("{dir}/logs/final_dry_run_full/pump.jsonl"));
    wait("the run says that the disk is full", SOON, || {
        let said = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
        let told =
            said(&progress).contains("capture_blocked") || said(&journal).contains("blocked");
        told.then_some(())
    });
    let stdout = lab.path(&format!("{dir}/logs/final_dry_run_full/stdout.000001"));
    let whole = 12 * 1024 * 1024;
    assert!(std::fs::metadata(&stdout).unwrap().len() < whole);
    std::fs::remove_file(&filler).unwrap();
    wait("everything is kept", SOON, || {
        (std::fs::metadata(&stdout).unwrap().len() == whole).then_some(())
    });
    harness.signal(Signal::INT);
    let ran = harness.join();
    let made = lab.made("full", ran);
    assert!([2, 3].contains(&made.ran.status), "{:?}", made.ran);
    let summary = made.summary();
    let told = incidents(&summary, "capture_blocked");
    assert_eq!(told.len(), 1, "{:#}", summary["incidents"]);
    assert!(
        told[0].to_string().contains("No space left") && told[0].get("open").is_none(),
        "{told:#?}"
    );
    let kept = std::fs::read_to_string(&stdout).unwrap();
    for (n, line) in kept.lines().enumerate() {
        assert!(
            line.len() == 1023 && line.starts_with(&format!("{:08} ", n + 1)),
            "line {n}"
        );
    }
    assert_eq!(summary["summary"]["logs"]["total_lines"], 12 * 1024);
    lab.deserted();
    drop(mount);
}

#[test]
fn a_disk_that_stays_full_still_gets_its_verdict_from_the_ballast() {
    if let Some(why) = gonogo_testkit::lacks("python3", &["--version"]) {
        return skip("a verdict on a full disk", &why);
    }
    let lab = Lab::new();
    let mount = match Mount::new(&lab.path("artifacts")) {
        Ok(mount) => mount,
        Err(why) => return skip("a verdict on a full disk", &why),
    };
    std::fs::write(lab.path("artifacts/filler"), vec![7; 12 << 20]).unwrap();
    let flags = [
        &BARE[..2],
        &[
            "--ballast",
            "6MiB",
            "--no-views",
            "--no-packet",
            "--shutdown-grace-seconds",
            "0.5",
            "--terminate-grace-seconds",
            "0.5",
        ],
    ]
    .concat();
    let args = orchestrate("full", 300.0, &flags, &["python3", "-c", FLOODS]);
    let mut command = lab.command(&args.iter().map(String::as_str).collect::<Vec<_>>());
    command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let harness = Running::of(command.spawn().unwrap());
    let journal = lab.path("artifacts/final_dry_run/full/logs/final_dry_run_full/pump.jsonl");
    wait("the run says that the disk is full", SOON, || {
        std::fs::read_to_string(&journal)
            .unwrap_or_default()
            .contains("blocked")
            .then_some(())
    });
    harness.signal(Signal::INT);
    let made = lab.made("full", harness.join());
    assert!([2, 3].contains(&made.ran.status), "{:?}", made.ran);
    let summary = made.summary();
    let told = incidents(&summary, "capture_blocked");
    assert_eq!(told.len(), 1, "{:#}", summary["incidents"]);
    assert!(told[0].to_string().contains("No space left"), "{told:#?}");
    assert!(lab.path(&made.inside("review.html")).is_file());
    lab.deserted();
    drop(mount);
}

#[test]
fn a_packet_that_does_not_fit_takes_no_verdict_with_it() {
    if let Some(why) = gonogo_testkit::lacks("python3", &["--version"]) {
        return skip("a packet that does not fit", &why);
    }
    let lab = Lab::new();
    let mount = match Mount::new(&lab.path("artifacts")) {
        Ok(mount) => mount,
        Err(why) => return skip("a packet that does not fit", &why),
    };
    let flags = ["--ballast", "4MiB", "--no-views"];
    let made = lab.orchestrate("large", 3.0, &flags, &["python3", "-c", FLOODS]);
    // Twelve megabytes were kept; their packet has no room in what is left of twenty-four.
    assert_ne!(made.ran.status, 0, "{:?}", made.ran);
    assert!(lab.path(&made.captured("verdict.json")).is_file());
    let summary = made.summary();
    assert_eq!(summary["status"], "pass", "{:#}", summary["incidents"]);
    assert_eq!(made.json("progress.json")["phase"], "complete");
    assert!(
        made.ran.envelope().to_string().contains("No space left"),
        "{:?}",
        made.ran
    );
    assert!(!made.packet().exists(), "half of a packet is none");
    lab.deserted();
    // With room the packet follows.
    mount_remount(&mount.0, MountFlags::empty(), c"size=96m").unwrap();
    let ran = lab.run(&["finalize", &made.inside(""), "--json"]);
    let key = ran.expect(0).envelope()["data"]["logKey"]
        .as_str()
        .unwrap()
        .to_owned();
    lab.verify(&made.packet(), &key, &[]).expect(0);
    drop(mount);
}
