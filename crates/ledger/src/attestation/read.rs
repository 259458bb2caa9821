//! From exact bytes to claims: which form they have, whose signatures hold, what they say.

use gonogo_core::{Digest, canonical};
use serde_json::{Value, json};

use super::bundle::Bundle;
use super::envelope::Envelope;
use super::key::{Key, NamedKey, Scheme};
use super::predicate::{self, Kind};
use super::statement::{Statement, Subject};
use super::{Error, MAX_LINES, MAX_SUBMISSION, junit, sbom};

/// The form in which a claim came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// A DSSE envelope, alone or one line of a `.intoto.jsonl` file.
    Dsse,
    /// A Sigstore bundle v0.3 around a DSSE envelope.
    SigstoreBundle,
    /// A plain report or document without any signature.
    Report,
}

impl Carrier {
    /// Returns the name in records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dsse => "dsse",
            Self::SigstoreBundle => "sigstore-bundle",
            Self::Report => "report",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        [Self::Dsse, Self::SigstoreBundle, Self::Report]
            .into_iter()
            .find(|carrier| carrier.name() == name)
    }
}

/// Somebody whose signature was checked and holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// The name that the caller gave the key. Nothing in the submission says it.
    pub name: String,
    /// The key.
    pub key: Key,
    /// How it signed.
    pub scheme: Scheme,
}

/// What is known about who vouches for a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signing {
    /// At least `threshold` of the caller's keys signed these bytes.
    Verified {
        /// How many different keys were asked for; at least 1.
        threshold: usize,
        /// Those of the caller's keys that signed, in the caller's order.
        signers: Vec<Signer>,
    },
    /// There are signatures, and no key was given to check them with.
    NoKey,
    /// There is no signature.
    NoSignature,
}

impl Signing {
    /// Returns why nothing is verified; none if something is.
    pub const fn why_not(&self) -> Option<&'static str> {
        match self {
            Self::Verified { .. } => None,
            Self::NoKey => Some("its signatures were not checked: no key was given"),
            Self::NoSignature => Some("it carries no signature"),
        }
    }
}

/// One claim from outside, as it is recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct Outside {
    /// What it is.
    pub kind: Kind,
    /// The form in which it came.
    pub carrier: Carrier,
    /// The envelope's payload type, if it has an envelope.
    pub payload_type: Option<String>,
    /// The statement's `_type`, if it is a statement.
    pub statement_type: Option<String>,
    /// The statement's predicate type, if it is a statement.
    pub predicate_type: Option<String>,
    /// What the statement is about; empty for anything else.
    pub subjects: Vec<Subject>,
    /// Whose signatures hold.
    pub signing: Signing,
    /// How many signatures it carries, held or not.
    pub signatures: usize,
    /// Parts of the carrier that were not looked into.
    pub not_checked: Vec<String>,
    /// Digest of the exact bytes: the blob.
    pub digest: Digest,
    /// How many bytes these are.
    pub size: u64,
    /// What the claim says; its fields depend on `kind`.
    pub summary: Value,
}

impl Outside {
    /// Tells whether signatures were checked and hold.
    pub const fn is_verified(&self) -> bool {
        matches!(self.signing, Signing::Verified { .. })
    }

    /// What the claim itself says of how it went, and whether that is good; `None` if it says nothing of the kind.
    pub fn outcome(&self) -> Option<(String, bool)> {
        if let Some(result) = self.summary.get("result").and_then(Value::as_str) {
            return Some((result.to_owned(), result == "PASSED"));
        }
        let seen = self.summary.get("seen")?;
        let count = |name: &str| seen.get(name)?.as_u64();
        let (tests, failures, errors, skipped) = (
            count("tests")?,
            count("failures")?,
            count("errors")?,
            count("skipped")?,
        );
        let agree = self.summary.get("agree") == Some(&Value::Bool(true));
        let contradicts = if agree {
            ""
        } else {
            "; the report declares other numbers"
        };
        let text = format!(
            "{tests} tests, {failures} failed, {errors} in error, {skipped} skipped{contradicts}"
        );
        let is_good = agree && failures + errors == 0 && tests > skipped;
        Some((text, is_good))
    }

    /// Tells whether the claim is about the thing with this SHA-256. Whether it may be believed is another question.
    pub fn is_about(&self, digest: &Digest) -> bool {
        self.subjects
            .iter()
            .any(|subject| subject.sha256().as_ref() == Some(digest))
    }
}

/// A claim and its exact bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Submitted<'a> {
    /// What to record.
    pub outside: Outside,
    /// What to store as a blob: the whole file, or its line of a `.intoto.jsonl` file without the line's end.
    pub bytes: &'a [u8],
}

/// Reads a submission and checks its signatures with `keys`, of which at least `threshold` different ones must have signed
/// each envelope. Without keys (`threshold` 0) everything is recorded as unverified.
///
/// # Errors
/// [`Error`], and nothing of the submission is to be recorded: one bad line refuses the file.
pub fn read<'a>(
    bytes: &'a [u8],
    keys: &[NamedKey],
    threshold: usize,
) -> Result<Vec<Submitted<'a>>, Error> {
    if bytes.len() > MAX_SUBMISSION {
        return Err(Error::TooLarge {
            what: "the submission",
            found: bytes.len(),
            limit: MAX_SUBMISSION,
        });
    }
    let lines: Vec<(usize, &[u8])> = bytes
        .split(|b| *b == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .enumerate()
        .filter(|(_, line)| !line.trim_ascii().is_empty())
        .take(MAX_LINES + 1)
        .collect();
    // One JSON object to a line, and more than one: a file of envelopes. A pretty-printed object's lines are no objects.
    let object = |line: &[u8]| line.starts_with(b"{") && line.trim_ascii_end().ends_with(b"}");
    let several = lines.len() > 1 && lines.iter().take(2).all(|(_, line)| object(line));
    if !several {
        let outside = read_one(bytes, keys, threshold)?;
        return Ok(vec![Submitted { outside, bytes }]);
    }
    if lines.len() > MAX_LINES {
        return Err(Error::TooLarge {
            what: "the file's number of lines",
            found: lines.len(),
            limit: MAX_LINES,
        });
    }
    let read_line = |(number, bytes): (usize, &'a [u8])| {
        let wrong = |source| Error::Line {
            line: number + 1,
            source: Box::new(source),
        };
        let outside = read_one(bytes, keys, threshold).map_err(wrong)?;
        if outside.carrier != Carrier::Dsse {
            return Err(wrong(Error::Form {
                why: "a file of lines holds DSSE envelopes only".into(),
            }));
        }
        Ok(Submitted { outside, bytes })
    };
    lines.into_iter().map(read_line).collect()
}

