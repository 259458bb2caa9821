//! The targets: for each reader, what must hold of whatever it reads.
//!
//! A target is opened once, with the world of its seeds, and then run on each input. Invariants checked everywhere: what has
//! one spelling is printed back to the same bytes, and nothing verifies that the keys of the world did not sign.

mod notes;
mod outside;
mod packets;
mod records;
mod tiles;

use crate::world::World;

pub(crate) use packets::{Members, pack, unpack};
pub(crate) use tiles::honest;

/// Looks at one input; panics if something does not hold.
pub(crate) type Run = Box<dyn Fn(&[u8]) + Send + Sync>;

/// A reader and how to feed it.
pub(crate) struct Target {
    pub(crate) name: &'static str,
    /// The longest input, in bytes: enough for every form, small enough for speed.
    pub(crate) max_len: usize,
    pub(crate) open: fn(World) -> Run,
    /// Words of the format.
    pub(crate) words: &'static [&'static str],
}

const NOTE: &[&str] = &[
    "\n\n",
    "\u{2014} ",
    "\n\n\u{2014} ",
    "AAAAAAAA",
    "AAAAAA==",
    " ",
    "\n",
    "\u{85}",
    "\u{a0}",
    "\u{7f}",
    "+",
];

const TEXT: &[&str] = &[
    "\n",
    "\n\n",
    " ",
    "0",
    "00",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "=",
    "==",
    "\u{2014} ",
];

const JSON: &[&str] = &[
    "\"",
    "\\\"",
    "\\u0000",
    "\\ud800",
    "\\ud83d\\ude00",
    "null",
    "true",
    "false",
    "{}",
    "[]",
    "[[",
    "{\"\":",
    ",",
    ":",
    "1e400",
    "-0",
    "0.1",
    "1E5",
    "9007199254740991",
    "9007199254740992",
    "18446744073709551615",
    "\u{7f}",
    "\u{ffff}",
    "sha256:",
    "\"digest\":",
    "\"payload\":\"",
    "\"payloadType\":\"application/vnd.in-toto+json\"",
    "\"signatures\":[",
    "\"keyid\":\"",
    "\"sig\":\"",
];

const STATEMENT: &[&str] = &[
    "0",
    "00",
    "01",
    "-01",
    "1.0",
    "1e0",
    " ",
    "\"",
    "\\\"",
    "\\u0000",
    "\\n",
    "null",
    "true",
    "{}",
    "[]",
    "[[",
    ",",
    ":",
    "-0",
    "-1",
    "0.5",
    "1e21",
    "9007199254740991",
    "9007199254740992",
    "\u{7f}",
    "\u{ffff}",
    "\u{1f600}",
    "\u{e9}",
    "sha256:",
    "system",
    "key-event",
    "packet-manifest",
    "\"event\":\"enrol\"",
    "\"event\":\"revoke\"",
    "\"keyid\":\"",
    "\"spki\":\"",
    "\"who\":\"",
    "\"role\":\"controller\"",
    "\"why\":\"",
    "https://gonogo.dev/attestation/",
    "https://in-toto.io/Statement/v1",
    "\"seq\":0",
    "\"seq\":1",
    "\"prev\":null",
    "2026-11-18T00:26:40.000Z",
];

const OUTSIDE: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    "\"",
    ",",
    ":",
    "\n",
    "<",
    "</",
    "/>",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "&amp;",
    "&#x41;",
    "<?xml ",
    "<!DOCTYPE ",
    "<testsuites",
    "<testsuite ",
    "<testcase ",
    "<failure",
    "<error",
    "<skipped",
    "tests=\"",
    "failures=\"",
    "name=\"",
    "time=\"",
    "\"payload\":\"",
    "\"payloadType\":\"",
    "\"signatures\":[",
    "\"sig\":\"",
    "\"keyid\":\"",
    "\"mediaType\":\"application/vnd.dev.sigstore.bundle.v0.3+json\"",
    "\"dsseEnvelope\":",
    "\"verificationMaterial\":",
    "\"publicKey\":{\"hint\":\"",
    "\"certificate\":{\"rawBytes\":\"",
    "\"tlogEntries\":[]",
    "\"timestampVerificationData\":{}",
    "\"spdxVersion\":\"SPDX-2.3\"",
    "\"bomFormat\":\"CycloneDX\"",
    "\"specVersion\":\"1.6\"",
    "\"packages\":[",
    "\"components\":[",
    "\"_type\":\"https://in-toto.io/Statement/v1\"",
    "\"predicateType\":\"https://slsa.dev/provenance/v1\"",
    "\"subject\":[",
    "\"predicate\":{",
    "\u{feff}",
    "-_==",
];

