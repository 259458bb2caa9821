//! Bodies on their way into a recording: the end of each in memory, what is before it in one unnamed file.
//!
//! Invariants: memory does not grow with the length of a body. What lies in the file is sealed (ChaCha20-Poly1305) with a key that
//! is in this process's memory only, since it was not redacted yet; the file has no name and ends with the process.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Mutex;

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};

/// How much of a body waits in memory before it is sealed.
const TAIL: usize = 64 << 10;
/// How much of a body that has ended stays in memory.
const REST: usize = 4 << 10;
/// Borders beyond this are not kept: what comes then joins the last piece.
const MOST_PIECES: usize = 65_536;

/// The file of a run.
#[derive(Debug)]
pub(crate) struct Vault {
    file: File,
    key: LessSafeKey,
    /// Where the file ends, and the number of the next seal, which no two have in common.
    end: Mutex<(u64, u64)>,
}

/// A sealed range of the file.
#[derive(Debug)]
struct Sealed {
    at: u64,
    length: usize,
    number: u64,
}

fn nonce(number: u64) -> Nonce {
    let mut bytes = [0; 12];
    bytes[4..].copy_from_slice(&number.to_be_bytes());
    Nonce::assume_unique_for_key(bytes)
}

impl Vault {
    pub(crate) fn new() -> io::Result<Self> {
        let refused = |_| io::Error::other("the system gives no randomness");
        let mut key = [0; 32];
        SystemRandom::new().fill(&mut key).map_err(refused)?;
        let key = UnboundKey::new(&CHACHA20_POLY1305, &key).map_err(refused)?;
        Ok(Self {
            file: tempfile::tempfile()?,
            key: LessSafeKey::new(key),
            end: Mutex::new((0, 0)),
        })
    }

    fn put(&self, mut bytes: Vec<u8>) -> io::Result<Sealed> {
        let mut end = self
            .end
            .lock()
            .map_err(|_| io::Error::other("a writer of the spool ended badly"))?;
        let (at, number) = *end;
        self.key
            .seal_in_place_append_tag(nonce(number), Aad::empty(), &mut bytes)
            .map_err(|_| io::Error::other("a piece cannot be sealed"))?;
        // Taken before the write: no number may come twice, whatever became of the write.
        *end = (at + bytes.len() as u64, number + 1);
        self.file.write_all_at(&bytes, at)?;
        Ok(Sealed {
            at,
            length: bytes.len(),
            number,
        })
    }

    fn take(&self, sealed: &Sealed, into: &mut Vec<u8>) -> io::Result<()> {
        let mut bytes = vec![0; sealed.length];
        self.file.read_exact_at(&mut bytes, sealed.at)?;
        let plain = self
            .key
            .open_in_place(nonce(sealed.number), Aad::empty(), &mut bytes)
            .map_err(|_| io::Error::other("the spool does not hold what was written"))?;
        into.extend_from_slice(plain);
        Ok(())
    }
}

/// Bytes of a body, and the ends of its pieces with their pauses in milliseconds.
pub(crate) type Pieces = (Vec<u8>, Vec<(usize, u64)>);

/// One body.
#[derive(Debug, Default)]
pub(crate) struct Spool {
    sealed: Vec<Sealed>,
    tail: Vec<u8>,
    length: u64,
    /// Ends of pieces with their pauses.
    ends: Vec<(usize, u64)>,
    /// Why it is not whole.
    lost: Option<String>,
}

impl Spool {
    /// Adds a piece. A body that cannot be kept is noted as lost, and what was kept of it is let go.
    /// A body whose length was announced is one piece, however it comes.
    pub(crate) fn push(&mut self, piece: &[u8], after_ms: Option<u64>, limit: u64, vault: &Vault) {
        self.length += piece.len() as u64;
        if self.lost.is_some() {
            return;
        }
        if self.length > limit {
            return self.lose(format!("it is longer than {limit} bytes"));
        }
        let end = self.length as usize;
        let full = self.ends.len() >= MOST_PIECES;
        match self.ends.last_mut() {
            Some(last) if full || after_ms.is_none() => last.0 = end,
            _ => self.ends.push((end, after_ms.unwrap_or(0))),
        }
        self.tail.extend_from_slice(piece);
        if self.tail.len() >= TAIL {
            self.seal(vault);
        }
    }

    /// How many bytes came so far.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Nothing more comes.
    pub(crate) fn close(&mut self, vault: &Vault) {
        if self.tail.len() > REST {
            self.seal(vault);
        }
        self.tail.shrink_to_fit();
    }

    fn seal(&mut self, vault: &Vault) {
        match vault.put(std::mem::take(&mut self.tail)) {
            Ok(sealed) => self.sealed.push(sealed),
            Err(e) => self.lose(format!("it cannot be kept for now: {e}")),
        }
    }

    fn lose(&mut self, why: String) {
        let length = self.length;
        *self = Self {
            length,
            lost: Some(why),
            ..Self::default()
        };
    }

    /// Reads the body back: its bytes, ends of pieces and their pauses.
    pub(crate) fn read(&self, vault: &Vault) -> io::Result<Pieces> {
        if let Some(why) = &self.lost {
            return Err(io::Error::other(why.clone()));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(self.length).unwrap_or(0));
        for sealed in &self.sealed {
            vault.take(sealed, &mut bytes)?;
        }
        bytes.extend_from_slice(&self.tail);
        Ok((bytes, self.ends.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_body_comes_back_and_cannot_be_read_in_the_file() {
        let vault = Vault::new().unwrap();
        let (mut one, mut two) = (Spool::default(), Spool::default());
        let piece = b"secret-secret-secret ".repeat(1000);
        for n in 0..20 {
            one.push(&piece, Some(n), 1 << 20, &vault);
            two.push(b"short", None, 1 << 20, &vault);
        }
        one.close(&vault);
        two.close(&vault);
        assert!(one.tail.is_empty() && one.sealed.len() > 3);
        let (bytes, ends) = one.read(&vault).unwrap();
        assert_eq!(bytes, piece.repeat(20));
        assert_eq!((ends.len(), ends[19]), (20, (420_000, 19)));
        assert_eq!(two.read(&vault).unwrap().0, b"short".repeat(20));
        let mut raw = vec![0; 4096];
        vault.file.read_exact_at(&mut raw, 0).unwrap();
        assert!(!raw.windows(6).any(|w| w == b"secret"));
    }

    #[test]
    fn a_body_over_the_limit_is_lost_as_a_whole() {
        let vault = Vault::new().unwrap();
        let mut spool = Spool::default();
        spool.push(b"123", None, 5, &vault);
        spool.push(b"456", None, 5, &vault);
        spool.push(b"7", None, 5, &vault);
        assert!(
            spool
                .read(&vault)
                .unwrap_err()
                .to_string()
                .contains("5 bytes")
        );
    }
}
