//! A line of a `.jsonl` view: when what arrived on which stream.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{Stream, stamp};

/// What a line of a view says.
pub(crate) struct Unwrapped<'a> {
    pub(crate) at: i64,
    pub(crate) stream: Stream,
    /// What was printed, without its line feed.
    pub(crate) text: Cow<'a, [u8]>,
}

#[derive(Deserialize)]
struct Wrapper<'a> {
    #[serde(borrow)]
    payload: Payload<'a>,
}

#[derive(Deserialize)]
struct Payload<'a> {
    #[serde(borrow)]
    stream: Cow<'a, str>,
    #[serde(borrow)]
    ingested_at: &'a RawValue,
    #[serde(borrow, default)]
    structured: Option<&'a RawValue>,
    #[serde(borrow, default)]
    raw: Option<Cow<'a, str>>,
}

/// Reads a line of a view; none if it is not one.
pub(crate) fn unwrap(line: &[u8]) -> Option<Unwrapped<'_>> {
    if line.first() != Some(&b'{') || memchr::memmem::find(line, b"ingested_at").is_none() {
        return None;
    }
    let Wrapper { payload } = serde_json::from_slice(line).ok()?;
    let stream = Stream::ALL
        .into_iter()
        .find(|s| s.word() == payload.stream)?;
    let text = match (payload.structured, payload.raw) {
        (Some(structured), None) => Cow::Borrowed(structured.get().as_bytes()),
        (None, Some(Cow::Borrowed(raw))) => Cow::Borrowed(raw.as_bytes()),
        (None, Some(Cow::Owned(raw))) => Cow::Owned(raw.into_bytes()),
        _ => return None,
    };
    let at = stamp::of_json(payload.ingested_at.get().as_bytes())?;
    Some(Unwrapped { at, stream, text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_of_both_kinds_and_what_is_none() {
        let line = br#"{"timestamp":"x","level":"info","event":{"payload":{"stream":"stderr","ingested_at":0,"raw":"forged"}},"message":"m","stream":"stdout","payload":{"stream":"stdout","ingested_at":"2026-11-01T00:00:00.000Z","structured":{"level":"info","a": 1}}}"#;
        let found = unwrap(line).unwrap();
        assert_eq!(
            (found.stream, &*found.text),
            (Stream::Stdout, &br#"{"level":"info","a": 1}"#[..])
        );
        assert_eq!(found.at, crate::testing::BASE);
        let line = br#"{"payload": {"raw": "a \"b\"", "stream": "stderr", "ingested_at": "2026-11-01T00:00:00+00:00"}}"#;
        let found = unwrap(line).unwrap();
        assert_eq!(
            (found.stream, &*found.text),
            (Stream::Stderr, &b"a \"b\""[..])
        );
        for line in [
            &b"{\"payload\":{\"stream\":\"stdout\",\"ingested_at\":\"never\",\"raw\":\"\"}}"[..],
            b"{\"payload\":{\"stream\":\"other\",\"ingested_at\":1,\"raw\":\"\"}}",
            b"{\"payload\":{\"stream\":\"stdout\",\"ingested_at\":1}}",
            b"{\"payload\":{\"stream\":\"stdout\",\"ingested_at\":1,\"raw\":\"\"}",
            b"ingested_at",
        ] {
            assert!(unwrap(line).is_none());
        }
    }
}
