//! Bodies in both directions: passed through frame by frame, with back-pressure, and with a limit on silence.
//!
//! Nothing is collected: a frame is asked of one side when the other side has room. A timer is made only when a body actually waits.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep, sleep};

use super::exchange::{End, Exchange};
use super::upstream::Lease;
use super::worker::Active;

/// Why a body ended early; the text goes nowhere but into the HTTP library's own error.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    #[error("the body broke off: {0}")]
    Broken(#[from] hyper::Error),
    #[error("the stream was reset before its end")]
    Reset,
    #[error("the body was silent for too long")]
    Silent,
}

/// A limit on waiting, armed only while something waits.
struct Patience {
    limit: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
    armed: bool,
}

impl Patience {
    fn new(limit: Duration) -> Self {
        Self {
            limit,
            sleep: None,
            armed: false,
        }
    }

    fn moved(&mut self) {
        self.armed = false;
    }

    /// Whether the wait that is going on has lasted too long.
    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        let limit = self.limit;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep(limit)));
        if !self.armed {
            self.armed = true;
            sleep.as_mut().reset(Instant::now() + limit);
        }
        sleep.as_mut().poll(cx).is_ready()
    }
}

/// How far the request body is, for the one who waits for the response.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) last: Cell<Instant>,
    pub(super) waits_for_client: Cell<bool>,
    pub(super) fault: Cell<Option<UploadFault>>,
}

/// What the client did wrong in its request body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UploadFault {
    /// Its framing was wrong.
    Broken,
    /// It ended before the body did.
    Gone,
    Silent,
}

impl UploadFault {
    fn of(error: &hyper::Error) -> Self {
        let mut source = std::error::Error::source(error);
        while let Some(error) = source {
            if let Some(io) = error.downcast_ref::<io::Error>() {
                let framing = matches!(
                    io.kind(),
                    io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput
                );
                return if framing { Self::Broken } else { Self::Gone };
            }
            source = error.source();
        }
        Self::Gone
    }
}

/// A request body on its way to the upstream.
pub(super) struct RequestBody(Option<Box<Uploading>>);

struct Uploading {
    inner: Incoming,
    upload: Rc<Upload>,
    patience: Patience,
}

impl RequestBody {
    /// Wraps what the client sends; bodies that are empty from the start cost nothing.
    pub(super) fn new(
        inner: Incoming,
        limit: Duration,
        now: Instant,
    ) -> (Self, Option<Rc<Upload>>) {
        if inner.is_end_stream() {
            return (Self(None), None);
        }
        let upload = Rc::new(Upload {
            last: Cell::new(now),
            waits_for_client: Cell::new(false),
            fault: Cell::new(None),
        });
        let body = Uploading {
            inner,
            upload: Rc::clone(&upload),
            patience: Patience::new(limit),
        };
        (Self(Some(Box::new(body))), Some(upload))
    }

    /// Whether the body has to be sent in chunks because its length is unknown.
    pub(super) fn unknown_length(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|b| b.inner.size_hint().exact().is_none())
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(body) = &mut self.0 else {
            return Poll::Ready(None);
        };
        match Pin::new(&mut body.inner).poll_frame(cx) {
            Poll::Ready(frame) => {
                body.patience.moved();
                body.upload.waits_for_client.set(false);
                body.upload.last.set(Instant::now());
                if let Some(Err(error)) = &frame {
                    body.upload.fault.set(Some(UploadFault::of(error)));
                }
                Poll::Ready(frame.map(|f| f.map_err(BodyError::Broken)))
            }
            Poll::Pending if body.patience.is_over(cx) => {
                body.upload.fault.set(Some(UploadFault::Silent));
                Poll::Ready(Some(Err(BodyError::Silent)))
            }
            Poll::Pending => {
                body.upload.waits_for_client.set(true);
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|b| b.inner.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.0
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), |b| b.inner.size_hint())
    }
}

impl Drop for Uploading {
    fn drop(&mut self) {
        self.upload.waits_for_client.set(false);
    }
}

/// A response body on its way to the client. It keeps the client connection marked as busy until it is gone.
pub(super) struct ResponseBody {
    source: Source,
    active: Active,
}

enum Source {
    Text(Option<Bytes>),
    Upstream(Incoming, Box<Download>),
    Done,
}

/// What goes on while a response body is handed on.
pub(super) struct Download {
    pub(super) exchange: Exchange,
    pub(super) lease: Lease,
    pub(super) status: StatusCode,
    patience: Patience,
}

impl Download {
    pub(super) fn new(
        exchange: Exchange,
        lease: Lease,
        status: StatusCode,
        limit: Duration,
    ) -> Self {
        Self {
            exchange,
            lease,
            status,
            patience: Patience::new(limit),
        }
    }

    /// The response is whole: counts it and gives the connection back.
    fn finish(mut self) {
        self.exchange.end(End::Status(self.status));
        self.lease.give_back();
    }
}

impl ResponseBody {
    /// A short text of our own.
    pub(super) fn text(text: &'static str, active: Active) -> Self {
        let bytes = Some(Bytes::from_static(text.as_bytes())).filter(|b| !b.is_empty());
        Self {
            source: Source::Text(bytes),
            active,
        }
    }

    /// What the upstream sends. `bodiless` responses (to HEAD, 204, 304) are complete with their head.
    pub(super) fn upstream(
        body: Incoming,
        download: Download,
        bodiless: bool,
        active: Active,
    ) -> Self {
        if bodiless || body.is_end_stream() {
            download.finish();
            return Self {
                source: Source::Done,
                active,
            };
        }
        Self {
            source: Source::Upstream(body, Box::new(download)),
            active,
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let Source::Upstream(body, download) = &mut this.source else {
            return Poll::Ready(match std::mem::replace(&mut this.source, Source::Done) {
                Source::Text(Some(text)) => Some(Ok(Frame::data(text))),
                _ => None,
            });
        };
        let (result, whole) = match Pin::new(&mut *body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                download.patience.moved();
                (Some(Ok(frame)), body.is_end_stream())
            }
            // The library takes a reset with NO_ERROR for an end; only END_STREAM is one (RFC 9113 section 8.1).
            Poll::Ready(None) if download.lease.is_h2() && !body.is_end_stream() => {
                download.exchange.end(End::Aborted);
                (Some(Err(BodyError::Reset)), false)
            }
            Poll::Ready(None) => (None, true),
            Poll::Ready(Some(Err(source))) => {
                download.exchange.end(End::Aborted);
                (Some(Err(BodyError::Broken(source))), false)
            }
            Poll::Pending if download.patience.is_over(cx) => {
                download.exchange.end(End::Timeout);
                (Some(Err(BodyError::Silent)), false)
            }
            Poll::Pending => return Poll::Pending,
        };
        let failed = matches!(result, Some(Err(_)));
        if (whole || failed)
            && let Source::Upstream(_, download) = std::mem::replace(&mut this.source, Source::Done)
        {
            if failed {
                this.active.reset_connection();
            } else {
                download.finish();
            }
        }
        Poll::Ready(result)
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.source, Source::Done | Source::Text(None))
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Text(text) => SizeHint::with_exact(text.as_ref().map_or(0, |t| t.len() as u64)),
            Source::Upstream(body, _) => body.size_hint(),
            Source::Done => SizeHint::with_exact(0),
        }
    }
}
