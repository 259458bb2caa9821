//! Which excuses hold for the tree that is here, without a judgement of anything else: what a run needs to know which failures it tries
//! again, and what people look at before they end.
//!
//! Invariants: what is said of an entry's past is derived from verdicts that are recorded, so the audit only grows; an entry holds here if and only if it would hold in a verdict of the same moment: the same files, base, approvals and policy
//! are looked at by the same rules.

use std::collections::BTreeMap;
use std::path::Path;

use gonogo_core::{Digest, Exit, Reason, Timestamp, Verdict as Status};
use gonogo_gate::inputs::{self, FileState, Found, Inputs, Subject};
use gonogo_gate::policy::Lane;
use gonogo_gate::quarantine::{self, Quarantines};
use gonogo_gate::verdict::QuarantineState;
use gonogo_gate::{Verdict, view};
use gonogo_suite::run::Source;
use serde_json::{Value, json};

use super::base::Base;
use super::checking::{self, VERDICT};
use super::gathering::{self, Place, QUARANTINE, WAIVERS, approvals};
use super::{declared, matched};
use crate::AppError;
use crate::home::{Book, Home};
use crate::suite::running::RESULT;
use crate::workspace::{make_dir, write_atomic};

/// Whether the project has a file of quarantines, readable or not.
pub fn are_there(root: &Path) -> bool {
    gathering::file(&root.join(QUARANTINE)) != FileState::Absent
}

/// Inputs of which only the policy, the quarantines and what they are judged by are filled.
///
/// # Errors
/// The ledger's and git's faults.
pub fn inputs(
    place: &Place<'_>,
    base: Option<&str>,
    source: &Source,
    now: Timestamp,
) -> Result<Inputs, AppError> {
    let (base, base_note) = Base::judged(&place.tree, base)?;
    let book = place.home.open(&place.home.here)?;
    let authors = gathering::authors(place, &base, source)?;
    let policy = gathering::policy(place, &base);
    let approvers = gathering::approvers(place, &base, &policy);
    Ok(Inputs {
        schema: inputs::SCHEMA.into(),
        now,
        lane: Lane::Full.word().into(),
        subject: Subject {
            tree: source.tree.clone(),
            commit: source.commit.clone(),
            base_commit: base.commit().map(str::to_owned),
            base_note,
            landed_tree: None,
            authors,
            artifacts: BTreeMap::new(),
            uncommitted: source.dirty,
        },
        policy,
        manifest: declared::manifest(place.config, &place.tree, &base),
        runs: Vec::new(),
        unreadable_runs: Vec::new(),
        going_runs: Vec::new(),
        history: BTreeMap::new(),
        documents: BTreeMap::new(),
        earlier_documents: BTreeMap::new(),
        commands: BTreeMap::new(),
        coverage: BTreeMap::new(),
        computed: BTreeMap::new(),
        rules: BTreeMap::new(),
        command_rules: BTreeMap::new(),
        bundle: None,
        dry_runs: Vec::new(),
        readiness: Found::Absent,
        drills: BTreeMap::new(),
        perf: BTreeMap::new(),
        waivers: gathering::excuses(place, &base, WAIVERS),
        quarantine: gathering::excuses(place, &base, QUARANTINE),
        approvals: approvals(&book)?,
        approvers,
        quarantine_matched: BTreeMap::new(),
        quarantine_clean: BTreeMap::new(),
        quarantine_denied: BTreeMap::new(),
        quarantine_unseen: std::collections::BTreeSet::new(),
    })
}

/// The quarantines of the project as they stand.
///
/// # Errors
/// As [`inputs()`]; a policy that cannot be read.
pub fn standing(
    place: &Place<'_>,
    source: &Source,
    now: Timestamp,
) -> Result<Quarantines, AppError> {
    let base = std::env::var("GONOGO_BASE").ok();
    let found = inputs(place, base.as_deref(), source, now)?;
    quarantine::standing(&found).map_err(|faults| {
        let texts: Vec<String> = faults.iter().map(ToString::to_string).collect();
        let text = format!("the policy cannot be read: {}", texts.join("; "));
        AppError::new(Reason::PolicyError, text)
    })
}

/// Schema of a line of the audit.
pub const AUDIT: &str = "gonogo.gate.quarantine_audit.v1";

/// Most bytes of a recorded verdict.
const LARGEST: u64 = 1 << 30;

/// All excuses, as they stand now.
#[derive(Debug)]
pub struct Excuses {
    /// What is judged of them. Its other gates saw no evidence and say nothing.
    pub verdict: Verdict,
    /// How the two gates of the excuses stand; invalid where the policy cannot be read.
    pub status: Status,
    /// What recorded verdicts saw of quarantines, a line each time that it changed.
    pub audit: Vec<Value>,
}

impl Excuses {
    /// The exit code: that of the two gates.
    pub const fn exit(&self) -> Exit {
        match self.status {
            Status::Pass | Status::Excused => Exit::Done,
            Status::Hold => Exit::Hold,
            Status::Fail => Exit::Fail,
            Status::Invalid => Exit::Unjudged,
        }
    }
}

