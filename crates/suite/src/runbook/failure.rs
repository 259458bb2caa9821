//! Looks up a failure: by its signature, by its text, by its cause.

use crate::cause::{Cause, cause};
use crate::{Failure, Signature, TestId};

use super::found::{By, FailureMatch, FailureMatches, MATCH_SCHEMA};
use super::matcher::Matcher;

impl Matcher {
    /// Which entries apply to a failure whose test and whose user's rules are not known.
    pub fn match_failure(&self, failure: &Failure) -> FailureMatches {
        self.match_known(failure, None, &cause(failure, &[]))
    }

    /// Which entries apply to a failure of a test, of a class of causes that was told already. An entry that applies in several ways is
    /// told by the strongest; the best are first: the strongest way, then the most severe, then those that ask for more text.
    pub fn match_known(
        &self,
        failure: &Failure,
        test: Option<&TestId>,
        cause: &Cause,
    ) -> FailureMatches {
        let signature = Signature::of(failure).to_string();
        let of_test = test.map(|test| Signature::of_test(test, failure).to_string());
        let text = format!("{}: {}\n{}", failure.class, failure.message, failure.trace);
        let log = self.matches(text.as_bytes());
        let mut found: Vec<(FailureMatch, u32)> = Vec::new();
        for entry in &self.runbook().entries {
            let by_text = log.entries.iter().find(|m| m.entry == entry.id);
            let named = |s: &String| *s == signature || Some(s) == of_test.as_ref();
            let by = if entry.signatures.iter().any(named) {
                By::Signature
            } else if by_text.is_some() {
                By::Text
            } else if entry.cause.as_ref() == Some(cause) {
                By::Cause
            } else {
                continue;
            };
            let first = by_text.map(|m| m.first.clone());
            let specific = by_text.map_or(0, |m| m.specific);
            found.push((FailureMatch::of(entry, by, first), specific));
        }
        found.sort_by(|(a, a_text), (b, b_text)| {
            (a.by, a.severity, b_text)
                .cmp(&(b.by, b.severity, a_text))
                .then_with(|| a.entry.cmp(&b.entry))
        });
        FailureMatches {
            schema: MATCH_SCHEMA.to_owned(),
            signature,
            cause: cause.word().to_owned(),
            entries: found.into_iter().map(|(found, _)| found).collect(),
        }
    }
}
