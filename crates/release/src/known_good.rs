//! Known-good versions: which were shown to be good here, by an operation that promoted them or by a person who said so, and which of
//! them a plain rollback goes to.
//!
//! Pure. Invariant: a version is known-good by evidence alone: an operation that ended as promoted, or a person's own signed word.

use gonogo_core::id::OperationId;
use gonogo_core::{Digest, Reason, Timestamp};

/// A version that was shown to be good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Good {
    /// Its name.
    pub version: String,
    /// Digest of its whole description.
    pub content: Digest,
    /// The operation that ran it.
    pub operation: OperationId,
    /// When it was shown, or said.
    pub at: Timestamp,
    /// Whether that operation went back, to a version that was known before.
    pub back: bool,
    /// Who said so; none where the operation itself showed it.
    pub said_by: Option<String>,
}

/// The line of known-good versions, the newest first. A release or a person's word adds a version; a rollback takes away all that came
/// after the version that it went to. `shown` is oldest first.
pub fn line(shown: &[Good]) -> Vec<&Good> {
    let mut line: Vec<&Good> = Vec::new();
    for one in shown {
        match line.iter().rposition(|k| k.content == one.content) {
            Some(at) if one.back => line.truncate(at + 1),
            // It came before all that is shown, so all of it came after and is left.
            None if one.back => line = vec![one],
            _ => line.push(one),
        }
    }
    line.reverse();
    line
}

/// How the operations of one version ended here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ran {
    /// How often it was promoted.
    pub promoted: u32,
    /// How often it was taken back, by itself or by somebody, after it had been ready and had been given requests.
    pub taken_back: u32,
    /// How often it was to run and came to none.
    pub failed: u32,
}

/// Whether a person may call a version known-good that ran like this; `why` is what they give as a reason.
///
/// # Errors
/// The reason and the words.
pub fn may_promote(version: &str, ran: Ran, why: Option<&str>) -> Result<(), (Reason, String)> {
    let refused = |text: String| Err((Reason::KnownGoodRefused, text));
    match ran {
        Ran {
            promoted: 0,
            taken_back: 0,
            ..
        } => refused(format!(
            "no operation that ended here had version `{version}` ready and gave it requests, so nothing is known of it"
        )),
        Ran {
            taken_back, failed, ..
        } if taken_back + failed > 0 && why.is_none_or(|w| w.trim().is_empty()) => {
            let times = if taken_back + failed == 1 {
                "once"
            } else {
                "more than once"
            };
            refused(format!(
                "version `{version}` was taken back {times} here; to call it known-good all the same, say why"
            ))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good(version: &str, at: i64, back: bool, said_by: Option<&str>) -> Good {
        Good {
            version: version.into(),
            content: Digest::of(version.as_bytes()),
            operation: OperationId::mint([at as u8; 8]),
            at: Timestamp::from_millis(at),
            back,
            said_by: said_by.map(str::to_owned),
        }
    }

    #[test]
    fn a_rollback_takes_away_what_came_after_and_a_persons_word_adds() {
        let names = |shown: &[Good]| -> Vec<String> {
            line(shown).into_iter().map(|g| g.version.clone()).collect()
        };
        assert!(names(&[]).is_empty());
        let mut shown = vec![
            good("1", 1, false, None),
            good("2", 2, false, None),
            good("3", 3, false, None),
        ];
        assert_eq!(names(&shown), ["3", "2", "1"]);
        shown.push(good("2", 4, true, None));
        assert_eq!(names(&shown), ["2", "1"]);
        shown.push(good("3", 5, false, Some("ann")));
        assert_eq!(names(&shown), ["3", "2", "1"]);
        // Back to what came before all that is shown: nothing of that is behind it.
        shown.push(good("0", 6, true, None));
        assert_eq!(names(&shown), ["0"]);
    }

    #[test]
    fn who_calls_a_version_known_good_needs_evidence_and_sometimes_a_reason() {
        let ran = |promoted, taken_back| Ran {
            promoted,
            taken_back,
            failed: 0,
        };
        let failed = |promoted, failed| Ran {
            promoted,
            taken_back: 0,
            failed,
        };
        for (ran, why, may) in [
            (ran(0, 0), Some("trust me"), false),
            // What only failed to run is not known, whatever is said for it.
            (failed(0, 1), Some("trust me"), false),
            (failed(1, 1), None, false),
            (failed(1, 1), Some("the disk was full"), true),
            (ran(1, 0), None, true),
            (ran(1, 1), None, false),
            (ran(0, 1), None, false),
            (ran(0, 2), Some("  "), false),
            (ran(0, 1), Some("the load test was wrong"), true),
            (ran(3, 1), Some("the database was"), true),
        ] {
            assert_eq!(
                may_promote("2.0.0", ran, why).is_ok(),
                may,
                "{ran:?} {why:?}"
            );
        }
    }
}
