//! Writes published logs for verifiers that are not ours: `conformance_log DIR`. `conformance/README.md` says who reads them.
//!
//! One tree in eight sizes, each a directory as C2SP tlog-tiles has it: `DIR/<size>/{checkpoint,log.vkey,witness.vkey,policy,
//! tile/…,proofs/<index>.tlog-proof}`. Beside them `DIR/consistency/<old>-<new>.proof`. The first leaves are bodies of signed
//! records, the others plain bytes, because 70,000 signatures take long.
//!
//! Invariants: every smaller tree is the beginning of the larger ones; which proofs are written depends on nothing but the
//! seed, so two runs differ in keys and signatures only.

#![allow(
    clippy::unwrap_used,
    reason = "material that cannot be written ends the program"
)]

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use gonogo_core::Digest;
use gonogo_ledger::merkle::{consistency_path, inclusion_path, leaf_hash, path_to_text};
use gonogo_ledger::tile::{FULL, Level, TileBuilder, TilePath, TileReader, tiles_of};
use gonogo_ledger::tlog_proof::TlogProof;
use gonogo_ledger::{
    Checkpoint, CosignerKey, Envelope, LogKey, Note, Policy, SigningKey, leaf, tile,
};

const ORIGIN: &str = "ledger.example";
const WITNESS: &str = "witness.example";
const SIZES: [u64; 8] = [1, 255, 256, 257, 65_535, 65_536, 65_537, 70_000];
/// So many leaves are bodies of records.
const RECORDS: u64 = 300;
/// Every leaf below has a proof in the trees that are not larger.
const ALL_PROOFS: u64 = 300;
/// So many proofs of leaves in each larger tree, and so many pairs of sizes.
const SAMPLE: usize = 200;
/// When the witness signed.
const COSIGNED: u64 = 1_790_000_000;

fn main() {
    let out = PathBuf::from(std::env::args().nth(1).expect("usage: conformance_log DIR"));
    let entries = entries(SIZES[SIZES.len() - 1]);
    let log = LogKey::load(ORIGIN, &LogKey::generate().unwrap()).unwrap();
    let witness = CosignerKey::load(WITNESS, &CosignerKey::generate().unwrap()).unwrap();
    let mut random = Random(0x5eed);
    for size in SIZES {
        let mut published = Published::build(&entries[..size as usize]);
        let note = Note::parse(&published.checkpoint.sign(&log)).unwrap();
        let line = witness.cosign(note.text(), COSIGNED);
        let note = note.with_line(&line).unwrap().to_text();
        let dir = out.join(size.to_string());
        for (path, bytes) in &published.files {
            write(&dir.join(path), bytes);
        }
        let (log, witness) = (log.vkey(), witness.vkey());
        let policy = format!("log {log}\nwitness w1 {witness}\nquorum w1\n");
        let (_, _, quorum) = Policy::parse(&policy).unwrap().open(&note).unwrap();
        assert!(quorum.met, "our own reader refuses the note");
        write(&dir.join("checkpoint"), note.as_bytes());
        write(&dir.join("log.vkey"), format!("{log}\n").as_bytes());
        write(&dir.join("witness.vkey"), format!("{witness}\n").as_bytes());
        write(&dir.join("policy"), policy.as_bytes());
        for index in random.indexes(size) {
            let path = published.inclusion(index);
            let proof = TlogProof {
                index,
                path,
                checkpoint: note.clone(),
            };
            let name = format!("proofs/{index}.tlog-proof");
            write(&dir.join(name), proof.to_text().as_bytes());
        }
        if size == SIZES[SIZES.len() - 1] {
            for (old, new) in random.pairs(size) {
                let name = format!("consistency/{old}-{new}.proof");
                let proof = path_to_text(&published.consistency(old, new));
                write(&out.join(name), proof.as_bytes());
            }
        }
    }
}

fn entries(count: u64) -> Vec<Vec<u8>> {
    let key = SigningKey::load(&SigningKey::generate().unwrap()).unwrap();
    let entry = |n: u64| {
        if n >= RECORDS {
            return format!("entry {n}").into_bytes();
        }
        let payload = format!(r#"{{"n":{n}}}"#).into_bytes();
        leaf::body(&Envelope::sign(payload, &key).unwrap(), key.public())
    };
    (0..count).map(entry).collect()
}

/// A tree's files by path, without its checkpoint.
struct Published {
    files: HashMap<String, Vec<u8>>,
    checkpoint: Checkpoint,
}

impl Published {
    fn build(entries: &[Vec<u8>]) -> Self {
        let (mut builder, mut files) = (TileBuilder::default(), HashMap::new());
        for entry in entries {
            let full = builder.push(leaf_hash(entry));
            files.extend(full.into_iter().map(|(path, bytes)| (path.path(), bytes)));
        }
        let edge = builder.partial().into_iter();
        files.extend(edge.map(|(path, bytes)| (path.path(), bytes)));
        let bundles = tiles_of(builder.size()).filter(|t| t.level == Level::Entries);
        for bundle in bundles {
            let first = bundle.index as usize * usize::from(FULL);
            let held = &entries[first..first + usize::from(bundle.width)];
            let bytes = tile::content::encode_entries(held).unwrap();
            files.insert(bundle.path(), bytes);
        }
        let checkpoint = Checkpoint {
            origin: ORIGIN.into(),
            size: builder.size(),
            root: builder.root(),
        };
        Self { files, checkpoint }
    }

    fn reader(
        &self,
    ) -> TileReader<impl FnMut(&TilePath) -> Result<Option<Vec<u8>>, String> + use<'_>> {
        let fetch = |path: &TilePath| Ok(self.files.get(&path.path()).cloned());
        TileReader::open(self.checkpoint.size, &self.checkpoint.root, fetch).unwrap()
    }

    fn inclusion(&mut self, index: u64) -> Vec<Digest> {
        inclusion_path(&mut self.reader(), index, self.checkpoint.size).unwrap()
    }

    fn consistency(&mut self, old: u64, new: u64) -> Vec<Digest> {
        consistency_path(&mut self.reader(), old, new).unwrap()
    }
}

/// Numbers that are the same in each run (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }

    fn indexes(&mut self, size: u64) -> Vec<u64> {
        if size <= ALL_PROOFS {
            return (0..size).collect();
        }
        let edge = [0, size / 2, size - 2, size - 1];
        (0..SAMPLE).map(|_| self.below(size)).chain(edge).collect()
    }

    /// Pairs of sizes, 1 ≤ old < new; first those of [`SIZES`].
    fn pairs(&mut self, size: u64) -> Vec<(u64, u64)> {
        let mut pairs: Vec<_> = SIZES
            .iter()
            .flat_map(|old| SIZES.iter().map(move |new| (*old, *new)))
            .filter(|(old, new)| old < new)
            .collect();
        while pairs.len() < SAMPLE {
            let new = 2 + self.below(size - 1);
            pairs.push((1 + self.below(new - 1), new));
        }
        pairs
    }
}

fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}
