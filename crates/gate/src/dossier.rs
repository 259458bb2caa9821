//! The certification dossier: questions that must be answered before a release is closed, answered by evidence.
//!
//! [`dossier()`] derives every answer, gap and exception from a verdict, its certificate and a bundle. Invariants: nothing is answered yes
//! unless each gate that the question names passed by itself; a question that names no gate is not answered; the dossier's verdict
//! follows from its rows ([`Dossier::check`]) and those from the inputs ([`Dossier::verify`]).

use std::collections::BTreeSet;

use gonogo_core::{Digest, Reason, Timestamp, Verdict as Status};
use gonogo_suite::run::Problem;
use serde::{Deserialize, Serialize};

use crate::artifact::Artifact;
use crate::bundle::{Bundle, Standing};
use crate::contract::{Certification, Overall};
use crate::verdict::{Asked, ExcuseStatus, Verdict};

/// The schema.
pub const SCHEMA: &str = "gonogo.gate.certification-dossier.v1";

/// A question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// As people ask it.
    pub question: String,
    /// The gates that answer it.
    pub gates: Vec<String>,
}

/// An answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// All gates passed by themselves.
    Yes,
    /// Nobody can tell.
    Unknown,
    /// A gate did not.
    No,
}

/// A question and what the evidence says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Closed {
    /// As people ask it.
    pub question: String,
    /// The gates that answer it.
    pub gates: Vec<String>,
    /// The answer.
    pub answer: Answer,
    /// The worst of its gates.
    pub status: Status,
    /// Digests of what the answer rests on.
    pub evidence: Vec<Digest>,
    /// How many obligations there are, and how many of them do not hold.
    pub obligations: u64,
    /// Of these, not satisfied.
    pub residual: u64,
}

/// Something that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gap {
    /// The gate.
    pub gate: String,
    /// The obligation; the gate's id where it has none.
    pub obligation: String,
    /// What it came to.
    pub status: Status,
    /// Why, the reasons once each.
    pub reasons: Vec<Reason>,
    /// Whether the release hangs on it.
    pub blocking: bool,
}

/// An exception that somebody answers for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// `waiver`, `quarantine`.
    pub kind: String,
    /// The gate, or the target and the test.
    pub id: String,
    /// How it stands.
    pub status: ExcuseStatus,
    /// Its owner.
    pub owner: String,
    /// Its issue.
    pub issue: String,
    /// Days until it ends.
    pub days_remaining: Option<i64>,
    /// Of its entry.
    pub sha256: Digest,
}

/// An artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// Its section's id.
    pub name: String,
    /// Its path.
    pub path: String,
    /// Whether it is there and can be used.
    pub exists: bool,
    /// Whether it must be.
    pub required: bool,
    /// Of its bytes.
    pub sha256: Option<Digest>,
    /// How many bytes.
    pub bytes: u64,
}

/// What the dossier comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Closure {
    /// All is answered yes, and nothing is left.
    Pass,
    /// All is answered yes; what is left is not blocking, or excused.
    PassWithResiduals,
    /// Something is not answered, or artifacts are missing.
    Incomplete,
    /// Something is answered no.
    Fail,
}

/// The dossier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dossier {
    /// [`SCHEMA`].
    pub schema: String,
    /// When it was made.
    pub generated_at: Timestamp,
    /// The commit.
    pub git_commit: String,
    /// The tree.
    pub tree: String,
    /// Of the gate verdict.
    pub verdict_digest: Digest,
    /// What that came to.
    pub gate_status: Status,
    /// What the certificate says, if there is one of this verdict.
    pub certification: Option<Overall>,
    /// What the dossier comes to.
    pub verdict: Closure,
    /// The questions.
    pub closure_questions: Vec<Closed>,
    /// What does not hold.
    pub residual_gaps: Vec<Gap>,
    /// What is excused.
    pub allowlisted_exceptions: Vec<Exception>,
    /// The artifacts.
    pub evidence_artifacts: Vec<Named>,
}

/// What a dossier cannot be made of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no dossier can be made: {0}")]
pub struct DossierError(String);

