//! `[suite]`, `[suites.NAME]`, `[profiles.NAME]`: what can be run, and what is run together.
//!
//! Invariants: a profile that selects nothing is a fault; so is a suite or a class that nobody knows. The four usual profiles exist
//! wherever suites do, and the file may say otherwise of each.

mod knowledge;

use std::collections::{BTreeMap, BTreeSet};

use gonogo_core::{Reason, Share, Span};
use gonogo_suite::cause::Rule;
use gonogo_suite::run::{COMMAND, Class};

use super::environment::near_and_list;
use super::keys::{CLASSES, FORMATS, PROFILE, SUITE, TARGET};
use super::policy::defaulted;
use super::reader::{Found, Table};
use super::{named, secret};

/// What the file says of suites.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    missing_docs,
    reason = "each field is the key of that name, which the key table explains"
)]
pub struct SuitesFile {
    pub artifacts: String,
    pub profile: String,
    pub tools: Vec<String>,
    pub min_free: u64,
    pub min_free_temp: u64,
    pub min_free_inodes: Share,
    pub owners: Option<String>,
    pub runbook: Option<String>,
    pub redact: Vec<String>,
    pub variant: BTreeMap<String, String>,
    pub ignore_changes: Vec<String>,
    pub causes: Vec<Rule>,
    /// `[owners]`, in the order of the file.
    pub owned: Vec<OwnerEntry>,
    pub quarantine_retry_after: Span,
    /// By name.
    pub suites: BTreeMap<String, SuiteFile>,
    /// By name: names of suites, in the order in which they run.
    pub profiles: BTreeMap<String, Vec<String>>,
}

impl Default for SuitesFile {
    fn default() -> Self {
        Self {
            artifacts: ".gonogo/runs/suite".into(),
            profile: "full".into(),
            tools: Vec::new(),
            min_free: 2048 << 20,
            min_free_temp: 1024 << 20,
            min_free_inodes: Share::from_percent(5),
            owners: None,
            runbook: None,
            redact: Vec::new(),
            variant: BTreeMap::new(),
            ignore_changes: Vec::new(),
            causes: Vec::new(),
            owned: Vec::new(),
            quarantine_retry_after: Span::from_secs(5),
            suites: BTreeMap::new(),
            profiles: BTreeMap::new(),
        }
    }
}

/// A line of `[owners]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerEntry {
    /// From 1.
    pub line: u64,
    /// As in CODEOWNERS.
    pub pattern: String,
    /// With spaces between.
    pub owners: String,
}

/// `[suites.NAME]`.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "as above")]
pub struct SuiteFile {
    pub class: Class,
    pub command: Vec<String>,
    pub dir: String,
    pub format: &'static str,
    pub reports: Vec<String>,
    pub outputs: Vec<String>,
    pub owner: Option<String>,
    pub timeout: Span,
    pub blocking: bool,
    pub min_tests: u64,
    pub min_duration: Option<Span>,
    pub env: BTreeMap<String, String>,
    pub replay_env: Vec<String>,
    pub seed_env: Option<String>,
    pub tools: Vec<String>,
    pub needs: Vec<String>,
}

/// The longest that a run waits before it tries a quarantined test again.
const LONGEST_WAIT: Span = Span::from_secs(600);

/// The usual profiles and their classes.
const USUAL: [(&str, &[Class]); 4] = [
    ("quick", &[Class::Build, Class::Lint, Class::Unit]),
    ("focused", &[Class::Build, Class::Lint, Class::Unit]),
    (
        "ci",
        &[Class::Build, Class::Lint, Class::Unit, Class::Recorded],
    ),
    ("full", &Class::ALL),
];

/// Reads the three sections.
pub(super) fn read(root: &Table<'_, '_>) -> SuitesFile {
    let tables = named(root, "suites", "a suite's name", &TARGET);
    let suites: BTreeMap<String, SuiteFile> = tables
        .iter()
        .filter_map(|(name, table)| read_suite(table).map(|suite| (name.clone(), suite)))
        .collect();
    for (name, table) in &tables {
        check_needs(name, table, &suites);
    }
    let profiles = profiles(root, &suites);
    let mut file = SuitesFile {
        suites,
        profiles,
        owned: knowledge::owned(root),
        ..SuitesFile::default()
    };
    if let Some(table) = root.table("suite", &SUITE) {
        read_common(&table, &mut file);
    }
    file
}

