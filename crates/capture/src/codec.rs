//! Compression of closed members: gzip and zstd, level 1, each member a stream of its own that every tool reads.
//!
//! A gzip member of some size is compressed in two halves at once, the first one flushed to a byte's border (RFC 1951, a stored block
//! of no length), so that both make one stream: whoever prints fast must not wait for one core.

use std::io::{self, Read};
use std::thread;

use flate2::{Compress, FlushCompress, Status};
use gonogo_dryrun::spec::Compression;

/// Bytes that are worth a second thread.
const HALVES: usize = 512 << 10;

/// Compresses a member.
pub(crate) fn compress(compression: Compression, bytes: &[u8]) -> io::Result<Vec<u8>> {
    match compression {
        Compression::None => Ok(bytes.to_vec()),
        Compression::Gzip => gzip(bytes),
        Compression::Zstd => {
            let mut encoder = zstd::bulk::Compressor::new(1)?;
            encoder.include_checksum(true)?;
            encoder.compress(bytes)
        }
    }
}

/// One member as RFC 1952 has it: no name, no time, so that the same bytes give the same member.
fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let middle = if bytes.len() < HALVES {
        bytes.len()
    } else {
        bytes.len() / 2
    };
    let (first, second) = bytes.split_at(middle);
    let mut out = Vec::with_capacity(bytes.len() / 4 + 64);
    // Deflate; made by a Unix; as fast as can be.
    out.extend_from_slice(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 3]);
    let mut crc = libdeflater::Crc::new();
    if second.is_empty() {
        deflate(first, FlushCompress::Finish, &mut out)?;
        crc.update(bytes);
    } else {
        let rest = thread::scope(|scope| {
            let work = || {
                let mut rest = Vec::with_capacity(second.len() / 4 + 64);
                deflate(second, FlushCompress::Finish, &mut rest).map(|()| rest)
            };
            let beside = thread::Builder::new().spawn_scoped(scope, work);
            deflate(first, FlushCompress::Sync, &mut out)?;
            crc.update(bytes);
            match beside {
                Ok(beside) => beside
                    .join()
                    .unwrap_or_else(|_| Err(io::Error::other("the compression panicked"))),
                // No thread to be had: one after the other.
                Err(_) => work(),
            }
        })?;
        out.extend_from_slice(&rest);
    }
    out.extend_from_slice(&crc.sum().to_le_bytes());
    // The length modulo 2^32, by the format.
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    Ok(out)
}

/// Compresses `bytes` to a stream without a header, at the end of `out`.
fn deflate(bytes: &[u8], flush: FlushCompress, out: &mut Vec<u8>) -> io::Result<()> {
    let mut state = Compress::new(flate2::Compression::new(1), false);
    loop {
        if out.capacity() == out.len() {
            out.reserve(bytes.len() / 8 + 64);
        }
        let rest = bytes.get(state.total_in() as usize..).unwrap_or_default();
        let status = state
            .compress_vec(rest, out, flush)
            .map_err(io::Error::other)?;
        let room = out.capacity() > out.len();
        let all = state.total_in() == bytes.len() as u64;
        match (status, flush) {
            (Status::StreamEnd, _) => return Ok(()),
            // What is to be flushed has been, once there is room left over.
            (_, FlushCompress::Sync) if all && room => return Ok(()),
            _ => {}
        }
    }
}

/// Opens a member's bytes again; more than `length` bytes are not read, so that what was forged cannot fill the memory.
pub(crate) fn expand(compression: Compression, bytes: &[u8], length: u64) -> io::Result<Vec<u8>> {
    let mut out = Vec::with_capacity(length as usize);
    match compression {
        Compression::None => out.extend_from_slice(bytes),
        Compression::Gzip => {
            flate2::read::GzDecoder::new(bytes)
                .take(length + 1)
                .read_to_end(&mut out)?;
        }
        Compression::Zstd => {
            zstd::stream::read::Decoder::with_buffer(bytes)?
                .take(length + 1)
                .read_to_end(&mut out)?;
        }
    }
    if out.len() as u64 == length {
        Ok(out)
    } else {
        Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("the member opens to another length than {length}"),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines of a log, or bytes that cannot be made smaller.
    fn sample(length: usize, dense: bool) -> Vec<u8> {
        let mut random = fastrand::Rng::with_seed(length as u64);
        let mut bytes = Vec::new();
        while bytes.len() < length {
            if dense {
                bytes.push(random.u8(..));
            } else {
                let line = format!("{{\"level\":\"info\",\"n\":{}}}\n", random.u32(..));
                bytes.extend_from_slice(line.as_bytes());
            }
        }
        bytes.truncate(length);
        bytes
    }

    #[test]
    fn members_of_any_length_open_again_with_any_tool() {
        for length in [
            0,
            1,
            100,
            HALVES - 1,
            HALVES,
            HALVES + 1,
            3 << 20,
            5_000_001,
        ] {
            for dense in [false, true] {
                let bytes = sample(length, dense);
                for compression in [Compression::Gzip, Compression::Zstd] {
                    let stored = compress(compression, &bytes).unwrap();
                    assert_eq!(
                        stored,
                        compress(compression, &bytes).unwrap(),
                        "the same bytes give the same member"
                    );
                    let opened = expand(compression, &stored, length as u64).unwrap();
                    assert!(opened == bytes, "{compression:?} of {length}");
                    assert!(expand(compression, &stored, length as u64 + 1).is_err());
                }
                // One member and nothing behind it, by a reader that knows nothing of halves.
                let stored = compress(Compression::Gzip, &bytes).unwrap();
                let mut opened = vec![0; length];
                let count = libdeflater::Decompressor::new()
                    .gzip_decompress(&stored, &mut opened)
                    .unwrap();
                assert!(count == length && opened == bytes, "{length}");
            }
        }
    }

    #[test]
    fn a_member_that_was_changed_does_not_open() {
        let bytes = sample(2 << 20, false);
        let mut stored = compress(Compression::Gzip, &bytes).unwrap();
        let last = stored.len() - 6;
        stored[last] ^= 1;
        assert!(expand(Compression::Gzip, &stored, bytes.len() as u64).is_err());
    }
}
