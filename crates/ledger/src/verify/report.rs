//! What a verification found.

use gonogo_core::{Digest, Exit, Reason, Timestamp, Verdict};
use serde_json::Value;

use crate::key::KeyId;
use crate::note::{Checkpoint, Vkey};
use crate::statement::Subject;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// What was to be shown is shown.
    Passed,
    /// It is not shown, or the opposite is.
    Failed,
    /// Nothing was looked at: never to be shown as passed.
    Skipped,
}

/// One check and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// A stable name; [`CHECKS`] lists them.
    pub name: &'static str,
    /// How it ended.
    pub state: State,
    /// Why it failed; [`Reason::PacketVerified`] if it did not.
    pub reason: Reason,
    /// What was found, or why nothing was looked at, for people.
    pub text: String,
}

/// The names of the checks, in their order.
pub const CHECKS: [&str; 13] = [
    "archive",
    "members",
    "checkpoint",
    "trust",
    "quorum",
    "inclusion",
    "signatures",
    "signers",
    "streams",
    "history",
    "timestamp",
    "blobs",
    "artifact",
];

/// A check, as a place in [`CHECKS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Archive,
    Members,
    Checkpoint,
    Trust,
    Quorum,
    Inclusion,
    Signatures,
    Signers,
    Streams,
    History,
    Timestamp,
    Blobs,
    Artifact,
}

/// Who signed a record, as the log enrolled them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// The key.
    pub key: KeyId,
    /// Whose it is.
    pub who: String,
    /// Their role.
    pub role: String,
}

/// Who signed in a stream that the packet holds whole, whether their records were asked for or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The stream.
    pub stream: String,
    /// Who.
    pub signer: Signer,
    /// The first leaf of the stream that they signed.
    pub first: u64,
}

/// A record whose inclusion, signature, signer and place in its stream were verified.
#[derive(Debug, Clone, PartialEq)]
pub struct VerifiedRecord {
    /// Its leaf's index in the log.
    pub index: u64,
    /// Its stream.
    pub stream: String,
    /// Its position in the stream.
    pub seq: u64,
    /// Its idempotency key in the stream.
    pub key: String,
    /// The predicate's name.
    pub kind: String,
    /// When the writer says it was.
    pub time: Timestamp,
    /// Who acted, as the writer says.
    pub actor: String,
    /// Who signed.
    pub signer: Signer,
    /// What it is about.
    pub subject: Vec<Subject>,
    /// What the kind says.
    pub body: Value,
    /// Digest of the statement's bytes.
    pub digest: Digest,
}

/// An earlier state of the log that a packet proves its checkpoint to extend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Leaves.
    pub size: u64,
    /// Root over them.
    pub root: Digest,
    /// The proof (RFC 6962 section 2.1.2) that leads from there to the packet's checkpoint.
    pub path: Vec<Digest>,
}

/// Two signed checkpoints of one log that cannot both be true: proof against the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The one that was remembered, a whole note.
    pub remembered: String,
    /// The packet's, a whole note.
    pub packet: String,
}

/// The state of the log that a packet shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The state.
    pub checkpoint: Checkpoint,
    /// The key that signed it.
    pub log: Vkey,
    /// The whole note, with cosignatures: what to remember.
    pub note: String,
    /// The earlier states that the packet links to it. Empty if a check failed.
    pub links: Vec<Link>,
}

/// The outcome of a verification.
#[derive(Debug, Clone)]
pub struct Report {
    /// Every check in order, those that were not made as well.
    pub checks: Vec<Check>,
    /// The records that were asked for, in the log's order, the manifest left out. Empty if any check failed.
    pub records: Vec<VerifiedRecord>,
    /// Whether `records` has every record that was asked for.
    pub whole: bool,
    /// Who signed in which stream. Empty if any check failed.
    pub signers: Vec<Signed>,
    /// The blobs that the packet holds. Empty if any check failed.
    pub blobs: Vec<Digest>,
    /// The stream that the packet is about. None if any check failed.
    pub about: Option<String>,
    /// What the maker of the packet says that it shows. None if any check failed.
    pub claim: Option<String>,
    /// The log's state and key, if the log signed the checkpoint. Whether the key is trusted is another check.
    pub log: Option<Shown>,
    /// The proof against the log, if two checkpoints contradict each other.
    pub conflict: Option<Conflict>,
    /// The worst verdict.
    pub verdict: Verdict,
    /// The reason behind the verdict: the first failure; else what keeps it from being judged; else missing trust; else
    /// [`Reason::PacketVerified`].
    pub reason: Reason,
}

