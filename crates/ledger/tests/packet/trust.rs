//! What the reader trusts, remembers and asks about.

use gonogo_ledger::packet::StreamHead;
use gonogo_ledger::verify::{Remembered, Stamp, TimestampCheck};
use gonogo_ledger::{Checkpoint, CosignerKey, Note, Policy, Subject};

use super::*;

fn packed() -> (Log, Vec<u8>) {
    let mut log = small();
    let contents = log.contents();
    let packet = log.packet(&contents);
    (log, packet)
}

#[test]
fn without_a_trusted_key_the_packet_is_never_green() {
    let (_, packet) = packed();
    let report = judge(&packet, None);
    assert_eq!(
        (report.verdict, report.reason),
        (Verdict::Hold, Reason::TrustMissing)
    );
    assert_eq!(report.exit(), Exit::Hold);
    let failed = report.checks.iter().filter(|c| c.state == State::Failed);
    assert_eq!(failed.count(), 1);
    assert_eq!(state_of(&report, "quorum"), State::Skipped);
    let other = LogKey::load("ledger.test", &LogKey::generate().unwrap()).unwrap();
    let report = judge(&packet, Some(other.vkey()));
    assert_eq!(
        (report.verdict, report.reason),
        (Verdict::Fail, Reason::TrustMismatch)
    );
    assert_eq!(state_of(&report, "inclusion"), State::Skipped);
    // To believe the packet's own copy is the reader's decision.
    let trust = Trust {
        policy: None,
        packet: true,
    };
    let report = verify(&packet[..], &Request::new(&trust)).unwrap();
    assert_eq!(report.verdict, Verdict::Pass);
    // What the reader brings outweighs it.
    let trust = Trust {
        packet: true,
        ..Trust::of_log(other.vkey().clone())
    };
    let report = verify(&packet[..], &Request::new(&trust)).unwrap();
    assert_eq!(report.reason, Reason::TrustMismatch);
    let shown = report.log.unwrap();
    assert!(shown.links.is_empty());
}

#[test]
fn a_checkpoint_that_another_key_signed_is_refused() {
    let mut log = small();
    let contents = log.contents();
    log.record_manifest(&contents);
    let other = LogKey::load("ledger.test", &LogKey::generate().unwrap()).unwrap();
    let mut seal = log.seal_of();
    seal.checkpoint = log.checkpoint().sign(&other);
    assert!(packet::write(Vec::new(), &contents, &seal, &mut log).is_err());
    // Both sign; the unknown signature does not matter.
    let line = seal.checkpoint.lines().last().unwrap().to_owned() + "\n";
    seal.checkpoint = log.checkpoint().sign(&log.key) + &line;
    let packet = log.write(&contents, &seal);
    assert_eq!(judge(&packet, Some(log.key.vkey())).verdict, Verdict::Pass);
    // A second one by the same name and a wrong one spoils it.
    let good = log.checkpoint().sign(&log.key);
    let foreign = Checkpoint {
        size: 3,
        ..log.checkpoint()
    };
    let line = foreign.sign(&log.key).lines().last().unwrap().to_owned() + "\n";
    let from: Vec<u8> = packet;
    let all = unpack(&from);
    let spoilt = |bytes: &[u8]| {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let json = |t: &str| serde_json::to_string(t).unwrap();
        text.replace(&seal.checkpoint, &(good.clone() + &line))
            .replace(&json(&seal.checkpoint), &json(&(good.clone() + &line)))
            .into_bytes()
    };
    let changed = all
        .into_iter()
        .map(|(n, b)| {
            let text =
                n == packet::CHECKPOINT || n.starts_with("proofs/") || n.ends_with("sigstore.json");
            let b = if text { spoilt(&b) } else { b };
            (n, b)
        })
        .collect();
    assert_eq!(refuse(&pack(changed), &log), Reason::SignatureInvalid);
}

