//! Whether a line is one JSON object, and where in it the values are that a log record is read by: one pass, nothing copied.
//!
//! Accepts exactly what `serde_json` accepts as an object (nesting included), with two liberties that are told apart: escaped
//! lone surrogates and numbers beyond a double are the grammar's but not every reader's ([`Scan::odd`]); `NaN` and `Infinity`, which
//! Python prints, make the line unstructured but do not hide its level. What was seen before an error is kept for the same reason.

/// Deepest nesting, as `serde_json` has it.
const DEPTH: u32 = 127;

/// Values that are looked for. The order within a group is the order of preference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Slot {
    Timestamp,
    Ts,
    AtTimestamp,
    Time,
    Message,
    Msg,
    Event,
    Level,
    Severity,
    OtherLevel,
    LevelName,
    LevelNumber,
    SeverityNumber,
    Priority,
    Log,
    /// `MESSAGE`, where the journal has what is said.
    Journal,
    /// Which stream of a container.
    Stream,
    NestedLevel,
    /// `s`, where MongoDB has its level.
    Letter,
    /// What was thrown.
    Exception,
    ExceptionInfo,
    ExceptionType,
    Source,
}

pub(crate) const SLOTS: usize = Slot::Source as usize + 1;

/// How the text ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// One whole object.
    Object,
    /// One whole object but for `NaN` or `Infinity`.
    Lenient,
    /// Not an object, or cut.
    Broken,
}

/// What was found.
#[derive(Debug, Clone)]
pub(crate) struct Scan {
    spans: [(u32, u32); SLOTS],
    pub(crate) end: End,
    /// Not every reader reads it.
    pub(crate) odd: bool,
    /// A string has several lines, or a name of traces holds an array or object: a trace may be inside.
    pub(crate) deep: bool,
}

impl Scan {
    /// One whole object whose values are there.
    #[inline]
    pub(crate) const fn whole(spans: [(u32, u32); SLOTS]) -> Self {
        Self {
            spans,
            end: End::Object,
            odd: false,
            deep: false,
        }
    }

    /// Where the value of a slot is.
    pub(crate) const fn span(&self, slot: usize) -> (u32, u32) {
        self.spans[slot]
    }

    /// Whether both found the same.
    pub(crate) fn same(&self, other: &Self) -> bool {
        (self.spans, self.end, self.odd, self.deep)
            == (other.spans, other.end, other.odd, other.deep)
    }

    /// Returns the raw value of `slot`.
    #[inline]
    pub(crate) fn value<'a>(&self, line: &'a [u8], slot: Slot) -> Option<&'a [u8]> {
        match self.spans[slot as usize] {
            (_, 0) => None,
            (from, to) => line.get(from as usize..to as usize),
        }
    }
}

/// Reads `line`; `source` is the key of the source, if one is declared.
pub(crate) fn scan(line: &[u8], source: Option<&[u8]>) -> Scan {
    let mut reader = Reader {
        line,
        at: 0,
        source,
        spans: [(0, 0); SLOTS],
        odd: false,
        deep: false,
        lenient: false,
    };
    reader.space();
    let mut end = End::Broken;
    if reader.next() == Some(b'{') && reader.top().is_some() {
        reader.space();
        if reader.at == line.len() && (line.is_ascii() || std::str::from_utf8(line).is_ok()) {
            end = if reader.lenient {
                End::Lenient
            } else {
                End::Object
            };
        }
    }
    Scan {
        spans: reader.spans,
        end,
        odd: reader.odd,
        deep: reader.deep,
    }
}

/// Returns where the object ends that `line` begins with; none if it begins with none, or with a part of one.
pub(crate) fn end_of_object(line: &[u8]) -> Option<usize> {
    if line.first() != Some(&b'{') {
        return None;
    }
    let mut reader = Reader {
        line,
        at: 1,
        source: None,
        spans: [(0, 0); SLOTS],
        odd: false,
        deep: false,
        lenient: false,
    };
    reader.object(1)?;
    std::str::from_utf8(&line[..reader.at]).ok()?;
    Some(reader.at)
}

