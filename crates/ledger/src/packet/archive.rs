//! The one tar form that packets have: POSIX ustar, regular files only, mode 0644, owner 0, time 0, names of at most 100
//! bytes in ascending byte order, zero padding, exactly two zero blocks at the end.
//!
//! The reader builds the header that the writer would have written and compares bytes, so that no bit of headers, padding
//! or trailer can differ unseen, and links, devices, long names and duplicates do not exist.

use std::io::{self, Read, Write};

use gonogo_core::Digest;
use gonogo_core::digest::Hasher;

const BLOCK: usize = 512;
const NAME: usize = 100;

/// How much room is made at once for bytes that are only announced.
const LARGEST: usize = 1 << 20;

/// The largest size that eleven octal digits hold.
const MAX_SIZE: u64 = (1 << 33) - 1;

/// Writes members in order.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    last: String,
}

impl<W: Write> Writer<W> {
    /// Starts an archive.
    pub const fn new(out: W) -> Self {
        Self {
            out,
            last: String::new(),
        }
    }

    /// Writes a member.
    ///
    /// # Errors
    /// The writer's; [`io::ErrorKind::InvalidInput`] if the name is not above the one before, or does not fit.
    pub fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.append_from(name, bytes.len() as u64, bytes)
    }

    /// Writes a member of exactly `size` bytes from a reader.
    ///
    /// # Errors
    /// As [`Writer::append`]; [`io::ErrorKind::UnexpectedEof`] if the reader has another number of bytes.
    pub fn append_from(&mut self, name: &str, size: u64, mut from: impl Read) -> io::Result<()> {
        if self.last.as_str() >= name {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("member `{name}` does not come after `{}`", self.last),
            ));
        }
        let header = header(name, size).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("member `{name}` of {size} bytes does not fit a ustar header"),
            )
        })?;
        self.out.write_all(&header)?;
        let copied = io::copy(&mut (&mut from).take(size), &mut self.out)?;
        if copied != size || from.read(&mut [0])? != 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!("member `{name}` does not have the {size} bytes that were announced"),
            ));
        }
        self.out.write_all(&[0; BLOCK][..padding(size)])?;
        name.clone_into(&mut self.last);
        Ok(())
    }

    /// Ends the archive and returns the writer.
    ///
    /// # Errors
    /// The writer's.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&[0; 2 * BLOCK])?;
        Ok(self.out)
    }
}

/// Reads as the archive that a list of members would make, so that an unpacked packet is read like a packed one.
pub struct Listed<F> {
    members: std::vec::IntoIter<Member>,
    open: F,
    /// The rest of a header, a padding or the end.
    block: io::Cursor<Vec<u8>>,
    body: Option<(Member, Box<dyn Read>, u64)>,
    ended: bool,
}

impl<F: FnMut(&Member) -> io::Result<Box<dyn Read>>> Listed<F> {
    /// Lists `members`, in any order; `open` gives their bytes, each once.
    pub fn new(mut members: Vec<Member>, open: F) -> Self {
        members.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Self {
            members: members.into_iter(),
            open,
            block: io::Cursor::default(),
            body: None,
            ended: false,
        }
    }

    /// Moves on to the next header, or to the end.
    fn advance(&mut self) -> io::Result<()> {
        let block = match self.members.next() {
            None => {
                self.ended = true;
                vec![0; 2 * BLOCK]
            }
            Some(member) => {
                let text = format!("`{}` cannot be a member", member.name.escape_debug());
                let header = header(&member.name, member.size)
                    .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, text))?;
                let body = (self.open)(&member)?;
                let size = member.size;
                self.body = Some((member, body, size));
                header.to_vec()
            }
        };
        self.block = io::Cursor::new(block);
        Ok(())
    }
}

impl<F: FnMut(&Member) -> io::Result<Box<dyn Read>>> Read for Listed<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let got = self.block.read(buffer)?;
            if got > 0 || buffer.is_empty() {
                return Ok(got);
            }
            let Some((member, body, left)) = &mut self.body else {
                if self.ended {
                    return Ok(0);
                }
                self.advance()?;
                continue;
            };
            let got = body.take(*left).read(buffer)?;
            *left -= got as u64;
            if got > 0 {
                return Ok(got);
            }
            if *left > 0 || body.read(&mut [0])? != 0 {
                let text = format!("`{}` changed while it was read", member.name);
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            }
            self.block = io::Cursor::new(vec![0; padding(member.size)]);
            self.body = None;
        }
    }
}

impl<F> std::fmt::Debug for Listed<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listed").finish_non_exhaustive()
    }
}

/// Why an archive cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The source failed; says nothing about the archive.
    #[error("the packet cannot be read: {0}")]
    Io(io::Error),
    /// The bytes are not an archive of the one form.
    #[error("{0}")]
    Form(String),
}

