//! Bodies of bounded length.

use std::task::{Poll, ready};

use bytes::Bytes;

/// Reads a body of at most `limit` bytes; `None` if it is longer.
///
/// # Errors
/// In words: the other side broke off.
pub async fn collect<B>(body: B, limit: usize) -> Result<Option<Bytes>, String>
where
    B: hyper::body::Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut body = std::pin::pin!(body);
    let mut out = bytes::BytesMut::new();
    loop {
        let next = std::future::poll_fn(|cx| {
            Poll::Ready(Some(match ready!(body.as_mut().poll_frame(cx)) {
                None => return Poll::Ready(None),
                Some(frame) => frame.map_err(|e| e.into().to_string()),
            }))
        });
        let Some(frame) = next.await else {
            return Ok(Some(out.freeze()));
        };
        if let Ok(data) = frame?.into_data() {
            if out.len() + data.len() > limit {
                return Ok(None);
            }
            out.extend_from_slice(&data);
        }
    }
}
