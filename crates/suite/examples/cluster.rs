//! Clusters made-up failures and says how fast: `cluster all|back FAILURES`, `cluster part STATE N OF FAILURES`, `cluster near CLUSTERS`.
//!
//! `all` adds every run in its order, `back` from the last to the first; `part` adds the N-th part (from 0) to a state in a file, which is
//! made if N is 0, so that four calls are four processes with three restarts between them. `near` compares the search for look-alikes with
//! a naive one that measures all pairs by the textbook's table. The answer is one line of JSON: seconds, the clusters and those that there
//! truly are, the digest of the state, and the process's peak of resident memory (`VmHWM`).
//!
//! The failures are the same each time: 300 a run, of 8,000 causes, the frequent ones a thousand times as frequent as the rare ones; each
//! text has the numbers, paths, ids and times of its own run.

#![expect(
    clippy::print_stdout,
    reason = "a program: its answer is what it prints"
)]

use std::error::Error;
use std::fs::File;
use std::io::{BufReader, BufWriter, Write};

use gonogo_core::clock::{Clock, SystemClock};
use gonogo_core::{Digest, Timestamp};
use gonogo_suite::cluster::{Clusters, Near, Occurrence, Run};
use gonogo_suite::{Failure, TestId};

const CAUSES: u64 = 8_000;
const A_RUN: u64 = 300;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let clock = SystemClock::default();
    let began = clock.now().mono_ms;
    let since = |from: u64| (clock.now().mono_ms - from) as f64 / 1e3;
    let answer = match words[..] {
        ["near", clusters] => near(clusters.parse()?, &clock),
        ["all" | "back", failures] => {
            let runs = failures.parse::<u64>()?.div_ceil(A_RUN);
            let mut clusters = Clusters::default();
            for n in 0..runs {
                add(
                    &mut clusters,
                    if words[0] == "all" { n } else { runs - 1 - n },
                )?;
            }
            let added = since(began);
            let at = clock.now().mono_ms;
            let found = clusters.suggestions(&Near::default());
            let suggested = since(at);
            let first = found.iter().filter(|s| s.rank == 0).count();
            let mut answer = say(&clusters)?;
            answer["add_s"] = added.into();
            answer["suggest_s"] = suggested.into();
            answer["seconds"] = since(began).into();
            answer["suggestions"] = found.len().into();
            answer["suggestions_at_rank_0"] = first.into();
            answer
        }
        ["part", path, part, of, failures] => {
            let (part, of): (u64, u64) = (part.parse()?, of.parse()?);
            let runs = failures.parse::<u64>()?.div_ceil(A_RUN);
            let mut clusters = match part {
                0 => Clusters::default(),
                _ => Clusters::load(BufReader::new(File::open(path)?))?,
            };
            for n in (0..runs).filter(|n| n % of == part) {
                add(&mut clusters, n)?;
            }
            let mut out = BufWriter::new(File::create(path)?);
            clusters.save(&mut out)?;
            out.flush()?;
            let mut answer = say(&clusters)?;
            answer["seconds"] = since(began).into();
            answer["state_bytes"] = std::fs::metadata(path)?.len().into();
            answer
        }
        _ => {
            return Err(
                "usage: cluster all|back FAILURES | part STATE N OF FAILURES | near CLUSTERS"
                    .into(),
            );
        }
    };
    println!("{answer}");
    Ok(())
}

fn say(clusters: &Clusters) -> Result<serde_json::Value, Box<dyn Error>> {
    let mut state = Hashed(gonogo_core::digest::Hasher::default());
    clusters.save(&mut state)?;
    Ok(serde_json::json!({
        "failures": clusters.failures(),
        "clusters": clusters.len(),
        "causes": causes(clusters.failures()),
        "beyond": clusters.beyond(),
        "state": state.0.finish().to_string(),
        "peak_rss_kib": peak(),
    }))
}

struct Hashed(gonogo_core::digest::Hasher);

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn add(clusters: &mut Clusters, run: u64) -> Result<(), Box<dyn Error>> {
    let all: Vec<(TestId, Failure, String)> = (0..A_RUN)
        .map(|n| failure(cause(run, n), run * A_RUN + n))
        .collect();
    let at = Timestamp::from_millis(1_700_000_000_000 + run as i64 * 600_000);
    let (id, tree) = (format!("run-{run}"), format!("{:040x}", hash(run / 2)));
    let run = Run {
        id: &id,
        tree: &tree,
        at,
    };
    let all = all.iter().map(|(test, failure, owner)| Occurrence {
        test,
        failure,
        owner: Some(owner),
    });
    clusters.add_run(&run, all)?;
    Ok(())
}

