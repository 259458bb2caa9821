//! What is taken out of a report or a document must not change what it says.
//!
//! Secrets are taken out before anything is read, and a project's own patterns may find anything, marks and verdicts among it. So where
//! something was taken out, the bytes as they came are read beside the kept ones, by the same reader. Invariant: a copy that says something
//! else than its original is told, and the run is worth nothing then.

use std::collections::BTreeMap;
use std::path::Path;

use gonogo_core::Reason;
use gonogo_suite::redact::PREFIX;
use gonogo_suite::{Format, Parse, Tally};
use serde_json::Value;

use super::artifacts::Copied;
use super::placed::{self, Ran};
use crate::AppError;

/// Largest document that is compared, bytes. Gates read none that is larger.
const LARGEST: u64 = crate::gates::documents::LARGEST;

/// Reads a report as it came and as it was kept.
///
/// # Errors
/// [`Reason::RedactionFailed`] where they say something else; a file that cannot be read.
pub(super) fn report(
    root: &Path,
    (came, kept): (&Path, &Path),
    format: Format,
    copied: &Copied,
) -> Result<(), AppError> {
    if copied.taken == 0 {
        return Ok(());
    }
    let (was, is) = (outline(root, came, format)?, outline(root, kept, format)?);
    match was == is {
        true => Ok(()),
        false => Err(changed(kept, "report")),
    }
}

/// Looks at a document as it came and as it was kept; what is kept as no JSON is not compared.
///
/// # Errors
/// [`Reason::RedactionFailed`] where more than texts changed, or what was none became JSON; a file that cannot be read.
pub(super) fn document((came, kept): (&Path, &Path), copied: &Copied) -> Result<(), AppError> {
    if copied.taken == 0 {
        return Ok(());
    }
    let is_same = match (value(came)?, value(kept)?) {
        (Some(was), Some(is)) => is_alike(&was, &is),
        // What is no JSON any more, nobody takes for one; what has become it, somebody would.
        (_, None) => true,
        (None, Some(_)) => false,
    };
    match is_same {
        true => Ok(()),
        false => Err(changed(kept, "document")),
    }
}

fn changed(kept: &Path, what: &str) -> AppError {
    let name = kept.file_name().unwrap_or_default().to_string_lossy();
    let text = format!(
        "what is taken out of `{name}` changes what the {what} says: make the patterns of `redact` in gonogo.toml find secrets alone"
    );
    AppError::new(Reason::RedactionFailed, text)
}

/// What a report says, without names and texts: how far it could be read, its faults, and how many tests came to what.
#[derive(Debug, PartialEq, Eq)]
struct Outline {
    parse: Parse,
    attempts: u64,
    issues: u64,
    tests: BTreeMap<(&'static str, u64), u64>,
}

fn outline(root: &Path, path: &Path, format: Format) -> Result<Outline, AppError> {
    let dir = crate::workspace::parent(path);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut tally = Tally::default();
    let input = placed::read_report(dir, (&name, None), root, format, Ran::default(), &mut tally)?;
    let mut tests = BTreeMap::new();
    for row in tally.into_rows("", &[]) {
        *tests
            .entry((row.verdict.word(), u64::from(row.attempts)))
            .or_default() += 1;
    }
    Ok(Outline {
        parse: input.parse,
        attempts: input.attempts,
        issues: input.issues.len() as u64 + input.issues_omitted,
        tests,
    })
}

/// A document, if it is JSON and none that is too large for a gate.
fn value(path: &Path) -> Result<Option<Value>, AppError> {
    let fault = |e: std::io::Error| AppError::io("read", path, &e);
    if std::fs::metadata(path).map_err(fault)?.len() > LARGEST {
        return Ok(None);
    }
    let bytes = std::fs::read(path).map_err(fault)?;
    Ok(serde_json::from_slice(&bytes).ok())
}

/// Whether only texts differ.
fn is_alike(was: &Value, is: &Value) -> bool {
    match (was, is) {
        (Value::String(_), Value::String(_)) => true,
        // In the place of a number that was taken out stands a text.
        (Value::Number(_), Value::String(mark)) => mark.starts_with(PREFIX),
        (Value::Array(was), Value::Array(is)) => {
            was.len() == is.len() && was.iter().zip(is).all(|(a, b)| is_alike(a, b))
        }
        (Value::Object(was), Value::Object(is)) => {
            // A key may hold a secret too.
            was.len() == is.len()
                && was
                    .iter()
                    .all(|(key, a)| is.get(key).is_none_or(|b| is_alike(a, b)))
        }
        (was, is) => was == is,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_was_no_document_does_not_become_one() {
        let dir = tempfile::tempdir().unwrap();
        let (came, kept) = (dir.path().join("came"), dir.path().join("kept"));
        let copied = Copied {
            bytes: 0,
            sha256: gonogo_core::Digest::of(b""),
            taken: 1,
        };
        let told = |was: &str, is: &str| {
            std::fs::write(&came, was).unwrap();
            std::fs::write(&kept, is).unwrap();
            document((&came, &kept), &copied)
        };
        let error = told("{\"ok\": true} x", "{\"ok\": true}").unwrap_err();
        assert_eq!(error.reason, Reason::RedactionFailed);
        told("{\"ok\": true}", "{\"ok\": [REDACTED]}").unwrap();
        told("a log", "a [REDACTED]").unwrap();
        // What cannot be looked at is not taken for the same.
        std::fs::remove_file(&came).unwrap();
        assert!(document((&came, &kept), &copied).is_err());
    }

    #[test]
    fn only_texts_may_differ() {
        let was = json!({"status": "fail", "failed": 2, "cases": [{"id": "a"}, {"id": "b"}], "done": true});
        for is in [
            was.clone(),
            json!({"status": "[REDACTED]", "failed": 2, "cases": [{"id": "a"}, {"id": "[REDACTED]"}], "done": true}),
        ] {
            assert!(is_alike(&was, &is), "{is}");
        }
        assert!(is_alike(&json!({"key": 5}), &json!({"key": "[REDACTED]"})));
        for is in [
            json!({"status": "fail", "failed": 0, "cases": [{"id": "a"}, {"id": "b"}], "done": true}),
            json!({"status": "fail", "failed": 2, "cases": [{"id": "a"}], "done": true}),
            json!({"status": "fail", "failed": 2, "cases": [{"id": "a"}, {"id": "b"}]}),
            json!({"status": "fail", "failed": "2", "cases": [{"id": "a"}, {"id": "b"}], "done": true}),
            json!([]),
        ] {
            assert!(!is_alike(&was, &is), "{is}");
        }
    }
}
