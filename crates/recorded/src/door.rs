//! The listening side: accepts connections, finds out what a request is for, and opens tunnels.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::{CONTENT_TYPE, HeaderValue};
use http::uri::Scheme;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::body::{Sent, full};
use crate::fields;
use crate::origin::{Origin, Refusal, absolute};
use crate::recorder::Shared;
use crate::{playback, record};

/// What a connection leads to.
#[derive(Debug, Clone)]
pub(crate) enum Door {
    /// One service.
    Service(Origin),
    /// Whatever each request names.
    Forward,
}

/// Serves a port until the runtime ends.
pub(crate) async fn listen(
    listener: TcpListener,
    door: Door,
    shared: Arc<Shared>,
    places: Arc<Semaphore>,
) {
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let _ = stream.set_nodelay(true);
                let (door, shared) = (door.clone(), Arc::clone(&shared));
                tokio::spawn(async move {
                    serve(stream, door, shared).await;
                    drop(place);
                });
            }
            // Too many open files, for one: somebody will close theirs.
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

async fn serve<S>(stream: S, door: Door, shared: Arc<Shared>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(shared.settings.limits.head.to_std());
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(20));
    let service = service_fn(move |request| {
        let (door, shared) = (door.clone(), Arc::clone(&shared));
        async move { Ok::<_, Infallible>(answer(request, &door, &shared).await) }
    });
    // How a connection ends is seen by the exchanges on it.
    let _ = builder
        .serve_connection_with_upgrades(TokioIo::new(stream), service)
        .await;
}

async fn answer(request: Request<Incoming>, door: &Door, shared: &Arc<Shared>) -> Response<Sent> {
    if request.method() == Method::CONNECT {
        return match door {
            Door::Forward => connect(request, shared),
            Door::Service(_) => {
                let text = "CONNECT came to the port of a service; set HTTPS_PROXY to the forward proxy's address";
                shared.refuse(StatusCode::NOT_IMPLEMENTED, text)
            }
        };
    }
    if let Some(protocol) = fields::upgrade(request.headers()) {
        let text = format!(
            "a change to `{protocol}` was asked for: only HTTP is recorded, no WebSocket and no other protocol"
        );
        return shared.refuse(StatusCode::NOT_IMPLEMENTED, text);
    }
    let url = match door {
        Door::Service(origin) => origin.url(request.uri(), request.headers()),
        Door::Forward => absolute(request.uri()),
    };
    let url = match url {
        Ok(url) => url,
        Err(Refusal::Target(why)) => return shared.refuse(StatusCode::BAD_REQUEST, why),
        Err(Refusal::Misdirected) => {
            let text = "the request names another host than the tunnel that it came through";
            return shared.refuse(StatusCode::MISDIRECTED_REQUEST, text);
        }
    };
    match &shared.player {
        Some(player) => playback::answer(request, &url, player, shared).await,
        None => record::answer(request, url, shared).await,
    }
}

/// Opens a tunnel whose far end is this program.
fn connect(mut request: Request<Incoming>, shared: &Arc<Shared>) -> Response<Sent> {
    let authority = request.uri().authority().cloned();
    let Some(authority) = authority.filter(|a| a.port_u16().is_some()) else {
        return shared.refuse(StatusCode::BAD_REQUEST, "CONNECT names no `HOST:PORT`");
    };
    let shared = Arc::clone(shared);
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let limit = shared.settings.limits.head.to_std();
        let Ok(Ok(upgraded)) = timeout(limit, upgrade).await else {
            return;
        };
        let mut stream = TokioIo::new(upgraded);
        let mut first = [0];
        // A client that opens a tunnel and says nothing has asked for nothing.
        if !matches!(
            timeout(limit, stream.read_exact(&mut first)).await,
            Ok(Ok(_))
        ) {
            return;
        }
        let stream = Rewound {
            first: Some(first[0]),
            stream,
        };
        // The first byte of TLS is that of a handshake record (RFC 8446 section 5.1). Some clients tunnel plain HTTP as well.
        let scheme = if first[0] == 0x16 {
            Scheme::HTTPS
        } else {
            Scheme::HTTP
        };
        let Some(origin) = Origin::tunnel(scheme.clone(), &authority) else {
            return;
        };
        if scheme == Scheme::HTTP {
            return serve(stream, Door::Service(origin), shared).await;
        }
        match secure(stream, &authority, &shared, limit).await {
            Ok(stream) => serve(stream, Door::Service(origin), shared).await,
            Err(why) => {
                shared.note_refused(format!("TLS with the client for `{authority}`: {why}"))
            }
        }
    });
    Response::new(full(""))
}

type Secured<S> = tokio_rustls::server::TlsStream<S>;

async fn secure<S>(
    stream: S,
    authority: &http::uri::Authority,
    shared: &Shared,
    limit: Duration,
) -> Result<Secured<S>, String>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let host = authority
        .host()
        .trim_start_matches('[')
        .trim_end_matches(']');
    let signer = shared.authority.as_ref().ok_or("there is no authority")?;
    let config = signer.server(&host.to_ascii_lowercase())?;
    let accepted = tokio_rustls::TlsAcceptor::from(config).accept(stream);
    match timeout(limit, accepted).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(e)) => Err(format!("{e}; does it trust the file in SSL_CERT_FILE?")),
        Err(_) => Err(format!("no handshake within {limit:?}")),
    }
}

/// An answer of the proxy's own.
pub(crate) fn own(status: StatusCode, body: &Value) -> Response<Sent> {
    let mut response = Response::new(full(format!("{body}\n")));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert("x-gonogo-recorded", HeaderValue::from_static("refused"));
    response
}

/// The body of such an answer.
pub(crate) fn text_body(code: &str, text: &str) -> Value {
    json!({"schema": "gonogo.suite.recording-answer.v1", "code": code, "text": text})
}

/// A stream whose first byte was read.
struct Rewound<S> {
    first: Option<u8>,
    stream: S,
}

impl<S: AsyncRead + Unpin> AsyncRead for Rewound<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buf.remaining() > 0
            && let Some(first) = self.first.take()
        {
            buf.put_slice(&[first]);
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Rewound<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
