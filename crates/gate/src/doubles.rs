//! The inventory of test doubles, generated from the sources.
//!
//! Found by the parts of identifiers and by the names of the libraries, comments and texts left aside. Invariants: an entry has a file and a
//! line where somebody can look; the counts are those of the entries; an exception has all nine fields, names one double in some files, and
//! ends within 90 days.

mod allow;

use std::collections::{BTreeMap, BTreeSet};

use gonogo_core::{Digest, Reason, Timestamp, Verdict as Status};
use gonogo_suite::run::Problem;
use serde::{Deserialize, Serialize};

pub use allow::{AllowError, AllowList, Allowed, LIST, LONGEST};

use crate::artifact::Artifact;
use crate::classification::{Class, Classes};
use crate::tokens::{self, Kind, Language, Token};

/// The schema.
pub const SCHEMA: &str = "gonogo.gate.test-double-inventory.v1";

/// Most entries.
const MOST: usize = 100_000;

/// Kinds of doubles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DoubleType {
    /// Says whether it was called as expected.
    Mock,
    /// Works, and not for real.
    Fake,
    /// Answers what it was told.
    Stub,
    /// Watches the real one.
    Spy,
    /// Plays back what was recorded.
    Recording,
}

/// How much a double can hide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Risk {
    /// It is what its suite is for.
    Low,
    /// Nobody said what its suite is for.
    Medium,
    /// Its suite says that there is none.
    High,
}

/// A double.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Where.
    pub file: String,
    /// Its line, from 1.
    pub line: u64,
    /// Its name.
    pub double_identifier: String,
    /// What it is.
    pub double_type: DoubleType,
    /// `unit`, `recorded`, `e2e`, `unclassified`.
    pub suite: String,
    /// The file's directory and stem.
    pub module: String,
    /// The function or test that it stands in; empty outside of any.
    pub test_case: String,
    /// How much it can hide.
    pub risk: Risk,
    /// Why.
    pub rationale: String,
    /// The issue of the exception that covers it.
    pub allowed_by: Option<String>,
}

/// The counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Entries.
    pub total: u64,
    /// Covered by an exception.
    pub allowed: u64,
    /// Of high risk and not covered.
    pub high_not_allowed: u64,
    /// By type.
    pub by_type: BTreeMap<DoubleType, u64>,
    /// By suite.
    pub by_suite: BTreeMap<String, u64>,
    /// By risk.
    pub by_risk: BTreeMap<Risk, u64>,
    /// By module, those with the most risk.
    pub by_module: BTreeMap<String, u64>,
}

/// The inventory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inventory {
    /// [`SCHEMA`].
    pub schema: String,
    /// When it was made.
    pub generated_at: Timestamp,
    /// `pass` if no double of high risk is without an exception; `invalid` if nothing was looked at, or an exception breaks a rule.
    pub status: Status,
    /// The files that were looked at, and the digest of each.
    pub files: BTreeMap<String, Digest>,
    /// Files in a language that is not read.
    pub not_read: Vec<String>,
    /// What is wrong with the exceptions.
    pub problems: Vec<String>,
    /// Whether there were more than could be kept.
    pub truncated: bool,
    /// The counts.
    pub summary: Counts,
    /// By file and line.
    pub entries: Vec<Entry>,
}

impl Inventory {
    fn expected(&self) -> Status {
        if self.files.is_empty() || !self.problems.is_empty() || self.truncated {
            Status::Invalid
        } else if self.summary.high_not_allowed > 0 {
            Status::Fail
        } else if !self.not_read.is_empty() {
            Status::Hold
        } else {
            Status::Pass
        }
    }
}

fn count(entries: &[Entry]) -> Counts {
    let mut counts = Counts::default();
    for entry in entries {
        counts.total += 1;
        counts.allowed += u64::from(entry.allowed_by.is_some());
        counts.high_not_allowed +=
            u64::from(entry.risk == Risk::High && entry.allowed_by.is_none());
        *counts.by_type.entry(entry.double_type).or_default() += 1;
        *counts.by_suite.entry(entry.suite.clone()).or_default() += 1;
        *counts.by_risk.entry(entry.risk).or_default() += 1;
        *counts.by_module.entry(entry.module.clone()).or_default() += 1;
    }
    counts
}

impl Artifact for Inventory {
    const SCHEMA: &'static str = SCHEMA;

    fn check(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut tell = |reason, text: &str| found.push(Problem::new(reason, text));
        if self.schema != SCHEMA {
            tell(Reason::SchemaUnknown, "the schema is another");
        }
        if count(&self.entries) != self.summary {
            tell(
                Reason::EvidenceCountMismatch,
                "its counts are not those of its entries",
            );
        }
        if self.status != self.expected() {
            tell(
                Reason::EvidenceCountMismatch,
                "its status is not that of its entries",
            );
        }
        if !self.entries.is_sorted_by(|a, b| a < b) {
            tell(
                Reason::EvidenceCountMismatch,
                "its entries are out of order, or one stands twice",
            );
        }
        if self
            .entries
            .iter()
            .any(|e| e.line == 0 || !self.files.contains_key(&e.file))
        {
            tell(
                Reason::EvidenceMissing,
                "an entry is of a file that was not looked at",
            );
        }
        found
    }
}

