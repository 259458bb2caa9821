//! The guard of claims: what texts may say of a release while it is not certified.
//!
//! Rules are data ([`Rules`]); [`guard()`] compares each text with them and with what is shown. Invariants: a claim is free only while what it
//! needs is shown; a listing or a command is no claim, words in a code span are; neither is its denial in the same clause; a text that cannot be read, and a guard that looked at
//! no text, are not a pass.

mod prose;

use std::collections::{BTreeMap, BTreeSet};

use gonogo_core::{Digest, Reason, Timestamp, Verdict as Status};
use gonogo_suite::run::Problem;
use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::artifact::Artifact;
use crate::contract::{Certification, State};

/// The rules' schema.
pub const RULES: &str = "gonogo.gate.claim-rules.v1";
/// The schema.
pub const SCHEMA: &str = "gonogo.gate.claim-wording.v1";

/// Most bytes of a text.
pub const LARGEST: usize = 16 << 20;
/// Most rows.
const MOST: usize = 10_000;
/// Most rules, and most phrases of one.
const RULE: usize = 500;

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its id.
    pub id: String,
    /// Phrases, whole words, upper and lower case alike; a blank stands for any blanks or a hyphen.
    #[serde(default)]
    pub phrases: Vec<String>,
    /// Patterns, upper and lower case alike.
    #[serde(default)]
    pub patterns: Vec<String>,
    /// What such a claim needs: `certified`, or `gate:ID` for a hard gate that passed, or `never`.
    pub needs: String,
    /// Why.
    pub rationale: String,
}

/// The rules: `[[rule]]` in TOML.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: String,
    rule: Vec<Rule>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Needs {
    Certified,
    Gate(String),
    Never,
}

/// Rules that can be used.
#[derive(Debug, Clone)]
pub struct Rules {
    rules: Vec<(Rule, Needs, Vec<Regex>)>,
    digest: Digest,
}

/// Rules that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the rules of claims cannot be used: {0}")]
pub struct RulesError(String);

/// The rules that hold where a project has none of its own.
pub const DEFAULT: &str = include_str!("wording/default.toml");

impl Rules {
    /// Reads TOML.
    ///
    /// # Errors
    /// [`RulesError`]: unknown keys, no rule, a rule that looks for nothing or for anything, patterns that are none.
    pub fn parse(text: &str) -> Result<Self, RulesError> {
        if text.len() > 1 << 20 {
            return Err(RulesError("they are larger than 1 MiB".to_owned()));
        }
        let file: File = toml::from_str(text).map_err(|e| RulesError(e.to_string()))?;
        if file.schema != RULES {
            let text = format!("the schema is `{}`, expected `{RULES}`", file.schema);
            return Err(RulesError(text));
        }
        if file.rule.is_empty() || file.rule.len() > RULE {
            return Err(RulesError(format!("there are {} rules", file.rule.len())));
        }
        let mut rules = Vec::new();
        let mut ids = BTreeSet::new();
        for rule in file.rule {
            let bad = |why: String| RulesError(format!("rule `{}`: {why}", rule.id));
            if rule.id.trim().is_empty() || !ids.insert(rule.id.clone()) {
                return Err(bad("it stands twice, or has no id".to_owned()));
            }
            let needs = match rule.needs.as_str() {
                "certified" => Needs::Certified,
                "never" => Needs::Never,
                other => match other.strip_prefix("gate:") {
                    Some(gate) if !gate.trim().is_empty() => Needs::Gate(gate.to_owned()),
                    _ => {
                        let text =
                            format!("`needs` is `{other}`, expected certified, never or gate:ID");
                        return Err(bad(text));
                    }
                },
            };
            let total = rule.phrases.len() + rule.patterns.len();
            if total == 0 || total > RULE {
                return Err(bad(format!("it has {total} phrases and patterns")));
            }
            let mut patterns = Vec::new();
            for text in rule
                .phrases
                .iter()
                .map(|p| phrase(p))
                .chain(rule.patterns.iter().cloned())
            {
                let pattern = regex::RegexBuilder::new(&text)
                    .case_insensitive(true)
                    .size_limit(1 << 20)
                    .build()
                    .map_err(|e| bad(e.to_string()))?;
                if pattern.is_match("") {
                    return Err(bad(format!("`{text}` matches nothing at all")));
                }
                patterns.push(pattern);
            }
            rules.push((rule, needs, patterns));
        }
        let digest = Digest::of(text.as_bytes());
        Ok(Self { rules, digest })
    }
}

