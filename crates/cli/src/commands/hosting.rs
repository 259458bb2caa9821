//! `agent`, `controller`, `key`.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use gonogo_app::driving::{Notice, Progress};
use gonogo_app::{driving, hosting, identity};
use gonogo_core::{Exit, Reason};
use serde_json::json;

use super::{Answer, open_quietly};
use crate::args::{self, KeyWhat, Select};
use crate::screen::Screen;

pub fn agent(select: &Select, a: &args::Agent, screen: &Screen) -> Answer {
    let ws = open_quietly(select)?;
    let environment = ws.config.environment(a.env.as_deref())?;
    if a.stop {
        hosting::stop_agent(&ws, environment, a.with_services)?;
        let what = if a.with_services {
            "the agent and its services have ended"
        } else {
            "the agent has ended; its services go on"
        };
        screen.say(what);
        screen.answer("agent_run", json!({"status": "stopped", "services": if a.with_services { "stopped" } else { "running" }}));
        return Ok(Exit::Done);
    }
    let gonogo_release::plan::TargetSpec::Host { listen, .. } = &environment.target;
    hosting::run_agent(&ws, environment, || {
        screen.talk(&format!(
            "agent of `{}` on http://{listen} · end it with Ctrl-C; services go on",
            environment.name
        ));
    })?;
    screen.answer("agent_run", json!({"status": "stopped"}));
    Ok(Exit::Done)
}

/// Drives one operation to its end. Another live controller is no failure: it does the work.
pub fn controller(select: &Select, a: &args::Controller, screen: &Screen) -> Answer {
    let mut ws = open_quietly(select)?;
    ws.tracer = super::telling::tracer(&ws.config, screen);
    let known = gonogo_app::following::find(&ws, &a.operation)?;
    let stop = Arc::new(AtomicBool::new(false));
    // Nobody follows: what it waits for goes to the log.
    let see = |p: &Progress<'_>| {
        if let Notice::Stalled { reason, text, .. } = &p.notice {
            screen.talk(&format!("{}: waiting, {reason}: {text}", known.id));
        }
    };
    match driving::drive(&ws, &known.id, stop, &see) {
        Ok(Some(terminal)) => {
            screen.answer(
                "controller_run",
                json!({"operationId": known.id, "status": terminal.result.name()}),
            );
            Ok(driving::exit_of(&terminal))
        }
        Ok(None) => Ok(Exit::Running),
        Err(e) if matches!(e.reason, Reason::LeaseHeld | Reason::LeaseLost) => Ok(Exit::Running),
        Err(e) => Err(e),
    }
}

pub fn key(select: &Select, a: &args::Key, screen: &Screen) -> (&'static str, Answer) {
    match &a.what {
        KeyWhat::New { out } => (
            "key_create",
            identity::create_key(out).and_then(|()| show(select, out, screen, "key_create")),
        ),
        KeyWhat::Show { file } => ("key_show", show(select, file, screen, "key_show")),
    }
}

fn show(select: &Select, file: &std::path::Path, screen: &Screen, use_case: &str) -> Answer {
    let key = identity::read_key(file)?;
    let id = key.public().id().to_string();
    screen.say(&id);
    let name = select.name.as_deref().unwrap_or("NAME");
    screen.talk(&format!(
        "in gonogo.toml: approvers = [{{ id = \"{name}\", role = \"ROLE\", key = \"{id}\" }}], or requesters = [{{ id = \"{name}\", key = \"{id}\" }}]"
    ));
    screen.answer(use_case, json!({"file": file, "key": id}));
    Ok(Exit::Done)
}
