//! Changes that keep the outer form, so that what lies below it is met too: a packet's archive, and texts with base64 in
//! them.
//!
//! An archive's headers, sums and order are made anew. A part of the changes is always left to libFuzzer on the raw bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gonogo_core::Digest;
use gonogo_ledger::packet;
use libfuzzer_sys::fuzzer_mutate;

use crate::targets::{Members, pack, unpack};

/// A small generator (PCG's multiplier).
struct Random(u64);

impl Random {
    fn new(seed: u32) -> Self {
        let mut random = Self(u64::from(seed) ^ 0x9e37_79b9);
        random.below(1);
        random
    }

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
    let mut random = Random::new(seed);
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

/// Changes the text in `data[..size]` in place, mostly inside one of its base64 parts, a token of it or a
/// token's spelling; returns its new size.
pub(crate) fn text(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let mut random = Random::new(seed);
    let way = random.below(4);
    if way != 0
        && let Ok(text) = std::str::from_utf8(&data[..size])
        && let Some(changed) = match way {
            1 => base64_inside(text, &mut random),
            2 => token(text, &mut random),
            _ => spelling(text, &mut random),
        }
        && changed.len() <= max_size
    {
        data[..changed.len()].copy_from_slice(changed.as_bytes());
        return changed.len();
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
        8 => {
            let body = &mut members[at].1;
            let text = std::str::from_utf8(body).ok();
            if let Some(changed) = text.and_then(|text| base64_inside(text, random)) {
                *body = changed.into_bytes();
            }
        }
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

/// Changes what one of a text's base64 parts says; none if it has no such part.
fn base64_inside(text: &str, random: &mut Random) -> Option<String> {
    let long: Vec<&str> = text
        .split(['"', ' ', '\n', '+'])
        .chain(text.split(['"', ' ', '\n']))
        .filter(|part| part.len() >= 8)
        .filter(|part| STANDARD.decode(part).is_ok())
        .collect();
    let part = long.get(random.below(long.len()))?;
    let bytes = STANDARD.decode(part).ok()?;
    Some(text.replacen(part, &STANDARD.encode(mutated(&bytes)), 1))
}

/// Inserts, removes, repeats or replaces what stands between two marks of a text.
fn token(text: &str, random: &mut Random) -> Option<String> {
    const WORDS: [&str; 16] = [
        "0", "-", "1", ".5", "e1", "\"", "\\", "{}", "[]", "{\"\":0}", ",", ":", " ", "null",
        "\u{e9}", "\u{7f}",
    ];
    let mark = |c: char| {
        matches!(
            c,
            '{' | '}' | '[' | ']' | ',' | ':' | '"' | '+' | ' ' | '\n' | '/'
        )
    };
    let cuts: Vec<usize> = text
        .match_indices(mark)
        .flat_map(|(at, mark)| [at, at + mark.len()])
        .collect();
    let at = random.below(cuts.len());
    let (from, to) = (
        *cuts.get(at)?,
        *cuts.get(at + random.below(8)).unwrap_or(&text.len()),
    );
    let (head, part, tail) = (&text[..from], &text[from..to], &text[to..]);
    let word = WORDS[random.below(WORDS.len())];
    Some(match random.below(4) {
        0 => format!("{head}{word}{part}{tail}"),
        1 => format!("{head}{tail}"),
        2 => format!("{head}{part}{part}{tail}"),
        _ => format!("{head}{word}{tail}"),
    })
}

/// Spells a number or a character of a text in another way, or makes it another one.
fn spelling(text: &str, random: &mut Random) -> Option<String> {
    let number = random.below(2) == 0;
    let bytes = text.as_bytes();
    let places: Vec<usize> = (1..bytes.len())
        .filter(|at| match number {
            true => bytes[*at].is_ascii_digit() && b":,[-+ /\"".contains(&bytes[at - 1]),
            false => bytes[*at].is_ascii_alphanumeric(),
        })
        .collect();
    let at = *places.get(random.below(places.len()))?;
    let (head, tail) = text.split_at(at);
    if !number {
        let byte = tail.as_bytes()[0];
        return Some(format!("{head}\\u{byte:04x}{}", &tail[1..]));
    }
    let digits = tail.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, tail) = tail.split_at(digits);
    Some(match random.below(7) {
        0 => format!("{head}0{digits}{tail}"),
        1 => format!("{head}-{digits}{tail}"),
        2 => format!("{head}+{digits}{tail}"),
        3 => format!("{head}{digits}.0{tail}"),
        4 => format!("{head}{digits}e0{tail}"),
        5 => format!("{head}{digits}0{tail}"),
        _ => format!("{head}{}{tail}", u64::MAX >> random.below(64)),
    })
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
