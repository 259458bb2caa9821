//! Sign-offs of dry runs of what the tree under judgement was built to.
//!
//! A dry run knows what ran by its bytes, and nothing of trees. Which bytes are of this tree, the recorded runs say: what their suites
//! kept as `outputs`. Invariant: a dry run that ran anything else besides is of no tree, and one of which
//! nothing shows what it ran is no pass.

use std::collections::BTreeMap;

use gonogo_core::{Digest, Share, Span, Verdict};
use gonogo_gate::inputs::{DryRun, Found, Origin};
use gonogo_release::gate::SignedOff;
use gonogo_store::ledger::RecordView;
use gonogo_suite::run::State;

use super::compared::Recorded;
use crate::AppError;
use crate::home::Book;
use crate::suite::artifacts::FILES;

/// What good runs of the tree kept of what they built: `record/class/suite/outputs/path` and its digest.
pub(super) fn artifacts(own: &[&Recorded], records: &[RecordView]) -> BTreeMap<String, Digest> {
    let mut all = BTreeMap::new();
    for run in own {
        let summary = &run.summary;
        if summary.status != Verdict::Pass || summary.state != State::Complete {
            continue;
        }
        let Some(record) = records.iter().find(|r| r.index == run.index) else {
            continue;
        };
        for subject in record.subject.iter().filter(|s| s.name != FILES) {
            all.insert(format!("{}/{}", run.index, subject.name), subject.digest);
        }
    }
    all
}

/// The last word of every dry run of one of these.
///
/// # Errors
/// The ledger's.
pub(super) fn found(
    book: &Book,
    artifacts: &BTreeMap<String, Digest>,
    tree: &str,
) -> Result<Vec<Found<DryRun>>, AppError> {
    let mut wanted: Vec<Digest> = artifacts.values().copied().collect();
    wanted.sort_unstable();
    wanted.dedup();
    let mut all = Vec::new();
    for signed in crate::gating::seen(&book.ledger, &wanted)? {
        let digest = Digest::of(
            book.ledger
                .record_at(signed.index)?
                .body
                .to_string()
                .as_bytes(),
        );
        all.push(one(&signed, digest, &wanted, tree));
    }
    Ok(all)
}

fn one(signed: &SignedOff, digest: Digest, wanted: &[Digest], tree: &str) -> Found<DryRun> {
    let (verdict, why) = judged(signed, wanted);
    let ran_own = !signed.executed.is_empty() && signed.executed.iter().all(|e| wanted.contains(e));
    let about = signed.executed.iter().chain(&signed.subjects);
    let Some(artifact) = about.copied().find(|d| wanted.contains(d)) else {
        return Found::Absent;
    };
    Found::Present {
        value: DryRun {
            verdict,
            why: why.map(str::to_owned),
            artifact,
            declared: signed.declared,
            weaker: signed.weaker.clone(),
            counted_ms: signed.counted.map_or(0, Span::as_millis),
            uptime: signed.uptime.unwrap_or(Share::from_ppm(0)),
        },
        origin: Origin {
            digest,
            at: Some(signed.at),
            tree: ran_own.then(|| tree.to_owned()),
            record: Some(signed.index),
        },
    }
}

/// What was signed, and why it counts for no more.
fn judged(signed: &SignedOff, wanted: &[Digest]) -> (Verdict, Option<&'static str>) {
    let said = match signed.status.as_str() {
        "pass" => Verdict::Pass,
        "excused" => Verdict::Excused,
        "fail" => Verdict::Fail,
        "invalid" => Verdict::Invalid,
        // Not judged yet, or a word that nobody knows.
        _ => Verdict::Hold,
    };
    if said != Verdict::Pass {
        return (said, None);
    }
    if signed.executed.is_empty() {
        let why = "nothing shows that it ran what is released: it only names it";
        return (Verdict::Hold, Some(why));
    }
    if signed.executed.iter().any(|e| !wanted.contains(e)) {
        let why = "it also ran artifacts that no run of this tree kept among its outputs";
        return (Verdict::Hold, Some(why));
    }
    match signed.accepted_warnings {
        Some(0) => (Verdict::Pass, None),
        Some(_) => (Verdict::Excused, Some("warnings were accepted wholesale")),
        None => (
            Verdict::Excused,
            Some("nobody says whether warnings were accepted wholesale"),
        ),
    }
}
