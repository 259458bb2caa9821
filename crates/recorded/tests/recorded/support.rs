//! A real upstream, plain and with TLS, raw sockets, and the recorder around them.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::future::Future;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use gonogo_core::clock::SystemClock;
use gonogo_core::{Clock, Now, Timestamp};
use gonogo_recorded::{End, Mode, Recorder, Report, Settings, start};
use http_body_util::BodyExt;
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tempfile::TempDir;

type Body = http_body_util::combinators::UnsyncBoxBody<Bytes, Infallible>;

/// Wall time that stands still, monotonic time that goes on.
#[derive(Debug)]
pub(crate) struct Still(pub(crate) Timestamp, SystemClock);

impl Still {
    pub(crate) fn at(text: &str) -> Arc<Self> {
        Arc::new(Self(text.parse().unwrap(), SystemClock::default()))
    }
}

impl Clock for Still {
    fn now(&self) -> Now {
        Now {
            wall: self.0,
            mono_ms: self.1.now().mono_ms,
        }
    }
}

pub(crate) const DAY: &str = "2026-11-01T00:00:00Z";

/// A folder with a cassette, and what is needed to run the recorder on it.
pub(crate) struct Stage {
    pub(crate) dir: TempDir,
    pub(crate) settings: Settings,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Stage {
    pub(crate) fn new(upstream: SocketAddr) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut settings = Settings::new(dir.path().join("calls.json"));
        settings
            .upstreams
            .insert("api".into(), format!("http://{upstream}"));
        Self {
            dir,
            settings,
            clock: Still::at(DAY),
        }
    }

    pub(crate) fn cassette(&self) -> PathBuf {
        self.settings.cassette.clone()
    }

    pub(crate) fn start(&self, mode: Mode) -> Recorder {
        let mut settings = self.settings.clone();
        settings.mode = mode;
        start(settings, Arc::clone(&self.clock)).unwrap()
    }

    /// Runs `child` against the recorder.
    pub(crate) fn run<T>(&self, mode: Mode, child: impl FnOnce(&Recorder) -> T) -> (T, Report) {
        let recorder = self.start(mode);
        let told = child(&recorder);
        (told, recorder.stop(End::Whole).unwrap())
    }

    /// Everything that lies in the folder, by name.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut all = BTreeMap::new();
        collect(self.dir.path(), self.dir.path(), &mut all);
        all
    }
}

fn collect(root: &Path, dir: &Path, all: &mut BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, all);
        } else {
            let name = path.strip_prefix(root).unwrap().display().to_string();
            all.insert(name, std::fs::read(&path).unwrap());
        }
    }
}

pub(crate) fn codes(report: &Report) -> Vec<&str> {
    report.reasons.iter().map(|r| r.code.as_str()).collect()
}

pub(crate) fn api(recorder: &Recorder) -> SocketAddr {
    recorder.services()["api"]
}

/// Sends `text` and reads until the other side closes.
pub(crate) fn raw(to: SocketAddr, text: impl AsRef<[u8]>) -> Vec<u8> {
    let mut stream = TcpStream::connect(to).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    stream.write_all(text.as_ref()).unwrap();
    let mut answer = Vec::new();
    // A connection that is reset ends an answer too.
    let _ = stream.read_to_end(&mut answer);
    answer
}

/// One request on its own connection: status, head in lower case, bytes of the body as they were framed.
pub(crate) fn ask(to: SocketAddr, method: &str, target: &str, more: &str, body: &[u8]) -> Answer {
    let length = match body.len() {
        0 => String::new(),
        n => format!("content-length: {n}\r\n"),
    };
    let head = format!(
        "{method} {target} HTTP/1.1\r\nhost: {to}\r\nconnection: close\r\n{more}{length}\r\n"
    );
    Answer::of(raw(to, [head.as_bytes(), body].concat()))
}

pub(crate) fn get(to: SocketAddr, target: &str) -> Answer {
    ask(to, "GET", target, "", b"")
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn of(bytes: Vec<u8>) -> Self {
        let at = bytes.windows(4).position(|w| w == b"\r\n\r\n");
        let Some(at) = at else {
            panic!("no answer: {:?}", String::from_utf8_lossy(&bytes));
        };
        let head = String::from_utf8_lossy(&bytes[..at]).to_ascii_lowercase();
        Self {
            status: head[9..12].parse().unwrap(),
            head,
            body: bytes[at + 4..].to_vec(),
        }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// An upstream that counts what it is asked.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    pub(crate) hits: Arc<AtomicUsize>,
    /// The file of its certificate, if it speaks TLS.
    pub(crate) root: Option<PathBuf>,
    _dir: TempDir,
}

impl Upstream {
    pub(crate) fn hits(&self) -> usize {
        self.hits.load(Ordering::SeqCst)
    }
}

pub(crate) fn upstream() -> Upstream {
    serve("127.0.0.1:0", false).unwrap()
}

/// Speaks TLS for `api.test`, and HTTP/2 to whom asks for it.
pub(crate) fn tls_upstream() -> Upstream {
    serve("127.0.0.1:0", true).unwrap()
}

pub(crate) fn serve(address: &str, tls: bool) -> std::io::Result<Upstream> {
    let dir = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true).unwrap();
    let (address, hits) = (listener.local_addr()?, Arc::new(AtomicUsize::new(0)));
    let (acceptor, root) = if tls {
        let made = rcgen::generate_simple_self_signed(vec!["api.test".to_owned()]).unwrap();
        let root = dir.path().join("root.pem");
        std::fs::write(&root, made.cert.pem()).unwrap();
        let key = rustls_pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der());
        let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(
            rustls::crypto::ring::default_provider(),
        ))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.unwrap())
        .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        (Some(acceptor), Some(root))
    } else {
        (None, None)
    };
    let counted = Arc::clone(&hits);
    // Ends with the test's process.
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let (hits, acceptor) = (Arc::clone(&counted), acceptor.clone());
                tokio::spawn(async move {
                    let service = service_fn(move |request| {
                        hits.fetch_add(1, Ordering::SeqCst);
                        let n = hits.load(Ordering::SeqCst);
                        async move { Ok::<_, Infallible>(answer(request, n).await) }
                    });
                    let builder =
                        hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                    match acceptor {
                        Some(acceptor) => {
                            let stream = acceptor.accept(stream).await.unwrap();
                            let _ = builder
                                .serve_connection(TokioIo::new(stream), service)
                                .await;
                        }
                        None => {
                            let _ = builder
                                .serve_connection(TokioIo::new(stream), service)
                                .await;
                        }
                    }
                });
            }
        });
    });
    Ok(Upstream {
        address,
        hits,
        root,
        _dir: dir,
    })
}

