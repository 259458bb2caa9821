//! Why something from outside is not taken as evidence. Each text says what failed, where, why and what to do next.

/// Why bytes from outside, a key or a recorded body are refused. Nothing was recorded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// More of something than this reader takes.
    #[error("{what} is too large: {found}, and at most {limit} is read; submit smaller parts")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its size or number.
        found: usize,
        /// The most that is taken.
        limit: usize,
    },
    /// Bytes of no kind that is accepted.
    #[error(
        "not evidence of a known form: {why}; accepted are DSSE envelopes, .intoto.jsonl, Sigstore bundles v0.3, JUnit XML and SPDX or CycloneDX JSON"
    )]
    Form {
        /// What stood there instead.
        why: String,
    },
    /// A JSON text without one meaning.
    #[error(
        "{place} is not admissible JSON: {why}; correct the file or have its tool write it again"
    )]
    Json {
        /// Which part.
        place: &'static str,
        /// What is wrong.
        why: String,
    },
    /// A field that is missing or of another shape than its format says.
    #[error(
        "{object} has a bad `{field}`: {why}; have the tool that made it write the format it names"
    )]
    Field {
        /// The object, like `SLSA provenance v1`.
        object: String,
        /// The field's path inside it.
        field: String,
        /// What is wrong.
        why: String,
    },
    /// One line of a `.intoto.jsonl` file.
    #[error("line {line}: {source}")]
    Line {
        /// Its number, from 1.
        line: usize,
        /// Why it is refused.
        source: Box<Error>,
    },
    /// A key that cannot check signatures here.
    #[error(
        "key `{name}` cannot be used: {why}; give a PEM `PUBLIC KEY` of ECDSA P-256 or P-384, Ed25519, or RSA with 2048 to 8192 bits"
    )]
    Key {
        /// The name that the caller gave it.
        name: String,
        /// What is wrong.
        why: String,
    },
    /// A threshold that the given keys can never meet, or that asks for nothing.
    #[error(
        "threshold {threshold} does not fit {keys} different keys; ask for 1 to {keys} of them"
    )]
    Threshold {
        /// What was asked for.
        threshold: usize,
        /// How many different keys were given.
        keys: usize,
    },
    /// Fewer of the given keys signed than were asked for.
    #[error(
        "the envelope is signed by {valid} of the {keys} given keys, and {threshold} are needed ({signatures} signatures tried); \
         it was changed after signing or signed with other keys: ask the signer for the public key"
    )]
    Signatures {
        /// Different given keys with a good signature.
        valid: usize,
        /// Different keys given.
        keys: usize,
        /// Keys needed.
        threshold: usize,
        /// Signatures in the envelope.
        signatures: usize,
    },
    /// Keys were given for something that has no signature.
    #[error(
        "{what} carries no signature, so the given keys cannot check it; submit it without keys, and it is recorded as an unsigned claim"
    )]
    Unsigned {
        /// What it is.
        what: &'static str,
    },
    /// A bundle whose signer is named by a certificate.
    #[error(
        "the bundle's signer is a certificate (`{field}`), and certificates are not checked here: whoever runs the certificate authority \
         would be trusted unseen; sign with a key, or verify with cosign and submit a verification summary signed with a key"
    )]
    Certificate {
        /// The bundle's field.
        field: &'static str,
    },
    /// XML that is not well formed or not plain.
    #[error(
        "the XML report is refused at byte {offset}: {why}; have the test tool write plain JUnit XML in UTF-8"
    )]
    Xml {
        /// How far the reader came.
        offset: u64,
        /// What is wrong.
        why: String,
    },
    /// A record's body that no submission would have made.
    #[error(
        "the record's body is not outside evidence: {why}; the record was not made by this program"
    )]
    Body {
        /// What is wrong.
        why: String,
    },
    /// A record's body that its blob does not support.
    #[error("the record's body and its blob disagree: {why}; do not rely on the record")]
    Mismatch {
        /// What differs.
        why: String,
    },
}
