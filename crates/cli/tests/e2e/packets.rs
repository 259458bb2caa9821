//! Packets: what verifies, and that no change of a packet does.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use gonogo_app::evidence::{Look, verify};
use gonogo_core::clock::{Clock, SystemClock};
use gonogo_core::{Exit, Reason};
use gonogo_ledger::packet::archive::Writer;
use gonogo_store::ledger::{Draft, Founding, Ledger, PacketRequest};
use serde_json::{Value, json};

use crate::project::Project;

/// A project with one promoted and one rolled back release; the packets, and the log's key.
fn packed() -> (Project, [PathBuf; 2], String) {
    let project = Project::serving();
    project
        .run(&["release", "--to", "crash-at-start"])
        .expect(2);
    let operations = project.data(&["history"])["operations"].clone();
    let path = |n: usize| {
        project.path(&format!(
            ".gonogo/packets/{}.tar",
            operations[n]["id"].as_str().unwrap()
        ))
    };
    let paths = [path(1), path(0)];
    let key = project.text(".gonogo/ledger/log.vkey").trim().to_owned();
    (project, paths, key)
}

/// Members of a tar archive: name and bytes.
pub(crate) fn members(path: &Path) -> Vec<(String, Vec<u8>)> {
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

pub(crate) fn pack(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for (name, bytes) in members {
        writer.append(name, bytes).unwrap();
    }
    writer.finish().unwrap()
}

/// Verifies bytes as a file, with the same function as the command, and returns exit and reasons.
pub(crate) fn judged(bytes: &[u8], key: &str) -> (Exit, Vec<Reason>) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    match verify(
        file.path(),
        &Look {
            log_key: Some(key.into()),
            replay: true,
            ..Look::default()
        },
    ) {
        Ok(seen) => (seen.exit, seen.reasons),
        Err(e) => (e.exit(), vec![e.reason]),
    }
}

#[test]
fn a_packet_verifies_with_the_key_that_one_trusts() {
    let (project, packets, key) = packed();
    let other = "ledger.shop+5e4a1b3b+AQIzPVM0fBPrB1rmUCyAEuhKTGyVUbBrFvXi+7SIyJjF";
    for packet in &packets {
        let packet = packet.to_str().unwrap();
        let seen = project.run(&["verify", packet, "--replay", "--log-key", &key, "--json"]);
        seen.expect(0);
        let data = seen.envelope()["data"].clone();
        assert_eq!(
            (&data["verified"], &data["replay"]["ok"]),
            (&Value::Bool(true), &Value::Bool(true)),
            "{data:#}"
        );
        assert!(
            data["replay"]["inputs"].as_u64().unwrap() > 3
                && data["replay"]["answers"].as_u64().unwrap() > 3,
            "{data:#}"
        );
        let names: Vec<&str> = data["checks"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| c["name"].as_str().unwrap())
            .collect();
        assert!(names.len() >= 5, "{names:?}");

        // Nobody vouches for it: it can agree with itself, and that is not a pass.
        let seen = project.run(&["verify", packet, "--json"]);
        seen.expect(1);
        let data = seen.envelope()["data"].clone();
        assert_eq!(
            (&data["verified"], &data["reasonCodes"]),
            (&Value::Bool(false), &json!(["TRUST_MISSING"]))
        );

        // Another log's key, well formed.
        let elsewhere = Project::new();
        elsewhere.run(&["history"]).expect(0);
        let strange = elsewhere.text(".gonogo/ledger/log.vkey");
        let seen = project.run(&["verify", packet, "--log-key", strange.trim(), "--json"]);
        seen.expect(2);
        assert!(seen.out.contains("TRUST_MISMATCH"), "{}", seen.out);
        project
            .run(&["verify", packet, "--log-key", other, "--json"])
            .refusal(64, &["ARGUMENT_INVALID"]);
    }
    let (good, bad) = (packets[0].to_str().unwrap(), packets[1].to_str().unwrap());
    project
        .run(&["verify", good, "--replay", "--log-key", &key])
        .matches("verify-good");
    project.run(&["verify", bad]).matches("verify-no-key");
}

