//! Packets as an attacker would send them: every change must be refused, and for the stated reason.

#![expect(
    clippy::unwrap_used,
    reason = "these are tests; a panic is their failure"
)]

mod fixture;

use std::thread;

use fixture::{Log, STREAM, enrol, new_key};
use gonogo_core::{Digest, Exit, Reason, Verdict};
use gonogo_ledger::packet::Omitted;
use gonogo_ledger::packet::archive::{Reader, Writer};
use gonogo_ledger::verify::Limits;
use gonogo_ledger::{
    CONTROLLER, KeyEvent, LogKey, Report, SYSTEM_STREAM, SigningKey, Trust, Vkey, packet, verify,
};
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

/// Names a blob as left out.
fn omitted(bytes: &[u8]) -> Omitted {
    Omitted {
        blob: Digest::of(bytes),
        reason: "erased on request".into(),
    }
}

fn append_by(log: &mut Log, key: &SigningKey, stream: &str, kind: &str, body: Value) {
    let statement = log.statement(stream, kind, body);
    log.append_statement(&statement, Some(key));
}

fn judge(packet: &[u8], vkey: Option<&Vkey>) -> Report {
    let trust = Trust {
        log_vkey: vkey.cloned(),
    };
    verify(packet, &trust, &Limits::default()).unwrap()
}

/// Verifies with the log's own key; a failing report must hand out nothing.
fn refuse(packet: &[u8], log: &Log) -> Reason {
    let report = judge(packet, Some(log.key.vkey()));
    assert_ne!(report.verdict, Verdict::Pass);
    assert!(report.records.is_empty() && report.blobs.is_empty());
    assert_eq!(report.exit(), Exit::Fail, "{:?}", report.checks);
    report.reason
}

type Members = Vec<(String, Vec<u8>)>;

fn unpack(packet: &[u8]) -> Members {
    let mut reader = Reader::new(packet);
    let mut members = Vec::new();
    while let Some(member) = reader.next_member().unwrap() {
        let bytes = reader.bytes(&member).unwrap();
        members.push((member.name, bytes));
    }
    members
}

fn pack(mut members: Members) -> Vec<u8> {
    members.sort();
    let mut writer = Writer::new(Vec::new());
    for (name, bytes) in &members {
        writer.append(name, bytes).unwrap();
    }
    writer.finish().unwrap()
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
    let blob = packet::extract_blob(&packet[..], &report.blobs[0], 100).unwrap();
    assert_eq!(blob.as_deref(), Some(&b"a report\n"[..]));
    let names: Vec<_> = report.checks.iter().map(|c| c.name).collect();
    assert_eq!(
        names,
        [
            "archive",
            "members",
            "checkpoint",
            "trust",
            "inclusion",
            "signatures",
            "signers",
            "streams",
            "blobs"
        ]
    );
    assert_eq!(log.seal(&contents), packet, "packets are deterministic");
}

#[test]
fn without_a_trusted_key_the_packet_is_never_green() {
    let mut log = small();
    let contents = log.contents();
    let packet = log.packet(&contents);
    let report = judge(&packet, None);
    assert_eq!(
        (report.verdict, report.reason),
        (Verdict::Hold, Reason::TrustMissing)
    );
    assert_eq!(report.exit(), Exit::Hold);
    assert_eq!(report.checks.iter().filter(|c| !c.ok).count(), 1);
    let other = LogKey::load("ledger.test", &LogKey::generate().unwrap()).unwrap();
    let report = judge(&packet, Some(other.vkey()));
    assert_eq!(
        (report.verdict, report.reason),
        (Verdict::Fail, Reason::TrustMismatch)
    );
}

#[test]
fn what_was_left_out_makes_the_packet_incomplete() {
    let mut log = small();
    let mut contents = log.contents();
    contents.omitted.push(omitted(b"gone"));
    let packet = log.packet(&contents);
    for vkey in [Some(log.key.vkey().clone()), None] {
        let report = judge(&packet, vkey.as_ref());
        assert_eq!(report.reason, Reason::PacketIncomplete);
        assert_eq!(report.exit(), Exit::Unjudged);
    }
}

