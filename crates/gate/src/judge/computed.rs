//! Gates over what was computed: artifacts, the rubric, platforms, the certification contract.
//!
//! An artifact is not believed because it is there: its counts and its status are derived again, and what contradicts itself is invalid.
//! The rubric, the matrix of platforms and the contract are computed here, from nothing but the inputs.

use std::collections::BTreeSet;

use gonogo_core::{Digest, Reason, Verdict as Status};
use gonogo_suite::run::{Problem, Summary};

use super::obligation::Open;
use super::{Court, short};
use crate::artifact::Artifact;
use crate::bundle::Bundle;
use crate::classification::Classification;
use crate::contract::{self, Contract, State};
use crate::doubles::{Inventory, Risk};
use crate::inputs::{Coverage, FileState, Found, Inputs};
use crate::platforms::{Matrix, matrix};
use crate::policy::{Age, Computed, Gate, PlatformCheck, RubricCheck, Trees};
use crate::rubric::{self, Compliance, Rubric};
use crate::tracker::{Checkpoint, Issue};
use crate::verdict::{Obligation, Verdict};
use crate::wording::Guard;

/// Judges an artifact that was computed from files.
pub(super) fn judge(court: &Court<'_>, gate: &Gate, check: &Computed) -> Obligation {
    let mut open = Open::new(&gate.id, "", required(check));
    let age = Age {
        max_age: check.max_age(),
        // What a tracker says is about the project and not about one of its trees.
        tree: match check {
            Computed::Tracker { .. } => Trees::Any,
            _ => Trees::Same,
        },
    };
    let name = check.artifact();
    let found = court.inputs.computed.get(&gate.id);
    let Some((value, origin)) = open.weigh(court, name, found, age) else {
        return open.finish();
    };
    let bytes = gonogo_core::canonical::to_vec(value).unwrap_or_default();
    if Digest::of(&bytes) != origin.digest {
        let text = format!("{name}: its digest is not that of its content");
        open.tell(Reason::ArtifactsChanged, text);
    }
    match check {
        Computed::Tracker { terms, .. } => {
            if let Some(made) = read::<Checkpoint>(&mut open, &bytes) {
                open.cite("the tracker's export", made.source.digest, None);
                if made.docs_may_remain != terms.docs_may_remain {
                    open.tell(Reason::CheckUndecidable, "it was counted by another policy");
                }
                let issues = made.technical_open_issues.iter();
                let docs = made.docs_or_report_open_issues.iter();
                let docs = docs.filter(|_| !terms.docs_may_remain);
                let lines = issues.chain(docs).map(open_issue);
                come_to(&mut open, made.status, &made.detail, lines);
            }
        }
        Computed::Wording { .. } => {
            if let Some(made) = read::<Guard>(&mut open, &bytes) {
                let unread = made
                    .unread
                    .iter()
                    .map(|(file, why)| format!("`{file}`: {why}"));
                let claims = made.rows.iter().filter(|r| !r.allowed).map(|r| {
                    format!(
                        "{}:{}:{}: `{}` needs `{}`, which is not shown (rule `{}`)",
                        r.file, r.line, r.column, r.phrase, r.needs, r.rule
                    )
                });
                let detail = match made.texts.is_empty() {
                    true => "no text was looked at",
                    false => "texts could not be read, or there are too many claims",
                };
                come_to(&mut open, made.status, detail, unread.chain(claims));
            }
        }
        Computed::Classification { .. } => {
            if let Some(made) = read::<Classification>(&mut open, &bytes) {
                let lines = made
                    .findings
                    .iter()
                    .map(|f| format!("{}: {}", place(&f.file, f.line), f.text));
                let detail = "the tree has no test file of these patterns";
                come_to(&mut open, made.status, detail, lines);
            }
        }
        Computed::Doubles { .. } => {
            if let Some(made) = read::<Inventory>(&mut open, &bytes) {
                let risky = made
                    .entries
                    .iter()
                    .filter(|e| e.risk == Risk::High && e.allowed_by.is_none())
                    .map(|e| {
                        let place = place(&e.file, e.line);
                        format!("{place}: `{}`: {}", e.double_identifier, e.rationale)
                    });
                let not_read = made
                    .not_read
                    .iter()
                    .map(|f| format!("`{f}`: its language is not read"));
                let detail = "no source was looked at, or there are too many doubles";
                let lines = made.problems.iter().cloned().chain(risky).chain(not_read);
                come_to(&mut open, made.status, detail, lines);
            }
        }
    }
    open.finish()
}

