//! A second look at the framing of HTTP/1 requests, beside the HTTP library's own parser.
//!
//! The library repairs what RFC 9112 lets a server repair: both `Transfer-Encoding` and `Content-Length`, a bare LF, codings before
//! `chunked`. A front proxy must rather refuse what another parser could read differently (RFC 9112 section 11.2). This watches the raw
//! bytes, follows where each request ends, and names the first request to be refused. It never changes bytes and never lets anything
//! through that the library refuses.

/// Where in the byte stream the watch stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before or inside a request head.
    Head,
    /// Inside body bytes that are skipped.
    Body(u64),
    /// Before a chunk-size line.
    ChunkSize,
    /// Inside a chunk and the CRLF after it.
    Chunk(u64),
    /// Inside the trailer section.
    Trailer,
    /// A violation was found, or the stream is no longer HTTP/1.
    Lost,
}

/// What one fed piece of the stream changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Watch {
    /// Not inside a head at the end of the piece.
    Between,
    /// Inside an unfinished head.
    InHead,
    /// The head with this number (from 0), and whatever follows it, must be refused.
    Refuse(u64),
}

/// The watch over one client connection.
#[derive(Debug)]
pub(super) struct Framing {
    place: Place,
    heads: u64,
    refused: Option<u64>,
    /// Start of a line whose end has not arrived.
    carry: Vec<u8>,
    longest: usize,
    lines: u32,
    http10: bool,
    length: Option<u64>,
    chunked: bool,
}

impl Framing {
    /// A watch that remembers at most `longest` bytes of an unfinished line.
    pub(super) fn new(longest: usize) -> Self {
        Self {
            place: Place::Head,
            heads: 0,
            refused: None,
            carry: Vec::new(),
            longest,
            lines: 0,
            http10: false,
            length: None,
            chunked: false,
        }
    }

    /// Looks at the next bytes.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> Watch {
        while !bytes.is_empty() {
            match self.place {
                Place::Lost => break,
                Place::Body(left) | Place::Chunk(left) => {
                    let skipped = left.min(bytes.len() as u64);
                    bytes = &bytes[skipped as usize..];
                    self.place = match (self.place, left - skipped) {
                        (Place::Body(_), 0) => Place::Head,
                        (Place::Body(_), n) => Place::Body(n),
                        (_, 0) => Place::ChunkSize,
                        (_, n) => Place::Chunk(n),
                    };
                }
                Place::Head | Place::ChunkSize | Place::Trailer => {
                    let Some(end) = bytes.iter().position(|b| *b == b'\n') else {
                        self.carry.extend_from_slice(bytes);
                        if self.carry.len() > self.longest {
                            self.refuse();
                        }
                        break;
                    };
                    let (line, rest) = bytes.split_at(end + 1);
                    bytes = rest;
                    if self.carry.is_empty() {
                        self.line(line);
                    } else {
                        let mut whole = std::mem::take(&mut self.carry);
                        whole.extend_from_slice(line);
                        self.line(&whole);
                        whole.clear();
                        self.carry = whole;
                    }
                }
            }
        }
        match self.refused {
            Some(head) => Watch::Refuse(head),
            None if self.place == Place::Head && (self.lines > 0 || !self.carry.is_empty()) => {
                Watch::InHead
            }
            None => Watch::Between,
        }
    }

    fn refuse(&mut self) {
        self.place = Place::Lost;
        self.refused.get_or_insert(self.heads);
    }

    /// One line with its line feed.
    fn line(&mut self, line: &[u8]) {
        let Some(line) = line
            .strip_suffix(b"\r\n")
            .filter(|l| !l.contains(&b'\r') && !l.contains(&0))
        else {
            return self.refuse();
        };
        match self.place {
            Place::Head if line.is_empty() && self.lines == 0 => {}
            Place::Head if line.is_empty() => self.end_of_head(),
            Place::Head => {
                self.lines += 1;
                if self.lines == 1 {
                    self.http10 = line.ends_with(b"HTTP/1.0");
                } else {
                    self.field(line);
                }
            }
            Place::ChunkSize => match chunk_size(line) {
                Some(0) => self.place = Place::Trailer,
                Some(n) => self.place = Place::Chunk(n + 2),
                None => self.refuse(),
            },
            Place::Trailer if line.is_empty() => self.place = Place::Head,
            Place::Trailer | Place::Body(_) | Place::Chunk(_) | Place::Lost => {}
        }
    }

    fn field(&mut self, line: &[u8]) {
        match line[0] {
            // A folded line (RFC 9112 section 5.2).
            b' ' | b'\t' => self.refuse(),
            b'c' | b'C' => {
                if let Some(value) = value_of(line, b"content-length") {
                    match (number(value), self.length) {
                        (Some(n), None) => self.length = Some(n),
                        (Some(n), Some(first)) if n == first => {}
                        _ => self.refuse(),
                    }
                }
            }
            b't' | b'T' => {
                if let Some(value) = value_of(line, b"transfer-encoding") {
                    if self.chunked || self.http10 || !value.eq_ignore_ascii_case(b"chunked") {
                        return self.refuse();
                    }
                    self.chunked = true;
                }
            }
            _ => {}
        }
    }

    fn end_of_head(&mut self) {
        if self.chunked && self.length.is_some() {
            return self.refuse();
        }
        self.place = match (self.chunked, self.length) {
            (true, _) => Place::ChunkSize,
            (false, Some(n)) if n > 0 => Place::Body(n),
            (false, _) => Place::Head,
        };
        self.heads += 1;
        self.lines = 0;
        self.length = None;
        self.chunked = false;
    }
}

