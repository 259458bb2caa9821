//! What a judgement says: the verdict as a whole, each gate, each obligation, and why.
//!
//! Invariants: every row that is not a pass has at least one reason; a pass has evidence; the verdict is the worst of the blocking gates;
//! lists that hang on input are bounded and say how much was left out.

use std::collections::BTreeMap;

use gonogo_core::{Digest, Exit, Reason, Timestamp, Verdict as Status};
use serde::{Deserialize, Serialize};

use crate::policy::Severity;

/// The schema.
pub const SCHEMA: &str = "gonogo.gate.verdict.v1";

/// Version of the rules: another number where the same inputs can come to another verdict.
pub const RULES: u32 = 3;

/// Most reasons of one obligation that are told.
pub const TOLD: usize = 50;

/// The verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    /// [`SCHEMA`].
    pub schema: String,
    /// [`RULES`], when it was made.
    pub rules: u32,
    /// The lane.
    pub gate_id: String,
    /// Of the policy's bytes.
    pub policy_digest: Digest,
    /// Whether the built-in policy held, because there is no other.
    pub policy_is_default: bool,
    /// What was judged.
    pub tree: String,
    /// The commit, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// When.
    pub judged_at: Timestamp,
    /// The worst of the blocking gates.
    pub verdict: Status,
    /// How a command ends that says no more than this.
    pub exit_code: u8,
    /// Until when it holds: the first time at which evidence or an excuse ends. Absent if nothing of it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Every reason of the blocking gates once.
    pub reasons: Vec<Reason>,
    /// The gates, the built-in ones first.
    pub gates: Vec<GateResult>,
    /// The waivers, as they stand.
    pub waivers: Vec<WaiverState>,
    /// The quarantines, as they stand.
    pub quarantines: Vec<QuarantineState>,
    /// Of the inputs; absent if they have no canonical form.
    pub inputs_digest: Option<Digest>,
    /// Of this verdict with this field absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub self_digest: Option<Digest>,
}

impl Verdict {
    /// The gate that has this id.
    pub fn gate(&self, id: &str) -> Option<&GateResult> {
        self.gates.iter().find(|gate| gate.id == id)
    }

    /// The exit code as the command line has it.
    pub fn exit(&self) -> Exit {
        let known = Exit::ALL.into_iter().find(|e| e.code() == self.exit_code);
        known.unwrap_or(Exit::Unjudged)
    }

    /// Digest of the canonical form without [`Self::self_digest`]; absent if there is none.
    pub fn digest(&self) -> Option<Digest> {
        let bare = Self {
            self_digest: None,
            ..self.clone()
        };
        gonogo_core::canonical::to_vec(&bare)
            .ok()
            .map(|bytes| Digest::of(&bytes))
    }

    /// Its digest, if it is that of its content.
    pub fn believed(&self) -> Option<Digest> {
        self.self_digest.filter(|d| self.digest() == Some(*d))
    }

    /// The canonical bytes.
    ///
    /// # Errors
    /// Where a number has no canonical form.
    pub fn to_bytes(&self) -> Result<Vec<u8>, gonogo_core::canonical::CanonicalError> {
        gonogo_core::canonical::to_vec(self)
    }
}

/// Whether a gate was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    /// It was.
    Judged,
    /// The lane had stopped before.
    NotReached,
    /// What it is about is not declared, and its check says that it need not be.
    NotDeclared,
}

/// One gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GateResult {
    /// Its id.
    pub id: String,
    /// What it is about.
    pub title: String,
    /// The kind of its check.
    pub kind: String,
    /// Who answers for it.
    pub owner: String,
    /// How bad it is if it is not good.
    pub severity: Severity,
    /// Whether the verdict hangs on it.
    pub blocking: bool,
    /// Whether it was asked.
    pub asked: Asked,
    /// What it came to.
    pub status: Status,
    /// What it would be without any waiver or mode.
    pub raw: Status,
    /// Why, over all obligations, at most [`TOLD`].
    pub reasons: Vec<Told>,
    /// How many more reasons there are.
    #[serde(default)]
    pub reasons_omitted: u64,
    /// What is said beside.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What it rests on.
    pub obligations: Vec<Obligation>,
    /// The excuses that were applied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub excuses: Vec<Excuse>,
    /// What shows the same again.
    pub reproduce: Vec<String>,
    /// What to do.
    pub remediation: String,
    /// Until when it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

