//! Runs a host agent: `host_agent DIR LISTEN PROJECT ENVIRONMENT`. The agent's tests start, kill and restart it.

use std::process::ExitCode;

use gonogo_host::agent::{Settings, run};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [dir, listen, project, environment] = args.as_slice() else {
        return ExitCode::from(64);
    };
    let Ok(listen) = listen.parse() else {
        return ExitCode::from(64);
    };
    let settings = Settings {
        dir: dir.into(),
        listen,
        sticky: None,
        workers: 1,
        project: project.into(),
        environment: environment.clone(),
        autostarted: false,
    };
    match run(settings, || {}) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            use std::io::Write;
            let _ = writeln!(std::io::stderr(), "{}: {e}", e.reason().code());
            ExitCode::from(e.reason().exit().code())
        }
    }
}
