//! Coverage-guided fuzzing of the ledger's, the dry run's and the suite's readers: `cargo xtask fuzz [SECONDS] [TARGET…]`.
//!
//! Builds `fuzz/`, a workspace of its own, with LLVM's coverage instrumentation and libFuzzer, on the stable compiler;
//! makes keys and seeds once; runs one target after the other; prints executions, coverage and findings as a table.
//! `docs/fuzzing.md` says what each target asserts.
//!
//! Invariants: a finding, a target that ran nothing, or no compiler for libFuzzer's C++ ends as a failure: what was not
//! fuzzed never reads as fuzzed.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::run::{cargo, has, loud, output, root};

/// What makes LLVM count edges and record comparisons, as libFuzzer reads them.
const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing";

/// How long a target is fuzzed if nothing is said.
const SECONDS: u64 = 60;

/// The longest that one input may take, in seconds.
const PATIENCE: u32 = 10;

/// The most memory that a target may use, in MiB.
const MEMORY: u32 = 2048;

/// A target, as the program lists it.
struct Target {
    name: String,
    max_len: String,
}

/// What came of fuzzing a target.
struct Outcome {
    name: String,
    executions: u64,
    a_second: u64,
    coverage: u64,
    features: u64,
    /// Why the run ended early, and where the input is.
    finding: Option<String>,
}

/// Fuzzes what `args` name; all targets if none.
///
/// # Errors
/// A target that does not exist; a finding; no C++ compiler; a build that fails.
pub fn fuzz(args: &[&str]) -> Result<()> {
    let (seconds, names) = match args.split_first() {
        Some((first, rest)) if first.parse::<u64>().is_ok() => (first.parse()?, rest),
        _ => (SECONDS, args),
    };
    if std::env::var_os("CXX").is_none() && !["c++", "g++", "clang++"].iter().any(|p| has(p)) {
        bail!(
            "skipped: no C++ compiler (c++, g++ or clang++) is in the PATH, and libFuzzer is written in C++; \
             install one (Debian: `apt-get install g++`)"
        );
    }
    let program = build()?;
    let all = list(&program)?;
    let chosen = choose(all, names)?;
    let place = place()?;
    make_seeds(&program, &place, &chosen)?;
    let mut outcomes = Vec::new();
    for target in &chosen {
        println!("── {} for {seconds} s", target.name);
        let outcome = run(&program, &place, target, seconds)?;
        if let Some(finding) = &outcome.finding {
            println!("{finding}");
        }
        outcomes.push(outcome);
    }
    print!("\n{}", table(&outcomes, seconds));
    let found = outcomes.iter().filter(|o| o.finding.is_some()).count();
    match found {
        0 => Ok(()),
        found => bail!(
            "{found} of {} targets found something; see above",
            outcomes.len()
        ),
    }
}

/// Where the fuzzer is built and works.
fn place() -> Result<PathBuf> {
    let set = std::env::var_os("CARGO_TARGET_DIR");
    let target = root().join(set.map_or_else(|| "target".into(), PathBuf::from));
    let place = target.join("fuzz");
    std::fs::create_dir_all(&place)
        .with_context(|| format!("{} cannot be made", place.display()))?;
    Ok(place)
}

/// Builds the program; returns where it is.
fn build() -> Result<PathBuf> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = output(Command::new(rustc).arg("-vV"))?;
    let host = version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .context("`rustc -vV` names no host")?;
    let built = place()?.join("build");
    // With a target named, the flags are for it alone: build scripts could not be linked with them.
    let mut command = cargo();
    command
        .args(["build", "--quiet", "--manifest-path", "fuzz/Cargo.toml"])
        .args(["--locked", "--target", host, "--target-dir"])
        .arg(&built)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env("RUSTFLAGS", COVERAGE);
    loud("build with instrumentation", &mut command)?;
    Ok(built.join(host).join("debug").join("gonogo-fuzz"))
}

fn list(program: &Path) -> Result<Vec<Target>> {
    let text = quiet(Command::new(program).env("GONOGO_FUZZ", "list"))?;
    text.lines()
        .map(|line| {
            let (name, max_len) = line.split_once(' ').context("an odd list of targets")?;
            Ok(Target {
                name: name.into(),
                max_len: max_len.into(),
            })
        })
        .collect()
}

fn choose(all: Vec<Target>, names: &[&str]) -> Result<Vec<Target>> {
    for name in names {
        if !all.iter().any(|target| target.name == *name) {
            let known: Vec<&str> = all.iter().map(|target| target.name.as_str()).collect();
            bail!(
                "no target is called `{name}`. Targets: {}",
                known.join(", ")
            );
        }
    }
    let wanted = |target: &Target| names.is_empty() || names.contains(&target.name.as_str());
    Ok(all.into_iter().filter(wanted).collect())
}

/// Makes keys, seeds and dictionaries, unless they are there: what was found before means nothing under other keys.
fn make_seeds(program: &Path, place: &Path, targets: &[Target]) -> Result<()> {
    let there = |target: &Target| place.join("dict").join(&target.name).is_file();
    if targets.iter().all(there) {
        return Ok(());
    }
    for old in ["world", "seeds", "dict"] {
        let old = place.join(old);
        if old.exists() {
            std::fs::remove_dir_all(&old)
                .with_context(|| format!("{} cannot be removed", old.display()))?;
        }
    }
    let mut command = Command::new(program);
    command
        .env("GONOGO_FUZZ", "seeds")
        .env("GONOGO_FUZZ_WORLD", place);
    quiet(&mut command).map(drop)
}

