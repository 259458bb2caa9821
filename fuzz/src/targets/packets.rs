//! Archives and packets.

use std::collections::HashSet;
use std::io::{self, Read};

use gonogo_core::{Digest, Verdict};
use gonogo_ledger::packet::archive::{ArchiveError, Listed, Member, Reader, Writer};
use gonogo_ledger::packet::{self, StreamHead};
use gonogo_ledger::verify::{Remembered, Request, State, compare_readings};
use gonogo_ledger::{
    CONTROLLER, Envelope, LogKey, Note, SYSTEM_STREAM, SigningKey, Statement, Trust, verify,
};

use super::Run;
use crate::fixture::{Log, STREAM, enrol};
use crate::world::World;

/// A packet's members, in order.
pub(crate) type Members = Vec<(String, Vec<u8>)>;

/// The largest blob, so that a claimed size is met but costs no time.
const BLOBS: u64 = 1 << 20;

/// Reads an archive of the one form.
pub(crate) fn unpack(bytes: &[u8]) -> Result<Members, ArchiveError> {
    let mut reader = Reader::new(bytes);
    let mut all = Vec::new();
    while let Some(member) = reader.next_member()? {
        let body = reader.bytes(&member)?;
        all.push((member.name, body));
    }
    Ok(all)
}

/// Writes members that are in order.
pub(crate) fn pack(members: &Members) -> io::Result<Vec<u8>> {
    let mut writer = Writer::new(Vec::new());
    for (name, body) in members {
        writer.append(name, body)?;
    }
    writer.finish()
}

/// An archive has one spelling, whoever writes it.
pub(super) fn archive(_: World) -> Run {
    Box::new(|data| {
        let mut digests = Vec::new();
        let mut reader = Reader::new(data);
        let hashed = loop {
            match reader.next_member() {
                Ok(None) => break true,
                Ok(Some(member)) => match reader.digest(&member) {
                    Ok(digest) => digests.push(digest),
                    Err(_) => break false,
                },
                Err(_) => break false,
            }
        };
        let Ok(members) = unpack(data) else {
            assert!(!hashed, "two readings");
            return;
        };
        assert!(hashed, "two readings");
        let of: Vec<Digest> = members.iter().map(|(_, body)| Digest::of(body)).collect();
        assert_eq!(of, digests);
        assert_eq!(pack(&members).expect("it was read"), data);
        let list = members
            .iter()
            .map(|(name, body)| Member {
                name: name.clone(),
                size: body.len() as u64,
            })
            .collect();
        let open = |member: &Member| -> io::Result<Box<dyn Read>> {
            let (_, body) = members
                .iter()
                .find(|(name, _)| *name == member.name)
                .expect("it is listed");
            Ok(Box::new(io::Cursor::new(body.clone())))
        };
        let mut again = Vec::new();
        Listed::new(list, open)
            .read_to_end(&mut again)
            .expect("nothing changed meanwhile");
        assert_eq!(again, data);
    })
}

/// What a packet shows, without what its format leaves open: time-stamp, consistency proofs, and signature lines of others.
fn shown(packet: &[u8]) -> Option<Members> {
    let members = unpack(packet).ok()?;
    let (_, note) = members
        .iter()
        .find(|(name, _)| name == packet::CHECKPOINT)?;
    let note = std::str::from_utf8(note).ok()?;
    let text = Note::parse(note).ok()?.text().to_owned();
    let (quoted, plain) = (
        serde_json::to_string(note).ok()?,
        serde_json::to_string(&text).ok()?,
    );
    let shown = members
        .iter()
        .filter(|(name, _)| name != packet::TIMESTAMP && !name.starts_with("consistency/"))
        .map(|(name, body)| match std::str::from_utf8(body) {
            Ok(body) => {
                let body = body.replace(note, &text).replace(&quoted, &plain);
                (name.clone(), body.into_bytes())
            }
            Err(_) => (name.clone(), body.clone()),
        });
    Some(shown.collect())
}

/// A packet verifies only if it shows, byte by byte, what one of the seeds shows; records of others are never handed out.
pub(super) fn packet(world: World) -> Run {
    let trust = Trust {
        policy: Some(world.policy.clone()),
        packet: false,
    };
    let since = [Remembered {
        note: world.remembered.clone(),
        path: None,
    }];
    let shown_by_seeds: Vec<Members> = world
        .seeds
        .iter()
        .map(|seed| shown(seed).expect("a seed is a packet"))
        .collect();
    let payloads: HashSet<Digest> = world.payloads.iter().map(|p| Digest::of(p)).collect();
    let run = move |data: &[u8]| {
        let mut request = Request::new(&trust);
        request.since = &since;
        request.workers = 1;
        request.limits.blobs = BLOBS;
        let report = verify(data, &request).expect("a slice can always be read");
        for record in &report.records {
            assert!(payloads.contains(&record.digest), "never signed");
        }
        if report.verdict != Verdict::Pass {
            return false;
        }
        let shown = shown(data).expect("what verifies is a packet");
        assert!(
            shown_by_seeds.contains(&shown),
            "verifies, and was never written"
        );
        true
    };
    for seed in &world.seeds {
        assert!(run(seed), "a seed does not verify");
    }
    Box::new(move |data| {
        run(data);
    })
}

/// The input is a statement that an enrolled key signed, in a packet that is in order otherwise: whether the verifier reads
/// it whole or in passing, it comes to the same verdict, and it accepts nothing that is no statement.
pub(super) fn signed(_: World) -> Run {
    let key = LogKey::generate().expect("randomness");
    let controller = SigningKey::generate().expect("randomness");
    Box::new(move |data| {
        compare_readings(data);
        // Packets are dear, and one around what is no statement shows little: one in 16, by the input's digest.
        let statement = Statement::parse(data);
        if statement.is_err() && Digest::of(data).as_bytes()[0] >= 16 {
            return;
        }
        let mut log = Log::with_keys(
            LogKey::load("l.t", &key).expect("a key"),
            SigningKey::load(&controller).expect("a key"),
        );
        let body = enrol(&log.controller, "controller@test", CONTROLLER);
        log.append(SYSTEM_STREAM, "key-event", body);
        let Ok(envelope) = Envelope::sign(data.to_vec(), &log.controller) else {
            return;
        };
        let key = *log.controller.public();
        log.append_envelope(STREAM, envelope, key);
        let mut contents = log.contents();
        contents.streams = vec![StreamHead {
            stream: STREAM.into(),
            count: 1,
            head: Digest::of(data),
        }];
        let packet = log.packet(&contents);
        let trust = Trust::of_log(log.key.vkey().clone());
        let judge = |keep: &(dyn Fn(&str, &str) -> bool + Sync)| {
            let mut request = Request::new(&trust);
            request.workers = 1;
            request.keep = keep;
            request.artifact = Some(Digest::of(b"artifact"));
            let report = verify(&packet[..], &request).expect("a slice can always be read");
            let checks: Vec<_> = report.checks.iter().map(|c| (c.name, c.state)).collect();
            (report.verdict, report.reason, checks)
        };
        let (whole, passing) = (judge(&|_, _| true), judge(&|_, _| false));
        assert_eq!(whole, passing, "two readings of one statement");
        let signatures = whole.2.iter().find(|(name, _)| *name == "signatures");
        let failed = signatures.is_none_or(|(_, s)| *s == State::Failed);
        assert_eq!(statement.is_err(), failed, "{statement:?} {whole:?}");
    })
}
