//! What gonogo is held to, judged by what was measured: `gonogo slo report`.
//!
//! Each door measures its calls ([`crate::calls`]); here they are added up over a window and compared with the objectives. Invariants:
//! with nothing or too little measured nothing is met, nor where the file of measured calls is
//! younger than what was done; `[slo] window` judges, and another window only shows; a quantile is never told better than it was; objectives that are looser than the
//! contract's are told as looser; refusals, which are quick, do not make slow answers look rare.

use std::collections::BTreeMap;

use gonogo_core::{Exit, Share, Span, Timestamp};
use gonogo_store::calls::{ByTool, CallLog, Calls, SLOT};
use gonogo_store::ledger::Filter;
use gonogo_telemetry::{at_most, quantile};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::config::{LONGEST_WINDOW, SloFile};
use crate::identity::{self, random};
use crate::{AppError, Workspace};

/// Kind of the record that keeps a report.
pub const KIND: &str = "slo-report";

/// Stream of the records that keep reports.
pub const STREAM: &str = "run/slo/reports";

/// Most operations of a window that are looked at.
const OPERATIONS: usize = 10_000;

/// Codes of calls that were refused before any work: how long a refusal took says nothing of how long an answer takes.
const REFUSED: [&str; 6] = [
    "INPUT_VALIDATION_FAILED",
    "APPROVAL_REQUIRED",
    "UNAUTHORIZED",
    "CONFLICT",
    "RATE_LIMIT",
    "REFUSED",
];

/// Codes of calls that the service did not fail at: answers, errors of validation, and refusals that are the contract at work. A call that
/// finds no place is none of these: who was let in was promised an answer. A code that is not known is an error.
const NO_ERROR: [&str; 7] = [
    "OK",
    "LEFT",
    "INPUT_VALIDATION_FAILED",
    "APPROVAL_REQUIRED",
    "UNAUTHORIZED",
    "CONFLICT",
    "REFUSED",
];

/// Whether what was promised was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// It was.
    Met,
    /// It was not.
    Missed,
    /// Nothing or too little was measured.
    NoData,
}

impl Kept {
    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Missed => "missed",
            Self::NoData => "no data",
        }
    }

    /// Exit code of a command that ends with it.
    pub const fn exit(self) -> Exit {
        match self {
            Self::Met => Exit::Done,
            Self::Missed => Exit::Fail,
            Self::NoData => Exit::Unjudged,
        }
    }
}

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Microseconds.
    Micros,
    /// Parts per million.
    Ppm,
}

/// An objective and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Objective {
    /// Its name, as `[slo]` has it.
    pub objective: String,
    /// What is promised, in words.
    pub about: String,
    /// What the numbers count.
    pub unit: Unit,
    /// What was promised.
    pub target: u64,
    /// What the contract promises.
    pub contract: u64,
    /// Whether less is promised here than the contract does.
    pub looser: bool,
    /// What was measured; none without data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed: Option<u64>,
    /// How many calls that is from.
    pub samples: u64,
    /// Whether it was kept.
    pub result: Kept,
    /// Why it is not met; empty if it is.
    pub why: String,
}

/// What was measured of a use case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Measured {
    /// The use case.
    pub tool: String,
    /// How many calls ended in which way: `OK`, the contract's code, or `LEFT` where the caller went away.
    pub ended: BTreeMap<String, u64>,
    /// Calls that were worked on; the times below are of these.
    pub worked_on: u64,
    /// 50 of 100 took at most this, in microseconds.
    pub p50: Option<u64>,
    /// 95 of 100 did.
    pub p95: Option<u64>,
    /// 99 of 100 did.
    pub p99: Option<u64>,
    /// The longest.
    pub longest: Option<u64>,
}

/// The report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SloReported {
    /// Whether all was kept.
    pub result: Kept,
    /// Begin of the window: calls are counted in slots of ten minutes, and the first slot is counted whole.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
    /// Since when there is data in it; none if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<Timestamp>,
    /// All calls in it.
    pub calls: u64,
    /// The objectives.
    pub objectives: Vec<Objective>,
    /// What was measured, by use case.
    pub tools: Vec<Measured>,
}

