//! `gate …`: check, explain, simulate, rejudge, policy.

mod bundle;
mod excuses;

use gonogo_app::AppError;
use gonogo_app::gates::approving::{self, What};
use gonogo_app::gates::checking::{self, Checked};
use gonogo_app::gates::gathering::Asked;
use gonogo_core::{Exit, Reason, Verdict as Status};
use gonogo_gate::contract::Overall;
use gonogo_gate::policy::Lane as Asking;
use gonogo_gate::verdict::{Asked as WasAsked, GateResult, Standing, Told};
use gonogo_gate::{Suppose, Verdict, view};
use serde_json::json;

use super::Answer;
use super::suite::{home, plain, tone};
use crate::args::Select;
use crate::args::gate::{
    Compared, GateApprove, GateArgs, GateCheck, GateExplain, GateRejudge, GateSelftest,
    GateSimulate, GateWhat, Lane,
};
use crate::screen::{Screen, Tone};

/// How many reasons of a gate are told.
const TOLD: usize = 8;

pub(super) fn gate(select: &Select, args: &GateArgs, screen: &Screen) -> (&'static str, Answer) {
    match &args.what {
        GateWhat::Check(a) => ("gate_check", check(select, a, screen)),
        GateWhat::Approve(a) => ("gate_approve", approve(select, a, screen)),
        GateWhat::Explain(a) => ("gate_explain", explain(select, a, screen)),
        GateWhat::Simulate(a) => ("gate_simulate", simulate(select, a, screen)),
        GateWhat::Rejudge(a) => ("gate_rejudge", rejudge(select, a, screen)),
        GateWhat::Excuses(a) => ("gate_excuses", excuses::excuses(select, a, screen)),
        GateWhat::Selftest(a) => ("gate_selftest", selftest(select, a, screen)),
        GateWhat::Bundle(a) => ("gate_bundle", bundle::bundle(select, a, screen)),
        GateWhat::Policy => ("gate_policy", policy(screen)),
    }
}

fn asked(compared: &Compared) -> Asked {
    Asked {
        lane: lane(compared.lane),
        base: compared.base.clone(),
        landed: compared.landed.clone(),
        run_commands: !compared.recorded_only,
        at: None,
    }
}

fn check(select: &Select, a: &GateCheck, screen: &Screen) -> Answer {
    let home = home(select)?;
    let checked = checking::check(&home, &asked(&a.compared))?;
    let Checked {
        id,
        verdict,
        dir,
        made,
        ..
    } = &checked;
    tell(verdict, screen);
    if let Some(certificate) = &made.certification {
        let word = match certificate.overall_verdict {
            Overall::Certified => screen.paint(Tone::Good, "CERTIFIED"),
            Overall::NotCertified => screen.paint(Tone::Bad, "NOT_CERTIFIED"),
        };
        screen.say(&format!("{word}  {}", plain(&certificate.git_commit)));
        for reason in certificate.blocking_reasons.iter().take(TOLD) {
            screen.say(&format!("      {}", plain(reason)));
        }
    }
    for (name, why) in &made.missing {
        screen.frame(&format!("not made  {name}: {}", plain(why)));
    }
    screen.frame(&format!("verdict   {id}  {}", dir.display()));
    let closed = verdict
        .gates
        .iter()
        .find(|g| g.blocking && g.status > Status::Excused);
    if let Some(gate) = closed {
        screen.frame(&format!("next: gonogo gate explain {}", gate.id));
    }
    if let Some(path) = &a.report {
        let path = super::here()?.join(path);
        gonogo_app::workspace::write_report(&path, view::markdown(verdict).as_bytes())?;
        screen.talk(&format!("written: {}", path.display()));
    }
    screen.answer(
        "gate_check",
        json!({
            "id": id,
            "record": checked.record,
            "directory": dir,
            "verdict": verdict,
            "certification": made.certification,
            "artifacts": made.files.keys().collect::<Vec<_>>(),
            "missing": made.missing,
        }),
    );
    Ok(verdict.exit())
}

fn approve(select: &Select, a: &GateApprove, screen: &Screen) -> Answer {
    let home = home(select)?;
    let what = match (&a.waiver, &a.quarantine) {
        (Some(id), _) => What::Waiver(id.clone()),
        (_, Some(id)) => What::Quarantine(id.clone()),
        _ if a.policy => What::Policy,
        _ => What::Suites,
    };
    let asked = Asked {
        lane: Asking::Full,
        base: a.base.clone(),
        landed: None,
        run_commands: false,
        at: None,
    };
    let found = approving::approve(&home, &asked, &what, a.note.as_deref())?;
    screen.say(&format!(
        "approved by {}: {}  {}",
        plain(&found.signer),
        plain(&found.what),
        found.over
    ));
    screen.frame("next: gonogo gate check");
    screen.answer(
        "gate_approve",
        json!({"over": found.over, "signer": found.signer, "what": found.what, "record": found.record}),
    );
    Ok(Exit::Done)
}