#[test]
fn no_bit_of_a_packet_can_change() {
    let mut log = Log::new("l.t");
    log.append(STREAM, "plan", json!({}));
    log.put_blob(b"x");
    let contents = log.contents();
    let packet = log.packet(&contents);
    let vkey = log.key.vkey();
    assert_eq!(judge(&packet, Some(vkey)).verdict, Verdict::Pass);
    // Two bits of every byte here; `examples/verify_bench.rs` flips all eight.
    let flip = |range: std::ops::Range<usize>| {
        let mut bytes = packet.clone();
        for at in range {
            for bit in [at % 8, (at + 5) % 8] {
                bytes[at] ^= 1 << bit;
                for trust in [Some(vkey), None] {
                    let verdict = judge(&bytes, trust).verdict;
                    assert_eq!(verdict, Verdict::Fail, "byte {at} bit {bit}");
                }
                bytes[at] ^= 1 << bit;
            }
        }
    };
    let half = packet.len() / 2;
    thread::scope(|scope| {
        scope.spawn(|| flip(0..half));
        scope.spawn(|| flip(half..packet.len()));
    });
}

#[test]
fn cut_and_longer_packets_are_refused() {
    let mut log = small();
    let contents = log.contents();
    let packet = log.packet(&contents);
    for cut in (0..packet.len()).step_by(97).chain([packet.len() - 1]) {
        assert_eq!(refuse(&packet[..cut], &log), Reason::PacketCorrupt);
    }
    for tail in [&[0_u8][..], &[0; 512], b"x"] {
        let longer = [&packet[..], tail].concat();
        assert_eq!(refuse(&longer, &log), Reason::PacketCorrupt);
    }
    assert_eq!(refuse(b"", &log), Reason::PacketCorrupt);
}

#[test]
fn every_member_is_needed_and_none_can_be_added_doubled_or_moved() {
    let mut log = small();
    let contents = log.contents();
    let packet = log.packet(&contents);
    let members = unpack(&packet);
    assert_eq!(pack(members.clone()), packet);
    for at in 0..members.len() {
        let mut fewer = members.clone();
        let (name, bytes) = fewer.remove(at);
        assert_eq!(
            refuse(&pack(fewer), &log),
            Reason::PacketMemberMissing,
            "{name}"
        );
        // The same member twice: the writer refuses, so its raw bytes are doubled.
        let start: usize = members[..at]
            .iter()
            .map(|(_, b)| 512 + b.len().next_multiple_of(512))
            .sum();
        let end = start + 512 + bytes.len().next_multiple_of(512);
        let doubled = [&packet[..end], &packet[start..]].concat();
        assert_eq!(refuse(&doubled, &log), Reason::PacketCorrupt, "{name}");
        if at > 0 {
            let before = start - 512 - members[at - 1].1.len().next_multiple_of(512);
            let moved = [
                &packet[..before],
                &packet[start..end],
                &packet[before..start],
                &packet[end..],
            ];
            assert_eq!(
                refuse(&moved.concat(), &log),
                Reason::PacketCorrupt,
                "{name}"
            );
        }
    }
    for name in [
        "extra",
        "records/000099.dsse.json",
        "proofs/000099.tlog-proof",
        "trust/policy",
        "../escape",
        "/etc/passwd",
        &packet::blob_member(&Digest::of(b"more")),
    ] {
        let mut more = members.clone();
        more.push((name.into(), b"more".to_vec()));
        assert_eq!(
            refuse(&pack(more), &log),
            Reason::PacketMemberAdded,
            "{name}"
        );
    }
}

