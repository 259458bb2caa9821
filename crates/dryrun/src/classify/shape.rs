//! Lines of one program look alike: the same keys in the same order. Such a line is checked against the shape of one that was read
//! whole: keys by comparison, values by their end. What does not fit, or is not simple, is read whole.
//!
//! Invariant: what [`Shapes::scan`] returns is what [`json::scan`] returns.

use super::json::{self, End, SLOTS, Scan};

/// How many shapes are known at a time.
const SHAPES: usize = 4;

/// Most keys of a line with a shape.
const MEMBERS: usize = 64;

/// Shapes that were seen.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shapes {
    known: Vec<Shape>,
    /// Which fitted last.
    recent: usize,
    /// Which is forgotten next.
    oldest: usize,
    /// Lines in a row that fitted none.
    misses: u32,
}

#[derive(Debug, Clone)]
struct Shape {
    /// What stands before each value, and which slots the value has.
    members: Vec<(Box<[u8]>, [u8; 2])>,
    /// What stands behind the last value.
    end: Box<[u8]>,
}

/// No slot.
const NONE: u8 = u8::MAX;

impl Shapes {
    /// Reads `line` as [`json::scan`] does.
    #[inline]
    pub(crate) fn scan(&mut self, line: &[u8], source: Option<&[u8]>) -> Scan {
        for step in 0..self.known.len() {
            let place = (self.recent + step) % self.known.len();
            if let Some(scan) = self.known[place].read(line) {
                self.recent = place;
                self.misses = 0;
                return scan;
            }
        }
        let scan = json::scan(line, source);
        self.misses = self.misses.saturating_add(1);
        // Lines without a common shape must not pay for the search of one.
        if scan.end == End::Object
            && !scan.odd
            && (self.misses < 64 || self.misses.is_multiple_of(64))
        {
            self.learn(line, &scan);
        }
        scan
    }

    fn learn(&mut self, line: &[u8], scan: &Scan) {
        let Some(shape) = Shape::of(line, scan) else {
            return;
        };
        if self.known.len() < SHAPES {
            self.known.push(shape);
            self.recent = self.known.len() - 1;
        } else {
            self.known[self.oldest] = shape;
            self.recent = self.oldest;
            self.oldest = (self.oldest + 1) % SHAPES;
        }
    }
}

impl Shape {
    /// The shape of a line that is one whole object of simple values.
    fn of(line: &[u8], scan: &Scan) -> Option<Self> {
        let found = members(line)?;
        let shape = Self {
            members: found
                .values
                .iter()
                .map(|(literal, start, end)| {
                    let literal = line[*literal..*start].into();
                    (literal, slots(scan, *start, *end))
                })
                .collect(),
            end: line[found.tail..].into(),
        };
        // Only one that finds again what it was made of.
        shape
            .read(line)
            .filter(|found| found.same(scan))
            .map(|_| shape)
    }

    #[inline]
    fn read(&self, line: &[u8]) -> Option<Scan> {
        let mut spans = [(0, 0); SLOTS];
        let mut at = 0;
        for (literal, slots) in &self.members {
            let start = at + literal.len();
            if line.get(at..start)? != &**literal {
                return None;
            }
            at = value(line, start)?;
            for slot in slots {
                if let Some(span) = spans.get_mut(*slot as usize) {
                    *span = (start as u32, at as u32);
                }
            }
        }
        (line.get(at..)? == &*self.end).then(|| Scan::whole(spans))
    }
}

/// Where the members of an object are.
pub(super) struct Members {
    /// Where what stands before each value begins, and where the value begins and ends.
    pub(super) values: Vec<(usize, usize, usize)>,
    /// Where what stands behind the last value begins.
    pub(super) tail: usize,
}

/// Returns the members of a line that is one whole object of simple values, at least one and not very many.
pub(super) fn members(line: &[u8]) -> Option<Members> {
    let mut values = Vec::new();
    let mut literal = 0;
    let mut at = skip_space(line, 0);
    if line.get(at) != Some(&b'{') {
        return None;
    }
    at += 1;
    loop {
        at = skip_space(line, at);
        at = string(line, at)?;
        at = skip_space(line, at);
        if line.get(at) != Some(&b':') || values.len() >= MEMBERS {
            return None;
        }
        at = skip_space(line, at + 1);
        let start = at;
        at = value(line, at)?;
        values.push((literal, start, at));
        literal = at;
        at = skip_space(line, at);
        match line.get(at)? {
            b',' => at += 1,
            b'}' => {
                let whole = line[at + 1..].iter().all(u8::is_ascii_whitespace);
                return whole.then_some(Members {
                    values,
                    tail: literal,
                });
            }
            _ => return None,
        }
    }
}

/// Which slots a scan gave to a value.
fn slots(scan: &Scan, from: usize, to: usize) -> [u8; 2] {
    let mut found = [NONE; 2];
    let mut count = 0;
    for slot in 0..SLOTS {
        if scan.span(slot) == (from as u32, to as u32) && count < 2 {
            found[count] = slot as u8;
            count += 1;
        }
    }
    found
}

fn skip_space(line: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\r' | b'\n') = line.get(at) {
        at += 1;
    }
    at
}

