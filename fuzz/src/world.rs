//! What a target compares with: the keys that the seeds were signed with, and everything that they signed.
//!
//! It lies in files, because an input that was found must mean the same in the next run. The keys are drawn when the seeds
//! are made; none lies in the source.

use std::collections::HashSet;
use std::path::Path;

use gonogo_ledger::{Checkpoint, Policy, PublicKey, Vkey};

/// Where keys and signed things lie, below the directory of all.
pub(crate) const WORLD: &str = "world";

/// The world that the seeds were made in.
pub(crate) struct World {
    /// Believes `log` and asks for `witness`.
    pub(crate) policy: Policy,
    pub(crate) log: Vkey,
    pub(crate) witness: Vkey,
    /// Who signed the records.
    pub(crate) signer: PublicKey,
    /// Every text that the log's key signed.
    pub(crate) signed: HashSet<String>,
    /// Every text that the witness's key signed.
    pub(crate) cosigned: HashSet<String>,
    /// The texts that the log signed in contradiction to the others.
    pub(crate) forked: HashSet<String>,
    /// Every payload that the signer signed.
    pub(crate) payloads: HashSet<Vec<u8>>,
    /// The log at the size at which the witness remembers it.
    pub(crate) remembered: String,
    /// The log's newest checkpoint.
    pub(crate) newest: String,
    /// The target's own seeds.
    pub(crate) seeds: Vec<Vec<u8>>,
}

impl World {
    pub(crate) fn read(dir: &Path, target: &str) -> Self {
        let world = dir.join(WORLD);
        let text = |name: &str| {
            std::fs::read_to_string(world.join(name))
                .unwrap_or_else(|e| panic!("{}/{name}: {e}; make the seeds first", world.display()))
        };
        let texts = |name: &str| {
            let all = files(&world.join(name)).into_iter();
            all.map(|bytes| String::from_utf8(bytes).expect("signed texts are UTF-8"))
                .collect()
        };
        let policy = Policy::parse(&text("policy")).expect("the policy was written by the seeds");
        Self {
            log: policy.logs()[0].vkey.clone(),
            witness: policy.witnesses()[0].vkey.clone(),
            policy,
            signer: PublicKey::from_pem(&text("signer.pem")).expect("a key"),
            signed: texts("signed"),
            cosigned: texts("cosigned"),
            forked: texts("forked"),
            payloads: files(&world.join("payloads")).into_iter().collect(),
            remembered: text("remembered"),
            newest: text("newest"),
            seeds: files(&dir.join("seeds").join(target)),
        }
    }

    /// What the log's newest checkpoint says.
    pub(crate) fn state(&self) -> Checkpoint {
        Checkpoint::open(&self.newest, &self.log).expect("the log's own checkpoint")
    }

    /// What the witness remembers.
    pub(crate) fn known(&self) -> Checkpoint {
        Checkpoint::open(&self.remembered, &self.log).expect("the log's own checkpoint")
    }
}

/// A file of the ledger's tests.
pub(crate) fn test_fixture(name: &str) -> Vec<u8> {
    let path = format!(
        "{}/../crates/ledger/tests/fixtures/{name}",
        env!("CARGO_MANIFEST_DIR")
    );
    std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// The contents of a directory's files; none if there is no directory.
fn files(dir: &Path) -> Vec<Vec<u8>> {
    let mut paths: Vec<_> = std::fs::read_dir(dir)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok().map(|e| e.path()))
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
        .collect()
}
