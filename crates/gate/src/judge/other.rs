//! Gates over anything but runs of targets.

use std::collections::{BTreeMap, BTreeSet};

use gonogo_core::{Reason, Span, Verdict as Status};
use serde_json::Value;

use super::computed;
use super::document;
use super::dry_run;
use super::obligation::Open;
use super::{Court, short};
use crate::inputs::{Found, PerfResult};
use crate::policy::{Age, Budgets, Check, Floors, Gate, Place, Trees};
use crate::verdict::Obligation;

pub(super) fn judge(court: &Court<'_>, gate: &Gate, check: &Check) -> Vec<Obligation> {
    let open = |part: &str, required: String| Open::new(&gate.id, part, required);
    match check {
        // Judged elsewhere.
        Check::Suite(_) | Check::Contract { .. } => Vec::new(),
        Check::Schema {
            document,
            pointer,
            schema,
            age,
        } => {
            let mut open = open("", format!("`{document}` of the schema `{schema}`"));
            hold(
                court,
                &mut open,
                document,
                *age,
                |value| match document::text(value, pointer) {
                    Ok(found) if found == schema => Vec::new(),
                    Ok(found) => {
                        let text = format!("it has the schema `{}`", short(found));
                        vec![(Reason::SchemaUnknown, text)]
                    }
                    Err(broken) => vec![broken],
                },
            );
            vec![open.finish()]
        }
        Check::Json {
            document,
            rules,
            age,
        } => {
            let mut open = open(
                "",
                format!("`{document}` with {} rules that hold", rules.len()),
            );
            hold(court, &mut open, document, *age, |value| {
                let found = rules.iter().map(|rule| document::rule(value, rule));
                found.filter_map(Result::err).collect()
            });
            vec![open.finish()]
        }
        Check::Counts {
            document,
            total,
            parts,
            age,
        } => {
            let mut open = open("", format!("counts of `{document}` that add up"));
            hold(court, &mut open, document, *age, |value| {
                let found = document::counts(value, total, parts);
                found.err().into_iter().collect()
            });
            vec![open.finish()]
        }
        Check::Percentage {
            document,
            numerator,
            denominator,
            floor,
            age,
        } => {
            let mut open = open("", format!("at least {} in `{document}`", floor.at_least));
            hold(court, &mut open, document, *age, |value| {
                let found = document::percentage(value, numerator, denominator.as_deref(), floor);
                found.err().into_iter().collect()
            });
            vec![open.finish()]
        }
        Check::MaxAge {
            place,
            within,
            tree,
        } => {
            let mut open = open("", format!("a time at {place} at most {within} back"));
            let age = Age {
                max_age: FOREVER,
                tree: *tree,
            };
            if let Some(value) = load(court, &mut open, &place.document, age) {
                match document::time(value, &place.pointer) {
                    Ok(at) => open.age(court, &place.to_string(), at, *within),
                    Err((code, text)) => open.tell(code, format!("`{}`: {text}", place.document)),
                }
            }
            vec![open.finish()]
        }
        Check::Lineage {
            equal,
            contained,
            times,
            within,
            age,
        } => {
            let mut open = open("", "documents of one origin".into());
            let mut documents = BTreeMap::new();
            for name in check.documents() {
                if let Some(value) = load(court, &mut open, name, *age) {
                    documents.insert(name, value);
                }
            }
            lineage(&mut open, &documents, equal, contained);
            close(&mut open, court, &documents, times, *within);
            vec![open.finish()]
        }
        Check::Command { argv, expect, age } => {
            let mut open = open("", format!("`{}` ended with {expect}", argv.join(" ")));
            let found = court.inputs.commands.get(&gate.id);
            if let Some((outcome, _)) = open.weigh(court, "command", found, *age) {
                if outcome.argv != *argv {
                    let text = format!("`{}` was run instead", short(&outcome.argv.join(" ")));
                    open.tell(Reason::EvidenceUnparsable, text);
                }
                match &outcome.end {
                    gonogo_suite::run::End::Exited { code } if code == expect => {}
                    gonogo_suite::run::End::Exited { code } => {
                        open.tell(Reason::CheckFailed, format!("it ended with {code}"));
                    }
                    // It may have run, and what came of it does not count.
                    gonogo_suite::run::End::NotStarted { why } => {
                        open.tell(Reason::RunIncomplete, format!("nothing came of it: {why}"));
                    }
                    other => open.tell(Reason::RunIncomplete, other.to_string()),
                }
            }
            vec![open.finish()]
        }
        Check::Coverage {
            report,
            floors,
            age,
            ..
        } => coverage(court, gate, report, floors, *age),
        Check::Computed(check) => vec![computed::judge(court, gate, check)],
        Check::Rubric { check, age } => vec![computed::rubric(court, gate, check, *age)],
        Check::Platforms(check) => computed::platforms(court, gate, check),
        Check::DryRun {
            min_duration,
            min_uptime,
            max_age,
        } => vec![dry_run::judge(
            court,
            gate,
            *min_duration,
            min_uptime.ppm(),
            *max_age,
        )],
        Check::Readiness { surfaces, max_age } => {
            vec![readiness(court, gate, surfaces, *max_age)]
        }
        Check::Drill { name, max_age } => {
            let mut open = open("", format!("the drill `{name}`, on the real system"));
            let age = Age {
                max_age: *max_age,
                tree: Trees::Any,
            };
            let found = court.inputs.drills.get(name);
            if let Some((drill, _)) = open.weigh(court, &format!("drill `{name}`"), found, age) {
                if !drill.real {
                    let text = "it was held on a double, which shows nothing of the real system";
                    open.tell(Reason::EvidenceMissing, text);
                }
                outcome(&mut open, "the drill", drill.verdict);
            }
            vec![open.finish()]
        }
        Check::Perf { budgets, max_age } => perf(court, gate, budgets, *max_age),
    }
}

