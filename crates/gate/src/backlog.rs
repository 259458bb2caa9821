//! The remediation backlog: every gate and every test that is not good, ranked, with what shows it again.
//!
//! Made from verdicts and runs alone. Invariants: what is not a pass has an entry, also where it is excused; an entry is tracked only while an
//! excuse holds, otherwise somebody must act; the counts are those of the entries ([`Backlog::check`]).

use std::collections::{BTreeMap, BTreeSet};

use gonogo_core::{Digest, Reason, Timestamp, Verdict as Status};
use gonogo_suite::run::{Problem, Summary};
use serde::{Deserialize, Serialize};

use crate::artifact::Artifact;
use crate::policy::Severity;
use crate::verdict::{ExcuseStatus, Verdict};

/// The schema.
pub const SCHEMA: &str = "gonogo.gate.remediation-backlog.v1";

/// Most entries.
pub const MOST: usize = 100_000;

/// What an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A gate.
    Gate,
    /// A target of a run.
    Target,
    /// A test.
    Test,
}

/// Whether somebody must act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Somebody must.
    Actionable,
    /// An excuse holds, with an issue and an end.
    TrackedNonActionable,
}

/// An entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// From 1.
    pub rank: u64,
    /// The gate, the target, or the target and the test.
    pub id: String,
    /// What it is about.
    pub kind: Kind,
    /// Whether somebody must act.
    pub status: State,
    /// Who; `unowned` if nobody is known.
    pub owner: String,
    /// How bad it is.
    pub severity: Severity,
    /// What it came to, excuses left aside.
    pub verdict: Status,
    /// Why, the reasons once each; empty for tests, whose `detail` says it.
    pub root_cause_codes: Vec<Reason>,
    /// One line.
    pub detail: String,
    /// What to do.
    pub remediation: String,
    /// Commands that show whether it is mended.
    pub verification: Vec<String>,
    /// Digests of the evidence.
    pub evidence_refs: Vec<Digest>,
    /// The issue that its excuse names.
    pub tracking_issue: Option<String>,
}

/// The counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Entries.
    pub total_non_pass: u64,
    /// Of these, to be acted on.
    pub actionable: u64,
    /// Of these, tracked.
    pub tracked: u64,
    /// By severity.
    pub by_severity: BTreeMap<String, u64>,
    /// By owner.
    pub by_owner: BTreeMap<String, u64>,
}

/// The backlog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backlog {
    /// [`SCHEMA`].
    pub schema: String,
    /// When it was made.
    pub generated_at: Timestamp,
    /// Digests of the verdicts and ids of the runs that it was made from.
    pub source_inputs: Vec<String>,
    /// The counts.
    pub summary: Counts,
    /// How many tests the runs leave out of their results.
    pub omitted: u64,
    /// By severity, owner and id.
    pub entries: Vec<Entry>,
}

const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
        Severity::Critical => "critical",
    }
}

fn order(a: &Entry, b: &Entry) -> std::cmp::Ordering {
    let worst_first = b.severity.cmp(&a.severity);
    worst_first
        .then_with(|| a.owner.cmp(&b.owner))
        .then_with(|| a.id.cmp(&b.id))
        .then_with(|| a.kind.cmp(&b.kind))
}

fn count(entries: &[Entry]) -> Counts {
    let mut counts = Counts::default();
    for entry in entries {
        counts.total_non_pass += 1;
        match entry.status {
            State::Actionable => counts.actionable += 1,
            State::TrackedNonActionable => counts.tracked += 1,
        }
        let severity = severity(entry.severity).to_owned();
        *counts.by_severity.entry(severity).or_default() += 1;
        *counts.by_owner.entry(entry.owner.clone()).or_default() += 1;
    }
    counts
}

impl Artifact for Backlog {
    const SCHEMA: &'static str = SCHEMA;

