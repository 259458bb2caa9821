//! A gate over dry runs: the newest sign-off of what is released, judged by what is declared of dry runs now.
//!
//! Invariants: a sign-off that was got by another declaration, or by flags that ask less, does not count, nor does one that does not say so;
//! a pass does not outweigh another run of the same that failed.

use gonogo_core::{Reason, Span, Verdict as Status};

use super::Court;
use super::obligation::Open;
use super::other::outcome;
use crate::inputs::{DryRun, Found, Origin};
use crate::policy::{Age, Gate, Trees};
use crate::verdict::Obligation;

pub(super) fn judge(
    court: &Court<'_>,
    gate: &Gate,
    min_duration: Span,
    min_uptime: u32,
    max_age: Span,
) -> Obligation {
    let mut open = Open::new(
        &gate.id,
        "",
        format!("a dry run of what is released, signed off, at most {max_age} old"),
    );
    let subject = &court.inputs.subject;
    // The newest sign-off of the artifact counts, not the best.
    let newest = court
        .inputs
        .dry_runs
        .iter()
        .filter(|found| match found {
            Found::Present { value, .. } => {
                subject.artifacts.is_empty()
                    || subject.artifacts.values().any(|d| *d == value.artifact)
            }
            Found::Unreadable { .. } => true,
            Found::Absent => false,
        })
        .max_by_key(|found| match found {
            Found::Present { origin, .. } => (false, origin.at),
            // One that cannot be read could be the newest.
            _ => (true, None),
        });
    let age = Age {
        max_age,
        tree: if subject.artifacts.is_empty() {
            Trees::Same
        } else {
            Trees::Any
        },
    };
    if newest.is_none() && court.inputs.dry_runs.iter().any(|f| *f != Found::Absent) {
        open.tell(
            Reason::EvidenceWrongTree,
            "the dry runs that there are ran something else than what is released",
        );
        return open.finish();
    }
    let Some((run, origin)) = open.weigh(court, "dry run", newest, age) else {
        return open.finish();
    };
    declared(court, &mut open, run);
    match &run.why {
        Some(why) => outcome(&mut open, &format!("the dry run ({why})"), run.verdict),
        None => outcome(&mut open, "the dry run", run.verdict),
    }
    if run.counted_ms < min_duration.as_millis() {
        let text = format!(
            "{} ms of it count, and at least {min_duration} are asked",
            run.counted_ms
        );
        open.tell(Reason::CheckFailed, text);
    }
    if run.uptime.ppm() < min_uptime {
        let text = format!("it was up for {} of its time", run.uptime);
        open.tell(Reason::CheckFailed, text);
    }
    if open.is_well() {
        tried(court, &mut open, (run, origin), max_age);
    }
    open.finish()
}

/// By what it was judged.
fn declared(court: &Court<'_>, open: &mut Open, run: &DryRun) {
    let now = court.inputs.manifest.declared.dry_run;
    if run.declared.is_none() {
        let text = "nobody knows by what the dry run was judged: its record does not say what was declared";
        open.tell(Reason::EvidenceOtherDeclaration, text);
    } else if run.declared != now {
        let text = "the dry run was judged by another `[dry_run]` than is declared now";
        open.tell(Reason::EvidenceOtherDeclaration, text);
    }
    for less in &run.weaker {
        let text = format!("the dry run was judged by less than `[dry_run]` declares: {less}");
        open.tell(Reason::EvidenceOtherDeclaration, text);
    }
}

/// Whether it was tried until it passed: another run of the same, by the same declaration, that did not.
fn tried(court: &Court<'_>, open: &mut Open, (run, origin): (&DryRun, &Origin), max_age: Span) {
    for found in &court.inputs.dry_runs {
        let Found::Present {
            value: other,
            origin: of,
        } = found
        else {
            continue;
        };
        let is_same = other.artifact == run.artifact && other.declared == run.declared;
        // What ran something else besides says nothing of this, whatever it came to.
        let is_alone = of.tree.is_some() || origin.tree.is_none();
        let is_current = of.at.is_some_and(|at| at.after(max_age) > court.inputs.now);
        let is_bad = !matches!(other.verdict, Status::Pass | Status::Excused);
        if is_same && is_alone && is_current && is_bad {
            open.cite("another dry run", of.digest, of.record);
            let came = match other.verdict {
                Status::Hold => "was not signed off as a pass".to_owned(),
                verdict => format!("came to {verdict}"),
            };
            let text =
                format!("a dry run of the same, judged by the same, {came}; the newest passed");
            open.tell(Reason::FlakyBlocking, text);
            return;
        }
    }
}
