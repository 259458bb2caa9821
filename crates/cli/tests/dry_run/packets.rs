//! The packet of a run in others' hands: what was changed in it, left out of it, or forged before it was made.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gonogo_core::Digest;
use gonogo_ledger::packet::archive::Writer;
use rustix::process::Signal;
use serde_json::Value;

use crate::lab::{BARE, BEATS, Lab, Made, SOON, orchestrate, sh};
use crate::project::{Running, wait};
use crate::screen::Ran;

/// Members of a tar archive: name and bytes.
fn members(path: &Path) -> Vec<(String, Vec<u8>)> {
    let bytes = std::fs::read(path).unwrap();
    let mut at = 0;
    let mut found = Vec::new();
    while bytes[at] != 0 {
        let text =
            |from: usize, to: usize| String::from_utf8(bytes[at + from..at + to].to_vec()).unwrap();
        let name = text(0, 100).trim_end_matches('\0').to_owned();
        let size = usize::from_str_radix(text(124, 135).trim_end_matches('\0'), 8).unwrap();
        found.push((name, bytes[at + 512..at + 512 + size].to_vec()));
        at += 512 + size.div_ceil(512) * 512;
    }
    found
}

fn pack(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut members = members.to_vec();
    // The archive's order is the order of names, but for the manifest in front.
    let front = members
        .iter()
        .take_while(|(name, _)| !name.starts_with("blobs/"))
        .count();
    members[front..].sort();
    let mut writer = Writer::new(Vec::new());
    for (name, bytes) in &members {
        writer.append(name, bytes).unwrap();
    }
    writer.finish().unwrap()
}

/// A run with a plain packet, which lies at the path.
fn packed<'a>(lab: &'a Lab, name: &str, flags: &[&str], command: &[&str]) -> (Made<'a>, PathBuf) {
    let archive = format!("{name}.tar");
    let made = lab.orchestrate(
        name,
        0.5,
        &[&["--packet-archive", &archive], flags].concat(),
        command,
    );
    (made, lab.path(&archive))
}

/// Digests of a run's files, by name.
fn digests(lab: &Lab, made: &Made<'_>) -> BTreeMap<String, String> {
    let list = lab.json(&made.captured("files.json"));
    let files = list["files"].as_array().unwrap().iter();
    files
        .map(|f| {
            (
                f["name"].as_str().unwrap().to_owned(),
                f["sha256"].as_str().unwrap().to_owned(),
            )
        })
        .collect()
}

fn member_of(digest: &str) -> String {
    format!("blobs/sha256/{}", digest.rsplit(':').next().unwrap())
}

/// Fails unless the packet is not to be believed.
#[track_caller]
fn distrusted(what: &str, ran: &Ran) -> Value {
    assert!([1, 2, 3, 65].contains(&ran.status), "{what}: {ran:?}");
    let envelope = ran.envelope();
    if envelope["success"] == true {
        assert_eq!(envelope["data"]["verified"], false, "{what}: {envelope:#}");
    }
    envelope
}

#[test]
fn a_change_of_one_byte_anywhere_is_seen() {
    let lab = Lab::new();
    let (made, packet) = packed(&lab, "run", &[], &sh(BEATS));
    made.ended(0, "pass");
    let key = made.key();
    let whole = members(&packet);
    let other = lab.path("other.tar");
    std::fs::write(&other, pack(&whole)).unwrap();
    lab.verify(&other, &key, &[]).expect(0);
    let named = digests(&lab, &made);
    let mut regions: Vec<(String, String)> = [
        "stdout.000001",
        "index",
        "verdict.json",
        "run.json",
        "keeper.jsonl",
        "pump.jsonl",
    ]
    .iter()
    .map(|f| ((*f).to_owned(), member_of(&named[*f])))
    .collect();
    regions.extend(
        whole
            .iter()
            .filter(|(name, bytes)| !name.starts_with("blobs/") && !bytes.is_empty())
            .map(|(name, _)| (name.clone(), name.clone())),
    );
    assert!(regions.len() > 8, "{regions:?}");
    for (what, name) in regions {
        let at = whole
            .iter()
            .position(|(n, _)| *n == name)
            .unwrap_or_else(|| panic!("{what} is not in the packet"));
        for place in [0, whole[at].1.len() / 2, whole[at].1.len() - 1] {
            let mut changed = whole.clone();
            changed[at].1[place] ^= 1;
            std::fs::write(&other, pack(&changed)).unwrap();
            distrusted(
                &format!("{what}, byte {place}"),
                &lab.verify(&other, &key, &[]),
            );
        }
        let mut without = whole.clone();
        without.remove(at);
        std::fs::write(&other, pack(&without)).unwrap();
        distrusted(&format!("without {what}"), &lab.verify(&other, &key, &[]));
    }
}

