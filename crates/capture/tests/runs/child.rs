//! Children of the runs: what they print is made from a seed, so that the tests know it.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

/// Hostile bytes: long and short lines, empty ones, NUL, invalid UTF-8, CRLF; the last line may be open.
pub(crate) fn hostile(seed: u64, length: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        let line = match random.u8(..20) {
            0 => 0,
            1 => random.usize(60_000..200_000),
            _ => random.usize(1..300),
        };
        for _ in 0..line {
            let byte = match random.u8(..40) {
                0 => 0,
                1 => 0xff,
                2 => b'\r',
                b'\n' => b' ',
                _ => random.u8(b' '..b'~'),
            };
            bytes.push(if byte == b'\n' { b' ' } else { byte });
        }
        bytes.extend_from_slice(if random.bool() { b"\n" } else { b"\r\n" });
    }
    bytes.truncate(length);
    bytes
}

pub(crate) fn main(words: &[String]) -> ExitCode {
    let word = |n: usize| words.get(n).map_or("", String::as_str);
    let number = |n: usize| word(n).parse::<u64>().unwrap();
    match word(0) {
        // Both streams at once, in pieces of any size.
        "hostile" => {
            let (seed, out, err) = (number(1), number(2) as usize, number(3) as usize);
            let other = std::thread::spawn(move || {
                pieces(&mut std::io::stderr(), &hostile(seed + 1, err), seed);
            });
            pieces(&mut std::io::stdout(), &hostile(seed, out), seed);
            other.join().unwrap();
        }
        // One line of any length, without an end.
        "line" => {
            let block = vec![b'x'; 1 << 16];
            let mut left = number(1);
            while left > 0 {
                let count = left.min(block.len() as u64);
                std::io::stdout()
                    .write_all(&block[..count as usize])
                    .unwrap();
                left -= count;
            }
            std::io::stdout().flush().unwrap();
        }
        // Numbered lines until the end of time, or so many.
        "count" => {
            let (lines, pause) = (number(1), number(2));
            let mut out = std::io::stdout().lock();
            for n in 0..lines {
                if writeln!(out, "line {n:012} {}", "y".repeat((n % 97) as usize)).is_err() {
                    return ExitCode::FAILURE;
                }
                if pause > 0 {
                    out.flush().unwrap();
                    std::thread::sleep(Duration::from_millis(pause));
                }
            }
        }
        // Lines that hardly compress, until the end of time.
        "dense" => {
            let mut out = std::io::stdout().lock();
            for n in 0.. {
                if out.write_all(&dense(n)).is_err() {
                    return ExitCode::FAILURE;
                }
            }
        }
        other => panic!("no such child: {other}"),
    }
    ExitCode::SUCCESS
}

/// A line of `dense`.
pub(crate) fn dense(n: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(n);
    let mut line = format!("{n:08} ").into_bytes();
    line.extend((0..8000).map(|_| b"0123456789abcdef"[random.usize(..16)]));
    line.push(b'\n');
    line
}

/// What `count` prints.
pub(crate) fn counted(lines: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    for n in 0..lines {
        writeln!(bytes, "line {n:012} {}", "y".repeat((n % 97) as usize)).unwrap();
    }
    bytes
}

fn pieces(out: &mut impl Write, mut bytes: &[u8], seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed ^ 0x5eed);
    while !bytes.is_empty() {
        let count = random.usize(1..200_000).min(bytes.len());
        out.write_all(&bytes[..count]).unwrap();
        out.flush().unwrap();
        bytes = &bytes[count..];
    }
}
