//! Reads `runbook.toml`, strictly: every fault is told with its line, and a file with faults is no runbook.
//!
//! Invariants: a key that is not known is a fault; sizes and counts are bounded; what is missing is never filled up.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use gonogo_core::near;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::entry::{Entry, Pattern, Runbook, Severity, cause_of};
use super::places::{self, PLACEHOLDERS};
use super::required::Expression;
use crate::cause::Cause;

/// The schema of a runbook's file.
pub const SCHEMA: &str = "gonogo.suite.runbook.v1";

/// Most bytes of a file.
pub const MAX_BYTES: usize = 16 << 20;
/// Most entries, and patterns of one.
const MAX_ENTRIES: usize = 20_000;
const MAX_PATTERNS: usize = 64;
/// Most items of a list.
const MAX_ITEMS: usize = 256;
/// Most bytes of a literal text or an expression, and of prose.
const MAX_TEXT: usize = 1_024;
const MAX_PROSE: usize = 16 << 10;
/// Most faults that are told.
const MAX_FAULTS: usize = 200;

/// Something that is wrong with a runbook's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// The entry's id, as far as it is known.
    pub entry: Option<String>,
    /// What is wrong.
    pub text: String,
    /// What to do.
    pub hint: Option<String>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        if let Some(entry) = &self.entry {
            write!(f, "entry `{entry}`: ")?;
        }
        f.write_str(&self.text)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

/// All that is wrong with a runbook's file, by lines; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, fault) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

const ROOT: &[&str] = &["schema", "entry"];
const ENTRY: &[&str] = &[
    "id",
    "title",
    "means",
    "severity",
    "cause",
    "match",
    "signatures",
    "artifacts",
    "replay",
    "remediation",
    "links",
    "owner",
];
const PATTERN: &[&str] = &["all", "any", "regex", "ignore_case"];

impl Runbook {
    /// Reads a file's text.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(text: &str) -> Result<Self, Faults> {
        let mut reader = Reader {
            text,
            lines: std::iter::once(0)
                .chain(memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at + 1))
                .collect(),
            faults: Vec::new(),
            entry: None,
        };
        let runbook = reader.file();
        if reader.faults.is_empty() {
            return Ok(runbook);
        }
        reader
            .faults
            .sort_by_key(|fault| (fault.line, fault.column));
        reader.faults.truncate(MAX_FAULTS);
        Err(Faults(reader.faults))
    }
}

type Value<'i> = Spanned<DeValue<'i>>;

struct Reader<'t> {
    text: &'t str,
    /// Where each line begins.
    lines: Vec<usize>,
    faults: Vec<Fault>,
    /// The entry that is read.
    entry: Option<String>,
}

impl<'t> Reader<'t> {
    fn file(&mut self) -> Runbook {
        let mut runbook = Runbook::default();
        if self.text.len() > MAX_BYTES {
            let text = format!("the file is larger than {MAX_BYTES} bytes");
            self.fault(0..0, text, None);
            return runbook;
        }
        let (document, broken) = DeTable::parse_recoverable(self.text);
        // Later faults may only follow from the first.
        if let Some(e) = broken.first() {
            let span = e.span().unwrap_or(self.text.len()..self.text.len());
            self.fault(span, format!("this is not TOML: {}", e.message()), None);
            return runbook;
        }
        let table = document.get_ref();
        self.known(table, ROOT);
        match self.string(table, "schema", MAX_TEXT) {
            Some((schema, span)) if schema != SCHEMA => {
                let text = format!("the schema is `{schema}`");
                self.fault(span, text, Some(format!("this reads `{SCHEMA}`")));
            }
            Some(_) => {}
            None if table.get("schema").is_none() => {
                let hint = format!("write `schema = \"{SCHEMA}\"` first");
                self.fault(0..0, "the schema is missing".into(), Some(hint));
            }
            None => {}
        }
        let entries = self.tables(table, "entry", MAX_ENTRIES);
        if entries.is_empty() && self.faults.is_empty() {
            let hint = "write `[[entry]]`".to_owned();
            self.fault(0..0, "there is no entry".into(), Some(hint));
        }
        let mut ids: BTreeMap<String, u32> = BTreeMap::new();
        for (table, span) in entries {
            let entry = self.entry(table, span.clone());
            if let Some(line) = ids.get(&entry.id).filter(|_| !entry.id.is_empty()) {
                let text = format!("the id stands twice, first in line {line}");
                self.fault(span, text, Some("ids are unique: rename one".into()));
            }
            ids.entry(entry.id.clone()).or_insert(entry.line);
            runbook.entries.push(entry);
            self.entry = None;
        }
        runbook
    }

