//! One request, from its turn to its outcome.

use crate::config::{LoadConfig, Shot};
use crate::pool::{Lease, Pool, Sender};
use crate::report::ErrorKind;
use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;

/// The answer to a request, read to its end.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) version: Option<HeaderValue>,
}

/// What happened on the way, counted whatever the outcome.
#[derive(Default)]
pub(crate) struct Trace {
    pub(crate) connected: bool,
    pub(crate) retried: bool,
}

/// The mix, made into requests once.
pub(crate) struct Requests {
    ready: Vec<Request<Full<Bytes>>>,
}

impl Requests {
    /// Fails on nothing that [`LoadConfig::check`] admits.
    pub(crate) fn new(config: &LoadConfig) -> Result<Self, http::Error> {
        let build = |shot: &Shot| {
            let mut request = Request::builder()
                .method(&shot.method)
                .uri(format!("{}{}", config.target.prefix, shot.path))
                .header(header::HOST, config.target.host.as_str())
                .header(header::USER_AGENT, "gonogo-load");
            if !shot.body.is_empty() {
                request = request.header(header::CONTENT_TYPE, "application/json");
            }
            request.body(Full::new(shot.body.clone()))
        };
        Ok(Self {
            ready: config.mix.iter().map(build).collect::<Result<_, _>>()?,
        })
    }

    pub(crate) fn make(&self, shot: usize) -> Request<Full<Bytes>> {
        self.ready[shot].clone()
    }
}

/// Sends `request` over a connection of `pool` and reads the answer to its end.
///
/// Dropping the future (a timeout) closes the connection: its answer would belong to nobody.
pub(crate) async fn send(
    pool: &Pool,
    request: Request<Full<Bytes>>,
    trace: &mut Trace,
) -> Result<Answer, (ErrorKind, String)> {
    let lease = pool.lease().await;
    let (mut sender, reused) = match pool.reuse(&lease).await {
        Some(sender) => (sender, true),
        None => (connect(pool, &lease, trace).await?, false),
    };
    let response = match sender.try_send_request(request).await {
        Ok(response) => response,
        Err(mut error) => match error.take_message() {
            // The server closed the idle connection before a byte was written: the one case in
            // which sending again cannot do anything twice.
            Some(unsent) if reused => {
                trace.retried = true;
                sender = connect(pool, &lease, trace).await?;
                sender
                    .send_request(unsent)
                    .await
                    .map_err(|error| classify(&error))?
            }
            _ => return Err(classify(error.error())),
        },
    };
    let answer = Answer {
        status: response.status(),
        version: response.headers().get("x-version").cloned(),
    };
    drain(response.into_body())
        .await
        .map_err(|error| classify(&error))?;
    pool.put(sender, &lease);
    Ok(answer)
}

async fn connect(
    pool: &Pool,
    lease: &Lease,
    trace: &mut Trace,
) -> Result<Sender, (ErrorKind, String)> {
    let sender = pool
        .connect(lease)
        .await
        .map_err(|error| (ErrorKind::Connect, error.to_string()))?;
    trace.connected = true;
    Ok(sender)
}

/// Reads a body to its end without keeping it.
async fn drain(mut body: Incoming) -> Result<(), hyper::Error> {
    while let Some(frame) = body.frame().await {
        frame?;
    }
    Ok(())
}

fn classify(error: &hyper::Error) -> (ErrorKind, String) {
    let kind = if error.is_parse() {
        ErrorKind::Protocol
    } else {
        ErrorKind::Reset
    };
    let cause =
        std::error::Error::source(error).map_or_else(String::new, |cause| format!(": {cause}"));
    (kind, format!("{error}{cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};

    /// Takes the next connection, answers its first request with 200, and keeps the connection.
    fn answer_one(listener: &TcpListener) -> TcpStream {
        let (mut stream, _) = listener.accept().unwrap();
        let mut buffer = [0; 1024];
        assert!(stream.read(&mut buffer).unwrap() > 0);
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            .unwrap();
        stream
    }

    #[test]
    fn a_request_that_meets_a_closing_connection_unsent_is_sent_once_more() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let config = LoadConfig::new(listener.local_addr().unwrap());
        let requests = Requests::new(&config).unwrap();
        let pool = Pool::new(config.target.address, 1);
        let (close, closing) = std::sync::mpsc::channel();
        let (closed, has_closed) = std::sync::mpsc::channel();
        let server = std::thread::spawn(move || {
            let first = answer_one(&listener);
            closing.recv().unwrap();
            drop(first);
            closed.send(()).unwrap();
            answer_one(&listener);
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let mut trace = Trace::default();
        let answer = runtime.block_on(async {
            let first = send(&pool, requests.make(0), &mut trace).await;
            assert!(first.is_ok() && !trace.retried);
            // The close reaches the runtime together with the next request: the connection's task
            // has not seen it when the request is handed over, and sees it before it writes.
            close.send(()).unwrap();
            has_closed.recv().unwrap();
            tokio::task::yield_now().await;
            send(&pool, requests.make(0), &mut trace).await
        });
        assert!(answer.is_ok_and(|answer| answer.status == StatusCode::OK));
        assert!(
            trace.retried,
            "the connection was seen closed too early for this test"
        );
        server.join().unwrap();
    }
}
