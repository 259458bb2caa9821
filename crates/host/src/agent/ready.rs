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
