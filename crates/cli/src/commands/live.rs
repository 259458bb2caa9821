//! Following an operation: one line for each decision as it is recorded, until it ends.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gonogo_app::doors::{OperationRef, OperationShow, OperationShown, operation_shown};
use gonogo_app::driving::Notice;
use gonogo_app::elsewhere::Elsewhere;
use gonogo_app::{AppError, Workspace, driving};
use gonogo_core::clock::{Clock, SystemClock};
use gonogo_core::id::OperationId;
use gonogo_core::{Exit, Reason, Span};
use gonogo_release::machine::{Ending, Terminal};
use gonogo_release::plan::{Gates, Plan, PlanKind, TargetSpec};
use gonogo_release::remote::{Stage, Telling};
use serde_json::{Value, json};

use crate::screen::{Screen, Tone};
use crate::way::Way;

/// A decision that is longer says its reasons on a line of their own.
const WIDTH: usize = 100;
/// How often a follower looks.
const LOOK: Duration = Duration::from_millis(100);
/// How often one looks who asks a server.
const LOOK_THERE: Duration = Duration::from_millis(300);

/// How following ended.
pub enum Seen {
    /// The operation ended.
    Ended(Box<OperationShown>, Terminal),
    /// The time was over, or the follower was interrupted; the operation goes on.
    Left(OperationId),
}

/// Says the plan in the two lines that everything else stands under.
pub fn say_plan(screen: &Screen, plan: &Plan) {
    let body = &plan.body;
    let from = body.from.as_ref().map_or("nothing", |f| f.version.as_str());
    let TargetSpec::Host { listen, .. } = &body.target;
    let title = format!(
        "{} · {} · {from} → {}",
        body.service, body.environment, body.to.version
    );
    screen.frame(&format!(
        "{}  http://{listen}",
        screen.paint(Tone::Strong, &format!("{title:<50}"))
    ));
    let back = match (&body.from, body.kind) {
        (Some(f), _) => format!("back to {}", f.version),
        (None, _) => "back to nothing".into(),
    };
    let kind = if body.kind == PlanKind::Rollback {
        " · rollback"
    } else {
        ""
    };
    screen.frame(&format!(
        "plan      {}  {}…  {} steps{kind}",
        plan.id,
        &plan.fingerprint.to_string()[..18],
        body.steps.len(),
    ));
    screen.frame(&format!(
        "          {back} · gates {} · budget {} from fault to zero",
        match body.gates {
            Gates::None => "none",
            Gates::DryRun { .. } => "dry-run",
            Gates::Verdict { .. } => "verdict",
        },
        body.budget.total.seconds_text(),
    ));
}

/// Follows an operation to its end, or for `timeout`. In the project here this process drives it meanwhile if nobody else does.
///
/// # Errors
/// It cannot be driven, or not be looked at any more; it goes on all the same.
pub fn see_through(
    way: &Way,
    id: &OperationId,
    screen: &Screen,
    timeout: Option<Span>,
) -> Result<Seen, AppError> {
    match way.here() {
        Some(ws) => drive_and_follow(ws, id, screen, timeout),
        None => follow_there(way, id, screen, timeout),
    }
}

/// Whether somebody interrupted this process.
fn interrupts() -> Arc<AtomicBool> {
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // Without the handler an interrupt ends the process; the next one picks the operation up. So a failure is no loss.
        let _ = signal_hook::flag::register(signal, interrupted.clone());
    }
    interrupted
}

fn follow_there(
    way: &Way,
    id: &OperationId,
    screen: &Screen,
    timeout: Option<Span>,
) -> Result<Seen, AppError> {
    let wanted = OperationShow {
        operation: OperationRef(id.to_string()),
    };
    let following = Following {
        timeout,
        interrupted: &interrupts(),
        every: LOOK_THERE,
        stall: &Stall::default(),
        driver_gone: &|| false,
    };
    let seen = follow(&|| Ok(way.ask(&wanted)?.data), id, screen, &following)?;
    if let Seen::Left(id) = &seen {
        screen.talk(&format!(
            "left; {id} goes on by itself · follow it with `gonogo watch {id}`"
        ));
    }
    Ok(seen)
}

