//! Walks the parsed file section by section and notes every fault with its place, instead of stopping at the first.
//!
//! This is the wire side of the configuration: sections go in, typed values with their places come out; meaning is
//! given to them elsewhere. Invariants: a key that [`super::keys`] does not list is a fault; a value that cannot be
//! read is a fault and reads as absent, so the caller's defaults never hide it (a file with faults yields no
//! configuration).

use std::cell::RefCell;
use std::fmt::Display;
use std::ops::Range;
use std::str::FromStr;

use gonogo_core::{Bytes, Reason, near};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Source};
use super::keys::{Kind, Section};

/// Collects faults.
pub(super) struct Faults<'s> {
    source: Source<'s>,
    found: RefCell<Vec<ConfigError>>,
}

impl<'s> Faults<'s> {
    pub(super) fn new(source: Source<'s>) -> Self {
        Self {
            source,
            found: RefCell::default(),
        }
    }

    pub(super) fn add(
        &self,
        reason: Reason,
        span: &Range<usize>,
        key: &str,
        message: impl Into<String>,
        hints: Vec<String>,
    ) {
        let error = self.source.error(reason, span, key, message, hints);
        self.found.borrow_mut().push(error);
    }

    /// The line, from 1, in which a value begins.
    pub(super) fn line(&self, span: &Range<usize>) -> u64 {
        self.source.place(span.start).0 as u64
    }

    /// Whether there are any.
    pub(super) fn any(&self) -> bool {
        !self.found.borrow().is_empty()
    }

    pub(super) fn into_errors(self) -> Vec<ConfigError> {
        self.found.into_inner()
    }
}

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Found<T> {
    pub(super) value: T,
    pub(super) span: Range<usize>,
    /// Dotted path.
    pub(super) key: String,
}

impl<T> Found<T> {
    /// Notes that the value is out of range.
    pub(super) fn refuse(&self, faults: &Faults<'_>, message: impl Into<String>) {
        self.refuse_with(faults, message, Vec::new());
    }

    /// Notes that the value is out of range, with hints.
    pub(super) fn refuse_with(
        &self,
        faults: &Faults<'_>,
        message: impl Into<String>,
        hints: Vec<String>,
    ) {
        faults.add(Reason::ConfigValue, &self.span, &self.key, message, hints);
    }
}

/// One section of the file.
pub(super) struct Table<'a, 'i> {
    pub(super) faults: &'a Faults<'a>,
    /// Dotted path; empty at the root.
    pub(super) key: String,
    /// Where its name stands.
    pub(super) span: Range<usize>,
    table: &'a DeTable<'i>,
    section: &'static Section,
}

impl<'a, 'i> Table<'a, 'i> {
    /// Opens a section and notes its unknown keys.
    pub(super) fn open(
        faults: &'a Faults<'a>,
        key: String,
        span: Range<usize>,
        table: &'a DeTable<'i>,
        section: &'static Section,
    ) -> Self {
        let this = Self {
            faults,
            key,
            span,
            table,
            section,
        };
        for name in table.keys() {
            let text = name.get_ref().as_ref();
            if section.names().all(|known| known != text) {
                this.unknown(text, name.span());
            }
        }
        this
    }

    fn unknown(&self, name: &str, span: Range<usize>) {
        let known: Vec<&str> = self.section.names().collect();
        let mut hints = Vec::new();
        if let Some(near) = near::nearest(name, known.iter().copied()) {
            hints.push(format!("did you mean `{near}`?"));
        }
        hints.push(format!("known keys here: {}", known.join(", ")));
        let key = self.path(&quote(name));
        let message = format!("`{key}` is not a known key");
        self.faults
            .add(Reason::ConfigUnknownKey, &span, &key, message, hints);
    }

