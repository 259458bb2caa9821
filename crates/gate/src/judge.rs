//! Inputs to a verdict.
//!
//! Invariants: a gate is judged by what was shown; an obligation without evidence cannot pass, whatever its rule found; the verdict is the
//! worst of the blocking gates of the lane, the three built-in ones always among them; a lane without anything else to judge is invalid.

mod built_in;
mod computed;
mod document;
mod dry_run;
mod earlier;
mod obligation;
mod other;
mod runs;
mod suite;
mod target;

use std::collections::BTreeSet;

use gonogo_core::{Digest, Exit, Reason, Timestamp, Verdict as Status, canonical};

use crate::excuse::Law;
use crate::inputs::{FileState, Inputs};
use crate::policy::{
    self, Baseline, Budgets, Check, Gate, Lane, Mode, POLICY, Policy, QUARANTINES, Severity,
    WAIVERS,
};
use crate::quarantine::{self, Quarantines};
use crate::strict::Fault;
use crate::verdict::{Asked, Excuse, GateResult, Obligation, TOLD, Told, Verdict};
use crate::waiver::{self, Waivers};

pub(crate) use computed::{compliance, contract_of, matrix_of};
use obligation::Open;

/// What all judges of one verdict share.
pub(crate) struct Court<'a> {
    pub(crate) inputs: &'a Inputs,
    pub(crate) policy: &'a Policy,
    pub(crate) lane: Lane,
    pub(crate) law: Law<'a>,
    pub(crate) waivers: &'a Waivers,
    pub(crate) quarantines: &'a Quarantines,
}

/// The policy that holds, and its digest: the file's, or the built-in one where there is no file.
pub(crate) fn policy_of(inputs: &Inputs) -> (Result<Policy, Vec<Fault>>, Digest) {
    match &inputs.policy.state {
        FileState::Absent => (
            Policy::read(policy::DEFAULT),
            Digest::of(policy::DEFAULT.as_bytes()),
        ),
        FileState::Text { text } => (Policy::read(text), Digest::of(text.as_bytes())),
        FileState::Unreadable { why } => {
            let fault = Fault {
                line: 0,
                key: String::new(),
                text: why.clone(),
            };
            (Err(vec![fault]), Digest::of(b""))
        }
    }
}

/// Judges.
pub fn judge(inputs: &Inputs) -> Verdict {
    let (policy, policy_digest) = policy_of(inputs);
    let lane = Lane::parse(&inputs.lane);
    let inputs_digest = canonical::to_vec(inputs).ok().map(|b| Digest::of(&b));
    let mut verdict = Verdict {
        schema: crate::verdict::SCHEMA.to_owned(),
        rules: crate::verdict::RULES,
        gate_id: short(&inputs.lane),
        policy_digest,
        policy_is_default: inputs.policy.state == FileState::Absent,
        tree: short(&inputs.subject.tree),
        commit: inputs.subject.commit.as_deref().map(short),
        judged_at: inputs.now,
        verdict: Status::Invalid,
        exit_code: Exit::Unjudged.code(),
        expires_at: None,
        reasons: Vec::new(),
        gates: Vec::new(),
        waivers: Vec::new(),
        quarantines: Vec::new(),
        inputs_digest,
        self_digest: None,
    };
    let mut excused_passes = false;
    match (policy, lane) {
        (Ok(policy), Some(lane)) => {
            excused_passes = policy.defaults.excused_passes;
            gates(inputs, &policy, lane, &mut verdict);
        }
        (policy, lane) => {
            let obligations = built_in::unreadable(inputs, policy.err(), lane, policy_digest);
            let row = built_in_row(POLICY, obligations, Vec::new());
            verdict.gates.push(row);
        }
    }
    if inputs_digest.is_none()
        && let Some(row) = verdict.gates.first_mut()
    {
        let mut open = Open::new(POLICY, "inputs", "inputs that can be stored");
        open.tell(
            Reason::CheckUndecidable,
            "a number of the inputs has no canonical form",
        );
        row.obligations.push(open.finish());
        total(row);
    }
    conclude(&mut verdict, excused_passes);
    verdict
}