#[test]
fn the_policy_says_how_many_witnesses_are_enough() {
    let mut log = small();
    let contents = log.contents();
    log.record_manifest(&contents);
    let witness = |name: &str| CosignerKey::load(name, &CosignerKey::generate().unwrap()).unwrap();
    let (one, two) = (witness("one.example"), witness("two.example"));
    let policy = |quorum: &str| {
        let text = format!(
            "log {}\nwitness one {}\nwitness two {}\ngroup both all one two\nquorum {quorum}\n",
            log.key.vkey(),
            one.vkey(),
            two.vkey()
        );
        Policy::parse(&text).unwrap()
    };
    let policies = [policy("none"), policy("one"), policy("both")];
    let seal = log.seal_of();
    let note = Note::parse(&seal.checkpoint).unwrap();
    let cosigned = note
        .with_line(&one.cosign(note.text(), 1_795_000_000))
        .unwrap();
    let line = one.cosign("another text\n", 1_795_000_000);
    let spoilt = note.with_line(&line).unwrap();
    let unmet = Reason::QuorumUnmet;
    for (note, expected) in [
        (note, [Reason::PacketVerified, unmet, unmet]),
        (
            cosigned,
            [Reason::PacketVerified, Reason::PacketVerified, unmet],
        ),
        (
            spoilt,
            [
                Reason::PacketVerified,
                Reason::SignatureInvalid,
                Reason::SignatureInvalid,
            ],
        ),
    ] {
        let mut seal = seal.clone();
        seal.checkpoint = note.to_text();
        let packet = log.write(&contents, &seal);
        for (policy, expected) in policies.iter().zip(expected) {
            let trust = Trust {
                policy: Some(policy.clone()),
                packet: false,
            };
            let report = verify(&packet[..], &Request::new(&trust)).unwrap();
            assert_eq!(report.reason, expected, "{:#?}", report.checks);
            if expected == unmet {
                assert_eq!(report.exit(), Exit::Unjudged);
            }
        }
    }
}

/// The notes of a log at every size, and packets of the last.
struct Past {
    log: Log,
    notes: Vec<String>,
    contents: packet::Contents,
}

fn past(records: usize) -> Past {
    let mut log = Log::new("ledger.test");
    let mut notes = vec![String::new()];
    for n in 0..records {
        notes.push(log.checkpoint().sign(&log.key));
        log.append(STREAM, "sample", json!({"n": n}));
    }
    let contents = log.contents();
    log.record_manifest(&contents);
    Past {
        log,
        notes,
        contents,
    }
}

#[test]
fn every_earlier_checkpoint_can_be_linked_and_another_one_is_a_split_view() {
    let mut past = past(21);
    let mut seal = past.log.seal_of();
    seal.since = (0..40).collect();
    let packet = past.log.write(&past.contents, &seal);
    let trust = Trust::of_log(past.log.key.vkey().clone());
    let mut bare = seal.clone();
    bare.since.clear();
    let bare = past.log.write(&past.contents, &bare);
    let now = past.log.checkpoint();
    let mut other = Log::new("ledger.test");
    for (size, note) in past.notes.iter().enumerate().skip(1) {
        let ask = |packet: &[u8], note: &str, path: Option<Vec<Digest>>| {
            let since = [Remembered {
                note: note.to_owned(),
                path,
            }];
            let request = Request {
                since: &since,
                ..Request::new(&trust)
            };
            verify(packet, &request).unwrap()
        };
        let report = ask(&packet, note, None);
        assert_eq!(report.reason, Reason::PacketVerified, "{size}");
        let shown = report.log.unwrap();
        assert_eq!(shown.note, seal.checkpoint);
        let link = shown.links.iter().find(|l| l.size == size as u64).unwrap();
        let state = Checkpoint::open(note, past.log.key.vkey()).unwrap();
        assert_eq!(link.root, state.root);
        assert_eq!(link.path, past.log.proof(size as u64, now.size));
        // Without a proof in the packet the reader may bring one.
        let report = ask(&bare, note, None);
        assert_eq!(report.reason, Reason::HistoryUnproven);
        assert_eq!(report.exit(), Exit::Unjudged);
        let path = past.log.proof(size as u64, now.size);
        assert_eq!(ask(&bare, note, Some(path)).verdict, Verdict::Pass);
        let wrong = vec![Digest::of(b"x"); 3];
        let report = ask(&bare, note, Some(wrong));
        assert_eq!(report.reason, Reason::HistoryUnproven);
        // The same log signed something else of that size.
        let forged = Checkpoint {
            root: Digest::of(b"other"),
            ..state
        }
        .sign(&past.log.key);
        let report = ask(&packet, &forged, None);
        assert_eq!(report.reason, Reason::SplitView, "{size}");
        assert_eq!(report.exit(), Exit::Fail);
        assert!(report.records.is_empty());
        let conflict = report.conflict.unwrap();
        assert_eq!(conflict.remembered, forged);
        assert_eq!(conflict.packet, seal.checkpoint);
    }
    // Equal, newer, and another log's.
    let ask = |note: String, path: Option<Vec<Digest>>| {
        let since = [Remembered { note, path }];
        let request = Request {
            since: &since,
            ..Request::new(&trust)
        };
        verify(&packet[..], &request).unwrap()
    };
    assert_eq!(ask(seal.checkpoint.clone(), None).verdict, Verdict::Pass);
    let forged = Checkpoint {
        root: Digest::of(b"other"),
        ..now.clone()
    };
    let report = ask(forged.sign(&past.log.key), None);
    assert_eq!(report.reason, Reason::SplitView);
    other.append(STREAM, "sample", json!({}));
    let report = ask(other.checkpoint().sign(&other.key), None);
    assert_eq!(report.reason, Reason::HistoryUnproven);
    for n in 0..9 {
        past.log.append(STREAM, "later", json!({"n": n}));
    }
    let later = past.log.checkpoint();
    let note = later.sign(&past.log.key);
    assert_eq!(ask(note.clone(), None).reason, Reason::HistoryUnproven);
    let path = past.log.proof(now.size, later.size);
    assert_eq!(ask(note, Some(path.clone())).verdict, Verdict::Pass);
    let forged = Checkpoint {
        root: Digest::of(b"other"),
        ..later
    };
    let report = ask(forged.sign(&past.log.key), Some(path));
    assert_eq!(report.reason, Reason::HistoryUnproven);
}

