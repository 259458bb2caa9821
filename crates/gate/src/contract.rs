//! The certification contract, hard gates as data, and the verdict that follows from it.
//!
//! [`certify()`] reads a gate [`Verdict`] and a bundle and nothing else. Invariants: a certificate is about the commit, the tree and the
//! policy that the verdict is about, and refused where they differ; every hard gate must pass by itself, an excuse leaves it failed; a
//! contract that asks for nothing certifies nothing; the same inputs give the same certificate ([`Certification::verify`]).

use std::collections::{BTreeMap, BTreeSet};

use gonogo_core::{Digest, Reason, Timestamp, Verdict as Status};
use gonogo_suite::run::Problem;
use serde::{Deserialize, Serialize};

use crate::artifact::Artifact;
use crate::bundle::{Bundle, Foreign, Standing};
use crate::dossier::Question;
use crate::verdict::{self, Asked, Verdict};

/// The contract's schema.
pub const CONTRACT: &str = "gonogo.gate.certification-contract.v1";
/// The verdict's schema.
pub const SCHEMA: &str = "gonogo.gate.certification-verdict.v1";

/// Most hard gates.
const MOST: usize = 500;

/// A hard gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HardGate {
    /// Its id, such as `G01`.
    pub gate_id: String,
    /// What it is about.
    pub domain: String,
    /// Whether its failure blocks a release by itself. A certificate needs all of them.
    pub blocking: bool,
    /// Who answers for it.
    pub owner: String,
    /// Sections of the evidence bundle that must be present.
    #[serde(default)]
    pub required_artifacts: Vec<String>,
    /// Evidence that its gates must rest on, by the names that the verdict has for it.
    #[serde(default)]
    pub required_evidence: Vec<String>,
    /// Gates of the verdict that must pass.
    pub pass_criteria: Vec<String>,
    /// Reasons that fail it, wherever in the verdict they stand.
    #[serde(default)]
    pub fail_conditions: Vec<Reason>,
}

/// The contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contract {
    /// [`CONTRACT`].
    pub schema: String,
    /// The lane whose verdict counts.
    pub lane: String,
    /// The hard gates.
    pub hard_gates: Vec<HardGate>,
    /// What the dossier answers; one question for each hard gate if there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub closure_questions: Vec<Question>,
}

/// A contract that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the certification contract cannot be used: {0}")]
pub struct ContractError(String);

impl Contract {
    /// Reads TOML.
    ///
    /// # Errors
    /// [`ContractError`]: unknown keys, no gate, a gate that asks for nothing, ids that stand twice.
    pub fn parse(text: &str) -> Result<Self, ContractError> {
        if text.len() > 1 << 20 {
            return Err(ContractError("it is larger than 1 MiB".to_owned()));
        }
        let read: Self = toml::from_str(text).map_err(|e| ContractError(e.to_string()))?;
        match read.faults().first() {
            Some(fault) => Err(ContractError(fault.clone())),
            None => Ok(read),
        }
    }

    /// What must be answered before a release is closed.
    pub fn questions(&self) -> Vec<Question> {
        if !self.closure_questions.is_empty() {
            return self.closure_questions.clone();
        }
        let each = |gate: &HardGate| Question {
            question: format!("Does {} hold: {}?", gate.gate_id, gate.domain),
            gates: gate.pass_criteria.clone(),
        };
        self.hard_gates.iter().map(each).collect()
    }

    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.schema != CONTRACT {
            faults.push(format!(
                "its schema is `{}`, expected `{CONTRACT}`",
                self.schema
            ));
        }
        if self.hard_gates.is_empty() || self.hard_gates.len() > MOST {
            faults.push(format!("it has {} hard gates", self.hard_gates.len()));
        }
        if crate::policy::Lane::parse(&self.lane).is_none() {
            faults.push(format!("`{}` is no lane", self.lane));
        }
        let mut ids = BTreeSet::new();
        for gate in &self.hard_gates {
            let id = &gate.gate_id;
            if !ids.insert(id) || id.trim().is_empty() {
                faults.push(format!("the hard gate `{id}` stands twice or has no id"));
            }
            if gate.pass_criteria.is_empty() {
                faults.push(format!(
                    "`{id}` has no `pass_criteria`, so it would always pass"
                ));
            }
            if gate.owner.trim().is_empty() {
                faults.push(format!("`{id}` has no owner"));
            }
        }
        for asked in &self.closure_questions {
            if asked.question.trim().is_empty() || asked.gates.is_empty() {
                faults.push("a question asks nothing, or names no gate".to_owned());
            }
        }
        faults
    }
}

