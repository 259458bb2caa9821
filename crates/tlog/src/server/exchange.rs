//! Bodies that tell their connection's place how far the exchange is: the request has arrived, the response was handed over.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};

use super::Body;
use super::places::Place;

/// A request's body as it arrives.
#[derive(Debug)]
pub struct RequestBody {
    inner: Incoming,
    place: Arc<Place>,
}

impl RequestBody {
    pub(super) fn new(inner: Incoming, place: Arc<Place>) -> Self {
        let body = Self { inner, place };
        body.look();
        body
    }

    fn look(&self) {
        if self.inner.is_end_stream() {
            self.place.answering();
        }
    }
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        if frame.is_none() {
            self.place.answering();
        } else {
            self.look();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// A response's body. Dropped when its last byte was handed over, or nobody wants it any more.
pub(super) struct ResponseBody {
    inner: Body,
    place: Arc<Place>,
}

impl ResponseBody {
    pub(super) fn new(inner: Body, place: Arc<Place>) -> Self {
        place.answering();
        Self { inner, place }
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        self.place.answered();
    }
}

impl HttpBody for ResponseBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