/// One member's name and size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The name.
    pub name: String,
    /// Bytes.
    pub size: u64,
}

/// Reads members in order. After [`Reader::next_member`], the body must be taken with [`Reader::bytes`] or
/// [`Reader::digest`] before the next member.
#[derive(Debug)]
pub struct Reader<R> {
    from: R,
    last: String,
}

impl<R: Read> Reader<R> {
    /// Starts to read.
    pub const fn new(from: R) -> Self {
        Self {
            from,
            last: String::new(),
        }
    }

    /// Returns the next member, or `None` at a correct end with nothing behind it.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub fn next_member(&mut self) -> Result<Option<Member>, ArchiveError> {
        let mut block = [0; BLOCK];
        self.fill(&mut block)?;
        if block == [0; BLOCK] {
            self.fill(&mut block)?;
            let more = retry_read(&mut self.from, &mut [0])?;
            if block != [0; BLOCK] || more != 0 {
                return Err(form("bytes after the end"));
            }
            return Ok(None);
        }
        let member = parse_header(&block).ok_or_else(|| form("a header of another form"))?;
        if self.last >= member.name {
            return Err(form(format!(
                "member `{}` is out of order or stands twice",
                member.name.escape_debug()
            )));
        }
        self.last.clone_from(&member.name);
        Ok(Some(member))
    }

    /// Returns the member's bytes; the caller has checked its size against what it can hold.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub fn bytes(&mut self, member: &Member) -> Result<Vec<u8>, ArchiveError> {
        let mut out = Vec::new();
        self.append_to(member, &mut out)?;
        Ok(out)
    }

    /// Adds the member's bytes to `out`; the caller has checked its size against what it can hold.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub fn append_to(&mut self, member: &Member, out: &mut Vec<u8>) -> Result<(), ArchiveError> {
        // A size is a claim until its bytes are there.
        out.reserve(usize::try_from(member.size).map_or(LARGEST, |n| n.min(LARGEST)));
        let read = (&mut self.from)
            .take(member.size)
            .read_to_end(out)
            .map_err(ArchiveError::Io)?;
        if read as u64 != member.size {
            return Err(form(format!("the packet ends inside `{}`", member.name)));
        }
        self.skip_padding(member)
    }

    /// Returns the digest of the member's bytes and forgets the bytes.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub fn digest(&mut self, member: &Member) -> Result<Digest, ArchiveError> {
        let mut hasher = Hasher::default();
        let mut buffer = vec![0; 64 * 1024];
        let mut left = member.size;
        while left > 0 {
            let want = buffer
                .len()
                .min(usize::try_from(left).unwrap_or(buffer.len()));
            let got = retry_read(&mut self.from, &mut buffer[..want])?;
            if got == 0 {
                return Err(form(format!("the packet ends inside `{}`", member.name)));
            }
            hasher.update(&buffer[..got]);
            left -= got as u64;
        }
        self.skip_padding(member)?;
        Ok(hasher.finish())
    }

    fn skip_padding(&mut self, member: &Member) -> Result<(), ArchiveError> {
        let mut block = [0; BLOCK];
        let padding = &mut block[..padding(member.size)];
        self.fill(padding)?;
        if padding.iter().any(|b| *b != 0) {
            return Err(form(format!(
                "the padding after `{}` is not zero",
                member.name
            )));
        }
        Ok(())
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), ArchiveError> {
        self.from.read_exact(buffer).map_err(|e| {
            if e.kind() == io::ErrorKind::UnexpectedEof {
                form("the packet ends too early")
            } else {
                ArchiveError::Io(e)
            }
        })
    }
}

fn retry_read(from: &mut impl Read, buffer: &mut [u8]) -> Result<usize, ArchiveError> {
    loop {
        match from.read(buffer) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            other => return other.map_err(ArchiveError::Io),
        }
    }
}

fn form(text: impl Into<String>) -> ArchiveError {
    ArchiveError::Form(text.into())
}

const fn padding(size: u64) -> usize {
    (BLOCK - (size % BLOCK as u64) as usize) % BLOCK
}

