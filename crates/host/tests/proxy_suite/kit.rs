//! Raw HTTP/1 clients and servers, and a wait with a deadline.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use gonogo_host::proxy::{Config, Limits, Proxy, Routes, SlotRoute, Upstream};
use tokio::time::Instant;

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until `done` holds.
pub(crate) fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < PATIENCE, "timed out waiting until {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// A request or response as it was on the wire, body without its framing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Message {
    pub(crate) start: String,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<(String, String)>,
}

impl Message {
    /// All values of a field, names compared without case.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let same = |(n, _): &&(String, String)| n.eq_ignore_ascii_case(name);
        self.fields
            .iter()
            .filter(same)
            .map(|(_, v)| v.as_str())
            .collect()
    }

    pub(crate) fn one(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() < 2, "{name} appears {} times: {all:?}", all.len());
        all.first().copied()
    }

    pub(crate) fn status(&self) -> u16 {
        self.start
            .split(' ')
            .nth(1)
            .and_then(|s| s.parse().ok())
            .expect("a status line")
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A connection that reads HTTP/1 messages.
pub(crate) struct Line {
    pub(crate) stream: TcpStream,
    buffer: Vec<u8>,
}

impl Line {
    pub(crate) fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            buffer: Vec::new(),
        }
    }

    pub(crate) fn to(addr: SocketAddr) -> Self {
        Self::new(TcpStream::connect(addr).unwrap())
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.stream.write_all(bytes.as_ref()).unwrap();
        self
    }

    fn fill(&mut self) -> io::Result<()> {
        let mut chunk = [0; 65536];
        let n = self.stream.read(&mut chunk)?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.buffer.extend_from_slice(&chunk[..n]);
        Ok(())
    }

    pub(crate) fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(at) = self.buffer.windows(2).position(|w| w == b"\r\n") {
                let line = String::from_utf8_lossy(&self.buffer[..at]).into_owned();
                self.buffer.drain(..at + 2);
                return Ok(line);
            }
            self.fill()?;
        }
    }

    pub(crate) fn exactly(&mut self, n: usize) -> io::Result<Vec<u8>> {
        while self.buffer.len() < n {
            self.fill()?;
        }
        Ok(self.buffer.drain(..n).collect())
    }

    fn fields(&mut self) -> io::Result<Vec<(String, String)>> {
        let mut fields = Vec::new();
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else {
                return Ok(fields);
            };
            fields.push((name.to_owned(), value.trim().to_owned()));
        }
    }

    /// The start line and fields of the next message.
    pub(crate) fn head(&mut self) -> io::Result<Message> {
        let start = self.line()?;
        Ok(Message {
            start,
            fields: self.fields()?,
            ..Message::default()
        })
    }

    /// One chunk of a chunked body; empty at its end.
    pub(crate) fn chunk(&mut self) -> io::Result<Vec<u8>> {
        let size = self.line()?;
        let size = usize::from_str_radix(size.split(';').next().unwrap().trim(), 16)
            .expect("a chunk size");
        let data = self.exactly(size)?;
        if size > 0 {
            assert_eq!(self.line()?, "");
        }
        Ok(data)
    }

    /// The body that belongs to a head, by RFC 9112 section 6.3; `true` for a body that ends with the connection.
    pub(crate) fn body(&mut self, message: &mut Message, to_the_end: bool) -> io::Result<()> {
        if message.one("transfer-encoding").is_some() {
            loop {
                let chunk = self.chunk()?;
                if chunk.is_empty() {
                    break;
                }
                message.body.extend(chunk);
            }
            message.trailers = self.fields()?;
        } else if let Some(n) = message.one("content-length") {
            message.body = self.exactly(n.parse().expect("a length"))?;
        } else if to_the_end {
            message.body = self.rest()?;
        }
        Ok(())
    }

    /// A whole request.
    pub(crate) fn request(&mut self) -> io::Result<Message> {
        let mut message = self.head()?;
        self.body(&mut message, false)?;
        Ok(message)
    }

    /// A whole response to anything but HEAD.
    pub(crate) fn response(&mut self) -> io::Result<Message> {
        let mut message = self.head()?;
        let bodiless = [100, 101, 204, 304].contains(&message.status());
        if !bodiless {
            self.body(&mut message, true)?;
        }
        Ok(message)
    }

    /// Everything until the other side closes cleanly.
    pub(crate) fn rest(&mut self) -> io::Result<Vec<u8>> {
        let mut all = std::mem::take(&mut self.buffer);
        self.stream.read_to_end(&mut all)?;
        Ok(all)
    }

    /// Waits for the other side to close, cleanly or not; fails if it does not.
    pub(crate) fn closed(&mut self) {
        let mut chunk = [0; 4096];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => return,
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    panic!("the connection stays open")
                }
                Err(_) => return,
            }
        }
    }

    /// One request, one response.
    pub(crate) fn ask(&mut self, request: impl AsRef<[u8]>) -> Message {
        self.send(request).response().unwrap()
    }

    pub(crate) fn get(&mut self, path: &str) -> Message {
        self.ask(format!("GET {path} HTTP/1.1\r\nHost: shop.example\r\n\r\n"))
    }
}