/// Longer than any document is kept.
const FOREVER: Span = Span::from_secs(100 * 366 * 86_400);

fn load<'a>(court: &Court<'a>, open: &mut Open, name: &str, age: Age) -> Option<&'a Value> {
    let inputs = court.inputs;
    let found = inputs.documents.get(name);
    let what = format!("`{name}`");
    let (value, _) = open.weigh(court, &what, found, age)?;
    let is_empty = match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    };
    if is_empty {
        open.tell(Reason::CheckUndecidable, format!("{what} is empty"));
        return None;
    }
    Some(value)
}

/// What is asked must hold for a document, and for what earlier runs on this tree kept under its name.
fn hold(
    court: &Court<'_>,
    open: &mut Open,
    name: &str,
    age: Age,
    broken: impl Fn(&Value) -> Vec<document::Broken>,
) {
    let Some(value) = load(court, open, name, age) else {
        return;
    };
    let now = broken(value);
    let holds = now.is_empty();
    for (code, text) in now {
        open.tell(code, format!("`{name}`: {text}"));
    }
    if !holds {
        return;
    }
    let inputs = court.inputs;
    for found in inputs.earlier_documents.get(name).into_iter().flatten() {
        let Found::Present { value, origin } = found else {
            continue;
        };
        let is_current = origin
            .at
            .is_some_and(|at| at.after(age.max_age) > inputs.now);
        if let (true, Some((_, text))) = (is_current, broken(value).first()) {
            open.cite(
                format!("`{name}` of an earlier run"),
                origin.digest,
                origin.record,
            );
            let text =
                format!("`{name}` holds now, and did not in an earlier run on this tree: {text}");
            open.tell(Reason::FlakyBlocking, text);
            return;
        }
    }
}

pub(super) fn outcome(open: &mut Open, what: &str, verdict: Status) {
    let code = match verdict {
        Status::Pass => return,
        Status::Invalid => Reason::EvidenceUnparsable,
        // An excuse given elsewhere is none here.
        Status::Excused | Status::Hold => Reason::EvidenceMissing,
        Status::Fail => Reason::CheckFailed,
    };
    open.tell(code, format!("{what} came to {verdict}"));
}

fn text_at<'a>(
    open: &mut Open,
    documents: &BTreeMap<&str, &'a Value>,
    place: &Place,
) -> Option<&'a str> {
    let value = documents.get(place.document.as_str())?;
    match document::text(value, &place.pointer) {
        Ok(text) => Some(text),
        Err((code, text)) => {
            open.tell(code, format!("`{}`: {text}", place.document));
            None
        }
    }
}