#[test]
fn a_consistency_proof_that_leads_nowhere_is_refused() {
    let mut past = past(12);
    let mut seal = past.log.seal_of();
    seal.since = vec![4, 7];
    let packet = past.log.write(&past.contents, &seal);
    let members = unpack(&packet);
    let key = past.log.key.vkey().clone();
    assert_eq!(judge(&packet, Some(&key)).verdict, Verdict::Pass);
    for size in [4, 7] {
        let name = packet::consistency_member(size);
        let at = members.iter().position(|(n, _)| *n == name).unwrap();
        let lines = members[at].1.len() / 45;
        for line in 0..lines {
            let mut changed = members.clone();
            let byte = &mut changed[at].1[line * 45 + 3];
            *byte = if *byte == b'A' { b'B' } else { b'A' };
            assert_eq!(refuse(&pack(changed), &past.log), Reason::PacketCorrupt);
        }
        for other in [1, 3, 5, 8, 14, 15] {
            let mut moved = members.clone();
            moved[at].0 = packet::consistency_member(other);
            assert_eq!(
                refuse(&pack(moved), &past.log),
                Reason::PacketCorrupt,
                "{size} as {other}"
            );
        }
    }
}

struct Authority(Stamp);

impl TimestampCheck for Authority {
    fn check(&self, response: &[u8], checkpoint: &[u8]) -> Stamp {
        assert_eq!(response, b"response");
        assert!(checkpoint.starts_with(b"ledger.test\n"));
        self.0.clone()
    }
}