/// Looks at all excuses.
///
/// # Errors
/// No configuration; the ledger's and git's faults.
pub fn look(home: &Home, base: Option<&str>) -> Result<Excuses, AppError> {
    let place = Place::find(home)?;
    let source = place.tree.now()?;
    let mut inputs = inputs(&place, base, &source, home.clock.now().wall)?;
    let book = home.open(&home.here)?;
    if let Ok(quarantines) = quarantine::standing(&inputs) {
        let mut records = gathering::every_kind(&book, RESULT)?;
        records.reverse();
        let known = matched::known(home, &book, &records, &quarantines);
        inputs.quarantine_matched = known.matched;
        inputs.quarantine_clean = known.clean;
        inputs.quarantine_denied = known.denied;
        inputs.quarantine_unseen = known.unseen;
    }
    let verdict = gonogo_gate::judge(&inputs);
    let gates = [
        gonogo_gate::policy::WAIVERS,
        gonogo_gate::policy::QUARANTINES,
    ];
    let of = |id: &&str| verdict.gate(id).map_or(Status::Invalid, |g| g.status);
    let status = gates.iter().map(of).max().unwrap_or(Status::Invalid);
    Ok(Excuses {
        status,
        audit: audit(&book)?,
        verdict,
    })
}

/// Writes `waiver_audit.json`, `quarantine_report.json` and `quarantine_audit.jsonl`.
///
/// # Errors
/// A file that cannot be written.
pub fn write(found: &Excuses, dir: &Path) -> Result<(), AppError> {
    make_dir(dir)?;
    let put = |name: &str, value: &Value| {
        let text = serde_json::to_string_pretty(value).unwrap_or_default() + "\n";
        write_atomic(&dir.join(name), text.as_bytes())
    };
    put("waiver_audit.json", &view::waiver_audit(&found.verdict))?;
    put(
        "quarantine_report.json",
        &view::quarantine_report(&found.verdict),
    )?;
    let lines: String = found.audit.iter().map(|line| format!("{line}\n")).collect();
    write_atomic(&dir.join("quarantine_audit.jsonl"), lines.as_bytes())
}

/// What recorded verdicts saw of quarantines: an entry that came, stands otherwise, covered a failure or went. From records that stay, in
/// their order: what was a line stays one.
fn audit(book: &Book) -> Result<Vec<Value>, AppError> {
    let mut filter = gonogo_store::ledger::Filter {
        kind: Some(VERDICT.into()),
        limit: 1000,
        ..gonogo_store::ledger::Filter::default()
    };
    let mut lines = Vec::new();
    let mut known: BTreeMap<Digest, QuarantineState> = BTreeMap::new();
    loop {
        let page = book.ledger.records(&filter)?;
        let Some(last) = page.last() else { break };
        filter.after = Some(last.index);
        for record in &page {
            let Some(id) = record.stream.strip_prefix(&checking::stream("")) else {
                continue;
            };
            let line = |event: &str, rest: Value| {
                let mut line = json!({
                    "schema": AUDIT,
                    "record": record.index,
                    "ts": record.time,
                    "verdict": id,
                    "lane": record.body.get("lane"),
                    "tree": record.body.get("tree"),
                    "event": event,
                });
                if let (Value::Object(line), Value::Object(rest)) = (&mut line, rest) {
                    line.extend(rest);
                }
                line
            };
            let digest = record.body.get("blob").and_then(Value::as_str);
            let digest: Option<Digest> = digest.and_then(|d| d.parse().ok());
            let read = digest
                .ok_or_else(|| "the record names no verdict".to_owned())
                .and_then(|d| {
                    let bytes = book.ledger.read_blob(&d, LARGEST);
                    bytes.map_err(|e| e.to_string())
                })
                .and_then(|b| serde_json::from_slice::<Verdict>(&b).map_err(|e| e.to_string()));
            match read {
                Err(why) => lines.push(line("unreadable", json!({"detail": why}))),
                Ok(verdict) => seen(&verdict, &mut known, |event, rest| {
                    lines.push(line(event, rest));
                }),
            }
        }
    }
    Ok(lines)
}

/// What a verdict saw that the verdicts before it did not.
fn seen(
    verdict: &Verdict,
    known: &mut BTreeMap<Digest, QuarantineState>,
    mut tell: impl FnMut(&str, Value),
) {
    let mut now: BTreeMap<Digest, QuarantineState> = BTreeMap::new();
    for state in &verdict.quarantines {
        now.insert(state.digest, state.clone());
    }
    let told = |state: &QuarantineState| {
        json!({
            "id": state.id, "entry": state.digest, "status": state.status, "detail": state.detail,
            "days_remaining": state.days_remaining, "matched": state.matched,
            "owner": state.fields.get("owner"), "issue": state.fields.get("issue"),
        })
    };
    for (digest, state) in &now {
        match known.get(digest) {
            None => tell("entered", told(state)),
            Some(before) if before.status != state.status => {
                let mut rest = told(state);
                rest["from"] = json!(before.status);
                tell("changed", rest);
            }
            Some(_) => {}
        }
        if state.matched > 0 {
            tell("matched", told(state));
        }
    }
    for (digest, state) in known.iter() {
        if !now.contains_key(digest) {
            tell("left", told(state));
        }
    }
    *known = now;
}
