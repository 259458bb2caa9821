//! Makes the world: draws keys, signs small true things with them, and writes those as seeds, with a dictionary a target.
//!
//! Everything that is signed is also written down as signed; that is what targets compare with.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gonogo_core::Digest;
use gonogo_ledger::bundle::{Bundle, Bundles};
use gonogo_ledger::packet::{self, Contents, Seal};
use gonogo_ledger::tile::content::leaf_hashes;
use gonogo_ledger::tlog_proof::{ForeignProof, TlogProof};
use gonogo_ledger::witness::AddCheckpoint;
use gonogo_ledger::{
    Checkpoint, CosignerKey, LogKey, Note, Pkcs8, SYSTEM_STREAM, Statement, trusted_root,
};
use ring::signature::Ed25519KeyPair;
use serde_json::{Value, json};

use crate::fixture::{Log, STREAM, enrol, new_key};
use crate::targets::TARGETS;
use crate::world::{WORLD, test_fixture};

pub(crate) mod dry_run;
mod reports;

const ORIGIN: &str = "l.t";

/// Writes keys, seeds and dictionaries below `dir`.
pub(crate) fn write(dir: &Path) -> io::Result<()> {
    let mut maker = Maker::new(dir.to_owned());
    maker.log();
    maker.notes()?;
    maker.packets()?;
    maker.records()?;
    maker.tiles()?;
    maker.outside()?;
    dry_run::write(&dir.join("seeds"))?;
    reports::write(&dir.join("seeds"))?;
    maker.world()?;
    maker.dictionaries()
}

struct Maker {
    dir: PathBuf,
    log: Log,
    /// The log's key again, for texts that the ledger's own code does not sign.
    raw: Ed25519KeyPair,
    witness: CosignerKey,
    signed: BTreeSet<String>,
    cosigned: BTreeSet<String>,
    forked: BTreeSet<String>,
    payloads: BTreeSet<Vec<u8>>,
    remembered: String,
    newest: String,
}

