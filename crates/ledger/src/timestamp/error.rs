//! Why a timestamp is not believed. Each text says what failed, why and what to do next.

/// Why a response or a root certificate is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// More bytes than this reader takes.
    #[error(
        "the {what} has {found} bytes, and at most {limit} are read; it is probably another file"
    )]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its size.
        found: usize,
        /// The most that is taken.
        limit: usize,
    },
    /// Bytes that are not what RFC 3161, RFC 5652 or RFC 5035 say.
    #[error(
        "the timestamp response is malformed in its {part}: {why}; ask the authority again, or use another one"
    )]
    Form {
        /// Which part.
        part: &'static str,
        /// What is wrong.
        why: String,
    },
    /// The authority did not grant the request.
    #[error(
        "the time stamping authority did not grant the request: status {status}{text}; see its terms, or use another one"
    )]
    Status {
        /// The status of RFC 3161 section 2.4.2.
        status: u64,
        /// What it says about it, in brackets; may be empty.
        text: String,
    },
    /// A timestamp of something else.
    #[error(
        "the timestamp is of other bytes than these; compare which file belongs to which timestamp"
    )]
    Message,
    /// An answer to another request.
    #[error("the response answers another request: its nonce is {found}; ask the authority again")]
    Nonce {
        /// What the response has.
        found: &'static str,
    },
    /// An algorithm that is not checked here.
    #[error(
        "the {part} uses the algorithm {oid}, which is not checked here; use an authority with RSA or ECDSA P-256/P-384 and SHA-256 or SHA-384"
    )]
    Algorithm {
        /// Where it is used.
        part: &'static str,
        /// The algorithm, dotted.
        oid: String,
    },
    /// The authority's certificate is missing, of another signer, or not for time stamping.
    #[error(
        "the authority's certificate is not acceptable: {why}; ask with `certReq`, or use another authority"
    )]
    Signer {
        /// What is wrong.
        why: String,
    },
    /// The signature or a signed attribute does not hold.
    #[error("the timestamp's signature does not hold: {why}; it was changed after it was made")]
    Signature {
        /// What is wrong.
        why: &'static str,
    },
    /// No path to a given root.
    #[error(
        "no given root certificate vouches for the authority at {time}: {why}; give the root that the authority publishes"
    )]
    Path {
        /// The time that the timestamp states.
        time: String,
        /// What is wrong.
        why: String,
    },
    /// A root certificate that cannot be one.
    #[error(
        "not a usable root certificate: {why}; give the PEM file of the certificate authority at the top"
    )]
    Root {
        /// What is wrong.
        why: String,
    },
}
