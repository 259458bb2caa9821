//! Cosignatures of type 06: ML-DSA-44 (FIPS 204) over a binary structure that binds the cosigner's name, the log's origin
//! and a subtree. Of a checkpoint the subtree is the whole tree. Extension lines are not signed.
//!
//! Signing is the deterministic variant of FIPS 204, with an empty context; keys come from a seed that `ring` draws.