impl Report {
    /// Returns the exit code of a command that ends with this report.
    pub const fn exit(&self) -> Exit {
        self.reason.exit()
    }
}

/// How far a check has come. Of several failures the first is kept, and the others are counted.
#[derive(Debug, Clone, Default)]
enum Slot {
    #[default]
    Open,
    Passed(String),
    Failed(Reason, String, usize),
    Skipped(String),
}

/// Collects findings.
#[derive(Debug, Default)]
pub(super) struct Findings {
    slots: [Slot; CHECKS.len()],
    pub(super) records: Vec<VerifiedRecord>,
    pub(super) signers: Vec<Signed>,
    pub(super) blobs: Vec<Digest>,
    pub(super) cut: bool,
    pub(super) about: Option<String>,
    pub(super) claim: Option<String>,
    pub(super) log: Option<Shown>,
    pub(super) conflict: Option<Conflict>,
}

impl Findings {
    /// Notes that a check passed, unless it failed before or was not made.
    pub(super) fn pass(&mut self, step: Step, text: String) {
        let slot = &mut self.slots[step as usize];
        if matches!(slot, Slot::Open) {
            *slot = Slot::Passed(text);
        }
    }

    pub(super) fn skip(&mut self, step: Step, text: &str) {
        let slot = &mut self.slots[step as usize];
        if matches!(slot, Slot::Open) {
            *slot = Slot::Skipped(text.to_owned());
        }
    }

    pub(super) fn fail(&mut self, step: Step, reason: Reason, text: impl Into<String>) {
        match &mut self.slots[step as usize] {
            Slot::Failed(kept, first, more) => {
                *more += 1;
                // What is wrong outweighs what is missing.
                if !is_failure(*kept) && is_failure(reason) {
                    (*kept, *first) = (reason, text.into());
                }
            }
            slot => *slot = Slot::Failed(reason, text.into(), 0),
        }
    }

    pub(super) fn failed(&self, step: Step) -> bool {
        matches!(&self.slots[step as usize], Slot::Failed(reason, ..) if is_failure(*reason))
    }

    pub(super) fn finish(mut self) -> Report {
        let ended = self
            .slots
            .iter()
            .position(|slot| matches!(slot, Slot::Failed(reason, ..) if is_failure(*reason)));
        // Without these nothing after them means anything.
        let void = ended.filter(|at| *at <= Step::Trust as usize);
        let mut checks = Vec::with_capacity(CHECKS.len());
        for (at, slot) in std::mem::take(&mut self.slots).into_iter().enumerate() {
            let because = |name: usize| format!("not looked at, because `{}` failed", CHECKS[name]);
            let (state, reason, text) = match slot {
                _ if void.is_some_and(|end| at > end) => {
                    let text = because(void.unwrap_or_default());
                    (State::Skipped, Reason::PacketVerified, text)
                }
                Slot::Passed(text) => (State::Passed, Reason::PacketVerified, text),
                Slot::Skipped(text) => (State::Skipped, Reason::PacketVerified, text),
                Slot::Failed(reason, text, 0) => (State::Failed, reason, text),
                Slot::Failed(reason, text, more) => {
                    (State::Failed, reason, format!("{text} (and {more} more)"))
                }
                // A check that nobody made, though nothing failed, would be a fault of this program: it ends the work too.
                Slot::Open => match ended {
                    Some(end) => (State::Skipped, Reason::PacketVerified, because(end)),
                    None => (
                        State::Failed,
                        Reason::PacketIncomplete,
                        "it was not made".to_owned(),
                    ),
                },
            };
            checks.push(Check {
                name: CHECKS[at],
                state,
                reason,
                text,
            });
        }
        let failed = || checks.iter().filter(|c| c.state == State::Failed);
        let reason = failed()
            .find(|c| is_failure(c.reason))
            .or_else(|| failed().find(|c| c.reason.exit() == Exit::Unjudged))
            .or_else(|| failed().next())
            .map_or(Reason::PacketVerified, |c| c.reason);
        if is_failure(reason) {
            self.records.clear();
            self.signers.clear();
            self.blobs.clear();
            self.about = None;
            self.claim = None;
            if let Some(log) = &mut self.log {
                log.links.clear();
            }
        }
        Report {
            checks,
            records: self.records,
            signers: self.signers,
            blobs: self.blobs,
            whole: !self.cut && ended.is_none(),
            about: self.about,
            claim: self.claim,
            log: self.log,
            conflict: self.conflict,
            verdict: reason.verdict(),
            reason,
        }
    }
}

fn is_failure(reason: Reason) -> bool {
    matches!(reason.verdict(), Verdict::Fail | Verdict::Invalid)
}