#[test]
fn a_change_of_the_compressed_packet_is_seen_and_a_cut_one_too() {
    let lab = Lab::new();
    let made = lab.orchestrate("run", 0.5, &[], &sh(BEATS));
    made.ended(0, "pass");
    let (key, whole) = (made.key(), std::fs::read(made.packet()).unwrap());
    let other = lab.path("other.tar.gz");
    for part in 1..12 {
        let mut changed = whole.clone();
        let at = changed.len() * part / 12;
        changed[at] ^= 0x10;
        std::fs::write(&other, &changed).unwrap();
        distrusted(&format!("byte {at}"), &lab.verify(&other, &key, &[]));
        std::fs::write(&other, &whole[..at]).unwrap();
        distrusted(&format!("cut at {at}"), &lab.verify(&other, &key, &[]));
    }
    std::fs::write(&other, &whole).unwrap();
    lab.verify(&other, &key, &[]).expect(0);
}

#[test]
fn other_bytes_of_the_right_shape_are_not_the_bytes_that_were_judged() {
    let lab = Lab::new();
    let script = format!("echo 'ERROR the order was lost'; {BEATS}");
    let (made, packet) = packed(&lab, "bad", &[], &sh(&script));
    made.ended(2, "fail");
    let key = made.key();
    let genuine = lab.verify(&packet, &key, &[]).expect(2).envelope();
    assert_eq!(
        (
            &genuine["data"]["verified"],
            &genuine["data"]["dryRun"]["status"]
        ),
        (&true.into(), &"fail".into())
    );
    let people = crate::project::finish(
        lab.bare(&["verify", packet.to_str().unwrap(), "--log-key", &key]),
        &["verify"],
    );
    assert!(people.out.contains("genuine"), "{people:?}");
    // The same number of bytes, without the error, under the old name and under its own.
    let named = digests(&lab, &made);
    let old = member_of(&named["stdout.000001"]);
    let whole = members(&packet);
    let at = whole.iter().position(|(n, _)| *n == old).unwrap();
    let text = String::from_utf8(whole[at].1.clone()).unwrap();
    let better = text
        .replace("ERROR the order was lost", "INFO  the order was kept")
        .into_bytes();
    assert!(better.len() == whole[at].1.len() && better != whole[at].1);
    let own = member_of(&Digest::of(&better).to_string());
    for name in [old, own] {
        let mut changed = whole.clone();
        changed[at] = (name.clone(), better.clone());
        let path = lab.path("changed.tar");
        std::fs::write(&path, pack(&changed)).unwrap();
        distrusted(&name, &lab.verify(&path, &key, &[]));
    }
    // A passing run of somebody else's ledger is vouched for by another key.
    let elsewhere = Lab::new();
    let (good, theirs) = packed(&elsewhere, "good", &[], &sh(BEATS));
    good.ended(0, "pass");
    distrusted("another ledger", &lab.verify(&theirs, &key, &[]));
}

#[test]
fn a_packet_without_raw_bytes_proves_what_was_signed_and_not_the_verdict() {
    let lab = Lab::new();
    let (made, packet) = packed(&lab, "run", &["--packet-skip-raw"], &sh(BEATS));
    made.ended(0, "pass");
    let envelope = lab.verify(&packet, &made.key(), &[]).expect(3).envelope();
    assert!(
        envelope.to_string().contains("VERDICT_UNDERIVABLE"),
        "{envelope:#}"
    );
    assert!(!lab.path(&made.inside("packet/raw/stdout.000001")).exists());
    let manifest = made.json("packet/manifest.json");
    assert!(
        manifest["missing"].to_string().contains("stdout.000001"),
        "{manifest:#}"
    );
}