fn required(check: &Computed) -> &'static str {
    match check {
        Computed::Tracker { .. } => "no technical issue that is open",
        Computed::Wording { .. } => "texts that claim nothing that is not shown",
        Computed::Classification { .. } => "one class for each test file, and what it admits",
        Computed::Doubles { .. } => "no double where the suite says that there is none",
    }
}

/// An open issue in one line.
fn open_issue(issue: &Issue) -> String {
    let (id, state, title) = (&issue.id, issue.status.trim(), issue.title.trim());
    let is = match state {
        "" => format!("`{id}` has no state, so it is open"),
        state => format!("`{id}` is {state}"),
    };
    match title {
        "" => is,
        title => format!("{is}: {title}"),
    }
}

fn place(file: &str, line: u64) -> String {
    match line {
        0 if file.is_empty() => "the tree".to_owned(),
        0 => format!("`{file}`"),
        line => format!("{file}:{line}"),
    }
}

/// Reads an artifact; one that contradicts itself is told and read all the same.
fn read<A: Artifact>(open: &mut Open, bytes: &[u8]) -> Option<A> {
    let made = match A::read(bytes) {
        Ok(made) => made,
        Err(e) => {
            open.tell(Reason::EvidenceUnparsable, e.to_string());
            return None;
        }
    };
    for Problem { reason, text, .. } in made.check() {
        open.tell(reason, text);
    }
    Some(made)
}

/// Tells what an artifact came to, with a line for each thing that is wrong.
fn come_to(open: &mut Open, status: Status, detail: &str, lines: impl Iterator<Item = String>) {
    let code = match status {
        Status::Pass => return,
        Status::Fail => Reason::CheckFailed,
        Status::Invalid => Reason::CheckUndecidable,
        Status::Excused | Status::Hold => Reason::EvidenceMissing,
    };
    let mut is_told = false;
    for line in lines {
        open.tell(code, line);
        is_told = true;
    }
    if !is_told {
        open.tell(code, detail);
    }
}

/// The report of a rubric, if there is a rubric that can be read.
pub(crate) fn compliance(
    inputs: &Inputs,
    check: &RubricCheck,
) -> Result<rubric::Report, (Reason, String)> {
    let name = &check.rubric;
    let text = rule_text(inputs, name)?;
    let rubric =
        Rubric::parse(text).map_err(|e| (Reason::PolicyError, format!("`{name}`: {e}")))?;
    let coverage: Option<(&Coverage, Digest)> = match inputs.coverage.get(&check.report) {
        Some(Found::Present { value, origin }) => Some((value, origin.digest)),
        _ => None,
    };
    let digest = Digest::of(text.as_bytes());
    Ok(rubric::comply(&rubric, digest, coverage, inputs.now))
}

fn rule_text<'a>(inputs: &'a Inputs, name: &str) -> Result<&'a str, (Reason, String)> {
    match inputs.rules.get(name).map(|file| &file.state) {
        Some(FileState::Text { text }) => Ok(text),
        Some(FileState::Unreadable { why }) => {
            Err((Reason::PolicyError, format!("`{name}`: {why}")))
        }
        Some(FileState::Absent) | None => {
            Err((Reason::PolicyUndefined, format!("there is no `{name}`")))
        }
    }
}

/// Judges coverage by a rubric.
pub(super) fn rubric(court: &Court<'_>, gate: &Gate, check: &RubricCheck, age: Age) -> Obligation {
    let required = format!("modules as `{}` asks for", check.rubric);
    let mut open = Open::new(&gate.id, "", required);
    let what = format!("coverage `{}`", check.report);
    let found = court.inputs.coverage.get(&check.report);
    if let Some((coverage, _)) = open.weigh(court, &what, found, age) {
        for problem in &coverage.problems {
            open.tell(problem.reason, format!("{what}: {}", problem.text));
        }
    }
    match compliance(court.inputs, check) {
        Err((code, text)) => open.tell(code, text),
        Ok(report) => {
            open.cite(&check.rubric, report.rubric_digest, None);
            for row in &report.rows {
                let code = match row.status {
                    Compliance::Pass | Compliance::Partial => continue,
                    Compliance::Warn => Reason::CheckWarned,
                    Compliance::NoData => Reason::EvidenceMissing,
                    Compliance::Fail => Reason::CheckFailed,
                };
                for detail in &row.details {
                    open.tell(code, format!("`{}`: {detail}", row.module));
                }
            }
            if report.rows.is_empty() {
                open.tell(Reason::CheckUndecidable, "the rubric has no module");
            }
        }
    }
    open.finish()
}

