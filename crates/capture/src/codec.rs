//! Compression of closed members: gzip and zstd, level 1, each member a stream of its own that every tool reads.

use std::io::{self, Read, Write};

use flate2::write::GzEncoder;
use gonogo_dryrun::spec::Compression;

/// Compresses a member.
pub(crate) fn compress(compression: Compression, bytes: &[u8]) -> io::Result<Vec<u8>> {
    match compression {
        Compression::None => Ok(bytes.to_vec()),
        Compression::Gzip => {
            let room = Vec::with_capacity(bytes.len() / 4 + 64);
            let mut encoder = GzEncoder::new(room, flate2::Compression::new(1));
            encoder.write_all(bytes)?;
            encoder.finish()
        }
        Compression::Zstd => {
            let mut encoder = zstd::bulk::Compressor::new(1)?;
            encoder.include_checksum(true)?;
            encoder.compress(bytes)
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
