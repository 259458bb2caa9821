//! Compressed logs as they are: gzip (one member or many), zstd (frames), bzip2, xz, or plain; cut files up to the cut.
//!
//! A file is read in parts that several threads can take: plain files in pieces, gzip and zstd by the members that begin within a
//! piece. Whether a part begins where the one before it ended is checked by who puts them together, so a piece of data that only
//! looks like a header costs time and nothing else. Small gzip members, whose size their trailer tells, are inflated whole by
//! libdeflate; everything else is streamed.

use std::io::{self, Read};

use super::source::{From, ReadAt, fill_at};

/// Bytes of a plain part.
const PLAIN_PART: u64 = 8 << 20;

/// Compressed bytes in which a part's members begin.
const PACKED_PART: u64 = 4 << 20;

/// Most bytes of a gzip member that is inflated whole.
const WHOLE_MEMBER: usize = 20 << 20;

/// Most compressed bytes that are looked at to find a member's end.
const WINDOW: usize = 16 << 20;

/// Compressed bytes that are looked at first.
const WINDOW_STEP: usize = 4 << 20;

/// Bytes that are handed on at once.
pub(crate) const BLOCK: usize = 256 << 10;

/// Memory that an xz stream may ask for, KiB.
const XZ_MEMORY: u32 = 72 << 10;

/// How a file is packed, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    Plain,
    Gzip,
    Zstd,
    Bzip2,
    Xz,
}

/// A part of a file: what begins in `[from, to)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) packing: Packing,
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) size: u64,
}

/// What a part turned out to be.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Unpacked {
    /// Where its first member begins; none if none begins in it.
    pub(crate) from: Option<u64>,
    /// Where its last member ends: the next one must begin there.
    pub(crate) to: u64,
    /// Why it could not be read on.
    pub(crate) trouble: Option<Trouble>,
}

/// Why a file cannot be read on, and where.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Trouble {
    /// Byte in the stored file.
    pub(crate) at: u64,
    /// Whether it was merely cut.
    pub(crate) cut: bool,
    pub(crate) reason: String,
}

/// Memory that is used again from part to part.
pub(crate) struct Scratch {
    packed: Vec<u8>,
    base: u64,
    raw: Vec<u8>,
    inflater: libdeflater::Decompressor,
}

impl Default for Scratch {
    fn default() -> Self {
        Self {
            packed: Vec::new(),
            base: 0,
            raw: Vec::new(),
            inflater: libdeflater::Decompressor::new(),
        }
    }
}

/// Tells how a file is packed.
pub(crate) fn packing(source: &(impl ReadAt + ?Sized)) -> io::Result<Packing> {
    let mut head = [0; 6];
    let count = fill_at(source, 0, &mut head)?;
    Ok(match &head[..count] {
        [0x1f, 0x8b, 8, ..] => Packing::Gzip,
        // A frame, or a skippable one as seekable files begin with.
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Packing::Zstd,
        [b'B', b'Z', b'h', b'1'..=b'9', ..] => Packing::Bzip2,
        [0xfd, b'7', b'z', b'X', b'Z', 0] => Packing::Xz,
        _ => Packing::Plain,
    })
}

/// Cuts a file into parts, in order.
pub(crate) fn parts(packing: Packing, size: u64) -> Vec<Part> {
    let width = match packing {
        Packing::Plain => PLAIN_PART,
        // Up to one and a half parts at once: most files have one member.
        Packing::Gzip | Packing::Zstd if size > PACKED_PART * 3 / 2 => PACKED_PART,
        _ => size.max(1),
    };
    (0..size.div_ceil(width))
        .map(|i| Part {
            packing,
            from: i * width,
            to: ((i + 1) * width).min(size),
            size,
        })
        .collect()
}

/// Returns up to where a part's result depends on the file's bytes, if its last member is not long.
pub(crate) fn covered(part: Part) -> u64 {
    match part.packing {
        Packing::Gzip | Packing::Zstd => part.to.saturating_add(PACKED_PART).min(part.size),
        _ => part.to,
    }
}

