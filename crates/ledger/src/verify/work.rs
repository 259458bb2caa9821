//! The jobs of the workers: digests of proofs, and the examination of records beside their proofs.

use std::sync::Arc;

use gonogo_core::Digest;

use super::examine::{Context, Examined, Wanted, examine};
use crate::error::Error;

/// Members that follow each other, end to end.
#[derive(Default)]
pub(super) struct Chunk {
    /// The number of the first.
    pub(super) first: usize,
    pub(super) bytes: Vec<u8>,
    /// Where each ends.
    pub(super) ends: Vec<usize>,
}

impl Chunk {
    fn items(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(a, b)| &self.bytes[a..*b])
    }
}

/// What is to be done.
pub(super) enum Job {
    Proofs(Chunk),
    /// The records, and the digests of their proofs.
    Records(Chunk, Vec<Digest>, Arc<Context>),
}

/// What was done.
pub(super) enum Done {
    Proofs(Vec<Digest>),
    Records(usize, Vec<Result<Examined, Error>>),
}

/// Does a job.
pub(super) fn work(job: Job, wanted: Wanted<'_>) -> Done {
    match job {
        Job::Proofs(chunk) => Done::Proofs(chunk.items().map(Digest::of).collect()),
        Job::Records(chunk, proofs, context) => {
            let examined = chunk.items().zip(&proofs).map(|(bytes, proof)| {
                let (examined, text) = examine(bytes, &context, wanted)?;
                if Digest::of(text.as_bytes()) == *proof {
                    Ok(examined)
                } else {
                    Err(Error::Packet("its proof in `proofs/` is another".into()))
                }
            });
            Done::Records(chunk.first, examined.collect())
        }
    }
}