/// The value of a field line without the blanks around it, if the line has that name; blanks before the colon are left to the parser,
/// which refuses them.
fn value_of<'l>(line: &'l [u8], name: &[u8]) -> Option<&'l [u8]> {
    let rest = line.get(name.len()..)?;
    if !line[..name.len()].eq_ignore_ascii_case(name) {
        return None;
    }
    Some(rest.strip_prefix(b":")?.trim_ascii())
}

fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn chunk_size(line: &[u8]) -> Option<u64> {
    let size = line.split(|b| *b == b';').next()?.trim_ascii_end();
    if size.is_empty() || size.len() > 15 || !size.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(size).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn after(bytes: &[u8]) -> Watch {
        Framing::new(1 << 16).feed(bytes)
    }

    #[test]
    fn ambiguous_heads_are_refused() {
        for head in [
            "POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: +3\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 3, 3\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked, identity\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
            "GET / HTTP/1.1\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
        ] {
            assert_eq!(after(head.as_bytes()), Watch::Refuse(0), "{head:?}");
        }
    }

    #[test]
    fn a_refusal_names_the_request_that_is_at_fault() {
        let stream = b"\r\nPOST / HTTP/1.1\r\nContent-Length: 5\r\n\r\na\nb\ncGET / HTTP/1.1\r\nA: b\r\n\r\n\
            POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\na\nb\r\n0\r\nT: v\r\n\r\nGET / HTTP/1.1\n\n";
        assert_eq!(after(stream), Watch::Refuse(3));
        assert_eq!(after(&stream[..stream.len() - 16]), Watch::Between);
    }

    proptest! {
        #[test]
        fn pieces_do_not_change_the_verdict(cuts in proptest::collection::vec(0usize..220, 0..12)) {
            let stream: &[u8] = b"POST /a HTTP/1.1\r\nContent-Length: 4\r\nHost: h\r\n\r\nbodyPOST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\
                4\r\nab\r\n\r\n0\r\n\r\nPOST /a HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n";
            let mut cuts: Vec<usize> = cuts.into_iter().filter(|c| *c < stream.len()).collect();
            cuts.extend([0, stream.len()]);
            cuts.sort_unstable();
            let mut watch = Framing::new(1 << 16);
            let mut last = Watch::Between;
            for pair in cuts.windows(2) {
                last = watch.feed(&stream[pair[0]..pair[1]]);
            }
            prop_assert_eq!(last, Watch::Refuse(2));
        }
    }
}
