//! Reads JSON of any size value by value: an object with a long array in it, a long array, or one value a line.
//!
//! Only one entry is in memory at a time, at most [`ENTRY_BYTES`]. Each entry is checked by `serde_json`; what is passed over is only
//! checked for its structure. Every error says where: byte and line, from 1.

use std::io::{self, Read};

use serde_json::{Map, Value};

use super::strict::{Strict, twice};

/// Most bytes of an entry, and of what an object holds beside its entries.
pub(crate) const ENTRY_BYTES: usize = 1 << 20;

/// Deepest nesting; `serde_json` refuses more than 128 in an entry.
const DEPTH: u32 = 200;

/// Why the text cannot be read on, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Byte, from 0.
    pub(crate) at: u64,
    /// Line, from 1.
    pub(crate) line: u64,
    /// Why.
    pub(crate) reason: String,
}

/// What the text turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Nothing but white space.
    Empty,
    /// An object with `entries`.
    Object,
    /// An array.
    Array,
    /// One value a line, or one after the other.
    Sequence,
}

/// What was read.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) shape: Shape,
    /// What an object holds beside its entries.
    pub(crate) head: Map<String, Value>,
    /// What could not be read; of a sequence several, at most a hundred.
    pub(crate) problems: Vec<Problem>,
    pub(crate) bytes: u64,
}

/// Reads entries from `source` and gives each to `take`, with the byte at which it begins.
pub(crate) fn entries(source: impl Read, mut take: impl FnMut(u64, Value)) -> Outcome {
    let mut scanner = Scanner::new(source);
    let mut outcome = Outcome {
        shape: Shape::Empty,
        head: Map::new(),
        problems: Vec::new(),
        bytes: 0,
    };
    if let Err(problem) = scanner.document(&mut outcome, &mut take) {
        outcome.problems.push(problem);
    }
    outcome.bytes = scanner.at;
    outcome
}

/// Reads `source` whole if it has at most `limit` bytes.
pub(crate) fn whole(source: impl Read, limit: u64) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    let problem = |at: usize, reason: String| Problem {
        at: at as u64,
        line: 0,
        reason,
    };
    match source.take(limit + 1).read_to_end(&mut bytes) {
        Ok(_) if bytes.len() as u64 > limit => Err(problem(
            bytes.len(),
            format!("it has more than {limit} bytes"),
        )),
        Ok(_) => Ok(bytes),
        Err(e) => Err(problem(bytes.len(), e.to_string())),
    }
}

struct Scanner<R> {
    source: R,
    buffer: Box<[u8]>,
    from: usize,
    to: usize,
    at: u64,
    line: u64,
    failed: Option<String>,
    /// Whether each value must be on one line, so that a torn one does not swallow those that follow.
    by_line: bool,
    /// Whether the object's entries were found.
    found: bool,
}

impl<R: Read> Scanner<R> {
    fn new(source: R) -> Self {
        Self {
            source,
            buffer: vec![0; 64 << 10].into_boxed_slice(),
            from: 0,
            to: 0,
            at: 0,
            line: 1,
            failed: None,
            by_line: false,
            found: false,
        }
    }

    fn problem(&self, reason: impl Into<String>) -> Problem {
        let reason = match &self.failed {
            Some(failed) => failed.clone(),
            None => reason.into(),
        };
        Problem {
            at: self.at,
            line: self.line,
            reason,
        }
    }

    fn peek(&mut self) -> Option<u8> {
        if self.from == self.to {
            (self.from, self.to) = (0, 0);
            loop {
                match self.source.read(&mut self.buffer) {
                    Ok(count) => self.to = count,
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                    Err(e) => self.failed = Some(format!("it cannot be read: {e}")),
                }
                break;
            }
        }
        self.buffer[..self.to].get(self.from).copied()
    }

