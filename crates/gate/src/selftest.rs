//! The gate tested by poisoned evidence: 35 ways in which other gates have passed without proof.
//!
//! A good set of inputs is made from the user's own policy and declaration, through the real readers and the real judge of targets; it
//! must pass, or nothing is shown. Each case then poisons one thing and must be caught for its own reason. A case that nothing of the
//! policy would see is not caught, and it is said what to add.

mod bench;
mod cases;
mod computed;
mod green;

use gonogo_core::{Digest, Exit, Reason, Timestamp, Verdict as Status};
use serde::{Deserialize, Serialize};

use crate::inputs::{Declared, FileState, Inputs};
use crate::judge::{judge, policy_of};
use crate::policy::Lane;
use crate::verdict::{Asked, Verdict};

/// The schema.
pub const SCHEMA: &str = "gonogo.gate.selftest.v1";

/// What came of a selftest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selftest {
    /// [`SCHEMA`].
    pub schema: String,
    /// The lane.
    pub lane: Lane,
    /// Of the policy's bytes.
    pub policy_digest: Digest,
    /// Why nothing is shown: the good inputs do not pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub void: Option<String>,
    /// How many were caught.
    pub caught: usize,
    /// How many there are.
    pub total: usize,
    /// Each.
    pub cases: Vec<CaseResult>,
    /// 0 if all were caught, 2 if not, 3 if nothing is shown.
    pub exit_code: u8,
}

/// What came of one case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseResult {
    /// Its number in the catalogue.
    pub number: u8,
    /// What is poisoned.
    pub title: String,
    /// Whether it was caught, for its own reason.
    pub caught: bool,
    /// What the gate says of the poisoned inputs; absent if they could not be made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Status>,
    /// Reasons that must be among those of the blocking gates: one of each list, or of the first where the lane stopped there.
    pub expected: Vec<Vec<Reason>>,
    /// Those that were.
    pub found: Vec<Reason>,
    /// What to add so that it is caught.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

/// One way to pass without proof.
pub(crate) struct Case {
    pub(crate) number: u8,
    pub(crate) title: &'static str,
    pub(crate) expected: &'static [&'static [Reason]],
    /// What to add to a policy that does not see it.
    pub(crate) advice: &'static str,
    /// Poisons the good inputs. An error says why the policy or the declaration has nothing that could be poisoned.
    pub(crate) poison: fn(&mut bench::Bench) -> Result<(), String>,
}

/// Cases about excuses: the gate that is poisoned must itself be bad, and not only that of the excuses.
const UNEXCUSED: [u8; 4] = [13, 27, 28, 29];

/// Inputs that must pass under a policy, and what a case needs to poison them.
///
/// # Errors
/// Why none can be made: a policy that cannot be read, or one that no evidence satisfies.
pub fn good_inputs(
    policy: &FileState,
    declared: &Declared,
    lane: Lane,
    now: Timestamp,
) -> Result<Inputs, String> {
    green::make(policy, declared, lane, now).map(|bench| bench.inputs)
}

/// Runs all cases.
pub fn selftest(policy: &FileState, declared: &Declared, lane: Lane, now: Timestamp) -> Selftest {
    let mut result = Selftest {
        schema: SCHEMA.to_owned(),
        lane,
        policy_digest: Digest::of(b""),
        void: None,
        caught: 0,
        total: cases::ALL.len(),
        cases: Vec::new(),
        exit_code: Exit::Unjudged.code(),
    };
    let bench = match green::make(policy, declared, lane, now) {
        Ok(bench) => bench,
        Err(why) => {
            result.void = Some(why);
            return result;
        }
    };
    result.policy_digest = policy_of(&bench.inputs).1;
    let verdict = judge(&bench.inputs);
    if verdict.verdict != Status::Pass {
        result.void = Some(format!(
            "good inputs come to {}: {}",
            verdict.verdict,
            why(&verdict)
        ));
        return result;
    }
    result.cases = cases::ALL.iter().map(|case| run(case, &bench)).collect();
    result.caught = result.cases.iter().filter(|c| c.caught).count();
    result.exit_code = if result.caught == result.total {
        Exit::Done.code()
    } else {
        Exit::Fail.code()
    };
    result
}

fn why(verdict: &Verdict) -> String {
    let bad = verdict
        .gates
        .iter()
        .filter(|g| g.blocking && g.status > Status::Pass);
    let texts: Vec<String> = bad
        .flat_map(|g| {
            let id = &g.id;
            g.reasons
                .iter()
                .map(move |r| format!("{id}: {} ({})", r.code, r.text))
        })
        .take(5)
        .collect();
    texts.join("; ")
}

/// A case against what could be blind to it: of each blocking gate over runs a target that blocks, and one that does not.
fn run(case: &Case, good: &bench::Bench) -> CaseResult {
    let mut bench = good.clone();
    if good.victims.is_empty() {
        return run_one(case, bench);
    }
    let mut last = None;
    for victim in &good.victims {
        bench.victim = Some(victim.clone());
        let mut result = run_one(case, bench.clone());
        if !result.caught {
            let (target, gate) = (&victim.target, &victim.gate);
            let declared = good.inputs.manifest.declared.targets.get(target);
            let advice = match declared.is_some_and(|t| t.blocking) {
                true => result.advice.unwrap_or_default(),
                false => format!("let it block: `[suites.{target}] blocking = true`"),
            };
            result.advice = Some(format!(
                "poisoned was `{target}` of the gate `{gate}`; {advice}"
            ));
            return result;
        }
        last = Some(result);
    }
    last.unwrap_or_else(|| run_one(case, bench))
}

fn run_one(case: &Case, mut bench: bench::Bench) -> CaseResult {
    let expected = case.expected.iter().map(|any| any.to_vec()).collect();
    let mut result = CaseResult {
        number: case.number,
        title: case.title.to_owned(),
        caught: false,
        verdict: None,
        expected,
        found: Vec::new(),
        advice: None,
    };
    if let Err(why) = (case.poison)(&mut bench) {
        result.advice = Some(format!("{why}; {}", case.advice));
        return result;
    }
    let verdict = judge(&bench.inputs);
    // A lane that stopped at the first reason has not looked for the others.
    let has_stopped = verdict.gates.iter().any(|g| g.asked == Asked::NotReached);
    let needed = if has_stopped { 1 } else { case.expected.len() };
    let is_seen = case
        .expected
        .iter()
        .take(needed)
        .all(|any| any.iter().any(|code| verdict.reasons.contains(code)));
    let gate = bench.victim.as_ref().and_then(|v| verdict.gate(&v.gate));
    let is_excused = UNEXCUSED.contains(&case.number)
        && gate.is_some_and(|g| g.asked == Asked::Judged && g.status <= Status::Excused);
    result.caught = verdict.verdict > Status::Excused && is_seen && !is_excused;
    result.verdict = Some(verdict.verdict);
    result.found = verdict.reasons;
    if !result.caught {
        result.advice = Some(case.advice.to_owned());
    }
    result
}
