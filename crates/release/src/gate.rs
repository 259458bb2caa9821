//! Gates: evidence that must be there before an operation begins.
//!
//! Today there are two: a signed-off dry run of exactly what is released, and a recorded verdict of the gates over the tree that it was
//! built from. Silence, another subject, age and a later run that went
//! worse each refuse with a reason of their own; so do a run that was too short or too often down, accepted warnings, and a run of
//! something else that only named what is released. Invariant: what a record does not say is not fulfilled.

use gonogo_core::{Digest, Reason, Share, Span, Timestamp};

use crate::plan::{DryRunGate, VerdictGate};

/// A dry run's verdict, as the ledger has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedOff {
    /// Its record.
    pub index: u64,
    /// Its stream.
    pub stream: String,
    /// How it was signed off: `pass`, `warn`, `fail`, `invalid`.
    pub status: String,
    /// Digests of what was run, unchanged from before the run until its end.
    pub subjects: Vec<Digest>,
    /// Those of them that were run: as the program, or as the file that its interpreter was given.
    pub executed: Vec<Digest>,
    /// Of what was declared of dry runs when it was made, if its record says so, and whether anything was asked less.
    pub declared: Option<Digest>,
    /// What was asked less of it than was declared, in words.
    pub weaker: Vec<String>,
    /// The run time that counts, if its record says.
    pub counted: Option<Span>,
    /// The uptime that gated, if its record says.
    pub uptime: Option<Share>,
    /// How many warnings were accepted wholesale, if its record says.
    pub accepted_warnings: Option<u64>,
    /// When.
    pub at: Timestamp,
}

/// Why a gate does not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Closed {
    /// The reason.
    pub reason: Reason,
    /// In words.
    pub text: String,
}

fn closed<T>(reason: Reason, text: impl Into<String>) -> Result<T, Closed> {
    Err(Closed {
        reason,
        text: text.into(),
    })
}

/// How far a record's time may lie ahead of ours.
const SKEW: Span = Span::from_secs(2);

/// Judges `dry_run = { … }`: among `seen` the newest verdict about all of `wanted` must be a pass that is not too old and is all that
/// `gate` demands. A newer verdict that is none outweighs an older pass.
///
/// # Errors
/// [`Closed`] with [`Reason::GateEvidenceMissing`], [`Reason::GateEvidenceFailed`] or [`Reason::GateEvidenceStale`].
pub fn dry_run<'a>(
    wanted: &[Digest],
    gate: &DryRunGate,
    seen: &'a [SignedOff],
    now: Timestamp,
) -> Result<&'a SignedOff, Closed> {
    if wanted.is_empty() {
        let text = "the version names no artifact, so no dry run can be about it";
        return closed(Reason::GateEvidenceMissing, text);
    }
    let about_all = |s: &&SignedOff| wanted.iter().all(|w| s.subjects.contains(w));
    let Some(newest) = seen.iter().filter(about_all).max_by_key(|s| s.index) else {
        let text = match seen.len() {
            0 => "no dry run of what is released was signed off".to_owned(),
            n => format!("none of {n} signed dry runs is about everything that is released"),
        };
        return closed(Reason::GateEvidenceMissing, text);
    };
    let SignedOff { index, stream, .. } = newest;
    if newest.status != "pass" {
        let text = format!(
            "the newest dry run, {stream} (record {index}), ended with `{}`",
            newest.status
        );
        return closed(Reason::GateEvidenceFailed, text);
    }
    if newest.at > now.after(SKEW) {
        let text = format!(
            "{stream} (record {index}) is dated {}, in the future",
            newest.at
        );
        return closed(Reason::GateEvidenceStale, text);
    }
    let max_age = gate.max_age;
    if newest.at.after(max_age) < now {
        let text = format!(
            "{stream} (record {index}) was signed off at {}, more than {max_age} ago",
            newest.at
        );
        return closed(Reason::GateEvidenceStale, text);
    }
    if let Some(why) = unfulfilled(gate, wanted, newest) {
        let text = format!("{stream} (record {index}) passed, but {why}");
        return closed(Reason::GateEvidenceFailed, text);
    }
    // Tried until it passes is no pass. A plan that does not say what is declared is of a version that did not look.
    let is_same = |s: &&SignedOff| {
        gate.declared.is_some() && s.declared == newest.declared && s.at.after(max_age) >= now
    };
    let counts = |s: &&SignedOff| {
        !gate.binding.is_executed() || wanted.iter().any(|w| s.executed.contains(w))
    };
    let others = seen.iter().filter(about_all).filter(is_same).filter(counts);
    let mut worse = others.filter(|s| s.status != "pass");
    if let Some(other) = worse.next() {
        let text = format!(
            "{stream} (record {index}) passed, and another dry run of the same, {} (record {}), ended with `{}`: it fails now and then",
            other.stream, other.index, other.status
        );
        return closed(Reason::GateEvidenceFailed, text);
    }
    Ok(newest)
}