/// How a hard gate came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// All that it asks for was shown.
    Pass,
    /// It could not be told: evidence is missing or cannot be used.
    Blocked,
    /// Something that it asks for does not hold.
    Fail,
}

/// A hard gate's result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HardResult {
    /// The gate.
    pub gate_id: String,
    /// What it is about.
    pub domain: String,
    /// Whether its failure blocks a release by itself.
    pub blocking: bool,
    /// Who answers for it.
    pub owner: String,
    /// How it came out.
    pub status: State,
    /// Whether an excuse covers it. It stays as it is.
    pub waived: bool,
    /// What is not as it must be.
    pub problems: Vec<String>,
}

/// Certified or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Overall {
    /// It is.
    Certified,
    /// It is not.
    NotCertified,
}

/// A piece of evidence, and the hard gates that rest on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Indexed {
    /// What it is.
    pub what: String,
    /// Of its bytes.
    pub sha256: Digest,
    /// The hard gates.
    pub gates: Vec<String>,
}

/// The certification verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certification {
    /// [`SCHEMA`].
    pub schema: String,
    /// The commit.
    pub git_commit: String,
    /// The tree.
    pub tree: String,
    /// When it was made.
    pub generated_at_utc: Timestamp,
    /// Until when the verdict holds that it follows from.
    pub expires_at: Option<Timestamp>,
    /// Of the contract.
    pub contract_digest: Digest,
    /// Of the policy.
    pub policy_digest: Digest,
    /// Of the gate verdict.
    pub verdict_digest: Digest,
    /// Of the bundle's index.
    pub bundle_digest: Option<Digest>,
    /// Certified or not.
    pub overall_verdict: Overall,
    /// The hard gates, in the contract's order.
    pub hard_gate_results: Vec<HardResult>,
    /// Why it is not certified; empty if it is.
    pub blocking_reasons: Vec<String>,
    /// What it rests on.
    pub evidence_index: Vec<Indexed>,
}

/// What is to be certified, from elsewhere than the verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The commit.
    pub commit: String,
    /// The tree.
    pub tree: String,
    /// Of the policy's bytes.
    pub policy_digest: Digest,
}

/// Why there is no certificate, not even a negative one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The contract cannot be used.
    #[error(transparent)]
    Contract(#[from] ContractError),
    /// The verdict or the bundle is not to be believed.
    #[error("the {what} cannot be used: {why}; make it again from its evidence")]
    Unbelievable {
        /// Which.
        what: &'static str,
        /// Why.
        why: String,
    },
    /// It is about something else.
    #[error("the {what} has {field} `{found}`, and `{expected}` is to be certified; judge again")]
    Other {
        /// Which.
        what: &'static str,
        /// Of what.
        field: &'static str,
        /// What it has.
        found: String,
        /// What was asked.
        expected: String,
    },
}

fn same(
    what: &'static str,
    field: &'static str,
    found: &str,
    expected: &str,
) -> Result<(), Refused> {
    if found == expected && !found.is_empty() {
        return Ok(());
    }
    Err(Refused::Other {
        what,
        field,
        found: found.to_owned(),
        expected: expected.to_owned(),
    })
}

