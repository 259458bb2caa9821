//! Bodies: those that are written down as they pass, and those that are played.

use std::fs::File;
use std::future::Future;
use std::io::Read;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Sleep, sleep};

use crate::draft::{Draft, Ended, Held, Side};

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// What is sent, in either direction.
pub(crate) type Sent = UnsyncBoxBody<Bytes, BoxError>;

/// Wraps bytes.
pub(crate) fn full(bytes: impl Into<Bytes>) -> Sent {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// Ends a body that is silent for too long.
pub(crate) struct Patience {
    limit: Duration,
    sleep: Pin<Box<Sleep>>,
}

impl Patience {
    pub(crate) fn new(limit: Duration) -> Self {
        Self {
            limit,
            sleep: Box::pin(sleep(limit)),
        }
    }

    /// Whether the time is over; something came, if `alive`.
    fn over(&mut self, alive: bool, cx: &mut Context<'_>) -> bool {
        if alive {
            self.sleep = Box::pin(sleep(self.limit));
            return false;
        }
        self.sleep.as_mut().poll(cx).is_ready()
    }
}

/// Which direction a body goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// To the upstream.
    Request,
    /// To the client.
    Response,
}

impl Way {
    fn of(self, draft: &mut Draft) -> &mut Side {
        match self {
            Self::Request => &mut draft.request,
            Self::Response => &mut draft.response,
        }
    }
}

/// A body that is written down as it passes.
pub(crate) struct Tee {
    inner: Incoming,
    held: Held,
    way: Way,
    limit: u64,
    patience: Patience,
    /// Milliseconds of the run at the last piece, and the clock to tell them.
    last_ms: u64,
    now_ms: Box<dyn Fn() -> u64 + Send>,
    stream: bool,
    ended: bool,
}

impl Tee {
    pub(crate) fn new(
        inner: Incoming,
        held: Held,
        way: Way,
        limit: u64,
        idle: Duration,
        now_ms: impl Fn() -> u64 + Send + 'static,
    ) -> Self {
        Self {
            // A request's pieces mean nothing, and neither do those of an announced length.
            stream: way == Way::Response && inner.size_hint().exact().is_none(),
            last_ms: now_ms(),
            now_ms: Box::new(now_ms),
            patience: Patience::new(idle),
            inner,
            held,
            way,
            limit,
            ended: false,
        }
    }

    fn end(&mut self, how: Ended) {
        if !self.ended {
            self.ended = true;
            let way = self.way;
            self.held.with(|draft, _| way.of(draft).ended = how);
        }
    }

    fn keep(&mut self, frame: &Frame<Bytes>) {
        let (way, limit) = (self.way, self.limit);
        if let Some(data) = frame.data_ref() {
            if data.is_empty() {
                return;
            }
            let now = (self.now_ms)();
            let pause = self.stream.then(|| now.saturating_sub(self.last_ms));
            self.last_ms = now;
            self.held.with(|draft, vault| {
                way.of(draft).body.push(data, pause, limit, vault);
            });
        } else if let Some(trailers) = frame.trailers_ref() {
            self.held
                .with(|draft, _| way.of(draft).trailers = trailers.clone());
        }
    }
}