fn explain(select: &Select, a: &GateExplain, screen: &Screen) -> Answer {
    let home = home(select)?;
    let checked = checking::find(&home, a.verdict.as_deref())?;
    let Some(gate) = checked.verdict.gate(&a.gate) else {
        let known: Vec<&str> = checked
            .verdict
            .gates
            .iter()
            .map(|g| g.id.as_str())
            .collect();
        let text = format!("the verdict {} has no gate `{}`", checked.id, a.gate);
        return Err(AppError::new(Reason::ArgumentInvalid, text)
            .hint(format!("its gates: {}", known.join(", "))));
    };
    screen.say(&row(gate, screen));
    screen.say(&format!("  {}", plain(&gate.title)));
    screen.say(&format!(
        "  owner {}, severity {}",
        plain(&gate.owner),
        format!("{:?}", gate.severity).to_lowercase()
    ));
    for obligation in &gate.obligations {
        let word = standing(obligation.standing);
        screen.say(&format!(
            "  {} {}: {}",
            screen.paint(tone(Some(obligation.status)), &format!("{word:<9}")),
            plain(&obligation.id),
            plain(&obligation.required)
        ));
        for told in obligation.reasons.iter().take(TOLD) {
            screen.say(&reason(told));
        }
        for evidence in obligation.evidence.iter().take(TOLD) {
            let record = evidence
                .record
                .map_or_else(String::new, |r| format!("  record {r}"));
            screen.say(&format!(
                "      evidence {} {}{record}",
                plain(&evidence.what),
                evidence.digest
            ));
        }
    }
    for excuse in &gate.excuses {
        screen.say(&format!(
            "  excused by {} {} until {}",
            excuse.kind,
            plain(&excuse.id),
            excuse.expires
        ));
    }
    for note in &gate.notes {
        screen.say(&format!("  note: {}", plain(note)));
    }
    if gate.status > Status::Excused {
        screen.frame(&format!("  {}", plain(&gate.remediation)));
        screen.frame(&format!(
            "  reproduce: {}",
            plain(&gate.reproduce.join(" "))
        ));
    }
    screen.answer("gate_explain", json!({"id": checked.id, "gate": gate}));
    Ok(Exit::Done)
}

fn simulate(select: &Select, a: &GateSimulate, screen: &Screen) -> Answer {
    let home = home(select)?;
    let policy = match &a.policy {
        None => None,
        Some(path) => {
            let path = super::here()?.join(path);
            let text = std::fs::read_to_string(&path);
            Some(text.map_err(|e| AppError::io("read", &path, &e))?)
        }
    };
    let suppose = Suppose {
        at: a.at,
        lane: None,
        without_waivers: a.without_waiver.clone(),
        without_quarantines: a.without_quarantine,
        policy,
    };
    if suppose == Suppose::default() {
        let text =
            "nothing is supposed: give --at, --without-waiver, --without-quarantine or --policy";
        return Err(AppError::new(Reason::ArgumentInvalid, text));
    }
    let mut asked = asked(&a.compared);
    // Nothing is run for a question about what would be.
    asked.run_commands = false;
    let found = checking::simulate(&home, &asked, &suppose)?;
    let word = |status: Option<Status>| status.map_or_else(|| "absent".into(), |s| s.to_string());
    for change in &found.changes {
        screen.say(&format!(
            "  {} {} → {}",
            change.gate_id,
            word(change.from),
            screen.paint(tone(change.to), &word(change.to))
        ));
        for told in change.reasons.iter().take(TOLD) {
            screen.say(&reason(told));
        }
    }
    if found.changes.is_empty() {
        screen.say("no gate would change");
    }
    screen.say(&format!("{} now, {} then", found.from, found.to));
    screen.answer(
        "gate_simulate",
        json!({"from": found.from, "to": found.to, "changes": found.changes}),
    );
    Ok(found.verdict.exit())
}

fn selftest(select: &Select, a: &GateSelftest, screen: &Screen) -> Answer {
    let home = home(select)?;
    let found = checking::selftest(&home, lane(a.lane))?;
    if let Some(why) = &found.void {
        screen.say(&screen.paint(Tone::Bad, &format!("void: {}", plain(why))));
    }
    for case in &found.cases {
        let word = match case.caught {
            true => screen.paint(Tone::Good, "caught    "),
            false => screen.paint(Tone::Bad, "NOT CAUGHT"),
        };
        screen.say(&format!("  {:>2} {word} {}", case.number, case.title));
        if !case.caught
            && let Some(advice) = &case.advice
        {
            screen.say(&format!("                {}", plain(advice)));
        }
    }
    screen.say(&format!("{} of {} caught", found.caught, found.total));
    screen.answer("gate_selftest", json!(found));
    let exit = Exit::ALL.into_iter().find(|e| e.code() == found.exit_code);
    Ok(exit.unwrap_or(Exit::Unjudged))
}