fn read_common(t: &Table<'_, '_>, file: &mut SuitesFile) {
    if let Some(found) = path(t, "artifacts") {
        file.artifacts = found;
    }
    if let Some(profile) = t.text("profile") {
        if !file.profiles.contains_key(&profile.value) {
            let names: Vec<&str> = file.profiles.keys().map(String::as_str).collect();
            profile.refuse_with(
                t.faults,
                format!("no profile has the name `{}`", profile.value),
                near_and_list(&profile.value, &names),
            );
        }
        file.profile = profile.value;
    }
    file.tools = words(t, "tools");
    if let Some(size) = t.size("min_free") {
        file.min_free = size.value;
    }
    if let Some(size) = t.size("min_free_temp") {
        file.min_free_temp = size.value;
    }
    let inodes: Found<Share> = defaulted(t, "min_free_inodes");
    file.min_free_inodes = inodes.value;
    file.owners = path(t, "owners");
    file.runbook = path(t, "runbook");
    for pattern in t.texts("redact").into_iter().flat_map(|f| f.value) {
        match regex::bytes::Regex::new(&pattern.value) {
            Ok(regex) if regex.is_match(b"") => {
                pattern.refuse(t.faults, "the pattern matches everything");
            }
            Ok(_) => file.redact.push(pattern.value),
            Err(e) => pattern.refuse(t.faults, format!("it is no regular expression: {e}")),
        }
    }
    file.variant = map(t, "variant");
    file.ignore_changes = words(t, "ignore_changes");
    file.causes = knowledge::causes(t);
    let after: Found<Span> = defaulted(t, "quarantine_retry_after");
    if after.value > LONGEST_WAIT {
        after.refuse(t.faults, format!("must be {LONGEST_WAIT} at most"));
    }
    file.quarantine_retry_after = after.value;
}

fn read_suite(t: &Table<'_, '_>) -> Option<SuiteFile> {
    let class = t.require("class").then(|| t.choice("class", CLASSES))?;
    let command = t.require("command").then(|| t.texts("command"))?;
    if let Some(command) = command.as_ref().filter(|c| c.value.is_empty()) {
        command.refuse(t.faults, "needs at least a program");
    }
    let format = t
        .choice("format", FORMATS)
        .map_or(COMMAND, |found| found.value);
    let reports = words(t, "reports");
    if format == COMMAND
        && let Some(found) = t.texts("reports").filter(|f| !f.value.is_empty())
    {
        found.refuse(
            t.faults,
            "reports need a `format` that says what they are; `command` has none",
        );
    }
    let timeout: Found<Span> = defaulted(t, "timeout");
    if timeout.value == Span::ZERO {
        timeout.refuse(t.faults, "must be longer than nothing");
    }
    let min_duration: Option<Found<Span>> = t.parsed("min_duration", "a duration");
    if let Some(least) = min_duration.as_ref().filter(|m| m.value >= timeout.value) {
        least.refuse(t.faults, "must be shorter than `timeout`");
    }
    for key in ["reports", "outputs"] {
        for pattern in t.texts(key).into_iter().flat_map(|f| f.value) {
            if let Err(why) = crate::suite::globs::check(&pattern.value) {
                pattern.refuse(t.faults, why);
            }
        }
    }
    if let Some(dir) = t.text("dir").filter(|d| leaves(&d.value)) {
        dir.refuse(t.faults, "expected a directory below this file");
    }
    Some(SuiteFile {
        class: Class::parse(class?.value)?,
        command: command?.value.into_iter().map(|f| f.value).collect(),
        dir: t.text("dir").map_or_else(|| ".".into(), |d| d.value),
        format,
        reports,
        outputs: words(t, "outputs"),
        owner: t.text("owner").map(|f| f.value).filter(|o| !o.is_empty()),
        timeout: timeout.value,
        blocking: t.flag("blocking").is_none_or(|f| f.value),
        min_tests: t.count("min_tests").map_or(1, |f| f.value),
        min_duration: min_duration.map(|f| f.value),
        env: secretless(t, "env"),
        replay_env: words(t, "replay_env"),
        seed_env: t.text("seed_env").map(|f| f.value),
        tools: words(t, "tools"),
        needs: words(t, "needs"),
    })
}

fn check_needs(own: &str, t: &Table<'_, '_>, suites: &BTreeMap<String, SuiteFile>) {
    let names: Vec<&str> = suites.keys().map(String::as_str).collect();
    for need in t.texts("needs").into_iter().flat_map(|f| f.value) {
        match (suites.get(&need.value), suites.get(own)) {
            (None, _) => need.refuse_with(
                t.faults,
                format!("no suite has the name `{}`", need.value),
                near_and_list(&need.value, &names),
            ),
            // What runs later, or in no order at all, cannot be waited for.
            (Some(first), Some(then))
                if (first.class, need.value.as_str()) >= (then.class, own) =>
            {
                need.refuse(
                    t.faults,
                    "it must run before: give it an earlier class, or a name that sorts before this one",
                );
            }
            _ => {}
        }
    }
}

