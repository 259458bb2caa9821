//! The artifacts of a verdict: what was computed on the way to it, and what follows from it.
//!
//! A function of the inputs and the verdict alone, so that whoever has these can make every file again. Invariants: a file is there only
//! where the policy declares its source, and the source could be read; nothing is filled in where it is not.

use std::collections::BTreeMap;

use gonogo_suite::run::Summary;
use serde::Serialize;

use crate::artifact::Artifact;
use crate::backlog::backlog;
use crate::bundle::Bundle;
use crate::contract::{Certification, Subject, certify};
use crate::dossier::{Dossier, dossier};
use crate::inputs::{Found, Inputs};
use crate::judge::{compliance, contract_of, matrix_of, policy_of};
use crate::policy::{Check, Gate, Lane};
use crate::verdict::{Asked, Verdict};

/// The certification verdict's file.
pub const CERTIFICATION: &str = "certification_verdict.json";

/// The dossier's file.
pub const DOSSIER: &str = "certification_dossier.json";

/// The dossier as a page.
pub const DOSSIER_PAGE: &str = "certification_dossier.md";

/// The remediation backlog's file.
pub const BACKLOG: &str = "remediation_backlog.json";

/// The file with the index of the evidence bundle.
pub const BUNDLE: &str = "evidence_bundle.json";

/// Artifacts, and what could not be made of what the policy declares.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Artifacts {
    /// Bytes by name.
    pub files: BTreeMap<String, Vec<u8>>,
    /// The certification verdict, where a contract is declared for this lane and there is something to certify.
    pub certification: Option<Certification>,
    /// The certification dossier, beside it.
    pub dossier: Option<Dossier>,
    /// What was not made, and why.
    pub missing: BTreeMap<String, String>,
}

impl Artifacts {
    fn put<T: Serialize>(&mut self, name: String, value: &T) {
        match gonogo_core::canonical::to_vec(value) {
            Ok(bytes) => {
                self.files.insert(name, bytes);
            }
            Err(e) => {
                self.missing.insert(name, e.to_string());
            }
        }
    }
}

/// The file's name: with the gate's id where several gates of the policy make one of the kind.
fn name(gates: &[&Gate], gate: &Gate, artifact: &str) -> String {
    let same = gates.iter().filter(|g| g.check.kind() == gate.check.kind());
    match same.count() {
        0 | 1 => format!("{artifact}.json"),
        _ => format!("{artifact}.{}.json", gate.id),
    }
}

/// Makes the artifacts of a verdict.
pub fn artifacts(inputs: &Inputs, verdict: &Verdict) -> Artifacts {
    let mut made = Artifacts::default();
    let runs: Vec<Summary> = inputs.runs.iter().map(|r| r.summary.clone()).collect();
    let todo = backlog(std::slice::from_ref(verdict), &runs, inputs.now);
    made.put(BACKLOG.to_owned(), &todo);
    if let Some(bundle) = &inputs.bundle {
        made.put(BUNDLE.to_owned(), bundle);
    }
    let (Ok(policy), Some(lane)) = (policy_of(inputs).0, Lane::parse(&inputs.lane)) else {
        return made;
    };
    let asked = |g: &&Gate| {
        let judged = verdict
            .gate(&g.id)
            .is_some_and(|r| r.asked == Asked::Judged);
        g.lanes.contains(&lane) && judged
    };
    let gates: Vec<&Gate> = policy.gates.iter().filter(asked).collect();
    for gate in &gates {
        match &gate.check {
            Check::Computed(computed) => {
                let name = name(&gates, gate, computed.artifact());
                match inputs.computed.get(&gate.id) {
                    Some(Found::Present { value, .. }) => made.put(name, value),
                    Some(Found::Unreadable { why, .. }) => {
                        made.missing.insert(name, why.clone());
                    }
                    Some(Found::Absent) | None => {
                        made.missing.insert(name, "its source is absent".to_owned());
                    }
                }
            }
            Check::Rubric { check, .. } => {
                let name = name(&gates, gate, "non_mock_compliance");
                match compliance(inputs, check) {
                    Ok(report) => made.put(name, &report),
                    Err((_, why)) => {
                        made.missing.insert(name, why);
                    }
                }
            }
            Check::Platforms(check) => {
                let name = name(&gates, gate, "platform_matrix");
                made.put(name, &matrix_of(inputs, check));
            }
            Check::Contract { file } => certification(&mut made, inputs, verdict, file),
            _ => {}
        }
    }
    made
}

fn certification(made: &mut Artifacts, inputs: &Inputs, verdict: &Verdict, file: &str) {
    let contract = match contract_of(inputs, file) {
        Ok(contract) => contract,
        Err((_, why)) => {
            made.missing.insert(CERTIFICATION.to_owned(), why.clone());
            made.missing.insert(DOSSIER.to_owned(), why);
            return;
        }
    };
    let subject = Subject {
        commit: inputs.subject.commit.clone().unwrap_or_default(),
        tree: inputs.subject.tree.clone(),
        policy_digest: policy_of(inputs).1,
    };
    let bundle: Option<&Bundle> = inputs.bundle.as_ref();
    match certify(&contract, verdict, bundle, &subject, inputs.now) {
        Ok(certificate) => {
            made.put(CERTIFICATION.to_owned(), &certificate);
            made.certification = Some(certificate);
        }
        Err(why) => {
            made.missing
                .insert(CERTIFICATION.to_owned(), why.to_string());
        }
    }
    let questions = contract.questions();
    let certificate = made.certification.as_ref();
    match dossier(&questions, verdict, certificate, bundle, inputs.now) {
        Ok(dossier) => {
            made.put(DOSSIER.to_owned(), &dossier);
            let page = crate::view::dossier_markdown(&dossier);
            made.files
                .insert(DOSSIER_PAGE.to_owned(), page.into_bytes());
            made.dossier = Some(dossier);
        }
        Err(why) => {
            made.missing.insert(DOSSIER.to_owned(), why.to_string());
        }
    }
}

/// Whether an artifact says what follows from its parts; `None` for a name that is none of [`artifacts`].
pub fn check(name: &str, bytes: &[u8]) -> Option<Vec<String>> {
    fn of<A: Artifact>(bytes: &[u8]) -> Vec<String> {
        match A::read(bytes) {
            Ok(made) => made.check().into_iter().map(|p| p.text).collect(),
            Err(e) => vec![e.to_string()],
        }
    }
    let stem = name.split('.').next().unwrap_or_default();
    Some(match stem {
        "practical_finish_checkpoint" => of::<crate::tracker::Checkpoint>(bytes),
        "claim_wording" => of::<crate::wording::Guard>(bytes),
        "suite_classification" => of::<crate::classification::Classification>(bytes),
        "test_double_inventory" => of::<crate::doubles::Inventory>(bytes),
        "non_mock_compliance" => of::<crate::rubric::Report>(bytes),
        "platform_matrix" => of::<crate::platforms::Matrix>(bytes),
        "certification_verdict" => of::<Certification>(bytes),
        "certification_dossier" if name.ends_with(".json") => of::<Dossier>(bytes),
        "remediation_backlog" => of::<crate::backlog::Backlog>(bytes),
        "evidence_bundle" => of::<Bundle>(bytes),
        _ => return None,
    })
}