#[test]
fn the_artifact_must_be_the_one_that_was_run() {
    let lab = Lab::new();
    let program = lab.write("bin/trader", format!("#!/bin/sh\n{BEATS}\n"));
    let other = lab.write("bin/other", "#!/bin/sh\nexit 0\n");
    crate::lab::executable(&program);
    let (made, packet) = packed(
        &lab,
        "run",
        &["--artifact", "bin/trader"],
        &["./bin/trader"],
    );
    made.ended(0, "pass");
    let key = made.key();
    lab.verify(&packet, &key, &["--artifact", &program])
        .expect(0);
    distrusted(
        "another artifact",
        &lab.verify(&packet, &key, &["--artifact", &other]),
    );
    // The same bytes elsewhere are the same artifact.
    std::fs::copy(&program, lab.path("copy")).unwrap();
    lab.verify(&packet, &key, &["--artifact", &lab.at("copy")])
        .expect(0);
    // One that changes while it runs is not what was signed off.
    let script = lab.write(
        "bin/changing",
        format!("#!/bin/sh\necho '# more' >> \"$0\"\n{BEATS}\n"),
    );
    crate::lab::executable(&script);
    let before = std::fs::read(&script).unwrap();
    let (made, packet) = packed(
        &lab,
        "changing",
        &["--artifact", "bin/changing"],
        &["./bin/changing"],
    );
    assert_ne!(std::fs::read(&script).unwrap(), before);
    lab.write("was", &before);
    for file in ["was", "bin/changing"] {
        distrusted(
            file,
            &lab.verify(&packet, &made.key(), &["--artifact", &lab.at(file)]),
        );
    }
}

#[test]
fn a_verdict_that_was_laid_beside_the_bytes_does_not_follow_from_them() {
    let lab = Lab::new();
    let good = lab.orchestrate("good", 0.5, &[], &sh(BEATS));
    good.ended(0, "pass");
    // A run that is killed before its verdict, for which somebody writes one.
    let args = orchestrate(
        "bad",
        300.0,
        &BARE[..2],
        &sh(&format!("echo 'ERROR lost'; {BEATS}")),
    );
    let mut command = lab.command(&args.iter().map(String::as_str).collect::<Vec<_>>());
    command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let running = Running::of(command.spawn().unwrap());
    let stdout = lab.path("artifacts/final_dry_run/bad/logs/final_dry_run_bad/stdout.000001");
    wait("the child prints", SOON, || {
        std::fs::metadata(&stdout)
            .is_ok_and(|m| m.len() > 50)
            .then_some(())
    });
    running.signal(Signal::KILL);
    drop(running);
    lab.deserted();
    let capture = "artifacts/final_dry_run/bad/logs/final_dry_run_bad";
    let ids = [good.captured(""), format!("{capture}/")].map(|dir| {
        lab.json(&format!("{dir}run.json"))["run_id"]
            .as_str()
            .unwrap()
            .to_owned()
    });
    let forged = lab
        .text(&good.captured("verdict.json"))
        .replace(&ids[0], &ids[1]);
    lab.write(&format!("{capture}/verdict.json"), forged);
    let ran = lab.run(&["finalize", "artifacts/final_dry_run/bad", "--json"]);
    // What nobody signed is none: the run is judged.
    let made = lab.made("bad", ran);
    assert_eq!(made.ran.expect(2).envelope()["data"]["again"], false);
    let verified = lab
        .verify(&made.packet(), &made.key(), &[])
        .expect(2)
        .envelope();
    assert_eq!(verified["data"]["dryRun"]["ok"], true, "{verified:#}");
    // Nor is one that was changed after it was signed.
    let path = format!("{capture}/verdict.json");
    let text = lab.text(&path);
    lab.write(&path, text.replace("\"fail\"", "\"pass\""));
    lab.run(&["finalize", "artifacts/final_dry_run/bad", "--json"])
        .refusal(65, &["INPUT_MALFORMED"]);
}

#[test]
fn bytes_that_change_after_the_verdict_are_not_packed_as_if_they_had_been_judged() {
    let lab = Lab::new();
    let made = lab.orchestrate("run", 0.5, &[], &sh(BEATS));
    made.ended(0, "pass");
    let key = made.key();
    let path = lab.path(&made.captured("stdout.000001"));
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[12] ^= 1;
    // The packet's directory may hold the same file under a second name.
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, &bytes).unwrap();
    let before = std::fs::read(made.packet()).unwrap();
    let ran = lab.run(&["finalize", &made.inside(""), "--json"]);
    let after = lab.verify(&made.packet(), &key, &[]);
    if ran.status == 0 {
        panic!(
            "`finalize` says pass about other bytes than were judged; the packet then verifies with {}: {ran:?}",
            after.status
        );
    }
    assert!(
        std::fs::read(made.packet()).unwrap() == before || after.status != 0,
        "{after:?}"
    );
}
