//! Where bytes come from: files, blobs of a packet, memory. Read at places, so that several threads can read one file.

use std::io::{self, BufRead, Read};

/// Bytes that can be read at any place.
pub trait ReadAt: Send + Sync {
    /// Returns how many bytes there are.
    ///
    /// # Errors
    /// What the system says.
    fn size(&self) -> io::Result<u64>;

    /// Reads at `offset` into `into`; returns how many bytes, 0 only at the end.
    ///
    /// # Errors
    /// What the system says.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize>;
}

impl ReadAt for [u8] {
    fn size(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let from = usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(self.len());
        let count = into.len().min(self.len() - from);
        into[..count].copy_from_slice(&self[from..from + count]);
        Ok(count)
    }
}

impl ReadAt for Vec<u8> {
    fn size(&self) -> io::Result<u64> {
        self.as_slice().size()
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        self.as_slice().read_at(offset, into)
    }
}

#[cfg(unix)]
impl ReadAt for std::fs::File {
    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(self, into, offset)
    }
}

impl<T: ReadAt + ?Sized> ReadAt for &T {
    fn size(&self) -> io::Result<u64> {
        (**self).size()
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        (**self).read_at(offset, into)
    }
}

impl<T: ReadAt + ?Sized> ReadAt for Box<T> {
    fn size(&self) -> io::Result<u64> {
        (**self).size()
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        (**self).read_at(offset, into)
    }
}

/// Fills `into` as far as there are bytes; returns how many.
///
/// # Errors
/// What the system says.
pub(crate) fn fill_at(
    source: &(impl ReadAt + ?Sized),
    offset: u64,
    into: &mut [u8],
) -> io::Result<usize> {
    let mut count = 0;
    while count < into.len() {
        match source.read_at(offset + count as u64, &mut into[count..]) {
            Ok(0) => break,
            Ok(n) => count += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(count)
}

/// Reads on from a place, up to another.
pub(crate) struct From<'a, S: ?Sized> {
    source: &'a S,
    offset: u64,
    end: u64,
    buffer: Vec<u8>,
    from: usize,
    to: usize,
}

impl<'a, S: ReadAt + ?Sized> From<'a, S> {
    pub(crate) fn new(source: &'a S, offset: u64, end: u64) -> Self {
        Self {
            source,
            offset,
            end,
            buffer: vec![0; 128 << 10],
            from: 0,
            to: 0,
        }
    }

    /// Where the next byte is.
    pub(crate) const fn place(&self) -> u64 {
        self.offset - (self.to - self.from) as u64
    }
}

impl<S: ReadAt + ?Sized> Read for From<'_, S> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let there = self.fill_buf()?;
        let count = there.len().min(into.len());
        into[..count].copy_from_slice(&there[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl<S: ReadAt + ?Sized> BufRead for From<'_, S> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.from == self.to {
            let room =
                (self.end.saturating_sub(self.offset)).min(self.buffer.len() as u64) as usize;
            self.from = 0;
            self.to = 0;
            self.to = self.source.read_at(self.offset, &mut self.buffer[..room])?;
            self.offset += self.to as u64;
        }
        Ok(&self.buffer[self.from..self.to])
    }

    fn consume(&mut self, count: usize) {
        self.from = (self.from + count).min(self.to);
    }
}