impl Dossier {
    fn derived(&self) -> Closure {
        let worst = self.closure_questions.iter().map(|q| q.answer).max();
        let is_lacking = self
            .evidence_artifacts
            .iter()
            .any(|a| a.required && !a.exists);
        let is_blocked = self
            .residual_gaps
            .iter()
            .any(|g| g.blocking && g.status == Status::Fail);
        match worst {
            Some(Answer::No) => Closure::Fail,
            _ if is_blocked || self.gate_status == Status::Fail => Closure::Fail,
            None | Some(Answer::Unknown) => Closure::Incomplete,
            _ if is_lacking || self.gate_status > Status::Excused => Closure::Incomplete,
            _ if self.residual_gaps.is_empty() && self.allowlisted_exceptions.is_empty() => {
                Closure::Pass
            }
            _ => Closure::PassWithResiduals,
        }
    }

    /// Makes it again and says where it differs.
    pub fn verify(
        &self,
        questions: &[Question],
        verdict: &Verdict,
        certification: Option<&Certification>,
        bundle: Option<&Bundle>,
    ) -> Vec<Problem> {
        let mut found = self.check();
        match dossier(questions, verdict, certification, bundle, self.generated_at) {
            Ok(again) if again == *self => {}
            Ok(_) => {
                let text = "it is not what follows from the verdict and the bundle";
                found.push(Problem::new(Reason::ArtifactsChanged, text));
            }
            Err(e) => found.push(Problem::new(Reason::VerdictUnderivable, e.to_string())),
        }
        found
    }
}

impl Artifact for Dossier {
    const SCHEMA: &'static str = SCHEMA;

    fn check(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut tell = |reason, text: &str| found.push(Problem::new(reason, text));
        if self.schema != SCHEMA {
            tell(Reason::SchemaUnknown, "the schema is another");
        }
        if self.git_commit.is_empty() || self.tree.is_empty() {
            tell(Reason::EvidenceMissing, "it names no commit, or no tree");
        }
        if self.verdict != self.derived() {
            tell(
                Reason::EvidenceCountMismatch,
                "its verdict is not that of its rows",
            );
        }
        for closed in &self.closure_questions {
            let is_yes = closed.answer == Answer::Yes;
            let holds = closed.residual <= closed.obligations
                && is_yes == (closed.status == Status::Pass)
                && (!is_yes || (!closed.evidence.is_empty() && closed.residual == 0));
            if !holds {
                tell(
                    Reason::EvidenceCountMismatch,
                    "an answer is not that of its evidence",
                );
            }
        }
        if self.certification == Some(Overall::Certified) && self.gate_status != Status::Pass {
            tell(
                Reason::EvidenceCountMismatch,
                "it is certified, and its gates do not pass",
            );
        }
        if self
            .residual_gaps
            .iter()
            .any(|gap| gap.status == Status::Pass)
        {
            tell(Reason::EvidenceCountMismatch, "a gap passes");
        }
        for artifact in &self.evidence_artifacts {
            if artifact.exists != (artifact.sha256.is_some() && artifact.bytes > 0)
                && artifact.exists
            {
                tell(
                    Reason::EvidenceMissing,
                    "an artifact is said to exist and has no digest",
                );
            }
        }
        found
    }
}

/// Makes the dossier.
///
/// # Errors
/// [`DossierError`]: what was given was changed, or belongs to different releases.
pub fn dossier(
    questions: &[Question],
    verdict: &Verdict,
    certification: Option<&Certification>,
    bundle: Option<&Bundle>,
    now: Timestamp,
) -> Result<Dossier, DossierError> {
    let bad = |text: &str| DossierError(text.to_owned());
    let verdict_digest = verdict
        .believed()
        .ok_or_else(|| bad("the verdict's digest is not that of its content"))?;
    let commit = verdict.commit.clone().unwrap_or_default();
    if let Some(certification) = certification {
        if certification.verdict_digest != verdict_digest || certification.git_commit != commit {
            return Err(bad("the certificate is of another verdict"));
        }
        if let Some(problem) = certification.check().first() {
            return Err(DossierError(format!("the certificate: {}", problem.text)));
        }
    }
    if let Some(bundle) = bundle {
        bundle
            .belongs(&commit)
            .map_err(|why| DossierError(format!("the evidence bundle: {why}")))?;
    }
    let mut made = Dossier {
        schema: SCHEMA.to_owned(),
        generated_at: now,
        git_commit: commit,
        tree: verdict.tree.clone(),
        verdict_digest,
        gate_status: verdict.verdict,
        certification: certification.map(|c| c.overall_verdict),
        verdict: Closure::Incomplete,
        closure_questions: questions.iter().map(|q| answer(q, verdict)).collect(),
        residual_gaps: gaps(verdict),
        allowlisted_exceptions: exceptions(verdict),
        evidence_artifacts: bundle.map(artifacts).unwrap_or_default(),
    };
    made.verdict = made.derived();
    Ok(made)
}

