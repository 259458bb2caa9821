//! One readiness probe of a version.

use std::time::Duration;

use gonogo_exec::{http_ready, tcp_ready};
use gonogo_release::plan::{Protocol, ReadyProbe, VersionSpec};
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::live::local;

/// Asks once; `Err` says what was seen instead of readiness.
pub(super) fn ask(spec: &VersionSpec, port: u16, limit: Duration) -> Result<(), String> {
    let addr = local(port);
    let limit = limit.min(spec.ready.timeout.to_std());
    match (&spec.ready.probe, spec.protocol) {
        (ReadyProbe::Tcp, _) => tcp_ready(addr, limit).map_err(|e| e.to_string()),
        (ReadyProbe::Http(path), Protocol::Http1) => {
            http_ready(addr, path, limit).map_err(|e| e.to_string())
        }
        (ReadyProbe::Http(path), Protocol::H2c) => h2c_ready(addr, path, limit),
    }
}

/// Asks over HTTP/2 with prior knowledge (RFC 9113 section 3.3): a version that speaks only that does not answer HTTP/1.
fn h2c_ready(addr: std::net::SocketAddr, path: &str, limit: Duration) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| format!("cannot probe {addr}: {e}"))?;
    let uri = format!("http://{addr}{path}");
    let exchange = async {
        let stream = tokio::net::TcpStream::connect(addr)
            .await
            .map_err(|e| format!("cannot connect to {addr}: {e}"))?;
        let broken =
            |e: hyper::Error| format!("no answer from {addr} to GET {path} over HTTP/2: {e}");
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                .await
                .map_err(broken)?;
        let driver = tokio::spawn(connection);
        let request = http::Request::get(&uri)
            .header("user-agent", "gonogo-ready")
            .body(Empty::<Bytes>::new());
        let request =
            request.map_err(|e| format!("`{path}` is no path for a readiness probe: {e}"))?;
        let answer = sender.send_request(request).await.map_err(broken)?;
        driver.abort();
        match answer.status() {
            status if status.is_success() => Ok(()),
            status => Err(format!("{addr} answers {} to GET {path}", status.as_u16())),
        }
    };
    let timed = async { tokio::time::timeout(limit, exchange).await };
    runtime.block_on(timed).unwrap_or_else(|_| {
        Err(format!(
            "no answer from {addr} to GET {path} within {} ms",
            limit.as_millis()
        ))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::convert::Infallible;

    use gonogo_core::Span;
    use gonogo_release::plan::{Drain, Ready};
    use hyper::service::service_fn;

    use super::*;

    #[test]
    fn a_version_that_speaks_only_http2_is_asked_in_http2() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                listener.set_nonblocking(true).unwrap();
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    let answer = |request: http::Request<hyper::body::Incoming>| async move {
                        let status = if request.uri().path() == "/good" {
                            204
                        } else {
                            503
                        };
                        let answer = http::Response::builder().status(status);
                        Ok::<_, Infallible>(answer.body(Empty::<Bytes>::new()).unwrap())
                    };
                    // A probe in HTTP/1 ends its own connection only.
                    let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                        .serve_connection(TokioIo::new(stream), service_fn(answer))
                        .await;
                }
            });
        });
        let spec = |path: &str, protocol| VersionSpec {
            version: "1".into(),
            run: Vec::new(),
            env: BTreeMap::new(),
            env_from: Vec::new(),
            port_env: "PORT".into(),
            artifacts: Vec::new(),
            ready: Ready {
                probe: ReadyProbe::Http(path.into()),
                interval: Span::from_secs(1),
                timeout: Span::from_secs(5),
                within: Span::from_secs(5),
            },
            drain: Drain {
                signal: "TERM".into(),
                within: Span::from_secs(1),
            },
            protocol,
        };
        let limit = Duration::from_secs(5);
        ask(&spec("/good", Protocol::H2c), port, limit).unwrap();
        let bad = ask(&spec("/bad", Protocol::H2c), port, limit).unwrap_err();
        assert!(bad.contains("503"), "{bad}");
        assert!(ask(&spec("/good", Protocol::Http1), port, limit).is_err());
    }
}
