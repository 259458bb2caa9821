//! TOML that is read strictly: every fault with its line, none of them fatal for the rest of the file.
//!
//! Policies, waivers and quarantines are read with it. Invariants: a key that nobody asked for is a fault; a value of the wrong type
//! is a fault and reads as absent; what stands behind a fault is never used, because a file with faults gives nothing.

use std::cell::RefCell;
use std::fmt::Display;
use std::str::FromStr;

use gonogo_core::{Timestamp, near};
use serde::{Deserialize, Serialize};
use toml::de::{DeTable, DeValue};

/// Most bytes of a file.
pub(crate) const LARGEST: usize = 4 << 20;

/// Most faults that are kept.
const FAULTS: usize = 100;

/// Something wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// From 1; 0 where no line is at fault.
    pub line: usize,
    /// Dotted path of the key; empty where none is at fault.
    pub key: String,
    /// What is wrong and what was expected.
    pub text: String,
}

impl Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.line > 0 {
            write!(f, "line {}: ", self.line)?;
        }
        f.write_str(&self.text)
    }
}

/// A value and its line.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) line: usize,
    pub(crate) item: Item,
}

/// A value.
#[derive(Debug, Clone)]
pub(crate) enum Item {
    Text(String),
    Integer(i64),
    Float(f64),
    Flag(bool),
    Time(String),
    List(Vec<Node>),
    Table(Vec<(String, Node)>),
    /// A number that does not fit.
    Odd,
}

impl Item {
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Integer(_) => "a whole number",
            Self::Float(_) => "a number",
            Self::Flag(_) => "`true` or `false`",
            Self::Time(_) => "a time",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Odd => "a number that does not fit",
        }
    }
}

/// Parses a file.
pub(crate) fn parse(text: &str) -> Result<Node, Fault> {
    let fault = |line, text: String| Fault {
        line,
        key: String::new(),
        text,
    };
    if text.len() > LARGEST {
        return Err(fault(0, format!("it is larger than {LARGEST} bytes")));
    }
    let lines = Lines::of(text);
    let table = DeTable::parse(text).map_err(|e| {
        let line = e.span().map_or(0, |span| lines.at(span.start));
        fault(line, format!("it is not TOML: {}", e.message()))
    })?;
    Ok(Node {
        line: 1,
        item: Item::Table(entries(table.get_ref(), &lines)),
    })
}

fn entries(table: &DeTable<'_>, lines: &Lines) -> Vec<(String, Node)> {
    table
        .iter()
        .map(|(key, value)| {
            let node = Node {
                line: lines.at(key.span().start),
                item: item(value.get_ref(), lines),
            };
            (key.get_ref().to_string(), node)
        })
        .collect()
}

fn item(value: &DeValue<'_>, lines: &Lines) -> Item {
    match value {
        DeValue::String(text) => Item::Text(text.to_string()),
        DeValue::Integer(n) => {
            i64::from_str_radix(n.as_str(), n.radix()).map_or(Item::Odd, Item::Integer)
        }
        DeValue::Float(n) => match n.as_str().replace('_', "").parse::<f64>() {
            Ok(n) if n.is_finite() => Item::Float(n),
            _ => Item::Odd,
        },
        DeValue::Boolean(flag) => Item::Flag(*flag),
        DeValue::Datetime(time) => Item::Time(time.to_string()),
        DeValue::Array(items) => Item::List(
            items
                .iter()
                .map(|i| Node {
                    line: lines.at(i.span().start),
                    item: item(i.get_ref(), lines),
                })
                .collect(),
        ),
        DeValue::Table(table) => Item::Table(entries(table, lines)),
    }
}

/// Where lines begin.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, b)| *b == b'\n');
        Self(ends.map(|(at, _)| at).collect())
    }

    fn at(&self, offset: usize) -> usize {
        self.0.partition_point(|end| *end < offset) + 1
    }
}

/// Takes faults.
#[derive(Debug, Default)]
pub(crate) struct Faults(RefCell<Vec<Fault>>);

impl Faults {
    pub(crate) fn tell(&self, line: usize, key: impl Into<String>, text: impl Into<String>) {
        let mut found = self.0.borrow_mut();
        if found.len() < FAULTS {
            found.push(Fault {
                line,
                key: key.into(),
                text: text.into(),
            });
        }
    }

    pub(crate) fn into_vec(self) -> Vec<Fault> {
        let mut found = self.0.into_inner();
        found.sort();
        found.dedup();
        found
    }
}

/// A table whose keys are asked for one by one.
pub(crate) struct Table<'a> {
    faults: &'a Faults,
    path: String,
    pub(crate) line: usize,
    entries: &'a [(String, Node)],
    asked: RefCell<Vec<&'static str>>,
}

