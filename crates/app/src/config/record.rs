//! `[record.NAME]`: recordings that commands are run behind.
//!
//! Invariant: no secret stands here; values that are to be replaced everywhere are named by the variables that hold them.

use std::collections::BTreeMap;

use gonogo_core::Span;
use gonogo_recorded::{MatchRules, Mode, RedactionRules};

use super::keys::{MATCH, MODES, RECORD, REDACT};
use super::policy::defaulted;
use super::reader::{Found, Table};
use super::{named, secret};

/// `[record.NAME]`.
#[derive(Debug, Clone)]
#[expect(
    missing_docs,
    reason = "each field is the key of that name, which the key table explains"
)]
pub struct RecordFile {
    pub cassette: String,
    pub mode: Mode,
    pub upstreams: BTreeMap<String, String>,
    pub upstream_roots: Option<String>,
    pub forward: bool,
    pub loopback: bool,
    pub timing: bool,
    pub allow_unused: bool,
    pub max_age: Span,
    pub matching: MatchRules,
    pub redaction: RedactionRules,
    pub values_of: Vec<String>,
}

/// Reads the sections, by name.
pub(super) fn read(root: &Table<'_, '_>) -> BTreeMap<String, RecordFile> {
    let tables = named(root, "record", "a recording's name", &RECORD);
    tables
        .into_iter()
        .filter_map(|(name, table)| Some((name, read_one(&table)?)))
        .collect()
}

fn read_one(t: &Table<'_, '_>) -> Option<RecordFile> {
    let cassette = t.require("cassette").then(|| t.text("cassette"))?;
    if let Some(found) = cassette.as_ref().filter(|c| !c.value.ends_with(".json")) {
        found.refuse(t.faults, "expected a name that ends in `.json`");
    }
    let upstreams = t.text_map("upstreams").unwrap_or_default();
    for (_, url) in &upstreams {
        let web = url.value.starts_with("http://") || url.value.starts_with("https://");
        if !web {
            url.refuse(t.faults, "expected an `http://` or `https://` URL");
        } else if secret::is_secret_value(&url.value) {
            url.refuse(
                t.faults,
                "the URL holds what looks like a secret; let the tests send it",
            );
        }
    }
    let flag = |key: &str| t.flag(key).is_some_and(|f| f.value);
    let (forward, loopback) = (flag("forward"), flag("loopback"));
    if upstreams.is_empty() && !forward {
        t.missing(
            "upstreams",
            gonogo_core::Reason::ConfigMissingKey,
            vec!["name a service, or set `forward = true`: else nothing could be recorded".into()],
        );
    }
    if let Some(found) = t.flag("loopback").filter(|f| f.value) {
        if !upstreams.is_empty() {
            found.refuse(
                t.faults,
                "not together with `upstreams`: requests would go through both doors and be recorded twice",
            );
        } else if !forward {
            found.refuse(t.faults, "asks for `forward = true`");
        }
    }
    let max_age: Found<Span> = defaulted(t, "max_age");
    let redact = t.table("redact", &REDACT);
    let redact = redact.map(|t| (redaction(&t), words(&t, "values_of")));
    let (redaction, values_of) = redact.unwrap_or_default();
    let mode = t.choice("mode", MODES);
    let mode = mode.and_then(|found| found.value.parse().ok());
    Some(RecordFile {
        cassette: cassette?.value,
        mode: mode.unwrap_or_default(),
        upstreams: upstreams.into_iter().map(|(k, v)| (k, v.value)).collect(),
        upstream_roots: t.text("upstream_roots").map(|f| f.value),
        forward,
        loopback,
        timing: flag("timing"),
        allow_unused: flag("allow_unused"),
        max_age: max_age.value,
        matching: t.table("match", &MATCH).map(matching).unwrap_or_default(),
        redaction,
        values_of,
    })
}

fn matching(t: Table<'_, '_>) -> MatchRules {
    MatchRules {
        template: t.flag("template").is_some_and(|f| f.value),
        volatile: words(&t, "volatile"),
        headers: words(&t, "headers"),
        repeat: words(&t, "repeat"),
    }
}

fn redaction(t: &Table<'_, '_>) -> RedactionRules {
    for pattern in t.texts("patterns").into_iter().flat_map(|f| f.value) {
        match regex::bytes::Regex::new(&pattern.value) {
            Ok(regex) if regex.is_match(b"") => {
                pattern.refuse(t.faults, "the pattern matches everything");
            }
            Ok(_) => {}
            Err(e) => pattern.refuse(t.faults, format!("it is no regular expression: {e}")),
        }
    }
    RedactionRules {
        words: words(t, "words"),
        plain: words(t, "plain"),
        headers: words(t, "headers"),
        patterns: words(t, "patterns"),
        literals: Vec::new(),
    }
}

fn words(t: &Table<'_, '_>, key: &str) -> Vec<String> {
    let mut kept = Vec::new();
    for word in t.texts(key).into_iter().flat_map(|f| f.value) {
        if word.value.is_empty() {
            word.refuse(t.faults, "must not be empty");
        } else {
            kept.push(word.value);
        }
    }
    kept
}