fn lineage(
    open: &mut Open,
    documents: &BTreeMap<&str, &Value>,
    equal: &[Place],
    contained: &[(Place, Place)],
) {
    let mut first: Option<(&Place, &str)> = None;
    for place in equal {
        let Some(text) = text_at(open, documents, place) else {
            continue;
        };
        match first {
            None => first = Some((place, text)),
            Some((_, known)) if known == text => {}
            Some((other, known)) => {
                let text = format!(
                    "{place} is `{}`, and {other} is `{}`",
                    short(text),
                    short(known)
                );
                open.tell(Reason::CheckFailed, text);
            }
        }
    }
    for (inner, outer) in contained {
        let (Some(part), Some(whole)) = (
            text_at(open, documents, inner),
            text_at(open, documents, outer),
        ) else {
            continue;
        };
        if !whole.contains(part) {
            let text = format!(
                "{inner} is `{}`, which is not within {outer}, `{}`",
                short(part),
                short(whole)
            );
            open.tell(Reason::CheckFailed, text);
        }
    }
}

fn close(
    open: &mut Open,
    court: &Court<'_>,
    documents: &BTreeMap<&str, &Value>,
    times: &[Place],
    within: Span,
) {
    let mut found = Vec::new();
    for place in times {
        let Some(value) = documents.get(place.document.as_str()) else {
            continue;
        };
        match document::time(value, &place.pointer) {
            Ok(at) => {
                if at > court.inputs.now.after(court.policy.defaults.clock_skew) {
                    open.tell(Reason::ClockSkew, format!("{place} lies in the future"));
                }
                found.push(at);
            }
            Err((code, text)) => open.tell(code, format!("`{}`: {text}", place.document)),
        }
    }
    if let (Some(first), Some(last)) = (found.iter().min(), found.iter().max())
        && last.since(*first) > within
    {
        let text = format!("the times lie further apart than {within}: {first} and {last}");
        open.tell(Reason::CheckFailed, text);
    }
}

/// What is said beside a gate: what a coverage report left out, and targets that are not reached.
pub(super) fn notes(court: &Court<'_>, check: &Check) -> Vec<String> {
    let Check::Coverage {
        report, targets, ..
    } = check
    else {
        return Vec::new();
    };
    let Some(Found::Present { value, .. }) = court.inputs.coverage.get(report) else {
        return Vec::new();
    };
    let mut notes: Vec<String> = value.notes.iter().map(|n| short(n)).collect();
    for (module, target) in targets {
        let covered = value.modules.get(module).copied().unwrap_or_default();
        let asked = [
            ("lines", target.line, covered.lines),
            ("functions", target.function, covered.functions),
            ("branches", target.branch, covered.branches),
        ];
        for (word, most, part) in asked {
            let (Some(most), Some(part)) = (most, part) else {
                continue;
            };
            if let Err((_, text)) = document::share(part.covered, part.total, most, 1) {
                notes.push(format!("the target of `{module}`, {word}: {text}"));
            }
        }
    }
    notes
}

fn coverage(
    court: &Court<'_>,
    gate: &Gate,
    report: &str,
    floors: &BTreeMap<String, Floors>,
    age: Age,
) -> Vec<Obligation> {
    let mut all = Vec::new();
    for (module, floor) in floors {
        let mut open = Open::new(&gate.id, module, format!("coverage of `{module}`"));
        let found = court.inputs.coverage.get(report);
        let what = format!("coverage `{report}`");
        if let Some((coverage, _)) = open.weigh(court, &what, found, age) {
            for problem in &coverage.problems {
                open.tell(problem.reason, format!("{what}: {}", problem.text));
            }
            match coverage.modules.get(module) {
                None => {
                    let text = format!("{what} has no module `{module}`");
                    open.tell(Reason::CheckUndecidable, text);
                }
                Some(covered) => {
                    let asked = [
                        ("lines", floor.line, covered.lines),
                        ("functions", floor.function, covered.functions),
                        ("branches", floor.branch, covered.branches),
                    ];
                    for (word, least, part) in asked {
                        let Some(least) = least else { continue };
                        match part {
                            None => {
                                let text = format!("`{module}`: {word} are not measured");
                                open.tell(Reason::CheckUndecidable, text);
                            }
                            Some(part) => {
                                let found = document::share(part.covered, part.total, least, 1);
                                if let Err((code, text)) = found {
                                    open.tell(code, format!("`{module}`, {word}: {text}"));
                                }
                            }
                        }
                    }
                }
            }
        }
        all.push(open.finish());
    }
    all
}

