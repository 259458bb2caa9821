//! Which class each test file has, and whether that is true.
//!
//! The classes are data ([`Classes`]), compared with a listing of the tree and with the sources. Invariants: each test file has exactly one class;
//! no entry is without a file; lists are sorted, so that a merge cannot hide a second entry; words that a class must not use are looked for
//! among identifiers and texts, not among comments.

use std::collections::{BTreeMap, BTreeSet};

use gonogo_core::{Digest, Reason, Timestamp, Verdict as Status};
use gonogo_suite::run::Problem;
use serde::{Deserialize, Serialize};

use crate::artifact::Artifact;
use crate::tokens::{Kind, Language, tokens};

/// The schema of the file with the classes.
pub const CLASSES: &str = "gonogo.gate.suite-classes.v1";
/// The schema.
pub const SCHEMA: &str = "gonogo.gate.suite-classification.v1";

/// Most test files.
const MOST: usize = 200_000;

/// The classes of test files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Neither recordings, nor servers, nor doubles.
    Unit,
    /// Recordings and fixtures.
    Recorded,
    /// The real thing.
    E2e,
}

impl Class {
    /// The word in files.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unit => "unit",
            Self::Recorded => "recorded",
            Self::E2e => "e2e",
        }
    }
}

/// A class's files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// Their paths, sorted.
    pub files: Vec<String>,
    /// Words that they must not use: identifiers whole, anything else within texts. A list without words is refused; leave it out.
    #[serde(default, deserialize_with = "words")]
    pub forbidden: Vec<String>,
}

/// Reads a list of words that has some.
fn words<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let words = Vec::<String>::deserialize(from)?;
    if words.is_empty() {
        let text = "`forbidden` is empty, so nothing would be looked for";
        return Err(serde::de::Error::custom(text));
    }
    Ok(words)
}

/// The file with the classes: `[suite.unit]`, `[suite.recorded]`, `[suite.e2e]`, each with `files`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Classes {
    /// [`CLASSES`].
    pub schema: String,
    /// By class.
    pub suite: BTreeMap<Class, Files>,
}

/// Classes that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the classes of test files cannot be read: {0}")]
pub struct ClassesError(String);

impl Classes {
    /// Reads TOML.
    ///
    /// # Errors
    /// [`ClassesError`]: unknown keys, another schema, too many files.
    pub fn parse(text: &str) -> Result<Self, ClassesError> {
        if text.len() > crate::strict::LARGEST {
            return Err(ClassesError("the file is too large".to_owned()));
        }
        let read: Self = toml::from_str(text).map_err(|e| ClassesError(e.to_string()))?;
        if read.schema != CLASSES {
            let text = format!("the schema is `{}`, expected `{CLASSES}`", read.schema);
            return Err(ClassesError(text));
        }
        if read.suite.values().map(|f| f.files.len()).sum::<usize>() > MOST {
            return Err(ClassesError(format!("there are more than {MOST} files")));
        }
        for (class, files) in &read.suite {
            if files
                .forbidden
                .iter()
                .any(|word| crate::strict::is_blank(word))
            {
                let class = class.word();
                let text =
                    format!("`suite.{class}.forbidden` has an empty word, which nothing has");
                return Err(ClassesError(text));
            }
        }
        Ok(read)
    }

    /// Whether it says nothing of any file: all have one class, which forbids no word.
    fn says_nothing(&self) -> bool {
        let mut used = self.suite.values().filter(|class| !class.files.is_empty());
        let forbids = |class: &Files| !class.forbidden.is_empty();
        used.next().is_some_and(|class| !forbids(class)) && used.next().is_none()
    }

    /// The class of a file, if it has exactly one.
    pub fn of(&self, file: &str) -> Option<Class> {
        let mut found = None;
        for (class, files) in &self.suite {
            if files.files.iter().any(|f| f == file) {
                if found.is_some() {
                    return None;
                }
                found = Some(*class);
            }
        }
        found
    }
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// A test file has no class.
    Unclassified,
    /// It has several, or one twice.
    Twice,
    /// An entry has no file.
    NoFile,
    /// A list is not sorted.
    Unsorted,
    /// A file uses what its class must not.
    Leak,
    /// A file of a class with forbidden words could not be looked at.
    Unread,
    /// There is no test file at all, or nothing is said of those that there are: one class, and no word that it forbids.
    Nothing,
}

/// A finding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// The file; empty where none is at fault.
    pub file: String,
    /// Its line; 0 where none is at fault.
    pub line: u64,
    /// What is wrong.
    pub fault: Fault,
    /// One line.
    pub text: String,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Classification {
    /// [`SCHEMA`].
    pub schema: String,
    /// When it was made.
    pub generated_at: Timestamp,
    /// `pass` or `fail`; `invalid` if there is no test file.
    pub status: Status,
    /// Test files in the tree.
    pub total: u64,
    /// Of these, with exactly one class.
    pub classified: u64,
    /// By class.
    pub by_class: BTreeMap<Class, u64>,
    /// Files whose words were looked at, and the digest of each.
    pub looked_at: BTreeMap<String, Digest>,
    /// What is wrong, by file and line.
    pub findings: Vec<Finding>,
}

