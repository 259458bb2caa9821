//! JSON, one token at a time, however large: nothing is held but the text that was asked for, and of that only so much.
//!
//! serde_json needs each string whole in memory, ends at the first byte that is not UTF-8, and at numbers out of range. Reports
//! hold outputs of any size and kind, and what was said before the damage counts. Invariants: no recursion; a text is never longer
//! than asked for; the position only moves forwards; a report that ends too early is told from one that is not JSON.

use std::fmt;
use std::io::{self, BufRead};

/// Why reading stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Broken {
    /// The report ends inside a value.
    End(u64),
    /// Something else stands there.
    Syntax(u64, String),
    /// The source cannot be read.
    Source(u64, String),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::End(at) => write!(f, "it ends inside a value, at byte {at}"),
            Self::Syntax(at, why) => write!(f, "{why}, at byte {at}"),
            Self::Source(at, why) => write!(f, "it cannot be read behind byte {at}: {why}"),
        }
    }
}

/// What a value is, by its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Object,
    Array,
    Text,
    Number,
    Bool,
    Null,
}

/// A value that is not looked into.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) enum Value {
    /// The text and whether it was longer.
    Text(String, bool),
    Number(f64),
    Bool(bool),
    #[default]
    Null,
    /// An object or an array, passed over.
    Other,
}

impl Value {
    pub(super) fn text(self) -> Option<String> {
        match self {
            Self::Text(text, _) => Some(text),
            _ => None,
        }
    }

    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// A number of things: whole, not negative, below 2^53.
    pub(super) fn count(&self) -> Option<u64> {
        let number = self.number()?;
        (number >= 0.0 && number.fract() == 0.0 && number < 9e15).then_some(number as u64)
    }

    pub(super) fn bool(&self) -> Option<bool> {
        match self {
            Self::Bool(is) => Some(*is),
            _ => None,
        }
    }
}

/// Reads JSON.
pub(super) struct Json<'a, R: BufRead + ?Sized> {
    source: &'a mut R,
    at: u64,
    /// For each object and array that is open: whether something was in it.
    open: Vec<bool>,
}

impl<'a, R: BufRead + ?Sized> Json<'a, R> {
    pub(super) fn new(source: &'a mut R) -> Self {
        Self {
            source,
            at: 0,
            open: Vec::new(),
        }
    }

    /// How many bytes were read.
    pub(super) const fn at(&self) -> u64 {
        self.at
    }

    /// Passes a byte order mark, if there is one.
    pub(super) fn pass_mark(&mut self) -> Result<(), Broken> {
        for want in *b"\xef\xbb\xbf" {
            if self.peek()? != Some(want) {
                break;
            }
            self.pass(1);
        }
        Ok(())
    }

    /// Goes into the first object that begins a line, past what a package manager prints before it. Returns whether there is one.
    /// What was passed, its beginning, is kept for who wants to say what it is.
    pub(super) fn seek_object(&mut self, head: &mut Vec<u8>) -> Result<bool, Broken> {
        self.pass_mark()?;
        let (mut begins, mut is_page) = (true, false);
        loop {
            let Some(byte) = self.peek()? else {
                return Ok(false);
            };
            if begins && byte == b'{' && !is_page {
                head.push(byte);
                self.pass(1);
                self.open.push(false);
                return Ok(true);
            }
            if head.len() < 512 {
                head.push(byte);
            }
            // No tool prints a page, or this much, before its report.
            is_page |= begins && byte == b'<' && self.at < 64;
            if self.at > 1 << 20 {
                return Ok(false);
            }
            begins = byte == b'\n' || (begins && matches!(byte, b' ' | b'\t' | b'\r'));
            self.pass(1);
        }
    }

    /// Passes over all that is left. Returns its beginning, at most 4 KiB, and whether there was more.
    pub(super) fn rest(&mut self) -> (String, bool) {
        let mut kept = Vec::new();
        let mut more = false;
        while let Ok(chunk) = self.chunk() {
            let len = chunk.len();
            if len == 0 {
                break;
            }
            let room = 4096_usize.saturating_sub(kept.len()).min(len);
            kept.extend_from_slice(&chunk[..room]);
            more |= room < len;
            self.pass(len);
        }
        (String::from_utf8_lossy(&kept).into_owned(), more)
    }

    /// Passes over all that is left.
    pub(super) fn drain(&mut self) {
        while let Ok(chunk) = self.chunk() {
            let len = chunk.len();
            if len == 0 {
                break;
            }
            self.pass(len);
        }
    }