/// A run of suites that kept what it built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// Its record.
    pub index: u64,
    /// Its stream.
    pub stream: String,
    /// The tree that it was of.
    pub tree: String,
    /// Whether it was good.
    pub good: bool,
    /// The digest of everything that was declared when it began, if its record says so.
    pub declared: Option<String>,
    /// Digests of the files that it kept.
    pub outputs: Vec<Digest>,
}

/// A verdict of the gates, as the ledger has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// Its record.
    pub index: u64,
    /// Its stream.
    pub stream: String,
    /// The question.
    pub lane: String,
    /// `pass`, `excused`, `hold`, `fail`, `invalid`.
    pub verdict: String,
    /// The tree.
    pub tree: String,
    /// The digest of everything that was declared when it was judged, if its record says so.
    pub declared: Option<String>,
    /// When.
    pub at: Timestamp,
    /// When the first of what it rests on ends.
    pub expires_at: Option<Timestamp>,
}

/// Judges `verdict = { … }`: the newest good run that kept all of `wanted` says which tree they were built from, and the newest verdict of
/// the lane over that tree must be a pass that is not too old and has not ended. A newer verdict that is none outweighs an older pass.
///
/// # Errors
/// [`Closed`] with [`Reason::GateEvidenceMissing`], [`Reason::GateEvidenceFailed`] or [`Reason::GateEvidenceStale`].
pub fn verdict<'a>(
    wanted: &[Digest],
    gate: &VerdictGate,
    built: &'a [Built],
    judged: &'a [Judged],
    now: Timestamp,
) -> Result<(&'a Judged, &'a Built), Closed> {
    if wanted.is_empty() {
        let text = "the version names no artifact, so nothing says what it was built from";
        return closed(Reason::GateEvidenceMissing, text);
    }
    let made_all = |b: &&Built| wanted.iter().all(|w| b.outputs.contains(w));
    let Some(origin) = built.iter().filter(made_all).max_by_key(|b| b.index) else {
        let text = format!(
            "none of {} recorded runs of suites kept everything that is released among its `outputs`",
            built.len()
        );
        return closed(Reason::GateEvidenceMissing, text);
    };
    if !origin.good {
        let text = format!(
            "the newest run that kept what is released, {} (record {}), was not good",
            origin.stream, origin.index
        );
        return closed(Reason::GateEvidenceFailed, text);
    }
    if origin.tree.is_empty() {
        let text = format!(
            "{} (record {}) does not say which tree it was of",
            origin.stream, origin.index
        );
        return closed(Reason::GateEvidenceMissing, text);
    }
    let lane = gate.lane.word();
    let of_tree = |j: &&Judged| j.tree == origin.tree && j.lane == lane;
    let Some(newest) = judged.iter().filter(of_tree).max_by_key(|j| j.index) else {
        let text = format!(
            "no verdict of the lane `{lane}` over `{}` is recorded, which {} built",
            origin.tree, origin.stream
        );
        return closed(Reason::GateEvidenceMissing, text);
    };
    let Judged { index, stream, .. } = newest;
    let is_good = newest.verdict == "pass" || (newest.verdict == "excused" && gate.allow_excused);
    if !is_good {
        let text = format!(
            "the newest verdict, {stream} (record {index}), is `{}`",
            newest.verdict
        );
        return closed(Reason::GateEvidenceFailed, text);
    }
    if origin.declared.is_none() || origin.declared != newest.declared {
        let text = format!(
            "{} (record {}) built it when something else was declared than what {stream} (record {index}) judged",
            origin.stream, origin.index
        );
        return closed(Reason::GateEvidenceMissing, text);
    }
    if newest.at > now.after(SKEW) {
        let text = format!(
            "{stream} (record {index}) is dated {}, in the future",
            newest.at
        );
        return closed(Reason::GateEvidenceStale, text);
    }
    if newest.at.after(gate.max_age) < now {
        let text = format!(
            "{stream} (record {index}) was judged at {}, more than {} ago",
            newest.at, gate.max_age
        );
        return closed(Reason::GateEvidenceStale, text);
    }
    if let Some(end) = newest.expires_at.filter(|end| *end <= now) {
        let text = format!("{stream} (record {index}) held until {end}");
        return closed(Reason::GateEvidenceStale, text);
    }
    Ok((newest, origin))
}