fn full(bytes: impl Into<Bytes>) -> Body {
    http_body_util::Full::new(bytes.into()).boxed_unsync()
}

/// Frames with a pause before each: pieces of their own on the wire.
struct Paced {
    frames: VecDeque<Frame<Bytes>>,
    pause: Pin<Box<tokio::time::Sleep>>,
}

const PAUSE: Duration = Duration::from_millis(30);

fn paced(frames: impl IntoIterator<Item = Frame<Bytes>>) -> Body {
    Paced {
        frames: frames.into_iter().collect(),
        pause: Box::pin(tokio::time::sleep(PAUSE)),
    }
    .boxed_unsync()
}

impl hyper::body::Body for Paced {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.pause.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.pause = Box::pin(tokio::time::sleep(PAUSE));
        Poll::Ready(self.frames.pop_front().map(Ok))
    }
}

fn gzipped(text: &str) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(text.as_bytes()).unwrap();
    gzip.finish().unwrap()
}

/// What the upstream does at each path.
async fn answer(request: Request<Incoming>, n: usize) -> Response<Body> {
    let (head, body) = request.into_parts();
    let data = |text: &'static str| Frame::data(Bytes::from_static(text.as_bytes()));
    let mut status = 200;
    let mut headers: Vec<(&'static str, String)> = Vec::new();
    let body = match head.uri.path() {
        "/count" => full(n.to_string()),
        "/sse" => {
            headers.push(("content-type", "text/event-stream".into()));
            paced([
                data("data: {\"n\":1}\n\n"),
                data("data: {\"n\":2}\n\n"),
                data("data: [DONE]\n\n"),
            ])
        }
        "/trailers" => {
            headers.push(("trailer", "x-sum".into()));
            let mut trailers = hyper::HeaderMap::new();
            trailers.insert("x-sum", "42".parse().unwrap());
            paced([data("body"), Frame::trailers(trailers)])
        }
        "/gzip" => {
            headers.push(("content-encoding", "gzip".into()));
            full(gzipped(
                "{\"password\":\"from-upstream\",\"text\":\"plain\"}",
            ))
        }
        "/packed" => {
            headers.push(("content-encoding", "gzip".into()));
            full(gzipped("{\"text\":\"plain\"}"))
        }
        "/br" => {
            headers.push(("content-encoding", "br".into()));
            full("????")
        }
        "/empty" => {
            status = 204;
            full("")
        }
        "/unchanged" => {
            status = 304;
            headers.push(("etag", "\"1\"".into()));
            full("")
        }
        "/big" => full(vec![b'x'; 3 << 20]),
        "/login" => {
            headers.push(("set-cookie", "sid=session-secret-1; Path=/".into()));
            full("{\"access_token\":\"token-from-login\",\"user\":\"me\"}")
        }
        "/leak" => full("your key is ghp_0123456789abcdefghij0123456789abcdef"),
        "/slow" => {
            tokio::time::sleep(Duration::from_secs(30)).await;
            full("late")
        }
        path => {
            let path = path.to_owned();
            let whole = body.collect().await.unwrap();
            let text = |name: &str| {
                let values = head.headers.get_all(name).iter();
                let values: Vec<_> = values.map(|v| v.to_str().unwrap_or("?")).collect();
                values.join("|")
            };
            let bytes = whole.to_bytes();
            let echo = serde_json::json!({
                "method": head.method.as_str(),
                "path": path,
                "query": head.uri.query(),
                "length": bytes.len(),
                "digest": gonogo_core::Digest::of(&bytes),
                "authorization": text("authorization"),
                "connection": text("connection"),
                "upgrade": text("upgrade"),
                "accept_encoding": text("accept-encoding"),
                "version": format!("{:?}", head.version),
            });
            headers.push(("content-type", "application/json".into()));
            full(echo.to_string())
        }
    };
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response.body(body).unwrap()
}

/// An upstream that does `act` with each connection, once it has read a request's head.
pub(crate) fn hostile(act: impl Fn(&mut TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
                head.push(byte[0]);
            }
            act(&mut stream);
        }
    });
    address
}