struct Reader<'a> {
    line: &'a [u8],
    at: usize,
    source: Option<&'a [u8]>,
    spans: [(u32, u32); SLOTS],
    odd: bool,
    deep: bool,
    lenient: bool,
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = ONES * 0x80;

impl Reader<'_> {
    #[inline]
    fn peek(&self) -> Option<u8> {
        self.line.get(self.at).copied()
    }

    #[inline]
    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    #[inline]
    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.peek() {
            self.at += 1;
        }
    }

    /// Reads on after the opening quote, behind the closing one.
    #[inline]
    fn string(&mut self) -> Option<()> {
        loop {
            // Eight bytes at a time: the lowest high bit marks the first quote, backslash or control character.
            while let Some(eight) = self.line.get(self.at..self.at + 8) {
                let word = u64::from_le_bytes(eight.try_into().ok()?);
                let quote = word ^ (ONES * 0x22);
                let slash = word ^ (ONES * 0x5c);
                let stop = ((quote.wrapping_sub(ONES) & !quote)
                    | (slash.wrapping_sub(ONES) & !slash)
                    | (word.wrapping_sub(ONES * 0x20) & !word))
                    & HIGHS;
                if stop != 0 {
                    self.at += (stop.trailing_zeros() / 8) as usize;
                    break;
                }
                self.at += 8;
            }
            match self.next()? {
                b'"' => return Some(()),
                b'\\' => match self.next()? {
                    // A line feed at the end is only how some loggers end a message.
                    b'n' => self.deep |= self.peek() != Some(b'"'),
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'r' | b't' => {}
                    b'u' => {
                        let digits = self.line.get(self.at..self.at + 4)?;
                        if !digits.iter().all(u8::is_ascii_hexdigit) {
                            return None;
                        }
                        if matches!(digits[0], b'd' | b'D') && digits[1] >= b'8' {
                            self.odd = true;
                        }
                        self.deep |= digits.eq_ignore_ascii_case(b"000a");
                        self.at += 4;
                    }
                    _ => return None,
                },
                byte if byte < 0x20 => return None,
                _ => {}
            }
        }
    }

    fn number(&mut self) -> Option<()> {
        let from = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
            if self.peek() == Some(b'I') {
                self.lenient = true;
                return self.word(b"Infinity");
            }
        }
        match self.next()? {
            b'0' => {}
            b'1'..=b'9' => self.digits(),
            _ => return None,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digit()?;
            self.digits();
        }
        let mut exponent = 0;
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            let digits = self.at;
            self.digit()?;
            self.digits();
            exponent = self.at - digits;
        }
        if exponent > 2 || self.at - from > 200 {
            self.odd = true;
        }
        Some(())
    }

    #[inline]
    fn digit(&mut self) -> Option<()> {
        self.next()?.is_ascii_digit().then_some(())
    }

    #[inline]
    fn digits(&mut self) {
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        let there = self.line.get(self.at..self.at + word.len())? == word;
        self.at += word.len();
        there.then_some(())
    }

    #[inline]
    fn value(&mut self, depth: u32) -> Option<()> {
        match self.peek()? {
            b'"' => {
                self.at += 1;
                self.string()
            }
            b'-' | b'0'..=b'9' => self.number(),
            b'{' => {
                self.at += 1;
                self.object(depth + 1)
            }
            b'[' => {
                self.at += 1;
                self.array(depth + 1)
            }
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            b'N' => {
                self.lenient = true;
                self.word(b"NaN")
            }
            b'I' => {
                self.lenient = true;
                self.word(b"Infinity")
            }
            _ => None,
        }
    }

    fn array(&mut self, depth: u32) -> Option<()> {
        if depth > DEPTH {
            return None;
        }
        self.space();
        if self.peek()? == b']' {
            self.at += 1;
            return Some(());
        }
        loop {
            self.space();
            self.value(depth)?;
            self.space();
            match self.next()? {
                b',' => {}
                b']' => return Some(()),
                _ => return None,
            }
        }
    }

    fn object(&mut self, depth: u32) -> Option<()> {
        if depth > DEPTH {
            return None;
        }
        self.members(depth, |reader, _| {
            reader.value(depth)?;
            Some(())
        })
    }

    /// The members of an object, of which `read` reads the values.
    #[inline]
    fn members(
        &mut self,
        _depth: u32,
        mut read: impl FnMut(&mut Self, (usize, usize)) -> Option<()>,
    ) -> Option<()> {
        self.space();
        if self.peek()? == b'}' {
            self.at += 1;
            return Some(());
        }
        loop {
            self.space();
            if self.next()? != b'"' {
                return None;
            }
            let from = self.at;
            self.string()?;
            let key = (from, self.at - 1);
            self.space();
            if self.next()? != b':' {
                return None;
            }
            self.space();
            if let Some(b'[' | b'{') = self.peek() {
                self.deep |= self.line.get(key.0..key.1).is_some_and(holds_trace);
            }
            read(self, key)?;
            self.space();
            match self.next()? {
                b',' => {}
                b'}' => return Some(()),
                _ => return None,
            }
        }
    }

    /// The outermost object: its members are what the record is read by.
    fn top(&mut self) -> Option<()> {
        self.members(1, |reader, (from, to)| {
            let line = reader.line;
            let key = &line[from..to];
            let slot = if key.contains(&b'\\') {
                unescaped(key).and_then(|key| slot(&key))
            } else {
                slot(key)
            };
            let start = reader.at;
            if reader.peek()? == b'{' && holds_level(key) {
                reader.at += 1;
                reader.nested(matches!(key, b"level" | b"severity"))?;
            } else {
                reader.value(1)?;
            }
            // Positions fit: a line is looked at up to its limit only.
            let span = (start as u32, reader.at as u32);
            if let Some(slot) = slot {
                reader.spans[slot as usize] = span;
            }
            if reader.source == Some(key) {
                reader.spans[Slot::Source as usize] = span;
            }
            Some(())
        })
    }

    /// An object one level down that may hold the level.
    ///
    /// `named` is whether it is the level itself, so that its name is the level's.
    fn nested(&mut self, named: bool) -> Option<()> {
        self.members(2, |reader, (from, to)| {
            let line = reader.line;
            let start = reader.at;
            let key = &line[from..to];
            if !named && key == b"level" && line[start] == b'{' {
                // Loguru's `"record":{"level":{"name":"ERROR"}}`.
                reader.at += 1;
                return reader.nested(true);
            }
            reader.value(2)?;
            if matches!(key, b"level" | b"severity" | b"levelname") && line[start] != b'{'
                || named && key == b"name"
            {
                reader.spans[Slot::NestedLevel as usize] = (start as u32, reader.at as u32);
            }
            Some(())
        })
    }
}

