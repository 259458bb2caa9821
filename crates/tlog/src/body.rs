//! Response bodies: short texts, and parts of files that are read 64 KiB at a time away from the event loop.
//!
//! Invariant: a response in flight holds one chunk of its file, whatever the file's size and the reader's speed.

use std::fs::File;
use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::{Frame, SizeHint};
use tokio::task::{JoinHandle, spawn_blocking};

use crate::server::Body;

const CHUNK: usize = 64 * 1024;

/// Wraps bytes.
pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed()
}

/// The next `left` bytes of a file.
pub(crate) struct FileBody {
    state: State,
    left: u64,
}

enum State {
    Idle(File),
    Reading(JoinHandle<io::Result<(File, Vec<u8>)>>),
    Done,
}

impl FileBody {
    pub(crate) const fn new(file: File, left: u64) -> Self {
        Self {
            state: State::Idle(file),
            left,
        }
    }
}

impl hyper::body::Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        loop {
            match std::mem::replace(&mut self.state, State::Done) {
                State::Done => return Poll::Ready(None),
                State::Idle(_) if self.left == 0 => return Poll::Ready(None),
                State::Idle(file) => {
                    let wanted = CHUNK.min(usize::try_from(self.left).unwrap_or(CHUNK));
                    self.state = State::Reading(spawn_blocking(move || chunk(file, wanted)));
                }
                State::Reading(mut handle) => {
                    let Poll::Ready(read) = Pin::new(&mut handle).poll(cx) else {
                        self.state = State::Reading(handle);
                        return Poll::Pending;
                    };
                    return Poll::Ready(Some(match read {
                        Ok(Ok((file, bytes))) => {
                            self.left -= bytes.len() as u64;
                            self.state = State::Idle(file);
                            Ok(Frame::data(bytes.into()))
                        }
                        Ok(Err(e)) => Err(e),
                        Err(e) => Err(io::Error::other(e)),
                    }));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// Reads exactly `wanted` bytes: a file that became shorter breaks the response off instead of ending it early.
fn chunk(mut file: File, wanted: usize) -> io::Result<(File, Vec<u8>)> {
    let mut bytes = vec![0; wanted];
    file.read_exact(&mut bytes)?;
    Ok((file, bytes))
}
