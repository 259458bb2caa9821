//! A statement without its body, for readers of many records.

use std::borrow::Cow;

use gonogo_core::{Digest, Timestamp};

use super::{Statement, quick};
use crate::error::Error;

/// What a statement says besides its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline<'a> {
    /// The predicate's name.
    pub kind: Cow<'a, str>,
    /// The stream that the record belongs to.
    pub stream: Cow<'a, str>,
    /// Position in the stream.
    pub seq: u64,
    /// Digest of the stream's record before.
    pub prev: Option<Digest>,
    /// Idempotency key in the stream.
    pub key: Cow<'a, str>,
    /// When the writer says it was.
    pub time: Timestamp,
    /// Who acted, as the writer says.
    pub actor: Cow<'a, str>,
    /// What it is about.
    pub subjects: Vec<Digest>,
}

impl<'a> Outline<'a> {
    /// Reads a statement; whatever [`Statement::parse`] refuses is refused here too, and most are read many times faster.
    ///
    /// # Errors
    /// As [`Statement::parse`].
    pub fn read(payload: &'a [u8]) -> Result<Self, Error> {
        if let Some(quick) = quick::read(payload) {
            return Ok(Self {
                kind: Cow::Borrowed(quick.kind),
                stream: Cow::Borrowed(quick.stream),
                seq: quick.seq,
                prev: quick.prev,
                key: Cow::Borrowed(quick.key),
                time: quick.time,
                actor: Cow::Borrowed(quick.actor),
                subjects: quick.subjects,
            });
        }
        let statement = Statement::parse(payload)?;
        Ok(Self {
            kind: Cow::Owned(statement.kind),
            stream: Cow::Owned(statement.stream),
            seq: statement.seq,
            prev: statement.prev,
            key: Cow::Owned(statement.key),
            time: statement.time,
            actor: Cow::Owned(statement.actor),
            subjects: statement.subject.iter().map(|s| s.digest).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = concat!(
        r#"{"_type":"https://in-toto.io/Statement/v1","predicate":{"actor":"dana","body":{"note":"NOTE"},"key":"k","#,
        r#""ledger":{"root":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":0},"#,
        r#""prev":null,"seq":0,"stream":"run/r/a","time":"2026-01-31T12:00:00.000Z","#,
        r#""tool":{"name":"gonogo","version":"0.1.0"}},"predicateType":"https://gonogo.dev/attestation/drill/v1","#,
        r#""subject":[{"digest":{"sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},"name":"s"}]}"#,
    );

    #[test]
    fn what_the_quick_reader_leaves_is_read_too() {
        for (note, is_quick) in [("fine", true), (r"a \n b", false)] {
            let text = PLAIN.replace("NOTE", note);
            assert_eq!(quick::read(text.as_bytes()).is_some(), is_quick, "{note}");
            let outline = Outline::read(text.as_bytes()).unwrap();
            assert_eq!(
                (&*outline.stream, &*outline.kind),
                ("run/r/a", "drill"),
                "{note}"
            );
            assert_eq!((outline.seq, outline.prev), (0, None), "{note}");
            assert_eq!((&*outline.key, &*outline.actor), ("k", "dana"), "{note}");
            assert_eq!(
                outline.time.to_string(),
                "2026-01-31T12:00:00.000Z",
                "{note}"
            );
            assert_eq!(outline.subjects, [Digest::of(b"")], "{note}");
        }
        for (from, to) in [
            ("\"seq\":0", "\"seq\":1"),
            ("NOTE", "\\u0061"),
            ("drill", "Drill"),
        ] {
            let text = PLAIN.replace(from, to);
            assert!(Outline::read(text.as_bytes()).is_err(), "{from} → {to}");
        }
    }
}