    /// Returns the dotted path of `name`, which may itself be a path, in this section.
    pub(super) fn path(&self, name: &str) -> String {
        if self.key.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.key)
        }
    }

    /// Whether the key stands in the file, readable or not.
    pub(super) fn has(&self, name: &str) -> bool {
        self.entry(name).is_some()
    }

    fn entry(&self, name: &str) -> Option<(Range<usize>, &'a Spanned<DeValue<'i>>)> {
        debug_assert!(
            self.section.names().any(|known| known == name),
            "`{name}` is not in the key table"
        );
        self.table
            .iter()
            .find(|(k, _)| k.get_ref() == name)
            .map(|(k, v)| (k.span(), v))
    }

    /// Notes that a needed key is absent; says whether it is there.
    pub(super) fn require(&self, name: &str) -> bool {
        let there = self.has(name);
        if !there {
            self.missing(name, Reason::ConfigMissingKey, Vec::new());
        }
        there
    }

    /// Notes that `name` is absent, for `reason`.
    pub(super) fn missing(&self, name: &str, reason: Reason, mut hints: Vec<String>) {
        let key = self.path(name);
        if let Some(doc) = self.section.keys.iter().find(|k| k.name == name) {
            hints.push(format!("`{name}`: {}", doc.doc));
        }
        self.faults.add(
            reason,
            &self.span,
            &key,
            format!("`{key}` is needed and absent"),
            hints,
        );
    }

    fn wrong<T>(
        &self,
        name: &str,
        value: &Spanned<DeValue<'_>>,
        expected: &str,
    ) -> Option<Found<T>> {
        let message = format!("expected {expected}, found {}", kind(value.get_ref()));
        self.faults.add(
            Reason::ConfigValue,
            &value.span(),
            &self.path(name),
            message,
            Vec::new(),
        );
        None
    }

    fn found<T>(&self, name: &str, span: Range<usize>, value: T) -> Found<T> {
        Found {
            value,
            span,
            key: self.path(name),
        }
    }

    /// Reads text.
    pub(super) fn text(&self, name: &str) -> Option<Found<String>> {
        let (_, value) = self.entry(name)?;
        match value.get_ref() {
            DeValue::String(text) => Some(self.found(name, value.span(), text.to_string())),
            _ => self.wrong(name, value, "text in quotes"),
        }
    }

    /// Reads one of `words`.
    pub(super) fn choice(&self, name: &str, words: &[&'static str]) -> Option<Found<&'static str>> {
        let text = self.text(name)?;
        match words.iter().find(|w| **w == text.value) {
            Some(word) => Some(self.found(name, text.span, *word)),
            None => {
                let hints = near::nearest(&text.value, words.iter().copied())
                    .map(|n| format!("did you mean `{n}`?"));
                let listed: Vec<String> = words.iter().map(|w| format!("`\"{w}\"`")).collect();
                let message = format!("expected {}", listed.join(" or "));
                text.refuse_with(self.faults, message, hints.into_iter().collect());
                None
            }
        }
    }

    /// Reads a text that parses, such as a duration or a share; `form` shows what is expected.
    pub(super) fn parsed<T>(&self, name: &str, form: &str) -> Option<Found<T>>
    where
        T: FromStr<Err: Display>,
    {
        let (_, value) = self.entry(name)?;
        match value.get_ref() {
            DeValue::String(text) => match text.parse() {
                Ok(parsed) => Some(self.found(name, value.span(), parsed)),
                Err(e) => {
                    let refused: Found<()> = self.found(name, value.span(), ());
                    refused.refuse(self.faults, e.to_string());
                    None
                }
            },
            DeValue::Integer(number) => self.wrong(
                name,
                value,
                &format!("{form} in quotes with its unit (`{number}` has none)"),
            ),
            _ => self.wrong(name, value, &format!("{form} in quotes")),
        }
    }

    /// Reads a whole number that is not negative.
    pub(super) fn count(&self, name: &str) -> Option<Found<u64>> {
        let (_, value) = self.entry(name)?;
        let number = match value.get_ref() {
            DeValue::Integer(n) => u64::from_str_radix(n.as_str(), n.radix()).ok(),
            _ => None,
        };
        match number.filter(|n| *n <= gonogo_core::canonical::MAX_SAFE_INTEGER) {
            Some(n) => Some(self.found(name, value.span(), n)),
            None => self.wrong(name, value, "a whole number from 0 to 2^53 - 1"),
        }
    }

    /// Reads a finite number.
    pub(super) fn number(&self, name: &str) -> Option<Found<f64>> {
        let (_, value) = self.entry(name)?;
        let number: Option<f64> = match value.get_ref() {
            DeValue::Integer(n) => i64::from_str_radix(n.as_str(), n.radix())
                .ok()
                .map(|n| n as f64),
            DeValue::Float(n) => n.as_str().parse().ok(),
            _ => None,
        };
        match number.filter(|n| n.is_finite()) {
            Some(n) => Some(self.found(name, value.span(), n)),
            None => self.wrong(name, value, "a number"),
        }
    }

    /// Reads a number of bytes.
    pub(super) fn size(&self, name: &str) -> Option<Found<u64>> {
        let found: Found<Bytes> = self.parsed(name, "a size such as `64MiB`")?;
        Some(Found {
            value: found.value.get(),
            span: found.span,
            key: found.key,
        })
    }

    /// Returns the section that the key table describes under `name`.
    pub(super) fn section_of(&self, name: &str) -> &'static Section {
        let kind = self.section.keys.iter().find(|k| k.name == name);
        match kind.map(|k| &k.kind) {
            Some(
                Kind::Table(inner)
                | Kind::List(inner)
                | Kind::Map(inner)
                | Kind::MapBeside(inner, _),
            ) => inner,
            _ => self.section,
        }
    }

    /// Reads `true` or `false`.
    pub(super) fn flag(&self, name: &str) -> Option<Found<bool>> {
        let (_, value) = self.entry(name)?;
        match value.get_ref() {
            DeValue::Boolean(flag) => Some(self.found(name, value.span(), *flag)),
            _ => self.wrong(name, value, "`true` or `false`"),
        }
    }

    /// Reads a list of texts.
    pub(super) fn texts(&self, name: &str) -> Option<Found<Vec<Found<String>>>> {
        let (_, value) = self.entry(name)?;
        let DeValue::Array(items) = value.get_ref() else {
            return self.wrong(name, value, "a list of texts such as `[\"a\", \"b\"]`");
        };
        let mut texts = Vec::new();
        for (i, item) in items.iter().enumerate() {
            let name = format!("{name}[{i}]");
            match item.get_ref() {
                DeValue::String(text) => {
                    texts.push(self.found(&name, item.span(), text.to_string()));
                }
                _ => {
                    self.wrong::<()>(&name, item, "text in quotes");
                }
            }
        }
        Some(self.found(name, value.span(), texts))
    }

    /// Reads a map of text to text.
    pub(super) fn text_map(&self, name: &str) -> Option<Vec<(String, Found<String>)>> {
        let (_, value) = self.entry(name)?;
        let DeValue::Table(table) = value.get_ref() else {
            self.wrong::<()>(name, value, "a table of texts such as `{ LOG = \"info\" }`");
            return None;
        };
        let mut texts = Vec::new();
        for (k, item) in table.iter() {
            let inner = format!("{name}.{}", quote(k.get_ref()));
            match item.get_ref() {
                DeValue::String(text) => texts.push((
                    k.get_ref().to_string(),
                    self.found(&inner, item.span(), text.to_string()),
                )),
                _ => {
                    self.wrong::<()>(&inner, item, "text in quotes");
                }
            }
        }
        Some(texts)
    }

    /// Opens a section under this one.
    pub(super) fn table(&self, name: &str, section: &'static Section) -> Option<Table<'a, 'i>> {
        let (span, value) = self.entry(name)?;
        match value.get_ref() {
            DeValue::Table(table) => Some(Table::open(
                self.faults,
                self.path(name),
                span,
                table,
                section,
            )),
            _ => {
                self.wrong::<()>(name, value, "a table");
                None
            }
        }
    }

    /// Opens a section under this one, if the key holds a table and nothing else.
    pub(super) fn table_if(&self, name: &str, section: &'static Section) -> Option<Table<'a, 'i>> {
        let (_, value) = self.entry(name)?;
        match value.get_ref() {
            DeValue::Table(_) => self.table(name, section),
            _ => None,
        }
    }

    /// Opens sections by name.
    pub(super) fn map(
        &self,
        name: &str,
        section: &'static Section,
    ) -> Vec<(String, Table<'a, 'i>)> {
        self.map_beside(name, section, &Section { keys: &[] })
    }

    /// Opens sections by name; names of `kinds` are no such sections, but hold sections of other kinds ([`Self::map_in`]).
    pub(super) fn map_beside(
        &self,
        name: &str,
        section: &'static Section,
        kinds: &Section,
    ) -> Vec<(String, Table<'a, 'i>)> {
        let Some((_, value)) = self.entry(name) else {
            return Vec::new();
        };
        let is_kind = |key: &str| kinds.names().any(|kind| kind == key);
        self.open_all(name, value, section, is_kind)
    }

    /// The section itself, to be refused as a whole.
    pub(super) fn whole(&self) -> Found<()> {
        Found {
            value: (),
            span: self.span.clone(),
            key: self.key.clone(),
        }
    }

    /// Opens the sections by name that stand under `kind` of `name`.
    pub(super) fn map_in(
        &self,
        name: &str,
        kind: &str,
        section: &'static Section,
    ) -> Vec<(String, Table<'a, 'i>)> {
        let Some((_, value)) = self.entry(name) else {
            return Vec::new();
        };
        let DeValue::Table(table) = value.get_ref() else {
            // Whoever reads the sections beside these says so.
            return Vec::new();
        };
        let found = table.iter().find(|(k, _)| k.get_ref() == kind);
        found.map_or_else(Vec::new, |(_, value)| {
            self.open_all(&format!("{name}.{kind}"), value, section, |_| false)
        })
    }

    fn open_all(
        &self,
        name: &str,
        value: &'a Spanned<DeValue<'i>>,
        section: &'static Section,
        skip: impl Fn(&str) -> bool,
    ) -> Vec<(String, Table<'a, 'i>)> {
        let DeValue::Table(tables) = value.get_ref() else {
            self.wrong::<()>(name, value, "a table of tables");
            return Vec::new();
        };
        let mut opened = Vec::new();
        for (k, item) in tables.iter().filter(|(k, _)| !skip(k.get_ref())) {
            let inner = format!("{name}.{}", quote(k.get_ref()));
            match item.get_ref() {
                DeValue::Table(table) => {
                    let table =
                        Table::open(self.faults, self.path(&inner), k.span(), table, section);
                    opened.push((k.get_ref().to_string(), table));
                }
                _ => {
                    self.wrong::<()>(&inner, item, "a table");
                }
            }
        }
        opened
    }

    /// Opens a list of sections.
    pub(super) fn tables(
        &self,
        name: &str,
        section: &'static Section,
    ) -> Option<Found<Vec<Table<'a, 'i>>>> {
        let (_, value) = self.entry(name)?;
        let DeValue::Array(items) = value.get_ref() else {
            return self.wrong(name, value, "a list of tables such as `[{ … }, { … }]`");
        };
        let mut tables = Vec::new();
        for (i, item) in items.iter().enumerate() {
            let inner = format!("{name}[{i}]");
            match item.get_ref() {
                DeValue::Table(table) => tables.push(Table::open(
                    self.faults,
                    self.path(&inner),
                    item.span(),
                    table,
                    section,
                )),
                _ => {
                    self.wrong::<()>(&inner, item, "a table");
                }
            }
        }
        Some(self.found(name, value.span(), tables))
    }

    /// Whether `name` is absent or a list of which all of its `read` items could be read, so that counting them is fair.
    pub(super) fn is_whole_list(&self, name: &str, read: usize) -> bool {
        self.entry(name).is_none_or(
            |(_, v)| matches!(v.get_ref(), DeValue::Array(items) if items.len() == read),
        )
    }

    /// Returns the default that the key table documents, placed at the section.
    pub(super) fn default_of<T: FromStr + Default>(&self, name: &str) -> Found<T> {
        let parsed = self.section.default_text(name).map(str::parse::<T>);
        // Each default in the table parses: a test holds it to that.
        let value = parsed.and_then(Result::ok).unwrap_or_default();
        self.found(name, self.span.clone(), value)
    }

    /// Returns where the value of `name` stands, or the section's own place.
    pub(super) fn place(&self, name: &str) -> Range<usize> {
        self.entry(name)
            .map_or(self.span.clone(), |(_, v)| v.span())
    }

    /// Whether `name` is absent or a table without keys.
    pub(super) fn is_absent_or_empty(&self, name: &str) -> bool {
        self.entry(name)
            .is_none_or(|(_, v)| matches!(v.get_ref(), DeValue::Table(t) if t.is_empty()))
    }

    /// Whether `name` is a table that holds `inner`.
    pub(super) fn table_has(&self, name: &str, inner: &str) -> bool {
        self.entry(name).is_some_and(
            |(_, v)| matches!(v.get_ref(), DeValue::Table(t) if t.keys().any(|k| k.get_ref() == inner)),
        )
    }

    /// Whether the value of `name` is text.
    pub(super) fn is_text(&self, name: &str) -> bool {
        self.entry(name)
            .is_some_and(|(_, v)| matches!(v.get_ref(), DeValue::String(_)))
    }
}

/// Returns a name of the file's author as it stands in a dotted path: quoted unless it is a bare key of TOML.
pub(super) fn quote(name: &str) -> String {
    let bare = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    if !name.is_empty() && name.bytes().all(bare) {
        name.to_owned()
    } else {
        format!("\"{}\"", name.escape_debug())
    }
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "`true` or `false`",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