/// Returns what the program printed. What libFuzzer says at every start is shown only if it fails.
fn quiet(command: &mut Command) -> Result<String> {
    let out = command
        .output()
        .with_context(|| format!("cannot start {command:?}"))?;
    if !out.status.success() {
        bail!(
            "{command:?} failed ({}): {}",
            out.status,
            String::from_utf8_lossy(&out.stderr)
        );
    }
    String::from_utf8(out.stdout).with_context(|| format!("{command:?} printed no UTF-8"))
}

fn run(program: &Path, place: &Path, target: &Target, seconds: u64) -> Result<Outcome> {
    let name = &target.name;
    let dir = |kind: &str| -> Result<PathBuf> {
        let dir = place.join(kind).join(name);
        std::fs::create_dir_all(&dir)
            .with_context(|| format!("{} cannot be made", dir.display()))?;
        Ok(dir)
    };
    let (corpus, seeds, findings) = (dir("corpus")?, dir("seeds")?, dir("findings")?);
    let log = dir("log")?.join("last");
    let (out, err) = {
        let file = File::create(&log).with_context(|| log.display().to_string())?;
        (file.try_clone()?, file)
    };
    let status = Command::new(program)
        .env("GONOGO_FUZZ", name)
        .env("GONOGO_FUZZ_WORLD", place)
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-timeout={PATIENCE}"))
        .arg(format!("-rss_limit_mb={MEMORY}"))
        .arg(format!("-max_len={}", target.max_len))
        .arg("-print_final_stats=1")
        .arg(format!("-dict={}", place.join("dict").join(name).display()))
        .arg(format!("-artifact_prefix={}/", findings.display()))
        .args([&corpus, &seeds])
        .stdout(out)
        .stderr(err)
        .status()
        .with_context(|| format!("{} cannot be started", program.display()))?;
    let text = std::fs::read(&log).with_context(|| log.display().to_string())?;
    let text = String::from_utf8_lossy(&text);
    let mut outcome = read_log(name, &text);
    if !status.success() {
        outcome.finding = Some(describe(place, &log, program, name, &text));
    } else if outcome.executions == 0 {
        outcome.finding = Some(format!("   nothing was run; see {}", log.display()));
    }
    Ok(outcome)
}

/// Reads libFuzzer's figures: its last line of progress, and its statistics.
fn read_log(name: &str, text: &str) -> Outcome {
    let mut outcome = Outcome {
        name: name.into(),
        executions: 0,
        a_second: 0,
        coverage: 0,
        features: 0,
        finding: None,
    };
    for line in text.lines() {
        let mut words = line.split_whitespace();
        while let Some(word) = words.next() {
            let field = match word {
                "stat::number_of_executed_units:" => &mut outcome.executions,
                "stat::average_exec_per_sec:" => &mut outcome.a_second,
                "cov:" => &mut outcome.coverage,
                "ft:" => &mut outcome.features,
                _ => continue,
            };
            if let Some(number) = words.next().and_then(|n| n.parse().ok()) {
                *field = number;
            }
        }
    }
    outcome
}

/// Says what was found, where the input is, and how to see it again.
fn describe(place: &Path, log: &Path, program: &Path, name: &str, text: &str) -> String {
    let telling = |line: &&str| line.contains("panicked at") || line.contains("ERROR: libFuzzer");
    let mut lines: Vec<&str> = Vec::new();
    for (n, line) in text.lines().enumerate() {
        if telling(&line) {
            lines.extend(text.lines().skip(n).take(3));
        }
    }
    let file = text
        .lines()
        .find_map(|line| line.split_once("Test unit written to "))
        .map_or("an input that was not kept", |(_, file)| file);
    format!(
        "   {}\n   see {} or run GONOGO_FUZZ={name} GONOGO_FUZZ_WORLD={} {} {file}",
        lines.join("\n   "),
        log.display(),
        place.display(),
        program.display(),
    )
}

fn table(outcomes: &[Outcome], seconds: u64) -> String {
    let mut out = String::from(
        "| Target | Seconds | Executions | A second | Edges | Features | Findings |\n|---|---|---|---|---|---|---|\n",
    );
    for o in outcomes {
        let found = if o.finding.is_some() { "**1**" } else { "none" };
        out.push_str(&format!(
            "| `{}` | {seconds} | {} | {} | {} | {} | {found} |\n",
            o.name, o.executions, o.a_second, o.coverage, o.features
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engines_figures_are_read_from_its_log() {
        let text = "#8\tpulse  cov: 3 ft: 4 corp: 1/1b exec/s: 4 rss: 32Mb\n\
            #1485\tDONE   cov: 3003 ft: 7287 corp: 178/6656Kb lim: 98304 exec/s: 371 rss: 45Mb\n\
            stat::number_of_executed_units: 1485\nstat::average_exec_per_sec:     371\n";
        let o = read_log("packet", text);
        assert_eq!(
            (o.executions, o.a_second, o.coverage, o.features),
            (1485, 371, 3003, 7287)
        );
        assert!(table(&[o], 4).contains("| `packet` | 4 | 1485 | 371 | 3003 | 7287 | none |"));
        assert_eq!(read_log("packet", "died").executions, 0);
    }

    #[test]
    fn a_finding_is_told_with_its_input() {
        let text = "thread '<unnamed>' panicked at src/x.rs:1:2:\nnever signed\n==7== ERROR: libFuzzer: deadly signal\n\
            artifact_prefix='/f/'; Test unit written to /f/crash-1\n";
        let told = describe(
            Path::new("/p"),
            Path::new("/l"),
            Path::new("/b"),
            "note",
            text,
        );
        assert!(
            told.contains("never signed") && told.ends_with("/b /f/crash-1"),
            "{told}"
        );
    }
}