    fn chunk(&mut self) -> Result<&[u8], Broken> {
        loop {
            match self.source.fill_buf() {
                Ok(_) => break,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(Broken::Source(self.at, e.to_string())),
            }
        }
        // The buffer is filled, so this neither waits nor fails.
        self.source
            .fill_buf()
            .map_err(|e| Broken::Source(self.at, e.to_string()))
    }

    fn pass(&mut self, bytes: usize) {
        self.source.consume(bytes);
        self.at += bytes as u64;
    }

    fn peek(&mut self) -> Result<Option<u8>, Broken> {
        Ok(self.chunk()?.first().copied())
    }

    fn take(&mut self) -> Result<u8, Broken> {
        let byte = self.peek()?.ok_or(Broken::End(self.at))?;
        self.pass(1);
        Ok(byte)
    }

    /// The next byte that is not white space, not taken; `None` at the end.
    pub(super) fn next_byte(&mut self) -> Result<Option<u8>, Broken> {
        loop {
            let chunk = self.chunk()?;
            if chunk.is_empty() {
                return Ok(None);
            }
            let white = chunk
                .iter()
                .position(|b| !matches!(b, b' ' | b'\t' | b'\n' | b'\r'))
                .unwrap_or(chunk.len());
            let next = chunk.get(white).copied();
            self.pass(white);
            if next.is_some() {
                return Ok(next);
            }
        }
    }

    fn wrong(&self, what: &str, byte: u8) -> Broken {
        let byte = byte.escape_ascii();
        Broken::Syntax(self.at, format!("`{byte}` stands where {what} should"))
    }

    /// What comes next.
    pub(super) fn kind(&mut self) -> Result<Kind, Broken> {
        match self.next_byte()?.ok_or(Broken::End(self.at))? {
            b'{' => Ok(Kind::Object),
            b'[' => Ok(Kind::Array),
            b'"' => Ok(Kind::Text),
            b't' | b'f' => Ok(Kind::Bool),
            b'n' => Ok(Kind::Null),
            // Python writes NaN and Infinity.
            b'-' | b'+' | b'0'..=b'9' | b'N' | b'I' => Ok(Kind::Number),
            byte => Err(self.wrong("a value", byte)),
        }
    }

    /// Goes into an object or an array, if that is what comes next. If not, the value is passed over.
    pub(super) fn enter(&mut self, kind: Kind) -> Result<bool, Broken> {
        let is = self.kind()?;
        if is != kind || !matches!(kind, Kind::Object | Kind::Array) {
            self.skip()?;
            return Ok(false);
        }
        self.pass(1);
        self.open.push(false);
        Ok(true)
    }

    /// The next key of the object, `None` at its end. The value must be taken before the next call.
    pub(super) fn key(&mut self) -> Result<Option<String>, Broken> {
        if !self.more(b'}')? {
            return Ok(None);
        }
        match self.next_byte()?.ok_or(Broken::End(self.at))? {
            b'"' => {}
            byte => return Err(self.wrong("a key", byte)),
        }
        let (key, _) = self.string(256)?;
        match self.next_byte()?.ok_or(Broken::End(self.at))? {
            b':' => self.pass(1),
            byte => return Err(self.wrong("`:`", byte)),
        }
        Ok(Some(key))
    }

    /// Whether the array has a further item.
    pub(super) fn item(&mut self) -> Result<bool, Broken> {
        self.more(b']')
    }

