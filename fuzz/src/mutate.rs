//! Changes of packets that keep the archive's form, so that what lies below it is met too.
//!
//! Headers, sums and order are made anew; a quarter of the changes is left to libFuzzer on the raw bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gonogo_core::Digest;
use gonogo_ledger::packet;
use libfuzzer_sys::fuzzer_mutate;

use crate::targets::{Members, pack, unpack};

/// A small generator (PCG's multiplier).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound.max(1)
    }
}

/// Changes the packet in `data[..size]` in place; returns its new size.
pub(crate) fn packet(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let mut random = Random(u64::from(seed) ^ 0x9e37_79b9);
    if random.below(4) != 0
        && let Ok(mut members) = unpack(&data[..size])
        && !members.is_empty()
    {
        for _ in 0..=random.below(2) {
            change(&mut members, &mut random);
        }
        members.sort();
        members.dedup_by(|a, b| a.0 == b.0);
        if let Ok(bytes) = pack(&members)
            && bytes.len() <= max_size
        {
            data[..bytes.len()].copy_from_slice(&bytes);
            return bytes.len();
        }
    }
    fuzzer_mutate(data, size, max_size)
}

/// Lets libFuzzer change some bytes, which may grow.
fn mutated(bytes: &[u8]) -> Vec<u8> {
    let mut room = bytes.to_vec();
    room.resize(bytes.len() + 128, 0);
    let length = fuzzer_mutate(&mut room, bytes.len(), bytes.len() + 128);
    room.truncate(length);
    room
}

fn change(members: &mut Members, random: &mut Random) {
    if members.is_empty() {
        return;
    }
    let at = random.below(members.len());
    let other = random.below(members.len());
    match random.below(12) {
        0..3 => members[at].1 = mutated(&members[at].1),
        3 => {
            let name = mutated(members[at].0.as_bytes());
            members[at].0 = String::from_utf8_lossy(&name).into_owned();
        }
        4 => members.swap(at, other),
        5 => {
            let body = members[at].1.clone();
            members[at].1 = std::mem::replace(&mut members[other].1, body);
        }
        6 => {
            members.remove(at);
        }
        7 => {
            let number = random.below(8);
            let name = match random.below(5) {
                0 => packet::record_member(number),
                1 => packet::proof_member(number),
                2 => packet::consistency_member(number as u64),
                3 => packet::TIMESTAMP.to_owned(),
                _ => packet::blob_member(&Digest::of(&members[at].1)),
            };
            let body = members[at].1.clone();
            members.push((name, body));
        }
        8 => base64_inside(members, at, random),
        9 => note(members),
        10 => sums(members),
        _ => {
            // Of one of the members that every other one is held against.
            let small = [
                packet::DESCRIPTION,
                packet::POLICY,
                packet::SUMS,
                packet::TRUSTED_ROOT,
            ];
            let name = small[random.below(small.len())];
            if let Some((_, body)) = members.iter_mut().find(|(n, _)| n == name) {
                *body = mutated(body);
                sums(members);
            }
        }
    }
}

/// Changes what one of a member's base64 texts says.
fn base64_inside(members: &mut Members, at: usize, random: &mut Random) {
    let Ok(text) = String::from_utf8(members[at].1.clone()) else {
        return;
    };
    let long: Vec<&str> = text
        .split(['"', ' ', '\n'])
        .filter(|part| part.len() >= 24)
        .collect();
    if long.is_empty() {
        return;
    }
    let part = long[random.below(long.len())];
    if let Ok(bytes) = STANDARD.decode(part) {
        let changed = text.replacen(part, &STANDARD.encode(mutated(&bytes)), 1);
        members[at].1 = changed.into_bytes();
    }
}

/// Changes the checkpoint wherever it stands.
fn note(members: &mut Members) {
    let quoted = |text: &str| serde_json::to_string(text).unwrap_or_default();
    let Some(old) = members
        .iter()
        .find(|(name, _)| name == packet::CHECKPOINT)
        .and_then(|(_, body)| String::from_utf8(body.clone()).ok())
        .filter(|note| !note.is_empty())
    else {
        return;
    };
    let Ok(new) = String::from_utf8(mutated(old.as_bytes())) else {
        return;
    };
    for (_, body) in members {
        if let Ok(text) = std::str::from_utf8(body) {
            let changed = text
                .replace(&old, &new)
                .replace(&quoted(&old), &quoted(&new));
            *body = changed.into_bytes();
        }
    }
}

/// Makes the list of members right again.
fn sums(members: &mut Members) {
    let listed = |name: &str| {
        name.starts_with("blobs/") || name.starts_with("trust/") || name == packet::DESCRIPTION
    };
    let text: String = members
        .iter()
        .filter(|(name, _)| listed(name))
        .map(|(name, body)| packet::sums_line(&Digest::of(body), name))
        .collect();
    if let Some((_, body)) = members.iter_mut().find(|(name, _)| name == packet::SUMS) {
        *body = text.into_bytes();
    }
}
