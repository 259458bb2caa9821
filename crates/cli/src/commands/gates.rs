//! `gates …`, `slo …`.

use std::path::Path;

use gonogo_app::boards::{self, Dashboard, RowStatus};
use gonogo_app::doors::{GatesDashboard, SloReport, Window};
use gonogo_app::slo::{self, Kept, SloReported, told};
use gonogo_app::workspace::write_report;
use gonogo_app::{AppError, boards::BoardDecision};
use gonogo_core::{Exit, Reason};
use serde_json::json;

use super::{Answer, open, way};
use crate::args::Select;
use crate::args::gates::{GatesArgs, GatesWhat, SloArgs, SloWhat};
use crate::screen::{Screen, Tone};

pub fn gates(select: &Select, a: &GatesArgs, screen: &Screen) -> (&'static str, Answer) {
    match &a.what {
        GatesWhat::Init => ("gates_init", init(select, screen)),
        GatesWhat::Dashboard { markdown, out } => (
            "gates_dashboard",
            dashboard(select, *markdown, out.as_deref(), screen),
        ),
        GatesWhat::Check => ("gates_check", check(select, screen)),
        GatesWhat::SignOff { gate, note } => (
            "gates_sign_off",
            sign_off(select, gate, note.as_deref(), screen),
        ),
    }
}

fn here_alone(select: &Select) -> Result<(), AppError> {
    super::of_this_machine(select)
}

fn init(select: &Select, screen: &Screen) -> Answer {
    here_alone(select)?;
    let path = boards::init(&open(select, screen, false)?)?;
    screen.say(&format!("written: {}", path.display()));
    screen.frame("name the owners, then look: `gonogo gates dashboard`");
    screen.answer("gates_init", json!({"path": path}));
    Ok(Exit::Done)
}

fn looked(select: &Select, screen: &Screen) -> Result<Dashboard, AppError> {
    Ok(way(select, screen, false)?.ask(&GatesDashboard {})?.data)
}

fn dashboard(select: &Select, markdown: bool, out: Option<&Path>, screen: &Screen) -> Answer {
    let board = looked(select, screen)?;
    if let Some(path) = out {
        write_report(path, boards::markdown(&board).as_bytes())?;
    }
    match markdown {
        true => screen.say(boards::markdown(&board).trim_end()),
        false => table(&board, screen),
    }
    screen.answer("gates_dashboard", json!(board));
    Ok(Exit::Done)
}

fn check(select: &Select, screen: &Screen) -> Answer {
    let board = looked(select, screen)?;
    table(&board, screen);
    screen.answer("gates_check", json!(board));
    Ok(board.decision.exit())
}

fn table(board: &Dashboard, screen: &Screen) {
    let wide = |text: fn(&boards::DashboardRow) -> &str| {
        let all = board.rows.iter().map(|r| text(r).chars().count());
        all.max().unwrap_or(0)
    };
    let (gate, owner) = (wide(|r| &r.gate), wide(|r| &r.owner));
    for row in &board.rows {
        let tone = match row.status {
            RowStatus::Pass => Tone::Good,
            RowStatus::Fail | RowStatus::Blocked => Tone::Bad,
            RowStatus::OnTrack | RowStatus::AtRisk => Tone::Wait,
        };
        let status = screen.paint(tone, &format!("{:<8}", row.status.word()));
        screen.say(&format!(
            "{status}  {:<gate$}  phase {}  {:<owner$}  {}  {}",
            row.gate,
            row.phase,
            row.owner,
            row.evidence_path.as_deref().unwrap_or("no evidence"),
            row.age.as_deref().unwrap_or("")
        ));
        if row.status != RowStatus::Pass {
            screen.frame(&format!("          must hold: {}", row.pass_condition));
            screen.frame(&format!("          if not:    {}", row.blocker_if_fail));
        }
        for why in &row.why {
            screen.say(&format!("          {why}"));
        }
        if !row.signed_off.is_empty() {
            screen.frame(&format!(
                "          signed off by {}",
                row.signed_off.join(", ")
            ));
        }
    }
    let count = |status| board.rows.iter().filter(|r| r.status == status).count();
    let tone = match board.decision {
        BoardDecision::Go => Tone::Good,
        BoardDecision::NoGo => Tone::Bad,
        BoardDecision::Conditional | BoardDecision::Undecided => Tone::Wait,
    };
    screen.say(&format!(
        "{}: {} pass, {} fail, {} blocked, {} at risk, {} not due, of {}",
        screen.paint(tone, board.decision.word()),
        count(RowStatus::Pass),
        count(RowStatus::Fail),
        count(RowStatus::Blocked),
        count(RowStatus::AtRisk),
        count(RowStatus::OnTrack),
        board.rows.len()
    ));
}

