//! `status` and `history`.

use gonogo_app::following::{self, EnvironmentView, OperationView};
use gonogo_core::{Exit, Reason};
use gonogo_release::plan::PlanKind;
use serde_json::json;

use super::{Answer, live, open};
use crate::args::{self, Select};
use crate::screen::{Screen, Tone};

pub fn status(select: &Select, a: &args::Status, screen: &Screen) -> Answer {
    let ws = open(select, screen, true)?;
    if let Some(prefix) = &a.operation {
        let view = following::operation(&ws, prefix)?;
        say_operation(screen, &view);
        screen.answer("operation_get", json!(view));
        let ended = view.terminal.as_ref().map(gonogo_app::driving::exit_of);
        return Ok(ended.unwrap_or(Exit::Running));
    }
    let views = following::environments(&ws, a.env.as_deref())?;
    for view in &views {
        say_environment(screen, &ws.config.service, view);
    }
    screen.answer(
        "operation_get",
        json!({"service": ws.config.service, "environments": views}),
    );
    let blind = views.iter().any(|v| v.observed.is_none());
    Ok(if blind { Exit::Unjudged } else { Exit::Done })
}

fn say_environment(screen: &Screen, service: &str, view: &EnvironmentView) {
    screen.say(&screen.paint(Tone::Strong, &format!("{service} · {}", view.name)));
    match (&view.observed, &view.unreachable) {
        (Some(observed), _) if observed.slots.is_empty() => screen.say("  serves    nothing"),
        (Some(observed), _) => {
            for slot in &observed.slots {
                let ready = if slot.ready { "ready" } else { "not ready" };
                screen.say(&format!(
                    "  slot {}    {}  {}.{:02} %  {ready}  {}",
                    slot.slot,
                    slot.version,
                    slot.weight / 100,
                    slot.weight % 100,
                    slot.content
                ));
            }
        }
        (None, Some(why)) => screen.say(&format!(
            "  {}",
            screen.paint(Tone::Bad, &format!("not known: {why}"))
        )),
        (None, None) => screen.say("  not known"),
    }
    if let Some(version) = &view.known_good {
        screen.say(&format!("  known-good {version}"));
    }
    match &view.open {
        Some(id) => screen.say(&format!("  running   {id} · `gonogo watch {id}`")),
        None => {
            let command = if view.own_approval { "release" } else { "plan" };
            screen.say(&format!(
                "  next      gonogo {command} --env {} --to VERSION",
                view.name
            ));
        }
    }
    if let Some(left) = view.short_of_space {
        let text = format!(
            "  {}: {} KiB left beside the project's state; nothing can be recorded until there is space",
            Reason::StoreFull,
            left >> 10
        );
        screen.say(&screen.paint(Tone::Bad, &text));
    }
}

fn say_operation(screen: &Screen, view: &OperationView) {
    live::say_plan(screen, &view.plan);
    for decision in &view.decisions {
        if let Some(line) = live::line(screen, &view.plan, &decision.body) {
            screen.say(&line);
        }
    }
    match (&view.terminal, &view.progress) {
        (Some(terminal), _) => {
            let codes: Vec<&str> = terminal.reasons.iter().map(|r| r.code()).collect();
            screen.say(&format!(
                "{}   {}",
                terminal.result.name().replace('_', " "),
                terminal.text
            ));
            screen.say(&format!("          {}", codes.join(", ")));
        }
        (None, progress) => {
            let driven = if view.driven {
                ""
            } else {
                " · no controller drives it"
            };
            screen.say(&format!("running   phase {}{driven}", view.phase.name()));
            if let Some(until) = progress
                .as_ref()
                .and_then(|p| p.get("until"))
                .and_then(|u| u.as_str())
            {
                screen.say(&format!("          this step until {until}"));
            }
            if let Some(left) = view.short_of_space {
                let left = left >> 10;
                let text = format!(
                    "          waiting, {}: {left} KiB left beside the project's state; free space and it goes on",
                    Reason::StoreFull
                );
                screen.say(&screen.paint(Tone::Wait, &text));
            }
            screen.say(&format!("next      gonogo watch {}", view.id));
        }
    }
}

pub fn history(select: &Select, a: &args::History, screen: &Screen) -> Answer {
    let ws = open(select, screen, true)?;
    let lines = following::history(&ws, a.env.as_deref(), a.limit)?;
    if lines.is_empty() {
        screen.say("no operation yet · begin with `gonogo release --to VERSION`");
    }
    for l in &lines {
        let from = l.from.as_deref().unwrap_or("nothing");
        let result = l
            .result
            .map_or(format!("running ({})", l.phase.name()), |r| {
                r.replace('_', " ")
            });
        let back = match l.kind {
            PlanKind::Rollback => " (rollback)",
            PlanKind::Release => "",
        };
        let took = l.updated_at.since(l.submitted_at).seconds_text();
        let codes: Vec<&str> = l.reasons.iter().map(|r| r.code()).collect();
        screen.say(&format!(
            "{}  {}  {:<12} {from} → {}{back}  {result} in {took}  by {}  {}",
            l.submitted_at,
            l.id,
            l.environment,
            l.to,
            l.requester,
            codes.join(", ")
        ));
    }
    screen.answer("operation_list", json!({ "operations": lines }));
    Ok(Exit::Done)
}