#[test]
fn records_and_proofs_cannot_be_swapped_or_spliced() {
    let mut log = small();
    let contents = log.contents();
    let packet = log.packet(&contents);
    let members = unpack(&packet);
    let at = |name: &str| members.iter().position(|(n, _)| n == name).unwrap();
    let (two, three) = (
        at("records/000002.dsse.json"),
        at("records/000003.dsse.json"),
    );
    let (proof_two, proof_three) = (
        at("proofs/000002.tlog-proof"),
        at("proofs/000003.tlog-proof"),
    );
    let swap = |pairs: &[(usize, usize)]| {
        let mut changed = members.clone();
        for (a, b) in pairs {
            let bytes = changed[*a].1.clone();
            changed[*a].1 = changed[*b].1.clone();
            changed[*b].1 = bytes;
        }
        pack(changed)
    };
    assert_eq!(refuse(&swap(&[(two, three)]), &log), Reason::PacketCorrupt);
    assert_eq!(
        refuse(&swap(&[(two, three), (proof_two, proof_three)]), &log),
        Reason::PacketCorrupt
    );
    assert_eq!(
        refuse(&swap(&[(proof_two, proof_three)]), &log),
        Reason::InclusionFailed
    );

    let mut other = small();
    let foreign = unpack(&other.packet(&other.contents()));
    for name in [
        "records/000002.dsse.json",
        "proofs/000002.tlog-proof",
        "checkpoint",
        "manifest.dsse.json",
    ] {
        let mut spliced = members.clone();
        spliced[at(name)].1 = foreign.iter().find(|(n, _)| n == name).unwrap().1.clone();
        refuse(&pack(spliced), &log);
    }
}

#[test]
fn an_older_manifest_does_not_cover_a_longer_packet() {
    let mut log = small();
    let before = log.contents();
    let old = unpack(&log.packet(&before));
    log.append(STREAM, "rollback", json!({}));
    let contents = log.contents();
    let mut mixed = unpack(&log.packet(&contents));
    for name in [packet::MANIFEST, packet::MANIFEST_PROOF, packet::CHECKPOINT] {
        let from = old.iter().find(|(n, _)| n == name).unwrap().1.clone();
        mixed.iter_mut().find(|(n, _)| n == name).unwrap().1 = from;
    }
    assert_eq!(refuse(&pack(mixed), &log), Reason::PacketMemberAdded);
}

// From here on the log's owner cheats: manifest and proofs are in order, the records are not.

#[test]
fn a_stream_with_a_gap_is_refused() {
    let mut log = small();
    let contents = log.contents();
    for drop in 2..contents.records.len() {
        let mut fewer = contents.clone();
        let record = fewer.records.remove(drop);
        let packet = log.packet(&fewer);
        if drop + 1 < contents.records.len() {
            assert_eq!(
                refuse(&packet, &log),
                Reason::StreamBroken,
                "leaf {}",
                record.index
            );
        } else {
            // Without its last record a stream is a shorter stream: what the manifest then says is true of what it lists.
            assert_eq!(judge(&packet, Some(log.key.vkey())).verdict, Verdict::Pass);
        }
    }
}

#[test]
fn wrong_numbers_links_and_claims_in_a_stream_are_refused() {
    for fault in 0..3 {
        let mut log = small();
        let mut statement = log.statement(STREAM, "rollback", json!({}));
        match fault {
            0 => statement.seq += 1,
            1 => statement.prev = Some(Digest::of(b"other")),
            _ => statement.seen.size += 1,
        }
        log.append_statement(&statement, None);
        let contents = log.contents();
        let packet = log.packet(&contents);
        assert_eq!(refuse(&packet, &log), Reason::StreamBroken, "fault {fault}");
    }
    let mut log = small();
    let contents = log.contents_of(|e| e.stream != "operation/none");
    assert_eq!(
        refuse(&log.packet(&contents), &log),
        Reason::StreamBroken,
        "a stream not listed"
    );
}

