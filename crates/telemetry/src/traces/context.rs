//! Ids, and how they travel: W3C Trace Context, level 1.

use std::fmt;

use gonogo_core::Digest;

/// A trace: 16 bytes, not all zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceId([u8; 16]);

/// A span of a trace: 8 bytes, not all zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpanId([u8; 8]);

fn hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|b| write!(f, "{b:02x}"))
}

/// Reads a byte in lower-case hex.
fn byte(text: &str) -> Option<u8> {
    let lower = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    let two = text.len() == 2 && text.bytes().all(lower);
    two.then(|| u8::from_str_radix(text, 16).ok())?
}

/// Reads lower-case hex of exactly this length; none if it is all zero.
fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0; N];
    for (n, here) in bytes.iter_mut().enumerate() {
        *here = byte(&text[2 * n..2 * n + 2])?;
    }
    (bytes != [0; N]).then_some(bytes)
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, f)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, f)
    }
}

impl TraceId {
    /// The trace that a trace's text names: itself where it is an id of W3C's, else one that is made from it and always the same.
    pub fn named(text: &str) -> Self {
        match unhex(text) {
            Some(bytes) => Self(bytes),
            None => {
                let digest = Digest::of(format!("gonogo trace\n{text}").as_bytes());
                let mut bytes = [0; 16];
                bytes.copy_from_slice(&digest.as_bytes()[..16]);
                Self(bytes)
            }
        }
    }
}

impl SpanId {
    /// A span's id from these random bytes.
    pub fn new(mut bytes: [u8; 8]) -> Self {
        if bytes == [0; 8] {
            bytes[7] = 1;
        }
        Self(bytes)
    }

    /// The id of what these words name, always the same: whoever goes on with it tells of the same span.
    pub fn of(words: &[&str]) -> Self {
        let digest = Digest::of(format!("gonogo span\n{}", words.join("\n")).as_bytes());
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&digest.as_bytes()[..8]);
        Self::new(bytes)
    }

    /// Reads an id.
    pub fn read(text: &str) -> Option<Self> {
        unhex(text).map(Self)
    }
}

/// Where in a trace something begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// The trace, as envelopes and records carry it.
    pub trace: String,
    /// The caller's span.
    pub parent: Option<SpanId>,
    /// Whether the caller wants it told; yes where nobody says.
    pub sampled: bool,
}

impl Context {
    /// A context of a trace that has no span yet.
    pub fn of(trace: &str) -> Self {
        Self {
            trace: trace.to_owned(),
            parent: None,
            sampled: true,
        }
    }

    /// Reads a `traceparent`; none if it is none. Fields that a later version adds are passed over, as the standard says.
    pub fn read(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let (version, trace, parent, flags) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let (version, flags) = (byte(version)?, byte(flags)?);
        if version == 0xff || (version == 0 && parts.next().is_some()) {
            return None;
        }
        unhex::<16>(trace)?;
        Some(Self {
            trace: trace.to_owned(),
            parent: Some(SpanId::read(parent)?),
            sampled: flags & 1 == 1,
        })
    }

    /// The `traceparent` of what is begun within `span`.
    pub fn within(&self, span: SpanId) -> String {
        let trace = TraceId::named(&self.trace);
        format!("00-{trace}-{span}-{:02x}", u8::from(self.sampled))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn a_traceparent_is_read_and_written() {
        let text = format!("00-{TRACE}-00f067aa0ba902b7-01");
        let read = Context::read(&text).unwrap();
        assert_eq!((read.trace.as_str(), read.sampled), (TRACE, true));
        assert_eq!(read.within(read.parent.unwrap()), text);
        let silent = Context::read(&format!("00-{TRACE}-00f067aa0ba902b7-00")).unwrap();
        assert!(!silent.sampled);
        // A later version may have more fields.
        assert!(Context::read(&format!("01-{TRACE}-00f067aa0ba902b7-01-more")).is_some());
    }

    #[test]
    fn what_is_no_traceparent_is_none() {
        let zero = "0".repeat(32);
        for text in [
            "",
            "00",
            "x",
            &format!("00-{TRACE}-00f067aa0ba902b7"),
            &format!("00-{TRACE}-00f067aa0ba902b7-01-more"),
            &format!("ff-{TRACE}-00f067aa0ba902b7-01"),
            &format!("00-{zero}-00f067aa0ba902b7-01"),
            &format!("00-{TRACE}-0000000000000000-01"),
            &format!("00-{}-00f067aa0ba902b7-01", TRACE.to_uppercase()),
            &format!("00-{TRACE}-00f067aa0ba902b7-1"),
            &format!("0x-{TRACE}-00f067aa0ba902b7-01"),
            "00-ünïcödeünïcödeünïcödeünïcöde-00f067aa0ba902b7-01",
        ] {
            assert_eq!(Context::read(text), None, "{text}");
        }
    }

    #[test]
    fn a_name_is_always_the_same_trace_and_the_same_span() {
        assert_eq!(TraceId::named(TRACE).to_string(), TRACE);
        let named = TraceId::named("trace-of-a-test");
        assert_eq!(named, TraceId::named("trace-of-a-test"));
        assert_ne!(named, TraceId::named("trace-of-another"));
        assert_eq!(SpanId::of(&["op_1", "a"]), SpanId::of(&["op_1", "a"]));
        assert_ne!(SpanId::of(&["op_1", "a"]), SpanId::of(&["op_1", "b"]));
        assert_ne!(SpanId::new([0; 8]).to_string(), "0".repeat(16));
    }
}