    fn entry(&mut self, table: &DeTable<'_>, span: Range<usize>) -> Entry {
        let id = self.required(table, "id", &span, 80);
        if let Some((id, at)) = &id {
            self.entry = Some(id.clone());
            let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            if !id.bytes().all(fits) || !id.starts_with(|c: char| c.is_ascii_alphanumeric()) {
                let text = "an id has small letters, digits and dashes only".into();
                self.fault(at.clone(), text, None);
            }
        }
        self.known(table, ENTRY);
        let words: Vec<&str> = Severity::ALL.iter().map(|s| s.word()).collect();
        let severity = self.required(table, "severity", &span, 80);
        let severity = severity.and_then(|(word, at)| {
            let found = Severity::ALL.into_iter().find(|s| s.word() == word);
            if found.is_none() {
                self.unknown("severity", &word, &words, at);
            }
            found
        });
        let cause = self.string(table, "cause", 200);
        let cause = cause.and_then(|(word, at)| {
            let found = cause_of(&word);
            if found.is_none() {
                let words: Vec<&str> = Cause::OURS.iter().map(|c| c.word()).collect();
                self.unknown("cause", &word, &words, at);
            }
            found
        });
        let mut patterns = Vec::new();
        for (pattern, at) in self.tables(table, "match", MAX_PATTERNS) {
            patterns.push(self.pattern(pattern, at));
        }
        let signatures = self.list(table, "signatures", 200);
        for (signature, at) in &signatures {
            if !is_signature(signature) {
                let text = format!("`{signature}` is no signature");
                let hint = "a signature is its algorithm, a colon and 32 hexadecimal digits: `reason.v2:0123…`";
                self.fault(at.clone(), text, Some(hint.into()));
            }
        }
        let shown = ["match", "signatures", "cause"];
        if shown.iter().all(|key| table.get(*key).is_none()) || self.is_hollow(table, &shown) {
            let text = "nothing tells when it applies".into();
            let hint = "give it a `[[entry.match]]`, `signatures` or a `cause`";
            self.fault(span.clone(), text, Some(hint.into()));
        }
        let artifacts = self.list(table, "artifacts", MAX_TEXT);
        for (path, at) in &artifacts {
            self.placed(path, at);
            if let Some(why) = places::not_relative(path) {
                let text = format!("the artifact `{path}` {why}");
                let hint = "paths are relative to the run's directory".to_owned();
                self.fault(at.clone(), text, Some(hint));
            }
        }
        let replay = self.list(table, "replay", MAX_TEXT);
        for (word, at) in &replay {
            self.placed(word, at);
        }
        let remediation = self.required(table, "remediation", &span, MAX_PROSE);
        if let Some((text, at)) = &remediation {
            self.placed(text, at);
        }
        Entry {
            id: id.map(|(id, _)| id).unwrap_or_default(),
            title: plain(self.required(table, "title", &span, 200)),
            means: plain(self.required(table, "means", &span, MAX_PROSE)),
            severity: severity.unwrap_or(Severity::One),
            cause,
            patterns,
            signatures: signatures.into_iter().map(|(s, _)| s).collect(),
            artifacts: artifacts.into_iter().map(|(s, _)| s).collect(),
            replay: replay.into_iter().map(|(s, _)| s).collect(),
            remediation: plain(remediation),
            links: self
                .list(table, "links", MAX_TEXT)
                .into_iter()
                .map(|(s, _)| s)
                .collect(),
            owner: plain(self.string(table, "owner", 200)),
            line: self.place(span.start).0,
        }
    }