/// Reads one claim: the bytes of one blob.
pub(super) fn read_one(
    bytes: &[u8],
    keys: &[NamedKey],
    threshold: usize,
) -> Result<Outside, Error> {
    if bytes.len() > MAX_SUBMISSION {
        return Err(Error::TooLarge {
            what: "the submission",
            found: bytes.len(),
            limit: MAX_SUBMISSION,
        });
    }
    let bare = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match bare.trim_ascii_start().first() {
        Some(b'<') => {
            refuse_keys("a JUnit report", keys, threshold)?;
            let text = std::str::from_utf8(bare).map_err(|e| Error::Xml {
                offset: e.valid_up_to() as u64,
                why: "not UTF-8".into(),
            })?;
            Ok(report(bytes, Kind::Junit, junit::read(text)?))
        }
        Some(b'{') => read_json(bytes, keys, threshold),
        Some(_) => Err(Error::Form {
            why: "it begins neither like JSON nor like XML".into(),
        }),
        None => Err(Error::Form {
            why: "the file is empty".into(),
        }),
    }
}

fn read_json(bytes: &[u8], keys: &[NamedKey], threshold: usize) -> Result<Outside, Error> {
    let value = canonical::parse(bytes).map_err(|e| Error::Json {
        place: "the file",
        why: e.to_string(),
    })?;
    if Bundle::is_meant(&value) {
        let bundle = Bundle::read(&value)?;
        drop(value);
        return open(
            bytes,
            Carrier::SigstoreBundle,
            &bundle.envelope,
            keys,
            threshold,
        )
        .map(|outside| Outside {
            not_checked: bundle.not_checked.into_iter().map(str::to_owned).collect(),
            ..outside
        });
    }
    if Envelope::is_meant(&value) {
        let envelope = Envelope::read(&value)?;
        drop(value);
        return open(bytes, Carrier::Dsse, &envelope, keys, threshold);
    }
    match sbom::meant(&value) {
        Some(Kind::Spdx) => {
            refuse_keys("a plain SPDX document", keys, threshold)?;
            Ok(report(
                bytes,
                Kind::Spdx,
                sbom::spdx("SPDX document", &value)?,
            ))
        }
        Some(kind) => {
            refuse_keys("a plain CycloneDX document", keys, threshold)?;
            Ok(report(
                bytes,
                kind,
                sbom::cyclone_dx("CycloneDX document", &value)?,
            ))
        }
        None if value.get("predicateType").is_some() => Err(Error::Form {
            why: "an in-toto statement without its envelope, so without a signature".into(),
        }),
        None => Err(Error::Form {
            why: "a JSON object of no known form".into(),
        }),
    }
}

/// Checks an envelope's signatures and only then parses the bytes that they cover.
fn open(
    bytes: &[u8],
    carrier: Carrier,
    envelope: &Envelope,
    keys: &[NamedKey],
    threshold: usize,
) -> Result<Outside, Error> {
    let signing = envelope.verify(keys, threshold)?;
    let mut outside = Outside {
        kind: Kind::Payload,
        carrier,
        payload_type: Some(envelope.payload_type.clone()),
        statement_type: None,
        predicate_type: None,
        subjects: Vec::new(),
        signing,
        signatures: envelope.signatures.len(),
        not_checked: Vec::new(),
        digest: Digest::of(bytes),
        size: bytes.len() as u64,
        summary: json!({
            "bytes": envelope.payload.len(),
            "payload": Digest::of(&envelope.payload),
        }),
    };
    if Statement::is_payload_type(&envelope.payload_type) {
        let statement = Statement::parse(&envelope.payload)?;
        let (kind, summary) = predicate::read(&statement.predicate_type, &statement.predicate)?;
        outside.kind = kind;
        outside.statement_type = Some(statement.version.to_owned());
        outside.predicate_type = Some(statement.predicate_type);
        outside.subjects = statement.subjects;
        outside.summary = summary;
    }
    outside.bounded()
}

fn report(bytes: &[u8], kind: Kind, summary: Value) -> Outside {
    Outside {
        kind,
        carrier: Carrier::Report,
        payload_type: None,
        statement_type: None,
        predicate_type: None,
        subjects: Vec::new(),
        signing: Signing::NoSignature,
        signatures: 0,
        not_checked: Vec::new(),
        digest: Digest::of(bytes),
        size: bytes.len() as u64,
        summary,
    }
}

/// Whoever gives keys expects a check; a report without a signature must not pass for one.
fn refuse_keys(what: &'static str, keys: &[NamedKey], threshold: usize) -> Result<(), Error> {
    match keys.is_empty() && threshold == 0 {
        true => Ok(()),
        false => Err(Error::Unsigned { what }),
    }
}