/// Reads a part and hands its bytes to `take`. `known` is where its first member begins, if that is known.
pub(crate) fn unpack<S: ReadAt + ?Sized>(
    source: &S,
    part: Part,
    known: Option<u64>,
    scratch: &mut Scratch,
    take: &mut dyn FnMut(&[u8]),
) -> Unpacked {
    let mut done = Unpacked {
        from: Some(part.from),
        to: part.to,
        trouble: None,
    };
    let result = match part.packing {
        Packing::Plain => plain(source, part, scratch, take),
        Packing::Bzip2 => whole(
            bzip2::bufread::MultiBzDecoder::new(From::new(source, part.from, part.size)),
            take,
        ),
        Packing::Xz => whole(
            lzma_rust2::XzReader::new_mem_limit(
                From::new(source, part.from, part.size),
                true,
                XZ_MEMORY,
            ),
            take,
        ),
        Packing::Gzip | Packing::Zstd => {
            return members(source, part, known, scratch, take);
        }
    };
    if let Err(e) = result {
        done.trouble = Some(trouble(part.from, &e));
    }
    done
}

fn trouble(at: u64, error: &io::Error) -> Trouble {
    let text = error.to_string();
    let cut = error.kind() == io::ErrorKind::UnexpectedEof
        || text.contains("incomplete frame")
        || text.contains("unexpected end")
        || text.contains("not at end of stream");
    Trouble {
        at,
        cut,
        reason: text,
    }
}

fn plain<S: ReadAt + ?Sized>(
    source: &S,
    part: Part,
    scratch: &mut Scratch,
    take: &mut dyn FnMut(&[u8]),
) -> io::Result<()> {
    scratch.raw.resize(scratch.raw.len().max(BLOCK), 0);
    let mut at = part.from;
    while at < part.to {
        let room = (part.to - at).min(BLOCK as u64) as usize;
        let count = fill_at(source, at, &mut scratch.raw[..room])?;
        if count == 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the file became shorter",
            ));
        }
        take(&scratch.raw[..count]);
        at += count as u64;
    }
    Ok(())
}

