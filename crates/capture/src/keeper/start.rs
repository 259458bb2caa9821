//! How the keeper starts the child and the pumps, and notices their end.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};

use gonogo_dryrun::journal::Event;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};
use rustix::process::{Pid, PidfdFlags, WaitOptions, pidfd_open, waitpid};
use wait4::Wait4;

use super::{BACK_OFF, Keeper, LAST_WORDS, SETTLED};
use crate::ENTRY;
use crate::clock::boot;
use crate::pulse::Pulse;
use crate::wire::{self, Heard, Hello};

/// What an unprivileged process may make of a pipe (`/proc/sys/fs/pipe-max-size`).
const PIPE_BYTES: usize = 1 << 20;

/// How long the shim may take to become the child.
const SHIM_SECONDS: i64 = 30;

/// A pump at work.
pub(super) struct Pump {
    pub(super) child: Child,
    pub(super) pidfd: OwnedFd,
    pub(super) socket: OwnedFd,
    pub(super) started: u64,
    /// As far as it answers.
    pub(super) pulse: Pulse,
    /// Whether it closed its socket.
    pub(super) silent: bool,
}

/// Makes both pipes: read ends, write ends.
pub(super) fn pipes() -> io::Result<([OwnedFd; 2], [OwnedFd; 2])> {
    let (out, out_end) = pipe_with(PipeFlags::CLOEXEC)?;
    let (err, err_end) = pipe_with(PipeFlags::CLOEXEC)?;
    for pipe in [&out, &err] {
        let mut size = PIPE_BYTES;
        // A user with many pipes gets smaller ones: the child waits for us more often, and nothing else changes.
        while size > 1 << 16 && fcntl_setpipe_size(pipe, size).is_err() {
            size /= 2;
        }
    }
    Ok(([out, err], [out_end, err_end]))
}

/// This very program, also if its file was replaced or removed meanwhile.
fn own_program() -> Command {
    let mut command = Command::new("/proc/self/exe");
    if let Some(name) = std::env::args_os().next() {
        command.arg0(name);
    }
    command.arg(ENTRY);
    command
}

fn pidfd(child: &Child) -> io::Result<OwnedFd> {
    let pid = Pid::from_raw(child.id().cast_signed())
        .ok_or_else(|| io::Error::other("a process without a number"))?;
    Ok(pidfd_open(pid, PidfdFlags::empty())?)
}

impl Keeper {
    /// Starts a pump; if that fails it is tried again like after a pump's death.
    pub(super) fn start_pump(&mut self) {
        self.pump_due = None;
        match self.spawn_pump() {
            Ok(pump) => {
                let event = Event::PumpStarted {
                    pid: pump.child.id(),
                    restarts: self.pump_restarts,
                };
                self.pump = Some(pump);
                self.note(event);
            }
            Err(e) => self.lose_pump(0, format!("it cannot be started: {e}")),
        }
    }