impl<'a> Table<'a> {
    /// Opens a table; anything else is a fault.
    pub(crate) fn open(faults: &'a Faults, path: &str, node: &'a Node) -> Option<Self> {
        let Item::Table(entries) = &node.item else {
            let text = format!("`{path}`: expected a table, found {}", node.item.kind());
            faults.tell(node.line, path, text);
            return None;
        };
        Some(Self {
            faults,
            path: path.to_owned(),
            line: node.line,
            entries,
            asked: RefCell::default(),
        })
    }

    /// All entries, for tables whose keys are names.
    pub(crate) fn entries(&self) -> &'a [(String, Node)] {
        self.entries
    }

    pub(crate) fn path(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    /// Notes a fault of this table.
    pub(crate) fn refuse(&self, key: &str, text: impl Display) {
        let line = self.peek(key).map_or(self.line, |node| node.line);
        let path = self.path(key);
        self.faults.tell(line, &path, format!("`{path}`: {text}"));
    }

    fn peek(&self, key: &str) -> Option<&'a Node> {
        self.entries.iter().find(|(k, _)| k == key).map(|(_, n)| n)
    }

    /// The value of a key.
    pub(crate) fn node(&self, key: &'static str) -> Option<&'a Node> {
        self.asked.borrow_mut().push(key);
        self.peek(key)
    }

    fn wrong<T>(&self, key: &str, node: &Node, expected: &str) -> Option<T> {
        self.refuse(
            key,
            format!("expected {expected}, found {}", node.item.kind()),
        );
        None
    }

    /// Notes that a needed key is absent.
    pub(crate) fn need<T>(&self, key: &'static str, found: Option<T>) -> Option<T> {
        if found.is_none() && self.peek(key).is_none() {
            let path = self.path(key);
            self.faults
                .tell(self.line, &path, format!("`{path}` is needed and absent"));
        }
        found
    }

    /// A text with something in it.
    pub(crate) fn text(&self, key: &'static str) -> Option<String> {
        let node = self.node(key)?;
        let Item::Text(text) = &node.item else {
            return self.wrong(key, node, "text in quotes");
        };
        if is_blank(text) {
            self.refuse(key, "it is empty");
            return None;
        }
        Some(text.clone())
    }

    /// A text that says something: none of the words that stand where somebody still has to write.
    pub(crate) fn said(&self, key: &'static str) -> Option<String> {
        let text = self.text(key)?;
        if is_placeholder(&text) {
            self.refuse(key, format!("`{text}` says nothing"));
            return None;
        }
        Some(text)
    }

    /// One person's name, or one team's: letters, digits and `. _ + - @ /`.
    pub(crate) fn somebody(&self, key: &'static str) -> Option<String> {
        let text = self.said(key)?;
        if crate::person::is_one(&text) {
            return Some(text);
        }
        self.refuse(
            key,
            format!(
                "`{text}` is not one plain name: letters, digits, `.`, `_`, `+`, `-` and `@`, as `gonogo gate approve --as` takes it"
            ),
        );
        None
    }

    /// A text that parses.
    pub(crate) fn parsed<T: FromStr<Err: Display>>(&self, key: &'static str) -> Option<T> {
        let text = self.text(key)?;
        text.parse()
            .map_err(|e: T::Err| self.refuse(key, e.to_string()))
            .ok()
    }

    /// One of some words.
    pub(crate) fn word<T: Copy>(&self, key: &'static str, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(key)?;
        let found = words.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.refuse(
                key,
                format!("`{text}` is not known{}", suggestion(&text, &known)),
            );
        }
        found.map(|(_, value)| *value)
    }

    /// `true` or `false`.
    pub(crate) fn flag(&self, key: &'static str) -> Option<bool> {
        let node = self.node(key)?;
        match node.item {
            Item::Flag(flag) => Some(flag),
            _ => self.wrong(key, node, "`true` or `false`"),
        }
    }

    /// A whole number of at least 0.
    pub(crate) fn count(&self, key: &'static str) -> Option<u64> {
        let node = self.node(key)?;
        match node.item {
            Item::Integer(n) if n >= 0 => Some(n.unsigned_abs()),
            _ => self.wrong(key, node, "a whole number from 0 on"),
        }
    }

    /// A list of texts with something in them, none twice.
    pub(crate) fn texts(&self, key: &'static str) -> Option<Vec<String>> {
        let node = self.node(key)?;
        let Item::List(items) = &node.item else {
            return self.wrong(key, node, "a list of texts");
        };
        let mut texts: Vec<String> = Vec::new();
        for item in items {
            match &item.item {
                Item::Text(text) if !is_blank(text) => texts.push(text.clone()),
                Item::Text(_) => {
                    self.refuse(key, "an element is empty");
                    return None;
                }
                _ => return self.wrong(key, item, "text in quotes"),
            }
        }
        Some(texts)
    }

    /// A table of texts.
    pub(crate) fn text_map(
        &self,
        key: &'static str,
    ) -> Option<std::collections::BTreeMap<String, String>> {
        let node = self.node(key)?;
        let Item::Table(entries) = &node.item else {
            return self.wrong(key, node, "a table of texts");
        };
        let mut map = std::collections::BTreeMap::new();
        for (name, value) in entries {
            let Item::Text(text) = &value.item else {
                return self.wrong(key, value, "text in quotes");
            };
            map.insert(name.clone(), text.clone());
        }
        Some(map)
    }

    /// A time: a date, or a date and time with its zone, in quotes or not. A date is its first moment in UTC.
    pub(crate) fn time(&self, key: &'static str) -> Option<Timestamp> {
        let node = self.node(key)?;
        let text = match &node.item {
            Item::Time(text) | Item::Text(text) => text.trim(),
            _ => return self.wrong(key, node, "a date such as 2026-01-31"),
        };
        let full = match text.len() {
            10 => format!("{text}T00:00:00Z"),
            _ => text.to_owned(),
        };
        let time = full.parse().ok();
        if time.is_none() {
            self.refuse(
                key,
                format!("`{text}` is no date such as 2026-01-31 and no time with its zone"),
            );
        }
        time
    }

    /// A table within this one.
    pub(crate) fn table(&self, key: &'static str) -> Option<Table<'a>> {
        let node = self.node(key)?;
        Table::open(self.faults, &self.path(key), node)
    }

    /// Tables within this one.
    pub(crate) fn tables(&self, key: &'static str) -> Option<Vec<Table<'a>>> {
        let node = self.node(key)?;
        let Item::List(items) = &node.item else {
            return self.wrong(key, node, "a list of tables");
        };
        let path = self.path(key);
        let open = |(n, item)| Table::open(self.faults, &format!("{path}[{n}]"), item);
        items.iter().enumerate().map(open).collect()
    }

    /// Notes every key that nobody asked for.
    pub(crate) fn finish(self) {
        let mut asked = self.asked.into_inner();
        let mut seen = std::collections::BTreeSet::new();
        asked.retain(|key| seen.insert(*key));
        for (key, node) in self.entries {
            if !asked.iter().any(|known| known == key) {
                let path = match self.path.is_empty() {
                    true => key.clone(),
                    false => format!("{}.{key}", self.path),
                };
                let text = format!("`{path}` is not known{}", suggestion(key, &asked));
                self.faults.tell(node.line, &path, text);
            }
        }
    }
}

fn suggestion(word: &str, known: &[&str]) -> String {
    match near::nearest(word, known.iter().copied()) {
        Some(near) => format!("; did you mean `{near}`?"),
        None => format!("; known here: {}", known.join(", ")),
    }
}

/// Words that stand where somebody still has to write, or that name nobody.
const PLACEHOLDERS: [&str; 48] = [
    "none",
    "nobody",
    "no one",
    "noone",
    "n a",
    "na",
    "nil",
    "null",
    "undefined",
    "unknown",
    "tbd",
    "tba",
    "tbc",
    "todo",
    "fixme",
    "xxx",
    "x x x",
    "t b d",
    "t b a",
    "placeholder",
    "changeme",
    "change me",
    "unassigned",
    "anyone",
    "anybody",
    "someone",
    "somebody",
    "everyone",
    "everybody",
    "later",
    "soon",
    "pending",
    "dummy",
    "to do",
    "to be done",
    "never",
    "forever",
    "always",
    "approver",
    "issue",
    "name",
    "owner",
    "reason",
    "http",
    "https",
    "ftp",
    "www",
    "asdf",
];

/// Whether a word stands for a number that nobody has filled in: `XXX`, `NNN`.
fn is_blank_number(word: &str) -> bool {
    let is_all = |letter: char| word.chars().all(|c| c == letter);
    word.len() >= 3 && (is_all('x') || is_all('n'))
}

/// Whether a text is such a word and nothing else, whatever signs are around it, has no letter and no digit, begins like a note of what is
/// still to be written (`TODO: …`), ends in no number (`ISSUE-XXX`), is an address of nothing (`https://`), is the setter's text
/// without meaning (`Lorem ipsum`), or is what a template has where something is to be filled in (`<the reason>`).
pub(crate) fn is_placeholder(text: &str) -> bool {
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    let is_note = |word: &&str| {
        ["todo", "fixme", "tbd", "tba", "tbc", "lorem"].contains(word) || is_blank_number(word)
    };
    let trimmed = text.trim();
    let is_slot = [("<", ">"), ("{", "}"), ("[", "]"), ("$(", ")")]
        .iter()
        .any(|(open, close)| trimmed.starts_with(open) && trimmed.ends_with(close));
    words.is_empty()
        || is_slot
        || words.first().is_some_and(is_note)
        || words.last().is_some_and(|word| is_blank_number(word))
        || PLACEHOLDERS.contains(&words.join(" ").as_str())
}

/// Whether nobody could read anything in it.
pub(crate) fn is_blank(text: &str) -> bool {
    text.chars().all(|c| {
        c.is_whitespace()
            || c.is_control()
            || matches!(
                c,
                '\u{200b}'
                    ..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{ad}' | '\u{3164}' | '\u{2800}'
            )
    })
}