impl Classification {
    fn expected(&self) -> Status {
        if self.total == 0 {
            Status::Invalid
        } else if self.findings.is_empty() && self.classified == self.total {
            Status::Pass
        } else {
            Status::Fail
        }
    }
}

impl Artifact for Classification {
    const SCHEMA: &'static str = SCHEMA;

    fn check(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut tell = |reason, text: &str| found.push(Problem::new(reason, text));
        if self.schema != SCHEMA {
            tell(Reason::SchemaUnknown, "the schema is another");
        }
        if self.status != self.expected() || self.by_class.values().sum::<u64>() != self.classified
        {
            tell(
                Reason::EvidenceCountMismatch,
                "its status or its counts are not its findings'",
            );
        }
        let open = |f: &&Finding| matches!(f.fault, Fault::Unclassified);
        if self.classified > self.total
            || (self.classified + self.findings.iter().filter(open).count() as u64) > self.total
        {
            tell(Reason::EvidenceCountMismatch, "its counts do not add up");
        }
        if !self.findings.is_sorted() {
            tell(
                Reason::EvidenceCountMismatch,
                "its findings are out of order",
            );
        }
        found
    }
}

/// Compares the classes with the test files of a tree, and with the sources of those whose class forbids words.
pub fn classify(
    classes: &Classes,
    listing: &BTreeSet<String>,
    sources: &BTreeMap<String, &str>,
    now: Timestamp,
) -> Classification {
    let mut made = Classification {
        schema: SCHEMA.to_owned(),
        generated_at: now,
        status: Status::Invalid,
        total: listing.len() as u64,
        classified: 0,
        by_class: BTreeMap::new(),
        looked_at: BTreeMap::new(),
        findings: Vec::new(),
    };
    let mut findings = Vec::new();
    let mut tell = |file: &str, line, fault, text: String| {
        findings.push(Finding {
            file: file.to_owned(),
            line,
            fault,
            text,
        });
    };
    let mut entries: BTreeMap<&str, Vec<Class>> = BTreeMap::new();
    for (class, files) in &classes.suite {
        for file in &files.files {
            entries.entry(file).or_default().push(*class);
        }
        if let Some(pair) = files.files.windows(2).find(|pair| pair[0] > pair[1]) {
            let text = format!(
                "`{}`: it stands behind `{}`; sort the list",
                class.word(),
                pair[0]
            );
            tell(&pair[1], 0, Fault::Unsorted, text);
        }
    }
    for (file, found) in &entries {
        if found.len() > 1 {
            let words: Vec<&str> = found.iter().map(|c| c.word()).collect();
            tell(
                file,
                0,
                Fault::Twice,
                format!("it stands in {}", words.join(" and ")),
            );
        }
        if !listing.contains(*file) {
            tell(
                file,
                0,
                Fault::NoFile,
                "the tree has no such test file".to_owned(),
            );
        }
    }
    for file in listing {
        match entries.get(file.as_str()).map(Vec::as_slice) {
            None => tell(file, 0, Fault::Unclassified, "it has no class".to_owned()),
            Some([class]) => {
                made.classified += 1;
                *made.by_class.entry(*class).or_default() += 1;
                let forbidden = &classes.suite[class].forbidden;
                if forbidden.is_empty() {
                    continue;
                }
                match (sources.get(file), Language::of(file)) {
                    (Some(source), Some(language)) => {
                        made.looked_at
                            .insert(file.clone(), Digest::of(source.as_bytes()));
                        leaks(source, language, forbidden, |line, word| {
                            let text = format!("`{word}` is not for the class `{}`", class.word());
                            tell(file, line, Fault::Leak, text);
                        });
                    }
                    (None, _) => {
                        let text = "its source is not there to be looked at";
                        tell(file, 0, Fault::Unread, text.to_owned());
                    }
                    (_, None) => {
                        let text = "its language is not known, so nobody can say what it uses";
                        tell(file, 0, Fault::Unread, text.to_owned());
                    }
                }
            }
            Some(_) => {}
        }
    }
    if listing.is_empty() {
        tell(
            "",
            0,
            Fault::Nothing,
            "the tree has no test file".to_owned(),
        );
    } else if classes.says_nothing() {
        let text = "all have one class, and it forbids no word, so nothing is judged of them";
        tell("", 0, Fault::Nothing, text.to_owned());
    }
    findings.sort();
    findings.dedup();
    made.findings = findings;
    made.status = made.expected();
    made
}

fn leaks(source: &str, language: Language, forbidden: &[String], mut tell: impl FnMut(u64, &str)) {
    let is_name = |word: &str| word.chars().all(|c| c.is_alphanumeric() || c == '_');
    let (names, others): (Vec<&String>, Vec<&String>) = forbidden.iter().partition(|w| is_name(w));
    for token in tokens(source, language) {
        match token.kind {
            Kind::Word => {
                if names.iter().any(|name| *name == token.text) {
                    tell(token.line, token.text);
                }
            }
            Kind::Text => {
                for word in &others {
                    if !word.is_empty() && token.text.contains(word.as_str()) {
                        tell(token.line, word);
                    }
                }
            }
            Kind::Mark => {}
        }
    }
}
