//! The whole check of a TimeStampResp, in the order in which nothing is believed before it is covered by a signature.

use der::Tag;
use gonogo_core::{Digest, Span};

use super::asn1::{Cursor, unsigned};
use super::cms::Token;
use super::path::Authority;
use super::tst::TstInfo;
use super::{Certificate, Error, MAX_RESPONSE};

/// What a verified response says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timestamp {
    /// The bytes existed at this time, within `accuracy`.
    pub time: gonogo_core::Timestamp,
    /// How far the authority's clock may be off, if it says.
    pub accuracy: Option<Span>,
    /// The authority's serial number of this timestamp, in hex.
    pub serial: String,
    /// The authority's policy, dotted.
    pub policy: String,
    /// The subject of the authority's certificate (RFC 4514).
    pub tsa_name: String,
    /// SHA-256 of the authority's certificate in DER.
    pub tsa_certificate: Digest,
}

/// Checks the answer to a request made with `nonce`, as it came from the authority.
///
/// # Errors
/// As [`verify`], and [`Error::Nonce`] if it answers another request.
pub fn accept(
    response: &[u8],
    message: &[u8],
    nonce: u64,
    roots: &[Certificate],
) -> Result<Timestamp, Error> {
    check(response, message, Some(nonce), roots)
}

/// Checks a stored response: `message` existed at the time returned, says an authority below one of `roots`.
///
/// # Errors
/// [`Error`] naming the first check that fails; nothing of the response is to be believed then.
pub fn verify(response: &[u8], message: &[u8], roots: &[Certificate]) -> Result<Timestamp, Error> {
    check(response, message, None, roots)
}

fn check(
    response: &[u8],
    message: &[u8],
    nonce: Option<u64>,
    roots: &[Certificate],
) -> Result<Timestamp, Error> {
    if response.len() > MAX_RESPONSE {
        return Err(Error::TooLarge {
            what: "timestamp response",
            found: response.len(),
            limit: MAX_RESPONSE,
        });
    }
    let token = Token::read(granted_token(response)?)?;
    let authority = Authority::find(&token)?;
    authority.check_signature(&token)?;
    let info = TstInfo::read(token.content)?;
    // Everything in `info` is signed by the authority's key from here on; whose key that is, the path tells.
    if let Some(name) = info.tsa
        && !authority.is_named(name)?
    {
        return Err(Error::Signer {
            why: "it has another name than the timestamp gives the authority".into(),
        });
    }
    authority.check_path(&token, roots, info.time)?;
    if info.hash.digest(message) != info.imprint {
        return Err(Error::Message);
    }
    if let Some(nonce) = nonce {
        match info.nonce {
            Some(found) if found == unsigned(nonce) => {}
            Some(_) => return Err(Error::Nonce { found: "another" }),
            None => return Err(Error::Nonce { found: "missing" }),
        }
    }
    Ok(Timestamp {
        time: info.time,
        accuracy: info.accuracy,
        serial: hex::encode(info.serial),
        policy: info.policy,
        tsa_name: authority.facts.subject,
        tsa_certificate: Digest::of(&authority.certificate),
    })
}

/// Returns the token of a response whose status is granted (RFC 3161 section 2.4.2).
fn granted_token(response: &[u8]) -> Result<&[u8], Error> {
    const PART: &str = "status";
    let mut outer = Cursor::new("response", response)?;
    let mut reply = outer.enter("response", Tag::Sequence)?;
    outer.end()?;
    let mut info = reply.enter(PART, Tag::Sequence)?;
    let status = info.small()?;
    let mut text = String::new();
    if let Some(strings) = info.optional(Tag::Sequence)? {
        let mut strings = Cursor::new(PART, strings)?;
        while !strings.is_at_end() {
            let line = String::from_utf8_lossy(strings.value(Tag::Utf8String)?).into_owned();
            text.extend(line.chars().filter(|c| !c.is_control()).take(200));
            text.push(' ');
        }
    }
    info.optional(Tag::BitString)?;
    info.end()?;
    // 0 is granted, 1 is granted with modifications; everything else has no token.
    if status > 1 {
        let text = match text.trim() {
            "" => String::new(),
            text => format!(" ({})", text.chars().take(400).collect::<String>()),
        };
        return Err(Error::Status { status, text });
    }
    let token = reply.tlv()?;
    reply.end()?;
    Ok(token)
}
