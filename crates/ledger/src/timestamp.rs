//! RFC 3161 timestamps: somebody else's clock says that bytes existed by a certain time.
//!
//! [`request`] makes what a time stamping authority (TSA) is asked, [`accept`] checks its answer, and [`verify`] checks the
//! stored answer again years later. The answer is stored exactly as it came; `openssl ts -verify` checks the same file.
//!
//! Trust comes only from the root certificates that the caller passes: the TSA's certificate must have been issued below one
//! of them, for time stamping and nothing else, and be valid at the time that the TSA states. Revocation is not looked up
//! (no network): a TSA key that was stolen while its certificate was valid can state any time in that span.
//!
//! Certificates are read by `x509-cert`; paths and signatures are checked by `rustls-webpki` on `ring`, the code that checks
//! them for TLS. The CMS structures around (RFC 5652) are few and read here over `der`: the released `cms` and `x509-tsp`
//! belong to an older generation of these crates, and re-encode where the exact bytes are wanted.
//!
//! Invariants: no files, no network, no clock. Everything that is believed is covered by the signature: what is outside of it
//! can be refused here, but adds nothing to the result.

mod asn1;
mod certificate;
mod cms;
mod error;
mod path;
mod tst;
mod verify;

pub use certificate::Certificate;
pub use error::Error;
pub use verify::{Timestamp, accept, verify};

use gonogo_core::Digest;

/// The largest response, in bytes. Usual ones have 1 to 8 kB.
pub const MAX_RESPONSE: usize = 64 << 10;

/// The content type of a request over HTTP (RFC 3161 section 3.4).
pub const REQUEST_TYPE: &str = "application/timestamp-query";

/// The content type of a response over HTTP.
pub const RESPONSE_TYPE: &str = "application/timestamp-reply";

/// DER of MessageImprint with SHA-256 up to the digest: the algorithm with NULL, as OpenSSL writes it, and the octet string's
/// head.
const IMPRINT_HEAD: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05,
    0x00, 0x04, 0x20,
];

/// Returns the DER of a TimeStampReq (RFC 3161 section 2.4.1): version 1, SHA-256 `digest`, `nonce`, and the demand to
/// embed the TSA's certificate. The nonce should be random and used once.
pub fn request(digest: &Digest, nonce: u64) -> Vec<u8> {
    let nonce = asn1::unsigned(nonce);
    let mut body = vec![0x02, 0x01, 0x01];
    body.extend_from_slice(&IMPRINT_HEAD);
    body.extend_from_slice(digest.as_bytes());
    // A u64 has at most 9 octets as INTEGER, so every length here is one octet.
    body.extend_from_slice(&[0x02, nonce.len() as u8]);
    body.extend_from_slice(&nonce);
    body.extend_from_slice(&[0x01, 0x01, 0xff]);
    let mut out = vec![0x30, body.len() as u8];
    out.extend_from_slice(&body);
    out
}
