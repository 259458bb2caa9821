//! The CMS frame of a timestamp token (RFC 5652 sections 3 and 5): one signer, signed attributes, exact bytes.

use der::Tag;
use der::asn1::ObjectIdentifier;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA384, SHA512, digest};

use super::Error;
use super::asn1::{Cursor, context, primitive};

const fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

const SIGNED_DATA: ObjectIdentifier = oid("1.2.840.113549.1.7.2");
const TST_INFO: ObjectIdentifier = oid("1.2.840.113549.1.9.16.1.4");
const CONTENT_TYPE: ObjectIdentifier = oid("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = oid("1.2.840.113549.1.9.4");
const SIGNING_CERTIFICATE: ObjectIdentifier = oid("1.2.840.113549.1.9.16.2.12");
const SIGNING_CERTIFICATE_V2: ObjectIdentifier = oid("1.2.840.113549.1.9.16.2.47");

/// The most certificates in a token.
const MAX_CERTIFICATES: usize = 16;

/// The most signed attributes.
const MAX_ATTRIBUTES: usize = 32;

/// A digest algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    /// Finds a digest algorithm by its OID (RFC 5754 section 2).
    pub(super) fn of(part: &'static str, oid: ObjectIdentifier) -> Result<Self, Error> {
        const SHA_256: ObjectIdentifier = self::oid("2.16.840.1.101.3.4.2.1");
        const SHA_384: ObjectIdentifier = self::oid("2.16.840.1.101.3.4.2.2");
        const SHA_512: ObjectIdentifier = self::oid("2.16.840.1.101.3.4.2.3");
        match oid {
            SHA_256 => Ok(Self::Sha256),
            SHA_384 => Ok(Self::Sha384),
            SHA_512 => Ok(Self::Sha512),
            other => Err(Error::Algorithm {
                part,
                oid: other.to_string(),
            }),
        }
    }

    pub(super) fn digest(self, bytes: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Self::Sha256 => &SHA256,
            Self::Sha384 => &SHA384,
            Self::Sha512 => &SHA512,
        };
        digest(algorithm, bytes).as_ref().to_vec()
    }
}

/// Who signed, as the signer info says it.
pub(super) enum SignerId<'a> {
    /// Contents of the issuer's Name and of the serial number's INTEGER.
    IssuerSerial(&'a [u8], &'a [u8]),
    /// The certificate's subjectKeyIdentifier.
    KeyIdentifier(&'a [u8]),
}

/// A signed hash of the signer's certificate (RFC 2634 section 5.4, RFC 5035).
pub(super) struct CertificateId<'a> {
    /// None is SHA-1: version 1 of the attribute knows no other.
    hash: Option<Hash>,
    value: &'a [u8],
    /// Contents of issuer Name and of the serial number, if stated.
    pub(super) issuer_serial: Option<(&'a [u8], &'a [u8])>,
}

impl CertificateId<'_> {
    /// Tells whether this is the id of the certificate `der`.
    pub(super) fn is_of(&self, der: &[u8]) -> bool {
        match self.hash {
            Some(hash) => hash.digest(der) == self.value,
            None => digest(&SHA1_FOR_LEGACY_USE_ONLY, der).as_ref() == self.value,
        }
    }
}

/// A token, taken apart; no signature is checked yet.
pub(super) struct Token<'a> {
    /// The TSTInfo that is signed, exact bytes.
    pub(super) content: &'a [u8],
    /// Embedded certificates, exact bytes.
    pub(super) certificates: Vec<&'a [u8]>,
    pub(super) signer: SignerId<'a>,
    /// Digest algorithm of content and signature.
    pub(super) hash: Hash,
    /// What the signature is over: the signed attributes as SET OF.
    pub(super) signed: Vec<u8>,
    pub(super) signature_algorithm: ObjectIdentifier,
    pub(super) signature: &'a [u8],
    /// The signed ids of the signer's certificate; at least one.
    pub(super) certificate_ids: Vec<CertificateId<'a>>,
}