impl Body for Tee {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match Pin::new(&mut self.inner).poll_frame(cx) {
            Poll::Pending if self.patience.over(false, cx) => {
                let who = match self.way {
                    Way::Request => "the client",
                    Way::Response => "the upstream",
                };
                let why = format!(
                    "{who} was silent for {:?} inside a body",
                    self.patience.limit
                );
                self.end(Ended::Broken(why.clone()));
                Poll::Ready(Some(Err(why.into())))
            }
            Poll::Pending => Poll::Pending,
            Poll::Ready(None) => {
                self.end(Ended::Whole);
                Poll::Ready(None)
            }
            Poll::Ready(Some(Ok(frame))) => {
                self.patience.over(true, cx);
                self.keep(&frame);
                // Nothing comes behind trailers, and whoever got them does not ask again.
                if self.inner.is_end_stream() || frame.is_trailers() {
                    self.end(Ended::Whole);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(e))) => {
                self.end(Ended::Broken(chain(&e)));
                Poll::Ready(Some(Err(e.into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for Tee {
    fn drop(&mut self) {
        // A body that must be empty is never asked for.
        if self.inner.is_end_stream() {
            self.end(Ended::Whole);
        }
    }
}

/// An error with its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let more = next.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = next.source();
    }
    text.chars().take(400).collect()
}

/// Where the pieces of a played body come from.
pub(crate) enum Source {
    /// The cassette itself.
    Pieces(std::vec::IntoIter<(Vec<u8>, u64)>),
    /// A blob: the file, and the lengths of its pieces with their pauses.
    File(File, std::vec::IntoIter<(u64, u64)>),
}

/// Bytes of a blob that are read at a time, where a piece is longer.
const STEP: u64 = 64 << 10;

/// How long what was played may take to leave before the connection is broken off.
const FLUSH: Duration = Duration::from_millis(20);

/// A body that is played with its borders.
pub(crate) struct Played {
    source: Source,
    /// What is left of the file's piece.
    left: u64,
    /// The longest pause that is kept, milliseconds.
    timing: Option<u64>,
    pause: Option<(Pin<Box<Sleep>>, Bytes)>,
    trailers: Option<HeaderMap>,
    cut: bool,
    done: bool,
}

impl Played {
    pub(crate) fn new(source: Source, timing: Option<u64>, trailers: HeaderMap, cut: bool) -> Self {
        Self {
            source,
            left: 0,
            timing,
            pause: None,
            trailers: (!trailers.is_empty()).then_some(trailers),
            cut,
            done: false,
        }
    }

    fn next(&mut self) -> std::io::Result<Option<(Bytes, u64)>> {
        match &mut self.source {
            Source::Pieces(pieces) => Ok(pieces.next().map(|(piece, ms)| (piece.into(), ms))),
            Source::File(file, pieces) => {
                let mut pause = 0_u64;
                while self.left == 0 {
                    let Some((length, ms)) = pieces.next() else {
                        return Ok(None);
                    };
                    self.left = length;
                    pause = pause.saturating_add(ms);
                }
                let mut piece = vec![0; usize::try_from(self.left.min(STEP)).unwrap_or(0)];
                file.read_exact(&mut piece)?;
                self.left -= piece.len() as u64;
                Ok(Some((piece.into(), pause)))
            }
        }
    }
}

impl Body for Played {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        loop {
            if let Some((mut pause, piece)) = self.pause.take() {
                if pause.as_mut().poll(cx).is_pending() {
                    self.pause = Some((pause, piece));
                    return Poll::Pending;
                }
                if self.done && self.cut {
                    let why = "the recording ends here: the client had left";
                    return Poll::Ready(Some(Err(why.into())));
                }
                return Poll::Ready(Some(Ok(Frame::data(piece))));
            }
            if self.done {
                return Poll::Ready(None);
            }
            match self.next() {
                Ok(Some((piece, ms))) => match self.timing {
                    Some(most) if ms > 0 => {
                        let pause = sleep(Duration::from_millis(ms.min(most)));
                        self.pause = Some((Box::pin(pause), piece));
                    }
                    _ => return Poll::Ready(Some(Ok(Frame::data(piece)))),
                },
                Ok(None) => {
                    self.done = true;
                    if self.cut {
                        // What was given so far is sent before the connection is broken off.
                        self.pause = Some((Box::pin(sleep(FLUSH)), Bytes::new()));
                    }
                    if !self.cut
                        && let Some(trailers) = self.trailers.take()
                    {
                        return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
                    }
                }
                Err(e) => {
                    self.done = true;
                    return Poll::Ready(Some(Err(e.into())));
                }
            }
        }
    }
}
