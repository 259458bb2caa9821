//! The host target: finding, starting, stopping and observing the traffic agent of an environment.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use gonogo_core::{Reason, Span};
use gonogo_host::agent;
use gonogo_host::client::HostTarget;
use gonogo_host::proxy::Sticky;
use gonogo_release::effect::Observed;
use gonogo_release::plan::TargetSpec;

use crate::config::Environment;
use crate::{AppError, Workspace};

/// How long an agent may take to answer a question.
const ANSWER: Span = Span::from_secs(3);
/// How long an agent may take to start: it may have versions to adopt or restart.
const START: Span = Span::from_secs(20);
/// How long a client that sticks to a version does so.
const STICKY_FOR: Duration = Duration::from_secs(3600);

/// Directory of an environment's agent.
pub fn agent_dir(ws: &Workspace, environment: &Environment) -> PathBuf {
    ws.state.join("agent").join(&environment.name)
}

/// The target of an environment.
pub fn target(ws: &Workspace, environment: &Environment) -> HostTarget {
    HostTarget::new(agent_dir(ws, environment))
}

/// Starts the environment's agent if none answers.
///
/// # Errors
/// [`Reason::PortTaken`], [`Reason::PermissionDenied`], [`Reason::AgentUnreachable`].
pub fn ensure_agent(ws: &Workspace, environment: &Environment) -> Result<(), AppError> {
    let args: Vec<OsString> = vec![
        "--config".into(),
        ws.config.path.clone().into(),
        "agent".into(),
        "--env".into(),
        environment.name.clone().into(),
    ];
    let hello = target(ws, environment).ensure_running(&ws.program, &args, START).map_err(|e| {
        AppError::new(e.reason(), format!("the agent of `{}` does not run: {e}", environment.name))
    })?;
    let TargetSpec::Host { listen, .. } = &environment.target;
    if hello.listen == *listen {
        return Ok(());
    }
    let text = format!(
        "the agent of `{}` listens on {}, the configuration says {listen}",
        environment.name, hello.listen
    );
    Err(AppError::new(Reason::AgentRefused, text).hint(format!("restart it: `gonogo agent --env {} --stop`", environment.name)))
}

/// Asks the agent for its state.
///
/// # Errors
/// [`Reason::AgentUnreachable`] and what the agent refuses.
pub fn observe(ws: &Workspace, environment: &Environment) -> Result<Observed, AppError> {
    target(ws, environment).observe(ANSWER).map_err(|e| {
        AppError::new(e.reason(), format!("the agent of `{}` could not be observed: {e}", environment.name))
            .hint(format!("start it: `gonogo agent --env {}`", environment.name))
    })
}

/// Runs the agent of an environment until it is told to end.
///
/// # Errors
/// [`Reason::PortTaken`], [`Reason::PermissionDenied`], or another agent holds the environment.
pub fn run_agent(ws: &Workspace, environment: &Environment) -> Result<(), AppError> {
    let TargetSpec::Host { listen, sticky_cookie } = &environment.target;
    let listen: SocketAddr = listen
        .parse()
        .map_err(|e| AppError::new(Reason::ConfigValue, format!("`listen` of `{}`: {e}", environment.name)))?;
    let settings = agent::Settings {
        dir: agent_dir(ws, environment),
        listen,
        sticky: sticky_cookie.as_ref().map(|cookie| Sticky { cookie: cookie.clone(), ttl: STICKY_FOR }),
        workers: 0,
        project: ws.config.root().to_path_buf(),
        environment: environment.name.clone(),
        autostarted: false,
    };
    agent::run(settings).map_err(|e| AppError::new(e.reason(), e.to_string()))
}

/// Ends the agent of an environment.
///
/// # Errors
/// [`Reason::AgentUnreachable`].
pub fn stop_agent(ws: &Workspace, environment: &Environment, with_services: bool) -> Result<(), AppError> {
    let limit = Span::from_secs(60);
    target(ws, environment).shutdown(with_services, limit).map_err(|e| {
        AppError::new(e.reason(), format!("the agent of `{}` could not be stopped: {e}", environment.name))
    })
}