    fn check(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut tell = |reason, text: String| found.push(Problem::new(reason, text));
        if self.schema != SCHEMA {
            tell(
                Reason::SchemaUnknown,
                format!("the schema is `{}`", self.schema),
            );
        }
        if self.source_inputs.is_empty() {
            tell(
                Reason::EvidenceMissing,
                "it was made from nothing".to_owned(),
            );
        }
        if count(&self.entries) != self.summary
            || self.summary.actionable + self.summary.tracked != self.summary.total_non_pass
        {
            let text = "its counts are not those of its entries";
            tell(Reason::EvidenceCountMismatch, text.to_owned());
        }
        if !self.entries.is_sorted_by(|a, b| order(a, b).is_lt()) {
            let text = "its entries are out of order, or one stands twice";
            tell(Reason::EvidenceCountMismatch, text.to_owned());
        }
        for (n, entry) in self.entries.iter().enumerate() {
            if entry.rank != n as u64 + 1 {
                let text = format!("`{}` has the rank {}", entry.id, entry.rank);
                tell(Reason::EvidenceCountMismatch, text);
            }
            if entry.verdict == Status::Pass {
                let text = format!("`{}` passes and stands among what does not", entry.id);
                tell(Reason::EvidenceCountMismatch, text);
            }
            let is_tracked = entry.status == State::TrackedNonActionable;
            if is_tracked && entry.tracking_issue.is_none() {
                let text = format!("`{}` is tracked by no issue", entry.id);
                tell(Reason::EvidenceMissing, text);
            }
        }
        found
    }
}

/// Makes the backlog.
pub fn backlog(verdicts: &[Verdict], runs: &[Summary], now: Timestamp) -> Backlog {
    let mut entries: BTreeMap<(Kind, String), Entry> = BTreeMap::new();
    let mut sources = Vec::new();
    let mut omitted = 0;
    for verdict in verdicts {
        let digest = verdict
            .digest()
            .map_or_else(|| "none".to_owned(), |d| d.to_string());
        sources.push(format!("verdict {} {digest}", verdict.gate_id));
        for entry in gates(verdict) {
            take(&mut entries, entry);
        }
    }
    for run in runs {
        sources.push(format!("run {}", run.run_id));
        for target in run.targets() {
            omitted += target.bad_omitted;
            for entry in target_entries(target, verdicts) {
                take(&mut entries, entry);
            }
        }
    }
    let mut entries: Vec<Entry> = entries.into_values().collect();
    entries.sort_by(order);
    omitted += entries.len().saturating_sub(MOST) as u64;
    entries.truncate(MOST);
    for (n, entry) in entries.iter_mut().enumerate() {
        entry.rank = n as u64 + 1;
    }
    sources.sort();
    sources.dedup();
    Backlog {
        schema: SCHEMA.to_owned(),
        generated_at: now,
        source_inputs: sources,
        summary: count(&entries),
        omitted,
        entries,
    }
}

/// Of one thing that is told twice, the worse half of each field counts.
fn take(entries: &mut BTreeMap<(Kind, String), Entry>, entry: Entry) {
    let key = (entry.kind, entry.id.clone());
    let Some(known) = entries.get_mut(&key) else {
        entries.insert(key, entry);
        return;
    };
    known.severity = known.severity.max(entry.severity);
    if entry.status == State::Actionable {
        known.status = State::Actionable;
    }
    if entry.verdict > known.verdict {
        known.verdict = entry.verdict;
        known.detail = entry.detail;
    }
    let mut codes: BTreeSet<Reason> = known.root_cause_codes.drain(..).collect();
    codes.extend(entry.root_cause_codes);
    known.root_cause_codes = codes.into_iter().collect();
    let mut refs: BTreeSet<Digest> = known.evidence_refs.drain(..).collect();
    refs.extend(entry.evidence_refs);
    known.evidence_refs = refs.into_iter().collect();
    for command in entry.verification {
        if !known.verification.contains(&command) {
            known.verification.push(command);
        }
    }
    known.tracking_issue = known.tracking_issue.take().or(entry.tracking_issue);
}