fn whole(mut reader: impl Read, take: &mut dyn FnMut(&[u8])) -> io::Result<()> {
    let mut buffer = vec![0; BLOCK];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => take(&buffer[..count]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

/// Reads the members that begin in `part`.
fn members<S: ReadAt + ?Sized>(
    source: &S,
    part: Part,
    known: Option<u64>,
    scratch: &mut Scratch,
    take: &mut dyn FnMut(&[u8]),
) -> Unpacked {
    scratch.packed.clear();
    let failed = |from, at, e: &io::Error| Unpacked {
        from,
        to: at,
        trouble: Some(trouble(at, e)),
    };
    let first = match known.or((part.from == 0).then_some(0)) {
        Some(first) => Ok(Some(first)),
        None => next_header(source, part, part.from, scratch),
    };
    let first = match first {
        Ok(Some(first)) if first < part.to => first,
        Ok(_) => {
            return Unpacked {
                from: None,
                to: part.from,
                trouble: None,
            };
        }
        Err(e) => return failed(None, part.from, &e),
    };
    let mut at = first;
    while at < part.to {
        let step = match part.packing {
            Packing::Gzip => gzip(source, part, at, scratch, take),
            _ => zstd(source, part, at, take),
        };
        match step {
            Ok(next) if next > at => at = next,
            Ok(_) => {
                return failed(
                    Some(first),
                    at,
                    &io::Error::other("what follows is no member"),
                );
            }
            Err(e) => return failed(Some(first), at, &e),
        }
    }
    Unpacked {
        from: Some(first),
        to: at,
        trouble: None,
    }
}

fn is_header(packing: Packing, bytes: &[u8]) -> bool {
    match (packing, bytes) {
        (Packing::Gzip, [0x1f, 0x8b, 8, flags, ..]) => flags & 0xe0 == 0,
        (Packing::Zstd, [0x28, 0xb5, 0x2f, 0xfd, ..]) => true,
        (Packing::Zstd, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]) => true,
        _ => false,
    }
}

/// Gives a buffer exactly so many bytes. One that is too small is replaced by one of the next of two sizes: growing step by step
/// would leave each step's memory behind, and what is never written to is not there.
fn sized(buffer: &mut Vec<u8>, bytes: usize) {
    if buffer.capacity() < bytes {
        *buffer = Vec::new();
        let room = if bytes <= WINDOW_STEP {
            WINDOW_STEP
        } else {
            WHOLE_MEMBER
        };
        buffer.reserve_exact(room.max(bytes));
    }
    buffer.resize(bytes, 0);
}

/// Finds what looks like a header at `from` or later in the part.
fn next_header<S: ReadAt + ?Sized>(
    source: &S,
    part: Part,
    from: u64,
    scratch: &mut Scratch,
) -> io::Result<Option<u64>> {
    let room = (part.to - from).saturating_add(3).min(part.size - from) as usize;
    sized(&mut scratch.packed, room);
    let count = fill_at(source, from, &mut scratch.packed)?;
    scratch.packed.truncate(count);
    scratch.base = from;
    let found = (0..count).find(|i| is_header(part.packing, &scratch.packed[*i..]));
    Ok(found.map(|i| from + i as u64))
}

/// Reads the member at `at`; returns where it ends.
fn gzip<S: ReadAt + ?Sized>(
    source: &S,
    part: Part,
    at: u64,
    scratch: &mut Scratch,
    take: &mut dyn FnMut(&[u8]),
) -> io::Result<u64> {
    if let Some(end) = inflate(source, part, at, scratch)? {
        for block in scratch.raw.chunks(BLOCK) {
            take(block);
        }
        return Ok(end);
    }
    let mut reader = flate2::bufread::GzDecoder::new(From::new(source, at, part.size));
    let result = whole(&mut reader, take);
    let end = reader.into_inner().place();
    match result {
        Ok(()) => Ok(end),
        // Padding behind the last member is no member and no damage, as gzip has it.
        Err(_) if at > 0 && is_padding(source, at, part.size)? => Ok(part.size),
        Err(e) => Err(e),
    }
}

fn is_padding<S: ReadAt + ?Sized>(source: &S, mut at: u64, size: u64) -> io::Result<bool> {
    let mut buffer = vec![0; 64 << 10];
    while at < size {
        let count = fill_at(source, at, &mut buffer)?;
        if count == 0 || buffer[..count].iter().any(|b| *b != 0) {
            return Ok(false);
        }
        at += count as u64;
    }
    Ok(true)
}

/// Inflates a whole member into `scratch.raw` if its end can be found and its size is small.
fn inflate<S: ReadAt + ?Sized>(
    source: &S,
    part: Part,
    at: u64,
    scratch: &mut Scratch,
) -> io::Result<Option<u64>> {
    let mut window = 0;
    loop {
        let have = scratch.base + scratch.packed.len() as u64;
        if window > 0 || at < scratch.base || at + 18 > have {
            let there = (part.size - at).min(window.max(WINDOW_STEP) as u64) as usize;
            sized(&mut scratch.packed, there);
            let count = fill_at(source, at, &mut scratch.packed)?;
            scratch.packed.truncate(count);
            scratch.base = at;
        }
        let bytes = &scratch.packed[(at - scratch.base) as usize..];
        if !is_header(Packing::Gzip, bytes) || bytes.len() < 18 {
            return Ok(None);
        }
        // No member is without a header that this finds, so nothing between here and there is another member.
        let next = memchr::memmem::find_iter(&bytes[18..], &[0x1f, 0x8b, 8])
            .map(|i| i + 18)
            .find(|i| is_header(Packing::Gzip, &bytes[*i..]));
        let at_end = scratch.base + scratch.packed.len() as u64 >= part.size;
        let end = match next {
            Some(next) => next,
            None if at_end => bytes.len(),
            None if window < WINDOW => {
                window = if window == 0 { WINDOW_STEP } else { window * 2 };
                continue;
            }
            None => return Ok(None),
        };
        let member = &bytes[..end];
        let Some(size) = member
            .last_chunk::<4>()
            .map(|s| u32::from_le_bytes(*s) as usize)
        else {
            return Ok(None);
        };
        if size > WHOLE_MEMBER {
            return Ok(None);
        }
        sized(&mut scratch.raw, size);
        return Ok(
            match scratch.inflater.gzip_decompress(member, &mut scratch.raw) {
                Ok(count) if count == size => Some(at + end as u64),
                _ => None,
            },
        );
    }
}

/// Reads the frame at `at`; returns where it ends.
fn zstd<S: ReadAt + ?Sized>(
    source: &S,
    part: Part,
    at: u64,
    take: &mut dyn FnMut(&[u8]),
) -> io::Result<u64> {
    let mut head = [0; 8];
    let count = fill_at(source, at, &mut head)?;
    if let [0x50..=0x5f, 0x2a, 0x4d, 0x18, a, b, c, d] = head[..count] {
        let length = u64::from(u32::from_le_bytes([a, b, c, d]));
        return Ok((at + 8 + length).min(part.size));
    }
    let mut reader =
        zstd::stream::read::Decoder::with_buffer(From::new(source, at, part.size))?.single_frame();
    // A frame that asks for more than 128 MiB of memory is refused.
    reader.window_log_max(27)?;
    whole(&mut reader, take)?;
    Ok(reader.finish().place())
}
