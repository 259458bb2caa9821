//! Walks DER with the `der` crate's reader, keeping the exact bytes: signatures are over bytes, not over values.

use der::asn1::{AnyRef, ObjectIdentifier};
use der::{Decode as _, Reader as _, SliceReader, Tag, TagNumber};

use super::Error;

/// Returns `[number]`, constructed.
pub(super) const fn context(number: u32) -> Tag {
    Tag::ContextSpecific {
        constructed: true,
        number: TagNumber(number),
    }
}

/// Returns `[number]`, primitive.
pub(super) const fn primitive(number: u32) -> Tag {
    Tag::ContextSpecific {
        constructed: false,
        number: TagNumber(number),
    }
}

/// Returns the value octets of a non-negative INTEGER.
pub(super) fn unsigned(number: u64) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    let first = bytes.iter().position(|b| *b != 0).unwrap_or(7);
    let mut out = Vec::with_capacity(9);
    if bytes[first] >= 0x80 {
        out.push(0);
    }
    out.extend_from_slice(&bytes[first..]);
    out
}

/// A place in the contents of one constructed value; `part` names it in errors.
pub(super) struct Cursor<'a> {
    part: &'static str,
    reader: SliceReader<'a>,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(part: &'static str, bytes: &'a [u8]) -> Result<Self, Error> {
        let reader = SliceReader::new(bytes).map_err(|e| form(part, e))?;
        Ok(Self { part, reader })
    }

    pub(super) fn bad(&self, why: &str) -> Error {
        Error::Form {
            part: self.part,
            why: why.to_owned(),
        }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.reader.is_finished()
    }

    /// Returns the next value's bytes, header and contents.
    pub(super) fn tlv(&mut self) -> Result<&'a [u8], Error> {
        self.reader.tlv_bytes().map_err(|e| form(self.part, e))
    }

    /// Returns the next value's tag and contents.
    pub(super) fn any(&mut self) -> Result<AnyRef<'a>, Error> {
        AnyRef::decode(&mut self.reader).map_err(|e| form(self.part, e))
    }

    /// Returns the next value's contents; it must have this tag.
    pub(super) fn value(&mut self, tag: Tag) -> Result<&'a [u8], Error> {
        let any = self.any()?;
        match any.header().tag() == tag {
            true => Ok(any.value()),
            false => Err(self.bad(&format!("{} where {tag} belongs", any.header().tag()))),
        }
    }

    /// Returns the next value's contents if it has this tag.
    pub(super) fn optional(&mut self, tag: Tag) -> Result<Option<&'a [u8]>, Error> {
        if self.is_at_end() {
            return Ok(None);
        }
        let next = Tag::peek(&self.reader).map_err(|e| form(self.part, e))?;
        match next == tag {
            true => self.value(tag).map(Some),
            false => Ok(None),
        }
    }

    /// Enters the next value.
    pub(super) fn enter(&mut self, part: &'static str, tag: Tag) -> Result<Self, Error> {
        Self::new(part, self.value(tag)?)
    }

    pub(super) fn oid(&mut self) -> Result<ObjectIdentifier, Error> {
        ObjectIdentifier::decode(&mut self.reader).map_err(|e| form(self.part, e))
    }

    /// Returns the contents of a non-negative INTEGER that fits into 64 bits.
    pub(super) fn small(&mut self) -> Result<u64, Error> {
        u64::decode(&mut self.reader).map_err(|e| form(self.part, e))
    }

    /// Reads AlgorithmIdentifier whose parameters are absent or NULL.
    pub(super) fn algorithm(&mut self) -> Result<ObjectIdentifier, Error> {
        let mut inner = self.enter(self.part, Tag::Sequence)?;
        let oid = inner.oid()?;
        if !inner.is_at_end() && !inner.any()?.is_null() {
            return Err(Error::Algorithm {
                part: self.part,
                oid: format!("{oid} with parameters"),
            });
        }
        inner.end()?;
        Ok(oid)
    }

    /// Refuses anything that is left.
    pub(super) fn end(self) -> Result<(), Error> {
        self.reader.finish().map_err(|e| form(self.part, e))
    }
}

fn form(part: &'static str, error: der::Error) -> Error {
    Error::Form {
        part,
        why: error.to_string(),
    }
}
