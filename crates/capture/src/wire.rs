//! What keeper and pump say to each other, over a socket that keeps messages apart.
//!
//! The keeper begins with [`Hello`] and duplicates of both read ends (SCM_RIGHTS); then each says single bytes. The end of the socket is
//! the other's end.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use gonogo_dryrun::Moment;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recv, recvmsg, send, sendmsg,
    socketpair,
};
use serde::{Deserialize, Serialize};

/// To the pump: the keeper's journal has grown.
pub(crate) const GREW: u8 = b'J';
/// To the pump, and from the harness to the keeper: begin new segments.
pub(crate) const ROTATE: u8 = b'R';
/// To the pump: nobody waits for the pipes any more.
pub(crate) const FINISH: u8 = b'F';
/// From the pump: standard output is at its end.
pub(crate) const EOF_STDOUT: u8 = b'1';
/// From the pump: standard error is at its end.
pub(crate) const EOF_STDERR: u8 = b'2';
/// From the pump: all is written.
pub(crate) const DONE: u8 = b'D';
/// From and to everybody, each second: I work.
pub(crate) const ALIVE: u8 = b'A';
/// From the harness to the keeper: end the run, because this signal arrived.
pub(crate) const INTERRUPT: u8 = b'I';
/// As [`INTERRUPT`]: SIGTERM.
pub(crate) const TERMINATE: u8 = b'T';
/// As [`INTERRUPT`]: SIGHUP.
pub(crate) const HANG_UP: u8 = b'H';

/// What a pump must know.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Hello {
    /// Where the run's clocks began.
    pub(crate) origin: Moment,
    /// How many pumps were before this one.
    pub(crate) restarts: u32,
}

/// Makes both ends; they close themselves on exec.
pub(crate) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )?)
}

/// Sends the first message.
pub(crate) fn send_hello(
    socket: &OwnedFd,
    hello: &Hello,
    pipes: [BorrowedFd<'_>; 2],
) -> io::Result<()> {
    let text = serde_json::to_vec(hello)?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    ancillary.push(SendAncillaryMessage::ScmRights(&pipes));
    sendmsg(
        socket,
        &[IoSlice::new(&text)],
        &mut ancillary,
        SendFlags::NOSIGNAL,
    )?;
    Ok(())
}

/// Waits for the first message.
pub(crate) fn receive_hello(socket: BorrowedFd<'_>) -> io::Result<(Hello, [OwnedFd; 2])> {
    let mut text = [0; 4096];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(
        socket,
        &mut [IoSliceMut::new(&mut text)],
        &mut ancillary,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    let hello = serde_json::from_slice(&text[..received.bytes])?;
    let mut pipes = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(fds) = message {
            pipes.extend(fds);
        }
    }
    let pipes = pipes
        .try_into()
        .map_err(|_| io::Error::other("the keeper sent no pipes"))?;
    Ok((hello, pipes))
}

/// Says a byte. What cannot be said to somebody who died does not matter.
pub(crate) fn say(socket: &OwnedFd, word: u8) {
    let _ = send(socket, &[word], SendFlags::NOSIGNAL | SendFlags::DONTWAIT);
}

/// What was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    /// A byte.
    Word(u8),
    /// Nothing now.
    Nothing,
    /// The other is gone.
    End,
}

/// Hears the next byte, without waiting.
pub(crate) fn hear(socket: impl AsFd) -> Heard {
    let mut word = [0; 1];
    loop {
        return match recv(&socket, &mut word[..], RecvFlags::DONTWAIT) {
            Ok((0, _)) => Heard::End,
            Ok(_) => Heard::Word(word[0]),
            // The other ended with a word of ours unread: told once, and before the words that it said itself.
            Err(rustix::io::Errno::INTR | rustix::io::Errno::CONNRESET) => continue,
            Err(rustix::io::Errno::AGAIN) => Heard::Nothing,
            Err(_) => Heard::End,
        };
    }
}
