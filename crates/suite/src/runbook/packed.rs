//! Logs that are compressed or packed, told by the bytes they begin with.

/// A format whose text cannot be read as it lies there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Packed {
    /// What it is.
    pub(super) name: &'static str,
    /// The command that writes its text on standard output.
    pub(super) unpack: &'static str,
}

/// Signatures with their places: RFC 1952 (gzip), PKWARE's APPNOTE 4.3 (zip), bzip2's and xz's format descriptions, RFC 8878 (zstd),
/// LZ4's frame format, POSIX `pax` (tar), and what `file` knows of the others.
const KNOWN: &[(usize, &[u8], Packed)] = &[
    (0, b"\x1f\x8b", packed("compressed with gzip", "zcat FILE")),
    (
        0,
        b"\x1f\x9d",
        packed("compressed with compress", "zcat FILE"),
    ),
    (0, b"PK\x03\x04", packed("a zip archive", "unzip -p FILE")),
    (
        0,
        b"PK\x05\x06",
        packed("a zip archive without files", "unzip -p FILE"),
    ),
    (
        0,
        b"PK\x07\x08",
        packed("a part of a zip archive", "unzip -p FILE"),
    ),
    (0, b"\xfd7zXZ\0", packed("compressed with xz", "xzcat FILE")),
    (
        0,
        b"\x28\xb5\x2f\xfd",
        packed("compressed with zstd", "zstdcat FILE"),
    ),
    (
        0,
        b"\x04\x22\x4d\x18",
        packed("compressed with lz4", "lz4 -dc FILE"),
    ),
    (0, b"LZIP", packed("compressed with lzip", "lzip -dc FILE")),
    (
        0,
        b"7z\xbc\xaf\x27\x1c",
        packed("a 7z archive", "7z x -so FILE"),
    ),
    (257, b"ustar", packed("a tar archive", "tar -xOf FILE")),
];

const fn packed(name: &'static str, unpack: &'static str) -> Packed {
    Packed { name, unpack }
}

const BZIP2: Packed = packed("compressed with bzip2", "bzcat FILE");

/// What a log that begins like this is packed as; `None` if it may be text.
pub(super) fn of(head: &[u8]) -> Option<&'static Packed> {
    // `BZh` begins texts, too: the first block, or the end of an empty file, follows.
    let behind = match head {
        [b'B', b'Z', b'h', b'1'..=b'9', rest @ ..] => rest,
        _ => &[],
    };
    if behind.starts_with(b"\x31\x41\x59\x26\x53\x59")
        || behind.starts_with(b"\x17\x72\x45\x38\x50\x90")
    {
        return Some(&BZIP2);
    }
    // A frame of zstd that is to be skipped may come first.
    if matches!(head, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]) {
        return of(b"\x28\xb5\x2f\xfd");
    }
    let found = KNOWN
        .iter()
        .find(|(at, magic, _)| head.get(*at..).is_some_and(|rest| rest.starts_with(magic)));
    found.map(|(_, _, packed)| packed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_none() {
        for text in [
            &b""[..],
            b"PK",
            b"BZh9 is how bzip2 begins",
            b"LZI",
            b"PKI error\n",
            b"\x1b[31mred",
            b"7z x archive",
            b"(\xb5/",
        ] {
            assert_eq!(of(text), None, "{text:?}");
        }
    }
}
