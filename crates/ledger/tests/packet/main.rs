//! Packets as an attacker would send them: every change must be refused, and for the stated reason.

#![expect(
    clippy::unwrap_used,
    reason = "these are tests; a panic is their failure"
)]

mod cheats;
mod fixture;
mod mutate;
mod mutation;
mod trust;

use std::io::{Cursor, Read};

use fixture::{Log, STREAM, enrol, new_key};
use gonogo_core::{Digest, Exit, Reason, Verdict};
use gonogo_ledger::packet::archive::{Listed, Member, Reader, Writer};
use gonogo_ledger::packet::{self, Omitted};
use gonogo_ledger::verify::{CHECKS, Limits, Request, State};
use gonogo_ledger::{LogKey, Report, SYSTEM_STREAM, SigningKey, Trust, Vkey, verify};
use serde_json::{Value, json};

/// A log with two steps, an approval by an approver's key, an unrelated stream and a blob.
fn small() -> Log {
    let mut log = Log::new("ledger.test");
    let approver = new_key();
    log.append(
        SYSTEM_STREAM,
        "key-event",
        enrol(&approver, "dana", "approver"),
    );
    log.append(STREAM, "rollout-step", json!({"step": 1}));
    log.append("operation/op_other", "rollout-step", json!({"step": 9}));
    append_by(
        &mut log,
        &approver,
        STREAM,
        "approval",
        json!({"plan": "pln_x"}),
    );
    let blob = log.put_blob(b"a report\n");
    log.append(STREAM, "soak-run", json!({"report": blob}));
    log
}

fn append_by(log: &mut Log, key: &SigningKey, stream: &str, kind: &str, body: Value) {
    let statement = log.statement(stream, kind, body);
    log.append_statement(&statement, Some(key));
}

fn judge(packet: &[u8], vkey: Option<&Vkey>) -> Report {
    let trust = vkey.cloned().map_or_else(Trust::default, Trust::of_log);
    verify(packet, &Request::new(&trust)).unwrap()
}

/// Verifies with the log's own key; a failing report must hand out nothing.
fn refuse(packet: &[u8], log: &Log) -> Reason {
    let report = judge(packet, Some(log.key.vkey()));
    assert_ne!(report.verdict, Verdict::Pass);
    assert!(report.records.is_empty() && report.blobs.is_empty() && report.claim.is_none());
    assert_eq!(report.exit(), Exit::Fail, "{:?}", report.checks);
    report.reason
}

type Parts = Vec<(String, Vec<u8>)>;

fn unpack(packet: &[u8]) -> Parts {
    let mut reader = Reader::new(packet);
    let mut members = Vec::new();
    while let Some(member) = reader.next_member().unwrap() {
        let bytes = reader.bytes(&member).unwrap();
        members.push((member.name, bytes));
    }
    members
}

fn pack(mut members: Parts) -> Vec<u8> {
    members.sort();
    let mut writer = Writer::new(Vec::new());
    for (name, bytes) in &members {
        writer.append(name, bytes).unwrap();
    }
    writer.finish().unwrap()
}

fn state_of(report: &Report, name: &str) -> State {
    report.checks.iter().find(|c| c.name == name).unwrap().state
}

#[test]
fn a_good_packet_passes_and_hands_out_its_records() {
    let mut log = small();
    let contents = log.contents();
    let packet = log.packet(&contents);
    let report = judge(&packet, Some(log.key.vkey()));
    assert_eq!(
        report.reason,
        Reason::PacketVerified,
        "{:#?}",
        report.checks
    );
    assert_eq!(report.exit(), Exit::Done);
    let found: Vec<_> = report
        .records
        .iter()
        .map(|r| (r.index, r.seq, r.kind.as_str(), r.signer.who.as_str()))
        .collect();
    let controller = "controller@test";
    assert_eq!(
        found,
        [
            (0, 0, "key-event", controller),
            (1, 1, "key-event", controller),
            (2, 0, "rollout-step", controller),
            (4, 1, "approval", "dana"),
            (5, 2, "soak-run", controller),
        ]
    );
    assert_eq!(report.records[3].body, json!({"plan": "pln_x"}));
    assert_eq!(report.blobs, [Digest::of(b"a report\n")]);
    assert_eq!(report.claim.as_deref(), Some("promoted"));
    let blob = packet::extract_blob(&packet[..], &report.blobs[0], 100).unwrap();
    assert_eq!(blob.as_deref(), Some(&b"a report\n"[..]));
    let names: Vec<_> = report.checks.iter().map(|c| c.name).collect();
    assert_eq!(names, CHECKS);
    for check in &report.checks {
        let skipped = ["quorum", "history", "timestamp", "artifact"].contains(&check.name);
        let expected = if skipped {
            State::Skipped
        } else {
            State::Passed
        };
        assert_eq!(check.state, expected, "{check:?}");
    }
    assert_eq!(log.seal(&contents), packet, "packets are deterministic");
}

