//! Reads a cassette from its file, checks its blobs.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use gonogo_core::Digest;
use gonogo_core::digest::Hasher;
use serde::Deserialize;

use super::check::check;
use super::{Blob, Body, Cassette, SCHEMA, blobs_of};
use crate::error::Error;

/// A cassette with the place of its large bodies.
#[derive(Debug, Clone)]
pub struct Tape {
    /// What the file holds.
    pub cassette: Cassette,
    /// Digest of the file's bytes.
    pub digest: Digest,
    /// The file.
    pub path: PathBuf,
}

/// Reads the cassette at `path`, at most `limit` bytes of it, and checks that its blobs are what their digests say.
///
/// # Errors
/// [`Error::Missing`], [`Error::Schema`], [`Error::Invalid`] with the place, or [`Error::Io`].
pub fn read(path: &Path, limit: u64) -> Result<Tape, Error> {
    let invalid = |why: String| Error::Invalid {
        path: path.to_owned(),
        why,
    };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::Missing {
                path: path.to_owned(),
            });
        }
        Err(e) => return Err(Error::io(format!("open {}", path.display()))(e)),
    };
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(Error::io(format!("read {}", path.display())))?;
    if bytes.len() as u64 > limit {
        return Err(invalid(format!("larger than {limit} bytes")));
    }
    match serde_json::from_slice::<Head>(&bytes) {
        Ok(head) if head.schema == SCHEMA => {}
        Ok(head) => {
            return Err(Error::Schema {
                path: path.to_owned(),
                found: head.schema.chars().take(80).collect(),
            });
        }
        Err(e) => return Err(invalid(format!("no JSON object with a `schema`: {e}"))),
    }
    let cassette: Cassette = serde_json::from_slice(&bytes).map_err(|e| invalid(e.to_string()))?;
    check(&cassette).map_err(&invalid)?;
    let tape = Tape {
        cassette,
        digest: Digest::of(&bytes),
        path: path.to_owned(),
    };
    for (n, interaction) in tape.cassette.interactions.iter().enumerate() {
        let bodies = [
            ("request", &interaction.request.body),
            ("response", &interaction.response.body),
        ];
        for (side, body) in bodies {
            let blob = body.as_ref().and_then(|body| body.blob.as_ref());
            if let Some(blob) = blob {
                let at = format!("/interactions/{n}/{side}/body/blob");
                tape.check_blob(blob)
                    .map_err(|why| invalid(format!("{at}: {why}")))?;
            }
        }
    }
    Ok(tape)
}

/// Enough to tell which schema a file is of.
#[derive(Deserialize)]
struct Head {
    schema: String,
}

impl Tape {
    /// Where a blob lies.
    pub(crate) fn blob_path(&self, blob: &Blob) -> PathBuf {
        blobs_of(&self.path).join(blob.digest.hex())
    }

    fn check_blob(&self, blob: &Blob) -> Result<(), String> {
        let path = self.blob_path(blob);
        let say = |e: std::io::Error| format!("{}: {e}", path.display());
        let file = File::open(&path).map_err(say)?;
        let mut file = file.take(blob.bytes.saturating_add(1));
        let (mut hasher, mut total) = (Hasher::default(), 0);
        let mut buffer = vec![0; 64 << 10];
        loop {
            let n = file.read(&mut buffer).map_err(say)?;
            if n == 0 {
                break;
            }
            total += n as u64;
            hasher.update(&buffer[..n]);
        }
        if total != blob.bytes || hasher.finish() != blob.digest {
            return Err(format!("{} is not what its digest says", path.display()));
        }
        Ok(())
    }

    /// Reads a body whole, at most `limit` bytes.
    pub(crate) fn body(&self, body: Option<&Body>, limit: u64) -> std::io::Result<Vec<u8>> {
        let Some(body) = body else {
            return Ok(Vec::new());
        };
        if let Some(blob) = &body.blob {
            if blob.bytes > limit {
                return Err(std::io::Error::other(format!("larger than {limit} bytes")));
            }
            return std::fs::read(self.blob_path(blob));
        }
        Ok(body
            .chunks
            .iter()
            .flatten()
            .flat_map(|c| c.bytes())
            .collect())
    }
}
