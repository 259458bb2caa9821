//! The client's side of the wire: a TCP stream that watches request framing and notes when it began to wait for the client.
//!
//! Notes are atomics because the HTTP library wants a `Send` stream for upgrades; they are only ever touched by one worker thread.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::framing::{Framing, Watch};

/// What the stream tells the rest of the worker. Times are ticks of the worker's coarse clock; 0 is "not waiting".
#[derive(Debug)]
pub(super) struct Notes {
    /// First request head to be refused.
    refuse_from: AtomicU64,
    head_since: AtomicU64,
    write_since: AtomicU64,
    /// The connection was upgraded: what follows is not HTTP.
    opaque: AtomicBool,
    /// Close with a reset, so that a cut response cannot be taken for a whole one.
    reset: AtomicBool,
    clock: Arc<AtomicU64>,
}

impl Notes {
    /// Notes of a connection accepted now: it owes a request head.
    pub(super) fn new(clock: Arc<AtomicU64>) -> Self {
        let now = clock.load(Relaxed);
        Self {
            refuse_from: AtomicU64::new(u64::MAX),
            head_since: AtomicU64::new(now),
            write_since: AtomicU64::new(0),
            opaque: AtomicBool::new(false),
            reset: AtomicBool::new(false),
            clock,
        }
    }

    /// The worker's coarse clock.
    pub(super) fn now(&self) -> u64 {
        self.clock.load(Relaxed)
    }

    pub(super) fn refuses(&self, head: u64) -> bool {
        head >= self.refuse_from.load(Relaxed)
    }

    /// When the unfinished request head began.
    pub(super) fn head_since(&self) -> Option<u64> {
        Some(self.head_since.load(Relaxed)).filter(|t| *t > 0)
    }

    /// Since when the client takes no bytes.
    pub(super) fn write_since(&self) -> Option<u64> {
        Some(self.write_since.load(Relaxed)).filter(|t| *t > 0)
    }

    pub(super) fn make_opaque(&self) {
        self.opaque.store(true, Relaxed);
        self.head_since.store(0, Relaxed);
        self.write_since.store(0, Relaxed);
    }

    /// The protocol is known not to need a request head in one piece (HTTP/2).
    pub(super) fn forget_head(&self) {
        self.head_since.store(0, Relaxed);
    }

    pub(super) fn reset_on_close(&self) {
        self.reset.store(true, Relaxed);
    }

    fn watched(&self, watch: Watch) {
        match watch {
            Watch::Between => self.head_since.store(0, Relaxed),
            Watch::InHead if self.head_since.load(Relaxed) == 0 => {
                self.head_since.store(self.clock.load(Relaxed), Relaxed)
            }
            Watch::InHead => {}
            Watch::Refuse(head) => {
                self.head_since.store(0, Relaxed);
                self.refuse_from.store(head, Relaxed);
            }
        }
    }
}

/// A client connection with its notes.
pub(super) struct Wire {
    stream: TcpStream,
    /// Bytes read while the protocol was being found out.
    early: Vec<u8>,
    framing: Option<Framing>,
    notes: Arc<Notes>,
}

impl Wire {
    /// `framing` is absent for HTTP/2.
    pub(super) fn new(
        stream: TcpStream,
        early: Vec<u8>,
        framing: Option<Framing>,
        notes: Arc<Notes>,
    ) -> Self {
        Self {
            stream,
            early,
            framing,
            notes,
        }
    }

    fn wrote<T>(&self, result: &Poll<T>) {
        let since = self.notes.write_since.load(Relaxed);
        if result.is_ready() {
            if since != 0 {
                self.notes.write_since.store(0, Relaxed);
            }
        } else if since == 0 && !self.notes.opaque.load(Relaxed) {
            self.notes
                .write_since
                .store(self.notes.clock.load(Relaxed), Relaxed);
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.notes.reset.load(Relaxed) {
            // Best effort: without it the connection still closes, but with a FIN.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        if this.early.is_empty() {
            ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
        } else {
            let n = this.early.len().min(buf.remaining());
            buf.put_slice(&this.early[..n]);
            this.early.drain(..n);
            if this.early.is_empty() {
                this.early = Vec::new();
            }
        }
        if let Some(framing) = &mut this.framing
            && !this.notes.opaque.load(Relaxed)
        {
            this.notes.watched(framing.feed(&buf.filled()[before..]));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.wrote(&result);
        result
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = write_compact(&mut self.stream, cx, bufs);
        self.wrote(&result);
        result
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.notes.reset.load(Relaxed) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A connection to an upstream.
pub(super) struct Trunk(pub(super) TcpStream);

impl AsyncRead for Trunk {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Trunk {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        write_compact(&mut self.0, cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// Up to this size, copying pieces together costs less than handing the kernel a list of them (measured).
const COMPACT: usize = 2_048;

/// Writes pieces with one plain write if there is one or they are small.
fn write_compact(
    stream: &mut TcpStream,
    cx: &mut Context<'_>,
    bufs: &[io::IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    let stream = Pin::new(stream);
    let mut some = bufs.iter().filter(|b| !b.is_empty());
    let (Some(first), second) = (some.next(), some.next()) else {
        return stream.poll_write(cx, &[]);
    };
    if second.is_none() {
        return stream.poll_write(cx, first);
    }
    if bufs.iter().map(|b| b.len()).sum::<usize>() > COMPACT {
        return stream.poll_write_vectored(cx, bufs);
    }
    let mut whole = [0; COMPACT];
    let mut len = 0;
    for buf in bufs {
        whole[len..len + buf.len()].copy_from_slice(buf);
        len += buf.len();
    }
    stream.poll_write(cx, &whole[..len])
}
