//! Starting a process.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::procfs::{self, Stat};
use crate::{ExecError, MARK, Process};

/// How often a program that is open for writing is tried again.
const BUSY_TRIES: u32 = 50;
const BUSY_PAUSE: Duration = Duration::from_millis(10);

/// What to start.
#[derive(Debug, Clone)]
pub struct Launch {
    /// Program and arguments. A program without `/` is looked for in `PATH` of `env`.
    pub argv: Vec<String>,
    /// The whole environment but the mark; nothing is inherited.
    pub env: BTreeMap<String, String>,
    /// Working directory.
    pub dir: PathBuf,
    /// File that standard output and error are appended to (created 0600).
    pub log: PathBuf,
    /// File that standard error goes to instead, if it is to stand apart (created 0600).
    pub errors: Option<PathBuf>,
    /// The mark, unique for each start.
    pub mark: String,
}

impl Launch {
    /// Starts the process as leader of its own group, standard input empty.
    ///
    /// The caller keeps the mark durably before this and the answer after it: in between the process is found by [`crate::marked`].
    ///
    /// # Errors
    /// [`ExecError::NotFound`], [`ExecError::Denied`] and [`ExecError::Start`] by the system's answer, [`ExecError::Log`] if the log
    /// cannot be opened. Nothing runs then.
    pub fn start(&self) -> Result<Process, ExecError> {
        let (program, arguments) = self.argv.split_first().ok_or(ExecError::NoProgram)?;
        let boot = procfs::boot()?;
        let fault = |path: &Path| {
            let path = path.to_owned();
            move |source| ExecError::Log { path, source }
        };
        let out = append(&self.log).map_err(fault(&self.log))?;
        let err = match &self.errors {
            Some(path) => append(path).map_err(fault(path))?,
            None => out.try_clone().map_err(fault(&self.log))?,
        };
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .envs(&self.env)
            .env(MARK, &self.mark)
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .process_group(0);
        let child = spawn(&mut command).map_err(|source| refused(program, &self.dir, source))?;
        // Not waited for: the child stays a zombie until `reap`, so that its number and start time hold still.
        let pid = child.id();
        let started = Stat::of(pid)
            .map(|stat| stat.started)
            .ok_or_else(|| ExecError::Proc {
                path: PathBuf::from(format!("/proc/{pid}/stat")),
                source: io::Error::from(io::ErrorKind::NotFound),
            })?;
        Ok(Process {
            pid,
            started,
            boot,
            mark: self.mark.clone(),
        })
    }
}

/// Why `program` did not start in `dir`.
pub(crate) fn refused(program: &str, dir: &Path, source: io::Error) -> ExecError {
    let program = program.to_owned();
    match source.kind() {
        io::ErrorKind::NotFound if dir.is_dir() => ExecError::NotFound { program },
        io::ErrorKind::PermissionDenied => ExecError::Denied { program },
        _ => ExecError::Start { program, source },
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
}

/// Starts, and tries again while the program is open for writing: a child that another thread forked holds our own freshly written
/// files open until it runs its program.
pub(crate) fn spawn(command: &mut Command) -> io::Result<Child> {
    let mut tries = 0;
    loop {
        match command.spawn() {
            Err(e) if e.kind() == io::ErrorKind::ExecutableFileBusy && tries < BUSY_TRIES => {
                tries += 1;
                std::thread::sleep(BUSY_PAUSE);
            }
            done => return done,
        }
    }
}