/// Why a run was not judged by what the plan's project declares.
fn otherwise(gate: &DryRunGate, run: &SignedOff) -> Option<String> {
    let declared = gate.declared?;
    match run.declared {
        None => Some("its record does not say by what it was judged: run it again".to_owned()),
        Some(other) if other != declared => {
            Some("it was judged by another `[dry_run]` than is declared: run it again".to_owned())
        }
        Some(_) => run
            .weaker
            .first()
            .map(|first| format!("it was judged by less than `[dry_run]` declares: {first}")),
    }
}

/// What a pass lacks.
fn unfulfilled(gate: &DryRunGate, wanted: &[Digest], run: &SignedOff) -> Option<String> {
    if gate.binding.is_executed() && !wanted.iter().any(|w| run.executed.contains(w)) {
        let text = "it only names what is released: neither the program that ran nor the file that its interpreter was given is one \
                    of the released artifacts (`binding = \"mentioned\"` in the gate accepts that)";
        return Some(text.to_owned());
    }
    if let Some(why) = otherwise(gate, run) {
        return Some(why);
    }
    if let Some(least) = gate.min_duration {
        match run.counted {
            None => {
                return Some(format!(
                    "its record does not say how long it ran, and {least} is demanded"
                ));
            }
            Some(counted) if counted < least => {
                return Some(format!(
                    "only {counted} of it count, and {least} is demanded"
                ));
            }
            Some(_) => {}
        }
    }
    if let Some(least) = gate.min_uptime {
        match run.uptime {
            None => {
                return Some(format!(
                    "its record does not say its uptime, and {least} is demanded"
                ));
            }
            Some(up) if up < least => {
                return Some(format!("its uptime was {up}, and {least} is demanded"));
            }
            Some(_) => {}
        }
    }
    if gate.allow_warnings {
        return None;
    }
    match run.accepted_warnings {
        Some(0) => None,
        Some(n) => Some(format!(
            "{n} warnings were accepted wholesale (`allow_warnings = true` in the gate lets that count)"
        )),
        None => Some("its record does not say whether warnings were accepted".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Binding;

    fn run(index: u64, status: &str, subjects: &[&str], at: i64) -> SignedOff {
        SignedOff {
            index,
            stream: format!("run/dry-run/run_{index}"),
            status: status.into(),
            subjects: subjects.iter().map(|s| Digest::of(s.as_bytes())).collect(),
            executed: subjects.iter().map(|s| Digest::of(s.as_bytes())).collect(),
            declared: Some(Digest::of(b"declared")),
            weaker: Vec::new(),
            counted: Some(Span::from_secs(3600)),
            uptime: Some(Share::from_ppm(980_000)),
            accepted_warnings: Some(0),
            at: Timestamp::from_millis(at),
        }
    }

    fn gate() -> DryRunGate {
        DryRunGate {
            max_age: Span::from_secs(60),
            min_duration: None,
            min_uptime: None,
            allow_warnings: false,
            binding: Binding::Executed,
            declared: Some(Digest::of(b"declared")),
        }
    }

    fn judge(wanted: &[&str], seen: &[SignedOff], now: i64) -> Result<u64, Reason> {
        let wanted: Vec<Digest> = wanted.iter().map(|w| Digest::of(w.as_bytes())).collect();
        dry_run(&wanted, &gate(), seen, Timestamp::from_millis(now))
            .map(|s| s.index)
            .map_err(|c| c.reason)
    }

    #[test]
    fn only_a_fresh_pass_about_everything_opens() {
        let pass = run(1, "pass", &["a", "b"], 1_000_000);
        let missing = Err(Reason::GateEvidenceMissing);
        let now = 1_010_000;
        for (wanted, seen, at, expected) in [
            (&["a"][..], vec![pass.clone()], now, Ok(1)),
            (&["a", "b"], vec![pass.clone()], now, Ok(1)),
            (&["a", "c"], vec![pass.clone()], now, missing),
            (&["a"], vec![], now, missing),
            // Nothing wanted is not everything shown.
            (&[], vec![pass.clone()], now, missing),
            (&["a"], vec![pass.clone()], 1_060_000, Ok(1)),
            (
                &["a"],
                vec![pass.clone()],
                1_060_001,
                Err(Reason::GateEvidenceStale),
            ),
            (
                &["a"],
                vec![pass.clone()],
                997_000,
                Err(Reason::GateEvidenceStale),
            ),
            // The newest about all counts, in whatever order they come.
            (
                &["a"],
                vec![run(2, "fail", &["a"], 1_001_000), pass.clone()],
                now,
                Err(Reason::GateEvidenceFailed),
            ),
            (
                &["a", "b"],
                vec![pass.clone(), run(2, "fail", &["a"], 1_001_000)],
                now,
                Ok(1),
            ),
            (
                &["a"],
                vec![pass.clone(), run(2, "pass", &["a"], 1_001_000)],
                now,
                Ok(2),
            ),
            // Tried until it passed; what is older than a pass may be does not count, nor does what was judged otherwise.
            (
                &["a"],
                vec![
                    run(1, "fail", &["a"], 1_000_000),
                    run(2, "pass", &["a"], 1_001_000),
                ],
                now,
                Err(Reason::GateEvidenceFailed),
            ),
            (
                &["a"],
                vec![
                    run(1, "unjudged", &["a"], 1_000_000),
                    run(2, "pass", &["a"], 1_001_000),
                ],
                now,
                Err(Reason::GateEvidenceFailed),
            ),
            (
                &["a"],
                vec![
                    run(1, "fail", &["a"], 900_000),
                    run(2, "pass", &["a"], 1_001_000),
                ],
                now,
                Ok(2),
            ),
            (
                &["a"],
                vec![
                    SignedOff {
                        declared: None,
                        ..run(1, "fail", &["a"], 1_000_000)
                    },
                    run(2, "pass", &["a"], 1_001_000),
                ],
                now,
                Ok(2),
            ),
        ] {
            assert_eq!(
                judge(wanted, &seen, at),
                expected,
                "{wanted:?} {seen:?} {at}"
            );
        }
        for status in ["warn", "invalid", "", "PASS", "passed"] {
            let seen = [run(1, status, &["a"], 1_000_000)];
            assert_eq!(
                judge(&["a"], &seen, now),
                Err(Reason::GateEvidenceFailed),
                "{status}"
            );
        }
    }

    #[test]
    fn a_pass_that_is_less_than_demanded_does_not_open() {
        type Change = fn(&mut DryRunGate, &mut SignedOff);
        let table: [(Change, Option<&str>); 20] = [
            (|_, _| {}, None),
            (
                |_, r| r.declared = Some(Digest::of(b"other")),
                Some("by another `[dry_run]`"),
            ),
            (|_, r| r.declared = None, Some("does not say by what")),
            (
                |_, r| r.weaker = vec!["warnings do not count".into()],
                Some("warnings do not count"),
            ),
            // A plan of a version that did not ask.
            (|g, r| (g.declared, r.declared) = (None, None), None),
            (|g, _| g.min_duration = Some(Span::from_secs(3600)), None),
            (
                |g, _| g.min_duration = Some(Span::from_millis(3_600_001)),
                Some("of it count"),
            ),
            (
                |g, r| (g.min_duration, r.counted) = (Some(Span::from_secs(1)), None),
                Some("does not say how long"),
            ),
            (|_, r| r.counted = None, None),
            (|g, _| g.min_uptime = Some(Share::from_ppm(980_000)), None),
            (
                |g, _| g.min_uptime = Some(Share::from_ppm(980_001)),
                Some("its uptime was 98%"),
            ),
            (
                |g, r| (g.min_uptime, r.uptime) = (Some(Share::ZERO), None),
                Some("does not say its uptime"),
            ),
            (
                |_, r| r.accepted_warnings = Some(2),
                Some("2 warnings were accepted"),
            ),
            (
                |_, r| r.accepted_warnings = None,
                Some("does not say whether warnings"),
            ),
            (
                |g, r| (g.allow_warnings, r.accepted_warnings) = (true, Some(2)),
                None,
            ),
            (
                |g, r| (g.allow_warnings, r.accepted_warnings) = (true, None),
                None,
            ),
            (
                |_, r| r.executed = Vec::new(),
                Some("only names what is released"),
            ),
            (
                |_, r| r.executed = vec![Digest::of(b"other")],
                Some("only names what is released"),
            ),
            (
                |g, r| (g.binding, r.executed) = (Binding::Mentioned, Vec::new()),
                None,
            ),
            // Accepting warnings accepts no failure.
            (
                |g, r| (g.allow_warnings, r.status) = (true, "warn".into()),
                Some("ended with `warn`"),
            ),
        ];
        for (row, (change, expected)) in table.into_iter().enumerate() {
            let (mut gate, mut run) = (gate(), run(1, "pass", &["a"], 1_000_000));
            change(&mut gate, &mut run);
            let seen = [run];
            let found = dry_run(
                &[Digest::of(b"a")],
                &gate,
                &seen,
                Timestamp::from_millis(1_010_000),
            );
            match (found, expected) {
                (Ok(_), None) => {}
                (Err(e), Some(text)) => {
                    assert!(e.text.contains(text), "row {row}: {}", e.text);
                    assert_eq!(e.reason, Reason::GateEvidenceFailed, "row {row}");
                }
                (found, expected) => panic!("row {row}: {found:?}, and {expected:?} is expected"),
            }
        }
    }

    #[test]
    fn a_gate_that_demands_no_more_is_written_as_before() {
        let gate = DryRunGate {
            declared: None,
            ..gate()
        };
        let text = serde_json::to_string(&crate::plan::Gates::DryRun(gate)).unwrap();
        assert_eq!(text, "{\"dry-run\":{\"max_age\":\"1m\"}}");
    }

    #[test]
    fn only_a_fresh_verdict_over_the_tree_that_was_built_opens() {
        use crate::plan::Lane;
        let digest = |text: &str| Digest::of(text.as_bytes());
        let built = |index, tree: &str, good, outputs: &[&str]| Built {
            index,
            stream: format!("run/suite/run_{index}"),
            tree: tree.into(),
            good,
            declared: Some("d".into()),
            outputs: outputs.iter().map(|o| digest(o)).collect(),
        };
        let judged = |index, tree: &str, verdict: &str, at, ends: Option<i64>| Judged {
            index,
            stream: format!("run/gate/run_{index}"),
            lane: "full".into(),
            verdict: verdict.into(),
            tree: tree.into(),
            declared: Some("d".into()),
            at: Timestamp::from_millis(at),
            expires_at: ends.map(Timestamp::from_millis),
        };
        let gate = |allow_excused| VerdictGate {
            lane: Lane::Full,
            max_age: Span::from_secs(60),
            allow_excused,
        };
        let judge = |wanted: &[&str], excused, runs: &[Built], all: &[Judged], now| {
            let wanted: Vec<Digest> = wanted.iter().map(|w| digest(w)).collect();
            let found = verdict(
                &wanted,
                &gate(excused),
                runs,
                all,
                Timestamp::from_millis(now),
            );
            found.map(|(j, b)| (j.index, b.index)).map_err(|c| c.reason)
        };
        let runs = [built(1, "t1", true, &["a", "b"])];
        let pass = judged(2, "t1", "pass", 1000, None);
        let (missing, failed, stale) = (
            Err(Reason::GateEvidenceMissing),
            Err(Reason::GateEvidenceFailed),
            Err(Reason::GateEvidenceStale),
        );
        let one = std::slice::from_ref(&pass);
        assert_eq!(judge(&["a", "b"], false, &runs, one, 2000), Ok((2, 1)));
        assert_eq!(judge(&[], false, &runs, one, 2000), missing);
        assert_eq!(judge(&["a", "c"], false, &runs, one, 2000), missing);
        assert_eq!(judge(&["a"], false, &[], one, 2000), missing);
        assert_eq!(judge(&["a"], false, &runs, &[], 2000), missing);
        assert_eq!(judge(&["a"], false, &runs, one, 61_000), Ok((2, 1)));
        assert_eq!(judge(&["a"], false, &runs, one, 61_001), stale);
        // A verdict over another tree, or to another question, is none.
        let other = [judged(2, "t2", "pass", 1000, None)];
        assert_eq!(judge(&["a"], false, &runs, &other, 2000), missing);
        let lane = [Judged {
            lane: "preflight".into(),
            ..pass.clone()
        }];
        assert_eq!(judge(&["a"], false, &runs, &lane, 2000), missing);
        // Nor is a run of another declaration the one that was judged, or one that says none.
        for declared in [None, Some("e".to_owned())] {
            let runs = [Built {
                declared: declared.clone(),
                ..runs[0].clone()
            }];
            assert_eq!(judge(&["a"], false, &runs, one, 2000), missing);
            let other = [Judged {
                declared,
                ..pass.clone()
            }];
            assert_eq!(
                judge(&["a"], false, &runs, &other, 2000).is_ok(),
                runs[0].declared.is_some()
            );
        }
        // The newest counts, and what is excused only where that was said.
        let worse = [pass.clone(), judged(3, "t1", "hold", 1500, None)];
        assert_eq!(judge(&["a"], false, &runs, &worse, 2000), failed);
        let excused = [judged(3, "t1", "excused", 1500, None)];
        assert_eq!(judge(&["a"], false, &runs, &excused, 2000), failed);
        assert_eq!(judge(&["a"], true, &runs, &excused, 2000), Ok((3, 1)));
        // It ends with what it rests on; it cannot come from the future.
        let ended = [judged(2, "t1", "pass", 1000, Some(1500))];
        assert_eq!(judge(&["a"], false, &runs, &ended, 1500), stale);
        let ahead = [judged(2, "t1", "pass", 9000, None)];
        assert_eq!(judge(&["a"], false, &runs, &ahead, 2000), stale);
        // What names no tree is not of the same tree as something else that names none.
        let nameless = [built(1, "", true, &["a"])];
        let over_none = [judged(2, "", "pass", 1000, None)];
        assert_eq!(judge(&["a"], false, &nameless, &over_none, 2000), missing);
        // A newer run that built the same and was not good says that something is wrong.
        let red = [built(1, "t1", true, &["a"]), built(5, "t1", false, &["a"])];
        assert_eq!(judge(&["a"], false, &red, one, 2000), failed);
    }
}