/// POSIX.1-1988 ustar header, or `None` if name or size do not fit.
fn header(name: &str, size: u64) -> Option<[u8; BLOCK]> {
    if name.is_empty() || name.len() > NAME || name.bytes().any(|b| b == 0) || size > MAX_SIZE {
        return None;
    }
    let mut block = [0; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, name.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    put(329, b"0000000\0");
    put(337, b"0000000\0");
    let sum: u32 = block.iter().map(|b| u32::from(*b)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Some(block)
}

fn parse_header(block: &[u8; BLOCK]) -> Option<Member> {
    let end = block[..NAME].iter().position(|b| *b == 0).unwrap_or(NAME);
    let name = std::str::from_utf8(&block[..end]).ok()?;
    let digits = std::str::from_utf8(&block[124..135]).ok()?;
    let size = u64::from_str_radix(digits, 8).ok()?;
    (header(name, size)? == *block).then(|| Member {
        name: name.to_owned(),
        size,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<u8> {
        let mut writer = Writer::new(Vec::new());
        writer.append("a/empty", b"").unwrap();
        writer.append("b", &[7; 513]).unwrap();
        writer.append(&"c".repeat(100), &[1; 512]).unwrap();
        writer.finish().unwrap()
    }

    fn read(bytes: &[u8]) -> Result<Vec<(Member, Vec<u8>)>, ArchiveError> {
        let mut reader = Reader::new(bytes);
        let mut all = Vec::new();
        while let Some(member) = reader.next_member()? {
            let body = reader.bytes(&member)?;
            all.push((member, body));
        }
        Ok(all)
    }

    #[test]
    fn other_tools_read_it() {
        let bytes = sample();
        let mut archive = tar::Archive::new(&bytes[..]);
        let mut sizes = Vec::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let header = entry.header().clone();
            assert_eq!(
                (
                    header.mode().unwrap(),
                    header.mtime().unwrap(),
                    header.uid().unwrap()
                ),
                (0o644, 0, 0)
            );
            let mut body = Vec::new();
            entry.read_to_end(&mut body).unwrap();
            sizes.push((entry.path().unwrap().display().to_string(), body.len()));
        }
        let want = [
            ("a/empty".into(), 0),
            ("b".into(), 513),
            ("c".repeat(100), 512),
        ];
        assert_eq!(sizes, want);
        let ours: Vec<_> = read(&bytes)
            .unwrap()
            .into_iter()
            .map(|(member, body)| (member.name, body.len()))
            .collect();
        assert_eq!(ours, want);
    }

    #[test]
    fn no_bit_outside_the_bodies_can_change() {
        let good = sample();
        // Headers at 0, 512 and 2048; bodies at 1024..1537 and 2560..3072.
        let body = |at: usize| (1024..1537).contains(&at) || (2560..3072).contains(&at);
        for at in (0..good.len()).filter(|at| !body(*at)) {
            for bit in 0..8 {
                let mut bytes = good.clone();
                bytes[at] ^= 1 << bit;
                let verdict = read(&bytes);
                let renamed = verdict.as_ref().is_ok_and(|all| {
                    all.iter()
                        .map(|(m, _)| m.name.as_str())
                        .ne(["a/empty", "b", &"c".repeat(100)])
                });
                assert!(verdict.is_err() || renamed, "byte {at} bit {bit}");
            }
        }
    }

    #[test]
    fn cut_longer_and_reordered_archives_are_refused() {
        let good = sample();
        for cut in 0..good.len() {
            assert!(read(&good[..cut]).is_err(), "{cut}");
        }
        let mut longer = good.clone();
        longer.push(0);
        assert!(read(&longer).is_err());
        let mut swapped = good[512..2048].to_vec();
        swapped.extend_from_slice(&good[..512]);
        swapped.extend_from_slice(&good[2048..]);
        assert!(read(&swapped).is_err());
        let mut twice = good[..512].to_vec();
        twice.extend_from_slice(&good);
        assert!(read(&twice).is_err());
    }

    #[test]
    fn a_list_of_members_reads_as_their_archive() {
        let members = read(&sample()).unwrap();
        let list = members.iter().rev().map(|(m, _)| m.clone()).collect();
        let open = |member: &Member| -> io::Result<Box<dyn Read>> {
            let (_, body) = members.iter().find(|(m, _)| m == member).unwrap();
            Ok(Box::new(io::Cursor::new(body.clone())))
        };
        let mut bytes = Vec::new();
        Listed::new(list, open).read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, sample());
        for (size, name) in [(3, "a"), (5, "a"), (4, "")] {
            let member = Member {
                name: name.into(),
                size,
            };
            let open = |_: &Member| -> io::Result<Box<dyn Read>> { Ok(Box::new(&b"four"[..])) };
            let mut listed = Listed::new(vec![member], open);
            assert!(listed.read_to_end(&mut Vec::new()).is_err(), "{size}");
        }
    }

    #[test]
    fn the_writer_refuses_what_the_reader_would() {
        let mut writer = Writer::new(Vec::new());
        writer.append("b", b"").unwrap();
        assert!(writer.append("b", b"").is_err());
        assert!(writer.append("a", b"").is_err());
        assert!(writer.append(&"c".repeat(101), b"").is_err());
        assert!(writer.append_from("d", 3, &b"ab"[..]).is_err());
        let mut writer = Writer::new(Vec::new());
        assert!(writer.append_from("d", 1, &b"ab"[..]).is_err());
    }
}
