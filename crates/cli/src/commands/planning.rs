//! `plan`, `plan show|diff|lint`, `approve`.

use gonogo_app::AppError;
use gonogo_app::approving::{self, Given, Say, Voices, away};
use gonogo_app::doors::{
    ApprovalDecide, ApprovalSubmit, ChangePlanned, Decision, DelegationList, PersonName,
    PlanChange, PlanDiff, PlanGet, PlanLint, PlanRef, VersionName, Why,
};
use gonogo_app::planning::FindingView;
use gonogo_core::clock::SystemClock;
use gonogo_core::{Exit, Reason};
use gonogo_release::approval::ApprovalPolicy;
use gonogo_release::plan::{Binding, DryRunGate, Gates, Plan, Step, StepKind};
use serde_json::json;

use super::releasing::say_given;
use super::{Answer, live, way, way_to_sign};
use crate::args::{self, PlanWhat, Select};
use crate::screen::{Screen, Tone};
use crate::way::Way;

pub fn plan(select: &Select, a: &args::Plan, screen: &Screen) -> (&'static str, Answer) {
    match &a.what {
        None => ("plan_change", create(select, &a.wanted, screen)),
        Some(PlanWhat::Show { plan }) => ("plan_get", show(select, plan, screen)),
        Some(PlanWhat::Diff {
            plan,
            against,
            exit_code,
        }) => (
            "plan_diff",
            diff(select, plan, against.as_deref(), *exit_code, screen),
        ),
        Some(PlanWhat::Lint { plan }) => ("plan_lint", lint(select, plan, screen)),
    }
}

fn create(select: &Select, wanted: &args::Wanted, screen: &Screen) -> Answer {
    let planned = way(select, screen, true)?.ask(&PlanChange {
        environment: wanted.env.clone().map(Into::into),
        version: VersionName(wanted.to.clone().unwrap_or_default()),
    })?;
    let planned = planned.data;
    let Some(plan) = &planned.plan_result else {
        return nothing_to_do(screen, "plan_change", &planned);
    };
    say_warnings(screen, &planned.findings);
    live::say_plan(screen, plan);
    say_steps(screen, plan);
    if screen.quiet {
        screen.say(plan.id.as_str());
    }
    if !planned.fresh {
        screen.talk("this plan existed already: same intent, same content");
    }
    screen.frame(&format!("next      gonogo approve {}", plan.id));
    let mut data = json!(planned);
    // The name that it had before the registry's.
    data["plan"] = json!(plan);
    screen.answer("plan_change", data);
    Ok(Exit::Done)
}

/// Ends a command that had nothing to do, which is an answer.
pub fn nothing_to_do(screen: &Screen, use_case: &str, planned: &ChangePlanned) -> Answer {
    let text = planned.text.as_deref().unwrap_or_default();
    screen.answer(use_case, json!(planned));
    screen.say(&format!("nothing to do: {text}"));
    Ok(Exit::Done)
}

pub fn say_warnings(screen: &Screen, findings: &[FindingView]) {
    for f in findings {
        screen.talk(&screen.paint(
            Tone::Wait,
            &format!("{}: {} ({})", f.severity, f.text, f.reason),
        ));
    }
}

fn say_steps(screen: &Screen, plan: &Plan) {
    let told: Vec<String> = plan.body.steps.iter().map(|s| what(s, plan)).collect();
    let wide = told.iter().map(|t| t.chars().count()).max().unwrap_or(0);
    for (step, what) in plan.body.steps.iter().zip(told) {
        let class = step.class.map_or(String::new(), |c| {
            serde_json::to_value(c)
                .ok()
                .and_then(|v| v.as_str().map(str::to_owned))
                .unwrap_or_default()
        });
        screen.frame(&format!(
            "  {:>2}  {:<10} {what:<wide$}  {class:<17}  ≤ {}",
            step.n,
            step.kind.name(),
            step.within
        ));
    }
}

/// What a step does, in words.
fn what(step: &Step, plan: &Plan) -> String {
    match &step.kind {
        StepKind::Stage { weight, bake } => format!("{weight} of new requests, at least {bake}"),
        StepKind::Deploy { slot } => format!(
            "{} in slot {slot}, ready within {}",
            plan.body.to.version, plan.body.to.ready.within
        ),
        StepKind::Soak { bake } => match &plan.body.from {
            Some(from) => format!("watch for {bake}; {} stays warm", from.version),
            None => format!("watch for {bake}"),
        },
        StepKind::Drain { slot } | StepKind::Stop { slot } => {
            format!("the old version in slot {slot}")
        }
        StepKind::Gates => match plan.body.gates {
            Gates::None => "none, as stated".into(),
            Gates::DryRun(gate) => demanded(&gate),
            Gates::Verdict(gate) => format!(
                "a passing verdict of the lane `{}` over the tree that these artifacts were built from, within {}{}",
                gate.lane.word(),
                gate.max_age,
                if gate.allow_excused {
                    ", also an excused one"
                } else {
                    ""
                }
            ),
        },
        StepKind::Preflight => "the target is as it was planned".into(),
        StepKind::Promote => "all new requests".into(),
    }
}

