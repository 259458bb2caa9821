//! What a line that is a JSON record is read by: what it says, when, and whether that may belong to a trace.

use super::json::{self, Scan, Slot};
use super::{Fields, gate};

/// Whether a line begins as a JSON object does.
#[inline]
pub(super) fn structured(line: &[u8]) -> bool {
    match line.first() {
        Some(b'{') => true,
        Some(b' ' | b'\t') => line.trim_ascii_start().first() == Some(&b'{'),
        _ => false,
    }
}

/// What a record says, as raw JSON.
#[inline]
pub(super) fn spoken<'a>(scan: &Scan, line: &'a [u8]) -> Option<&'a [u8]> {
    [
        Slot::Message,
        Slot::Msg,
        Slot::Log,
        Slot::Journal,
        Slot::Event,
    ]
    .into_iter()
    .find_map(|slot| {
        scan.value(line, slot)
            .filter(|raw| raw.first() == Some(&b'"'))
    })
}

/// Whether the text of a raw JSON string may belong to a trace.
#[inline]
pub(super) fn suspicious(raw: &[u8]) -> bool {
    if memchr::memchr(b'\\', raw).is_none() {
        return gate::hits(raw);
    }
    json::text(raw).is_some_and(|text| gate::hits(text.as_bytes()))
}

/// What a record is read by.
#[inline]
pub(super) fn fields<'a>(scan: &Scan, line: &'a [u8]) -> Fields<'a> {
    let string = |raw: &&[u8]| raw.first() == Some(&b'"');
    let first = |slots: &[Slot], fits: &dyn Fn(&&[u8]) -> bool| {
        slots
            .iter()
            .find_map(|slot| scan.value(line, *slot).filter(fits))
    };
    Fields {
        timestamp: first(
            &[Slot::Timestamp, Slot::Ts, Slot::AtTimestamp, Slot::Time],
            &|raw| matches!(raw.first(), Some(b'"' | b'-' | b'0'..=b'9')),
        ),
        message: first(&[Slot::Message, Slot::Msg, Slot::Event], &string),
        event: scan.value(line, Slot::Event),
        odd: scan.odd,
    }
}

/// The message of a record.
pub(super) fn said(scan: &Scan, line: &[u8]) -> Option<String> {
    json::text(fields(scan, line).message.or_else(|| spoken(scan, line))?)
}