    /// Whether each of the keys that are there is an empty list.
    fn is_hollow(&self, table: &DeTable<'_>, keys: &[&str]) -> bool {
        let mut there = keys.iter().filter_map(|key| table.get(*key));
        there.all(|value| matches!(value.get_ref(), DeValue::Array(items) if items.is_empty()))
    }

    fn pattern(&mut self, table: &DeTable<'_>, span: Range<usize>) -> Pattern {
        self.known(table, PATTERN);
        let mut texts = |key: &str| {
            let list = self.list(table, key, MAX_TEXT);
            for (text, at) in &list {
                if text.contains(['\n', '\r', '\u{1b}']) {
                    let why = "a text has a line's end or an escape character, and no line that is looked at has one";
                    self.fault(at.clone(), why.into(), Some("split it in two".into()));
                }
            }
            list.into_iter().map(|(text, _)| text).collect::<Vec<_>>()
        };
        let (all, any) = (texts("all"), texts("any"));
        let ignore_case = match table.get("ignore_case").map(|v| (v.get_ref(), v.span())) {
            None => false,
            Some((DeValue::Boolean(yes), _)) => *yes,
            Some((_, at)) => {
                self.fault(at, "`ignore_case` is not true or false".into(), None);
                false
            }
        };
        let regex = self.string(table, "regex", MAX_TEXT);
        if let Some((text, at)) = &regex
            && let Err(why) = Expression::read(text, ignore_case)
        {
            self.fault(at.clone(), format!("the expression is broken: {why}"), None);
        }
        if all.is_empty() && any.is_empty() && table.get("regex").is_none() {
            let text = "the pattern asks for nothing, so every line would be it".into();
            let hint = "give it `all`, `any` or `regex`".to_owned();
            self.fault(span.clone(), text, Some(hint));
        }
        // An empty list of alternatives is a slip: "one of none" is never.
        if any.is_empty()
            && table
                .get("any")
                .is_some_and(|v| matches!(v.get_ref(), DeValue::Array(a) if a.is_empty()))
        {
            self.fault(
                span.clone(),
                "`any` is empty".into(),
                Some("leave it out, or give it texts".into()),
            );
        }
        Pattern {
            all,
            any,
            regex: regex.map(|(text, _)| text),
            ignore_case,
            line: self.place(span.start).0,
        }
    }

    fn placed(&mut self, text: &str, at: &Range<usize>) {
        for fault in places::faults(text) {
            let hint = near::nearest(&fault, PLACEHOLDERS.iter().map(|(name, _)| *name));
            let hint = hint.map_or_else(
                || {
                    let known: Vec<&str> = PLACEHOLDERS.iter().map(|(name, _)| *name).collect();
                    format!(
                        "known: {}; a brace itself is `{{{{` or `}}}}`",
                        known.join(", ")
                    )
                },
                |near| format!("did you mean `{{{near}}}`?"),
            );
            let text = format!("`{{{fault}}}` is no placeholder");
            self.fault(at.clone(), text, Some(hint));
        }
    }

    fn known(&mut self, table: &DeTable<'_>, known: &[&str]) {
        for key in table.keys() {
            let name = key.get_ref().as_ref();
            if !known.contains(&name) {
                self.unknown("key", name, known, key.span());
            }
        }
    }

    fn unknown(&mut self, what: &str, name: &str, known: &[&str], at: Range<usize>) {
        let name: String = name.chars().take(80).collect();
        let hint = match near::nearest(&name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known: {}", known.join(", ")),
        };
        self.fault(at, format!("`{name}` is no known {what}"), Some(hint));
    }