/// Drives an operation in this process if nobody else does, and follows it.
pub fn drive_and_follow(
    ws: &Arc<Workspace>,
    id: &OperationId,
    screen: &Screen,
    timeout: Option<Span>,
) -> Result<Seen, AppError> {
    let stop = Arc::new(AtomicBool::new(false));
    let interrupted = interrupts();
    let stall = Stall::default();
    let driver = {
        let (ws, id, stop, stall) = (ws.clone(), id.clone(), stop.clone(), stall.clone());
        std::thread::spawn(move || drive(&ws, &id, stop, &stall))
    };
    let look = || operation_shown(ws, ws.store.operation(id)?);
    let following = Following {
        timeout,
        interrupted: &interrupted,
        every: LOOK,
        stall: &stall,
        driver_gone: &|| driver.is_finished(),
    };
    let seen = follow(&look, id, screen, &following);
    stop.store(true, Ordering::Relaxed);
    let driven = driver
        .join()
        .unwrap_or_else(|_| Err(AppError::new(Reason::Internal, "the controller panicked")));
    match (seen, driven) {
        (Ok(Seen::Left(id)), _) => {
            driving::spawn(ws, &id)?;
            screen.talk(&format!(
                "left; {id} goes on by itself · follow it with `gonogo watch {id}`"
            ));
            Ok(Seen::Left(id))
        }
        (Ok(ended), Ok(())) => Ok(ended),
        (_, Err(e)) | (Err(e), _) => Err(e),
    }
}

/// What keeps the operation from advancing, as the controller of this process last said.
#[derive(Clone, Default)]
pub struct Stall(Arc<Mutex<Option<String>>>);

impl Stall {
    /// Takes up what the controller says.
    pub fn note(&self, notice: &Notice<'_>) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match notice {
            Notice::Stalled { reason, text, .. } => {
                *now = Some(format!("  waiting, {reason}: {text}"))
            }
            Notice::Recovered => *now = None,
            _ => {}
        }
    }

    fn text(&self) -> Option<String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// Drives until the operation ends; waits where another controller does.
fn drive(
    ws: &Workspace,
    id: &OperationId,
    stop: Arc<AtomicBool>,
    stall: &Stall,
) -> Result<(), AppError> {
    loop {
        match driving::drive(ws, id, stop.clone(), &|p| stall.note(&p.notice)) {
            Ok(_) => return Ok(()),
            Err(e) if matches!(e.reason, Reason::LeaseHeld | Reason::LeaseLost) => {
                if stop.load(Ordering::Relaxed) || ws.store.operation(id)?.terminal.is_some() {
                    return Ok(());
                }
                std::thread::sleep(LOOK);
            }
            Err(e) => return Err(e),
        }
    }
}

/// How somebody follows.
struct Following<'a> {
    timeout: Option<Span>,
    interrupted: &'a AtomicBool,
    every: Duration,
    /// What keeps it from advancing, where this process drives it.
    stall: &'a Stall,
    /// Whether the controller of this process has ended.
    driver_gone: &'a dyn Fn() -> bool,
}

fn follow(
    look: &dyn Fn() -> Result<OperationShown, AppError>,
    id: &OperationId,
    screen: &Screen,
    how: &Following<'_>,
) -> Result<Seen, AppError> {
    let clock = SystemClock::default();
    let began = clock.now().mono_ms;
    let mut told = 0;
    let mut waiting: Option<String> = None;
    loop {
        let gone = (how.driver_gone)();
        let shown = look()?;
        for decision in shown.decisions.iter().skip(told) {
            if let Some(line) = line(screen, &shown.plan, &decision.body) {
                screen.frame(&line);
            }
        }
        told = shown.decisions.len();
        if let Some(terminal) = shown.terminal.clone() {
            return Ok(Seen::Ended(Box::new(shown), terminal));
        }
        let now = how.stall.text().or_else(|| wait_text(&shown));
        if now != waiting {
            if let Some(text) = &now {
                screen.talk(&screen.paint(Tone::Wait, text));
            }
            waiting = now;
        }
        let waited = clock.now().mono_ms.saturating_sub(began);
        let over = how.timeout.is_some_and(|t| waited >= t.as_millis());
        if over || how.interrupted.load(Ordering::Relaxed) {
            return Ok(Seen::Left(id.clone()));
        }
        if gone {
            // The controller ended without ending the operation; its error says why.
            return Ok(Seen::Left(id.clone()));
        }
        std::thread::sleep(how.every);
    }
}

/// What it waits for that no decision line says: an act whose outcome is long in coming.
fn wait_text(view: &OperationShown) -> Option<String> {
    if let Some(there) = &view.operation.elsewhere {
        return Some(format!("  waiting for {}", upstream(there)));
    }
    let act = view.progress.as_ref()?.get("in_flight")?.as_array()?;
    let key = act.first()?.as_str()?;
    if key.contains("/probe/") || view.progress.as_ref()?.get("phase")?.as_str()? == "deploy" {
        let version = &view.plan.body.to.version;
        // Operation, step, verb and object, as in `op_…/3/start/a`.
        let what = match key.split('/').nth(2) {
            _ if key.contains("/probe/") => "an answer to what became of the last call".into(),
            Some("start") => format!("{version} to start and be ready"),
            Some(verb) => format!("the answer to `{verb}`"),
            None => format!("`{key}`"),
        };
        return Some(format!("  waiting for {what}"));
    }
    None
}

