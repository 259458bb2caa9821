//! `status` and `history`.

use gonogo_app::doors::{
    EnvironmentStatus, OperationList, OperationRef, OperationShow, OperationShown, StatusGet,
};
use gonogo_app::elsewhere::LastSaid;
use gonogo_core::{Exit, Reason};
use gonogo_release::remote::Stage;
use serde_json::json;

use super::{Answer, controls, live, ops, way};
use crate::args::{self, Select};
use crate::screen::{Screen, Tone};

pub fn status(select: &Select, a: &args::Status, screen: &Screen) -> Answer {
    let way = way(select, screen, true)?;
    if let Some(prefix) = &a.operation {
        let wanted = OperationShow {
            operation: OperationRef(prefix.clone()),
        };
        let answered = way.ask(&wanted)?;
        say_operation(screen, &answered.data);
        screen.answer("operation_show", json!(answered.data));
        return Ok(answered.exit);
    }
    let answered = way.ask(&StatusGet {
        environment: a.env.clone().map(Into::into),
    })?;
    for view in &answered.data.environments {
        say_environment(screen, &answered.data.service, view);
    }
    screen.answer("status_get", json!(answered.data));
    Ok(answered.exit)
}

fn say_environment(screen: &Screen, service: &str, view: &EnvironmentStatus) {
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
        (None, None) if view.last_said.is_some() => {
            if let Some(said) = &view.last_said {
                say_last_word(screen, said);
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
    for incident in &view.incidents {
        super::approval::say_incident(screen, incident);
    }
    for one in &view.freezes {
        screen.say(&format!("  {}", controls::active_line(screen, one)));
    }
    if let Some(pin) = &view.pin {
        screen.say(&format!("  {}", controls::pin_line(pin)));
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

/// What a workflow service said last, as its word.
fn say_last_word(screen: &Screen, said: &LastSaid) {
    let (Some(at), Some(of)) = (said.at, &said.operation) else {
        screen.say("  not seen  only the workflow service sees this target, and no operation has ended there yet");
        return;
    };
    screen.say(&screen.paint(
        Tone::Wait,
        &format!("  not seen  the workflow service's last word, of {of} at {at}; it may have changed since"),
    ));
    if said.unknown {
        screen.say(&screen.paint(
            Tone::Bad,
            "  not known that operation ended without a word about what it left",
        ));
    } else if said.slots.is_empty() {
        screen.say("  said      nothing serves");
    }
    for slot in &said.slots {
        screen.say(&format!(
            "  said      slot {}  {}  {}.{:02} %  {}",
            slot.slot,
            slot.version,
            slot.weight / 100,
            slot.weight % 100,
            slot.content
        ));
    }
}

pub fn say_operation(screen: &Screen, shown: &OperationShown) {
    live::say_plan(screen, &shown.plan);
    for decision in &shown.decisions {
        if let Some(line) = live::line(screen, &shown.plan, &decision.body) {
            screen.say(&line);
        }
    }
    if let Some(terminal) = &shown.terminal {
        let codes: Vec<&str> = terminal.reasons.iter().map(|r| r.code()).collect();
        screen.say(&format!(
            "{}   {}",
            terminal.result.name().replace('_', " "),
            terminal.text
        ));
        screen.say(&format!("          {}", codes.join(", ")));
        return;
    }
    let phase = shown.operation.phase.name();
    // Held: the service did not take it, and nobody is meant to drive it.
    let held = |there: &gonogo_app::elsewhere::Elsewhere| there.stage == Stage::Held;
    let held = shown.operation.elsewhere.as_ref().is_some_and(held);
    screen.say(&match (shown.driven, held) {
        (true, _) => format!("running   phase {phase}"),
        (false, true) => format!("held      phase {phase} · it waits for the same request again"),
        (false, false) => format!("stands    phase {phase} · no controller drives it"),
    });
    if let Some(there) = &shown.operation.elsewhere {
        screen.say(&format!("          waiting for {}", live::upstream(there)));
    }
    let until = shown.progress.as_ref().and_then(|p| p.get("until"));
    if let Some(until) = until.and_then(|u| u.as_str()) {
        screen.say(&format!("          this step until {until}"));
    }
    if let Some(left) = shown.short_of_space {
        let left = left >> 10;
        let text = format!(
            "          waiting, {}: {left} KiB left beside the project's state; free space and it goes on",
            Reason::StoreFull
        );
        screen.say(&screen.paint(Tone::Wait, &text));
    }
    let next = match shown.driven {
        true => "watch",
        false => "ops resume",
    };
    screen.say(&format!(
        "next      gonogo {next} {}",
        shown.operation.operation_id
    ));
}

/// The same list as `ops list`, under the name that people look for first.
pub fn history(select: &Select, a: &args::History, screen: &Screen) -> Answer {
    let wanted = OperationList {
        environment: a.env.clone().map(Into::into),
        ..OperationList::default()
    };
    let (operations, _) = ops::pages(&way(select, screen, true)?, &wanted, a.limit)?;
    ops::say_list(screen, &operations, &wanted);
    let lines = operations.iter().map(|doc| {
        let mut line = json!(doc);
        // Names that these had before the registry's.
        line["id"] = json!(doc.operation_id);
        line["submittedAt"] = json!(doc.started_at);
        line["result"] = json!(doc.result);
        line
    });
    screen.answer(
        "operation_list",
        json!({"operations": lines.collect::<Vec<_>>()}),
    );
    Ok(Exit::Done)
}