    fn spawn_pump(&self) -> io::Result<Pump> {
        let (socket, end) = wire::pair()?;
        let mut child = own_program()
            .arg("pump")
            .arg(self.files.directory())
            .stdin(end)
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()?;
        let hello = Hello {
            origin: self.clock.origin(),
            restarts: self.pump_restarts,
        };
        let told = pidfd(&child).and_then(|pidfd| {
            wire::send_hello(
                &socket,
                &hello,
                [self.pipes[0].as_fd(), self.pipes[1].as_fd()],
            )?;
            Ok(pidfd)
        });
        match told {
            Ok(pidfd) => Ok(Pump {
                pulse: Pulse::of(child.id()),
                child,
                pidfd,
                socket,
                started: boot(),
                silent: false,
            }),
            Err(e) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(e)
            }
        }
    }

    fn lose_pump(&mut self, pid: u32, status: String) {
        let lived = self.pump.take().map_or(0, |pump| boot() - pump.started);
        if lived >= SETTLED {
            self.back_off = BACK_OFF.0;
        }
        self.pump_restarts += 1;
        // While its last words are waited for it is worth another; after that, whoever finalizes does the rest.
        if !self.lost && self.last_words.is_none_or(|by| boot() < by) {
            self.pump_due = Some(boot() + self.back_off);
        }
        self.back_off = (self.back_off * 2).min(BACK_OFF.1);
        self.note(Event::PumpLost { pid, status });
    }

    /// Starts the child: this program again, which becomes it.
    pub(super) fn start_child(&mut self, ends: [OwnedFd; 2]) {
        match self.spawn_child(ends) {
            Ok(child) => {
                let pid = child.0.id();
                self.child = Some(child);
                self.cgroup = self.cgroup.take().filter(|cgroup| {
                    let inside = cgroup.members().contains(&pid);
                    if !inside {
                        cgroup.remove();
                    }
                    inside
                });
                self.over_at =
                    Some(boot().saturating_add(self.clock.real_nanos(self.spec.target_seconds)));
                let cgroup = self
                    .cgroup
                    .as_ref()
                    .map(|cgroup| cgroup.path().display().to_string());
                self.note(Event::ChildStarted { pid, cgroup });
            }
            Err(reason) => {
                self.reason = Some("start_failed");
                self.last_words = Some(boot() + LAST_WORDS);
                self.note(Event::StartFailed { reason });
            }
        }
    }

    fn spawn_child(&self, ends: [OwnedFd; 2]) -> Result<(Child, OwnedFd), String> {
        let failed = |e: io::Error| format!("the child cannot be started: {e}");
        let (report, end) = wire::pair().map_err(failed)?;
        let [out, err] = ends;
        let mut command = own_program();
        command
            .arg("shim")
            .arg(self.files.directory())
            .arg(std::process::id().to_string())
            .args(self.cgroup.as_ref().map(|cgroup| cgroup.path()))
            .stdin(end)
            .stdout(out)
            .stderr(err);
        let mut child = command.spawn().map_err(failed)?;
        // The command holds the write ends: the pipes end only when nobody has them any more.
        drop(command);
        let reason = hear_shim(&report);
        let pidfd = pidfd(&child).map_err(failed);
        match (reason, pidfd) {
            (None, Ok(pidfd)) => Ok((child, pidfd)),
            (Some(reason), _) | (None, Err(reason)) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(reason)
            }
        }
    }

    /// Hears what the pump says.
    pub(super) fn hear_pump(&mut self) {
        while let Some(pump) = &mut self.pump
            && !pump.silent
        {
            let heard = wire::hear(&pump.socket);
            if matches!(heard, Heard::Word(_)) {
                pump.pulse.hear();
            }
            match heard {
                Heard::Nothing => return,
                Heard::Word(wire::EOF_STDOUT) => self.eof[0] = true,
                Heard::Word(wire::EOF_STDERR) => self.eof[1] = true,
                Heard::Word(wire::DONE) => self.pump_done = true,
                Heard::Word(_) => {}
                Heard::End => pump.silent = true,
            }
        }
    }

    /// Notices who has ended.
    pub(super) fn reap(&mut self) {
        if let Some(pump) = &mut self.pump
            && let Ok(Some(status)) = pump.child.try_wait()
        {
            let pid = pump.child.id();
            self.hear_pump();
            if self.pump_done {
                self.pump = None;
            } else {
                self.lose_pump(pid, describe(status));
            }
        }
        if let Some((child, pidfd)) = &mut self.child
            && is_ended(pidfd)
            && let Ok(used) = child.wait4()
        {
            self.child = None;
            self.over_at = None;
            let time = used.rusage.utime + used.rusage.stime;
            self.note(Event::ChildExited {
                code: used.status.code(),
                signal: used.status.signal(),
                core: used.status.core_dumped(),
                cpu_ms: u64::try_from(time.as_millis()).unwrap_or(u64::MAX),
                max_rss_kib: used.rusage.maxrss / 1024,
            });
            self.begin_drain();
        }
        self.reap_orphans();
    }

    /// Buries what the child left behind and we adopted.
    fn reap_orphans(&self) {
        let own = std::process::id();
        let path = format!("/proc/{own}/task/{own}/children");
        let mut children = String::new();
        if File::open(path)
            .and_then(|mut file| file.read_to_string(&mut children))
            .is_err()
        {
            return;
        }
        let known = [
            self.child.as_ref().map(|(child, _)| child.id()),
            self.pump.as_ref().map(|pump| pump.child.id()),
        ];
        for pid in children.split_ascii_whitespace() {
            let Ok(number) = pid.parse::<u32>() else {
                continue;
            };
            if !known.contains(&Some(number)) {
                let _ = waitpid(Pid::from_raw(number.cast_signed()), WaitOptions::NOHANG);
            }
        }
    }
}

/// Waits until the shim became the child (its socket closes itself), or says why not.
fn hear_shim(report: &OwnedFd) -> Option<String> {
    let timeout = Timespec {
        tv_sec: SHIM_SECONDS,
        tv_nsec: 0,
    };
    loop {
        match poll(&mut [PollFd::new(report, PollFlags::IN)], Some(&timeout)) {
            Err(rustix::io::Errno::INTR) => {}
            Ok(0) => return Some(format!("the child did not begin in {SHIM_SECONDS} s")),
            _ => break,
        }
    }
    let mut text = [0; 8192];
    match rustix::net::recv(report, &mut text[..], rustix::net::RecvFlags::empty()) {
        Ok((count @ 1.., _)) => Some(String::from_utf8_lossy(&text[..count]).into_owned()),
        Ok(_) => None,
        Err(e) => Some(format!("the child's start cannot be followed: {e}")),
    }
}

fn is_ended(pidfd: &OwnedFd) -> bool {
    let now = Timespec::default();
    matches!(
        poll(&mut [PollFd::new(pidfd, PollFlags::IN)], Some(&now)),
        Ok(1..)
    )
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "unknown".to_owned(),
    }
}