/// Looks for doubles in test sources, by path.
pub fn inventory(
    sources: &BTreeMap<String, &str>,
    classes: Option<&Classes>,
    allowed: &AllowList,
    now: Timestamp,
) -> Inventory {
    let mut made = Inventory {
        schema: SCHEMA.to_owned(),
        generated_at: now,
        status: Status::Invalid,
        files: BTreeMap::new(),
        not_read: Vec::new(),
        problems: allowed.problems(now),
        truncated: false,
        summary: Counts::default(),
        entries: Vec::new(),
    };
    let mut entries = BTreeSet::new();
    for (file, source) in sources {
        let Some(language) = Language::of(file) else {
            made.not_read.push(file.clone());
            continue;
        };
        made.files
            .insert(file.clone(), Digest::of(source.as_bytes()));
        let class = classes.and_then(|c| c.of(file));
        for found in doubles(source, language) {
            if entries.len() >= MOST {
                made.truncated = true;
                break;
            }
            entries.insert(entry(file, class, found, allowed, now));
        }
    }
    made.entries = entries.into_iter().collect();
    made.summary = count(&made.entries);
    made.status = made.expected();
    made
}

struct Found<'s> {
    name: &'s str,
    kind: DoubleType,
    line: u64,
    case: &'s str,
}

fn entry(
    file: &str,
    class: Option<Class>,
    found: Found<'_>,
    allowed: &AllowList,
    now: Timestamp,
) -> Entry {
    let (risk, why) = match (class, found.kind) {
        (Some(Class::Unit), _) => (Risk::High, "unit tests are said to have no doubles"),
        (Some(Class::E2e), _) => (
            Risk::High,
            "end-to-end tests are said to use the real thing",
        ),
        (Some(Class::Recorded), DoubleType::Recording) => {
            (Risk::Low, "recordings are what recorded tests are for")
        }
        (Some(Class::Recorded), _) => (Risk::Medium, "a recording would show more than a double"),
        (None, _) => (Risk::Medium, "the file has no class"),
    };
    let module = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let cover = allowed.covering(file, found.name, found.kind, now);
    Entry {
        file: file.to_owned(),
        line: found.line,
        double_identifier: found.name.chars().take(200).collect(),
        double_type: found.kind,
        suite: class.map_or("unclassified", Class::word).to_owned(),
        module: module.to_owned(),
        test_case: found.case.chars().take(200).collect(),
        risk,
        rationale: why.to_owned(),
        allowed_by: cover.map(|a| a.issue.clone()),
    }
}

/// What a name says.
fn kind(name: &str) -> Option<DoubleType> {
    let whole = match name {
        "mockall" | "automock" | "mockito" | "Mockito" | "gomock" | "sinon" | "easymock"
        | "EasyMock" | "powermock" | "PowerMock" | "testdouble" | "monkeypatch" | "nock"
        | "wiremock" | "WireMock" | "httpretty" | "jmock" | "mockk" => Some(DoubleType::Mock),
        "betamax" | "Betamax" | "vcrpy" | "Polly" => Some(DoubleType::Recording),
        _ => None,
    };
    whole.or_else(|| {
        let parts = tokens::parts(name);
        parts.iter().find_map(|part| match part.as_str() {
            "mock" | "mocks" | "mocked" | "mocker" | "mocking" => Some(DoubleType::Mock),
            "fake" | "fakes" | "faked" => Some(DoubleType::Fake),
            "stub" | "stubs" | "stubbed" | "dummy" => Some(DoubleType::Stub),
            "spy" | "spies" | "spied" => Some(DoubleType::Spy),
            "vcr" | "cassette" | "cassettes" => Some(DoubleType::Recording),
            _ => None,
        })
    })
}

fn doubles(source: &str, language: Language) -> Vec<Found<'_>> {
    let all = tokens::tokens(source, language);
    let mut found = Vec::new();
    let mut case = "";
    for (n, token) in all.iter().enumerate() {
        if let Some(name) = begins(&all, n, language) {
            case = name;
        }
        if token.kind != Kind::Word {
            continue;
        }
        let called = calls(&all, n, language);
        if let Some(kind) = called.or_else(|| kind(token.text)) {
            found.push(Found {
                name: token.text,
                kind,
                line: token.line,
                case,
            });
        }
    }
    found
}

/// Calls of libraries whose names do not say what they are: `jest.fn()`, `vi.fn()`, `@patch`.
fn calls(all: &[Token<'_>], n: usize, language: Language) -> Option<DoubleType> {
    let text = |at: usize| all.get(at).map_or("", |t| t.text);
    match language {
        Language::JavaScript => {
            let is_library = matches!(text(n), "jest" | "vi") && text(n + 1) == ".";
            (is_library && matches!(text(n + 2), "fn" | "doMock")).then_some(DoubleType::Mock)
        }
        Language::Python => {
            let before = n.checked_sub(1).map_or("", text);
            let is_called =
                matches!(text(n + 1), "(" | ".") && matches!(before, "@" | "with" | "=");
            (text(n) == "patch" && is_called).then_some(DoubleType::Mock)
        }
        _ => None,
    }
}

/// The name of a function or test that begins here.
fn begins<'s>(all: &[Token<'s>], n: usize, language: Language) -> Option<&'s str> {
    let word = |at: usize| all.get(at).filter(|t| t.kind == Kind::Word).map(|t| t.text);
    let this = word(n)?;
    match language {
        Language::Rust if this == "fn" => word(n + 1),
        Language::Python if this == "def" => word(n + 1),
        Language::Go if this == "func" => word(n + 1).or_else(|| {
            // A method: its receiver stands before its name.
            let close = all[n..].iter().take(12).position(|t| t.text == ")")?;
            word(n + close + 1)
        }),
        Language::JavaScript if matches!(this, "test" | "it" | "describe") => {
            let is_call = all.get(n + 1).is_some_and(|t| t.text == "(");
            let name = all.get(n + 2).filter(|t| t.kind == Kind::Text);
            name.filter(|_| is_call).map(|t| t.text)
        }
        Language::JavaScript if this == "function" => word(n + 1),
        Language::Java | Language::Kotlin if matches!(this, "void" | "fun") => word(n + 1),
        _ => None,
    }
}