/// The matrix of the runs that there are.
pub(crate) fn matrix_of(inputs: &Inputs, check: &PlatformCheck) -> Matrix {
    let runs: Vec<Summary> = inputs.runs.iter().map(|r| r.summary.clone()).collect();
    matrix(
        &inputs.subject.tree,
        &check.platforms,
        &runs,
        &inputs.manifest,
        inputs.now,
    )
}

/// Judges platforms, each by itself. Those that need not pass are looked at and hold nothing.
pub(super) fn platforms(court: &Court<'_>, gate: &Gate, check: &PlatformCheck) -> Vec<Obligation> {
    let made = matrix_of(court.inputs, check);
    let required = made.platforms.iter().filter(|row| row.platform.required);
    let each = |row: &crate::platforms::Row| {
        let name = &row.platform.name;
        let what = format!("a good run of `{}` on `{name}`", row.platform.profile);
        let mut open = Open::new(&gate.id, name, what);
        let own = court
            .inputs
            .runs
            .iter()
            .filter(|run| row.runs.contains(&run.summary.run_id));
        let mut newest = None;
        for run in own {
            let what = format!("run {}", run.summary.run_id);
            open.cite(what, run.digest, run.record);
            newest = newest.max(Some(run.summary.timestamp));
        }
        if let Some(at) = newest {
            open.age(court, &format!("`{name}`"), at, check.max_age);
        }
        for reason in &row.reasons {
            open.tell(*reason, format!("`{name}`: {}", short(&row.detail)));
        }
        open.finish()
    };
    required.map(each).collect()
}

/// The contract, if there is one that can be read.
pub(crate) fn contract_of(inputs: &Inputs, file: &str) -> Result<Contract, (Reason, String)> {
    let text = rule_text(inputs, file)?;
    Contract::parse(text).map_err(|e| (Reason::PolicyError, format!("`{file}`: {e}")))
}

/// Judges a contract's hard gates over the gates that were judged before.
pub(super) fn contract(
    court: &Court<'_>,
    gate: &Gate,
    file: &str,
    seen: &Verdict,
) -> Vec<Obligation> {
    let mut subject = Open::new(
        &gate.id,
        "subject",
        "a commit, and a contract for this lane, to certify",
    );
    subject.cite(
        "tree",
        Digest::of(court.inputs.subject.tree.as_bytes()),
        None,
    );
    if court.inputs.subject.commit.is_none() {
        let text = "there is no commit, and only a commit is certified";
        subject.tell(Reason::EvidenceMissing, text);
    } else if court.inputs.subject.uncommitted {
        let text = "the tree has changes that are in no commit; commit them, and judge again";
        subject.tell(Reason::EvidenceWrongTree, text);
    }
    let bundle = court.inputs.bundle.as_ref();
    for problem in bundle.map(Bundle::check).unwrap_or_default() {
        subject.tell(problem.reason, format!("the bundle: {}", problem.text));
    }
    let contract = match contract_of(court.inputs, file) {
        Ok(contract) => contract,
        Err((code, text)) => {
            subject.tell(code, text);
            return vec![subject.finish()];
        }
    };
    if contract.lane != court.lane.word() {
        let text = format!("`{file}` is a contract for the lane `{}`", contract.lane);
        subject.tell(Reason::PolicyUndefined, text);
    }
    // A question that names a gate that nobody has is never answered.
    let known =
        |id: &&String| !court.policy.gates.iter().any(|g| g.id == **id) && seen.gate(id).is_none();
    for asked in &contract.closure_questions {
        for id in asked.gates.iter().filter(known) {
            let text = format!(
                "`{file}`: the question `{}` names `{id}`, which is no gate of the policy",
                short(&asked.question)
            );
            subject.tell(Reason::PolicyError, text);
        }
    }
    let mut all = vec![subject.finish()];
    for hard in &contract.hard_gates {
        let result = contract::judge(hard, seen, bundle);
        let mut open = Open::new(
            &gate.id,
            &hard.gate_id,
            format!("hard gate: {}", hard.domain),
        );
        for (what, digest) in contract::evidence(hard, seen, bundle) {
            open.cite(what, digest, None);
        }
        let code = match result.status {
            State::Pass => None,
            State::Blocked => Some(Reason::EvidenceMissing),
            State::Fail => Some(Reason::CheckFailed),
        };
        let problems: BTreeSet<&String> = result.problems.iter().collect();
        for (code, text) in code
            .into_iter()
            .flat_map(|c| problems.iter().map(move |p| (c, p)))
        {
            open.tell(code, format!("{}: {text}", hard.gate_id));
        }
        all.push(open.finish());
    }
    all
}