#[test]
fn only_what_is_asked_for_is_handed_out() {
    let mut log = small();
    let contents = log.contents();
    let packet = log.packet(&contents);
    let trust = Trust::of_log(log.key.vkey().clone());
    let approvals = |stream: &str, kind: &str| stream == STREAM && kind == "approval";
    let mut request = Request {
        keep: &approvals,
        workers: 1,
        ..Request::new(&trust)
    };
    let report = verify(&packet[..], &request).unwrap();
    assert_eq!(report.verdict, Verdict::Pass);
    let kinds: Vec<_> = report.records.iter().map(|r| r.kind.as_str()).collect();
    assert_eq!(kinds, ["approval"]);
    request.limits.kept = 100;
    let report = verify(&packet[..], &request).unwrap();
    assert_eq!(report.reason, Reason::PacketIncomplete);
    assert_eq!(report.exit(), Exit::Unjudged);
}

#[test]
fn the_members_are_those_of_the_layout() {
    let mut log = small();
    let contents = log.contents();
    let packet = log.packet(&contents);
    let members = unpack(&packet);
    let names: Vec<&str> = members.iter().map(|(n, _)| n.as_str()).collect();
    let blob = packet::blob_member(&Digest::of(b"a report\n"));
    let mut expected = vec!["SHA256SUMS", &blob, "checkpoint", "manifest.sigstore.json"];
    expected.push("packet.json");
    let numbered: Vec<String> = (0..5)
        .map(packet::proof_member)
        .chain(["proofs/manifest.tlog-proof".to_owned()])
        .chain((0..5).map(packet::record_member))
        .collect();
    expected.extend(numbered.iter().map(String::as_str));
    expected.extend(["trust/policy", "trust/trusted_root.json"]);
    assert_eq!(names, expected);
    // `sha256sum -c` would find every line right.
    let sums = String::from_utf8(members[0].1.clone()).unwrap();
    let lines: Vec<_> = sums.lines().map(|l| l.split_once("  ").unwrap()).collect();
    assert_eq!(lines.len(), 4);
    for (hex, name) in lines {
        let bytes = &members.iter().find(|(n, _)| n == name).unwrap().1;
        assert_eq!(Digest::of(bytes).hex(), hex, "{name}");
    }
}

#[test]
fn an_unpacked_packet_is_judged_like_the_packet() {
    let mut log = small();
    let contents = log.contents();
    let packet = log.packet(&contents);
    let trust = Trust::of_log(log.key.vkey().clone());
    let read = |parts: Parts| {
        let list = parts
            .iter()
            .map(|(name, bytes)| Member {
                name: name.clone(),
                size: bytes.len() as u64,
            })
            .collect();
        let open = |member: &Member| -> std::io::Result<Box<dyn Read>> {
            let (_, bytes) = parts.iter().find(|(n, _)| *n == member.name).unwrap();
            Ok(Box::new(Cursor::new(bytes.clone())))
        };
        verify(Listed::new(list, open), &Request::new(&trust)).unwrap()
    };
    let mut parts = unpack(&packet);
    let report = read(parts.clone());
    let packed = judge(&packet, Some(log.key.vkey()));
    assert_eq!(report.checks, packed.checks);
    assert_eq!(report.records, packed.records);
    let (_, bytes) = parts
        .iter_mut()
        .find(|(n, _)| n.starts_with("records/"))
        .unwrap();
    bytes[700] ^= 1;
    let changed = read(parts.clone());
    assert_eq!(changed.reason, Reason::PacketCorrupt);
    assert_eq!(
        changed.checks,
        judge(&pack(parts), Some(log.key.vkey())).checks
    );
}

#[test]
fn what_was_left_out_makes_the_packet_incomplete() {
    let mut log = small();
    let mut contents = log.contents();
    contents.omitted.push(Omitted {
        blob: Digest::of(b"gone"),
        reason: "erased on request".into(),
    });
    let packet = log.packet(&contents);
    for vkey in [Some(log.key.vkey().clone()), None] {
        let report = judge(&packet, vkey.as_ref());
        assert_eq!(report.reason, Reason::PacketIncomplete);
        assert_eq!(report.exit(), Exit::Unjudged);
    }
}

#[test]
fn limits_end_the_work_early() {
    let mut log = small();
    let contents = log.contents();
    let packet = log.packet(&contents);
    let trust = Trust::of_log(log.key.vkey().clone());
    let whole = Limits::default();
    for limits in [
        Limits {
            members: 3,
            ..whole
        },
        Limits { sums: 20, ..whole },
        Limits { blobs: 3, ..whole },
    ] {
        let request = Request {
            limits,
            ..Request::new(&trust)
        };
        let report = verify(&packet[..], &request).unwrap();
        assert_eq!(report.reason, Reason::PacketCorrupt);
        assert_eq!(state_of(&report, "archive"), State::Failed);
        let later = &report.checks[1..];
        assert!(later.iter().all(|c| c.state == State::Skipped));
    }
}