const DER: &[&str] = &[
    "\u{30}\u{1}",
    "0\u{3}\u{2}\u{1}",
    "\u{2}\u{1}\u{0}",
    "\u{2}\u{1}\u{1}",
    "\u{5}\u{0}",
    "\u{18}\u{f}",
    "Z",
    "\u{4}\u{20}",
    "1\u{0}",
    "0\u{0}",
];

const TILES: &[&str] = &[
    "tile/",
    "tile/entries/",
    "tile/0/",
    "tile/7/",
    "tile/8/",
    "tile/63/",
    "x000/",
    "x001/",
    "x999/",
    "000",
    "001",
    "999",
    ".p/",
    ".p/1",
    ".p/255",
    ".p/256",
    "18/446/744/073/709/551/615",
];

pub(crate) const TARGETS: [Target; 19] = [
    target("note", 8 << 10, notes::note, NOTE),
    target("checkpoint", 4 << 10, notes::checkpoint, TEXT),
    target("vkey", 4 << 10, notes::vkey, NOTE),
    target(
        "policy",
        8 << 10,
        notes::policy,
        &[
            "log ", "witness ", "group ", "quorum ", "none", "all", "any", "\t", "#", "\n", "1",
            "2",
        ],
    ),
    target("cosignature", 4 << 10, notes::cosignature, NOTE),
    target(
        "witness",
        8 << 10,
        notes::witness,
        &[
            "old ",
            "old 0\n",
            "\n",
            "\n\n",
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
            "18446744073709551615",
        ],
    ),
    target("tile-path", 96, tiles::path, TILES),
    target(
        "tile",
        64 << 10,
        tiles::content,
        &["\u{0}\u{0}", "\u{0}\u{1}", "\u{1}\u{0}"],
    ),
    target(
        "tlog-proof",
        8 << 10,
        records::tlog_proof,
        &[
            "c2sp.org/tlog-proof@v1\n",
            "extra ",
            "index ",
            "\n\n",
            "index 0\n",
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        ],
    ),
    target("bundle", 16 << 10, records::bundle, JSON),
    target("dsse", 8 << 10, records::dsse, JSON),
    target("statement", 8 << 10, records::statement, STATEMENT),
    target("signed", 8 << 10, packets::signed, STATEMENT),
    target(
        "archive",
        64 << 10,
        packets::archive,
        &["ustar", "0000644", "00000000000"],
    ),
    target(
        "packet",
        96 << 10,
        packets::packet,
        &[
            "ustar",
            "0000644",
            "00000000000",
            "\u{2014} ",
            "records/",
            "proofs/",
            "consistency/",
            ".proof",
        ],
    ),
    target("trusted-root", 8 << 10, records::trusted_root, JSON),
    target("attestation", 32 << 10, outside::attestation, OUTSIDE),
    target("timestamp", 8 << 10, outside::timestamp, DER),
    target(
        "keys",
        8 << 10,
        outside::keys,
        &[
            "-----BEGIN PUBLIC KEY-----\n",
            "-----END PUBLIC KEY-----\n",
            "-----BEGIN CERTIFICATE-----\n",
            "-----END CERTIFICATE-----\n",
            "-----BEGIN PRIVATE KEY-----\n",
        ],
    ),
];

const fn target(
    name: &'static str,
    max_len: usize,
    open: fn(World) -> Run,
    words: &'static [&'static str],
) -> Target {
    Target {
        name,
        max_len,
        open,
        words,
    }
}

/// The input as text, if it is.
fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok()
}
