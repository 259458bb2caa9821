//! TSTInfo (RFC 3161 section 2.4.2): what the authority signs.

use der::{DateTime, Tag};
use gonogo_core::{Span, Timestamp};

use super::Error;
use super::asn1::{Cursor, context, primitive};
use super::cms::Hash;

const PART: &str = "TSTInfo";

/// What the authority states.
pub(super) struct TstInfo<'a> {
    pub(super) policy: String,
    pub(super) hash: Hash,
    pub(super) imprint: &'a [u8],
    /// The INTEGER's contents.
    pub(super) serial: &'a [u8],
    pub(super) time: Timestamp,
    pub(super) accuracy: Option<Span>,
    /// The INTEGER's contents.
    pub(super) nonce: Option<&'a [u8]>,
    /// The contents of the Name that the authority gives itself.
    pub(super) tsa: Option<&'a [u8]>,
}

impl<'a> TstInfo<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut outer = Cursor::new(PART, bytes)?;
        let mut info = outer.enter(PART, Tag::Sequence)?;
        outer.end()?;
        if info.small()? != 1 {
            return Err(info.bad("not version 1"));
        }
        let policy = info.oid()?.to_string();
        let mut imprint = info.enter("message imprint", Tag::Sequence)?;
        let hash = Hash::of("message imprint", imprint.algorithm()?)?;
        let hashed = imprint.value(Tag::OctetString)?;
        imprint.end()?;
        let serial = info.value(Tag::Integer)?;
        let time = read_time(info.value(Tag::GeneralizedTime)?)?;
        let accuracy = match info.optional(Tag::Sequence)? {
            None => None,
            Some(contents) => Some(read_accuracy(contents)?),
        };
        // Whether timestamps of this authority can be ordered is not used, so its value does not matter.
        info.optional(Tag::Boolean)?;
        let nonce = info.optional(Tag::Integer)?;
        let tsa = match info.optional(context(0))? {
            None => None,
            Some(contents) => {
                let mut name = Cursor::new("authority's name", contents)?;
                let mut directory = name.enter("authority's name", context(4))?;
                name.end()?;
                let contents = directory.value(Tag::Sequence)?;
                directory.end()?;
                Some(contents)
            }
        };
        if let Some(contents) = info.optional(context(1))? {
            refuse_critical(contents)?;
        }
        info.end()?;
        Ok(Self {
            policy,
            hash,
            imprint: hashed,
            serial,
            time,
            accuracy,
            nonce,
            tsa,
        })
    }
}

/// Reads `YYYYMMDDhhmmss[.f…]Z`; what is finer than a millisecond is cut off.
fn read_time(contents: &[u8]) -> Result<Timestamp, Error> {
    let bad = || Error::Form {
        part: "time",
        why: "not `YYYYMMDDhhmmss[.fraction]Z`".into(),
    };
    let text = std::str::from_utf8(contents).map_err(|_| bad())?;
    let text = text.strip_suffix('Z').ok_or_else(bad)?;
    let (whole, fraction) = match text.split_once('.') {
        None => (text, "0"),
        Some(parts) => parts,
    };
    let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    if whole.len() != 14
        || !digits(whole)
        || !digits(fraction)
        || !(1..=9).contains(&fraction.len())
    {
        return Err(bad());
    }
    let number = |from: usize, to: usize| whole[from..to].parse::<u16>().map_err(|_| bad());
    let small = |from: usize| Ok(number(from, from + 2)? as u8);
    let date = DateTime::new(
        number(0, 4)?,
        small(4)?,
        small(6)?,
        small(8)?,
        small(10)?,
        small(12)?,
    )
    .map_err(|_| bad())?;
    let millis: String = fraction.chars().chain("000".chars()).take(3).collect();
    let millis = i64::from(millis.parse::<u16>().map_err(|_| bad())?);
    let seconds = i64::try_from(date.unix_duration().as_secs()).map_err(|_| bad())?;
    Ok(Timestamp::from_millis(seconds * 1000 + millis))
}

/// Reads Accuracy and rounds it up to milliseconds.
fn read_accuracy(contents: &[u8]) -> Result<Span, Error> {
    let mut accuracy = Cursor::new("accuracy", contents)?;
    let number = |octets: Option<&[u8]>, limit: u64| match octets {
        None => Ok(0),
        Some([first, ..]) if *first >= 0x80 => Err(()),
        Some(octets) if octets.is_empty() || octets.len() > 5 => Err(()),
        Some(octets) => {
            let number = octets.iter().fold(0, |n: u64, b| (n << 8) | u64::from(*b));
            if number <= limit { Ok(number) } else { Err(()) }
        }
    };
    let seconds = number(accuracy.optional(Tag::Integer)?, u64::from(u32::MAX));
    let millis = number(accuracy.optional(primitive(0))?, 999);
    let micros = number(accuracy.optional(primitive(1))?, 999);
    match (seconds, millis, micros) {
        (Ok(seconds), Ok(millis), Ok(micros)) => {
            accuracy.end()?;
            Ok(Span::from_millis(
                seconds * 1000 + millis + micros.div_ceil(1000),
            ))
        }
        _ => Err(accuracy.bad("a number out of range")),
    }
}

/// No extension is known here, so a critical one must refuse the timestamp.
fn refuse_critical(contents: &[u8]) -> Result<(), Error> {
    let mut list = Cursor::new("extensions", contents)?;
    while !list.is_at_end() {
        let mut extension = list.enter("extensions", Tag::Sequence)?;
        let oid = extension.oid()?;
        if extension
            .optional(Tag::Boolean)?
            .is_some_and(|value| value != [0])
        {
            return Err(extension.bad(&format!("the critical extension {oid} is not known")));
        }
        extension.value(Tag::OctetString)?;
        extension.end()?;
    }
    list.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_one_form() {
        let at = |text: &str| read_time(text.as_bytes()).ok().map(|t| t.to_string());
        assert_eq!(
            at("20260131120000Z").as_deref(),
            Some("2026-01-31T12:00:00.000Z")
        );
        assert_eq!(
            at("20260131120000.5Z").as_deref(),
            Some("2026-01-31T12:00:00.500Z")
        );
        assert_eq!(
            at("20260131120000.123999Z").as_deref(),
            Some("2026-01-31T12:00:00.123Z")
        );
        for bad in [
            "",
            "Z",
            "20260131120000",
            "20260131120000+0100",
            "202601311200Z",
            "20260231120000Z",
            "20260131250000Z",
            "20260131120000.Z",
            "20260131120000.1234567890Z",
            "2026013112000xZ",
            "19690131120000Z",
            "20260131120060Z",
        ] {
            assert_eq!(at(bad), None, "{bad}");
        }
    }

    #[test]
    fn accuracy_is_rounded_up() {
        let read = |bytes: &[u8]| read_accuracy(bytes).ok().map(Span::as_millis);
        assert_eq!(read(&[2, 1, 1, 0x80, 2, 1, 0xf4, 0x81, 1, 1]), Some(1501));
        assert_eq!(read(&[]), Some(0));
        assert_eq!(read(&[0x80, 2, 3, 0xe8]), None, "1000 milliseconds");
        assert_eq!(read(&[2, 1, 0xff]), None, "negative");
    }
}