/// Judges the last hours, as many as the configuration says. Another `window` is shown and judges nothing: a miss would go by choosing one.
///
/// # Errors
/// The store cannot be read. Measured calls that cannot be read are no data, and say why.
pub fn report(ws: &Workspace, window: Option<Span>) -> Result<SloReported, AppError> {
    let slo = &ws.config.slo;
    let to = ws.clock.now().wall;
    let span = window.unwrap_or(slo.window).min(LONGEST_WINDOW);
    let begin = to.as_millis() - i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    let from = Timestamp::from_millis(begin.max(0).div_euclid(SLOT) * SLOT);
    let read = CallLog::of(&ws.state).window(from, to);
    let operations = traced_operations(ws, from)?;
    let (window, mut fault) = match read {
        Ok(window) => (window, None),
        Err(e) => (Default::default(), Some(e.to_string())),
    };
    let mut objectives = judge(slo, &window.calls, operations);
    if fault.is_none() && span != slo.window {
        fault = Some(format!(
            "{span} are shown, and nothing is judged by them: `[slo] window` is {}",
            slo.window
        ));
    }
    if fault.is_none() {
        fault = unmeasured(ws, from, window.begun)?;
    }
    if let Some(fault) = fault {
        for objective in &mut objectives {
            objective.result = Kept::NoData;
            objective.why.clone_from(&fault);
        }
    }
    Ok(SloReported {
        result: worst(&objectives),
        from,
        to,
        first: window.first,
        calls: window.calls.values().map(|c| c.count).sum(),
        tools: measured(&window.calls),
        objectives,
    })
}

/// Why the calls of a window are not all known: measuring began within it, and the ledger has what was planned or applied before that. The
/// file of measured calls was lost then, or taken away.
fn unmeasured(
    ws: &Workspace,
    from: Timestamp,
    begun: Option<Timestamp>,
) -> Result<Option<String>, AppError> {
    if begun.is_some_and(|begun| begun <= from) {
        return Ok(None);
    }
    for kind in ["plan", "operation"] {
        let earlier = Filter {
            kind: Some(kind.into()),
            until: begun,
            limit: 1,
            ..Filter::default()
        };
        let found = ws.ledger.records(&earlier)?;
        if let Some(record) = found.first() {
            let since = begun.map_or("not at all".to_owned(), |at| format!("since {at}"));
            return Ok(Some(format!(
                "calls are measured {since}, and record {} ({kind}) is of {}: those between are not known",
                record.index, record.time
            )));
        }
    }
    Ok(None)
}

/// What was missed weighs more than what is not known; only what was all met is met.
fn worst(objectives: &[Objective]) -> Kept {
    let is = |kept| objectives.iter().any(|o| o.result == kept);
    match (is(Kept::Missed), is(Kept::NoData), objectives.is_empty()) {
        (true, ..) => Kept::Missed,
        (false, false, false) => Kept::Met,
        _ => Kept::NoData,
    }
}

/// Operations that were begun since, and how many of them have a trace.
fn traced_operations(ws: &Workspace, from: Timestamp) -> Result<(u64, u64), AppError> {
    let (mut all, mut traced, mut after) = (0, 0, None);
    while all < OPERATIONS as u64 {
        let page = ws.store.operations_page(None, None, after.as_ref(), 200)?;
        let full = page.len() == 200;
        for known in page {
            if known.created < from {
                return Ok((all, traced));
            }
            all += 1;
            traced += u64::from(known.trace.is_some_and(|t| !t.is_empty()));
            after = Some(known.id);
        }
        if !full {
            break;
        }
    }
    Ok((all, traced))
}

