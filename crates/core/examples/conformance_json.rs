//! Canonical JSON for peers to compare with; `conformance/README.md` says who does.
//!
//! `conformance_json values COUNT SEED` prints lines of a careless spelling of a random value, a tab, and our canonical bytes.
//! `conformance_json admit` reads texts, one a line, and answers `admitted <canonical bytes>` or `refused <why>` for each.
//!
//! Invariants: the same seed gives the same lines; no spelling holds a raw tab or newline.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "material that cannot be written ends the program"
)]

use std::fmt::Write as _;
use std::io::{BufRead, BufWriter, Write};

use gonogo_core::canonical::{MAX_SAFE_INTEGER, parse, to_vec};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut out = BufWriter::new(std::io::stdout().lock());
    match args.as_slice() {
        ["values", count, seed] => {
            let mut random = Random(seed.parse().unwrap());
            for _ in 0..count.parse::<u64>().unwrap() {
                let mut spelling = String::new();
                value(&mut random, 3, &mut spelling);
                let ours = to_vec(&parse(spelling.as_bytes()).unwrap()).unwrap();
                out.write_all(spelling.as_bytes()).unwrap();
                out.write_all(b"\t").unwrap();
                out.write_all(&ours).unwrap();
                out.write_all(b"\n").unwrap();
            }
        }
        ["admit"] => {
            for line in std::io::stdin().lock().split(b'\n') {
                let admitted = parse(&line.unwrap()).and_then(|value| to_vec(&value));
                match admitted {
                    Ok(bytes) => {
                        let text = String::from_utf8(bytes).unwrap();
                        writeln!(out, "admitted {text}").unwrap();
                    }
                    Err(e) => writeln!(out, "refused {e}").unwrap(),
                }
            }
        }
        _ => panic!("usage: conformance_json values COUNT SEED | admit"),
    }
}

fn value(random: &mut Random, depth: u32, out: &mut String) {
    space(random, out);
    let kinds = if depth == 0 { 8 } else { 12 };
    match random.below(kinds) {
        0..=4 => number(random, out),
        5 | 6 => text(random, out),
        7 => out.push_str(["null", "true", "false"][random.below(3) as usize]),
        8 | 9 => {
            out.push('[');
            for n in 0..random.below(5) {
                out.push_str(if n > 0 { "," } else { "" });
                value(random, depth - 1, out);
            }
            out.push(']');
        }
        _ => {
            out.push('{');
            let mut keys: Vec<String> = Vec::new();
            for _ in 0..random.below(6) {
                let (mut spelt, mut plain) = (String::new(), String::new());
                characters(random, &mut spelt, &mut plain);
                if keys.contains(&plain) {
                    continue;
                }
                write!(
                    out,
                    "{}\"{spelt}\":",
                    if keys.is_empty() { "" } else { "," }
                )
                .unwrap();
                keys.push(plain);
                value(random, depth - 1, out);
            }
            out.push('}');
        }
    }
    space(random, out);
}

fn space(random: &mut Random, out: &mut String) {
    if random.below(8) == 0 {
        out.push_str("  ");
    }
}

/// Any double that is admitted, in one of three spellings; or a whole number.
fn number(random: &mut Random, out: &mut String) {
    if random.below(4) == 0 {
        let bits = random.below(54);
        let n = random.next() & ((1 << bits) - 1);
        assert!(n <= MAX_SAFE_INTEGER);
        let sign = ["", "-"][random.below(2) as usize];
        return write!(out, "{sign}{n}").unwrap();
    }
    let n = loop {
        let n = f64::from_bits(random.next());
        let n = match random.below(3) {
            // Decimal fractions, as people write them.
            0 => (random.below(2_000_000_000) as f64 - 1e9) / 10_f64.powi(random.below(12) as i32),
            _ => n,
        };
        if n.is_finite() && n.abs() <= MAX_SAFE_INTEGER as f64 {
            break n;
        }
    };
    match random.below(3) {
        0 => write!(out, "{n:e}"),
        1 => write!(out, "{n:?}"),
        _ => write!(out, "{n:.17E}"),
    }
    .unwrap();
}

fn text(random: &mut Random, out: &mut String) {
    out.push('"');
    characters(random, out, &mut String::new());
    out.push('"');
}

/// Up to eight characters of all planes, some of them escaped; `plain` is what they mean.
fn characters(random: &mut Random, out: &mut String, plain: &mut String) {
    for _ in 0..random.below(9) {
        let limit = [0x80, 0x800, 0x1_0000, 0x11_0000][random.below(4) as usize];
        // The planes above the first are where UTF-16 sorts differently from UTF-8.
        let low = if limit == 0x11_0000 { 0xe000 } else { 0 };
        let Some(c) = char::from_u32((low + random.below(limit - low)) as u32) else {
            continue;
        };
        plain.push(c);
        if c < ' ' || c == '"' || c == '\\' || random.below(4) == 0 {
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}").unwrap();
            }
        } else {
            out.push(c);
        }
    }
}

/// Numbers that are the same in each run (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}
