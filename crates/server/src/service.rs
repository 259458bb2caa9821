//! Being a service of systemd, where the server is one: a socket that it opened, and telling it how things stand (`sd_listen_fds(3)`,
//! `sd_notify(3)`). Elsewhere none of this does anything.

use std::net::TcpListener;

use gonogo_app::AppError;
use gonogo_core::Reason;
use sd_notify::NotifyState;

/// The socket that this process was given to listen on, if it was given one.
///
/// # Errors
/// It was given several, or one that is no TCP socket: to listen elsewhere instead would be a surprise.
pub(crate) fn socket() -> Result<Option<TcpListener>, AppError> {
    let unusable = |text: String| {
        AppError::new(Reason::ArgumentInvalid, text)
            .hint("mend the `.socket` unit that starts this service: exactly one `ListenStream=` with a TCP address; then `systemctl daemon-reload`, and restart both units")
            .hint("without one, stop and disable the `.socket` unit: `--listen` says where it listens")
    };
    let mut given = listenfd::ListenFd::from_env();
    match given.len() {
        0 => Ok(None),
        1 => {
            let refused = |e: std::io::Error| {
                unusable(format!(
                    "the socket that was given (`LISTEN_FDS`) cannot be listened on: {e}"
                ))
            };
            let gone = || std::io::Error::other("it is gone");
            let socket = given.take_tcp_listener(0).map_err(refused)?;
            let socket = socket.ok_or_else(gone).map_err(refused)?;
            socket.set_nonblocking(true).map_err(refused)?;
            Ok(Some(socket))
        }
        n => Err(unusable(format!(
            "{n} sockets were given (`LISTEN_FDS`), and one is listened on"
        ))),
    }
}

/// Tells whoever started this process that requests are answered from now on.
pub(crate) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// Tells that it ends.
pub(crate) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

fn tell(state: &[NotifyState<'_>]) {
    // Who is not there to be told has not asked; a service goes on without.
    drop(sd_notify::notify(false, state));
}
