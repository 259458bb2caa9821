//! What a repository's own files say about how it is tested, as a proposal.

mod files;

pub use files::Files;
pub(crate) use files::{join, relative, text};
