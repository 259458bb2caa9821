//! The host target: finding, starting, stopping and observing the traffic agent of an environment.

use std::ffi::OsString;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use gonogo_core::{Reason, Span};
use gonogo_host::agent;
use gonogo_host::client::{ClientError, HostTarget};
use gonogo_host::proxy::Sticky;
use gonogo_release::effect::Observed;
use gonogo_release::plan::TargetSpec;

use crate::config::Environment;
use crate::driving::CONTROLLER_LOG;
use crate::{AppError, Workspace, elsewhere};

/// How long an agent may take to answer a question.
const ANSWER: Span = Span::from_secs(3);
/// How long an agent may take to start: it may have versions to adopt or restart.
const START: Span = Span::from_secs(20);
/// How often an attendant looks whether the agent answers.
const ATTEND: Duration = Duration::from_millis(250);
/// How long an agent may take to say its name before it is taken for gone.
const NAME: Span = Span::from_secs(1);
/// How long an attendant waits after it could not start an agent.
const AFTER_FAILURE: Duration = Duration::from_secs(2);
/// How long a client keeps its place in the split.
const STICKY_FOR: Duration = Duration::from_secs(7 * 86_400);

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
    if elsewhere::is_elsewhere(environment)? {
        // Whoever carries it out has an agent there.
        return Ok(());
    }
    let args = agent_args(ws, environment);
    let TargetSpec::Host { listen, .. } = &environment.target;
    let hello = target(ws, environment)
        .ensure_running(&ws.program, &args, START)
        .map_err(|e| match e.reason() {
            // The agent's own words and its log would say it three times over.
            Reason::PortTaken => {
                let text = format!(
                    "the agent of `{}` cannot listen on {listen}: another process does",
                    environment.name
                );
                AppError::new(Reason::PortTaken, text)
            }
            reason => AppError::new(
                reason,
                format!("the agent of `{}` does not run: {e}", environment.name),
            ),
        })?;
    if hello.listen == *listen {
        return Ok(());
    }
    let text = format!(
        "the agent of `{}` listens on {}, the configuration says {listen}",
        environment.name, hello.listen
    );
    Err(AppError::new(Reason::AgentRefused, text).hint(format!(
        "restart it: `gonogo agent --env {} --stop`",
        environment.name
    )))
}

fn agent_args(ws: &Workspace, environment: &Environment) -> Vec<OsString> {
    vec![
        "--config".into(),
        ws.config.path.clone().into(),
        "agent".into(),
        "--env".into(),
        environment.name.clone().into(),
    ]
}

/// Keeps an environment's agent running until it is dropped.
pub struct Attendant {
    /// Its end is the sign to stop.
    _stop: Sender<()>,
}

/// Begins to look after the environment's agent: whenever none answers, one is started, which takes over the versions that
/// go on running. What it does is noted in `controller.log`. An agent that somebody stops is started again, too: to end it
/// for good, end the operation first.
pub fn attend(ws: &Workspace, environment: &Environment) -> Attendant {
    let (stop, stopped) = channel();
    let (target, program) = (target(ws, environment), ws.program.clone());
    let (args, log) = (agent_args(ws, environment), ws.state.join(CONTROLLER_LOG));
    let name = environment.name.clone();
    let body = move || {
        let mut pause = ATTEND;
        while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
            pause = ATTEND;
            if !matches!(target.hello(NAME), Err(ClientError::Unreachable { .. })) {
                continue;
            }
            note(
                &log,
                &format!("the agent of `{name}` does not answer; starting it again"),
            );
            match target.ensure_running(&program, &args, START) {
                Ok(hello) => note(
                    &log,
                    &format!("the agent of `{name}` answers again, process {}", hello.pid),
                ),
                Err(e) => {
                    note(&log, &e.to_string());
                    pause = AFTER_FAILURE;
                }
            }
        }
    };
    if let Err(e) = thread::Builder::new().name("attendant".into()).spawn(body) {
        // The operation can go on without, as long as its agent lives; that nobody looks after it must be seen.
        note(
            &ws.state.join(CONTROLLER_LOG),
            &format!(
                "nobody looks after the agent of `{}`: {e}",
                environment.name
            ),
        );
    }
    Attendant { _stop: stop }
}

/// Adds a line to a log. A log that cannot be written stops nothing.
fn note(log: &Path, line: &str) {
    let file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(log);
    if let Ok(mut file) = file {
        let _ = writeln!(file, "{line}");
    }
}

/// Asks the agent for its state.
///
/// # Errors
/// [`Reason::AgentUnreachable`] and what the agent refuses.
pub fn observe(ws: &Workspace, environment: &Environment) -> Result<Observed, AppError> {
    if let Some(told) = elsewhere::told_state(ws, environment)? {
        return Ok(told);
    }
    target(ws, environment).observe(ANSWER).map_err(|e| {
        let text = if agent_dir(ws, environment).join("agent.sock").exists() {
            format!(
                "the agent of `{}` could not be observed: {e}",
                environment.name
            )
        } else {
            format!("no agent runs for `{}`", environment.name)
        };
        AppError::new(e.reason(), text).hint(format!(
            "start it: `gonogo agent --env {}`",
            environment.name
        ))
    })
}

/// Runs the agent of an environment until it is told to end; calls `ready` once it listens.
///
/// # Errors
/// [`Reason::PortTaken`], [`Reason::PermissionDenied`], or another agent holds the environment.
pub fn run_agent(
    ws: &Workspace,
    environment: &Environment,
    ready: impl FnOnce(),
) -> Result<(), AppError> {
    let TargetSpec::Host {
        listen,
        sticky_cookie,
    } = &environment.target;
    let listen: SocketAddr = listen.parse().map_err(|e| {
        AppError::new(
            Reason::ConfigValue,
            format!("`listen` of `{}`: {e}", environment.name),
        )
    })?;
    let settings = agent::Settings {
        dir: agent_dir(ws, environment),
        listen,
        sticky: sticky_cookie.as_ref().map(|cookie| Sticky {
            cookie: cookie.clone(),
            ttl: STICKY_FOR,
        }),
        workers: 0,
        project: ws.config.root().to_path_buf(),
        environment: environment.name.clone(),
        autostarted: false,
    };
    agent::run(settings, ready).map_err(|e| AppError::new(e.reason(), e.to_string()))
}

/// Ends the agent of an environment.
///
/// # Errors
/// [`Reason::AgentUnreachable`].
pub fn stop_agent(
    ws: &Workspace,
    environment: &Environment,
    with_services: bool,
) -> Result<(), AppError> {
    let limit = Span::from_secs(60);
    let name = &environment.name;
    target(ws, environment)
        .shutdown(with_services, limit)
        .map_err(|e| {
            let text = format!("the agent of `{name}` could not be stopped: {e}");
            let error = AppError::new(e.reason(), text);
            if e.reason() != Reason::AgentUnreachable {
                return error;
            }
            error
                .hint("if none runs there is nothing to stop: `gonogo status` shows it")
                .hint(format!(
                    "services that it left go on; to end them, start it with `gonogo agent --env {name}`, then stop it with --with-services"
                ))
        })
}
