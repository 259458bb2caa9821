//! The control socket: reads requests, one a line, and answers each with one line.
//!
//! A line without its newline is never acted on, so that a client that could not send everything knows that nothing was done. Clients
//! must run as the agent's user or as root.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

use gonogo_core::Reason;
use gonogo_target::Call;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::live::Agent;
use super::wire::{self, LONGEST_LINE, MOST_LINES, Reply, Request};
use super::{AgentError, keep};

/// Clients at one time.
const MOST_CLIENTS: usize = 64;
/// How long a client may be silent, and how long it may take to read an answer.
const PATIENCE: Duration = Duration::from_secs(300);

/// Begins to answer.
pub(super) fn listen(agent: &Arc<Agent>, halt: Sender<()>) -> Result<(), AgentError> {
    let listener = agent.home.bind()?;
    let agent = Arc::clone(agent);
    let body = move || accept(&listener, &agent, &halt);
    let started = thread::Builder::new().name("control".into()).spawn(body);
    started
        .map(|_| ())
        .map_err(|e| AgentError::io("start a thread for", "agent.sock", e))
}

fn accept(listener: &UnixListener, agent: &Arc<Agent>, halt: &Sender<()>) {
    let clients = Arc::new(AtomicUsize::new(0));
    loop {
        let Ok((mut stream, _)) = listener.accept() else {
            // Out of descriptors: those in use end by themselves.
            thread::sleep(Duration::from_millis(20));
            continue;
        };
        let refusal = match may_ask(&stream) {
            false => Some((
                Reason::PermissionDenied,
                "the agent serves its own user and root only",
            )),
            true if clients.load(Ordering::Relaxed) >= MOST_CLIENTS => {
                Some((Reason::AgentRefused, "too many clients; try again"))
            }
            true => None,
        };
        if let Some((reason, text)) = refusal {
            let _ = send(
                &mut stream,
                &Reply::Error {
                    reason,
                    text: text.into(),
                },
            );
            continue;
        }
        let (agent, halt, count) = (Arc::clone(agent), halt.clone(), Arc::clone(&clients));
        clients.fetch_add(1, Ordering::Relaxed);
        let body = move || {
            // An error means that the client is gone.
            let _ = converse(stream, &agent, &halt);
            count.fetch_sub(1, Ordering::Relaxed);
        };
        if thread::Builder::new()
            .name("client".into())
            .spawn(body)
            .is_err()
        {
            clients.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Whether the other side runs as our user or as root (unix(7), `SO_PEERCRED`).
fn may_ask(stream: &UnixStream) -> bool {
    let peer = rustix::net::sockopt::socket_peercred(stream);
    peer.is_ok_and(|peer| peer.uid.is_root() || peer.uid == rustix::process::geteuid())
}

fn converse(mut stream: UnixStream, agent: &Arc<Agent>, halt: &Sender<()>) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let mut line = Vec::new();
        reader
            .by_ref()
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Ok(());
        }
        if line.pop() != Some(b'\n') {
            let text = format!(
                "a request is one line of at most {LONGEST_LINE} bytes, ended by a newline; nothing was done"
            );
            return send(
                &mut stream,
                &Reply::Error {
                    reason: Reason::AgentRefused,
                    text,
                },
            );
        }
        let request = match wire::parse::<Request>(&line) {
            Ok(request) => request,
            Err(e) => {
                let text = format!("not a request: {e}; nothing was done");
                send(
                    &mut stream,
                    &Reply::Error {
                        reason: Reason::AgentRefused,
                        text,
                    },
                )?;
                continue;
            }
        };
        let ends = matches!(request, Request::Shutdown { .. });
        let reply = answer(agent, request, &stream);
        let ends = ends && matches!(reply, Reply::Bye {});
        let sent = send(&mut stream, &reply);
        if ends {
            // The receiver is gone only when the agent already ends.
            let _ = halt.send(());
        }
        sent?;
    }
}

fn answer(agent: &Arc<Agent>, request: Request, stream: &UnixStream) -> Reply {
    match request {
        Request::Hello {} => Reply::Hello {
            hello: agent.hello(),
        },
        Request::Observe {} => Reply::Observed {
            observed: agent.observed(),
        },
        Request::Sample {} => Reply::Sample {
            sample: agent.sample(),
        },
        Request::Call {
            key,
            epoch,
            deadline,
            action,
            version,
            slow_over,
        } => {
            let call = Call {
                key,
                epoch,
                deadline,
                action,
                version: version.map(|v| *v),
                slow_over,
            };
            Reply::Outcome {
                outcome: agent.call(&call, &|| !has_left(stream)),
            }
        }
        Request::Logs { slot, lines } => logs(agent, &slot, lines),
        Request::Shutdown { stop_services } => match if stop_services {
            agent.stop_all()
        } else {
            Ok(())
        } {
            Ok(()) => Reply::Bye {},
            Err(text) => Reply::Error {
                reason: Reason::AgentRefused,
                text,
            },
        },
    }
}

fn logs(agent: &Agent, slot: &str, lines: u32) -> Reply {
    let refused = |reason, text| Reply::Error { reason, text };
    if !super::start::is_slot_name(slot) || lines > MOST_LINES {
        return refused(
            Reason::AgentRefused,
            format!("`logs` needs a slot's name and at most {MOST_LINES} lines"),
        );
    }
    match keep::last_lines(agent, slot, lines as usize) {
        Ok(lines) => Reply::Logs { lines },
        Err(e) if e.kind() == io::ErrorKind::NotFound => refused(
            Reason::AgentRefused,
            format!("slot `{slot}` has no log yet"),
        ),
        Err(e) => refused(
            Reason::StoreFailed,
            format!("the log of slot `{slot}` cannot be read: {e}"),
        ),
    }
}

/// Whether the client has closed its end.
fn has_left(stream: &UnixStream) -> bool {
    let mut fds = [PollFd::new(stream, PollFlags::empty())];
    // HUP and ERR are told unasked.
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    poll(&mut fds, Some(&now)).is_ok_and(|n| n > 0)
        && fds[0].revents().intersects(PollFlags::HUP | PollFlags::ERR)
}

fn send(stream: &mut UnixStream, reply: &Reply) -> io::Result<()> {
    let bytes = wire::line(reply).map_err(io::Error::other)?;
    stream.write_all(&bytes)
}