/// What the gate demands, and what it leaves open.
fn demanded(gate: &DryRunGate) -> String {
    let mut text = match gate.binding {
        Binding::Executed => "a dry run of these artifacts".to_owned(),
        Binding::Mentioned => "a dry run that names these artifacts".to_owned(),
    };
    text.push_str(&match gate.min_duration {
        Some(least) => format!(", at least {least}"),
        None => " of any length".to_owned(),
    });
    if let Some(least) = gate.min_uptime {
        text.push_str(&format!(", {least} up"));
    }
    text.push_str(&format!(", signed off within {}", gate.max_age));
    if gate.allow_warnings {
        text.push_str(", also with accepted warnings");
    }
    text
}

/// What an approver judges besides the steps: what runs, what is checked, who must agree and who has.
fn say_terms(screen: &Screen, plan: &Plan, voices: &Voices) {
    say_policy(screen, plan);
    for voice in &voices.given {
        let until = voice
            .until
            .map_or(String::new(), |u| format!(" · until {u}"));
        let note = if voice.note.is_empty() {
            String::new()
        } else {
            format!(" · {}", voice.note)
        };
        screen.say(&format!(
            "          {} by {}{until}{note}",
            voice.decision, voice.approver
        ));
    }
    if voices.missing.is_empty() {
        screen.say("          approved");
    } else {
        screen.say(&format!("          missing: {}", voices.missing.join(", ")));
    }
}

/// What runs, what is checked and who must agree.
fn say_policy(screen: &Screen, plan: &Plan) {
    let body = &plan.body;
    screen.say(&format!("run       {}", body.to.run.join(" ")));
    let checks = &body.checks;
    screen.say(&format!(
        "checks    {}: at least {} requests a stage",
        checks.name, checks.min_requests
    ));
    let over = format!("slow > {}", checks.slow_over);
    for (name, rate) in [
        ("errors", &checks.errors),
        (over.as_str(), &checks.slow),
        ("client errors", &checks.client_errors),
    ] {
        screen.say(&format!(
            "          {name:<16} within {} of stable's, never over {}",
            rate.margin, rate.limit
        ));
    }
    screen.say(&format!("approval  {}", who(&body.approval)));
    if let Some(before) = &body.approval_before {
        screen.say(&format!(
            "          and, as it asked for more before: {}",
            who(before)
        ));
    }
}

/// Who must approve.
fn who(policy: &ApprovalPolicy) -> String {
    let mut people: Vec<String> = policy
        .approvers
        .iter()
        .map(|a| format!("{} ({})", a.id, a.role))
        .collect();
    if policy.own {
        people.push("who asked".into());
    }
    format!("{} of {}", policy.required, people.join(", "))
}

fn show(select: &Select, prefix: &str, screen: &Screen) -> Answer {
    let shown = way(select, screen, true)?.ask(&PlanGet {
        plan: PlanRef(prefix.to_owned()),
    })?;
    let (plan, voices) = (&shown.data.plan, &shown.data.approval);
    live::say_plan(screen, plan);
    say_steps(screen, plan);
    screen.say(&format!(
        "asked     {} at {}",
        plan.requester, plan.created_at
    ));
    say_terms(screen, plan, voices);
    for artifact in &plan.body.to.artifacts {
        screen.say(&format!(
            "artifact  {}  {}  {} bytes",
            artifact.path, artifact.sha256, artifact.bytes
        ));
    }
    screen.say(&format!("config    {}", plan.body.config));
    screen.say(&format!("print     {}", plan.fingerprint));
    screen.say(&format!(
        "legacy    {} (the older request hash: the configuration's path, not its content; decides nothing)",
        plan.legacy_request_hash
    ));
    screen.answer("plan_get", json!(shown.data));
    Ok(shown.exit)
}