/// Names of fields whose arrays or objects may be traces.
fn holds_trace(key: &[u8]) -> bool {
    let mut lower = [0; 20];
    let Some(lower) = lower.get_mut(..key.len()) else {
        return false;
    };
    lower.copy_from_slice(key);
    lower.make_ascii_lowercase();
    matches!(
        &*lower,
        b"exception"
            | b"exceptions"
            | b"stack"
            | b"stacktrace"
            | b"stack_trace"
            | b"stacktraces"
            | b"backtrace"
            | b"traceback"
            | b"frames"
            | b"exc_info"
            | b"callstack"
            | b"call_stack"
            | b"thrown"
            | b"throwable"
            | b"extendedstacktrace"
    )
}

/// Objects in which a level is looked for, one level down.
fn holds_level(key: &[u8]) -> bool {
    matches!(
        key,
        b"log" | b"level" | b"severity" | b"record" | b"meta" | b"fields" | b"attributes"
    )
}

/// By length first, so that most names cost one comparison of a word or none.
#[inline]
fn slot(key: &[u8]) -> Option<Slot> {
    /// Compares with the names of one length.
    fn of<const N: usize>(key: &[u8], names: &[(&[u8; N], Slot)]) -> Option<Slot> {
        let key = <&[u8; N]>::try_from(key).ok()?;
        names
            .iter()
            .find(|(name, _)| *name == key)
            .map(|(_, slot)| *slot)
    }
    match key.len() {
        1 => of(key, &[(b"s", Slot::Letter)]),
        2 => of(key, &[(b"ts", Slot::Ts), (b"@l", Slot::OtherLevel)]),
        3 => of(
            key,
            &[
                (b"msg", Slot::Msg),
                (b"lvl", Slot::OtherLevel),
                (b"log", Slot::Log),
            ],
        ),
        4 => of(key, &[(b"time", Slot::Time)]),
        5 => of(
            key,
            &[
                (b"event", Slot::Event),
                (b"level", Slot::Level),
                (b"Level", Slot::OtherLevel),
                (b"LEVEL", Slot::OtherLevel),
            ],
        ),
        6 => of(
            key,
            &[(b"@level", Slot::OtherLevel), (b"stream", Slot::Stream)],
        ),
        7 => of(
            key,
            &[
                (b"message", Slot::Message),
                (b"levelno", Slot::LevelNumber),
                (b"MESSAGE", Slot::Journal),
            ],
        ),
        8 => of(
            key,
            &[
                (b"severity", Slot::Severity),
                (b"loglevel", Slot::OtherLevel),
                (b"logLevel", Slot::OtherLevel),
                (b"Severity", Slot::OtherLevel),
                (b"SEVERITY", Slot::OtherLevel),
                (b"LogLevel", Slot::OtherLevel),
                (b"level_no", Slot::LevelNumber),
                (b"PRIORITY", Slot::Priority),
                (b"exc_info", Slot::ExceptionInfo),
            ],
        ),
        9 => of(
            key,
            &[
                (b"timestamp", Slot::Timestamp),
                (b"log.level", Slot::OtherLevel),
                (b"log_level", Slot::OtherLevel),
                (b"levelname", Slot::LevelName),
                (b"levelName", Slot::LevelName),
                (b"exception", Slot::Exception),
            ],
        ),
        10 => of(
            key,
            &[
                (b"@timestamp", Slot::AtTimestamp),
                (b"level_name", Slot::LevelName),
            ],
        ),
        11 => of(key, &[(b"level_value", Slot::LevelNumber)]),
        12 => of(
            key,
            &[
                (b"severityText", Slot::LevelName),
                (b"SeverityText", Slot::LevelName),
            ],
        ),
        13 => of(key, &[(b"severity_text", Slot::LevelName)]),
        14 => of(
            key,
            &[
                (b"severityNumber", Slot::SeverityNumber),
                (b"SeverityNumber", Slot::SeverityNumber),
                (b"exception.type", Slot::ExceptionType),
                (b"exception_type", Slot::ExceptionType),
            ],
        ),
        15 => of(
            key,
            &[
                (b"severity_number", Slot::SeverityNumber),
                (b"syslog_severity", Slot::Priority),
            ],
        ),
        _ => None,
    }
}

