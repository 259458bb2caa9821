//! Gates: evidence that must be there before an operation begins.
//!
//! Today there is one: a signed-off dry run of exactly what is released. Silence, another subject, age and a later run that went
//! worse each refuse with a reason of their own.

use gonogo_core::{Digest, Reason, Span, Timestamp};

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

/// Judges `dry_run = { max_age = … }`: among `seen` the newest verdict about all of `wanted` must be a pass that is not too old.
/// A newer verdict that is none outweighs an older pass.
///
/// # Errors
/// [`Closed`] with [`Reason::GateEvidenceMissing`], [`Reason::GateEvidenceFailed`] or [`Reason::GateEvidenceStale`].
pub fn dry_run<'a>(
    wanted: &[Digest],
    max_age: Span,
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
    if newest.at.after(max_age) < now {
        let text = format!(
            "{stream} (record {index}) was signed off at {}, more than {max_age} ago",
            newest.at
        );
        return closed(Reason::GateEvidenceStale, text);
    }
    Ok(newest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(index: u64, status: &str, subjects: &[&str], at: i64) -> SignedOff {
        SignedOff {
            index,
            stream: format!("run/dry-run/run_{index}"),
            status: status.into(),
            subjects: subjects.iter().map(|s| Digest::of(s.as_bytes())).collect(),
            at: Timestamp::from_millis(at),
        }
    }

    fn judge(wanted: &[&str], seen: &[SignedOff], now: i64) -> Result<u64, Reason> {
        let wanted: Vec<Digest> = wanted.iter().map(|w| Digest::of(w.as_bytes())).collect();
        dry_run(
            &wanted,
            Span::from_secs(60),
            seen,
            Timestamp::from_millis(now),
        )
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
}