fn judge(slo: &SloFile, calls: &ByTool, operations: (u64, u64)) -> Vec<Objective> {
    let contract = SloFile::default();
    // Less to judge by is less that is promised.
    let few = slo.min_calls < contract.min_calls || slo.window < contract.window;
    let enough = |row: Objective| enough(row, slo.min_calls, few);
    let quick = |name: &str, tool: &str, target: Span, contract: Span| {
        latency(name, tool, &worked_on(calls, tool), target, contract)
    };
    let total = calls.values().map(|c| c.count).sum::<u64>();
    let errors: u64 = calls
        .iter()
        .filter(|((_, code), _)| !NO_ERROR.contains(&code.as_str()))
        .map(|(_, c)| c.count)
        .sum();
    let traced = calls.values().map(|c| c.traced).sum::<u64>() + operations.1;
    let both = total + operations.0;
    vec![
        enough(quick(
            "validate_p95",
            "validate_plan",
            slo.validate_p95,
            contract.validate_p95,
        )),
        enough(quick(
            "plan_p95",
            "plan_change",
            slo.plan_p95,
            contract.plan_p95,
        )),
        enough(share(
            "errors",
            "at most this share of all calls fails: by a fault here, of what is needed, for want of time or of a place",
            (errors, total),
            (slo.errors, contract.errors),
            true,
        )),
        enough(share(
            "traces",
            "at least this share of calls and operations has a trace",
            (traced, both),
            (slo.traces, contract.traces),
            false,
        )),
    ]
}

/// With too few calls nothing is judged, unless it is missed by what there is: more calls do not undo that for shares, and might for times.
fn enough(mut row: Objective, least: u64, few: bool) -> Objective {
    row.looser |= few;
    if row.samples < least {
        row.result = Kept::NoData;
        row.why = match row.samples {
            0 => "nothing was measured".to_owned(),
            n => format!("{n} were measured, and fewer than {least} say too little"),
        };
    }
    row
}

/// The calls of a use case that were worked on.
fn worked_on(calls: &ByTool, tool: &str) -> Calls {
    let mut all = Calls::default();
    let of = calls
        .iter()
        .filter(|((name, code), _)| name == tool && !REFUSED.contains(&code.as_str()));
    of.for_each(|(_, calls)| all.add(calls));
    all
}

fn micros(span: Span) -> u64 {
    span.as_millis().saturating_mul(1000)
}

fn latency(name: &str, tool: &str, calls: &Calls, target: Span, contract: Span) -> Objective {
    let within = at_most(&calls.buckets, micros(target));
    let met = calls.count > 0 && u128::from(within) * 100 >= u128::from(calls.count) * 95;
    Objective {
        objective: name.to_owned(),
        about: format!("95 of 100 calls of `{tool}` take at most this"),
        unit: Unit::Micros,
        target: micros(target),
        contract: micros(contract),
        looser: target > contract,
        observed: quantile(&calls.buckets, 950, calls.longest),
        samples: calls.count,
        result: if met { Kept::Met } else { Kept::Missed },
        why: match met {
            true => String::new(),
            false => format!(
                "{within} of {} calls are known to have taken at most {target}",
                calls.count
            ),
        },
    }
}

fn share(
    name: &str,
    about: &str,
    (of, all): (u64, u64),
    (target, contract): (Share, Share),
    at_most: bool,
) -> Objective {
    let (left, right) = (
        u128::from(of) * 1_000_000,
        u128::from(all) * u128::from(target.ppm()),
    );
    let met = all > 0
        && if at_most {
            left <= right
        } else {
            left >= right
        };
    // Rounded to the worse side.
    let observed = (all > 0).then(|| {
        let parts = u128::from(of) * 1_000_000;
        let parts = match at_most {
            true => parts.div_ceil(u128::from(all)),
            false => parts / u128::from(all),
        };
        u64::try_from(parts).unwrap_or(u64::MAX)
    });
    Objective {
        objective: name.to_owned(),
        about: about.to_owned(),
        unit: Unit::Ppm,
        target: target.ppm().into(),
        contract: contract.ppm().into(),
        looser: if at_most {
            target > contract
        } else {
            target < contract
        },
        observed,
        samples: all,
        result: if met { Kept::Met } else { Kept::Missed },
        why: if met {
            String::new()
        } else {
            format!("{of} of {all}")
        },
    }
}

fn measured(calls: &ByTool) -> Vec<Measured> {
    let mut names: Vec<&String> = calls.keys().map(|(tool, _)| tool).collect();
    names.dedup();
    let of = |tool: &&String| {
        let ended = calls.iter().filter(|((name, _), _)| name == *tool);
        let worked = worked_on(calls, tool);
        let told = |permille| quantile(&worked.buckets, permille, worked.longest);
        Measured {
            tool: (*tool).clone(),
            ended: ended
                .map(|((_, code), c)| (code.clone(), c.count))
                .collect(),
            worked_on: worked.count,
            p50: told(500),
            p95: told(950),
            p99: told(990),
            longest: (worked.count > 0).then_some(worked.longest),
        }
    };
    names.iter().map(of).collect()
}

