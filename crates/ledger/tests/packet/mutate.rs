//! Every byte, every member, and many places at once: no change of a packet is accepted.

use std::thread;

use super::mutation::{Random, mutate};
use super::*;

/// A packet of few bytes that has every kind of member that is always checked.
fn tiny() -> (Log, Vec<u8>) {
    let mut log = Log::new("l.t");
    log.append(STREAM, "plan", json!({}));
    log.append(STREAM, "step", json!({}));
    log.put_blob(b"x");
    let contents = log.contents();
    log.record_manifest(&contents);
    let mut seal = log.seal_of();
    // A complete tree's proof and another one.
    seal.since = vec![2, 3];
    let packet = log.write(&contents, &seal);
    (log, packet)
}

#[test]
fn no_byte_of_a_packet_can_change() {
    let (log, packet) = tiny();
    let vkey = log.key.vkey();
    assert_eq!(judge(&packet, Some(vkey)).verdict, Verdict::Pass);
    // Three masks here; `examples/verify_bench.rs` flips all eight bits of each byte.
    let flip = |range: std::ops::Range<usize>| {
        let trusting = Trust::of_log(vkey.clone());
        let request = Request {
            workers: 1,
            ..Request::new(&trusting)
        };
        let mut bytes = packet.clone();
        for at in range {
            for mask in [1_u8 << (at % 8), 0x80 >> (at % 8), 0x5f] {
                bytes[at] ^= mask;
                let report = verify(&bytes[..], &request).unwrap();
                assert_eq!(report.verdict, Verdict::Fail, "byte {at} mask {mask:02x}");
                assert!(report.records.is_empty());
                bytes[at] ^= mask;
            }
            // Nor does it become one that agrees with itself.
            bytes[at] ^= 0x02;
            assert_eq!(judge(&bytes, None).verdict, Verdict::Fail, "byte {at}");
            bytes[at] ^= 0x02;
        }
    };
    let half = packet.len() / 2;
    thread::scope(|scope| {
        scope.spawn(|| flip(0..half));
        scope.spawn(|| flip(half..packet.len()));
    });
}

#[test]
fn random_changes_and_splices_are_refused() {
    let mut log = small();
    let first = log.contents();
    let other = log.packet(&first);
    for n in 0..20 {
        log.append(STREAM, "sample", json!({"n": n}));
    }
    let contents = log.contents();
    let packet = log.packet(&contents);
    let trust = Trust::of_log(log.key.vkey().clone());
    for seed in 0..600 {
        let (kind, bytes) = mutate(&packet, &other, &mut Random::new(seed));
        let report = verify(&bytes[..], &Request::new(&trust)).unwrap();
        assert_eq!(report.verdict, Verdict::Fail, "seed {seed}: {kind}");
    }
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
        // Emptied, and with one byte more.
        let mut empty = members.clone();
        empty[at].1.clear();
        refuse(&pack(empty), &log);
        let mut more = members.clone();
        more[at].1.push(b'\n');
        refuse(&pack(more), &log);
    }
    for name in [
        "extra",
        "records/000099.sigstore.json",
        "proofs/000099.tlog-proof",
        "trust/log.vkey",
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
    let mut more = members;
    more.push(("consistency/7.proof".into(), Vec::new()));
    assert_eq!(refuse(&pack(more), &log), Reason::PacketCorrupt);
}

#[test]
fn records_and_proofs_cannot_be_swapped_or_spliced() {
    let mut log = small();
    let contents = log.contents();
    let packet = log.packet(&contents);
    let members = unpack(&packet);
    let at = |name: &str| members.iter().position(|(n, _)| n == name).unwrap();
    let (two, three) = (at(&packet::record_member(2)), at(&packet::record_member(3)));
    let (proof_two, proof_three) = (at(&packet::proof_member(2)), at(&packet::proof_member(3)));
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
        refuse(&swap(&[(proof_two, proof_three)]), &log),
        Reason::PacketCorrupt
    );
    // With their proofs they are good records in the wrong order.
    assert_eq!(
        refuse(&swap(&[(two, three), (proof_two, proof_three)]), &log),
        Reason::PacketCorrupt
    );

    let mut other = small();
    let foreign = unpack(&other.packet(&other.contents()));
    let theirs = |name: &str| foreign.iter().find(|(n, _)| n == name).unwrap().1.clone();
    for names in [
        vec![packet::record_member(2)],
        vec![packet::proof_member(2)],
        vec![packet::record_member(2), packet::proof_member(2)],
        vec![packet::CHECKPOINT.to_owned()],
        vec![packet::MANIFEST.to_owned()],
        vec![
            packet::MANIFEST.to_owned(),
            packet::MANIFEST_PROOF.to_owned(),
        ],
        vec![packet::POLICY.to_owned(), packet::TRUSTED_ROOT.to_owned()],
    ] {
        let mut spliced = members.clone();
        for name in &names {
            spliced[at(name)].1 = theirs(name);
        }
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

#[test]
fn a_list_that_was_changed_with_its_members_is_not_the_manifests() {
    let mut log = small();
    let contents = log.contents();
    let packet = log.packet(&contents);
    let members = unpack(&packet);
    let sums = |members: &Parts| {
        let older = |name: &str| {
            name.starts_with("blobs/") || name.starts_with("trust/") || name == packet::DESCRIPTION
        };
        let lines = members.iter().filter(|(name, _)| older(name));
        lines
            .map(|(name, bytes)| packet::sums_line(&Digest::of(bytes), name))
            .collect::<String>()
            .into_bytes()
    };
    assert_eq!(sums(&members), members[0].1);
    // A blob more, a blob less, a policy of the same log with a witness less or more.
    for change in 0..3 {
        let mut changed = members.clone();
        match change {
            0 => {
                let more = b"more".to_vec();
                changed.push((packet::blob_member(&Digest::of(&more)), more));
                changed.sort();
            }
            1 => changed.retain(|(name, _)| !name.starts_with("blobs/")),
            _ => {
                let policy = changed.iter_mut().find(|(n, _)| n == packet::POLICY);
                policy.unwrap().1.extend_from_slice(b"# believed by all\n");
            }
        }
        changed[0].1 = sums(&changed);
        assert_eq!(
            refuse(&pack(changed), &log),
            Reason::PacketCorrupt,
            "change {change}"
        );
    }
}