#[test]
fn a_packet_written_again_elsewhere_verifies_too() {
    let (project, packets, key) = packed();
    let id = packets[0].file_stem().unwrap().to_str().unwrap();
    let error = project.refuses(
        &["packet", id, "--out", "sent/packet.tar"],
        73,
        &["OUTPUT_FAILED"],
    );
    assert!(
        error["message"].as_str().unwrap().contains("`sent`"),
        "{error}"
    );
    assert!(
        !project.path("sent").exists(),
        "a refusal makes no directory"
    );
    std::fs::create_dir(project.path("sent")).unwrap();
    // Nothing is put in the place of a pipe, a link or a directory.
    rustix::fs::mknodat(
        rustix::fs::CWD,
        project.path("sent/pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    std::os::unix::fs::symlink("gonogo.toml", project.path("sent/link")).unwrap();
    for place in ["sent/pipe", "sent/link", "sent"] {
        project.refuses(&["packet", id, "--out", place], 73, &["OUTPUT_FAILED"]);
    }
    assert!(
        std::fs::symlink_metadata(project.path("sent/link"))
            .unwrap()
            .is_symlink()
    );
    let data = project.data(&["packet", id, "--out", "sent/packet.tar"]);
    assert_eq!(data["logKey"], key);
    project
        .run(&["verify", "sent/packet.tar", "--replay", "--log-key", &key])
        .expect(0);
    // Verifying needs neither project nor configuration.
    std::fs::remove_file(project.path("gonogo.toml")).unwrap();
    project
        .run(&["verify", "sent/packet.tar", "--replay", "--log-key", &key])
        .expect(0);
}

#[test]
fn a_reader_brings_trust_memory_and_the_artifact_along() {
    let (project, packets, key) = packed();
    let good = packets[0].to_str().unwrap();
    let all = members(&packets[0]);
    for (name, bytes) in &all {
        let path = project.path("unpacked").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    let artifact = &project.records("plan")[0]["body"]["body"]["to"]["artifacts"][0];
    let artifact = artifact["path"].as_str().unwrap();
    let policy = format!("log {key}\nquorum none\n");
    std::fs::write(project.path("my.policy"), policy).unwrap();
    let checkpoint = "unpacked/checkpoint";
    let rest = ["--since", checkpoint, "--artifact", artifact, "--json"];
    for trust in [
        &["--log-key", key.as_str()][..],
        &["--policy", "my.policy"],
        &["--trusted-root", "unpacked/trust/trusted_root.json"],
        &["--trust-packet"],
    ] {
        for packet in [good, "unpacked"] {
            let seen = project.run(&[&["verify", packet], trust, &rest].concat());
            seen.expect(0);
            let data = seen.envelope()["data"].clone();
            let state = |name: &str| {
                let checks = data["checks"].as_array().unwrap();
                let check = checks.iter().find(|c| c["name"] == name).unwrap();
                check["state"].as_str().unwrap().to_owned()
            };
            assert_eq!(
                (state("history"), state("artifact")),
                ("passed".into(), "passed".into())
            );
            assert_eq!(
                (state("quorum"), state("timestamp")),
                ("skipped".into(), "skipped".into())
            );
            assert_eq!(data["log"]["key"], key);
        }
    }
    // The later packet continues the earlier one's checkpoint, the earlier one does not continue the later one's.
    let later = packets[1].to_str().unwrap();
    let key = key.as_str();
    project
        .run(&["verify", later, "--log-key", key, "--since", checkpoint])
        .expect(0);
    let newest = members(&packets[1])
        .into_iter()
        .find(|(n, _)| n == "checkpoint");
    std::fs::write(project.path("newest"), newest.unwrap().1).unwrap();
    let seen = project.run(&["verify", good, "--log-key", key, "--since", "newest"]);
    seen.expect(3);
    assert!(seen.err.contains("HISTORY_UNPROVEN"), "{}", seen.err);
    // A file that the release is not about, a policy that asks for a witness, and what cannot be understood.
    let seen = project.run(&["verify", good, "--log-key", key, "--artifact", "my.policy"]);
    seen.expect(2);
    assert!(seen.err.contains("ARTIFACT_MISMATCH"), "{}", seen.err);
    let witness = "witness w w.example+0b4f7a4f+BGo5xg2c9jLuGI2ds0y2PMg2J0QCN3Kb1XDSmNhsyYJ0";
    std::fs::write(
        project.path("bad.policy"),
        format!("log {key}\n{witness}\nquorum w\n"),
    )
    .unwrap();
    for (file, exit) in [("bad.policy", 65), ("gone.policy", 66)] {
        project
            .run(&["verify", good, "--policy", file])
            .expect(exit);
    }
    project
        .run(&["verify", good, "--policy", "my.policy", "--log-key", key])
        .expect(64);
    // A file too many, a link and a byte changed in the directory.
    std::fs::write(project.path("unpacked/more"), "").unwrap();
    project
        .run(&["verify", "unpacked", "--log-key", key])
        .expect(2);
    std::fs::remove_file(project.path("unpacked/more")).unwrap();
    let member = project.path("unpacked/packet.json");
    std::fs::rename(&member, project.path("elsewhere")).unwrap();
    std::os::unix::fs::symlink(project.path("elsewhere"), &member).unwrap();
    project
        .run(&["verify", "unpacked", "--log-key", key])
        .expect(2);
}

#[test]
fn not_one_changed_byte_goes_unseen() {
    let (project, packets, key) = packed();
    let good = std::fs::read(&packets[1]).unwrap();
    assert_eq!(
        judged(&good, &key),
        (Exit::Done, vec![Reason::PacketVerified])
    );
    // A fixed walk over the file that meets every member, each time with another bit.
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut first = None;
    for n in 0..120 {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let at = (seed >> 20) as usize % good.len();
        let mut bad = good.clone();
        bad[at] ^= 1 << (n % 8);
        let (exit, reasons) = judged(&bad, &key);
        assert!(
            !matches!(exit, Exit::Done | Exit::Hold),
            "byte {at} changed: {exit:?} {reasons:?}"
        );
        first.get_or_insert(bad);
    }
    std::fs::write(project.path("flipped.tar"), first.unwrap()).unwrap();
    let seen = project.run(&["verify", "flipped.tar", "--replay", "--log-key", &key]);
    assert!(
        seen.status >= 2 && !seen.out.contains("verified ·") && !seen.out.contains("\nverified"),
        "{}",
        seen.out
    );
}

#[test]
fn a_member_left_out_or_added_or_swapped_is_named() {
    let (_project, packets, key) = packed();
    let all = members(&packets[0]);
    assert_eq!(
        pack(&all),
        std::fs::read(&packets[0]).unwrap(),
        "this test's reader understands the archive"
    );
    for n in 0..all.len() {
        let mut fewer = all.clone();
        let (name, _) = fewer.remove(n);
        let (exit, reasons) = judged(&pack(&fewer), &key);
        assert!(
            !matches!(exit, Exit::Done | Exit::Hold),
            "without `{name}`: {exit:?} {reasons:?}"
        );
        if name.starts_with("records/") {
            assert!(
                reasons.contains(&Reason::PacketMemberMissing),
                "without `{name}`: {reasons:?}"
            );
        }
    }
    let last = all
        .iter()
        .rfind(|(name, _)| name.starts_with("records/"))
        .unwrap()
        .clone();
    for name in [
        "records/000999.sigstore.json",
        "proofs/000999.tlog-proof",
        "readme.txt",
        "blobs/sha256/00",
    ] {
        let mut more = all.clone();
        more.push((name.into(), last.1.clone()));
        more.sort();
        let (exit, reasons) = judged(&pack(&more), &key);
        assert!(
            !matches!(exit, Exit::Done | Exit::Hold),
            "with `{name}`: {exit:?} {reasons:?}"
        );
        assert!(
            reasons.contains(&Reason::PacketMemberAdded)
                || reasons.contains(&Reason::PacketCorrupt),
            "with `{name}`: {reasons:?}"
        );
    }
    let records: Vec<usize> = (0..all.len())
        .filter(|n| all[*n].0.starts_with("records/"))
        .collect();
    let mut swapped = all.clone();
    let (one, two) = (records[2], records[3]);
    let bytes = swapped[one].1.clone();
    swapped[one].1 = std::mem::replace(&mut swapped[two].1, bytes);
    assert_eq!(judged(&pack(&swapped), &key).0, Exit::Fail);
}

#[test]
fn what_is_no_packet_is_never_one() {
    let (project, packets, key) = packed();
    let good = std::fs::read(&packets[0]).unwrap();
    for cut in [
        0,
        1,
        511,
        512,
        good.len() / 2,
        good.len() - 1024,
        good.len() - 512,
        good.len() - 1,
    ] {
        std::fs::write(project.path("cut.tar"), &good[..cut]).unwrap();
        let seen = project.run(&["verify", "cut.tar", "--log-key", &key, "--json"]);
        assert!(
            seen.status >= 2,
            "cut to {cut}: exit {}\n{}",
            seen.status,
            seen.out
        );
        seen.envelope();
    }
    let mut longer = good.clone();
    longer.extend([0; 512]);
    assert_eq!(
        judged(&longer, &key).0,
        Exit::Fail,
        "something after the end"
    );
    std::fs::write(project.path("text.tar"), "this is no archive").unwrap();
    let seen = project.run(&["verify", "text.tar", "--json"]);
    seen.expect(2);
    let data = seen.envelope()["data"].clone();
    assert_eq!(data["verified"], false);
    assert!(
        data["reasonCodes"].to_string().contains("PACKET_CORRUPT"),
        "{data:#}"
    );
    project
        .run(&["verify", "text.tar"])
        .matches("verify-no-packet");
    project
        .run(&["verify", "gone.tar", "--json"])
        .refusal(66, &["INPUT_NOT_FOUND"]);
    let dir = project.run(&["verify", "versions", "--json"]);
    assert!(dir.status >= 2, "{}", dir.out);
    project
        .run(&[
            "verify",
            packets[0].to_str().unwrap(),
            "--log-key",
            "nonsense",
            "--json",
        ])
        .refusal(64, &["ARGUMENT_INVALID"]);
}

/// Stream, kind and body of a record, and how many milliseconds after the others it says that it was made.
pub(crate) type Told = (String, &'static str, Value, i64);

/// A well-signed packet of a plan, its approval and an operation's begin, and a rejection that `spoil` may add; all of them as
/// `spoil` has changed them before they were recorded.
pub(crate) fn packet_with(
    spoil: impl Fn(&mut Vec<Told>, Told),
) -> (tempfile::TempDir, PathBuf, String) {
    let project = Project::new();
    let plan = project.approved("1.0.0");
    project.data(&["approve", &plan, "--reject"]);
    packet_of(&project, &plan, spoil)
}

/// As [`packet_with`], of a project's plan that somebody approved; the second thing that was said of it is given beside.
pub(crate) fn packet_of(
    project: &Project,
    plan: &str,
    spoil: impl Fn(&mut Vec<Told>, Told),
) -> (tempfile::TempDir, PathBuf, String) {
    let body = |kind: &str, n: usize| {
        let all = project.records(kind);
        all.get(n).map_or(Value::Null, |r| r["body"].clone())
    };
    let (planned, given) = (body("plan", 0), body("approval", 0));
    let stream = format!("plan/{plan}");
    let operation = "operation/op_000000000000";
    let begun = json!({"plan": plan, "fingerprint": planned["fingerprint"], "environment": "local", "idempotencyKey": plan,
        "requester": "you", "approvals": [given["approval"]["approvalId"]]});
    let used = json!({"approval": given["approval"]["approvalId"], "idempotencyKey": plan});
    let mut records: Vec<Told> = vec![
        (stream.clone(), "plan", planned, 0),
        (stream.clone(), "approval", given, 0),
        (stream.clone(), "approval-use", used, 0),
        (operation.into(), "operation", begun, 0),
        (
            operation.into(),
            "result",
            json!({"step": 1, "result": {"result": "promoted"}}),
            0,
        ),
    ];
    let rejection = (stream.clone(), "approval", body("approval", 1), 0);
    spoil(&mut records, rejection);
    let dir = tempfile::tempdir().unwrap();
    let time = SystemClock::default().now().wall;
    let ledger = Ledger::open(
        dir.path(),
        Founding {
            origin: "ledger.shop",
            actor: "gonogo",
            time,
        },
    )
    .unwrap();
    let you = Arc::new(
        gonogo_app::identity::read_key(&project.path(".gonogo/keys/you.p256.pem")).unwrap(),
    );
    ledger
        .enrol(*you.public(), "you", "person", "you", time)
        .unwrap();
    let others = records.iter().map(|r| r.0.clone());
    let mut extra: Vec<String> = others.filter(|s| s != operation).collect();
    extra.sort_unstable();
    extra.dedup();
    for (n, (stream, kind, body, later)) in records.into_iter().enumerate() {
        let draft = Draft {
            stream,
            key: format!("{kind}/{n}"),
            kind: kind.into(),
            subject: vec![],
            time: gonogo_core::Timestamp::from_millis(time.as_millis() + later),
            actor: "you".into(),
            body,
            signer: ["plan", "approval"].contains(&kind).then(|| you.clone()),
        };
        ledger.append(vec![draft]).unwrap();
    }
    let out = dir.path().join("packet.tar");
    ledger
        .write_packet(&PacketRequest {
            stream: operation,
            extra_streams: &extra,
            blobs: &[],
            outside: None,
            verdict: "",
            since: &[],
            policy: None,
            seals: None,
            stamps: None,
            out: &out,
            actor: "gonogo",
            time,
        })
        .unwrap();
    let key = ledger.log_vkey().to_string();
    (dir, out, key)
}

#[test]
fn a_well_signed_packet_without_a_fitting_approval_is_a_no() {
    let look = |key: String| Look {
        log_key: Some(key),
        ..Look::default()
    };
    let (_dir, path, key) = packet_with(|_, _| {});
    let seen = verify(&path, &look(key)).unwrap();
    assert_eq!(
        (seen.exit, seen.approvals.unwrap().unwrap()),
        (Exit::Done, 1)
    );

    // The record of the beginning may be written late: a no that came after the beginning, and before its record, is too late.
    let (_dir, path, key) = packet_with(|r, mut no| {
        no.3 = 1;
        r.insert(2, no);
    });
    assert_eq!(verify(&path, &look(key)).unwrap().exit, Exit::Done);
    // A result is a controller's word about its operation, and stands in that stream alone.
    let (_dir, path, key) = packet_with(|r, _| r[4].0 = r[0].0.clone());
    assert_eq!(verify(&path, &look(key)).unwrap().result, None);

    // What another operation in the packet did is not what this one did, in whatever order they ended.
    for other_is_last in [true, false] {
        let (_dir, path, key) = packet_with(|r, _| {
            let mut other = r[4].clone();
            other.0 = "operation/op_111111111111".into();
            r[4].2["result"]["result"] = "rolled_back".into();
            r.insert(if other_is_last { 5 } else { 4 }, other);
        });
        let seen = verify(&path, &look(key)).unwrap();
        assert_eq!(
            (seen.exit, seen.result.as_deref()),
            (Exit::Done, Some("rolled_back"))
        );
    }

    // Without a result it is no proof of anything, however sound.
    let (_dir, path, key) = packet_with(|r, _| drop(r.pop()));
    let seen = verify(&path, &look(key)).unwrap();
    assert_eq!(
        (seen.exit, &seen.reasons[..]),
        (Exit::Unjudged, &[Reason::OperationUnfinished][..])
    );

    type Spoil = fn(&mut Vec<Told>, Told);
    let spoils: [(&str, Spoil); 19] = [
        ("a plan in another plan's stream", |r, _| {
            r[..3]
                .iter_mut()
                .for_each(|told| told.0 = "plan/pln_copy".into())
        }),
        ("a plan from after the beginning", |r, _| r[0].3 = 1),
        ("an approval from after the beginning", |r, _| r[1].3 = 1),
        ("a use from after the beginning", |r, _| r[2].3 = 1),
        ("the beginning of another operation", |r, _| {
            r[3].0 = "operation/op_111111111111".into()
        }),
        ("a beginning that is not the first", |r, _| {
            let mut early = r[4].clone();
            early.1 = "rollout-step";
            r.insert(3, early)
        }),
        ("an approval that was never used", |r, _| drop(r.remove(2))),
        ("an approval used for another request", |r, _| {
            r[2].2["idempotencyKey"] = "other".into()
        }),
        ("an approval used twice", |r, _| {
            let mut again = r[2].clone();
            again.2["idempotencyKey"] = "other".into();
            r.insert(2, again);
        }),
        ("another plan", |r, _| {
            r[1].2["approval"]["planFingerprint"] = format!("v2:sha256:{}", "0".repeat(64)).into()
        }),
        ("another environment", |r, _| {
            r[1].2["approval"]["environment"] = "prod".into()
        }),
        ("no signature", |r, _| r[1].2["signed"] = Value::Null),
        ("a yes that was a no", |r, _| {
            r[1].2["approval"]["decision"] = "rejected".into()
        }),
        ("a no after the yes", |r, no| r.insert(2, no)),
        ("an operation elsewhere", |r, _| {
            r[3].2["environment"] = "prod".into()
        }),
        ("an operation of somebody else", |r, _| {
            r[3].2["requester"] = "eve".into()
        }),
        ("an operation of another plan", |r, _| {
            r[3].2["plan"] = "pln_000000000000".into()
        }),
        ("a second operation over the same approval", |r, _| {
            r.push(r[3].clone())
        }),
        ("an operation that names no approval", |r, _| {
            r[3].2["approvals"] = json!([])
        }),
    ];
    for (what, spoil) in spoils {
        let (_dir, path, key) = packet_with(spoil);
        let seen = verify(&path, &look(key)).unwrap();
        assert_eq!(seen.exit, Exit::Fail, "{what}: {:?}", seen.reasons);
        assert_eq!(
            seen.reasons.first(),
            Some(&Reason::ApprovalInvalid),
            "{what}"
        );
        assert!(matches!(seen.approvals, Some(Err(_))), "{what}");
    }
}
