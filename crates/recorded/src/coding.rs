//! Content codings: what is kept is decoded, since a secret in a compressed body could not be seen.
//!
//! Requests ask upstreams for no coding but those that are decoded here (RFC 9110 section 12.5.3). The bytes of the wire go to
//! the client as they come.

use std::io::{self, Write};

use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::HeaderMap;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HeaderValue};

use crate::spool::Pieces;

/// A coding of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Coding {
    /// None.
    Identity,
    /// gzip (RFC 1952).
    Gzip,
    /// zlib (RFC 1950), or bare deflate (RFC 1951), which some send under the same name.
    Deflate,
    /// One that is not decoded here, or several.
    Other(String),
}

impl Coding {
    /// The coding that a message's header declares.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut all = Vec::new();
        for value in headers.get_all(CONTENT_ENCODING) {
            let text = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
            let names = text.split(',').map(str::trim);
            all.extend(
                names
                    .filter(|n| !n.is_empty() && *n != "identity")
                    .map(str::to_owned),
            );
        }
        match all
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .as_slice()
        {
            [] => Self::Identity,
            ["gzip" | "x-gzip"] => Self::Gzip,
            ["deflate"] => Self::Deflate,
            _ => Self::Other(all.join(", ").chars().take(80).collect()),
        }
    }

    /// Its name in a cassette.
    pub(crate) fn name(&self) -> Option<String> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some("gzip".into()),
            Self::Deflate => Some("deflate".into()),
            Self::Other(name) => Some(name.clone()),
        }
    }
}

/// Leaves of what a client accepts only what can be decoded here.
pub(crate) fn narrow(headers: &mut HeaderMap) {
    let mut kept = Vec::new();
    for value in headers.get_all(ACCEPT_ENCODING) {
        let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
        for item in text.split(',') {
            let name = item.split(';').next().unwrap_or_default().trim();
            let name = name.to_ascii_lowercase();
            if matches!(name.as_str(), "gzip" | "x-gzip" | "deflate" | "identity") {
                kept.push(item.trim().to_owned());
            }
        }
    }
    // Without the field any coding may come, so it is always there.
    let value = if kept.is_empty() {
        "identity".into()
    } else {
        kept.join(", ")
    };
    if let Ok(value) = HeaderValue::from_str(&value) {
        headers.insert(ACCEPT_ENCODING, value);
    }
}

/// Decodes a body that came in pieces: `ends` are the ends of the pieces with their pauses. Refuses more than `limit` bytes.
pub(crate) fn decode(
    coding: &Coding,
    body: Vec<u8>,
    ends: Vec<(usize, u64)>,
    limit: u64,
) -> io::Result<Pieces> {
    let out = Capped {
        bytes: Vec::new(),
        limit,
    };
    match coding {
        Coding::Identity => Ok((body, ends)),
        _ if body.is_empty() => Ok((body, ends)),
        Coding::Gzip => pieces(
            MultiGzDecoder::new(out),
            &body,
            &ends,
            |d| d.get_ref().bytes.len(),
            |d| d.finish(),
        ),
        // The first byte of zlib names method 8 in its low half; the two first ones are a multiple of 31.
        Coding::Deflate
            if body[0] & 15 == 8
                && body
                    .get(1)
                    .is_some_and(|b| (u16::from(body[0]) << 8 | u16::from(*b)) % 31 == 0) =>
        {
            pieces(
                ZlibDecoder::new(out),
                &body,
                &ends,
                |d| d.get_ref().bytes.len(),
                |d| d.finish(),
            )
        }
        Coding::Deflate => pieces(
            DeflateDecoder::new(out),
            &body,
            &ends,
            |d| d.get_ref().bytes.len(),
            |d| d.finish(),
        ),
        Coding::Other(name) => Err(io::Error::other(format!(
            "content coding `{name}` cannot be looked into"
        ))),
    }
}

fn pieces<D: Write>(
    mut decoder: D,
    body: &[u8],
    ends: &[(usize, u64)],
    length: impl Fn(&D) -> usize,
    finish: impl FnOnce(D) -> io::Result<Capped>,
) -> io::Result<Pieces> {
    let (mut at, mut out) = (0, Vec::with_capacity(ends.len()));
    for (end, after_ms) in ends {
        decoder.write_all(&body[at..*end])?;
        decoder.flush()?;
        out.push((length(&decoder), *after_ms));
        at = *end;
    }
    let bytes = finish(decoder)?.bytes;
    if let Some(last) = out.last_mut() {
        last.0 = bytes.len();
    }
    Ok((bytes, out))
}

/// Holds at most so many bytes: a small body may decode to a thousand times its length.
struct Capped {
    bytes: Vec<u8>,
    limit: u64,
}

impl Write for Capped {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if (self.bytes.len() + data.len()) as u64 > self.limit {
            return Err(io::Error::other(format!(
                "it decodes to more than {} bytes",
                self.limit
            )));
        }
        self.bytes.extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    #[test]
    fn decodes_pieces_as_they_came() {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        let mut ends = Vec::new();
        for (n, piece) in ["data: one\n\n", "data: two\n\n"].iter().enumerate() {
            gzip.write_all(piece.as_bytes()).unwrap();
            gzip.flush().unwrap();
            ends.push((gzip.get_ref().len(), n as u64));
        }
        let body = gzip.finish().unwrap();
        ends.push((body.len(), 7));
        let (plain, pieces) = decode(&Coding::Gzip, body, ends, 100).unwrap();
        assert_eq!(plain, b"data: one\n\ndata: two\n\n");
        assert_eq!(pieces, [(11, 0), (22, 1), (22, 7)]);
    }

    #[test]
    fn both_kinds_of_deflate_are_read() {
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
        zlib.write_all(b"hello").unwrap();
        let mut bare = DeflateEncoder::new(Vec::new(), Compression::fast());
        bare.write_all(b"hello").unwrap();
        for body in [zlib.finish().unwrap(), bare.finish().unwrap()] {
            let ends = vec![(body.len(), 0)];
            let (plain, _) = decode(&Coding::Deflate, body, ends, 100).unwrap();
            assert_eq!(plain, b"hello");
        }
    }

    #[test]
    fn a_bomb_a_cut_body_and_an_unknown_coding_are_refused() {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(&vec![0; 1 << 20]).unwrap();
        let body = gzip.finish().unwrap();
        let ends = vec![(body.len(), 0)];
        assert!(decode(&Coding::Gzip, body.clone(), ends, 1000).is_err());
        let cut = body[..body.len() / 2].to_vec();
        let ends = vec![(cut.len(), 0)];
        assert!(decode(&Coding::Gzip, cut, ends, 2 << 20).is_err());
        let other = Coding::Other("br".into());
        assert!(decode(&other, vec![1], vec![(1, 0)], 10).is_err());
        let empty = decode(&Coding::Gzip, Vec::new(), Vec::new(), 10).unwrap();
        assert!(empty.0.is_empty());
    }

    #[test]
    fn clients_are_promised_only_what_is_decoded() {
        for (asked, sent) in [
            (Some("gzip, deflate, br, zstd"), "gzip, deflate"),
            (Some("br;q=1.0, GZIP;q=0.5"), "GZIP;q=0.5"),
            (Some("br"), "identity"),
            (Some("*"), "identity"),
            (None, "identity"),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(asked) = asked {
                headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(asked));
            }
            narrow(&mut headers);
            assert_eq!(headers[ACCEPT_ENCODING], sent);
        }
    }
}
