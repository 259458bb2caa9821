//! Between the keeper and the child: what must be done in the child's process before its program begins.
//!
//! The keeper may not run code between fork and exec (that needs `unsafe`), so it starts this program again, which makes itself the
//! leader of a session, ties its life to the keeper's, enters the cgroup and becomes the child's program. What goes wrong is written
//! to its standard input, a socket that closes itself when the program begins.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use gonogo_dryrun::spec::RunSpec;
use rustix::process::{Signal, getppid, set_parent_process_death_signal, setsid};

use crate::files::Files;
use crate::tree::{Cgroup, MARK};

/// Becomes the child's program. Returns only if it cannot; the keeper was told why.
pub fn main(directory: &Path, keeper: u32, cgroup: Option<&str>) -> i32 {
    // Duplicates close themselves when the program begins.
    let report = io::stdin().as_fd().try_clone_to_owned();
    let reason = match prepare(directory, keeper, cgroup) {
        Ok(spec) => become_child(&spec),
        Err(reason) => reason,
    };
    if let Ok(report) = report {
        let _ = File::from(report).write_all(reason.as_bytes());
    }
    127
}

fn prepare(directory: &Path, keeper: u32, cgroup: Option<&str>) -> Result<RunSpec, String> {
    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|e| format!("the child's life cannot be tied to the keeper's: {e}"))?;
    // The keeper may have died before the line above; then nobody would ever end the child.
    if getppid().map(|pid| pid.as_raw_nonzero().get().cast_unsigned()) != Some(keeper) {
        return Err("the keeper died while the child was being started".to_owned());
    }
    setsid().map_err(|e| format!("a session cannot be made for the child: {e}"))?;
    let spec = Files::new(directory)
        .read_spec()
        .map_err(|e| e.to_string())?;
    if let Some(cgroup) = cgroup.and_then(Cgroup::at) {
        // Without: the tree is found by descent and mark. The keeper looks whether it worked.
        let _ = cgroup.enter();
    }
    let null = File::open("/dev/null").map_err(|e| format!("/dev/null cannot be opened: {e}"))?;
    rustix::stdio::dup2_stdin(&null)
        .map_err(|e| format!("/dev/null cannot become the child's input: {e}"))?;
    Ok(spec)
}

fn become_child(spec: &RunSpec) -> String {
    let Some((program, arguments)) = spec.command.split_first() else {
        return "there is no command: write it after `--`".to_owned();
    };
    if let Err(e) = std::env::set_current_dir(&spec.directory) {
        return format!(
            "the child's working directory `{}` cannot be entered: {e}",
            spec.directory
        );
    }
    let error = Command::new(program)
        .args(arguments)
        .envs(&spec.environment)
        .env(MARK, &spec.run_id)
        .exec();
    explain(program, &error)
}

/// Says why a program could not be started: the error alone does not tell a missing program from a missing interpreter.
fn explain(program: &str, error: &io::Error) -> String {
    let path = Path::new(program);
    let named = program.contains('/');
    let why = match error.kind() {
        io::ErrorKind::NotFound if named && path.exists() => {
            "it is there, but its interpreter (the `#!` line or the dynamic loader) is not"
        }
        io::ErrorKind::NotFound if named => "there is no such file",
        io::ErrorKind::NotFound => "it is in no directory of PATH",
        io::ErrorKind::PermissionDenied if named && path.is_dir() => "it is a directory",
        io::ErrorKind::PermissionDenied => "it is not executable (chmod +x), or may not be reached",
        io::ErrorKind::ArgumentListTooLong => "its arguments and environment are too long",
        _ if error.raw_os_error() == Some(rustix::io::Errno::NOEXEC.raw_os_error()) => {
            "it is no program for this machine, and has no `#!` line"
        }
        _ => "the kernel refused it",
    };
    format!("`{program}` cannot be started: {why}: {error}")
}