impl Maker {
    fn new(dir: PathBuf) -> Self {
        let pkcs8 = LogKey::generate().expect("randomness");
        let mut log = Log::new(ORIGIN);
        log.key = LogKey::load(ORIGIN, &pkcs8).expect("a key");
        let witness = CosignerKey::generate().expect("randomness");
        Self {
            dir,
            log,
            raw: Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der(&pkcs8)).expect("a key"),
            witness: CosignerKey::load("w.t", &witness).expect("a key"),
            signed: BTreeSet::new(),
            cosigned: BTreeSet::new(),
            forked: BTreeSet::new(),
            payloads: BTreeSet::new(),
            remembered: String::new(),
            newest: String::new(),
        }
    }

    /// The log's first records.
    fn log(&mut self) {
        self.log.append(STREAM, "plan", json!({"n": [1, 2]}));
        let note = self.checkpoint();
        self.remembered = note;
    }

    /// A line of signatures in the log's name over any text.
    fn sign(&mut self, text: &str) -> String {
        self.signed.insert(text.to_owned());
        let vkey = self.log.key.vkey();
        let mut blob = vkey.id().to_vec();
        blob.extend_from_slice(self.raw.sign(text.as_bytes()).as_ref());
        format!("\u{2014} {} {}\n", vkey.name(), STANDARD.encode(blob))
    }

    fn cosign(&mut self, text: &str, time: u64) -> String {
        self.cosigned.insert(text.to_owned());
        self.witness.cosign(text, time)
    }

    /// The log's state, signed and cosigned.
    fn checkpoint(&mut self) -> String {
        let text = self.log.checkpoint().text();
        let (line, cosigned) = (self.sign(&text), self.cosign(&text, 1_795_000_000));
        format!("{text}\n{line}{cosigned}")
    }

    fn notes(&mut self) -> io::Result<()> {
        let text = self.log.checkpoint().text();
        let line = self.sign(&text);
        let early = self.cosign(&text, 1);
        let late = self.cosign(&text, 1_795_000_001);
        let other = "\u{2014} other.example AAAAAAAA\n";
        let extended = format!("{text}an extension\nand another\n");
        let (signed, prose) = (self.sign(&extended), "words\n\nmore words\n".to_owned());
        let by = self.sign(&prose);
        let empty = Checkpoint {
            origin: ORIGIN.into(),
            size: 0,
            root: Digest::of(b""),
        }
        .text();
        let nothing = self.sign(&empty);
        let notes = [
            format!("{text}\n{line}"),
            format!("{text}\n{line}{early}"),
            format!("{text}\n{other}{line}{early}{late}"),
            format!("{extended}\n{signed}"),
            format!("{prose}\n{by}"),
            format!("{empty}\n{nothing}"),
            format!("{text}\n{other}"),
        ];
        for (n, note) in notes.iter().enumerate() {
            self.seed("note", n, note.as_bytes())?;
            self.seed("checkpoint", n, note.as_bytes())?;
        }
        // The target adds lines to the remembered checkpoint, which has the witness's line already.
        let bare = Note::parse(&self.remembered).expect("the log's own checkpoint");
        let text = bare.text().to_owned();
        self.remembered = format!("{text}\n{}", self.sign(&text));
        for (n, line) in [
            self.cosign(&text, 7),
            self.cosign(&text, 0),
            other.to_owned(),
            line,
        ]
        .iter()
        .enumerate()
        {
            self.seed("cosignature", n, line.as_bytes())?;
        }
        self.keys_and_policies()?;
        self.requests()
    }

    fn keys_and_policies(&self) -> io::Result<()> {
        let (log, witness) = (self.log.key.vkey(), self.witness.vkey());
        let more = CosignerKey::load("v.t", &CosignerKey::generate().expect("randomness"));
        let more = more.expect("a key");
        for (n, key) in [log, witness, more.vkey()].iter().enumerate() {
            self.seed("vkey", n, key.to_string().as_bytes())?;
        }
        let head = format!("log {log}\nwitness w {witness}\n");
        let policies = [
            format!("{head}quorum none\n"),
            format!("{head}quorum w\n"),
            format!(
                "# a comment\n\n{head}witness v {} https://v.example\ngroup g any w v\ngroup h all g\nquorum h\n",
                more.vkey()
            ),
            format!(
                "log {log} https://log.example\nwitness w {witness}\nwitness v {}\ngroup g 2 w v\nquorum g\n",
                more.vkey()
            ),
        ];
        for (n, policy) in policies.iter().enumerate() {
            self.seed("policy", n, policy.as_bytes())?;
        }
        Ok(())
    }

    /// What a log sends to a witness: the first checkpoint, the next one, the same again, and a lie.
    fn requests(&mut self) -> io::Result<()> {
        let known = self.log.checkpoint().size;
        let first = self.remembered.clone();
        for n in 0..3 {
            self.log.append(STREAM, "step", json!({"n": n}));
        }
        let size = self.log.checkpoint().size;
        let next = self.checkpoint();
        let path = self.log.proof(known, size);
        let lie = |size: u64| {
            Checkpoint {
                origin: ORIGIN.into(),
                size,
                root: Digest::of(b"another tree"),
            }
            .text()
        };
        let lies: Vec<String> = [known, size].map(lie).to_vec();
        let mut signed = Vec::new();
        for text in lies {
            let line = self.sign(&text);
            signed.push(format!("{text}\n{line}"));
            self.forked.insert(text);
        }
        let request = |old, path: &[Digest], note: &str| {
            let path = path.to_vec();
            AddCheckpoint {
                old,
                path,
                note: note.into(),
            }
            .to_text()
        };
        let requests = [
            request(0, &[], &first),
            request(known, &path, &next),
            request(known, &[], &first),
            request(0, &[], &signed[1]),
            request(known, &[], &signed[0]),
            request(known, &path, &signed[1]),
        ];
        for (n, request) in requests.iter().enumerate() {
            self.seed("witness", n, request.as_bytes())?;
        }
        Ok(())
    }

    fn packets(&mut self) -> io::Result<()> {
        let small = self.packet(Vec::new(), None)?;
        let approver = new_key();
        let body = enrol(&approver, "approver@test", "approver");
        self.log.append(SYSTEM_STREAM, "key-event", body);
        self.log.put_blob(b"a blob");
        self.log.put_blob(b"");
        let known = Note::parse(&self.remembered).expect("the log's own checkpoint");
        let known = Checkpoint::read_unverified(&known)
            .expect("a checkpoint")
            .size;
        let large = self.packet(
            vec![3, known + 1],
            Some(test_fixture("timestamp/curve.tsr")),
        )?;
        for (n, packet) in [&small, &large].iter().enumerate() {
            self.seed("packet", n, packet)?;
            self.seed("archive", n, packet)?;
        }
        let few = [
            ("a/empty".to_owned(), Vec::new()),
            ("b".to_owned(), vec![7; 513]),
        ];
        let few = crate::targets::pack(&few.to_vec())?;
        self.seed("archive", 2, &few)
    }

    /// Records a manifest, and writes the packet with a proof for who remembers.
    fn packet(&mut self, mut since: Vec<u64>, timestamp: Option<Vec<u8>>) -> io::Result<Vec<u8>> {
        let contents: Contents = self.log.contents();
        let contents = Contents {
            policy: self.policy(),
            ..contents
        };
        self.log.record_manifest(&contents);
        let known = Note::parse(&self.remembered).expect("the log's own checkpoint");
        since.push(
            Checkpoint::read_unverified(&known)
                .expect("a checkpoint")
                .size,
        );
        let checkpoint = self.checkpoint();
        self.newest.clone_from(&checkpoint);
        let seal = Seal {
            manifest: self.log.entries.len() as u64 - 1,
            checkpoint,
            since,
            timestamp,
        };
        Ok(self.log.write(&contents, &seal))
    }

    fn policy(&self) -> String {
        let (log, witness) = (self.log.key.vkey(), self.witness.vkey());
        format!("log {log}\nwitness w {witness}\nquorum w\n")
    }

    /// The log's records in every form that they have.
    fn records(&mut self) -> io::Result<()> {
        let state = self.log.checkpoint();
        let vkey = self.log.key.vkey().clone();
        let bundles =
            Bundles::new(vkey.full_id(), &self.newest, state.size, &state.root).expect("a note");
        for n in 0..self.log.entries.len() {
            let entry = &self.log.entries[n];
            let (envelope, key) = (entry.envelope.clone(), entry.key);
            let path = packet::PacketSource::path(&mut self.log, n as u64).expect("a path");
            self.payloads.insert(envelope.payload().to_vec());
            self.seed("dsse", n, &envelope.to_bytes())?;
            self.seed("statement", n, envelope.payload())?;
            self.seed("signed", 100 + n, envelope.payload())?;
            let proof = TlogProof {
                index: n as u64,
                path: path.clone(),
                checkpoint: self.newest.clone(),
            };
            self.seed("tlog-proof", n, proof.to_text().as_bytes())?;
            let bundle = Bundle {
                envelope,
                key,
                index: n as u64,
                path,
            };
            self.seed("bundle", n, &bundles.write(&bundle))?;
            if n == 0 {
                let foreign = ForeignProof {
                    proof,
                    extra: Some(b"extra".to_vec()),
                };
                self.seed("tlog-proof", 100, foreign.to_text().as_bytes())?;
                let value: Value = serde_json::from_slice(&bundle.envelope.to_bytes())?;
                self.seed("dsse", 100, &serde_json::to_vec_pretty(&value)?)?;
            }
        }
        let statement = Log::new(ORIGIN).statement(
            STREAM,
            "step",
            json!({"a": [true, null, "\u{fc}", -1, 0.5], "b": {"c": "d\n"}}),
        );
        let about = Statement {
            subject: vec![statement.subject[0].clone(); 2],
            ..statement.clone()
        };
        let plain = Statement {
            body: json!({"a": [true, {}, [], -1, 7, ""], "b": {"c": "d"}}),
            ..statement.clone()
        };
        let second = Statement {
            seq: 1,
            trace: Some("4bf92f3577b34da6a3ce929d0e0e4736".into()),
            prev: Some(Digest::of(b"artifact")),
            subject: plain.subject.iter().cloned().cycle().take(2).collect(),
            ..plain.clone()
        };
        for (n, statement) in [statement, about, plain, second].iter().enumerate() {
            let bytes = statement.to_bytes().expect("a statement");
            self.seed("statement", 200 + n, &bytes)?;
            self.seed("signed", n, &bytes)?;
        }
        let root = trusted_root::of_log(&vkey).expect("a log");
        self.seed("trusted-root", 0, &root)?;
        let value: Value = serde_json::from_slice(&root)?;
        self.seed("trusted-root", 1, &serde_json::to_vec_pretty(&value)?)?;
        let entry = &self.log.entries[0];
        self.seed("keys", 0, entry.key.pem().as_bytes())?;
        self.seed("keys", 1, entry.key.spki())
    }

    fn tiles(&self) -> io::Result<()> {
        for (n, path) in [
            "tile/0/000",
            "tile/entries/x001/x234/067.p/112",
            "tile/63/255.p/1",
            "tile/1/x018/446.p/255",
        ]
        .iter()
        .enumerate()
        {
            self.seed("tile-path", n, path.as_bytes())?;
        }
        let entries: Vec<Vec<u8>> = (0_u16..300).map(|n| n.to_be_bytes().to_vec()).collect();
        let leaves = leaf_hashes(&entries);
        for (n, (path, bytes)) in crate::targets::honest(&entries, &leaves).iter().enumerate() {
            let mode = u8::from(matches!(path.level, gonogo_ledger::tile::Level::Hash(_)));
            let [high, low] = path.width.to_be_bytes();
            self.seed("tile", 2 * n, &[&[mode, high, low], &bytes[..]].concat())?;
            let [high, low] = (n as u16).to_be_bytes();
            self.seed("tile", 2 * n + 1, &[&[2, high, low], &bytes[..]].concat())?;
        }
        self.seed("tile", 100, b"\0\0\x02\0\x01a\0\0")
    }

    fn outside(&self) -> io::Result<()> {
        for (n, name) in [
            "all.intoto.jsonl",
            "hello.dsse.json",
            "keyless.sigstore.json",
            "node.junit.xml",
            "npm.cdx.json",
            "npm.spdx.json",
            "openssl-p384-sha256.dsse.json",
            "openssl-rsa-pkcs1.dsse.json",
            "provenance-ed25519.dsse.json",
            "provenance-p256.dsse.json",
            "provenance-p384.dsse.json",
            "provenance-rsa.dsse.json",
            "provenance-two.dsse.json",
            "provenance.sigstore.json",
            "pytest.junit.xml",
            "statement.json",
            "v01.dsse.json",
        ]
        .iter()
        .enumerate()
        {
            self.seed("attestation", n, &test_fixture(&format!("outside/{name}")))?;
        }
        for (n, name) in [
            "bare",
            "below",
            "curve-sha512",
            "curve",
            "direct",
            "refused",
            "sha512-ess1",
        ]
        .iter()
        .enumerate()
        {
            self.seed(
                "timestamp",
                n,
                &test_fixture(&format!("timestamp/{name}.tsr")),
            )?;
        }
        for (n, name) in ["p256", "p384", "ed25519", "rsa", "p521", "rsa1024"]
            .iter()
            .enumerate()
        {
            let pem = test_fixture(&format!("outside/{name}.pub"));
            let body: String = String::from_utf8_lossy(&pem)
                .lines()
                .filter(|l| !l.starts_with('-'))
                .collect();
            self.seed("keys", 10 + 2 * n, &pem)?;
            self.seed("keys", 11 + 2 * n, &STANDARD.decode(body).expect("PEM"))?;
        }
        for (n, name) in ["root-ec", "root-rsa"].iter().enumerate() {
            self.seed(
                "keys",
                30 + n,
                &test_fixture(&format!("timestamp/{name}.pem")),
            )?;
        }
        Ok(())
    }

    /// Writes down what the targets compare with.
    fn world(&self) -> io::Result<()> {
        let dir = self.dir.join(WORLD);
        std::fs::create_dir_all(&dir)?;
        let all = |name: &str, texts: &BTreeSet<String>| {
            texts
                .iter()
                .enumerate()
                .try_for_each(|(n, text)| put(&dir.join(name), n, text.as_bytes()))
        };
        all("signed", &self.signed)?;
        all("cosigned", &self.cosigned)?;
        all("forked", &self.forked)?;
        for (n, payload) in self.payloads.iter().enumerate() {
            put(&dir.join("payloads"), n, payload)?;
        }
        std::fs::write(dir.join("remembered"), &self.remembered)?;
        std::fs::write(dir.join("newest"), &self.newest)?;
        std::fs::write(dir.join("signer.pem"), self.log.controller.public().pem())?;
        // The last file: without it there is no world.
        std::fs::write(dir.join("policy"), self.policy())
    }

    fn dictionaries(&self) -> io::Result<()> {
        let dir = self.dir.join("dict");
        std::fs::create_dir_all(&dir)?;
        let drawn = [
            self.log.key.vkey().to_string(),
            self.witness.vkey().to_string(),
            self.log.controller.public().id().to_string(),
            self.log.controller.public().base64(),
            Digest::of(b"artifact").hex(),
            STREAM.to_owned(),
        ];
        for target in &TARGETS {
            let words = target.words.iter().map(|w| (*w).to_owned());
            let drawn = drawn.iter().filter(|_| !{
                matches!(target.name, "archive" | "tile" | "tile-path" | "timestamp")
                    || target.name.starts_with("run-")
            });
            let lines: String = words
                .chain(drawn.cloned())
                .filter(|word| word.len() <= 64)
                .map(|word| {
                    let bytes: String = word.bytes().map(|b| format!("\\x{b:02x}")).collect();
                    format!("\"{bytes}\"\n")
                })
                .collect();
            std::fs::write(dir.join(target.name), lines)?;
        }
        Ok(())
    }

    fn seed(&self, target: &str, n: usize, bytes: &[u8]) -> io::Result<()> {
        put(&self.dir.join("seeds").join(target), n, bytes)
    }
}

fn put(dir: &Path, n: usize, bytes: &[u8]) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    std::fs::write(dir.join(format!("{n:03}")), bytes)
}

/// The DER in a PEM block.
fn der(pkcs8: &Pkcs8) -> Vec<u8> {
    let body: String = pkcs8
        .pem()
        .lines()
        .filter(|line| !line.starts_with('-'))
        .collect();
    STANDARD.decode(body).expect("PEM")
}
