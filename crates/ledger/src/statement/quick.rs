//! Reads what a verifier needs of a statement without building it: most records of a packet are checked and forgotten.
//!
//! Only plain statements are read here: canonical (RFC 8785) text whose keys are ASCII, whose texts have no escapes and whose
//! numbers are small integers. For everything else the answer is `None`, and [`Statement::parse`](crate::Statement::parse)
//! has to judge. Whatever is read here, that function accepts too, with the same values; the tests hold them against each
//! other.

use gonogo_core::{Digest, Timestamp};

use super::{
    PREDICATE_HEAD, PREDICATE_TAIL, TYPE, kind_is_well_formed, stream_is_well_formed,
    trace_is_well_formed,
};

/// How deep a body may be here.
const DEPTH: usize = 32;

/// What a plain statement says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Quick<'a> {
    pub(crate) stream: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) key: &'a str,
    pub(crate) actor: &'a str,
    pub(crate) time: Timestamp,
    pub(crate) seq: u64,
    pub(crate) prev: Option<Digest>,
    pub(crate) seen: u64,
    pub(crate) subjects: Vec<Digest>,
}

/// Reads a plain statement.
pub(crate) fn read(payload: &[u8]) -> Option<Quick<'_>> {
    let mut at = Scan(std::str::from_utf8(payload).ok()?);
    at.skip(r#"{"_type":""#)?;
    at.skip(TYPE)?;
    at.skip(r#"","predicate":{"actor":"#)?;
    let actor = name(at.text()?)?;
    at.skip(r#","body":"#)?;
    if !at.0.starts_with('{') {
        return None;
    }
    at.value(DEPTH)?;
    at.skip(r#","key":"#)?;
    let key = name(at.text()?)?;
    at.skip(r#","ledger":{"root":""#)?;
    at.digest()?;
    at.skip(r#"","size":"#)?;
    let seen = at.number()?;
    at.skip(r#"},"prev":"#)?;
    let prev = if at.skip("null").is_some() {
        None
    } else {
        at.skip("\"")?;
        let digest = at.digest()?;
        at.skip("\"")?;
        Some(digest)
    };
    at.skip(r#","seq":"#)?;
    let seq = at.number()?;
    at.skip(r#","stream":"#)?;
    let stream = at.text()?;
    at.skip(r#","time":"#)?;
    let time = at.text()?;
    at.skip(r#","tool":{"name":"#)?;
    at.text()?;
    at.skip(r#","version":"#)?;
    at.text()?;
    at.skip("}")?;
    if at.skip(r#","trace":"#).is_some() && !trace_is_well_formed(at.text()?) {
        return None;
    }
    at.skip(r#"},"predicateType":"#)?;
    let kind = at
        .text()?
        .strip_prefix(PREDICATE_HEAD)?
        .strip_suffix(PREDICATE_TAIL)?;
    at.skip(r#","subject":["#)?;
    let mut subjects = Vec::with_capacity(1);
    loop {
        at.skip(r#"{"digest":{"sha256":""#)?;
        subjects.push(at.hex()?);
        at.skip(r#""},"name":"#)?;
        at.text()?;
        at.skip("}")?;
        if at.skip(",").is_none() {
            break;
        }
    }
    if at.0 != "]}" {
        return None;
    }
    let parsed: Timestamp = time.parse().ok()?;
    let sound = parsed.to_string() == time
        && kind_is_well_formed(kind)
        && stream_is_well_formed(stream)
        && (seq == 0) == prev.is_none();
    sound.then_some(Quick {
        stream,
        kind,
        key,
        actor,
        time: parsed,
        seq,
        prev,
        seen,
        subjects,
    })
}

/// Panics if the quick reader reads it and the strict one does not, or not the same. Returns whether it was read.
#[cfg(any(test, fuzzing))]
pub(crate) fn agree(payload: &[u8]) -> bool {
    let Some(quick) = read(payload) else {
        return false;
    };
    let strict = match crate::statement::Statement::parse(payload) {
        Ok(strict) => strict,
        Err(e) => panic!("read quickly, but {e}"),
    };
    let subjects = strict.subject.iter().map(|s| s.digest).collect();
    let same = Quick {
        stream: &strict.stream,
        kind: &strict.kind,
        key: &strict.key,
        actor: &strict.actor,
        time: strict.time,
        seq: strict.seq,
        prev: strict.prev,
        seen: strict.seen.size,
        subjects,
    };
    assert_eq!(quick, same);
    true
}

/// Whether a text can be a key or an actor: here only if it is plain ASCII.
fn name(text: &str) -> Option<&str> {
    let plain = text.bytes().all(|b| (0x20..0x7f).contains(&b));
    ((1..=200).contains(&text.len()) && plain).then_some(text)
}

/// The rest of the text.
struct Scan<'a>(&'a str);

impl<'a> Scan<'a> {
    fn skip(&mut self, expected: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(expected)?;
        Some(())
    }

    /// A text without escapes.
    fn text(&mut self) -> Option<&'a str> {
        let rest = self.0.strip_prefix('"')?;
        let end = rest
            .bytes()
            .position(|b| b == b'"' || b == b'\\' || b < 0x20)?;
        if rest.as_bytes()[end] != b'"' {
            return None;
        }
        self.0 = &rest[end + 1..];
        Some(&rest[..end])
    }

    /// A whole number of at most 15 digits, so below 2^53.
    fn number(&mut self) -> Option<u64> {
        let digits = self.0.bytes().take_while(u8::is_ascii_digit).count();
        let leading = digits > 1 && self.0.starts_with('0');
        let more = matches!(self.0.as_bytes().get(digits), Some(b'.' | b'e' | b'E'));
        if !(1..=15).contains(&digits) || leading || more {
            return None;
        }
        let (number, rest) = self.0.split_at(digits);
        self.0 = rest;
        number.parse().ok()
    }

    fn hex(&mut self) -> Option<Digest> {
        let digest = Digest::from_hex(self.0.get(..64)?).ok()?;
        self.0 = &self.0[64..];
        Some(digest)
    }

    fn digest(&mut self) -> Option<Digest> {
        self.skip("sha256:")?;
        self.hex()
    }

    /// Any value in canonical form.
    fn value(&mut self, depth: usize) -> Option<()> {
        match self.0.as_bytes().first()? {
            b'"' => self.text().map(drop),
            b'{' => self.object(depth.checked_sub(1)?),
            b'[' => self.array(depth.checked_sub(1)?),
            b't' => self.skip("true"),
            b'f' => self.skip("false"),
            b'n' => self.skip("null"),
            b'-' => {
                self.skip("-")?;
                (self.number()? != 0).then_some(())
            }
            _ => self.number().map(drop),
        }
    }

    fn object(&mut self, depth: usize) -> Option<()> {
        self.skip("{")?;
        if self.skip("}").is_some() {
            return Some(());
        }
        let mut last: Option<&str> = None;
        loop {
            let key = self.text()?;
            // For ASCII the order of bytes is the order of UTF-16 code units.
            if !key.is_ascii() || last.is_some_and(|last| last >= key) {
                return None;
            }
            last = Some(key);
            self.skip(":")?;
            self.value(depth)?;
            if self.skip(",").is_none() {
                return self.skip("}");
            }
        }
    }

    fn array(&mut self, depth: usize) -> Option<()> {
        self.skip("[")?;
        if self.skip("]").is_some() {
            return Some(());
        }
        loop {
            self.value(depth)?;
            if self.skip(",").is_none() {
                return self.skip("]");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::statement::{Seen, Statement, Subject, Tool};

    fn statement(body: Value, texts: &[String; 3], seq: u64) -> Statement {
        Statement {
            kind: "rollout-step".into(),
            subject: vec![
                Subject {
                    name: texts[2].clone(),
                    digest: Digest::of(b"shop"),
                };
                1 + (seq % 2) as usize
            ],
            stream: "operation/op_0123".into(),
            seq,
            prev: (seq > 0).then(|| Digest::of(b"before")),
            key: texts[0].clone(),
            time: Timestamp::from_millis(1_795_000_000_120),
            actor: texts[1].clone(),
            tool: Tool {
                name: "gonogo".into(),
                version: "0.1.0".into(),
            },
            seen: Seen {
                size: seq,
                root: Digest::of(b"root"),
            },
            trace: (seq % 3 == 1).then(|| "0af7651916cd43dd8448eb211c80319c".to_owned()),
            body,
        }
    }

    fn body() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            any::<f32>().prop_map(|f| json!(f64::from(f))),
            "[ -~é€]{0,8}".prop_map(Value::from),
        ];
        let tree = leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[ -~é]{0,4}", inner, 0..4)
                    .prop_map(|m| Value::Object(m.into_iter().collect())),
            ]
        });
        prop::collection::btree_map("[a-z]{0,4}", tree, 0..4)
            .prop_map(|m| Value::Object(m.into_iter().collect()))
    }

    #[test]
    fn plain_statements_are_read() {
        let texts = ["step/1".into(), "dana".into(), "shop €".into()];
        for seq in 0..3 {
            let body = json!({"b": -7, "a": [true, null, "ü", {}], "c": {"x": 0, "y": [[]]}});
            assert!(agree(&statement(body, &texts, seq).to_bytes().unwrap()));
        }
    }

    proptest! {
        #[test]
        fn what_is_read_quickly_is_read_strictly(
            body in body(),
            texts in prop::array::uniform3("[ -~é\u{7f}]{1,12}"),
            seq in 0_u64..3,
            changes in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..128), 0..30),
        ) {
            let Ok(bytes) = statement(body, &texts, seq).to_bytes() else { return Ok(()); };
            agree(&bytes);
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                let mut changed = bytes.clone();
                changed[at] = byte;
                agree(&changed);
                changed.remove(at);
                agree(&changed);
                let mut longer = bytes.clone();
                longer.insert(at, b"0-,\"{}[] "[usize::from(byte) % 9]);
                agree(&longer);
            }
        }
    }
}