fn phrase(text: &str) -> String {
    let words = text.split([' ', '-', '\t', '\n']).filter(|w| !w.is_empty());
    let words: Vec<String> = words.map(regex::escape).collect();
    let inner = words.join(r"[\s\-]+");
    let edge = |c: Option<char>| {
        if c.is_some_and(char::is_alphanumeric) {
            r"\b"
        } else {
            ""
        }
    };
    let (first, last) = (text.trim().chars().next(), text.trim().chars().last());
    if words.is_empty() {
        return String::new();
    }
    format!("{}{inner}{}", edge(first), edge(last))
}

/// What is shown, and so may be said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown {
    /// Whether the release is certified.
    pub is_certified: bool,
    /// Hard gates that passed.
    pub gates: BTreeSet<String>,
    /// Of the certificate.
    pub digest: Option<Digest>,
}

impl Shown {
    /// What a certificate shows at a time; one that is over, of another commit or contradicts itself shows nothing.
    pub fn of(certification: &Certification, commit: &str, now: Timestamp) -> Self {
        let is_usable = certification.check().is_empty()
            && certification.git_commit == commit
            && certification.generated_at_utc <= now
            && certification.expires_at.is_none_or(|at| at > now);
        if !is_usable {
            return Self::default();
        }
        let passed = certification.hard_gate_results.iter();
        let passed = passed.filter(|r| r.status == State::Pass && !r.waived);
        Self {
            is_certified: certification.holds(now),
            gates: passed.map(|r| r.gate_id.clone()).collect(),
            digest: certification.digest(),
        }
    }
}

/// A claim.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// The text.
    pub file: String,
    /// From 1.
    pub line: u64,
    /// From 1, in characters.
    pub column: u64,
    /// The rule.
    pub rule: String,
    /// What is claimed, verbatim.
    pub phrase: String,
    /// What it needs.
    pub needs: String,
    /// Whether it is denied rather than claimed.
    pub negated: bool,
    /// Whether it may stand.
    pub allowed: bool,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guard {
    /// [`SCHEMA`].
    pub schema: String,
    /// When it was made.
    pub generated_at: Timestamp,
    /// `pass`, `fail`, or `invalid` where no text could be looked at.
    pub status: Status,
    /// Of the rules.
    pub rules_digest: Digest,
    /// Of the certificate; absent if there is none.
    pub certification_digest: Option<Digest>,
    /// Whether the release is certified.
    pub certified: bool,
    /// The texts, and the digest of each.
    pub texts: BTreeMap<String, Digest>,
    /// Texts that could not be read, and why.
    pub unread: BTreeMap<String, String>,
    /// How many claims stand that may not.
    pub violations: u64,
    /// Whether there were more claims than could be kept.
    pub truncated: bool,
    /// The claims, by text and line.
    pub rows: Vec<Row>,
}

impl Guard {
    fn expected(&self) -> (u64, Status) {
        let violations = self.rows.iter().filter(|r| !r.allowed).count() as u64;
        let status = if self.texts.is_empty() || !self.unread.is_empty() || self.truncated {
            Status::Invalid
        } else if violations > 0 {
            Status::Fail
        } else {
            Status::Pass
        };
        (violations, status)
    }
}

impl Artifact for Guard {
    const SCHEMA: &'static str = SCHEMA;