fn answer(question: &Question, verdict: &Verdict) -> Closed {
    let mut worst = None;
    let mut answer = if question.gates.is_empty() {
        Answer::Unknown
    } else {
        Answer::Yes
    };
    let mut evidence = BTreeSet::new();
    let (mut obligations, mut residual) = (0, 0);
    for id in &question.gates {
        let Some(gate) = verdict.gate(id).filter(|g| g.asked == Asked::Judged) else {
            worst = worst.max(Some(Status::Hold));
            answer = answer.max(Answer::Unknown);
            continue;
        };
        let status = gate.raw.max(gate.status);
        worst = worst.max(Some(status));
        answer = answer.max(match status {
            Status::Pass => Answer::Yes,
            Status::Hold | Status::Invalid => Answer::Unknown,
            Status::Excused | Status::Fail => Answer::No,
        });
        evidence.extend(gate.evidence().iter().map(|e| e.digest));
        obligations += gate.obligations.len() as u64;
        let open = gate.obligations.iter().filter(|o| o.status != Status::Pass);
        residual += open.count() as u64;
    }
    let mut status = worst.unwrap_or(Status::Hold);
    // A gate that passes and shows nothing answers nothing.
    if answer == Answer::Yes && (evidence.is_empty() || residual > 0) {
        answer = Answer::Unknown;
        status = Status::Hold;
    }
    Closed {
        question: question.question.clone(),
        gates: question.gates.clone(),
        answer,
        status,
        evidence: evidence.into_iter().collect(),
        obligations,
        residual,
    }
}

fn gaps(verdict: &Verdict) -> Vec<Gap> {
    let mut all = Vec::new();
    for gate in &verdict.gates {
        let gap = |obligation: &str, status, reasons: BTreeSet<Reason>| Gap {
            gate: gate.id.clone(),
            obligation: obligation.to_owned(),
            status,
            reasons: reasons.into_iter().collect(),
            blocking: gate.blocking && !gate.is_excused(),
        };
        let open = gate.obligations.iter().filter(|o| o.status != Status::Pass);
        let before = all.len();
        all.extend(open.map(|o| gap(&o.id, o.status, o.reasons.iter().map(|t| t.code).collect())));
        let status = gate.raw.max(gate.status);
        if all.len() == before && status != Status::Pass {
            let reasons = gate.reasons.iter().map(|t| t.code).collect();
            all.push(gap(&gate.id, status, reasons));
        }
    }
    all.sort();
    all
}

fn exceptions(verdict: &Verdict) -> Vec<Exception> {
    let field = |fields: &std::collections::BTreeMap<String, String>, key: &str| {
        fields.get(key).cloned().unwrap_or_default()
    };
    let waivers = verdict.waivers.iter().map(|w| Exception {
        kind: "waiver".to_owned(),
        id: w.gate_id.clone(),
        status: w.status,
        owner: field(&w.fields, "owner"),
        issue: field(&w.fields, "issue"),
        days_remaining: w.days_remaining,
        sha256: w.digest,
    });
    let quarantines = verdict.quarantines.iter().map(|q| Exception {
        kind: "quarantine".to_owned(),
        id: q.id.clone(),
        status: q.status,
        owner: field(&q.fields, "owner"),
        issue: field(&q.fields, "issue"),
        days_remaining: q.days_remaining,
        sha256: q.digest,
    });
    waivers.chain(quarantines).collect()
}

fn artifacts(bundle: &Bundle) -> Vec<Named> {
    let named = |section: &crate::bundle::Section| Named {
        name: section.id.clone(),
        path: section.artifact_path.clone(),
        exists: section.status == Standing::Present,
        required: section.required,
        sha256: section.sha256,
        bytes: section.bytes,
    };
    bundle.sections.iter().map(named).collect()
}