    fn more(&mut self, end: u8) -> Result<bool, Broken> {
        let byte = self.next_byte()?.ok_or(Broken::End(self.at))?;
        if byte == end {
            self.pass(1);
            self.open.pop();
            return Ok(false);
        }
        let was = self
            .open
            .last_mut()
            .map(|any| std::mem::replace(any, true))
            .unwrap_or_default();
        if was {
            if byte != b',' {
                return Err(self.wrong("`,`", byte));
            }
            self.pass(1);
            // A comma before the end is borne with.
            if self.next_byte()? == Some(end) {
                self.pass(1);
                self.open.pop();
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// A value; of a text at most so many bytes.
    pub(super) fn value(&mut self, limit: usize) -> Result<Value, Broken> {
        Ok(match self.kind()? {
            Kind::Text => {
                let (text, cut) = self.string(limit)?;
                Value::Text(text, cut)
            }
            Kind::Number => {
                let word = self.word()?;
                Value::Number(match word.as_str() {
                    "Infinity" | "+Infinity" => f64::INFINITY,
                    "-Infinity" => f64::NEG_INFINITY,
                    word => word.parse().unwrap_or(f64::NAN),
                })
            }
            Kind::Bool | Kind::Null => {
                let at = self.at;
                match self.word()?.as_str() {
                    "true" => Value::Bool(true),
                    "false" => Value::Bool(false),
                    "null" => Value::Null,
                    word => {
                        // The report may end in the middle of the word.
                        let is_cut = ["true", "false", "null"]
                            .iter()
                            .any(|w| w.starts_with(word));
                        if is_cut && self.peek()?.is_none() {
                            return Err(Broken::End(self.at));
                        }
                        return Err(Broken::Syntax(at, format!("`{word}` is no value")));
                    }
                }
            }
            Kind::Object | Kind::Array => {
                self.skip()?;
                Value::Other
            }
        })
    }

    /// The text of a value, or of the texts that it holds, whatever its shape: `longrepr`, an array of lines, an object.
    pub(super) fn texts(&mut self, limit: usize) -> Result<String, Broken> {
        let mut out = String::new();
        let mut depth = 0_u64;
        loop {
            match self.next_byte()?.ok_or(Broken::End(self.at))? {
                b'"' => {
                    let room = limit.saturating_sub(out.len());
                    let (text, _) = self.string(room)?;
                    // A key is no text.
                    if self.next_byte()? != Some(b':') && !text.is_empty() {
                        if !out.is_empty() {
                            out.push('\n');
                        }
                        out.push_str(&text);
                    }
                }
                b'{' | b'[' => {
                    depth += 1;
                    self.pass(1);
                    continue;
                }
                b'}' | b']' if depth > 0 => {
                    depth -= 1;
                    self.pass(1);
                }
                b',' | b':' if depth > 0 => {
                    self.pass(1);
                    continue;
                }
                _ => {
                    self.value(64)?;
                }
            }
            if depth == 0 {
                return Ok(out);
            }
        }
    }

    /// Passes over a value. Brackets are counted and not matched: what is inside is nobody's concern.
    pub(super) fn skip(&mut self) -> Result<(), Broken> {
        let mut depth = 0_u64;
        loop {
            match self.next_byte()?.ok_or(Broken::End(self.at))? {
                b'"' => {
                    self.string(0)?;
                }
                b'{' | b'[' => {
                    depth += 1;
                    self.pass(1);
                    continue;
                }
                b'}' | b']' if depth > 0 => {
                    depth -= 1;
                    self.pass(1);
                }
                b',' | b':' if depth > 0 => {
                    self.pass(1);
                    continue;
                }
                _ => {
                    self.value(64)?;
                }
            }
            if depth == 0 {
                return Ok(());
            }
        }
    }

    fn word(&mut self) -> Result<String, Broken> {
        let mut word = String::new();
        while let Some(byte) = self.peek()? {
            if !(byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')) {
                break;
            }
            if word.len() < 64 {
                word.push(byte as char);
            }
            self.pass(1);
        }
        // A number at the very end of a report may go on.
        if word.is_empty() {
            let byte = self.peek()?.ok_or(Broken::End(self.at))?;
            return Err(self.wrong("a value", byte));
        }
        Ok(word)
    }

    /// A string: its beginning, at most so many bytes, and whether it was longer.
    fn string(&mut self, limit: usize) -> Result<(String, bool), Broken> {
        self.pass(1);
        let mut bytes = Vec::new();
        let mut cut = false;
        loop {
            let chunk = self.chunk()?;
            if chunk.is_empty() {
                return Err(Broken::End(self.at));
            }
            let end = memchr::memchr2(b'"', b'\\', chunk);
            let part = &chunk[..end.unwrap_or(chunk.len())];
            let room = limit.saturating_sub(bytes.len());
            bytes.extend_from_slice(&part[..part.len().min(room)]);
            cut |= part.len() > room;
            let (used, byte) = (part.len(), end.map(|end| chunk[end]));
            self.pass(used);
            match byte {
                None => {}
                Some(b'"') => {
                    self.pass(1);
                    break;
                }
                Some(_) => {
                    self.pass(1);
                    let c = self.escape()?;
                    if bytes.len() + c.len_utf8() <= limit {
                        bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                    } else {
                        cut = true;
                    }
                }
            }
        }
        if cut {
            // Not in the middle of a character.
            while bytes.last().is_some_and(|b| (0x80..0xc0).contains(b)) {
                bytes.pop();
            }
            if bytes.last().is_some_and(|b| *b >= 0xc0) {
                bytes.pop();
            }
        }
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(e) => String::from_utf8_lossy(e.as_bytes()).into_owned(),
        };
        Ok((text, cut))
    }

    fn escape(&mut self) -> Result<char, Broken> {
        Ok(match self.take()? {
            b'n' => '\n',
            b't' => '\t',
            b'r' => '\r',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'u' => {
                let unit = self.unit()?;
                if !(0xd800..0xdc00).contains(&unit) {
                    return Ok(char::from_u32(unit).unwrap_or('\u{fffd}'));
                }
                if self.peek()? != Some(b'\\') {
                    return Ok('\u{fffd}');
                }
                self.pass(1);
                if self.peek()? != Some(b'u') {
                    // Another escape follows; it stands for itself.
                    let _ = self.take()?;
                    return Ok('\u{fffd}');
                }
                self.pass(1);
                let low = self.unit()?;
                if (0xdc00..0xe000).contains(&low) {
                    char::from_u32(0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00))
                        .unwrap_or('\u{fffd}')
                } else {
                    '\u{fffd}'
                }
            }
            byte => char::from(byte),
        })
    }

    fn unit(&mut self) -> Result<u32, Broken> {
        let mut unit = 0;
        for _ in 0..4 {
            let byte = self.peek()?.ok_or(Broken::End(self.at))?;
            let Some(digit) = char::from(byte).to_digit(16) else {
                return Ok(0xfffd);
            };
            self.pass(1);
            unit = unit * 16 + digit;
        }
        Ok(unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(bytes: &[u8], limit: usize) -> Result<Value, Broken> {
        let mut out = Err(Broken::End(0));
        for size in [1, 3, 1000] {
            let mut source = io::BufReader::with_capacity(size, bytes);
            let got = Json::new(&mut source).value(limit);
            assert!(size == 1 || got == out, "{size}: {got:?}");
            out = got;
        }
        out
    }

    #[test]
    fn texts_are_decoded_and_bounded() {
        let t = |s: &str, cut| Ok(Value::Text(s.to_owned(), cut));
        assert_eq!(
            texts(br#" "a\n\u00e4\ud83d\ude00\"" "#, 99),
            t("a\nä😀\"", false)
        );
        assert_eq!(texts(br#""\ud83dx""#, 99), t("\u{fffd}x", false));
        assert_eq!(texts(b"\"\xff\"", 99), t("\u{fffd}", false));
        assert_eq!(texts("\"äöü\"".as_bytes(), 3), t("ä", true));
        assert_eq!(texts(b"\"abc", 99), Err(Broken::End(4)));
        assert_eq!(texts(b"1e999", 9), Ok(Value::Number(f64::INFINITY)));
        assert_eq!(texts(b"tru", 9), Err(Broken::End(3)));
        assert!(matches!(texts(b"trux ", 9), Err(Broken::Syntax(0, _))));
        assert!(matches!(texts(b"<html>", 9), Err(Broken::Syntax(0, _))));
        assert_eq!(texts(b"{\"a\":[1,{}]}", 9), Ok(Value::Other));
    }

    #[test]
    fn depth_costs_nothing() {
        let deep = format!("{}{}", "[".repeat(1_000_000), "]".repeat(1_000_000));
        assert_eq!(texts(deep.as_bytes(), 9), Ok(Value::Other));
        assert_eq!(
            Json::new(&mut &deep.as_bytes()[..1_000_001]).skip(),
            Err(Broken::End(1_000_001))
        );
    }

    #[test]
    fn objects_and_arrays_are_walked() {
        let mut source = br#"{"a": [1, "x",], "b": {"c": "deep"}, "d": null}"#.as_slice();
        let mut json = Json::new(&mut source);
        let mut seen = Vec::new();
        assert!(json.enter(Kind::Object).unwrap());
        while let Some(key) = json.key().unwrap() {
            seen.push(key.clone());
            if key == "a" {
                assert!(json.enter(Kind::Array).unwrap());
                while json.item().unwrap() {
                    seen.push(format!("{:?}", json.value(9).unwrap()));
                }
            } else {
                seen.push(json.texts(9).unwrap());
            }
        }
        assert_eq!(
            seen,
            [
                "a",
                "Number(1.0)",
                "Text(\"x\", false)",
                "b",
                "deep",
                "d",
                ""
            ]
        );
        assert_eq!(json.next_byte().unwrap(), None);
    }
}