/// Keeps a report in the ledger, for the board of gates; returns the record's index.
///
/// # Errors
/// The ledger cannot be written.
pub fn record(ws: &Workspace, report: &SloReported) -> Result<u64, AppError> {
    let time = ws.now()?;
    let actor = identity::caller_name(ws.caller.name.as_deref())?;
    let key = format!("report/{}", gonogo_core::id::RunId::mint(random()));
    let body = json!({
        "result": report.result,
        "from": report.from,
        "to": report.to,
        "calls": report.calls,
        "objectives": report.objectives,
        "tools": report.tools,
        "config": ws.config.digest,
    });
    ws.record(STREAM, &key, KIND, time, &actor, None, body)?;
    let newest = ws.ledger.newest(KIND)?.map(|r| r.index);
    newest.ok_or_else(|| {
        AppError::new(
            gonogo_core::Reason::StoreFailed,
            "the record is not there after it was written",
        )
    })
}

/// A number as people read it.
pub fn told(unit: Unit, n: u64) -> String {
    match unit {
        Unit::Micros if n >= 1_000_000 => format!("{:.2} s", n as f64 / 1e6),
        Unit::Micros if n >= 1_000 => format!("{:.1} ms", n as f64 / 1e3),
        Unit::Micros => format!("{n} µs"),
        Unit::Ppm => format!("{}", Share::from_ppm(u32::try_from(n).unwrap_or(u32::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use gonogo_telemetry::bucket;

    use super::*;

    fn calls(all: &[(&str, &str, u64, u64)]) -> ByTool {
        let mut by = ByTool::new();
        for (tool, code, n, micros) in all {
            let one = Calls {
                count: *n,
                traced: *n,
                sum: n * micros,
                longest: *micros,
                buckets: BTreeMap::from([(bucket(*micros), *n)]),
            };
            let key = ((*tool).to_owned(), (*code).to_owned());
            by.entry(key).or_default().add(&one);
        }
        by
    }

    fn row<'a>(rows: &'a [Objective], name: &str) -> &'a Objective {
        rows.iter().find(|r| r.objective == name).unwrap()
    }

    #[test]
    fn nothing_and_too_little_meet_nothing() {
        let slo = SloFile::default();
        let none = judge(&slo, &ByTool::new(), (0, 0));
        assert!(none.iter().all(|o| o.result == Kept::NoData), "{none:?}");
        assert_eq!(worst(&none), Kept::NoData);
        assert_eq!(worst(&[]), Kept::NoData);
        let few = calls(&[("validate_plan", "OK", 19, 1_000)]);
        assert_eq!(
            row(&judge(&slo, &few, (0, 0)), "validate_p95").result,
            Kept::NoData
        );
        let enough = calls(&[("validate_plan", "OK", 20, 1_000)]);
        let rows = judge(&slo, &enough, (0, 0));
        assert_eq!(row(&rows, "validate_p95").result, Kept::Met);
        // Another objective has no data: the whole is not met.
        assert_eq!(worst(&rows), Kept::NoData);
    }

    #[test]
    fn ninety_five_of_a_hundred_is_exact_at_the_objective() {
        let slo = SloFile::default();
        let judged = |slow: u64, at: u64| {
            let all = calls(&[
                ("validate_plan", "OK", 100 - slow, 2_000_000),
                ("validate_plan", "OK", slow, at),
            ]);
            row(&judge(&slo, &all, (0, 0)), "validate_p95").clone()
        };
        let good = judged(5, 90_000_000);
        assert_eq!((good.result, good.observed), (Kept::Met, Some(2_000_000)));
        let bad = judged(6, 2_000_001);
        assert_eq!(bad.result, Kept::Missed);
        assert!(bad.observed.is_some_and(|o| o > 2_000_000), "{bad:?}");
        assert!(bad.why.starts_with("94 of 100"), "{}", bad.why);
    }

    #[test]
    fn quick_refusals_hide_no_slow_answers_and_callers_who_left_count() {
        let slo = SloFile::default();
        let all = calls(&[
            ("plan_change", "INPUT_VALIDATION_FAILED", 10_000, 500),
            ("plan_change", "OK", 10, 1_000),
            ("plan_change", "UPSTREAM_TIMEOUT", 5, 10_000_000),
            ("plan_change", "LEFT", 5, 9_000_000),
        ]);
        let rows = judge(&slo, &all, (0, 0));
        let plan = row(&rows, "plan_p95");
        assert_eq!((plan.samples, plan.result), (20, Kept::Missed));
        // 5 of 10,020: those of validation are no errors, and neither is a caller who left.
        let errors = row(&rows, "errors");
        assert_eq!((errors.result, errors.observed), (Kept::Met, Some(500)));
    }

    #[test]
    fn one_of_a_hundred_may_fail_and_not_one_more() {
        let slo = SloFile::default();
        let of = |bad: u64| {
            let all = calls(&[
                ("plan_get", "OK", 100 - bad, 500),
                ("apply_change", "RUNNER_ERROR", bad, 500),
            ]);
            row(&judge(&slo, &all, (0, 0)), "errors").result
        };
        assert_eq!((of(1), of(2)), (Kept::Met, Kept::Missed));
        let designed = calls(&[
            ("plan_get", "OK", 10, 500),
            ("apply_change", "APPROVAL_REQUIRED", 50, 500),
            ("plan_change", "UNAUTHORIZED", 50, 500),
            ("apply_change", "CONFLICT", 50, 500),
            ("rollback_change", "REFUSED", 50, 500),
        ]);
        let rows = judge(&slo, &designed, (0, 0));
        assert_eq!(row(&rows, "errors").observed, Some(0), "refusals by design");
        for code in [
            "RATE_LIMIT",
            "UPSTREAM_TIMEOUT",
            "DEPENDENCY_UNAVAILABLE",
            "AUTH_FAILURE",
        ] {
            let failed = calls(&[("plan_get", "OK", 98, 500), ("plan_get", code, 2, 500)]);
            let rows = judge(&slo, &failed, (0, 0));
            assert_eq!(row(&rows, "errors").result, Kept::Missed, "{code}");
        }
        let strange = calls(&[("plan_get", "OK", 98, 500), ("plan_get", "NEWER", 2, 500)]);
        let rows = judge(&slo, &strange, (0, 0));
        assert_eq!(
            row(&rows, "errors").result,
            Kept::Missed,
            "a code that is not known is an error"
        );
    }

    #[test]
    fn one_call_or_one_operation_without_a_trace_is_missed() {
        let slo = SloFile::default();
        let mut all = calls(&[("plan_get", "OK", 100, 500)]);
        assert_eq!(row(&judge(&slo, &all, (3, 3)), "traces").result, Kept::Met);
        assert_eq!(
            row(&judge(&slo, &all, (3, 2)), "traces").result,
            Kept::Missed
        );
        all.values_mut().for_each(|c| c.traced -= 1);
        let rows = judge(&slo, &all, (0, 0));
        let traces = row(&rows, "traces");
        assert_eq!(
            (traces.result, traces.observed),
            (Kept::Missed, Some(990_000))
        );
    }

    #[test]
    fn looser_objectives_are_told_and_stricter_ones_are_not() {
        let slo = SloFile {
            plan_p95: Span::from_secs(6),
            validate_p95: Span::from_secs(1),
            errors: Share::from_percent(2),
            traces: Share::from_percent(99),
            ..SloFile::default()
        };
        let rows = judge(&slo, &ByTool::new(), (0, 0));
        let looser: Vec<&str> = rows
            .iter()
            .filter(|o| o.looser)
            .map(|o| o.objective.as_str())
            .collect();
        assert_eq!(looser, ["plan_p95", "errors", "traces"]);
        let few = SloFile {
            min_calls: 1,
            ..SloFile::default()
        };
        assert!(judge(&few, &ByTool::new(), (0, 0)).iter().all(|o| o.looser));
    }
}