    fn check(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut tell = |reason, text: &str| found.push(Problem::new(reason, text));
        if self.schema != SCHEMA {
            tell(Reason::SchemaUnknown, "the schema is another");
        }
        if (self.violations, self.status) != self.expected() {
            tell(
                Reason::EvidenceCountMismatch,
                "its status is not that of its rows",
            );
        }
        if self.certified && self.certification_digest.is_none() {
            tell(Reason::EvidenceMissing, "it is certified by no certificate");
        }
        if !self.rows.is_sorted() || self.rows.iter().any(|r| !self.texts.contains_key(&r.file)) {
            let text = "its rows are out of order, or of a text that was not looked at";
            tell(Reason::EvidenceCountMismatch, text);
        }
        let is_free = |row: &Row| {
            row.negated
                || (row.needs == "certified" && self.certified)
                || (row.needs.starts_with("gate:") && self.certification_digest.is_some())
        };
        if self.rows.iter().any(|row| row.allowed && !is_free(row)) {
            tell(
                Reason::EvidenceCountMismatch,
                "a claim is allowed that nothing shows",
            );
        }
        found
    }
}

/// Looks for claims in texts, by path. Texts whose names end in `.md`, `.markdown` or `.mdx` are read as Markdown.
pub fn guard(
    rules: &Rules,
    texts: &BTreeMap<String, &[u8]>,
    shown: &Shown,
    now: Timestamp,
) -> Guard {
    let mut made = Guard {
        schema: SCHEMA.to_owned(),
        generated_at: now,
        status: Status::Invalid,
        rules_digest: rules.digest,
        certification_digest: shown.digest,
        certified: shown.is_certified && shown.digest.is_some(),
        texts: BTreeMap::new(),
        unread: BTreeMap::new(),
        violations: 0,
        truncated: false,
        rows: Vec::new(),
    };
    let mut rows = BTreeSet::new();
    for (file, bytes) in texts {
        if bytes.len() > LARGEST {
            made.unread
                .insert(file.clone(), format!("it has more than {LARGEST} bytes"));
            continue;
        }
        let Ok(text) = std::str::from_utf8(bytes) else {
            made.unread
                .insert(file.clone(), "it is not UTF-8".to_owned());
            continue;
        };
        if !text.chars().any(char::is_alphanumeric) {
            made.unread.insert(
                file.clone(),
                "it is empty, so nothing was looked at".to_owned(),
            );
            continue;
        }
        made.texts.insert(file.clone(), Digest::of(bytes));
        let lower = file.to_lowercase();
        let is_markdown = [".md", ".markdown", ".mdx"]
            .iter()
            .any(|e| lower.ends_with(e));
        let prose = prose::Prose::of(text, is_markdown, false);
        // Words in code are read too, in a second reading: what they deny is not denied outside.
        let with_code = prose
            .has_words_in_code()
            .then(|| prose::Prose::of(text, is_markdown, true));
        for (rule, needs, patterns) in &rules.rules {
            let is_shown = match needs {
                Needs::Certified => made.certified,
                Needs::Gate(gate) => shown.digest.is_some() && shown.gates.contains(gate),
                Needs::Never => false,
            };
            let readings = [(&prose, false)]
                .into_iter()
                .chain(with_code.iter().map(|prose| (prose, true)));
            let all = readings.flat_map(|(prose, again)| {
                let found = patterns.iter().flat_map(|p| p.find_iter(prose.text()));
                found.map(move |found| (prose, found, again))
            });
            let mut seen = BTreeSet::new();
            for (prose, found, again) in all {
                if rows.len() >= MOST {
                    made.truncated = true;
                    break;
                }
                let (line, column) = prose.place(found.start());
                if again && seen.contains(&(line, column)) {
                    continue;
                }
                seen.insert((line, column));
                let negated = prose.is_denied(found.start());
                rows.insert(Row {
                    file: file.clone(),
                    line,
                    column,
                    rule: rule.id.clone(),
                    phrase: found.as_str().chars().take(200).collect(),
                    needs: rule.needs.clone(),
                    negated,
                    allowed: is_shown || negated,
                });
            }
        }
    }
    made.rows = rows.into_iter().collect();
    (made.violations, made.status) = made.expected();
    made
}