#[test]
fn a_time_stamp_is_checked_by_who_can_and_else_said_to_be_unchecked() {
    let mut log = small();
    let contents = log.contents();
    log.record_manifest(&contents);
    let mut seal = log.seal_of();
    seal.timestamp = Some(b"response".to_vec());
    let packet = log.write(&contents, &seal);
    let trust = Trust::of_log(log.key.vkey().clone());
    let report = verify(&packet[..], &Request::new(&trust)).unwrap();
    assert_eq!(state_of(&report, "timestamp"), State::Skipped);
    let authority = Authority(Stamp::Good("at noon".into()));
    let request = Request {
        timestamps: Some(&authority),
        ..Request::new(&trust)
    };
    let bare = log.packet(&contents);
    let report = verify(&bare[..], &request).unwrap();
    assert_eq!(state_of(&report, "timestamp"), State::Failed);
    assert_eq!(report.reason, Reason::PacketIncomplete);
    for (stamp, state, reason) in [
        (
            Stamp::Good("at noon".into()),
            State::Passed,
            Reason::PacketVerified,
        ),
        (
            Stamp::Unrooted("at noon".into()),
            State::Skipped,
            Reason::PacketVerified,
        ),
        (
            Stamp::Bad("no".into()),
            State::Failed,
            Reason::TimestampInvalid,
        ),
    ] {
        let authority = Authority(stamp);
        let request = Request {
            timestamps: Some(&authority),
            ..Request::new(&trust)
        };
        let report = verify(&packet[..], &request).unwrap();
        assert_eq!(state_of(&report, "timestamp"), state);
        assert_eq!(report.reason, reason);
    }
}

#[test]
fn an_artifact_must_be_what_the_release_is_about() {
    let artifact = Digest::of(b"the program");
    let fingerprint = Digest::of(b"the plan");
    let person = new_key();
    // Stream, kind, digests, and whether the person signs; in order.
    type Told<'a> = (&'a str, &'a str, &'a [Digest], bool);
    let ask = |told: &[Told<'_>], digest: Digest| {
        let mut log = Log::new("ledger.test");
        log.append(SYSTEM_STREAM, "key-event", enrol(&person, "dana", "person"));
        for (stream, kind, digests, by_person) in told {
            let mut statement = log.statement(stream, kind, json!({}));
            let name = |digest: &Digest| Subject {
                name: "s".into(),
                digest: *digest,
            };
            if !digests.is_empty() {
                statement.subject = digests.iter().map(name).collect();
            }
            log.append_statement(&statement, by_person.then_some(&person));
        }
        let mut contents = log.contents_of(|e| e.stream != "plan/unlisted");
        for stream in ["plan/p", "run/outside/0"] {
            if let Some((count, Some(head))) = log.heads.get(stream).copied() {
                contents.streams.push(StreamHead {
                    stream: stream.into(),
                    count,
                    head,
                });
            }
        }
        let packet = log.packet(&contents);
        let trust = Trust::of_log(log.key.vkey().clone());
        let request = Request {
            artifact: Some(digest),
            keep: &|_, _| false,
            ..Request::new(&trust)
        };
        verify(&packet[..], &request).unwrap()
    };
    let plan: Told<'_> = ("plan/p", "plan", &[fingerprint, artifact], true);
    let begin: Told<'_> = (STREAM, "operation", &[fingerprint], false);
    for told in [
        &[plan, begin][..],
        &[plan, begin, (STREAM, "result", &[], false)],
        &[(STREAM, "operation", &[fingerprint, artifact], false)],
    ] {
        assert_eq!(
            ask(told, artifact).reason,
            Reason::PacketVerified,
            "{told:?}"
        );
    }
    for told in [
        // Another plan, another kind of record, another stream, a plan that came too late, or nothing that a controller says.
        &[("plan/p", "plan", &[artifact][..], true), begin][..],
        &[("plan/p", "note", &[fingerprint, artifact], true), begin],
        &[
            ("run/outside/0", "plan", &[fingerprint, artifact], true),
            begin,
        ],
        &[
            ("plan/unlisted", "plan", &[fingerprint, artifact], true),
            begin,
        ],
        &[begin, plan],
        &[begin, (STREAM, "note", &[artifact], true)],
        &[begin, (STREAM, "result", &[artifact], false)],
        &[(STREAM, "operation", &[fingerprint, artifact], true), begin],
        &[
            plan,
            (STREAM, "operation", &[], false),
            (STREAM, "result", &[fingerprint], false),
        ],
        &[plan, (STREAM, "operation", &[fingerprint], true)],
        // The digest of a stream's name stands for no file.
        &[(STREAM, "operation", &[], false)],
    ] {
        let digest = if told.len() == 1 {
            Digest::of(STREAM.as_bytes())
        } else {
            artifact
        };
        let report = ask(told, digest);
        assert_eq!(report.reason, Reason::ArtifactMismatch, "{told:?}");
        assert_eq!(report.exit(), Exit::Fail);
    }
}