/// Where an operation stands with the workflow service that carries it out.
pub fn upstream(there: &Elsewhere) -> String {
    let who = format!("`{}` at {}", there.workflow_name, there.status_url);
    let stands = match there.stage {
        Stage::Waiting | Stage::Sending => format!("{who} to take it"),
        Stage::InDoubt => {
            format!("{who} to say whether it took it; it is not sent again by itself")
        }
        Stage::Held => format!("the same request again: {who} did not take it"),
        Stage::Taken | Stage::Ended => match &there.cancel {
            Some(cancel) if cancel.telling == Telling::Refused => format!(
                "{who}, which does not end it as {} asked: {}",
                cancel.by,
                cancel.text.as_deref().unwrap_or_default()
            ),
            Some(cancel) => format!("{who}, asked by {} to end it", cancel.by),
            None => who,
        },
    };
    match &there.trouble {
        Some(t) => format!("{stands} · {} since {}: {}", t.reason, t.since, t.message),
        None => stands,
    }
}

/// One decision in one line.
pub fn line(screen: &Screen, plan: &Plan, decision: &Value) -> Option<String> {
    let text = |v: &Value, k: &str| {
        v.get(k)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let verdict = text(decision, "verdict");
    let phase = text(decision, "phase");
    let reasons: Vec<&str> = decision
        .get("reasons")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let first = reasons.first().copied().unwrap_or_default();
    let none = Value::Null;
    let numbers = decision.get("numbers").unwrap_or(&none);
    let name = match (
        phase.as_str(),
        decision.get("weight").and_then(Value::as_str),
    ) {
        ("rolling-back", _) => "back".into(),
        (_, Some(weight)) => weight.replace('%', " %"),
        (phase, None) => phase.to_owned(),
    };
    let tone = match verdict.as_str() {
        "pass" => Tone::Good,
        "hold" | "excused" => Tone::Wait,
        _ => Tone::Bad,
    };
    let detail = match first {
        "GATES_NONE" => return None,
        "SERVED_ZERO" => zero_text(numbers),
        "DRAIN_CUT" => format!(
            "{} {}",
            thousands(numbers.get("cut").and_then(Value::as_u64).unwrap_or(0)),
            text(numbers, "text")
        ),
        "CANCELLED" | "FROZEN" => format!("{} {}", text(numbers, "by"), text(numbers, "why")),
        _ if numbers.get("canary").is_some() => counts_text(plan, numbers),
        _ => text(numbers, "text"),
    };
    // A crashed version's last words may be many lines; the table keeps the first.
    let mut lines = detail.lines();
    let detail = lines.next().unwrap_or_default().to_owned();
    let rest: String = lines
        .filter(|l| !l.trim().is_empty())
        .map(|l| format!("\n{:11}│ {l}", ""))
        .collect();
    let waits = match (
        verdict.as_str(),
        numbers.get("needed").and_then(Value::as_u64),
    ) {
        // A number that nobody waits for says less than none.
        ("hold", Some(n)) if n < 100_000 => format!(" · {} more requests", thousands(n)),
        _ => String::new(),
    };
    let why = format!("{}{waits}", reasons.join(", "));
    let plain = format!("{name:>9}  {detail:<60} {verdict:<5}");
    let painted = screen.paint(tone, &format!("{verdict:<5}"));
    let gap = if plain.chars().count() + 2 + why.chars().count() > WIDTH {
        format!("\n{:11}", "")
    } else {
        "  ".into()
    };
    Some(format!("{name:>9}  {detail:<60} {painted}{gap}{why}{rest}"))
}

fn zero_text(numbers: &Value) -> String {
    let n = |k: &str| numbers.get(k).and_then(Value::as_u64).unwrap_or(0);
    format!(
        "serves nothing, measured {} ms after the decision · it served {} requests, {} badly",
        n("since_decision_ms"),
        thousands(n("served")),
        thousands(n("errors")),
    )
}

fn counts_text(plan: &Plan, numbers: &Value) -> String {
    let n = |side: &str, k: &str| {
        numbers
            .get(side)
            .and_then(|s| s.get(k))
            .and_then(Value::as_u64)
            .unwrap_or(0)
    };
    let window = n("since_write", "routed") + n("since_write", "others");
    let share = numbers
        .get("served")
        .and_then(|s| s.get("share"))
        .and_then(Value::as_str);
    let share = share
        .and_then(|s| s.parse::<f64>().ok())
        .filter(|_| window > 0);
    let served = share.map_or(String::new(), |s| format!("served {:.1} %  ", s * 100.0));
    let p99 = |side: &str| format!("{:.0}", n(side, "p99_us") as f64 / 1000.0);
    if numbers.get("stable").is_none() {
        let requests = format!(
            "{} requests of {}",
            thousands(n("canary", "requests")),
            plan.body.to.version
        );
        return format!(
            "{served}{requests}  errors {}  slow {}",
            n("canary", "errors"),
            n("canary", "slow")
        );
    }
    let requests = format!(
        "{} canary / {} stable",
        thousands(n("canary", "requests")),
        thousands(n("stable", "requests"))
    );
    let mut text = format!(
        "{served}{requests}  errors {} vs {}",
        n("canary", "errors"),
        n("stable", "errors")
    );
    if n("canary", "slow") + n("stable", "slow") > 0 {
        let slow = format!(
            "  slow {} vs {} (p99 since start {} vs {} ms)",
            n("canary", "slow"),
            n("stable", "slow"),
            p99("canary"),
            p99("stable")
        );
        text.push_str(&slow);
    }
    text
}

/// Writes a number with thousands apart: `7,713`.
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// Says how following ended and returns the exit code; `more` is what else the use case's schema has.
pub fn finish(screen: &Screen, use_case: &str, seen: Seen, more: &Value) -> Result<Exit, AppError> {
    match seen {
        Seen::Left(id) => {
            let data = json!({"operationId": id, "status": "running"});
            screen.answer(use_case, with(data, more));
            if !screen.json {
                screen.say(&format!(
                    "running   {id} · follow it with `gonogo watch {id}`"
                ));
            }
            Ok(Exit::Running)
        }
        Seen::Ended(shown, terminal) => {
            say_end(screen, &shown, &terminal);
            let data = json!({
                "operationId": shown.operation.operation_id,
                "operation": shown.operation,
                "status": terminal.result.name(),
                "result": terminal.result.name(),
                "reasonCodes": terminal.reasons,
                "text": terminal.text,
                "packet": shown.packet,
                "logKey": shown.log_key,
            });
            screen.answer(use_case, with(data, more));
            Ok(driving::exit_of(&terminal))
        }
    }
}

/// An answer with `more`, which comes first where both have a key.
pub fn with(mut data: Value, more: &Value) -> Value {
    for (key, value) in more.as_object().into_iter().flatten() {
        data[key] = value.clone();
    }
    data
}

pub fn say_end(screen: &Screen, shown: &OperationShown, terminal: &Terminal) {
    let operation = &shown.operation;
    let took = operation.updated_at.since(operation.started_at);
    let took = took.seconds_text();
    let tone = if terminal.result == Ending::Promoted {
        Tone::Good
    } else {
        Tone::Bad
    };
    let to = &shown.plan.body.to.version;
    let word = match (shown.plan.body.kind, terminal.result) {
        (PlanKind::Rollback, Ending::Promoted) => format!("rolled back to {to}"),
        (PlanKind::Rollback, Ending::RolledBack) => "rollback failed, all as before".into(),
        (_, result) => result.name().replace('_', " "),
    };
    let newest = |name: &str| {
        let mut told = shown.decisions.iter().rev();
        told.find_map(|d| d.body.get("numbers")?.get(name)?.as_u64())
    };
    let mut lost = newest("lost").map_or(String::new(), |n| {
        let s = if n == 1 { "" } else { "s" };
        format!(" · {} request{s} lost", thousands(n))
    });
    if let Some(cut) = newest("cut") {
        lost.push_str(&format!(" · {} cut at the drain", thousands(cut)));
    }
    if newest("counter_restarts").is_some() {
        lost.push_str(" · the agent was away for a while, when nobody counted");
    }
    screen.say(&format!("{} in {took}{lost}", screen.paint(tone, &word)));
    if terminal.result != Ending::Promoted {
        let codes: Vec<&str> = terminal.reasons.iter().map(|r| r.code()).collect();
        screen.say(&format!("          because {}", terminal.text));
        screen.say(&format!("          {}", codes.join(", ")));
    }
    let Some(path) = shown.packet.as_deref().map(Path::new) else {
        return;
    };
    // What a workflow service decided cannot be decided again from records here.
    let replay = match &operation.elsewhere {
        None => "--replay ",
        Some(_) => "",
    };
    let key = &shown.log_key;
    if screen.is_there() {
        screen.say(&format!(
            "          packet {} on the server's machine",
            path.display()
        ));
        screen.frame(&format!(
            "          check it anywhere, once it is there:  gonogo verify FILE {replay}--log-key '{key}'"
        ));
        return;
    }
    let here = std::env::current_dir().ok();
    let path = here
        .as_deref()
        .and_then(|h| path.strip_prefix(h).ok())
        .unwrap_or(path)
        .display();
    screen.say(&format!("          packet {path}"));
    screen.frame(&format!(
        "          check it anywhere:  gonogo verify {path} {replay}--log-key '{key}'"
    ));
}
