//! HTTP/2 with prior knowledge on either side, as gRPC uses it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::thread;

use bytes::Bytes;
use gonogo_host::proxy::{Proxy, Upstream};
use http::{HeaderMap, HeaderValue, Request, Response, Version};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2 as client;
use hyper::server::conn::http2 as server;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;

use crate::kit::{Origin, config, ok, routes, settled, slot};

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Body = BoxBody<Bytes, Failure>;
type Seen = Arc<Mutex<Vec<(http::request::Parts, Bytes, Option<HeaderMap>)>>>;

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// An HTTP/2 upstream that keeps requests, echoes their bodies and ends with a trailer; `/break` ends with an error.
fn grpc_like() -> (SocketAddr, Seen) {
    let (addr, seen, _) = breakable();
    (addr, seen)
}

/// The same, with a signal that lets `/break` (an error) and `/cancel` (a reset without error) break.
fn breakable() -> (SocketAddr, Seen, Arc<Notify>) {
    let seen: Seen = Arc::default();
    let go = Arc::new(Notify::new());
    let gate = Arc::clone(&go);
    let keep = Arc::clone(&seen);
    let (ready, addr) = std::sync::mpsc::channel();
    thread::spawn(move || {
        runtime().block_on(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            ready.send(listener.local_addr().unwrap()).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (keep, gate) = (Arc::clone(&keep), Arc::clone(&gate));
                let service =
                    service_fn(move |request| echo(request, Arc::clone(&keep), Arc::clone(&gate)));
                tokio::spawn(
                    server::Builder::new(TokioExecutor::new())
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
    });
    (addr.recv().unwrap(), seen, go)
}

async fn echo(
    request: Request<Incoming>,
    keep: Seen,
    gate: Arc<Notify>,
) -> Result<Response<Body>, Infallible> {
    let (parts, body) = request.into_parts();
    let Ok(body) = body.collect().await else {
        return Ok(Response::new(frames(vec![])));
    };
    let trailers = body.trailers().cloned();
    let data = body.to_bytes();
    let broken = parts.uri.path() == "/break";
    let reset = parts.uri.path() == "/cancel";
    keep.lock().unwrap().push((parts, data.clone(), trailers));
    let mut end = HeaderMap::new();
    end.insert("grpc-status", HeaderValue::from_static("0"));
    if broken || reset {
        let failure: Failure = if reset {
            h2::Error::from(h2::Reason::NO_ERROR).into()
        } else {
            "broken".into()
        };
        return Ok(Response::new(
            BreaksOff {
                data: Some(data),
                failure: Some(failure),
                gate: Box::pin(gate.notified_owned()),
            }
            .boxed(),
        ));
    }
    Ok(Response::new(frames(vec![
        Ok(Frame::data(data)),
        Ok(Frame::trailers(end)),
    ])))
}

fn frames(frames: Vec<Result<Frame<Bytes>, Failure>>) -> Body {
    Frames(frames.into()).boxed()
}

/// A body of ready frames.
struct Frames(std::collections::VecDeque<Result<Frame<Bytes>, Failure>>);

impl hyper::body::Body for Frames {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        Poll::Ready(self.0.pop_front())
    }
}

/// Sends its data, and an error once the gate opens.
struct BreaksOff {
    data: Option<Bytes>,
    failure: Option<Failure>,
    gate: Pin<Box<dyn Future<Output = ()> + Send + Sync>>,
}

impl hyper::body::Body for BreaksOff {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        if let Some(data) = self.data.take() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        self.gate
            .as_mut()
            .poll(cx)
            .map(|()| self.failure.take().map(Err))
    }
}

async fn connect(proxy: &Proxy) -> client::SendRequest<Body> {
    let stream = TcpStream::connect(proxy.local_addr()).await.unwrap();
    let (sender, connection) = client::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    sender
}

fn in_front_of(addr: SocketAddr, protocol: Upstream) -> Proxy {
    let mut route = slot("blue", addr, 10_000);
    route.protocol = protocol;
    Proxy::start(config(), routes(1, [route])).unwrap()
}

#[test]
fn a_call_keeps_its_trailers_in_both_directions() {
    let (addr, seen) = grpc_like();
    let proxy = in_front_of(addr, Upstream::H2c);
    runtime().block_on(async {
        let mut sender = connect(&proxy).await;
        let mut sum = HeaderMap::new();
        sum.insert("x-sum", HeaderValue::from_static("1"));
        let request = Request::post("http://shop.example/pkg.Svc/Call")
            .header("te", "trailers")
            .header("content-type", "application/grpc")
            .header("cookie", "a=1")
            .header("cookie", "b=2")
            .body(frames(vec![
                Ok(Frame::data(Bytes::from_static(b"ping"))),
                Ok(Frame::trailers(sum)),
            ]))
            .unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(
            (response.status().as_u16(), response.version()),
            (200, Version::HTTP_2)
        );
        assert_eq!(response.headers()["via"], "2 gonogo");
        let body = response.into_body().collect().await.unwrap();
        assert_eq!(body.trailers().unwrap()["grpc-status"], "0");
        assert_eq!(body.to_bytes(), "ping");
    });
    let (parts, body, trailers) = seen.lock().unwrap().remove(0);
    assert_eq!(parts.uri.to_string(), "http://shop.example/pkg.Svc/Call");
    assert_eq!(
        (&parts.headers["te"], &parts.headers["cookie"]),
        (&"trailers".parse().unwrap(), &"a=1; b=2".parse().unwrap())
    );
    assert_eq!(parts.headers["x-forwarded-host"], "shop.example");
    assert!(!parts.headers.contains_key("connection") && !parts.headers.contains_key("host"));
    assert_eq!(
        (body, trailers.unwrap()["x-sum"].clone()),
        (Bytes::from_static(b"ping"), "1".parse().unwrap())
    );
    settled(&proxy);
    assert_eq!(proxy.counters().slots["blue"].ok, 1);
}

