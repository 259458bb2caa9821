//! C2SP tlog-proof text (c2sp.org/tlog-proof@v1): an index, the inclusion proof, and the checkpoint that it leads to.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gonogo_core::Digest;

use crate::error::Error;
use crate::merkle;
use crate::note::{MAX_NOTE, parse_decimal};

const HEAD: &str = "c2sp.org/tlog-proof@v1\n";

/// The longest proof, in bytes: a note, a path and as much again for what was added.
pub const MAX_PROOF: usize = 2 * MAX_NOTE + 4096;

/// An inclusion proof with its checkpoint, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    /// The leaf's index.
    pub index: u64,
    /// The audit path, leaf side first (RFC 6962 section 2.1.1).
    pub path: Vec<Digest>,
    /// The signed checkpoint, verbatim.
    pub checkpoint: String,
}

impl TlogProof {
    /// Returns the text.
    pub fn to_text(&self) -> String {
        let mut out = format!("{HEAD}index {}\n", self.index);
        out.push_str(&merkle::path_to_text(&self.path));
        out.push('\n');
        out.push_str(&self.checkpoint);
        out
    }

    /// Reads the text. The unauthenticated `extra` line of the format is refused.
    ///
    /// # Errors
    /// [`Error::Proof`] naming the part at fault.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let foreign = Self::parse_foreign(bytes)?;
        if foreign.extra.is_some() {
            return Err(Error::Proof(
                "an `extra` line, which nothing vouches for".into(),
            ));
        }
        Ok(foreign.proof)
    }

    /// Reads the text of anybody, with or without the `extra` line.
    ///
    /// # Errors
    /// [`Error::Proof`] naming the part at fault.
    pub fn parse_foreign(bytes: &[u8]) -> Result<ForeignProof, Error> {
        let bad = |what: &str| Error::Proof(what.to_owned());
        if bytes.len() > MAX_PROOF {
            return Err(bad(&format!("longer than {MAX_PROOF} bytes")));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| bad("not UTF-8"))?;
        let mut rest = text
            .strip_prefix(HEAD)
            .ok_or_else(|| bad("not a tlog-proof, version 1"))?;
        let mut extra = None;
        if let Some(line) = rest.strip_prefix("extra ") {
            let (line, tail) = line.split_once('\n').ok_or_else(|| bad("no index"))?;
            let decoded = STANDARD.decode(line);
            extra = Some(decoded.map_err(|e| bad(&format!("the extra line: {e}")))?);
            rest = tail;
        }
        let (index, rest) = rest
            .strip_prefix("index ")
            .and_then(|rest| rest.split_once('\n'))
            .ok_or_else(|| bad("no index"))?;
        let index = parse_decimal(index).ok_or_else(|| bad("the index is no decimal number"))?;
        // The hashes end at the first empty line, which is the first thing in the rest if there are none.
        let (path, checkpoint) = match rest.strip_prefix('\n') {
            Some(checkpoint) => ("", checkpoint),
            None => {
                let end = rest.find("\n\n").ok_or_else(|| bad("no checkpoint"))?;
                (&rest[..=end], &rest[end + 2..])
            }
        };
        Ok(ForeignProof {
            proof: Self {
                index,
                path: merkle::path_from_text(path)?,
                checkpoint: checkpoint.to_owned(),
            },
            extra,
        })
    }
}

/// A proof by anybody, which may carry more than ours do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignProof {
    /// The proof.
    pub proof: TlogProof,
    /// What the proof's maker added. Nothing vouches for it.
    pub extra: Option<Vec<u8>>,
}

impl ForeignProof {
    /// Returns the text.
    pub fn to_text(&self) -> String {
        let text = self.proof.to_text();
        match &self.extra {
            None => text,
            Some(extra) => text.replacen(
                HEAD,
                &format!("{HEAD}extra {}\n", STANDARD.encode(extra)),
                1,
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_reads_back_and_other_forms_are_refused() {
        let proof = TlogProof {
            index: 12,
            path: vec![Digest::of(b"a"), Digest::of(b"b")],
            checkpoint: "ledger.example\n13\nAAAA\n\n— x AAAAAAAA\n".into(),
        };
        let text = proof.to_text();
        assert_eq!(TlogProof::parse(text.as_bytes()).unwrap(), proof);
        for (from, to) in [
            ("@v1", "@v2"),
            ("index 12", "index 012"),
            ("index", "extra AAAA\nindex"),
            ("=\n", "\n"),
        ] {
            let changed = text.replacen(from, to, 1);
            assert!(TlogProof::parse(changed.as_bytes()).is_err(), "{to}");
        }
    }
}