fn sign_off(select: &Select, gate: &str, note: Option<&str>, screen: &Screen) -> Answer {
    here_alone(select)?;
    let ws = open(select, screen, false)?;
    let signed = boards::sign_off(&ws, gate, note)?;
    let what = match signed.fresh {
        true => "signed off",
        false => "was signed off already",
    };
    screen.say(&format!(
        "`{}` {what} by {}: record {}, over record {}",
        signed.gate, signed.by, signed.record, signed.evidence
    ));
    screen.frame("newer evidence, or another condition, asks for another sign-off");
    screen.answer("gates_sign_off", json!(signed));
    Ok(Exit::Done)
}

pub fn slo(select: &Select, a: &SloArgs, screen: &Screen) -> (&'static str, Answer) {
    let SloWhat::Report { since, record } = &a.what;
    (
        "slo_report",
        report(select, since.as_deref(), *record, screen),
    )
}

fn report(select: &Select, since: Option<&str>, record: bool, screen: &Screen) -> Answer {
    let way = way(select, screen, false)?;
    if record && way.here().is_none() {
        let text = "a server's report is kept on its own machine";
        return Err(AppError::new(Reason::ArgumentInvalid, text)
            .hint("run `gonogo slo report --record` on the server's machine, without --server"));
    }
    let wanted = SloReport {
        window: since.map(|s| Window(s.to_owned())),
    };
    let answered = way.ask(&wanted)?;
    let report = answered.data;
    say(&report, screen);
    let mut data = json!(report);
    if record && let Some(ws) = way.here() {
        let index = slo::record(ws, &report)?;
        screen.say(&format!("recorded: {}#{index}", slo::STREAM));
        data["record"] = json!(index);
    }
    screen.answer("slo_report", data);
    Ok(answered.exit)
}

fn say(report: &SloReported, screen: &Screen) {
    screen.say(&format!(
        "{} to {}: {} calls",
        report.from, report.to, report.calls
    ));
    for row in &report.objectives {
        let tone = match row.result {
            Kept::Met => Tone::Good,
            Kept::Missed => Tone::Bad,
            Kept::NoData => Tone::Wait,
        };
        let looser = match row.looser {
            true => " (looser than the contract)",
            false => "",
        };
        screen.say(&format!(
            "{}  {:<13} {} of {} calls; promised {}{looser}{}{}",
            screen.paint(tone, &format!("{:<7}", row.result.word())),
            row.objective,
            row.observed.map_or("-".to_owned(), |n| told(row.unit, n)),
            row.samples,
            told(row.unit, row.target),
            if row.why.is_empty() { "" } else { ": " },
            row.why
        ));
    }
    for tool in &report.tools {
        let time =
            |n: Option<u64>| n.map_or("-".to_owned(), |n| told(gonogo_app::slo::Unit::Micros, n));
        let ended: Vec<String> = tool.ended.iter().map(|(c, n)| format!("{n} {c}")).collect();
        screen.frame(&format!(
            "  {:<18} p50 {:>8}  p95 {:>8}  p99 {:>8}  max {:>8}  {}",
            tool.tool,
            time(tool.p50),
            time(tool.p95),
            time(tool.p99),
            time(tool.longest),
            ended.join(", ")
        ));
    }
    screen.say(report.result.word());
}