/// Certifies, or says why not.
///
/// # Errors
/// [`Refused`]: what was given is about something else, was changed, or is over.
pub fn certify(
    contract: &Contract,
    verdict: &Verdict,
    bundle: Option<&Bundle>,
    subject: &Subject,
    now: Timestamp,
) -> Result<Certification, Refused> {
    if let Some(fault) = contract.faults().first() {
        return Err(ContractError(fault.clone()).into());
    }
    let lie = |what, why: &str| Refused::Unbelievable {
        what,
        why: why.to_owned(),
    };
    let of = "gate verdict";
    if verdict.schema != verdict::SCHEMA {
        return Err(lie(of, "its schema is another"));
    }
    let verdict_digest = verdict
        .believed()
        .ok_or_else(|| lie(of, "its digest is not that of its content"))?;
    if verdict.judged_at > now {
        return Err(lie(of, "it was judged in the future"));
    }
    if verdict.expires_at.is_some_and(|at| at <= now) {
        return Err(lie(of, "what it rests on is over"));
    }
    same(of, "lane", &verdict.gate_id, &contract.lane)?;
    same(of, "tree", &verdict.tree, &subject.tree)?;
    let commit = verdict.commit.as_deref().unwrap_or_default();
    same(of, "commit", commit, &subject.commit)?;
    let policy = verdict.policy_digest.to_string();
    same(of, "policy", &policy, &subject.policy_digest.to_string())?;
    if let Some(bundle) = bundle {
        let of = "evidence bundle";
        match bundle.belongs(&subject.commit) {
            Ok(()) => {}
            Err(Foreign::Contradicts(why)) => return Err(lie(of, &why)),
            Err(Foreign::Commit(found)) => same(of, "commit", &found, &subject.commit)?,
        }
        if bundle.generated_at > now {
            return Err(lie("evidence bundle", "it was made in the future"));
        }
    }
    let contract_digest = gonogo_core::canonical::to_vec(contract)
        .map(|bytes| Digest::of(&bytes))
        .map_err(|e| lie("contract", &e.to_string()))?;
    let mut results = Vec::new();
    let mut index: BTreeMap<(String, Digest), BTreeSet<&str>> = BTreeMap::new();
    for gate in &contract.hard_gates {
        results.push(judge(gate, verdict, bundle));
        for (what, digest) in evidence(gate, verdict, bundle) {
            index
                .entry((what, digest))
                .or_default()
                .insert(&gate.gate_id);
        }
    }
    let mut made = Certification {
        schema: SCHEMA.to_owned(),
        git_commit: subject.commit.clone(),
        tree: subject.tree.clone(),
        generated_at_utc: now,
        expires_at: verdict.expires_at,
        contract_digest,
        policy_digest: verdict.policy_digest,
        verdict_digest,
        bundle_digest: bundle.and_then(Artifact::digest),
        overall_verdict: Overall::NotCertified,
        blocking_reasons: blocking(&results),
        hard_gate_results: results,
        evidence_index: index
            .into_iter()
            .map(|((what, sha256), gates)| Indexed {
                what,
                sha256,
                gates: gates.into_iter().map(str::to_owned).collect(),
            })
            .collect(),
    };
    if verdict.verdict != Status::Pass {
        let text = format!("the gate verdict itself is {}", verdict.verdict);
        made.blocking_reasons.push(text);
    }
    if made.blocking_reasons.is_empty() {
        made.overall_verdict = Overall::Certified;
    }
    Ok(made)
}

fn blocking(results: &[HardResult]) -> Vec<String> {
    let mut reasons = Vec::new();
    for result in results.iter().filter(|r| r.status != State::Pass) {
        for problem in &result.problems {
            reasons.push(format!("{}: {problem}", result.gate_id));
        }
    }
    reasons
}

/// What a hard gate comes to, by the gates of a verdict.
pub(crate) fn judge(gate: &HardGate, verdict: &Verdict, bundle: Option<&Bundle>) -> HardResult {
    let mut status = State::Pass;
    let mut problems = Vec::new();
    let mut waived = false;
    let mut tell = |worse: State, text: String| {
        status = status.max(worse);
        problems.push(text);
    };
    let mut shown = BTreeSet::new();
    for id in &gate.pass_criteria {
        let Some(result) = verdict.gate(id) else {
            tell(State::Blocked, format!("the verdict has no gate `{id}`"));
            continue;
        };
        shown.extend(result.evidence().into_iter().map(|e| e.what.as_str()));
        waived |= result.is_excused();
        if result.asked != Asked::Judged {
            tell(State::Blocked, format!("gate `{id}` was not judged"));
            continue;
        }
        let worst = result.raw.max(result.status);
        match worst {
            Status::Pass => {}
            Status::Excused | Status::Fail => tell(State::Fail, format!("gate `{id}` is {worst}")),
            Status::Hold | Status::Invalid => {
                tell(State::Blocked, format!("gate `{id}` is {worst}"));
            }
        }
        // What was excused is a failure that somebody took on, not a pass.
        if result.is_excused() {
            tell(
                State::Fail,
                format!("gate `{id}` is excused, which does not count here"),
            );
        }
        if worst == Status::Pass && result.obligations.is_empty() {
            tell(
                State::Blocked,
                format!("gate `{id}` rests on no obligation"),
            );
        }
    }
    for what in &gate.required_evidence {
        if !shown.contains(what.as_str()) {
            tell(
                State::Blocked,
                format!("evidence `{what}` is not among what its gates rest on"),
            );
        }
    }
    for id in &gate.required_artifacts {
        match bundle.and_then(|b| b.section(id)).map(|s| s.status) {
            Some(Standing::Present) => {}
            Some(Standing::Invalid) => tell(State::Blocked, format!("artifact `{id}` is invalid")),
            Some(Standing::Missing) | None => {
                tell(State::Blocked, format!("artifact `{id}` is missing"));
            }
        }
    }
    for reason in &gate.fail_conditions {
        let told = verdict.gates.iter().flat_map(|g| &g.reasons);
        let is_there =
            verdict.reasons.contains(reason) || told.into_iter().any(|t| t.code == *reason);
        if is_there {
            tell(State::Fail, format!("the verdict has the reason {reason}"));
        }
    }
    HardResult {
        gate_id: gate.gate_id.clone(),
        domain: gate.domain.clone(),
        blocking: gate.blocking,
        owner: gate.owner.clone(),
        status,
        waived,
        problems,
    }
}