/// How many causes there truly are among so many failures.
fn causes(failures: u64) -> usize {
    let seen = (0..failures).map(|n| cause(n / A_RUN, n % A_RUN));
    seen.collect::<std::collections::BTreeSet<u64>>().len()
}

/// Which cause a failure has: of the logarithm's distribution, the first ones a thousand times as frequent as the last.
fn cause(run: u64, n: u64) -> u64 {
    let even = hash(run * A_RUN + n) as f64 / 2f64.powi(64);
    ((1000f64.powf(even) - 1.0) / 999.0 * CAUSES as f64) as u64 % CAUSES
}

/// SplitMix64.
fn hash(n: u64) -> u64 {
    let mut z = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

const NOUNS: [&str; 20] = [
    "order",
    "invoice",
    "session",
    "ledger",
    "cursor",
    "shard",
    "replica",
    "token",
    "bucket",
    "lease",
    "snapshot",
    "checkpoint",
    "tenant",
    "queue",
    "channel",
    "manifest",
    "packet",
    "schema",
    "volume",
    "certificate",
];
const VERBS: [&str; 20] = [
    "opened",
    "committed",
    "flushed",
    "renewed",
    "rotated",
    "parsed",
    "merged",
    "compacted",
    "routed",
    "sealed",
    "replayed",
    "migrated",
    "published",
    "acknowledged",
    "expired",
    "validated",
    "archived",
    "restored",
    "scheduled",
    "negotiated",
];

/// A failure of a cause; `salt` is what changes from time to time.
fn failure(cause: u64, salt: u64) -> (TestId, Failure, String) {
    let (noun, verb, kind) = (
        NOUNS[cause as usize % 20],
        VERBS[cause as usize / 20 % 20],
        cause / 400,
    );
    let other = NOUNS[hash(cause) as usize % 20];
    let (a, b) = (hash(salt ^ 0xa5a5), hash(salt ^ 0x5a5a));
    let (port, ms, hex) = (20_000 + a % 40_000, b % 9_000, format!("{a:016x}"));
    let time = format!(
        "2026-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        a % 12 + 1,
        b % 28 + 1,
        a % 24,
        b % 60,
        a % 60,
        ms % 1000
    );
    let message = match kind {
        0 => format!(
            "assertion `left == right` failed: the {noun} was not {verb}\n  left: {}\n right: {}",
            a % 900,
            1000 + b % 900
        ),
        1 => format!(
            "called `Result::unwrap()` on an `Err` value: {noun}_{verb}: Connection refused (os error 111), peer 127.0.0.1:{port}"
        ),
        2 => format!(
            "AssertionError: expected {noun} {hex} to be {verb} by the {other}\n    at /home/runner/work/_temp/{hex}/src/{noun}.test.ts:{}:{}",
            a % 300,
            b % 80
        ),
        3 => format!(
            "{time} ERROR {noun}: {verb} after {ms}ms, wanted at most 250ms; trace id {hex}"
        ),
        4 => format!(
            "java.lang.IllegalStateException: {noun} {} cannot be {verb} while {other} {} is open",
            a % 5000,
            5000 + b % 5000
        ),
        5 => format!(
            "timed out after {ms}ms waiting for {noun} to be {verb}: GET http://localhost:{port}/v1/{noun}s/{}?{other}={}",
            a % 5000,
            5000 + b % 5000
        ),
        6 => format!(
            "OSError: [Errno 28] No space left on device: '/tmp/pytest-of-root/pytest-{}/{noun}-{verb}0/{other}.db'",
            a % 100
        ),
        7 => format!(
            "panicked: index out of bounds: the len is {} but the index is {} in {noun}.{verb}({other})",
            a % 90,
            90 + b % 900
        ),
        8 => format!(
            "sqlite: {noun} {verb} failed: UNIQUE constraint failed: {other}.id (row {})",
            a % 90_000
        ),
        9 => format!(
            "rpc error: code = Unavailable desc = {noun} is not {verb}: transport: error while dialing: dial tcp 10.{}.{}.{}:{port}: connect: connection refused",
            a % 250,
            b % 250,
            a % 200
        ),
        10 => format!(
            "thread '{noun}-{verb}-{}' overflowed its stack while it visited the {other} at 0x{hex}",
            a % 64
        ),
        11 => format!(
            "expected {{\"{noun}\":{{\"state\":\"{verb}\",\"{other}\":{}}}}}, got {{\"{noun}\":null}} for request {hex}",
            a % 90
        ),
        12 => format!(
            "TypeError: Cannot read properties of undefined (reading '{noun}') in {verb}{other} at {time}"
        ),
        13 => format!(
            "{noun}_{verb}_{other}: deadline exceeded at {time}; attempt {} of {}",
            a % 5,
            5 + b % 5
        ),
        14 => format!(
            "checksum of the {noun} does not match after it was {verb}: {hex}{hex} instead of {:016x}{:016x}, {other} kept",
            b,
            hash(b)
        ),
        15 => format!(
            "FAIL: {noun} must be {verb} before the {other}; version {} is older than {}",
            a % 50,
            50 + b % 50
        ),
        16 => format!(
            "goroutine {} [running]: {noun}.{verb}: nil pointer dereference of the {other}, addr=0x{:x}",
            a % 900,
            b % 4096
        ),
        17 => format!(
            "snapshot of {noun} {verb} differs in line {}: - {other}: {ms}",
            a % 800
        ),
        18 => format!(
            "PermissionError: [Errno 13] {noun} may not be {verb}: '/var/lib/{other}/{hex}/lock'"
        ),
        _ => format!(
            "lost update: {noun} {} was {verb} twice by {other} within {ms} ms",
            a % 9000
        ),
    };
    let trace: String = (0..6)
        .map(|n| {
            format!(
                "  at {noun}::{verb}::frame{n} (/work/src/{noun}/{verb}.rs:{}:{})\n",
                (a >> n) % 900,
                b % 90
            )
        })
        .collect();
    let failure = Failure {
        message,
        trace,
        ..Failure::default()
    };
    let test = TestId::new(noun, verb, &format!("case_{}_{}", cause, salt % 7));
    (test, failure, format!("@org/{other}"))
}

/// The search for look-alikes beside a naive one over the same clusters.
fn near(count: u64, clock: &SystemClock) -> serde_json::Value {
    let mut clusters = Clusters::default();
    for cause in 0..count.min(CAUSES) {
        let (test, failure, _) = failure(cause * (CAUSES / count.clamp(1, CAUSES)), cause);
        let run = Run {
            id: &cause.to_string(),
            tree: "t",
            at: Timestamp::from_millis(0),
        };
        let one = Occurrence {
            test: &test,
            failure: &failure,
            owner: None,
        };
        // The ids differ.
        let _ = clusters.add_run(&run, [one]);
    }
    let at = clock.now().mono_ms;
    let ours = clusters.suggestions(&Near::default());
    let ours_ms = clock.now().mono_ms - at;
    let at = clock.now().mono_ms;
    let all: Vec<_> = clusters.iter().collect();
    // The nearest of each, at most a tenth of the mean length away.
    let mut near = vec![None::<f64>; all.len()];
    for (i, a) in all.iter().enumerate() {
        for (j, b) in all.iter().enumerate().skip(i + 1) {
            let mean = (a.key.len() + b.key.len()) as f64 / 2.0;
            let share = table(a.key.as_bytes(), b.key.as_bytes()) as f64 / mean;
            if share <= 0.1 {
                for n in [i, j] {
                    near[n] = Some(near[n].map_or(share, |s: f64| s.min(share)));
                }
            }
        }
    }
    let naive_ms = clock.now().mono_ms - at;
    let has: std::collections::BTreeSet<_> = ours.iter().flat_map(|s| [&s.a, &s.b]).collect();
    let wanted = all.iter().zip(&near).filter(|(_, s)| s.is_some());
    let missed = wanted
        .clone()
        .filter(|(c, _)| !has.contains(&c.signature))
        .count();
    serde_json::json!({
        "clusters": all.len(), "ours_ms": ours_ms, "naive_ms": naive_ms, "with_a_neighbour": wanted.count(), "missed": missed,
        "keys": Digest::of(all.iter().map(|c| c.key.as_str()).collect::<Vec<_>>().join("\n").as_bytes()).to_string(),
    })
}

/// Levenshtein's distance by the whole table.
fn table(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let here = (diagonal + usize::from(x != y))
                .min(row[j] + 1)
                .min(row[j + 1] + 1);
            diagonal = std::mem::replace(&mut row[j + 1], here);
        }
    }
    row[b.len()]
}

/// The peak of resident memory, KiB; absent where the system does not say.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
