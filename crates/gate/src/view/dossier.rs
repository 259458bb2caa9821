//! `certification_dossier.md`: a dossier for people. It says nothing that the dossier does not.

use std::fmt::Write;

use super::markdown::{code, plain};
use crate::contract::Overall;
use crate::dossier::{Answer, Closure, Dossier};

/// Most rows of one table.
const SHOWN: usize = 200;

/// A dossier as Markdown.
pub fn dossier_markdown(dossier: &Dossier) -> String {
    let mut out = String::new();
    let title = match dossier.verdict {
        Closure::Pass => "pass",
        Closure::PassWithResiduals => "pass with residuals",
        Closure::Incomplete => "incomplete",
        Closure::Fail => "fail",
    };
    let _ = writeln!(out, "# Certification dossier: {title}\n");
    let _ = writeln!(out, "- commit: `{}`", code(&dossier.git_commit));
    let _ = writeln!(out, "- tree: `{}`", code(&dossier.tree));
    let _ = writeln!(out, "- made at: {}", dossier.generated_at);
    let _ = writeln!(
        out,
        "- gate verdict: {} (`{}`)",
        dossier.gate_status, dossier.verdict_digest
    );
    let certificate = match dossier.certification {
        Some(Overall::Certified) => "CERTIFIED",
        Some(Overall::NotCertified) => "NOT_CERTIFIED",
        None => "there is none",
    };
    let _ = writeln!(out, "- certificate: {certificate}\n");
    out.push_str("| question | answer | gates | not satisfied |\n|---|---|---|---|\n");
    for closed in dossier.closure_questions.iter().take(SHOWN) {
        let answer = match closed.answer {
            Answer::Yes => "yes",
            Answer::Unknown => "nobody can tell",
            Answer::No => "no",
        };
        let _ = writeln!(
            out,
            "| {} | {answer} | {} | {} of {} |",
            plain(&closed.question),
            plain(&closed.gates.join(", ")),
            closed.residual,
            closed.obligations,
        );
    }
    if !dossier.residual_gaps.is_empty() {
        out.push_str("\n## What does not hold\n\n| gate | obligation | verdict | blocks | reasons |\n|---|---|---|---|---|\n");
    }
    for gap in dossier.residual_gaps.iter().take(SHOWN) {
        let reasons: Vec<String> = gap.reasons.iter().map(ToString::to_string).collect();
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} |",
            plain(&gap.gate),
            plain(&gap.obligation),
            gap.status,
            if gap.blocking { "yes" } else { "no" },
            reasons.join(", "),
        );
    }
    if !dossier.allowlisted_exceptions.is_empty() {
        out.push_str("\n## What is excused\n\n| kind | of | owner | issue | stands | days left |\n|---|---|---|---|---|---|\n");
    }
    for exception in dossier.allowlisted_exceptions.iter().take(SHOWN) {
        let days = exception
            .days_remaining
            .map_or_else(String::new, |d| d.to_string());
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {days} |",
            plain(&exception.kind),
            plain(&exception.id),
            plain(&exception.owner),
            plain(&exception.issue),
            exception.status.word(),
        );
    }
    if !dossier.evidence_artifacts.is_empty() {
        out.push_str("\n## Evidence\n\n| artifact | path | there | required | digest |\n|---|---|---|---|---|\n");
    }
    for named in dossier.evidence_artifacts.iter().take(SHOWN) {
        let digest = named.sha256.map_or_else(String::new, |d| format!("`{d}`"));
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {digest} |",
            plain(&named.name),
            plain(&named.path),
            if named.exists { "yes" } else { "no" },
            if named.required { "yes" } else { "no" },
        );
    }
    let lists = [
        dossier.closure_questions.len(),
        dossier.residual_gaps.len(),
        dossier.allowlisted_exceptions.len(),
        dossier.evidence_artifacts.len(),
    ];
    let left: usize = lists.iter().map(|n| n.saturating_sub(SHOWN)).sum();
    if left > 0 {
        let _ = writeln!(out, "\n{left} rows more stand in the JSON document.");
    }
    out
}
