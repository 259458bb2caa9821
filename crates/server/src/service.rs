//! Being a service of systemd, where the server is one: a socket that it opened, and telling it how things stand (`sd_listen_fds(3)`,
//! `sd_notify(3)`). Elsewhere none of this does anything.

use std::io;
use std::net::TcpListener;

use sd_notify::NotifyState;

/// The socket that this process was given to listen on, if it was given one.
///
/// # Errors
/// It was given several, or one that is no TCP socket: to listen elsewhere instead would be a surprise.
pub(crate) fn socket() -> io::Result<Option<TcpListener>> {
    let mut given = listenfd::ListenFd::from_env();
    match given.len() {
        0 => Ok(None),
        1 => {
            let socket = given.take_tcp_listener(0)?;
            let socket = socket.ok_or_else(|| io::Error::other("the given socket is gone"))?;
            socket.set_nonblocking(true)?;
            Ok(Some(socket))
        }
        n => Err(io::Error::other(format!(
            "{n} sockets were given, and one is listened on"
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