#[test]
fn many_calls_share_connections() {
    let (addr, seen) = grpc_like();
    let proxy = in_front_of(addr, Upstream::H2c);
    runtime().block_on(async {
        let sender = connect(&proxy).await;
        let calls = (0..300).map(|i| {
            let mut sender = sender.clone();
            tokio::spawn(async move {
                let text = format!("call {i}");
                let body = Full::new(Bytes::from(text.clone()))
                    .map_err(|e| match e {})
                    .boxed();
                let response = sender
                    .send_request(Request::post("http://x/").body(body).unwrap())
                    .await
                    .unwrap();
                assert_eq!(
                    response.into_body().collect().await.unwrap().to_bytes(),
                    text
                );
            })
        });
        for call in calls.collect::<Vec<_>>() {
            call.await.unwrap();
        }
    });
    settled(&proxy);
    assert_eq!(
        (
            seen.lock().unwrap().len(),
            proxy.counters().slots["blue"].ok
        ),
        (300, 300)
    );
}

#[test]
fn an_http2_client_reaches_an_http1_upstream() {
    let origin = Origin::replying(|request| ok(&request.text()));
    let proxy = in_front_of(origin.addr, Upstream::Http1);
    runtime().block_on(async {
        let mut sender = connect(&proxy).await;
        let request = Request::put("http://shop.example:8080/x?y")
            .body(frames(vec![Ok(Frame::data(Bytes::from_static(b"abc")))]))
            .unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(
            response.into_body().collect().await.unwrap().to_bytes(),
            "abc"
        );
        let connect = Request::connect("db:5432").body(frames(vec![])).unwrap();
        assert_eq!(sender.send_request(connect).await.unwrap().status(), 501);
    });
    let seen = origin.last();
    assert_eq!(
        (seen.start.as_str(), seen.one("host")),
        ("PUT /x?y HTTP/1.1", Some("shop.example:8080"))
    );
    assert_eq!(
        (seen.one("transfer-encoding"), seen.one("via")),
        (Some("chunked"), Some("2 gonogo"))
    );
}

#[test]
fn an_http1_client_reaches_an_http2_upstream() {
    let (addr, seen) = grpc_like();
    let proxy = in_front_of(addr, Upstream::H2c);
    let mut line = crate::kit::client(&proxy);
    let answer = line.ask("POST /a?b HTTP/1.1\r\nHost: shop.example\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!(
        (answer.start.as_str(), answer.text().as_str()),
        ("HTTP/1.1 200 OK", "hi")
    );
    let (parts, ..) = seen.lock().unwrap().remove(0);
    assert_eq!(parts.uri.to_string(), "http://shop.example/a?b");
    assert_eq!(line.get("/").status(), 200, "the connection goes on");
}

#[test]
fn a_reset_at_the_upstream_is_a_reset_at_the_client() {
    let (addr, _seen, go) = breakable();
    let proxy = in_front_of(addr, Upstream::H2c);
    runtime().block_on(async {
        let mut sender = connect(&proxy).await;
        let call = |path: &str| {
            Request::post(format!("http://x{path}"))
                .body(frames(vec![Ok(Frame::data(Bytes::from_static(b"abc")))]))
                .unwrap()
        };
        for path in ["/break", "/cancel"] {
            let mut body = sender.send_request(call(path)).await.unwrap().into_body();
            assert_eq!(
                body.frame().await.unwrap().unwrap().into_data().unwrap(),
                "abc"
            );
            go.notify_one();
            assert!(
                body.collect().await.is_err(),
                "{path}: a broken stream looked whole"
            );
        }
        let next = sender.send_request(call("/")).await.unwrap();
        assert_eq!(
            next.into_body().collect().await.unwrap().to_bytes(),
            "abc",
            "other streams go on"
        );
    });
    settled(&proxy);
    let slots = &proxy.counters().slots["blue"];
    assert_eq!((slots.aborted, slots.ok), (2, 1));
}

#[test]
fn a_stream_that_the_client_resets_is_cancelled() {
    let origin = Origin::on(|line| {
        line.head()?;
        line.rest().map(|_| ())
    });
    let proxy = in_front_of(origin.addr, Upstream::Http1);
    runtime().block_on(async {
        let mut sender = connect(&proxy).await;
        let call = tokio::spawn(
            sender.send_request(Request::get("http://x/").body(frames(vec![])).unwrap()),
        );
        while origin.connections() == 0 {
            tokio::task::yield_now().await;
        }
        call.abort();
        while origin.ended() == 0 {
            tokio::task::yield_now().await;
        }
    });
    settled(&proxy);
    assert_eq!(proxy.counters().slots["blue"].client_gone, 1);
}