/// Where a simple value ends: a text of ASCII without escapes, a plain number, a word.
#[inline]
pub(super) fn value(line: &[u8], at: usize) -> Option<usize> {
    match line.get(at)? {
        b'"' => string(line, at),
        b'-' | b'0'..=b'9' => number(line, at),
        b't' => line.get(at..)?.starts_with(b"true").then_some(at + 4),
        b'f' => line.get(at..)?.starts_with(b"false").then_some(at + 5),
        b'n' => line.get(at..)?.starts_with(b"null").then_some(at + 4),
        _ => None,
    }
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = ONES * 0x80;

#[inline]
fn string(line: &[u8], from: usize) -> Option<usize> {
    if line.get(from) != Some(&b'"') {
        return None;
    }
    rest_of_text(line, from + 1)
}

/// Where a text of ASCII without escapes ends, behind its closing quote; `at` is inside.
#[inline]
pub(super) fn rest_of_text(line: &[u8], mut at: usize) -> Option<usize> {
    while let Some(eight) = line.get(at..at + 8) {
        let word = u64::from_le_bytes(eight.try_into().ok()?);
        let quote = word ^ (ONES * 0x22);
        let slash = word ^ (ONES * 0x5c);
        // The lowest mark is exact: a quote, a backslash, a control character, or a byte beyond ASCII.
        let marks = ((quote.wrapping_sub(ONES) & !quote)
            | (slash.wrapping_sub(ONES) & !slash)
            | (word.wrapping_sub(ONES * 0x20) & !word)
            | word)
            & HIGHS;
        if marks != 0 {
            at += (marks.trailing_zeros() / 8) as usize;
            return (line[at] == b'"').then_some(at + 1);
        }
        at += 8;
    }
    loop {
        match line.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' | 0..=0x1f | 0x80.. => return None,
            _ => at += 1,
        }
    }
}

/// Where a number without an exponent ends.
#[inline]
pub(super) fn number(line: &[u8], from: usize) -> Option<usize> {
    let digits = |mut at: usize| {
        while let Some(b'0'..=b'9') = line.get(at) {
            at += 1;
        }
        at
    };
    let first = from + usize::from(*line.get(from)? == b'-');
    let mut at = digits(first);
    if at == first || (line.get(first) == Some(&b'0') && at > first + 1) {
        return None;
    }
    if line.get(at) == Some(&b'.') {
        let fraction = at + 1;
        at = digits(fraction);
        if at == fraction {
            return None;
        }
    }
    let ends = !matches!(line.get(at), Some(b'e' | b'E'));
    (ends && at - from <= 200).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agree(shapes: &mut Shapes, line: &[u8], source: Option<&[u8]>) {
        let (mine, whole) = (shapes.scan(line, source), json::scan(line, source));
        assert!(mine.same(&whole), "{}", String::from_utf8_lossy(line));
    }

    #[test]
    fn what_fits_and_what_does_not_is_read_alike() {
        // The source of a classifier does not change.
        let (mut shapes, mut of_pods) = (Shapes::default(), Shapes::default());
        for line in [
            r#"{"ts":1,"level":"info","msg":"a","pod":"x"}"#,
            r#"{"ts":22.5,"level":"warn","msg":"bb","pod":"y"}"#,
            r#"{"ts":01,"level":"warn","msg":"bb","pod":"y"}"#,
            r#"{"ts":1.,"level":"warn","msg":"bb","pod":"y"}"#,
            r#"{"ts":1e5,"level":"warn","msg":"bb","pod":"y"}"#,
            r#"{"ts":-,"level":"warn","msg":"bb","pod":"y"}"#,
            r#"{"ts":null,"level":{"name":"error"},"msg":"b\"b","pod":"y"}"#,
            r#"{"ts":1,"level":"error","msg":"ä","pod":"y"} "#,
            r#"{"ts":1,"level":"error","msg":"b","pod":"y"}x"#,
            r#"{"ts":1,"level":"error","msg":"b","pod":"y","#,
            r#"{"ts":1,"level":"error","level":"info","msg":"b"}"#,
            r#"{"ts":2,"level":"error","level":"info","msg":"c"}"#,
            r#"{ "ts" : 2 , "level" : "error" }"#,
            r#"{ "ts" : 3 , "level" : "fatal" }"#,
            "{}",
            "{\"ts\":1,\"level\":\"error\",\"msg\":\"\u{1}\",\"pod\":\"y\"}",
        ] {
            agree(&mut shapes, line.as_bytes(), None);
            agree(&mut of_pods, line.as_bytes(), Some(b"pod"));
        }
    }

    proptest::proptest! {
        #[test]
        fn any_lines_are_read_alike(
            lines in proptest::collection::vec("\\{\"(ts|level|msg)\": ?(\"[a-z\\\\\"é]{0,12}\"|-?[0-9.]{1,4}|true|null|\\{\\})(,\"(ts|level|event)\":(\"[a-z ]{0,20}\"|[0-9]{1,3}))?\\}[x ]?", 0..40),
        ) {
            let mut shapes = Shapes::default();
            for line in &lines {
                agree(&mut shapes, line.as_bytes(), None);
            }
        }
    }
}