#[test]
fn only_keys_enrolled_before_and_not_revoked_count() {
    // Never enrolled.
    let mut log = small();
    append_by(&mut log, &new_key(), STREAM, "approval", json!({}));
    let contents = log.contents();
    assert_eq!(refuse(&log.packet(&contents), &log), Reason::SignerUnknown);

    // Enrolled after it signed.
    let (mut log, late) = (small(), new_key());
    append_by(&mut log, &late, STREAM, "approval", json!({}));
    log.append(SYSTEM_STREAM, "key-event", enrol(&late, "eve", "approver"));
    let contents = log.contents();
    assert_eq!(refuse(&log.packet(&contents), &log), Reason::SignerUnknown);

    // Enrols itself, or is enrolled by somebody who is no controller.
    let (mut log, own) = (small(), new_key());
    append_by(
        &mut log,
        &own,
        SYSTEM_STREAM,
        "key-event",
        enrol(&own, "eve", CONTROLLER),
    );
    let contents = log.contents();
    assert_eq!(refuse(&log.packet(&contents), &log), Reason::SignerUnknown);
    let (mut log, approver, friend) = (small(), new_key(), new_key());
    log.append(
        SYSTEM_STREAM,
        "key-event",
        enrol(&approver, "eve", "approver"),
    );
    append_by(
        &mut log,
        &approver,
        SYSTEM_STREAM,
        "key-event",
        enrol(&friend, "mallory", "approver"),
    );
    let contents = log.contents();
    assert_eq!(refuse(&log.packet(&contents), &log), Reason::SignerUnknown);

    // Revoked: what it signed before counts, what it signs later does not.
    let (mut log, lost) = (small(), new_key());
    log.append(SYSTEM_STREAM, "key-event", enrol(&lost, "dana", "approver"));
    append_by(&mut log, &lost, STREAM, "approval", json!({"n": 1}));
    let revoke = KeyEvent::Revoke {
        key: lost.public().id(),
        why: "lost".into(),
    };
    log.append(SYSTEM_STREAM, "key-event", revoke.to_body());
    let contents = log.contents();
    let packet = log.packet(&contents);
    assert_eq!(judge(&packet, Some(log.key.vkey())).verdict, Verdict::Pass);
    append_by(&mut log, &lost, STREAM, "approval", json!({"n": 2}));
    let contents = log.contents();
    assert_eq!(refuse(&log.packet(&contents), &log), Reason::SignerUnknown);
}

#[test]
fn a_manifest_signed_by_an_approver_is_refused() {
    let (mut log, approver) = (small(), new_key());
    log.append(
        SYSTEM_STREAM,
        "key-event",
        enrol(&approver, "eve", "approver"),
    );
    let contents = log.contents();
    let body = contents.manifest().unwrap().to_body();
    append_by(
        &mut log,
        &approver,
        &packet::manifest_stream(STREAM),
        packet::MANIFEST_KIND,
        body,
    );
    assert_eq!(refuse(&log.seal(&contents), &log), Reason::SignerUnknown);
}

#[test]
fn the_first_record_must_be_in_the_packet() {
    let mut log = small();
    let contents = log.contents_of(|e| e.stream == STREAM);
    assert_eq!(refuse(&log.packet(&contents), &log), Reason::SignerUnknown);
}

#[test]
fn limits_end_the_work_early() {
    let mut log = small();
    let contents = log.contents();
    let packet = log.packet(&contents);
    let trust = Trust {
        log_vkey: Some(log.key.vkey().clone()),
    };
    let whole = Limits::default();
    for limits in [
        Limits {
            members: 3,
            ..whole
        },
        Limits {
            held: 2000,
            ..whole
        },
        Limits { blobs: 3, ..whole },
    ] {
        let report = verify(&packet[..], &trust, &limits).unwrap();
        assert_eq!(report.reason, Reason::PacketCorrupt);
        assert_eq!(report.checks.len(), 1);
    }
}