const fn lane(lane: Lane) -> Asking {
    match lane {
        Lane::Preflight => Asking::Preflight,
        Lane::Full => Asking::Full,
        Lane::Certification => Asking::Certification,
    }
}

fn rejudge(select: &Select, a: &GateRejudge, screen: &Screen) -> Answer {
    // Elsewhere there need not be a project; one whose configuration cannot be read could hide its ledger.
    let home = home(select)?;
    let dir = match &a.dir {
        Some(dir) => super::here()?.join(dir),
        None => checking::find(&home, None)?.dir,
    };
    let files = (dir.join("inputs.json"), dir.join("verdict.json"));
    let (verdict, same) = checking::again(&files.0, &files.1)?;
    let record = checking::recorded(&home, &files.0, &files.1)?;
    // What lies where this project keeps a verdict is that verdict.
    let kept = checking::kept(&home, &dir);
    let is_other = kept.is_some() && kept != record;
    let holds = same && !is_other;
    screen.say(match (same, is_other, &record) {
        (false, ..) => "ANOTHER VERDICT: the kept one does not follow from the kept inputs",
        (true, true, _) => "NOT WHAT WAS RECORDED: the files follow from each other, and the ledger has others of this verdict",
        (true, false, Some(_)) => "the same verdict, byte by byte, as the ledger has it",
        (true, false, None) => "the same verdict, byte by byte; no ledger here has it, so who made it is not proven",
    });
    tell(&verdict, screen);
    screen.answer(
        "gate_rejudge",
        json!({"same": same, "recorded": record, "verdict": verdict}),
    );
    Ok(match holds {
        true => verdict.exit(),
        false => Exit::Unjudged,
    })
}

fn policy(screen: &Screen) -> Answer {
    screen.say(gonogo_gate::policy::DEFAULT.trim_end());
    screen.answer("gate_policy", json!({"text": gonogo_gate::policy::DEFAULT}));
    Ok(Exit::Done)
}

/// Says how a verdict stands, and why.
fn tell(verdict: &Verdict, screen: &Screen) {
    let word = verdict.verdict.to_string().to_uppercase();
    let until = verdict
        .expires_at
        .map_or_else(String::new, |at| format!(", until {at}"));
    screen.say(&format!(
        "{} {}  {}{until}",
        screen.paint(tone(Some(verdict.verdict)), &word),
        verdict.gate_id,
        plain(&verdict.tree)
    ));
    if verdict.policy_is_default {
        screen.frame("  by the built-in policy: there is no gates.toml");
    }
    for gate in &verdict.gates {
        screen.say(&row(gate, screen));
        if gate.status > Status::Pass {
            for told in gate.reasons.iter().take(TOLD) {
                screen.say(&reason(told));
            }
            let more = gate.reasons.len().saturating_sub(TOLD) as u64 + gate.reasons_omitted;
            if more > 0 {
                screen.say(&format!("      … and {more} more"));
            }
        }
    }
    for (kind, status, id) in verdict
        .waivers
        .iter()
        .map(|w| ("waiver", w.status, &w.gate_id))
        .chain(
            verdict
                .quarantines
                .iter()
                .map(|q| ("quarantine", q.status, &q.id)),
        )
    {
        if !status.holds() || status.word() == "expiring_soon" {
            let text = format!("  {kind} {}: {}", plain(id), status.word());
            screen.say(&screen.paint(Tone::Wait, &text));
        }
    }
}

fn reason(told: &Told) -> String {
    let about = match (&told.target, &told.test) {
        (Some(target), Some(test)) => format!("{target}: {test}: "),
        (Some(one), None) | (None, Some(one)) => format!("{one}: "),
        (None, None) => String::new(),
    };
    format!("      {} {}{}", told.code, plain(&about), plain(&told.text))
}

fn row(gate: &GateResult, screen: &Screen) -> String {
    let word = match gate.asked {
        WasAsked::Judged => gate.status.to_string(),
        WasAsked::NotReached => "not asked".into(),
        WasAsked::NotDeclared => "none".into(),
    };
    format!(
        "  {} {:<22} {}{}",
        screen.paint(tone(Some(gate.status)), &format!("{word:<9}")),
        gate.id,
        plain(&gate.title),
        if gate.blocking {
            ""
        } else {
            "  (not blocking)"
        }
    )
}

const fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Satisfied => "satisfied",
        Standing::Excused => "excused",
        Standing::Missing => "missing",
        Standing::Stale => "stale",
        Standing::Violated => "violated",
        Standing::Invalid => "invalid",
    }
}