fn gates(inputs: &Inputs, policy: &Policy, lane: Lane, verdict: &mut Verdict) {
    let law = Law::new(inputs, &policy.defaults, &policy.aliases);
    let ids: BTreeSet<&str> = policy.gates.iter().map(|g| g.id.as_str()).collect();
    let declared = &inputs.manifest.declared;
    let targets: BTreeSet<&str> = declared.targets.keys().map(String::as_str).collect();
    let waivers = waiver::read(&inputs.waivers, &law, &ids);
    let quarantines = quarantine::read(&inputs.quarantine, inputs, &law, &targets);
    let court = Court {
        inputs,
        policy,
        lane,
        law,
        waivers: &waivers,
        quarantines: &quarantines,
    };
    let mut rows = vec![
        built_in_row(
            POLICY,
            built_in::policy(&court, verdict.policy_digest),
            built_in::notes(&court),
        ),
        built_in_row(WAIVERS, built_in::waivers(&court), Vec::new()),
        built_in_row(
            QUARANTINES,
            built_in::quarantines(&court),
            quarantines.notes.clone(),
        ),
    ];
    let stops = |row: &GateResult| lane == Lane::Preflight && row.status > Status::Excused;
    let mut is_stopped = rows.iter().any(stops);
    let mut last = None;
    for gate in &policy.gates {
        let is_asked = gate.lanes.contains(&lane) && (gate.blocking || lane != Lane::Preflight);
        if !is_asked {
            continue;
        }
        let row = if is_stopped {
            empty_row(gate, Asked::NotReached)
        } else if let Check::Contract { file } = &gate.check {
            last = Some((gate, file));
            continue;
        } else {
            row(&court, gate)
        };
        is_stopped |= gate.blocking && row.asked == Asked::Judged && stops(&row);
        rows.push(row);
    }
    // A contract is about all others.
    if let Some((gate, file)) = last {
        let row = if is_stopped {
            empty_row(gate, Asked::NotReached)
        } else {
            let mut seen = Verdict {
                gates: rows.clone(),
                ..verdict.clone()
            };
            conclude(&mut seen, false);
            let mut row = empty_row(gate, Asked::Judged);
            row.obligations = computed::contract(&court, gate, file, &seen);
            total(&mut row);
            excuse(&court, gate, &mut row);
            row
        };
        rows.push(row);
    }
    verdict.gates = rows;
    verdict.waivers = waivers.states;
    verdict.quarantines = quarantines.states;
    for state in &mut verdict.quarantines {
        let digest = state.digest;
        let applied = verdict.gates.iter().flat_map(|g| &g.excuses);
        let of_this = applied.filter(|e| e.kind == "quarantine" && e.digest == digest);
        // Two gates over one target speak of one failure.
        let tests: BTreeSet<&str> = of_this.map(|e| e.id.as_str()).collect();
        state.matched = tests.len() as u64;
    }
}

fn row(court: &Court<'_>, gate: &Gate) -> GateResult {
    if let Check::Perf {
        budgets: Budgets::Declared,
        ..
    } = &gate.check
        && !court
            .inputs
            .manifest
            .declared
            .budgets
            .values()
            .any(|b| b.blocks)
    {
        return empty_row(gate, Asked::NotDeclared);
    }
    let mut row = empty_row(gate, Asked::Judged);
    match &gate.check {
        Check::Suite(check) => suite::judge(court, gate, check, &mut row),
        check => {
            row.obligations = other::judge(court, gate, check);
            row.notes = other::notes(court, check);
        }
    }
    total(&mut row);
    excuse(court, gate, &mut row);
    row
}

/// Applies a waiver, or the mode, to a gate that is not good and whose evidence can be used.
fn excuse(court: &Court<'_>, gate: &Gate, row: &mut GateResult) {
    if !matches!(row.status, Status::Hold | Status::Fail) {
        return;
    }
    let (told, excuse) = if let Some(waiver) = court.waivers.of(&gate.id, court.lane) {
        let told = crate::excuse::told(
            Reason::WaiverApplied,
            format!("a waiver excuses it until {}", waiver.expires),
        );
        let excuse = Excuse {
            kind: "waiver".into(),
            id: gate.id.clone(),
            digest: waiver.digest,
            expires: waiver.expires,
        };
        (told, excuse)
    } else if let Some((expires, digest)) = built_in::rollback(court) {
        let told = crate::excuse::told(
            Reason::RollbackModeActive,
            format!("the rollback mode excuses it until {expires}"),
        );
        let excuse = Excuse {
            kind: "rollback_mode".into(),
            id: gate.id.clone(),
            digest,
            expires,
        };
        (told, excuse)
    } else {
        return;
    };
    row.status = Status::Excused;
    row.reasons.insert(0, told);
    row.expires_at = earliest([row.expires_at, Some(excuse.expires)]);
    row.excuses.push(excuse);
}

fn empty_row(gate: &Gate, asked: Asked) -> GateResult {
    let (status, reasons, notes) = match asked {
        Asked::Judged => (Status::Invalid, Vec::new(), Vec::new()),
        Asked::NotReached => {
            let text = "the lane stopped before it";
            (
                Status::Hold,
                vec![crate::excuse::told(Reason::LaneStopped, text)],
                Vec::new(),
            )
        }
        Asked::NotDeclared => (
            Status::Pass,
            Vec::new(),
            vec![
                "the project declares no budget that blocks, so there is nothing to ask".to_owned(),
            ],
        ),
    };
    GateResult {
        id: gate.id.clone(),
        title: gate.title.clone(),
        kind: gate.check.kind().to_owned(),
        owner: gate.owner.clone(),
        severity: gate.severity,
        blocking: gate.blocking,
        asked,
        status,
        raw: status,
        reasons,
        reasons_omitted: 0,
        notes,
        obligations: Vec::new(),
        excuses: Vec::new(),
        reproduce: gate.reproduce.clone(),
        remediation: gate.remediation.clone(),
        expires_at: None,
    }
}

