//! What a verification found.

use gonogo_core::{Digest, Exit, Reason, Timestamp, Verdict};
use serde_json::Value;

use crate::key::KeyId;
use crate::note::{Checkpoint, Vkey};
use crate::statement::Subject;

/// One check and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// A stable name: `archive`, `members`, `checkpoint`, `trust`, `inclusion`, `signatures`, `signers`, `streams`,
    /// `blobs`.
    pub name: &'static str,
    /// [`Reason::PacketVerified`] if it passed.
    pub reason: Reason,
    /// Whether it passed.
    pub ok: bool,
    /// What was found, for people.
    pub text: String,
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

/// The outcome of a verification.
#[derive(Debug, Clone)]
pub struct Report {
    /// Every check that was made, in order.
    pub checks: Vec<Check>,
    /// The records in the log's order, the manifest left out. Empty if any check failed.
    pub records: Vec<VerifiedRecord>,
    /// The blobs that the packet holds. Empty if any check failed.
    pub blobs: Vec<Digest>,
    /// The log's state and key, if the work came so far.
    pub log: Option<(Checkpoint, Vkey)>,
    /// The worst verdict.
    pub verdict: Verdict,
    /// The reason behind the verdict: the first failure; else what is incomplete; else missing trust; else
    /// [`Reason::PacketVerified`].
    pub reason: Reason,
}

impl Report {
    /// Returns the exit code of a command that ends with this report.
    pub const fn exit(&self) -> Exit {
        self.reason.exit()
    }
}

/// Collects checks. A check that was told of several failures keeps the first and counts the rest.
#[derive(Debug, Default)]
pub(super) struct Findings {
    checks: Vec<Check>,
    pub(super) records: Vec<VerifiedRecord>,
    pub(super) blobs: Vec<Digest>,
    pub(super) log: Option<(Checkpoint, Vkey)>,
}

impl Findings {
    pub(super) fn pass(&mut self, name: &'static str, text: String) {
        self.checks.push(Check {
            name,
            reason: Reason::PacketVerified,
            ok: true,
            text,
        });
    }

    pub(super) fn fail(&mut self, name: &'static str, reason: Reason, text: String) {
        self.checks.push(Check {
            name,
            reason,
            ok: false,
            text,
        });
    }

    /// Ends one check: passed with `text` if nothing went wrong, else failed with the first thing that did.
    pub(super) fn conclude(
        &mut self,
        name: &'static str,
        wrong: Vec<(Reason, String)>,
        text: String,
    ) {
        let more = wrong.len().saturating_sub(1);
        match wrong.into_iter().next() {
            None => self.pass(name, text),
            Some((reason, first)) if more == 0 => self.fail(name, reason, first),
            Some((reason, first)) => self.fail(name, reason, format!("{first} (and {more} more)")),
        }
    }

    pub(super) fn finish(mut self) -> Report {
        let failed =
            |c: &&Check| !c.ok && matches!(c.reason.verdict(), Verdict::Fail | Verdict::Invalid);
        let named = |reason: Reason| self.checks.iter().find(|c| !c.ok && c.reason == reason);
        let worst = self
            .checks
            .iter()
            .find(failed)
            .or_else(|| named(Reason::PacketIncomplete))
            .or_else(|| self.checks.iter().find(|c| !c.ok));
        let reason = worst.map_or(Reason::PacketVerified, |c| c.reason);
        let verdict = reason.verdict();
        if matches!(verdict, Verdict::Fail | Verdict::Invalid) {
            self.records.clear();
            self.blobs.clear();
        }
        Report {
            checks: self.checks,
            records: self.records,
            blobs: self.blobs,
            log: self.log,
            verdict,
            reason,
        }
    }
}