    fn tables<'a, 'i>(
        &mut self,
        table: &'a DeTable<'i>,
        key: &str,
        most: usize,
    ) -> Vec<(&'a DeTable<'i>, Range<usize>)> {
        let Some(value) = table.get(key) else {
            return Vec::new();
        };
        let DeValue::Array(items) = value.get_ref() else {
            let text = format!("`{key}` is not a list of tables");
            self.fault(value.span(), text, Some(format!("write `[[{key}]]`")));
            return Vec::new();
        };
        if items.len() > most {
            let text = format!("`{key}` has {} items, {most} are allowed", items.len());
            self.fault(value.span(), text, None);
            return Vec::new();
        }
        let mut tables = Vec::new();
        for item in items.iter() {
            match item.get_ref() {
                DeValue::Table(table) => tables.push((table, item.span())),
                _ => self.fault(
                    item.span(),
                    format!("an item of `{key}` is not a table"),
                    None,
                ),
            }
        }
        tables
    }

    fn list(&mut self, table: &DeTable<'_>, key: &str, most: usize) -> Vec<(String, Range<usize>)> {
        let Some(value) = table.get(key) else {
            return Vec::new();
        };
        let DeValue::Array(items) = value.get_ref() else {
            let text = format!("`{key}` is not a list of texts");
            self.fault(value.span(), text, Some(format!("write `{key} = [\"…\"]`")));
            return Vec::new();
        };
        if items.len() > MAX_ITEMS {
            let text = format!("`{key}` has {} items, {MAX_ITEMS} are allowed", items.len());
            self.fault(value.span(), text, None);
            return Vec::new();
        }
        items
            .iter()
            .filter_map(|item| self.text(key, item, most))
            .collect()
    }

    fn string(
        &mut self,
        table: &DeTable<'_>,
        key: &str,
        most: usize,
    ) -> Option<(String, Range<usize>)> {
        self.text(key, table.get(key)?, most)
    }

    fn required(
        &mut self,
        table: &DeTable<'_>,
        key: &str,
        span: &Range<usize>,
        most: usize,
    ) -> Option<(String, Range<usize>)> {
        if table.get(key).is_none() {
            self.fault(span.clone(), format!("`{key}` is missing"), None);
        }
        self.string(table, key, most)
    }

    fn text(
        &mut self,
        key: &str,
        value: &Value<'_>,
        most: usize,
    ) -> Option<(String, Range<usize>)> {
        let span = value.span();
        let DeValue::String(text) = value.get_ref() else {
            self.fault(
                span,
                format!("`{key}` is not text"),
                Some("put it in quotes".into()),
            );
            return None;
        };
        if text.trim().is_empty() {
            self.fault(span, format!("`{key}` is empty"), None);
            return None;
        }
        if text.len() > most {
            let text = format!("`{key}` has {} bytes, {most} are allowed", text.len());
            self.fault(span, text, None);
            return None;
        }
        Some((text.clone().into_owned(), span))
    }

    fn fault(&mut self, at: Range<usize>, text: String, hint: Option<String>) {
        let (line, column) = self.place(at.start);
        self.faults.push(Fault {
            line,
            column,
            entry: self.entry.clone(),
            text,
            hint,
        });
    }

    fn place(&self, at: usize) -> (u32, u32) {
        let line = self.lines.partition_point(|begin| *begin <= at).max(1);
        let begin = self.lines[line - 1];
        let before = self.text.as_bytes().get(begin..at).unwrap_or_default();
        let characters = before.iter().filter(|b| **b & 0xc0 != 0x80);
        (line as u32, characters.count() as u32 + 1)
    }
}

fn plain(found: Option<(String, Range<usize>)>) -> String {
    found.map(|(text, _)| text).unwrap_or_default()
}

/// `reason.v2:` or another algorithm, and 32 hexadecimal digits in small letters.
fn is_signature(text: &str) -> bool {
    let Some((algorithm, hash)) = text.rsplit_once(':') else {
        return false;
    };
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    !algorithm.is_empty()
        && algorithm.bytes().all(|b| b.is_ascii_graphic() && b != b':')
        && hash.len() == 32
        && hash.bytes().all(hex)
}
