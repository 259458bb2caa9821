//! The log's owner cheats: manifest and proofs are in order, the records are not.

use gonogo_ledger::{CONTROLLER, Envelope, KeyEvent};

use super::*;

#[test]
fn a_stream_with_a_gap_is_refused() {
    let mut log = small();
    let contents = log.contents();
    for drop in 2..contents.records.len() {
        let mut fewer = contents.records.clone();
        let index = fewer.remove(drop);
        let mut contents = log.contents_with(fewer);
        // The manifest may also lie about the number.
        for lie in [false, true] {
            contents.streams[0].count += u64::from(lie);
            let packet = log.packet(&contents);
            if lie || drop + 1 < log.contents().records.len() {
                assert_eq!(refuse(&packet, &log), Reason::StreamBroken, "leaf {index}");
            } else {
                // Without its last record a stream is a shorter stream: what the manifest then says is true.
                assert_eq!(judge(&packet, Some(log.key.vkey())).verdict, Verdict::Pass);
            }
        }
    }
}

#[test]
fn a_manifest_that_counts_other_records_is_refused() {
    let mut log = small();
    let mut contents = log.contents();
    let honest = contents.tally;
    contents.tally.digest = Digest::of(b"other");
    log.record_manifest(&contents);
    contents.tally = honest;
    assert_eq!(refuse(&log.seal(&contents), &log), Reason::PacketCorrupt);
    // The writer does not write such a packet.
    contents.tally.digest = Digest::of(b"other");
    let seal = log.seal_of();
    assert!(packet::write(Vec::new(), &contents, &seal, &mut log).is_err());
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
fn a_manifest_of_another_stream_is_refused() {
    let mut log = small();
    let contents = log.contents();
    let body = contents.manifest().unwrap().to_body();
    log.append("packet/operation/op_other", packet::MANIFEST_KIND, body);
    assert_eq!(refuse(&log.seal(&contents), &log), Reason::PacketCorrupt);
    // A record that is no manifest.
    let body = contents.manifest().unwrap().to_body();
    log.append(&packet::manifest_stream(STREAM), "plan", body);
    assert_eq!(refuse(&log.seal(&contents), &log), Reason::PacketCorrupt);
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
fn a_record_signed_by_another_key_than_it_names_is_refused() {
    // The bundle is put together from a good record and the key of somebody else who is enrolled.
    let mut log = small();
    let contents = log.contents();
    log.record_manifest(&contents);
    log.entries[4].key = *log.controller.public();
    let seal = log.seal_of();
    // Its leaf is then another, so the writer notices; a cheat would write it all the same.
    assert!(packet::write(Vec::new(), &contents, &seal, &mut log).is_err());
}

#[test]
fn a_record_that_is_not_under_the_root_is_refused() {
    for index in [0, 4, 6] {
        let mut log = small();
        log.bent = Some(index);
        let contents = log.contents();
        let packet = log.packet(&contents);
        // Leaf 6 is the manifest.
        assert_eq!(
            refuse(&packet, &log),
            Reason::InclusionFailed,
            "leaf {index}"
        );
    }
}

#[test]
fn records_out_of_order_or_twice_are_refused() {
    for records in [
        vec![0, 1, 4, 2, 5],
        vec![0, 1, 2, 2, 4, 5],
        vec![0, 0, 1, 2, 4, 5],
    ] {
        let mut log = small();
        let contents = log.contents_with(records.clone());
        let packet = log.packet(&contents);
        assert_eq!(
            refuse(&packet, &log),
            Reason::InclusionFailed,
            "{records:?}"
        );
    }
    // A manifest that is older than a record.
    let mut log = small();
    let honest = log.contents();
    log.record_manifest(&honest);
    let at = log.entries.len() as u64 - 1;
    log.append(SYSTEM_STREAM, "key-event", enrol(&new_key(), "eve", "x"));
    let contents = log.contents();
    log.record_manifest(&contents);
    let mut seal = log.seal_of();
    assert_eq!(
        judge(&log.write(&contents, &seal), Some(log.key.vkey())).verdict,
        Verdict::Pass
    );
    seal.manifest = at;
    assert!(refuse(&log.write(&contents, &seal), &log) != Reason::PacketVerified);
}

#[test]
fn a_logged_record_with_a_wrong_signature_is_refused() {
    // The log's owner may put anything into the tree; what nobody signed is still nobody's.
    for fault in 0..3 {
        let mut log = small();
        let statement = log.statement(STREAM, "rollback", json!({}));
        let other = log.statement(STREAM, "rollback", json!({"other": 1}));
        let signed = |statement: &gonogo_ledger::Statement, key: &SigningKey| {
            let bytes = statement.to_bytes().unwrap();
            serde_json::from_slice::<Value>(&Envelope::sign(bytes, key).unwrap().to_bytes())
                .unwrap()
        };
        let eve = new_key();
        let mut envelope = signed(&statement, &log.controller);
        let mut key = *log.controller.public();
        match fault {
            0 => envelope["payload"] = signed(&other, &log.controller)["payload"].clone(),
            1 => {
                // Eve signs in the controller's name, with her own key in the leaf.
                envelope["signatures"][0]["sig"] =
                    signed(&statement, &eve)["signatures"][0]["sig"].clone();
                key = *eve.public();
            }
            _ => envelope["signatures"][0]["sig"] = "AAAA".into(),
        }
        let envelope = Envelope::import(&serde_json::to_vec(&envelope).unwrap()).unwrap();
        log.append_envelope(STREAM, envelope, key);
        let contents = log.contents();
        let packet = log.packet(&contents);
        assert_eq!(
            refuse(&packet, &log),
            Reason::SignatureInvalid,
            "fault {fault}"
        );
    }
}

#[test]
fn leaf_0_enrols_the_key_that_signs_it_and_no_other() {
    let ghost = new_key();
    for role in [CONTROLLER, "approver"] {
        let mut log = Log::unfounded("ledger.test");
        let body = enrol(&log.controller, "controller@test", role);
        if role == CONTROLLER {
            append_by(&mut log, &ghost, SYSTEM_STREAM, "key-event", body);
        } else {
            log.append(SYSTEM_STREAM, "key-event", body);
        }
        log.append(STREAM, "plan", json!({}));
        let contents = log.contents();
        assert_eq!(refuse(&log.packet(&contents), &log), Reason::SignerUnknown);
    }
}
