//! `mcp`: the registry's tools for an agent on standard input and output.

use std::sync::Arc;

use gonogo_app::AppError;
use gonogo_app::access::{Principal, Role, tokens};
use gonogo_app::identity::caller_name;
use gonogo_app::project::Project;
use gonogo_core::clock::SystemClock;
use gonogo_core::{Exit, Reason};
use gonogo_server::mcp::{Behind, Speaker, speak};

use super::{Answer, here, memory, overrides, server};
use crate::args::Select;
use crate::args::mcp::McpArgs;
use crate::screen::{Screen, Tone};

/// The agent's name where it has none of its own.
const AGENT: &str = "agent";

pub fn mcp(select: &Select, a: &McpArgs, screen: &Screen) -> Answer {
    let person = match &a.acts_for {
        Some(person) => person.clone(),
        None => caller_name(select.name.as_deref())?,
    };
    let name = a.agent.clone().unwrap_or_else(|| AGENT.into());
    let role: Role = a.role.as_deref().unwrap_or("operator").parse()?;
    let principal = Principal::agent(name, person, role)?;
    let behind = match server(select, false)? {
        Some(server) => {
            if a.agent.is_some() || a.acts_for.is_some() || a.role.is_some() || a.allow_apply {
                let text = "with a server, its token says who the agent is and what it may do";
                return Err(AppError::new(Reason::ArgumentInvalid, text)
                    .hint("leave out `--name`, `--for`, `--role` and `--allow-apply`"));
            }
            screen.talk(&format!("tools of {}", server.base()));
            Behind::Server(server)
        }
        None => Behind::Project(Arc::new(project(select, &principal, screen)?)),
    };
    let speaker = Speaker {
        principal,
        allow_apply: a.allow_apply,
    };
    speak(behind, speaker)?;
    Ok(Exit::Done)
}

fn project(select: &Select, principal: &Principal, screen: &Screen) -> Result<Project, AppError> {
    let clock = Arc::new(SystemClock::default());
    let project = Project::open(&here()?, &overrides(select), clock, memory())?;
    for id in gonogo_app::driving::pick_up(project.root())? {
        let text = format!("the controller of {id} was gone; a new one goes on with it");
        screen.talk(&screen.paint(Tone::Wait, &text));
    }
    let person = principal.acts_for.as_deref().unwrap_or_default();
    tokens::must_be_free_for_agents(project.root(), &principal.name, person)?;
    screen.talk(&format!("tools for `{}`, for {person}", principal.name));
    Ok(project)
}