fn built_in_row(id: &str, obligations: Vec<Obligation>, notes: Vec<String>) -> GateResult {
    let (title, remediation) = match id {
        POLICY => (
            "The policy is readable, is not changed by what it judges, and judges something",
            "Correct the policy, or have its change approved by somebody else.",
        ),
        WAIVERS => (
            "Every waiver keeps the rules of waivers",
            "Correct or remove the waiver that the reason names.",
        ),
        _ => (
            "Every quarantine keeps the rules of quarantines",
            "Correct or remove the entry that the reason names.",
        ),
    };
    let mut row = GateResult {
        id: id.to_owned(),
        title: title.to_owned(),
        kind: "built_in".to_owned(),
        owner: "project".to_owned(),
        severity: Severity::Critical,
        blocking: true,
        asked: Asked::Judged,
        status: Status::Invalid,
        raw: Status::Invalid,
        reasons: Vec::new(),
        reasons_omitted: 0,
        notes,
        obligations,
        excuses: Vec::new(),
        reproduce: ["gonogo", "gate", "explain", id]
            .map(str::to_owned)
            .to_vec(),
        remediation: remediation.to_owned(),
        expires_at: None,
    };
    total(&mut row);
    row
}

/// Status, reasons and end of a gate from its obligations.
fn total(row: &mut GateResult) {
    if row.obligations.is_empty() {
        let mut open = Open::new(&row.id, "anything", "something to judge");
        open.tell(Reason::PolicyUndefined, "the gate is about nothing");
        row.obligations.push(open.finish());
    }
    let status = row.obligations.iter().map(|o| o.status).max();
    row.raw = status.unwrap_or(Status::Invalid);
    row.status = row.raw;
    let mut all: Vec<&Told> = row.obligations.iter().flat_map(|o| &o.reasons).collect();
    // The worst first, so that what is left out is never worse than what is told.
    all.sort_by_key(|told| std::cmp::Reverse(told.code.verdict()));
    let omitted: u64 = row.obligations.iter().map(|o| o.reasons_omitted).sum();
    row.reasons_omitted = omitted + all.len().saturating_sub(TOLD) as u64;
    row.reasons = all.into_iter().take(TOLD).cloned().collect();
    row.expires_at = earliest(row.obligations.iter().map(|o| o.expires_at));
    row.excuses.sort();
    row.excuses.dedup();
}

pub(crate) fn earliest(times: impl IntoIterator<Item = Option<Timestamp>>) -> Option<Timestamp> {
    times.into_iter().flatten().min()
}

fn conclude(verdict: &mut Verdict, excused_passes: bool) {
    let blocking = || {
        verdict
            .gates
            .iter()
            .filter(|g| g.blocking && g.asked == Asked::Judged)
    };
    verdict.verdict = blocking()
        .map(|g| g.status)
        .max()
        .unwrap_or(Status::Invalid);
    let mut reasons: Vec<Reason> = blocking()
        .flat_map(|g| {
            g.obligations
                .iter()
                .flat_map(|o| &o.reasons)
                .chain(&g.reasons)
        })
        .map(|told| told.code)
        .collect();
    reasons.sort_unstable();
    reasons.dedup();
    // What cannot be judged for want of evidence is told apart from what a person can decide.
    let is_unjudged = blocking()
        .filter(|g| g.status == Status::Hold)
        .flat_map(|g| g.obligations.iter().flat_map(|o| &o.reasons))
        .any(|told| told.code.verdict() == Status::Hold && told.code.exit() == Exit::Unjudged);
    let exit = match verdict.verdict {
        Status::Pass => Exit::Done,
        Status::Excused if excused_passes => Exit::Done,
        Status::Hold if is_unjudged => Exit::Unjudged,
        Status::Excused | Status::Hold => Exit::Hold,
        Status::Fail => Exit::Fail,
        Status::Invalid => Exit::Unjudged,
    };
    let expires = earliest(blocking().map(|g| g.expires_at));
    verdict.reasons = reasons;
    verdict.exit_code = exit.code();
    verdict.expires_at = expires;
    verdict.self_digest = verdict.digest();
}

/// The beginning of a text from outside.
pub(crate) fn short(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(400)
        .collect()
}

/// Whether the policy's mode excuses now.
pub(crate) fn mode_holds(mode: &Mode, now: Timestamp) -> Option<Timestamp> {
    match mode {
        Mode::Rollback { since, expires, .. } if *since <= now && now < *expires => Some(*expires),
        _ => None,
    }
}

/// Whether a comparison is asked for.
pub(crate) const fn compares(baseline: Baseline) -> bool {
    !matches!(baseline, Baseline::Ignored)
}

/// Whether a rule holds for a document.
pub(crate) fn rule_holds(document: &serde_json::Value, rule: &crate::policy::Rule) -> bool {
    document::rule(document, rule).is_ok()
}
