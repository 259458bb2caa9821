//! What a project knows of its failures and files: `[[suite.causes]]` and `[owners]`.
//!
//! Invariant: a rule that cannot decide (a pattern that is none or finds everything, an owner that is none) is a fault at its line, never
//! passed over.

use gonogo_suite::cause::{Cause, Rule};
use gonogo_suite::owner::Owners;
use regex::RegexBuilder;

use super::super::keys::CAUSE;
use super::super::reader::{Found, Table};
use super::OwnerEntry;

/// Most bytes that a compiled pattern may take.
const SIZE: usize = 4 << 20;

/// Reads `[[suite.causes]]`, in the order of the file.
pub(super) fn causes(t: &Table<'_, '_>) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    for table in t.tables("causes", &CAUSE).into_iter().flat_map(|f| f.value) {
        let required = |name: &str| -> Option<Found<String>> {
            table.require(name).then(|| table.text(name)).flatten()
        };
        let (id, pattern) = (required("id"), required("pattern"));
        if let Some(id) = &id {
            if !is_word(&id.value) {
                id.refuse(
                    t.faults,
                    "expected 1 to 64 of `a-z 0-9 _ -`, a letter first",
                );
            } else if rules.iter().any(|rule| rule.id == id.value) {
                id.refuse(t.faults, format!("another cause has the id `{}`", id.value));
            }
        }
        let class = table.text("class");
        if let Some(class) = class.as_ref().filter(|class| !is_word(&class.value)) {
            class.refuse(
                t.faults,
                "expected 1 to 64 of `a-z 0-9 _ -`, a letter first",
            );
        }
        let remediation = table.text("remediation");
        if let Some(text) = remediation.as_ref()
            && (text.value.trim().is_empty() || text.value.contains('\n'))
        {
            text.refuse(t.faults, "expected one line that says what to do");
        }
        let Some((id, found)) = id.zip(pattern) else {
            continue;
        };
        let pattern = match RegexBuilder::new(&found.value).size_limit(SIZE).build() {
            Ok(regex) if regex.is_match("") => {
                found.refuse(t.faults, "the pattern matches everything");
                continue;
            }
            Ok(regex) => regex,
            Err(e) => {
                found.refuse(t.faults, format!("it is no regular expression: {e}"));
                continue;
            }
        };
        rules.push(Rule {
            class: Cause::named(class.as_ref().map_or(&id.value, |class| &class.value)),
            id: id.value,
            pattern,
            remediation: remediation.map_or_else(String::new, |text| text.value),
        });
    }
    rules
}

/// Reads `[owners]`, in the order of the file.
pub(super) fn owned(root: &Table<'_, '_>) -> Vec<OwnerEntry> {
    let found = match root.has("owners") {
        true => root.text_map("owners").unwrap_or_default(),
        false => Vec::new(),
    };
    let mut entries: Vec<OwnerEntry> = Vec::new();
    for (pattern, owners) in found {
        let line = root.faults.line(&owners.span);
        let read = Owners::entries("", [(line, pattern.as_str(), owners.value.as_str())]);
        for issue in read.issues() {
            owners.refuse(root.faults, issue.text.clone());
        }
        entries.push(OwnerEntry {
            line,
            pattern,
            owners: owners.value,
        });
    }
    entries.sort_by_key(|entry| entry.line);
    entries
}

fn is_word(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    text.len() <= 64
        && text.bytes().next().is_some_and(|b| b.is_ascii_lowercase())
        && text.bytes().all(plain)
}