    fn bump(&mut self) {
        if self.buffer[..self.to].get(self.from) == Some(&b'\n') {
            self.line += 1;
        }
        self.from += 1;
        self.at += 1;
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.peek() {
            self.bump();
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), Problem> {
        match self.peek() {
            Some(b) if b == byte => {
                self.bump();
                Ok(())
            }
            Some(_) => Err(self.problem(format!("`{}` is expected", char::from(byte)))),
            None => Err(self.problem(format!("it ends where `{}` is expected", char::from(byte)))),
        }
    }

    fn document(
        &mut self,
        outcome: &mut Outcome,
        take: &mut impl FnMut(u64, Value),
    ) -> Result<(), Problem> {
        // A byte order mark is not JSON, but editors write it.
        if self.peek() == Some(0xEF) {
            for byte in [0xEF, 0xBB, 0xBF] {
                self.expect(byte)?;
            }
        }
        self.space();
        match self.peek() {
            None if self.failed.is_some() => Err(self.problem("")),
            None => Ok(()),
            Some(b'[') => {
                outcome.shape = Shape::Array;
                self.array(take)?;
                self.end()
            }
            Some(b'{') => {
                let begin = self.at;
                let has_entries = match self.object(&mut outcome.head, take) {
                    Err(problem) if !self.found => {
                        outcome.shape = Shape::Sequence;
                        outcome.problems.push(problem);
                        self.skip_line();
                        self.sequence(outcome, take);
                        return Ok(());
                    }
                    other => other?,
                };
                self.space();
                if has_entries {
                    outcome.shape = Shape::Object;
                    return self.end();
                }
                outcome.shape = Shape::Sequence;
                take(begin, Value::Object(std::mem::take(&mut outcome.head)));
                self.sequence(outcome, take);
                Ok(())
            }
            Some(_) => {
                outcome.shape = Shape::Sequence;
                self.sequence(outcome, take);
                Ok(())
            }
        }
    }

    fn end(&mut self) -> Result<(), Problem> {
        self.space();
        match self.peek() {
            None if self.failed.is_none() => Ok(()),
            _ => Err(self.problem("something follows its end")),
        }
    }

    fn skip_line(&mut self) {
        while self.peek().is_some_and(|b| b != b'\n') {
            self.bump();
        }
    }

    /// Values one after the other. A bad one is told, and reading goes on with the next line.
    fn sequence(&mut self, outcome: &mut Outcome, take: &mut impl FnMut(u64, Value)) {
        self.by_line = true;
        loop {
            self.space();
            if self.peek().is_none() {
                if self.failed.is_some() {
                    outcome.problems.push(self.problem(""));
                }
                return;
            }
            let (begin, line) = (self.at, self.line);
            match self.entry() {
                Ok(value) => take(begin, value),
                Err(mut problem) => {
                    problem.line = line;
                    if outcome.problems.len() < 100 {
                        outcome.problems.push(problem);
                    }
                    if self.line == line {
                        self.skip_line();
                    }
                }
            }
        }
    }

    fn array(&mut self, take: &mut impl FnMut(u64, Value)) -> Result<(), Problem> {
        self.expect(b'[')?;
        self.space();
        if self.peek() == Some(b']') {
            self.bump();
            return Ok(());
        }
        loop {
            self.space();
            let begin = self.at;
            let value = self.entry()?;
            take(begin, value);
            self.space();
            match self.peek() {
                Some(b',') => self.bump(),
                _ => return self.expect(b']'),
            }
        }
    }

    /// Reads an object; its `entries`, if they are an array, go to `take`. Tells whether there were any.
    fn object(
        &mut self,
        head: &mut Map<String, Value>,
        take: &mut impl FnMut(u64, Value),
    ) -> Result<bool, Problem> {
        self.expect(b'{')?;
        let mut has_entries = false;
        let mut held = 0;
        self.space();
        if self.peek() == Some(b'}') {
            self.bump();
            return Ok(false);
        }
        loop {
            self.space();
            let mut raw = Vec::new();
            if self.peek() != Some(b'"') {
                return Err(self.problem("a key in quotes is expected"));
            }
            self.value(&mut Some(&mut raw), 4096)?;
            let key: String = self.parse(&raw)?;
            self.space();
            self.expect(b':')?;
            self.space();
            if head.contains_key(&key) || (has_entries && key == "entries") {
                return Err(self.problem(twice(&key)));
            }
            if key == "entries" && self.peek() == Some(b'[') {
                (has_entries, self.found) = (true, true);
                self.array(take)?;
            } else {
                let mut raw = Vec::new();
                let room = ENTRY_BYTES - held;
                self.value(&mut Some(&mut raw), room)?;
                held += raw.len();
                let Strict(value) = self.parse(&raw)?;
                head.insert(key, value);
            }
            self.space();
            match self.peek() {
                Some(b',') => self.bump(),
                _ => {
                    self.expect(b'}')?;
                    return Ok(has_entries);
                }
            }
        }
    }

    fn entry(&mut self) -> Result<Value, Problem> {
        let mut raw = Vec::new();
        let begin = (self.at, self.line);
        self.value(&mut Some(&mut raw), ENTRY_BYTES)?;
        let parsed: Result<Strict, Problem> = self.parse(&raw);
        parsed.map(|Strict(value)| value).map_err(|p| Problem {
            at: begin.0,
            line: begin.1,
            ..p
        })
    }

    fn parse<T: serde::de::DeserializeOwned>(&self, raw: &[u8]) -> Result<T, Problem> {
        serde_json::from_slice(raw).map_err(|e| self.problem(e.to_string()))
    }

    /// Reads one value's bytes into `raw`.
    fn value(&mut self, raw: &mut Option<&mut Vec<u8>>, room: usize) -> Result<(), Problem> {
        let mut depth = 0u32;
        loop {
            let Some(byte) = self.peek() else {
                return Err(self.problem("it ends within a value"));
            };
            match byte {
                b'\n' if self.by_line => {
                    return Err(self.problem("a line ends within a value"));
                }
                b'"' => self.string(raw, room)?,
                b'{' | b'[' => {
                    depth += 1;
                    if depth > DEPTH {
                        return Err(self.problem(format!("it is nested deeper than {DEPTH}")));
                    }
                    self.keep(raw, room)?;
                }
                b'}' | b']' => {
                    if depth == 0 {
                        return Err(self
                            .problem(format!("`{}` where a value is expected", char::from(byte))));
                    }
                    depth -= 1;
                    self.keep(raw, room)?;
                }
                b' ' | b'\t' | b'\r' | b'\n' | b',' | b':' if depth > 0 => {
                    self.keep(raw, room)?;
                    continue;
                }
                b'-' | b'+' | b'.' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
                    while self
                        .peek()
                        .is_some_and(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
                    {
                        self.keep(raw, room)?;
                    }
                }
                other => {
                    return Err(self.problem(format!(
                        "`{}` where a value is expected",
                        char::from(other).escape_default()
                    )));
                }
            }
            if depth == 0 {
                return Ok(());
            }
        }
    }

    fn string(&mut self, raw: &mut Option<&mut Vec<u8>>, room: usize) -> Result<(), Problem> {
        self.keep(raw, room)?;
        loop {
            match self.peek() {
                None => return Err(self.problem("it ends within a string")),
                Some(b'"') => return self.keep(raw, room),
                // A line feed is no part of a string: better to end here than to swallow the lines that follow.
                Some(b'\n') => return Err(self.problem("a line ends within a string")),
                Some(b'\\') => {
                    self.keep(raw, room)?;
                    if self.peek().is_some() {
                        self.keep(raw, room)?;
                    }
                }
                Some(_) => self.keep(raw, room)?,
            }
        }
    }

    fn keep(&mut self, raw: &mut Option<&mut Vec<u8>>, room: usize) -> Result<(), Problem> {
        if let (Some(raw), Some(byte)) = (raw.as_mut(), self.buffer[..self.to].get(self.from)) {
            if raw.len() >= room {
                return Err(self.problem(format!("an entry has more than {room} bytes")));
            }
            raw.push(*byte);
        }
        self.bump();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> (Vec<Value>, Outcome) {
        let mut found = Vec::new();
        let outcome = entries(text, |_, value| found.push(value));
        (found, outcome)
    }

    #[test]
    fn the_three_shapes() {
        let expected: Vec<Value> = vec![
            serde_json::json!({"a": [1, "x]}\\\""]}),
            serde_json::json!({"b": {}}),
        ];
        for (text, shape) in [
            (
                r#"{"generated_at": "x", "entries": [{"a":[1,"x]}\\\""]}, {"b":{}}], "probe": {"deep": [[]]}}"#,
                Shape::Object,
            ),
            (r#" [{"a":[1,"x]}\\\""]} , {"b":{}}]"#, Shape::Array),
            (
                "{\"a\":[1,\"x]}\\\\\\\"\"]}\n\n{\"b\":{}}\r\n",
                Shape::Sequence,
            ),
            (
                "\u{feff}[{\"a\":[1,\"x]}\\\\\\\"\"]},{\"b\":{}}]",
                Shape::Array,
            ),
        ] {
            let (found, outcome) = read(text.as_bytes());
            assert_eq!(found, expected, "{text}");
            assert_eq!((outcome.shape, outcome.problems), (shape, vec![]), "{text}");
        }
        assert_eq!(read(b" \n ").1.shape, Shape::Empty);
        assert_eq!(read(b"{\"entries\":[]}").1.shape, Shape::Object);
    }

    #[test]
    fn what_cannot_be_read_says_where() {
        for (text, at, line, entries) in [
            (&b"{\"entries\":[{\"a\":1},{\"a\":"[..], 25, 1, 1),
            (b"[{\"a\":1},\n{\"a\":nope}]", 10, 2, 1),
            (b"[{}] x", 5, 1, 1),
            (b"{\"a\":1}\n{\"a\":\n{\"a\":3}\n", 0, 2, 2),
            (b"{\"a\":\n{\"a\":3}\n", 0, 3, 0),
            (b"{\"a\n{\"a\":3}\n", 0, 1, 1),
            (b"{\"a\":1}\n{\"a\":\"torn\n{\"a\":3}\n", 18, 2, 2),
            (b"[\"\xff\"]", 1, 1, 0),
            (b"{\"entries\":[],\"entries\":[]}", 24, 1, 0),
            (b"\x1f\x8b\x08", 0, 1, 0),
        ] {
            let (found, outcome) = read(text);
            let problem = &outcome.problems[0];
            let text = String::from_utf8_lossy(text);
            assert_eq!(found.len(), entries, "{text}: {problem:?}");
            assert_eq!(problem.line, line, "{text}: {problem:?}");
            assert!(at == 0 || problem.at == at, "{text}: {problem:?}");
        }
    }

    #[test]
    fn size_and_depth_are_bounded() {
        let deep = "[".repeat(100_000);
        assert!(
            read(deep.as_bytes()).1.problems[0]
                .reason
                .contains("nested")
        );
        let long = format!("[\"{}\"]", "x".repeat(2 << 20));
        assert!(
            read(long.as_bytes()).1.problems[0]
                .reason
                .contains("more than")
        );
        let beside = format!(
            "{{\"x\":\"{}\",\"y\":1,\"entries\":[]}}",
            "x".repeat(2 << 20)
        );
        assert!(!read(beside.as_bytes()).1.problems.is_empty());
    }

    struct Torn<'a>(&'a [u8]);

    impl Read for Torn<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            match self.0.split_first() {
                None => Err(io::Error::other("the disk is gone")),
                Some((first, rest)) => {
                    (into[0], self.0) = (*first, rest);
                    Ok(1)
                }
            }
        }
    }

    #[test]
    fn an_error_of_the_disk_is_a_problem() {
        for text in [&b""[..], b"[{\"a\":1},", b"{\"a\":1}\n", b"[{}]"] {
            let outcome = entries(Torn(text), |_, _| {});
            assert!(
                outcome.problems[0].reason.contains("disk is gone"),
                "{text:?} {outcome:?}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(proptest::sample::select(&b"{}[]\",:\\ \n0a-\xff"[..]), 0..80)) {
            let _ = read(&bytes);
        }
    }
}