/// Returns a key without its escapes.
fn unescaped(key: &[u8]) -> Option<Vec<u8>> {
    let quoted = [b"\"", key, b"\""].concat();
    serde_json::from_slice::<String>(&quoted)
        .ok()
        .map(String::into_bytes)
}

/// Returns the text of a raw JSON string; lone surrogates are replaced.
pub(crate) fn text(raw: &[u8]) -> Option<String> {
    let inner = raw.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    if !inner.contains(&b'\\') {
        return Some(String::from_utf8_lossy(inner).into_owned());
    }
    match serde_json::from_slice(raw) {
        Ok(text) => Some(text),
        Err(_) => serde_json::from_slice::<LossyText>(raw)
            .ok()
            .map(|text| text.0),
    }
}

/// A string in which lone surrogates are replaced: `serde_json` hands them on as bytes that are no UTF-8.
struct LossyText(String);

impl<'de> serde::Deserialize<'de> for LossyText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = LossyText;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string")
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<LossyText, E> {
                Ok(LossyText(String::from_utf8_lossy(bytes).into_owned()))
            }
        }
        deserializer.deserialize_bytes(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn agrees(line: &[u8]) {
        let mine = scan(line, None);
        let theirs = matches!(serde_json::from_slice::<Value>(line), Ok(Value::Object(_)));
        if mine.odd && mine.end == End::Object {
            return;
        }
        assert_eq!(
            mine.end == End::Object,
            theirs,
            "{}",
            String::from_utf8_lossy(line)
        );
    }

    #[test]
    fn it_accepts_what_serde_accepts() {
        for line in [
            "{}",
            "{ }",
            " {} ",
            "{}x",
            "{",
            "",
            "[]",
            "{\"a\":1}",
            "{\"a\":1,}",
            "{\"a\":01}",
            "{\"a\":-}",
            "{\"a\":1.}",
            "{\"a\":.5}",
            "{\"a\":1e5}",
            "{\"a\":1e}",
            "{\"a\":1E+2}",
            "{\"a\":\"\u{7f}\"}",
            "{\"a\":\"\t\"}",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\\u12g4\"}",
            "{\"a\":\"\\u1234\"}",
            "{\"a\":tru}",
            "{\"a\":true}",
            "{\"a\" :\t1 }",
            "{a:1}",
            "{\"a\":NaN}",
            "{\"a\":{\"b\":[1,[2,{}]]}}",
            "{\"a\":[1,]}",
            "{\"a\":[}",
            "{\"a\":1 \"b\":2}",
            "{\"a\":\"äöü𝄞\"}",
            "{\"a\":-0}",
            "{\"a\":\"12345678\\\"90\"}",
            "{\"a\":\"1234567\n\"}",
            "\u{feff}{}",
            "{\"log\":{\"level\":\"x\",}}",
        ] {
            agrees(line.as_bytes());
        }
        agrees(b"{\"a\":\"\xff\"}");
        for depth in 120..135 {
            agrees(format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth)).as_bytes());
            let (open, close) = ("{\"log\":".repeat(depth), "}".repeat(depth));
            agrees(format!("{open}1{close}").as_bytes());
        }
    }

    #[test]
    fn the_level_before_an_error_is_seen() {
        for line in [
            &br#"{"level":"error","x":NaN}"#[..],
            br#"{"level":"error","x":"cut of"#,
            br#"{"level":"error"} and more"#,
        ] {
            let scan = scan(line, None);
            assert_ne!(scan.end, End::Object);
            assert_eq!(scan.value(line, Slot::Level), Some(&br#""error""#[..]));
        }
    }

    #[test]
    fn the_last_of_two_equal_keys_counts_and_escaped_keys_are_read() {
        let line = br#"{"level":"info","le\u0076el":"error","log":{"level":"warn"}}"#;
        let scan = scan(line, None);
        assert_eq!(scan.value(line, Slot::Level), Some(&br#""error""#[..]));
        assert_eq!(scan.value(line, Slot::NestedLevel), Some(&br#""warn""#[..]));
    }

    #[test]
    fn lone_surrogates_are_odd_and_their_text_is_replaced() {
        let line = br#"{"message":"a\ud800b"}"#;
        let scan = scan(line, None);
        assert!(scan.odd && scan.end == End::Object);
        let message = text(scan.value(line, Slot::Message).unwrap()).unwrap();
        assert!(message.starts_with('a') && message.ends_with('b') && message.contains('\u{fffd}'));
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-1e6_f64..1e6).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map("[a-z]{0,9}|level|log|msg|time", inner, 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn it_agrees_with_serde_on_values_and_on_damaged_ones(
            value in value(),
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 0..3),
        ) {
            let mut line = serde_json::to_vec(&value).unwrap();
            for (place, byte, how) in damage {
                if line.is_empty() { break; }
                let place = place.index(line.len());
                match how {
                    0 => line[place] = byte,
                    1 => { line.remove(place); }
                    _ => line.insert(place, b"{}[]\",:\\0eE.-+ntfNI"[byte as usize % 19]),
                }
            }
            agrees(&line);
        }
    }
}
