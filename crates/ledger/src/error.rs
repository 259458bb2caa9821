//! The crate's one error enum. Each variant names the object at fault; the texts say what to do where that is not plain.

/// Why bytes are no record, key, note, proof or packet member.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A key that cannot be read or made.
    #[error("not a usable key: {0}")]
    Key(String),
    /// An envelope that is not DSSE in the one accepted form.
    #[error("not a signed envelope: {0}")]
    Envelope(String),
    /// A signature that does not verify.
    #[error("the signature by key {0} does not verify")]
    Signature(String),
    /// A statement that is no in-toto Statement v1 with our predicate.
    #[error("not a statement: {0}")]
    Statement(String),
    /// A note or checkpoint that cannot be read.
    #[error("not a signed checkpoint: {0}")]
    Note(String),
    /// A vkey that cannot be read or made: the key of a log or witness, with its name.
    #[error("not a verifier key: {0}")]
    Vkey(String),
    /// A proof that cannot be read or does not lead to the root.
    #[error("not a proof: {0}")]
    Proof(String),
    /// A trust policy that cannot be read.
    #[error("not a policy: {0}")]
    Policy(String),
    /// A checkpoint of a log that the policy does not name.
    #[error("the policy names no log `{0}`")]
    UnknownLog(String),
    /// A Sigstore trusted root that cannot be read or used.
    #[error("not a trusted root: {0}")]
    TrustedRoot(String),
    /// A tile, bundle or path of one that cannot be read, or does not belong to the tree.
    #[error("not a tile of the log: {0}")]
    Tile(String),
    /// A packet that is put together wrongly.
    #[error("not a packet: {0}")]
    Packet(String),
}
