//! Reads fields of foreign JSON by path, so that a refusal names the field. Foreign formats let readers ignore unknown
//! fields; these accessors do.

use gonogo_core::Timestamp;
use serde_json::{Map, Value};

use super::Error;

/// The longest text that is carried into a record, in bytes.
pub(super) const MAX_TEXT: usize = 2048;

/// An object of a format, with the path that leads to it.
#[derive(Clone, Copy)]
pub(super) struct Object<'a> {
    format: &'a str,
    path: &'a str,
    map: &'a Map<String, Value>,
}

impl<'a> Object<'a> {
    /// Takes `value` as the root object of `format`.
    pub(super) fn root(format: &'a str, value: &'a Value) -> Result<Self, Error> {
        Self::at(format, "", value)
    }

    /// Takes `value`, which stands at `path` in `format`, as an object.
    pub(super) fn at(format: &'a str, path: &'a str, value: &'a Value) -> Result<Self, Error> {
        let object = |map| Self { format, path, map };
        value.as_object().map(object).ok_or_else(|| Error::Field {
            object: format.to_owned(),
            field: path.to_owned(),
            why: "not an object".into(),
        })
    }

    /// Makes the refusal of a field.
    pub(super) fn bad(&self, field: &str, why: impl Into<String>) -> Error {
        let dot = if self.path.is_empty() { "" } else { "." };
        Error::Field {
            object: self.format.to_owned(),
            field: format!("{}{dot}{field}", self.path),
            why: why.into(),
        }
    }

    /// Returns the names of all fields.
    pub(super) fn names(&self) -> impl Iterator<Item = &'a str> {
        self.map.keys().map(String::as_str)
    }

    /// Returns a field that may be absent; `null` is absent, as in protobuf's JSON.
    pub(super) fn find(&self, field: &str) -> Option<&'a Value> {
        self.map.get(field).filter(|value| !value.is_null())
    }

    /// Returns a required field of any shape.
    pub(super) fn need(&self, field: &str) -> Result<&'a Value, Error> {
        self.find(field).ok_or_else(|| self.bad(field, "missing"))
    }

    /// Returns a required object under `field`; `path` is its full path.
    pub(super) fn object(&self, field: &str, path: &'a str) -> Result<Self, Error> {
        Self::at(self.format, path, self.need(field)?)
    }

    /// Returns a required list.
    pub(super) fn list(&self, field: &str) -> Result<&'a [Value], Error> {
        let list = self.need(field)?.as_array();
        list.map(Vec::as_slice)
            .ok_or_else(|| self.bad(field, "not a list"))
    }

    /// Returns how many entries an optional list has.
    pub(super) fn count(&self, field: &str) -> Result<Option<usize>, Error> {
        match self.find(field) {
            None => Ok(None),
            Some(_) => self.list(field).map(|list| Some(list.len())),
        }
    }

    /// Returns a required text that is fit for a record: not empty, bounded, without control characters.
    pub(super) fn text(&self, field: &str) -> Result<&'a str, Error> {
        let text = self.need(field)?.as_str();
        let text = text.ok_or_else(|| self.bad(field, "not a text"))?;
        fit(text).map_err(|why| self.bad(field, why))?;
        Ok(text)
    }

    /// Returns an optional text that is fit for a record.
    pub(super) fn text_if_any(&self, field: &str) -> Result<Option<&'a str>, Error> {
        match self.find(field) {
            None => Ok(None),
            Some(_) => self.text(field).map(Some),
        }
    }

    /// Returns a required time, as written.
    pub(super) fn time(&self, field: &str) -> Result<&'a str, Error> {
        let text = self.text(field)?;
        match text.parse::<Timestamp>() {
            Ok(_) => Ok(text),
            Err(e) => Err(self.bad(field, e.to_string())),
        }
    }

    /// Returns a required list of texts.
    pub(super) fn texts(&self, field: &str) -> Result<Vec<&'a str>, Error> {
        let text = |value: &'a Value| {
            let text = value
                .as_str()
                .ok_or_else(|| self.bad(field, "an entry is no text"))?;
            fit(text).map_err(|why| self.bad(field, why))?;
            Ok(text)
        };
        self.list(field)?.iter().map(text).collect()
    }
}

/// Refuses a text that a record cannot carry: records are shown on terminals.
pub(super) fn fit(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("empty".into());
    }
    if text.len() > MAX_TEXT {
        return Err(format!("longer than {MAX_TEXT} bytes"));
    }
    match text.chars().find(|c| is_hidden(*c)) {
        Some(c) => Err(format!("has the control character U+{:04X}", u32::from(c))),
        None => Ok(()),
    }
}

/// Tells characters that change how the text around them is shown: controls and bidirectional overrides.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}
