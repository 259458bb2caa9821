//! Packets: what one needs to verify a stream of records offline, in one deterministic tar file.
//!
//! ```text
//! SHA256SUMS                      blobs, packet.json and trust/… with their digests, as `sha256sum -c` reads them
//! blobs/sha256/<hex>              exact bytes that records name
//! checkpoint                      the log's signed state, with cosignatures, covering every record here
//! checkpoint.tsr                  optional: an RFC 3161 time-stamp of the checkpoint's bytes
//! consistency/<size>.proof        proof that the checkpoint's tree extends the tree of <size> leaves
//! manifest.sigstore.json          the bundle of a record that commits to all of this
//! packet.json                     format, origin, stream, counts; for people
//! proofs/<n>.tlog-proof           inclusion proof of records/<n>, for C2SP tools
//! proofs/manifest.tlog-proof      inclusion proof of the manifest
//! records/<n>.sigstore.json       bundles of the records in the log's order, n from 000000
//! trust/policy                    C2SP tlog-policy, for convenience; a verifier uses its own
//! trust/trusted_root.json         Sigstore TrustedRoot, likewise
//! ```
//!
//! A bundle holds a proof, and the proof a checkpoint, that are younger than the manifest: the manifest cannot name the
//! digest of a file of bundles. It commits to the records' leaves, in order, and to `SHA256SUMS`; everything else in a
//! bundle has one spelling, which the verifier writes again. The archive has one spelling too (see [`archive`]), so every bit
//! is under some check. Directories unpacked from a packet verify like the packet (see [`archive::Listed`]).

pub mod archive;
mod manifest;
pub(crate) mod write;

use gonogo_core::Digest;

pub use manifest::{Manifest, Omitted, RecordsDigest, StreamHead, Tally};
pub use write::{Blob, Contents, PacketSource, Seal, extract_blob, holds_blob, write};

/// The packet format's name.
pub const FORMAT: &str = "gonogo.packet.v2";

/// The predicate's name of a manifest.
pub const MANIFEST_KIND: &str = "packet-manifest";

/// The list of members that are older than the manifest.
pub const SUMS: &str = "SHA256SUMS";

/// The checkpoint's member name.
pub const CHECKPOINT: &str = "checkpoint";

/// The member name of the checkpoint's time-stamp.
pub const TIMESTAMP: &str = "checkpoint.tsr";

/// The manifest's member name.
pub const MANIFEST: &str = "manifest.sigstore.json";

/// The description's member name.
pub const DESCRIPTION: &str = "packet.json";

/// The policy's member name.
pub const POLICY: &str = "trust/policy";

/// The trusted root's member name.
pub const TRUSTED_ROOT: &str = "trust/trusted_root.json";

/// The member name of the manifest's proof.
pub const MANIFEST_PROOF: &str = "proofs/manifest.tlog-proof";

/// How many records a packet can hold: member names have six digits.
pub const MAX_RECORDS: usize = 1_000_000;

/// How many consistency proofs a packet can hold.
pub const MAX_CONSISTENCY: usize = 1024;

/// The largest `checkpoint`, `packet.json` or `trust/…`, in bytes.
pub const MAX_SMALL: usize = 256 << 10;

/// The largest proof, in bytes: index, path and checkpoint.
pub const MAX_PROOF: usize = MAX_SMALL + 4096;

const BLOBS: &str = "blobs/sha256/";

/// Returns the stream that the manifests of packets about `stream` are recorded in.
pub fn manifest_stream(stream: &str) -> String {
    format!("packet/{stream}")
}

/// Returns the member name of record `n`.
pub fn record_member(n: usize) -> String {
    format!("records/{n:06}.sigstore.json")
}

/// Returns the member name of the proof of record `n`.
pub fn proof_member(n: usize) -> String {
    format!("proofs/{n:06}.tlog-proof")
}

/// Returns the member name of the proof that the tree extends that of the first `size` leaves.
pub fn consistency_member(size: u64) -> String {
    format!("consistency/{size}.proof")
}

/// Returns the member name of a blob.
pub fn blob_member(digest: &Digest) -> String {
    format!("{BLOBS}{}", digest.hex())
}

/// Returns one line of [`SUMS`].
pub fn sums_line(digest: &Digest, name: &str) -> String {
    format!("{}  {name}\n", digest.hex())
}

/// What a member's name says that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// [`SUMS`].
    Sums,
    /// A blob with this digest.
    Blob(Digest),
    /// [`CHECKPOINT`].
    Checkpoint,
    /// [`TIMESTAMP`].
    Timestamp,
    /// The consistency proof from a tree of this size.
    Consistency(u64),
    /// [`MANIFEST`].
    Manifest,
    /// [`DESCRIPTION`].
    Description,
    /// The proof of a record.
    Proof(usize),
    /// [`MANIFEST_PROOF`].
    ManifestProof,
    /// A record.
    Record(usize),
    /// [`POLICY`].
    Policy,
    /// [`TRUSTED_ROOT`].
    TrustedRoot,
}

impl Place {
    /// Returns what `name` is; `None` if the layout has no such name.
    pub(crate) fn of(name: &str) -> Option<Self> {
        let numbered = |head: &str, tail: &str| {
            let n = name.strip_prefix(head)?.strip_suffix(tail)?;
            let six = n.len() == 6 && n.bytes().all(|b| b.is_ascii_digit());
            six.then(|| n.parse().ok()).flatten()
        };
        let consistency = || {
            let size = name.strip_prefix("consistency/")?.strip_suffix(".proof")?;
            crate::note::parse_decimal(size)
        };
        let blob = || Digest::from_hex(name.strip_prefix(BLOBS)?).ok();
        Some(match name {
            SUMS => Self::Sums,
            CHECKPOINT => Self::Checkpoint,
            TIMESTAMP => Self::Timestamp,
            MANIFEST => Self::Manifest,
            DESCRIPTION => Self::Description,
            MANIFEST_PROOF => Self::ManifestProof,
            POLICY => Self::Policy,
            TRUSTED_ROOT => Self::TrustedRoot,
            _ => {
                return numbered("records/", ".sigstore.json")
                    .map(Self::Record)
                    .or_else(|| numbered("proofs/", ".tlog-proof").map(Self::Proof))
                    .or_else(|| consistency().map(Self::Consistency))
                    .or_else(|| blob().map(Self::Blob));
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_the_layout_have_a_place() {
        let digest = Digest::of(b"x");
        assert_eq!(Place::of(&blob_member(&digest)), Some(Place::Blob(digest)));
        assert_eq!(Place::of(&record_member(7)), Some(Place::Record(7)));
        assert_eq!(
            Place::of(&proof_member(999_999)),
            Some(Place::Proof(999_999))
        );
        assert_eq!(
            Place::of(&consistency_member(12)),
            Some(Place::Consistency(12))
        );
        for bad in [
            "",
            "/checkpoint",
            "./checkpoint",
            "../checkpoint",
            "records/",
            "records/1.sigstore.json",
            "records/00000a.sigstore.json",
            "records/+00001.sigstore.json",
            "records/../checkpoint",
            "consistency/01.proof",
            "consistency/.proof",
            "blobs/sha256/../../etc/passwd",
            "blobs/sha256/AB",
            "checkpoint/",
            "sha256sums",
        ] {
            assert_eq!(Place::of(bad), None, "{bad}");
        }
    }
}
