//! C2SP tlog-proof text (c2sp.org/tlog-proof@v1): an index, the inclusion proof, and the checkpoint that it leads to.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gonogo_core::Digest;

use crate::error::Error;
use crate::note::parse_decimal;

const HEAD: &str = "c2sp.org/tlog-proof@v1\nindex ";

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
        let mut out = format!("{HEAD}{}\n", self.index);
        for hash in &self.path {
            STANDARD.encode_string(hash.as_bytes(), &mut out);
            out.push('\n');
        }
        out.push('\n');
        out.push_str(&self.checkpoint);
        out
    }

    /// Reads the text. The unauthenticated `extra` line of the format is refused.
    ///
    /// # Errors
    /// [`Error::Proof`] naming the part at fault.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let bad = |what: &str| Error::Proof(what.to_owned());
        let text = std::str::from_utf8(bytes).map_err(|_| bad("not UTF-8"))?;
        let rest = text
            .strip_prefix(HEAD)
            .ok_or_else(|| bad("not a tlog-proof with an index"))?;
        let (index, mut rest) = rest.split_once('\n').ok_or_else(|| bad("no index"))?;
        let index = parse_decimal(index).ok_or_else(|| bad("the index is no decimal number"))?;
        let mut path = Vec::new();
        loop {
            let (line, tail) = rest.split_once('\n').ok_or_else(|| bad("no checkpoint"))?;
            rest = tail;
            if line.is_empty() {
                break;
            }
            let hash = STANDARD
                .decode(line)
                .ok()
                .and_then(|b| <[u8; 32]>::try_from(b).ok())
                .ok_or_else(|| bad("a line is no hash"))?;
            if path.len() == 64 {
                return Err(bad("longer than any tree is high"));
            }
            path.push(Digest::from_bytes(hash));
        }
        Ok(Self {
            index,
            path,
            checkpoint: rest.to_owned(),
        })
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