fn readiness(court: &Court<'_>, gate: &Gate, surfaces: &[String], max_age: Span) -> Obligation {
    let mut open = Open::new(&gate.id, "", "surfaces that are ready".to_owned());
    let age = Age {
        max_age,
        tree: Trees::Any,
    };
    let found = Some(&court.inputs.readiness);
    if let Some((ready, _)) = open.weigh(court, "readiness", found, age) {
        match ready.rollout_gate.as_str() {
            "pass" => {}
            "hold" => open.tell(Reason::CheckFailed, "its own gate holds"),
            other => {
                let text = format!("its gate says `{}`, which nobody knows", short(other));
                open.tell(Reason::CheckUndecidable, text);
            }
        }
        let asked: Vec<&String> = if surfaces.is_empty() {
            ready.surfaces.keys().collect()
        } else {
            surfaces.iter().collect()
        };
        if asked.is_empty() {
            open.tell(Reason::CheckUndecidable, "it is about no surface");
        }
        for name in asked {
            match ready.surfaces.get(name).map(String::as_str) {
                Some("healthy") => {}
                Some("degraded" | "failing") => {
                    open.tell(Reason::CheckFailed, format!("`{name}` is not healthy"));
                }
                Some(_) => {
                    let text = format!("nobody knows how `{name}` is");
                    open.tell(Reason::CheckUndecidable, text);
                }
                None => {
                    let text = format!("there is nothing about `{name}`");
                    open.tell(Reason::EvidenceMissing, text);
                }
            }
        }
    }
    open.finish()
}

fn perf(court: &Court<'_>, gate: &Gate, budgets: &Budgets, max_age: Span) -> Vec<Obligation> {
    let declared = &court.inputs.manifest.declared.budgets;
    let names: Vec<&str> = match budgets {
        Budgets::Declared => declared
            .iter()
            .filter(|(_, budget)| budget.blocks)
            .map(|(name, _)| name.as_str())
            .collect(),
        Budgets::Named(names) => names.iter().map(String::as_str).collect(),
    };
    let age = Age {
        max_age,
        tree: Trees::Same,
    };
    names
        .into_iter()
        .map(|name| {
            let mut open = Open::new(&gate.id, name, format!("the budget `{name}`, kept"));
            if !declared.contains_key(name) {
                let text = format!("no budget `{name}` is declared");
                open.tell(Reason::PolicyUndefined, text);
            }
            let found = court.inputs.perf.get(name);
            if let Some((perf, _)) = open.weigh(court, &format!("budget `{name}`"), found, age) {
                if perf.budget != name {
                    let text = format!("it is about `{}`", short(&perf.budget));
                    open.tell(Reason::EvidenceUnparsable, text);
                }
                let code = match perf.result {
                    PerfResult::Improved | PerfResult::Same => None,
                    PerfResult::Regressed => Some(Reason::PerfRegressed),
                    PerfResult::Noise => Some(Reason::PerfNoiseFloor),
                    PerfResult::Insufficient => Some(Reason::PerfInsufficient),
                };
                let told = perf.reasons.iter().copied();
                let bad: BTreeSet<Reason> = told.filter(|r| r.verdict() > Status::Pass).collect();
                // The result's own code only where no reason is as bad: one fault is told once, in its own words.
                let code = code.filter(|c| bad.iter().all(|r| r.verdict() < c.verdict()));
                for code in code.into_iter().chain(bad) {
                    open.tell(code, format!("`{name}`: {}", code.meaning()));
                }
            }
            open.finish()
        })
        .collect()
}