impl GateResult {
    /// The word of older reports: `pass`, `warn`, `fail`, `skip`. What was excused keeps its own word.
    pub const fn word(&self) -> &'static str {
        match (self.asked, self.raw) {
            (Asked::NotReached | Asked::NotDeclared, _) => "skip",
            (Asked::Judged, Status::Pass) => "pass",
            (Asked::Judged, Status::Excused | Status::Hold) => "warn",
            (Asked::Judged, Status::Fail | Status::Invalid) => "fail",
        }
    }

    /// Whether a waiver or the mode made it better than it is.
    pub fn is_excused(&self) -> bool {
        self.status == Status::Excused && self.raw > Status::Excused
    }

    /// The evidence of all obligations, each once.
    pub fn evidence(&self) -> Vec<&Evidence> {
        let mut all: Vec<&Evidence> = self.obligations.iter().flat_map(|o| &o.evidence).collect();
        all.sort();
        all.dedup();
        all
    }
}

/// A reason, and what it is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// The reason.
    pub code: Reason,
    /// One line.
    pub text: String,
    /// The target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<String>,
}

/// How an obligation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// The evidence is there, and it holds.
    Satisfied,
    /// It does not hold, and that is excused.
    Excused,
    /// The evidence is not there.
    Missing,
    /// The evidence is too old, or about something else.
    Stale,
    /// It does not hold.
    Violated,
    /// The evidence, or the rule, cannot be used.
    Invalid,
}

/// Something that must be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Obligation {
    /// The gate's id, and what of it.
    pub id: String,
    /// What must be shown.
    pub required: String,
    /// How it stands.
    pub standing: Standing,
    /// The same on the lattice.
    pub status: Status,
    /// Why, at most [`TOLD`].
    pub reasons: Vec<Told>,
    /// How many more.
    #[serde(default)]
    pub reasons_omitted: u64,
    /// What it rests on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
    /// Until when it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// A piece of evidence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// What it is.
    pub what: String,
    /// Of its bytes.
    pub digest: Digest,
    /// Its record in the ledger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<u64>,
}

/// An excuse that was applied.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Excuse {
    /// `waiver`, `quarantine`, `rollback_mode`.
    pub kind: String,
    /// Which.
    pub id: String,
    /// Of its entry.
    pub digest: Digest,
    /// Until when.
    pub expires: Timestamp,
}

/// How an excuse stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExcuseStatus {
    /// It holds.
    Active,
    /// It holds, and ends within days.
    ExpiringSoon,
    /// The change brings it, and nobody else signed for it. It does not hold.
    Unapproved,
    /// Its time is over. It does not hold.
    Expired,
    /// It breaks a rule. It does not hold.
    Invalid,
}

impl ExcuseStatus {
    /// Whether it excuses anything.
    pub const fn holds(self) -> bool {
        matches!(self, Self::Active | Self::ExpiringSoon)
    }

    /// The word in reports.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::ExpiringSoon => "expiring_soon",
            Self::Unapproved => "unapproved",
            Self::Expired => "expired",
            Self::Invalid => "invalid",
        }
    }
}

/// A waiver, as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaiverState {
    /// The gate that it is for.
    pub gate_id: String,
    /// How it stands.
    pub status: ExcuseStatus,
    /// Why, for people.
    pub detail: String,
    /// Whole days until it ends; negative if it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days_remaining: Option<i64>,
    /// Of its entry.
    pub digest: Digest,
    /// Its fields, as far as they could be read.
    pub fields: BTreeMap<String, String>,
}

/// A quarantine, as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuarantineState {
    /// The target and the test that it is for.
    pub id: String,
    /// How it stands.
    pub status: ExcuseStatus,
    /// Why, for people.
    pub detail: String,
    /// Whole days until it ends; negative if it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days_remaining: Option<i64>,
    /// Of its entry.
    pub digest: Digest,
    /// How many failures of this judgement it covered.
    pub matched: u64,
    /// Its fields, as far as they could be read.
    pub fields: BTreeMap<String, String>,
}