/// What it rests on.
pub(crate) fn evidence(
    gate: &HardGate,
    verdict: &Verdict,
    bundle: Option<&Bundle>,
) -> Vec<(String, Digest)> {
    let gates = gate.pass_criteria.iter().filter_map(|id| verdict.gate(id));
    let mut all: Vec<(String, Digest)> = gates
        .flat_map(|result| result.evidence())
        .map(|e| (e.what.clone(), e.digest))
        .collect();
    let sections = gate.required_artifacts.iter();
    let sections = sections.filter_map(|id| bundle.and_then(|b| b.section(id)));
    all.extend(sections.filter_map(|s| Some((s.artifact_path.clone(), s.sha256?))));
    all
}

impl Certification {
    /// Whether it is certified at a time.
    pub fn holds(&self, now: Timestamp) -> bool {
        self.overall_verdict == Overall::Certified
            && self.check().is_empty()
            && self.generated_at_utc <= now
            && self.expires_at.is_none_or(|at| at > now)
    }

    /// Makes it again from what it rests on and says where it differs.
    pub fn verify(
        &self,
        contract: &Contract,
        verdict: &Verdict,
        bundle: Option<&Bundle>,
    ) -> Vec<Problem> {
        let mut found = self.check();
        let subject = Subject {
            commit: self.git_commit.clone(),
            tree: self.tree.clone(),
            policy_digest: self.policy_digest,
        };
        match certify(contract, verdict, bundle, &subject, self.generated_at_utc) {
            Ok(again) if again == *self => {}
            Ok(_) => {
                let text = "it is not what follows from the contract, the verdict and the bundle";
                found.push(Problem::new(Reason::VerdictDiffers, text));
            }
            Err(e) => found.push(Problem::new(Reason::VerdictUnderivable, e.to_string())),
        }
        found
    }
}

impl Artifact for Certification {
    const SCHEMA: &'static str = SCHEMA;

    fn check(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut tell = |reason, text: &str| found.push(Problem::new(reason, text));
        if self.schema != SCHEMA {
            tell(Reason::SchemaUnknown, "the schema is another");
        }
        if self.git_commit.trim().is_empty() || self.tree.trim().is_empty() {
            tell(Reason::EvidenceMissing, "it names no commit, or no tree");
        }
        let all_pass = !self.hard_gate_results.is_empty()
            && self
                .hard_gate_results
                .iter()
                .all(|r| r.status == State::Pass && !r.waived);
        let is_certified = self.overall_verdict == Overall::Certified;
        if is_certified != self.blocking_reasons.is_empty() || (is_certified && !all_pass) {
            let text = "its verdict is not that of its hard gates";
            tell(Reason::EvidenceCountMismatch, text);
        }
        if is_certified && self.evidence_index.is_empty() {
            tell(
                Reason::EvidenceMissing,
                "it is certified and rests on nothing",
            );
        }
        let told = blocking(&self.hard_gate_results);
        if !told
            .iter()
            .all(|reason| self.blocking_reasons.contains(reason))
        {
            tell(
                Reason::EvidenceCountMismatch,
                "a hard gate's problem is not among its reasons",
            );
        }
        for result in &self.hard_gate_results {
            if (result.status == State::Pass) != result.problems.is_empty() {
                let text = "a hard gate passes with problems, or fails without";
                tell(Reason::EvidenceCountMismatch, text);
            }
        }
        if self
            .expires_at
            .is_some_and(|at| at <= self.generated_at_utc)
        {
            tell(Reason::ClockSkew, "it was over when it was made");
        }
        found
    }
}
