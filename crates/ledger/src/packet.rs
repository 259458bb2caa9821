//! Packets: what one needs to verify a stream of records offline, in one deterministic tar file.
//!
//! ```text
//! blobs/sha256/<hex>              exact bytes that records name
//! checkpoint                      the log's signed state, covering every record here
//! manifest.dsse.json              a record that lists every other member with its digest, and each stream's head
//! packet.json                     format, origin, stream, counts; for people
//! proofs/<n>.tlog-proof           inclusion proof of records/<n>
//! proofs/manifest.tlog-proof      inclusion proof of the manifest
//! records/<n>.dsse.json           records in the log's order, n from 000000
//! trust/log.vkey                  the log key, for convenience; a verifier uses its own
//! ```
//!
//! The manifest does not list itself, the checkpoint and the proofs: they are younger than it and are checked by
//! signature and root. The archive has one spelling (see [`archive`]), so every bit of the file is under some check.

pub mod archive;
mod manifest;
mod write;

use gonogo_core::Digest;

pub use manifest::{Manifest, Omitted, StreamHead};
pub use write::{Blob, Contents, PacketSource, Record, Seal, extract_blob, write};

/// The packet format's name.
pub const FORMAT: &str = "gonogo.packet.v1";

/// The predicate's name of a manifest.
pub const MANIFEST_KIND: &str = "packet-manifest";

/// The manifest's member name.
pub const MANIFEST: &str = "manifest.dsse.json";

/// The checkpoint's member name.
pub const CHECKPOINT: &str = "checkpoint";

/// The description's member name.
pub const DESCRIPTION: &str = "packet.json";

/// The log key's member name.
pub const LOG_VKEY: &str = "trust/log.vkey";

/// The member name of the manifest's proof.
pub const MANIFEST_PROOF: &str = "proofs/manifest.tlog-proof";

/// How many records a packet can hold: member names have six digits.
pub const MAX_RECORDS: usize = 1_000_000;

const BLOBS: &str = "blobs/sha256/";

/// Returns the stream that the manifests of packets about `stream` are recorded in.
pub fn manifest_stream(stream: &str) -> String {
    format!("packet/{stream}")
}

/// Returns the member name of record `n`.
pub fn record_member(n: usize) -> String {
    format!("records/{n:06}.dsse.json")
}

/// Returns the member name of the proof of record `n`.
pub fn proof_member(n: usize) -> String {
    format!("proofs/{n:06}.tlog-proof")
}

/// Returns the member name of a blob.
pub fn blob_member(digest: &Digest) -> String {
    format!("{BLOBS}{}", digest.hex())
}

/// What a member's name says that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// A blob with this digest.
    Blob(Digest),
    /// A proof: checked against the root, not listed by the manifest.
    Proof,
    /// The manifest or the checkpoint: checked by their signatures, not listed.
    Signed,
    /// A member that the manifest lists and that is read as a whole.
    Listed,
}

impl Place {
    /// Returns what `name` is; `None` if the layout has no such name.
    pub(crate) fn of(name: &str) -> Option<Self> {
        let numbered = |name: &str, head: &str, tail: &str| {
            name.strip_prefix(head)
                .and_then(|rest| rest.strip_suffix(tail))
                .is_some_and(|n| n.len() == 6 && n.bytes().all(|b| b.is_ascii_digit()))
        };
        match name {
            MANIFEST | CHECKPOINT => Some(Self::Signed),
            DESCRIPTION | LOG_VKEY => Some(Self::Listed),
            MANIFEST_PROOF => Some(Self::Proof),
            _ if numbered(name, "records/", ".dsse.json") => Some(Self::Listed),
            _ if numbered(name, "proofs/", ".tlog-proof") => Some(Self::Proof),
            _ => name
                .strip_prefix(BLOBS)
                .and_then(|hex| Digest::from_hex(hex).ok())
                .map(Self::Blob),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_the_layout_have_a_place() {
        let digest = Digest::of(b"x");
        assert_eq!(Place::of(&blob_member(&digest)), Some(Place::Blob(digest)));
        assert_eq!(Place::of(&record_member(7)), Some(Place::Listed));
        assert_eq!(Place::of(&proof_member(999_999)), Some(Place::Proof));
        for bad in [
            "",
            "/checkpoint",
            "./checkpoint",
            "../checkpoint",
            "records/",
            "records/1.dsse.json",
            "records/00000a.dsse.json",
            "records/../checkpoint",
            "blobs/sha256/../../etc/passwd",
            "blobs/sha256/AB",
            "checkpoint/",
        ] {
            assert_eq!(Place::of(bad), None, "{bad}");
        }
    }
}