type Handler = dyn Fn(&mut Line) -> io::Result<()> + Send + Sync;

/// An upstream of raw sockets: each connection runs the handler in a thread, again and again until it fails.
pub(crate) struct Origin {
    pub(crate) addr: SocketAddr,
    connections: Arc<AtomicUsize>,
    ended: Arc<AtomicUsize>,
    seen: Arc<Mutex<Vec<Message>>>,
    streams: Arc<Mutex<Vec<TcpStream>>>,
}

impl Origin {
    /// Runs `handler` on each connection; it reads and answers one request.
    pub(crate) fn on(
        handler: impl Fn(&mut Line) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self::start(Arc::default(), Arc::new(handler))
    }

    /// Keeps each whole request and answers with `reply(request)`.
    pub(crate) fn replying(reply: impl Fn(&Message) -> String + Send + Sync + 'static) -> Self {
        let seen: Arc<Mutex<Vec<Message>>> = Arc::default();
        let keep = Arc::clone(&seen);
        let handler = move |line: &mut Line| {
            let request = line.request()?;
            let reply = reply(&request);
            keep.lock().unwrap().push(request);
            line.stream.write_all(reply.as_bytes())
        };
        Self::start(seen, Arc::new(handler))
    }

    /// Answers everything with 200 and `text`.
    pub(crate) fn saying(text: &'static str) -> Self {
        Self::replying(move |_| ok(text))
    }

    fn start(seen: Arc<Mutex<Vec<Message>>>, handler: Arc<Handler>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let origin = Self {
            addr,
            connections: Arc::default(),
            ended: Arc::default(),
            seen,
            streams: Arc::default(),
        };
        let (connections, ended, streams) = (
            Arc::clone(&origin.connections),
            Arc::clone(&origin.ended),
            Arc::clone(&origin.streams),
        );
        thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                connections.fetch_add(1, Ordering::SeqCst);
                streams.lock().unwrap().push(stream.try_clone().unwrap());
                let (handler, ended) = (Arc::clone(&handler), Arc::clone(&ended));
                thread::spawn(move || {
                    let mut line = Line::new(stream);
                    while handler(&mut line).is_ok() {}
                    let _ = line.stream.shutdown(Shutdown::Both);
                    ended.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        origin
    }

    /// Whole requests received so far.
    pub(crate) fn seen(&self) -> Vec<Message> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn last(&self) -> Message {
        self.seen().pop().expect("a request reached the upstream")
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Connections whose handler has ended.
    pub(crate) fn ended(&self) -> usize {
        self.ended.load(Ordering::SeqCst)
    }

    /// Closes every connection that is open now.
    pub(crate) fn hang_up(&self) {
        for stream in self.streams.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// A 200 with a body of known length.
pub(crate) fn ok(text: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}",
        text.len()
    )
}

pub(crate) fn slot(name: &str, upstream: SocketAddr, weight: u32) -> SlotRoute {
    SlotRoute {
        slot: name.to_owned(),
        version: format!("{name}-1"),
        instance: 1,
        upstream,
        protocol: Upstream::Http1,
        weight,
        ready: true,
        slow_over: Duration::from_secs(5),
    }
}

pub(crate) fn routes(generation: u64, slots: impl Into<Vec<SlotRoute>>) -> Routes {
    Routes {
        generation,
        slots: slots.into(),
    }
}

pub(crate) fn config() -> Config {
    Config {
        workers: 2,
        ..Config::new("127.0.0.1:0".parse().unwrap())
    }
}

/// A configuration with changed limits.
pub(crate) fn limited(change: impl FnOnce(&mut Limits)) -> Config {
    let mut config = config();
    change(&mut config.limits);
    config
}

/// A proxy in front of one upstream, called `blue`.
pub(crate) fn before(origin: &Origin) -> Proxy {
    with(config(), origin)
}

pub(crate) fn with(config: Config, origin: &Origin) -> Proxy {
    Proxy::start(config, routes(1, [slot("blue", origin.addr, 10_000)])).unwrap()
}

pub(crate) fn client(proxy: &Proxy) -> Line {
    Line::to(proxy.local_addr())
}

/// Waits until nothing is under way and everything routed has ended.
pub(crate) fn settled(proxy: &Proxy) {
    wait_until("all requests have ended", || {
        let counters = proxy.counters();
        counters
            .slots
            .values()
            .all(|s| s.in_flight == 0 && s.completed() == s.routed)
    });
}