impl<'a> Token<'a> {
    /// Takes apart a ContentInfo and checks the attributes that are over the content: contentType and messageDigest.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut outer = Cursor::new("token", bytes)?;
        let mut info = outer.enter("token", Tag::Sequence)?;
        outer.end()?;
        if info.oid()? != SIGNED_DATA {
            return Err(info.bad("no SignedData"));
        }
        let mut explicit = info.enter("token", context(0))?;
        info.end()?;
        let mut data = explicit.enter("SignedData", Tag::Sequence)?;
        explicit.end()?;
        if data.small()? != 3 {
            return Err(data.bad("not version 3"));
        }
        let digests = data.value(Tag::Set)?;
        let mut encapsulated = data.enter("content", Tag::Sequence)?;
        if encapsulated.oid()? != TST_INFO {
            return Err(encapsulated.bad("no TSTInfo"));
        }
        let mut octets = encapsulated.enter("content", context(0))?;
        encapsulated.end()?;
        let content = octets.value(Tag::OctetString)?;
        octets.end()?;
        let certificates = match data.optional(context(0))? {
            None => Vec::new(),
            Some(set) => read_certificates(set)?,
        };
        // Revocation lists are not part of what is checked.
        data.optional(context(1))?;
        let mut signers = data.enter("signer infos", Tag::Set)?;
        data.end()?;
        let mut signer = signers.enter("signer info", Tag::Sequence)?;
        if !signers.is_at_end() {
            return Err(signers.bad("more than one signer"));
        }
        let version = signer.small()?;
        let id = match signer.optional(primitive(0))? {
            Some(identifier) => SignerId::KeyIdentifier(identifier),
            None => {
                let mut pair = signer.enter("signer id", Tag::Sequence)?;
                let issuer = pair.value(Tag::Sequence)?;
                let serial = pair.value(Tag::Integer)?;
                pair.end()?;
                SignerId::IssuerSerial(issuer, serial)
            }
        };
        match (&id, version) {
            (SignerId::IssuerSerial(..), 1) | (SignerId::KeyIdentifier(_), 3) => {}
            _ => return Err(signer.bad("its version does not fit its signer id")),
        }
        let hash = Hash::of("signer's digest", signer.algorithm()?)?;
        expect_digest(digests, hash)?;
        let attributes = signer.value(context(0))?;
        let signature_algorithm = signer.algorithm()?;
        let signature = signer.value(Tag::OctetString)?;
        // Unsigned attributes are whatever somebody added later; a signature timestamp, say. Nothing is read from them.
        signer.optional(context(1))?;
        signer.end()?;
        let certificate_ids = read_attributes(attributes, &hash.digest(content))?;
        Ok(Self {
            content,
            certificates,
            signer: id,
            hash,
            signed: as_set(attributes),
            signature_algorithm,
            signature,
            certificate_ids,
        })
    }
}

/// Writes the contents of `[0] IMPLICIT` signed attributes as the SET OF that is signed (RFC 5652 section 5.4).
fn as_set(contents: &[u8]) -> Vec<u8> {
    let mut out = vec![0x31];
    let length = contents.len();
    if length < 0x80 {
        out.push(length as u8);
    } else {
        let bytes = length.to_be_bytes();
        let first = bytes
            .iter()
            .position(|b| *b != 0)
            .unwrap_or(bytes.len() - 1);
        out.push(0x80 | (bytes.len() - first) as u8);
        out.extend_from_slice(&bytes[first..]);
    }
    out.extend_from_slice(contents);
    out
}

fn expect_digest(set: &[u8], wanted: Hash) -> Result<(), Error> {
    const PART: &str = "list of digest algorithms";
    let mut cursor = Cursor::new(PART, set)?;
    let mut found = false;
    while !cursor.is_at_end() {
        // Others than the signer's may be listed, known here or not.
        found |= Hash::of(PART, cursor.algorithm()?) == Ok(wanted);
    }
    match found {
        true => cursor.end(),
        false => Err(cursor.bad("without the signer's")),
    }
}

