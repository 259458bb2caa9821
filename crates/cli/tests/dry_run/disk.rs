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
        Self::of(24, at)
    }

    /// One of so many MiB.
    fn of(size: u32, at: &Path) -> Result<Self, String> {
        std::fs::create_dir_all(at).unwrap();
        let option = std::ffi::CString::new(format!("size={size}m")).unwrap();
        match mount("tmpfs", at, "tmpfs", MountFlags::empty(), option.as_c_str()) {
            Ok(()) => Ok(Self(at.to_owned())),
            Err(e @ (Errno::PERM | Errno::ACCESS | Errno::NODEV)) => {
                Err(format!("a tmpfs of {size} MiB cannot be mounted: {e}"))
            }
            Err(e) => panic!(
                "a tmpfs of {size} MiB cannot be mounted on {}: {e}",
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

/// Prints fifteen megabytes that hardly compress, and ends well when it is told to.
const DENSE: &str = r#"
import base64, random, signal, sys, time
signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
dice = random.Random(7)
for n in range(15 * 1024):
    sys.stdout.write(base64.b64encode(dice.randbytes(765)).decode() + "\n")
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
    std::fs::write(&filler, vec![7; 13 << 20]).unwrap();
    let flags = [
        &BARE[..2],
        &[
            "--ballast",
            "4MiB",
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
    // The forecast warns of the end; that is accepted, so that nothing but the packet is amiss.
    let flags = [
        "--ballast",
        "4MiB",
        "--no-views",
        "--allow-warnings",
        "--resource-sample-interval-minutes",
        "0.01",
    ];
    let made = lab.orchestrate("large", 3.0, &flags, &["python3", "-c", DENSE]);
    // Fifteen megabytes were kept; their packet has no room in what is left of twenty-four.
    made.ran.expect(1);
    let left = made.ran.envelope()["data"]["leftOut"].clone();
    assert_eq!(left.as_array().unwrap().len(), 1, "{left:#}");
    assert!(
        left[0]["what"].as_str().unwrap().ends_with("packet.tar.gz"),
        "{left:#}"
    );
    assert_eq!(made.summary()["left_out"], left);
    assert!(lab.path(&made.captured("verdict.json")).is_file());
    let summary = made.summary();
    assert_eq!(summary["status"], "pass", "{:#}", summary["incidents"]);
    let forecast = incidents(&summary, "disk");
    assert!(
        forecast[0].to_string().contains("the end needs"),
        "{forecast:#?}"
    );
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

/// Warns of a thousand things at length, then floods.
const WARNS: &str = r#"
import signal, sys, time
signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
for n in range(4500):
    sys.stdout.write('{"level":"warn","message":"%s %d"}\n' % (chr(97 + n % 26) * 900, n))
while True:
    sys.stdout.write("x" * 1023 + "\n")
"#;

#[test]
fn a_small_disk_that_stays_full_gets_its_verdict_whatever_its_size() {
    if let Some(why) = gonogo_testkit::lacks("python3", &["--version"]) {
        return skip("verdicts on small disks", &why);
    }
    for (size, program) in [(8, FLOODS), (13, FLOODS), (20, WARNS)] {
        let lab = Lab::new();
        let mount = match Mount::of(size, &lab.path("artifacts")) {
            Ok(mount) => mount,
            Err(why) => return skip("verdicts on small disks", &why),
        };
        let flags = [
            "--ballast",
            "4MiB",
            "--shutdown-grace-seconds",
            "0.5",
            "--terminate-grace-seconds",
            "0.5",
        ];
        let flags = [&BARE[..2], &flags].concat();
        let args = orchestrate("small", 2.0, &flags, &["python3", "-c", program]);
        let ran = lab.run(&args.iter().map(String::as_str).collect::<Vec<_>>());
        let made = lab.made("small", ran);
        // Whatever has no space is left out, and told.
        made.ran.expect(2);
        let data = made.ran.envelope()["data"].clone();
        assert_eq!(data["status"], "fail", "{size}");
        let left = data["leftOut"].as_array().unwrap();
        assert!(!left.is_empty(), "{data:#}");
        let verdict = lab.text(&made.captured("verdict.json"));
        assert_eq!(made.summary()["status"], "fail");
        assert_eq!(made.json("progress.json")["phase"], "complete");
        assert!(lab.path(&made.inside("sign_off.json")).is_file());
        lab.deserted();
        // With space everything is made that was left out, and the verdict is the same.
        let option = c"size=300m";
        mount_remount(&mount.0, MountFlags::empty(), option).unwrap();
        let ran = lab.run(&["finalize", &made.inside(""), "--json"]);
        ran.expect(2);
        assert_eq!(ran.envelope()["data"]["leftOut"], serde_json::json!([]));
        assert_eq!(lab.text(&made.captured("verdict.json")), verdict);
        assert!(made.packet().is_file());
        let raw = lab.text(&made.captured("stdout.000001"));
        let view = lab.text(&made.inside("logs/final_dry_run_small.log"));
        assert_eq!(view.lines().count(), raw.lines().count());
        assert!(view.starts_with(&raw[..1 << 20]));
        drop(mount);
    }
}

#[test]
fn a_ballast_or_a_disk_that_is_too_small_is_refused_before_anything_is_started() {
    let lab = Lab::new();
    let refused = |flags: &[&str], exit: i32, words: &str| {
        let made = lab.orchestrate("none", 2.0, flags, &["true"]);
        made.ran.expect(exit);
        assert!(
            made.ran.envelope().to_string().contains(words),
            "{:?}",
            made.ran
        );
        assert!(
            !lab.path(&made.inside("logs"))
                .join("final_dry_run_none")
                .exists()
        );
    };
    refused(&["--ballast", "1MiB"], 64, "at least 4194304");
    refused(&["--ballast", "4095KiB"], 64, "at least 4194304");
    let mount = match Mount::of(6, &lab.path("artifacts")) {
        Ok(mount) => mount,
        Err(why) => return skip("a disk that is too small", &why),
    };
    refused(&["--ballast", "16MiB"], 69, "bytes are free");
    assert!(!lab.path("artifacts/final_dry_run/.gonogo").exists());
    drop(mount);
}

/// Prints lines of random hexadecimal digits, eight thousand each, as fast as it can.
const HEX: &str = r#"
import random, signal, sys
signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
n = 0
while True:
    sys.stdout.write(random.Random(n).randbytes(4000).hex() + "\n")
    n += 1
"#;

#[test]
fn a_disk_that_stays_full_is_judged_whatever_is_compressed_and_finalized_again_while_it_is_full() {
    if let Some(why) = gonogo_testkit::lacks("python3", &["--version"]) {
        return skip("compressed runs on full disks", &why);
    }
    for (size, compression, views) in [(16, "zstd", false), (6, "gzip", true), (6, "zstd", false)] {
        let what = format!("{size} MiB, {compression}, views {views}");
        let lab = Lab::new();
        let mount = match Mount::of(size, &lab.path("artifacts")) {
            Ok(mount) => mount,
            Err(why) => return skip("compressed runs on full disks", &why),
        };
        let mut flags = vec![
            "--compression",
            compression,
            "--terminate-grace-seconds",
            "1",
        ];
        if !views {
            flags.push("--no-views");
        }
        let flags = [&BARE[..2], &["--shutdown-grace-seconds", "1"], &flags[..]].concat();
        let args = orchestrate("hex", 3.0, &flags, &["python3", "-c", HEX]);
        let made = lab.made(
            "hex",
            lab.run(&args.iter().map(String::as_str).collect::<Vec<_>>()),
        );
        // A failure, because the child could not go on; what was captured can be judged.
        made.ran.expect(2);
        let summary = made.summary();
        assert_eq!(
            summary["status"], "fail",
            "{what}: {:#}",
            summary["incidents"]
        );
        assert_eq!(incidents(&summary, "capture_blocked").len(), 1, "{what}");
        lab.deserted();
        let verdict = lab.text(&made.captured("verdict.json"));
        assert!(!verdict.contains("bytes_missing"), "{what}");
        // Nobody has freed anything: the old verdict is told, with what is left out.
        let ran = lab.run(&["finalize", &made.inside(""), "--json"]);
        ran.expect(2);
        let data = ran.envelope()["data"].clone();
        assert_eq!(data["again"], true, "{what}: {data:#}");
        assert_eq!(lab.text(&made.captured("verdict.json")), verdict, "{what}");
        mount_remount(&mount.0, MountFlags::empty(), c"size=300m").unwrap();
        lab.run(&["finalize", &made.inside(""), "--json"]).expect(2);
        assert_eq!(lab.text(&made.captured("verdict.json")), verdict, "{what}");
        assert!(made.packet().is_file(), "{what}");
        drop(mount);
    }
}