fn owner(name: Option<&str>) -> String {
    let name = name.map(str::trim).filter(|n| !n.is_empty());
    name.unwrap_or("unowned").to_owned()
}

fn is_held(status: ExcuseStatus) -> bool {
    status.holds()
}

fn gates(verdict: &Verdict) -> Vec<Entry> {
    let mut all = Vec::new();
    for gate in &verdict.gates {
        if gate.raw.max(gate.status) == Status::Pass {
            continue;
        }
        let waiver = verdict
            .waivers
            .iter()
            .find(|w| w.gate_id == gate.id && is_held(w.status) && gate.is_excused());
        let issue = waiver.and_then(|w| w.fields.get("issue").cloned());
        let codes: BTreeSet<Reason> = gate.reasons.iter().map(|t| t.code).collect();
        let refs: BTreeSet<Digest> = gate.evidence().iter().map(|e| e.digest).collect();
        all.push(Entry {
            rank: 0,
            id: gate.id.clone(),
            kind: Kind::Gate,
            status: match issue {
                Some(_) => State::TrackedNonActionable,
                None => State::Actionable,
            },
            owner: owner(Some(&gate.owner)),
            severity: gate.severity,
            verdict: gate.raw.max(gate.status),
            root_cause_codes: codes.into_iter().collect(),
            detail: gate
                .reasons
                .first()
                .map_or_else(|| gate.title.clone(), |t| t.text.clone()),
            remediation: gate.remediation.clone(),
            verification: gate.reproduce.clone(),
            evidence_refs: refs.into_iter().collect(),
            tracking_issue: issue,
        });
    }
    all
}

fn target_entries(target: &gonogo_suite::run::TargetResult, verdicts: &[Verdict]) -> Vec<Entry> {
    let severity = if target.blocking {
        Severity::High
    } else {
        Severity::Medium
    };
    let entry = |kind, id: String, who: Option<&str>, verdict, codes, detail| Entry {
        rank: 0,
        id,
        kind,
        status: State::Actionable,
        owner: owner(who.or(target.owner.as_deref())),
        severity,
        verdict,
        root_cause_codes: codes,
        detail,
        remediation: "Mend it, or put it into quarantine with owner and expiry.".to_owned(),
        verification: vec![target.command.join(" ")],
        evidence_refs: target.tests_sha256.into_iter().collect(),
        tracking_issue: None,
    };
    let mut all = Vec::new();
    let codes: BTreeSet<Reason> = target
        .problems
        .iter()
        .map(|p| p.reason)
        .filter(|r| r.verdict() > Status::Pass)
        .collect();
    if let Some(problem) = target.problems.iter().max_by_key(|p| p.reason.verdict())
        && !codes.is_empty()
    {
        all.push(entry(
            Kind::Target,
            target.target.clone(),
            None,
            problem.reason.verdict(),
            codes.into_iter().collect(),
            problem.text.clone(),
        ));
    }
    for row in &target.bad {
        let id = format!("{} > {}", row.target, row.test);
        let message = row
            .failure
            .as_ref()
            .map(|f| f.message.lines().next().unwrap_or_default());
        let detail = match message {
            Some(message) if !message.is_empty() => format!("{}: {message}", row.verdict.word()),
            _ => row.verdict.word().to_owned(),
        };
        let mut made = entry(
            Kind::Test,
            id,
            row.owner.as_deref(),
            Status::Fail,
            Vec::new(),
            detail,
        );
        let quarantine = verdicts
            .iter()
            .flat_map(|v| &v.quarantines)
            .find(|q| q.id == made.id && is_held(q.status) && q.matched > 0);
        if let Some(issue) = quarantine.and_then(|q| q.fields.get("issue")) {
            made.status = State::TrackedNonActionable;
            made.tracking_issue = Some(issue.clone());
        }
        all.push(made);
    }
    all
}