fn diff(
    select: &Select,
    prefix: &str,
    against: Option<&str>,
    exit_code: bool,
    screen: &Screen,
) -> Answer {
    let compared = way(select, screen, true)?.ask(&PlanDiff {
        plan: PlanRef(prefix.to_owned()),
        against: against.map(|p| PlanRef(p.to_owned())),
    })?;
    let (id, found) = (&compared.data.plan, &compared.data.differences);
    let other = compared
        .data
        .against
        .as_ref()
        .map_or("what would be planned now".to_owned(), ToString::to_string);
    if found.is_empty() {
        screen.say(&format!("no difference between {id} and {other}"));
    }
    for d in found {
        let side =
            |v: &Option<serde_json::Value>| v.as_ref().map_or("—".to_owned(), ToString::to_string);
        screen.say(&format!(
            "{}\n  {}\n  {}",
            d.path,
            screen.paint(Tone::Bad, &format!("- {}", side(&d.was))),
            screen.paint(Tone::Good, &format!("+ {}", side(&d.is)))
        ));
    }
    let exit = if exit_code && !found.is_empty() {
        Exit::Hold
    } else {
        Exit::Done
    };
    screen.answer("plan_diff", json!(compared.data));
    Ok(exit)
}

fn lint(select: &Select, prefix: &str, screen: &Screen) -> Answer {
    let linted = way(select, screen, true)?.ask(&PlanLint {
        plan: PlanRef(prefix.to_owned()),
    })?;
    let (id, findings) = (&linted.data.plan, &linted.data.findings);
    if findings.is_empty() {
        screen.say(&format!("{id}: nothing to object"));
    }
    for f in findings {
        let tone = if f.severity == "error" {
            Tone::Bad
        } else {
            Tone::Wait
        };
        screen.say(&format!(
            "{}  {}  {}\n    {}",
            screen.paint(tone, &f.severity),
            f.reason,
            f.text,
            f.hint
        ));
    }
    screen.answer("plan_lint", json!(linted.data));
    Ok(linted.exit)
}

pub fn approve(select: &Select, a: &args::Approve, screen: &Screen) -> Answer {
    let way = way_to_sign(select, screen)?;
    let plan = way
        .ask(&PlanGet {
            plan: PlanRef(a.plan.clone()),
        })?
        .data
        .plan;
    live::say_plan(screen, &plan);
    let say = || Say {
        role: a.role.clone(),
        sla_minutes: a.sla_minutes,
        note: a.note.clone(),
        reject: a.reject,
        on_behalf_of: a.for_.clone(),
        out: a.out.clone(),
    };
    let decide = ApprovalDecide {
        plan: PlanRef(plan.id.to_string()),
        plan_fingerprint: plan.fingerprint,
        decision: match a.reject {
            true => Decision::Rejected,
            false => Decision::Approved,
        },
        role: a.role.clone(),
        sla_minutes: a.sla_minutes,
        note: a.note.clone().map(Why),
        on_behalf_of: a.for_.clone().map(PersonName),
    };
    let given = match (way.here(), &select.key) {
        (Some(_), _) => way.held(&decide, |ws| approving::approve(ws, &plan.id, &say()))?,
        (None, Some(key)) if select.key_said => {
            signed_here(&way, select, (a, &say()), (&plan, key), screen)?
        }
        (None, _) if a.out.is_some() => {
            let text = "`--out` writes what the caller's own key has signed, and with a server the login decides";
            return Err(
                AppError::new(Reason::ArgumentInvalid, text).hint("sign with your key: --key FILE")
            );
        }
        (None, _) => way.ask(&decide)?.data,
    };
    say_given(screen, &plan, &given);
    if !a.reject && given.rejected_by.is_empty() && given.stale.is_none() {
        screen.frame(&format!("next      gonogo apply {}", plan.id));
    }
    screen.answer("approval_decide", json!(given));
    Ok(Exit::Done)
}

/// Signs a decision about a server's plan with the key that is here, and brings it there. What is signed is what was shown.
fn signed_here(
    way: &Way,
    select: &Select,
    (a, say): (&args::Approve, &Say),
    (plan, key): (&Plan, &std::path::Path),
    screen: &Screen,
) -> Result<Given, AppError> {
    away::check(plan, &a.plan)?;
    say_steps(screen, plan);
    say_policy(screen, plan);
    screen.say(&format!("print     {}, computed here", plan.fingerprint));
    let lent = match &say.on_behalf_of {
        Some(_) => way.ask(&DelegationList {})?.data.delegations,
        None => Vec::new(),
    };
    let name = select.name.as_deref();
    let approval = away::sign(plan, name, key, say, &lent, &SystemClock::default())?;
    let brought = way.ask(&ApprovalSubmit {
        plan: PlanRef(plan.id.to_string()),
        approval,
    })?;
    Ok(brought.data)
}
