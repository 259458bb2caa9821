//! What can be said about one record by itself, on any thread: the form of its bundle, its proof, its signature and its
//! statement. Whether its signer may sign and how it stands to its neighbours is for [`super::walk`].

use gonogo_core::{Digest, Reason};

use super::report::Step;
use crate::bundle::Bundles;
use crate::error::Error;
use crate::key::{KeyId, PublicKey};
use crate::key_event;
use crate::merkle;
use crate::statement::{Statement, quick};
use crate::tlog_proof::TlogProof;

/// What every record of a packet is held against. The note is not verified here.
pub(super) struct Context {
    pub(super) bundles: Bundles,
    pub(super) note: String,
    pub(super) size: u64,
    pub(super) root: Digest,
}

/// What the reader asks of records.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) keep: &'a (dyn Fn(&str, &str) -> bool + Sync),
    pub(super) artifact: Option<&'a Digest>,
}

/// A record that has the one form.
pub(super) struct Examined {
    pub(super) index: u64,
    pub(super) leaf: Digest,
    pub(super) path: Vec<Digest>,
    pub(super) key: PublicKey,
    pub(super) keyid: KeyId,
    pub(super) inclusion: Result<(), Error>,
    /// The statement, if the signature verifies.
    pub(super) said: Result<Said, Unsaid>,
}

/// Why there is no statement.
pub(super) enum Unsaid {
    Signature(Error),
    Statement(Error),
}

impl Examined {
    /// Returns why there is no statement, as a finding.
    pub(super) fn refusal(self) -> (Step, Reason, String) {
        match self.said {
            Err(Unsaid::Signature(e)) => {
                (Step::Signatures, Reason::SignatureInvalid, e.to_string())
            }
            Err(Unsaid::Statement(e)) => (Step::Signatures, Reason::PacketCorrupt, e.to_string()),
            Ok(_) => (
                Step::Signatures,
                Reason::PacketCorrupt,
                "no statement".into(),
            ),
        }
    }
}

/// What a statement says.
pub(super) struct Said {
    pub(super) stream: String,
    pub(super) kind: String,
    pub(super) seq: u64,
    pub(super) prev: Option<Digest>,
    pub(super) seen: u64,
    pub(super) digest: Digest,
    /// Bytes.
    pub(super) size: usize,
    /// It is about the artifact that was asked for.
    pub(super) about: bool,
    /// What it is about, if that is asked: of the first record of a stream, and of those about the artifact.
    pub(super) subjects: Vec<Digest>,
    /// It was asked for.
    pub(super) wanted: bool,
    /// The whole, of key events and records that were asked for.
    pub(super) whole: Option<Statement>,
}

/// Examines a bundle. Returns what is said about it and the text of the proof that has to stand beside it.
///
/// # Errors
/// Why it is no bundle of this packet.
pub(super) fn examine(
    bytes: &[u8],
    context: &Context,
    wanted: Wanted<'_>,
) -> Result<(Examined, String), Error> {
    let (bundle, body) = context.bundles.read(bytes)?;
    let leaf = merkle::leaf_hash(&body);
    let inclusion = merkle::verify_inclusion(
        &leaf,
        bundle.index,
        context.size,
        &bundle.path,
        &context.root,
    );
    let said = match bundle.envelope.verify(&bundle.key) {
        Ok(()) => say(bundle.envelope.payload(), wanted).map_err(Unsaid::Statement),
        Err(e) => Err(Unsaid::Signature(e)),
    };
    let proof = TlogProof {
        index: bundle.index,
        path: bundle.path,
        checkpoint: context.note.clone(),
    };
    let text = proof.to_text();
    let examined = Examined {
        index: bundle.index,
        leaf,
        path: proof.path,
        key: bundle.key,
        keyid: bundle.envelope.keyid(),
        inclusion,
        said,
    };
    Ok((examined, text))
}

fn say(payload: &[u8], wanted: Wanted<'_>) -> Result<Said, Error> {
    let is = |digest: &Digest| wanted.artifact == Some(digest);
    let (digest, size) = (Digest::of(payload), payload.len());
    let told = |mut said: Said, mut subjects: Vec<Digest>| {
        if wanted.artifact.is_some() {
            // A record about nothing else is about its stream's name, which is no artifact and no plan.
            let name = Digest::of(said.stream.as_bytes());
            subjects.retain(|digest| *digest != name);
            said.about = subjects.iter().any(is);
            if said.about || said.seq == 0 {
                said.subjects = subjects;
            }
        }
        said
    };
    if let Some(quick) = quick::read(payload)
        && quick.kind != key_event::KIND
        && !(wanted.keep)(quick.stream, quick.kind)
    {
        let said = Said {
            stream: quick.stream.to_owned(),
            kind: quick.kind.to_owned(),
            seq: quick.seq,
            prev: quick.prev,
            seen: quick.seen,
            digest,
            size,
            about: false,
            subjects: Vec::new(),
            wanted: false,
            whole: None,
        };
        return Ok(told(said, quick.subjects));
    }
    let statement = Statement::parse(payload)?;
    let subjects: Vec<Digest> = statement.subject.iter().map(|s| s.digest).collect();
    let wanted = (wanted.keep)(&statement.stream, &statement.kind);
    let whole = wanted || statement.kind == key_event::KIND;
    let said = Said {
        stream: statement.stream.clone(),
        kind: statement.kind.clone(),
        seq: statement.seq,
        prev: statement.prev,
        seen: statement.seen.size,
        digest,
        size,
        about: false,
        subjects: Vec::new(),
        wanted,
        whole: whole.then_some(statement),
    };
    Ok(told(said, subjects))
}