/// The order in which suites run: by class, then by name.
fn order(names: BTreeSet<String>, suites: &BTreeMap<String, SuiteFile>) -> Vec<String> {
    let mut ordered: Vec<String> = names.into_iter().collect();
    ordered.sort_by_key(|name| (suites.get(name).map(|s| s.class), name.clone()));
    ordered
}

fn profiles(
    root: &Table<'_, '_>,
    suites: &BTreeMap<String, SuiteFile>,
) -> BTreeMap<String, Vec<String>> {
    let of = |classes: &[Class]| -> BTreeSet<String> {
        let found = suites.iter().filter(|(_, s)| classes.contains(&s.class));
        found.map(|(name, _)| name.clone()).collect()
    };
    let mut all = BTreeMap::new();
    for (name, classes) in USUAL {
        all.insert(name.to_owned(), order(of(classes), suites));
    }
    let names: Vec<&str> = suites.keys().map(String::as_str).collect();
    for (profile, table) in named(root, "profiles", "a profile's name", &PROFILE) {
        let mut chosen = BTreeSet::new();
        for class in table.texts("classes").into_iter().flat_map(|f| f.value) {
            match Class::parse(&class.value) {
                Some(class) => chosen.extend(of(&[class])),
                None => class.refuse_with(
                    table.faults,
                    format!("no class has the name `{}`", class.value),
                    near_and_list(&class.value, CLASSES),
                ),
            }
        }
        let known = |key: &str| -> Vec<String> {
            let found = table.texts(key).into_iter().flat_map(|f| f.value);
            let mut kept = Vec::new();
            for suite in found {
                if suites.contains_key(&suite.value) {
                    kept.push(suite.value);
                } else {
                    suite.refuse_with(
                        table.faults,
                        format!("no suite has the name `{}`", suite.value),
                        near_and_list(&suite.value, &names),
                    );
                }
            }
            kept
        };
        chosen.extend(known("suites"));
        for name in known("without") {
            chosen.remove(&name);
        }
        if chosen.is_empty() {
            let hint = "name `classes` or `suites`".into();
            root.faults.add(
                Reason::ConfigValue,
                &table.span,
                &table.key,
                format!("the profile `{profile}` selects nothing"),
                vec![hint],
            );
        }
        all.insert(profile, order(chosen, suites));
    }
    all
}

fn words(t: &Table<'_, '_>, key: &str) -> Vec<String> {
    let found = t.texts(key).into_iter().flat_map(|f| f.value);
    found
        .filter(|word| {
            if word.value.is_empty() {
                word.refuse(t.faults, "must not be empty");
            }
            !word.value.is_empty()
        })
        .map(|word| word.value)
        .collect()
}

fn map(t: &Table<'_, '_>, key: &str) -> BTreeMap<String, String> {
    let found = t.text_map(key).unwrap_or_default();
    found.into_iter().map(|(k, v)| (k, v.value)).collect()
}

fn secretless(t: &Table<'_, '_>, key: &str) -> BTreeMap<String, String> {
    let found = t.text_map(key).unwrap_or_default();
    for (name, value) in &found {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        if name.is_empty() || !name.bytes().all(plain) || value.value.contains('\0') {
            value.refuse(
                t.faults,
                "a variable's name is letters, digits and `_`, and its value has no NUL character",
            );
        }
        let named = secret::is_secret_name(name) && !value.value.is_empty();
        if named || secret::is_secret_value(&value.value) {
            t.faults.add(
                Reason::SecretInConfig,
                &value.span,
                &value.key,
                "the value looks like a secret; it would be part of the evidence of every run",
                vec!["set it where the suite is run: suites inherit the environment".into()],
            );
        }
    }
    found.into_iter().map(|(k, v)| (k, v.value)).collect()
}

fn path(t: &Table<'_, '_>, key: &str) -> Option<String> {
    let found = t.text(key)?;
    if found.value.is_empty() {
        found.refuse(t.faults, "expected a path");
        return None;
    }
    Some(found.value)
}

/// Whether a relative path would leave where it starts from.
fn leaves(path: &str) -> bool {
    path.starts_with('/') || path.split('/').any(|part| part == "..")
}