fn read_certificates(set: &[u8]) -> Result<Vec<&[u8]>, Error> {
    let mut cursor = Cursor::new("certificates", set)?;
    let mut certificates = Vec::new();
    while !cursor.is_at_end() {
        if certificates.len() == MAX_CERTIFICATES {
            return Err(cursor.bad("more than 16 certificates"));
        }
        certificates.push(cursor.tlv()?);
    }
    cursor.end()?;
    Ok(certificates)
}

/// Reads the signed attributes: each once, with one value.
fn read_attributes<'a>(set: &'a [u8], digest: &[u8]) -> Result<Vec<CertificateId<'a>>, Error> {
    const PART: &str = "signed attributes";
    let mut cursor = Cursor::new(PART, set)?;
    let mut seen: Vec<ObjectIdentifier> = Vec::new();
    let mut ids = Vec::new();
    while !cursor.is_at_end() {
        let mut attribute = cursor.enter(PART, Tag::Sequence)?;
        let name = attribute.oid()?;
        let mut values = attribute.enter(PART, Tag::Set)?;
        attribute.end()?;
        if seen.contains(&name) || seen.len() == MAX_ATTRIBUTES {
            return Err(cursor.bad("the same attribute twice, or too many"));
        }
        seen.push(name);
        match name {
            CONTENT_TYPE => {
                if values.oid()? != TST_INFO {
                    return Err(Error::Signature {
                        why: "its content type is another one",
                    });
                }
            }
            MESSAGE_DIGEST => {
                if values.value(Tag::OctetString)? != digest {
                    return Err(Error::Signature {
                        why: "its message digest is not that of the content",
                    });
                }
            }
            SIGNING_CERTIFICATE | SIGNING_CERTIFICATE_V2 => {
                let second = name == SIGNING_CERTIFICATE_V2;
                ids.push(read_certificate_id(&mut values, second)?);
            }
            // Signed, and nothing here depends on it.
            _ => continue,
        }
        values.end()?;
    }
    cursor.end()?;
    for (name, what) in [
        (CONTENT_TYPE, "it does not cover the content type"),
        (MESSAGE_DIGEST, "it does not cover the content"),
    ] {
        if !seen.contains(&name) {
            return Err(Error::Signature { why: what });
        }
    }
    match ids.is_empty() {
        true => Err(Error::Signature {
            why: "it does not name the signer's certificate (signingCertificate)",
        }),
        false => Ok(ids),
    }
}

/// Reads SigningCertificate or SigningCertificateV2; the first id is the signer's (RFC 5035 section 3).
fn read_certificate_id<'a>(
    values: &mut Cursor<'a>,
    second: bool,
) -> Result<CertificateId<'a>, Error> {
    const PART: &str = "signing certificate attribute";
    let mut attribute = values.enter(PART, Tag::Sequence)?;
    let mut list = attribute.enter(PART, Tag::Sequence)?;
    attribute.optional(Tag::Sequence)?;
    attribute.end()?;
    let mut id = list.enter(PART, Tag::Sequence)?;
    let hash = match (second, id.optional(Tag::Sequence)?) {
        (false, None) => None,
        (false, Some(_)) => return Err(id.bad("version 1 with an algorithm")),
        (true, None) => Some(Hash::Sha256),
        (true, Some(algorithm)) => {
            let mut cursor = Cursor::new(PART, algorithm)?;
            let oid = cursor.oid()?;
            if !cursor.is_at_end() && !cursor.any()?.is_null() {
                return Err(cursor.bad("a digest algorithm with parameters"));
            }
            cursor.end()?;
            Some(Hash::of(PART, oid)?)
        }
    };
    let value = id.value(Tag::OctetString)?;
    let issuer_serial = match id.is_at_end() {
        true => None,
        false => {
            let mut pair = id.enter(PART, Tag::Sequence)?;
            let mut names = pair.enter(PART, Tag::Sequence)?;
            let mut directory = names.enter(PART, context(4))?;
            let issuer = directory.value(Tag::Sequence)?;
            directory.end()?;
            names.end()?;
            let serial = pair.value(Tag::Integer)?;
            pair.end()?;
            Some((issuer, serial))
        }
    };
    id.end()?;
    Ok(CertificateId {
        hash,
        value,
        issuer_serial,
    })
}
