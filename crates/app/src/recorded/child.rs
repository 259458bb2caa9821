//! The child: in the foreground, in our group, with our standard input; signals that reach us reach it.
//!
//! Invariant: a signal is only ever sent to a child that was not reaped yet, so never to somebody who has its number now.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use gonogo_core::Reason;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use super::ChildEnd;
use crate::AppError;

/// After so many signals the child is killed: it does not listen.
const PATIENCE: u32 = 3;

/// A child that may be there.
#[derive(Debug, Default)]
pub struct Child {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// While it runs.
    pid: Option<Pid>,
    /// How many signals there were.
    signals: u32,
    /// One that came before the child.
    early: Option<i32>,
}

impl Child {
    /// Tells the child of a signal that reached us. `told` says that it has it already, as from a terminal.
    pub fn signal(&self, signal: i32, told: bool) {
        let mut state = self.state();
        state.signals += 1;
        let Some(pid) = state.pid else {
            state.early = Some(signal);
            return;
        };
        let given = match state.signals >= PATIENCE {
            true => Some(Signal::KILL),
            // What the terminal told it once it need not hear twice; somebody who insists is heard.
            false if told && state.signals == 1 => None,
            false => Signal::from_named_raw(signal),
        };
        if let Some(given) = given {
            // It may have ended by itself since.
            let _ = kill_process(pid, given);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts it and waits for its end. The second part of the answer says whether a signal reached us.
    pub(super) fn run(
        &self,
        command: &[OsString],
        environment: &BTreeMap<String, String>,
        here: &Path,
        apart: bool,
    ) -> Result<(ChildEnd, bool), AppError> {
        let Some((program, arguments)) = command.split_first() else {
            let text = "there is no command to run";
            return Err(AppError::new(Reason::ArgumentInvalid, text)
                .hint("put it behind `--`: `gonogo record … -- pytest -q`"));
        };
        let mut command = Command::new(program);
        command.args(arguments).envs(environment).current_dir(here);
        if apart {
            let stderr = rustix::io::dup(std::io::stderr())
                .map_err(|e| AppError::io("open", Path::new("standard error"), &e.into()))?;
            command.stdout(Stdio::from(stderr));
        }
        let (mut child, pid) = {
            // A signal waits until it is known whom to tell.
            let mut state = self.state();
            if state.early.is_some() {
                let text = "a signal came before the command was started";
                return Err(AppError::new(Reason::RunIncomplete, text).hint("run it again"));
            }
            let child = command.spawn().map_err(|e| not_started(program, &e))?;
            let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
            state.pid = pid;
            (child, pid)
        };
        if let Some(pid) = pid {
            // Seen, and left there to be reaped: until then its number is its own.
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(pid), options) {}
        }
        let stopped = {
            let mut state = self.state();
            state.pid = None;
            state.signals > 0
        };
        let status = child
            .wait()
            .map_err(|e| AppError::io("wait for", Path::new(program), &e))?;
        let end = match (status.code(), status.signal()) {
            (Some(code), _) => ChildEnd::Code(code),
            (None, signal) => ChildEnd::Signal(signal.unwrap_or_default()),
        };
        Ok((end, stopped))
    }
}

fn not_started(program: &OsString, error: &std::io::Error) -> AppError {
    AppError::io("start", Path::new(program), error)
        .hint("is it installed, and in PATH?")
        .hint("the command stands behind `--`, as separate words, and no shell reads it")
}
