//! A *fake* S3 server: one bucket in memory, the conditional writes of the real one, and faults on request.
//!
//! It keeps every content that each object ever had, so that a test can say that nothing was overwritten.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use gonogo_core::Digest;
use gonogo_tlog::Body;
use gonogo_tlog::server::{Handler, RequestBody};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};

/// What goes wrong with one PUT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// 409 ConditionalRequestConflict; nothing landed.
    Conflict,
    /// 412 although nothing is there; nothing landed.
    Precondition,
    /// 503 SlowDown; nothing landed.
    Busy,
    /// 500, and it landed.
    LandedAndFailed,
    /// No answer for ever, and it landed.
    LandedAndSilent,
    /// No answer for ever; nothing landed.
    Silent,
    /// 403.
    Forbidden,
    /// 200, and nothing landed.
    Lost,
    /// 200, and other bytes landed.
    Garbled,
}

/// What somebody else does right before a PUT is looked at: objects that appear.
pub(crate) type Meddling = BTreeMap<usize, Vec<(String, Vec<u8>)>>;

#[derive(Default)]
struct Bucket {
    objects: BTreeMap<String, Bytes>,
    history: BTreeMap<String, Vec<Bytes>>,
    puts: Vec<String>,
    gets: Vec<String>,
    faults: BTreeMap<usize, Fault>,
    always: Option<Fault>,
    meddling: Meddling,
    unsigned: usize,
    headers: BTreeMap<String, (String, String)>,
}

#[derive(Clone, Default)]
pub(crate) struct FakeS3(Arc<Mutex<Bucket>>);

impl FakeS3 {
    /// Puts a fault on these PUTs, counted from 0 from now on.
    pub(crate) fn fail(&self, at: impl IntoIterator<Item = usize>, fault: Fault) {
        let mut bucket = self.0.lock().unwrap();
        bucket.puts.clear();
        bucket.gets.clear();
        bucket.faults = at.into_iter().map(|at| (at, fault)).collect();
    }

    pub(crate) fn fail_always(&self, fault: Option<Fault>) {
        self.0.lock().unwrap().always = fault;
    }

    pub(crate) fn meddle(&self, at: usize, objects: Vec<(String, Vec<u8>)>) {
        let mut bucket = self.0.lock().unwrap();
        bucket.puts.clear();
        bucket.meddling = Meddling::from([(at, objects)]);
    }

    pub(crate) fn forget_requests(&self) {
        let mut bucket = self.0.lock().unwrap();
        bucket.puts.clear();
        bucket.gets.clear();
        bucket.faults.clear();
    }

    pub(crate) fn puts(&self) -> Vec<String> {
        self.0.lock().unwrap().puts.clone()
    }

    pub(crate) fn gets(&self) -> Vec<String> {
        self.0.lock().unwrap().gets.clone()
    }

    pub(crate) fn unsigned(&self) -> usize {
        self.0.lock().unwrap().unsigned
    }

    /// The objects below `prefix/`, by their names without it.
    pub(crate) fn objects(&self, prefix: &str) -> BTreeMap<String, Vec<u8>> {
        let bucket = self.0.lock().unwrap();
        let below = |(name, bytes): (&String, &Bytes)| {
            let name = name.strip_prefix(prefix)?.strip_prefix('/')?;
            Some((name.to_owned(), bytes.to_vec()))
        };
        bucket.objects.iter().filter_map(below).collect()
    }

    pub(crate) fn all(&self) -> BTreeMap<String, Vec<u8>> {
        let bucket = self.0.lock().unwrap();
        let all = bucket.objects.iter();
        all.map(|(n, b)| (n.clone(), b.to_vec())).collect()
    }

    pub(crate) fn remove(&self, name: &str) {
        self.0.lock().unwrap().objects.remove(name).unwrap();
    }

    /// Content type and cache control that each object was last written with.
    pub(crate) fn headers(&self) -> BTreeMap<String, (String, String)> {
        self.0.lock().unwrap().headers.clone()
    }

    pub(crate) fn insert(&self, name: &str, bytes: &[u8]) {
        let bytes = Bytes::copy_from_slice(bytes);
        self.0.lock().unwrap().land(name, bytes);
    }

    /// Every content that an object ever had.
    pub(crate) fn history(&self) -> BTreeMap<String, Vec<Bytes>> {
        self.0.lock().unwrap().history.clone()
    }
}

impl Bucket {
    fn land(&mut self, name: &str, bytes: Bytes) {
        self.objects.insert(name.to_owned(), bytes.clone());
        self.history.entry(name.to_owned()).or_default().push(bytes);
    }

    fn put(&mut self, name: &str, head: &http::request::Parts, bytes: Bytes) -> Option<Reply> {
        let at = self.puts.len();
        self.puts.push(name.to_owned());
        for (name, bytes) in self.meddling.remove(&at).unwrap_or_default() {
            self.land(&name, bytes.into());
        }
        let is = self.objects.get(name).map(|b| tag(b));
        let header = |name| head.headers.get(name).map(|v| v.to_str().unwrap());
        let refused = match (header("if-none-match"), header("if-match")) {
            (Some("*"), None) => is.is_some().then_some(412),
            (None, Some(wanted)) => match is {
                None => Some(404),
                Some(is) => (is != wanted).then_some(412),
            },
            other => panic!("an unconditional write: {other:?} of {name}"),
        };
        let landing = refused.is_none();
        let said = |name| header(name).unwrap_or_default().to_owned();
        let headers = (said("content-type"), said("cache-control"));
        self.headers.insert(name.to_owned(), headers);
        let fault = self.always.or_else(|| self.faults.remove(&at));
        match fault {
            Some(Fault::Conflict) => Some(Reply::error(409, "ConditionalRequestConflict")),
            Some(Fault::Precondition) => Some(Reply::error(412, "PreconditionFailed")),
            Some(Fault::Busy) => Some(Reply::error(503, "SlowDown")),
            Some(Fault::Forbidden) => Some(Reply::error(403, "AccessDenied")),
            Some(Fault::Silent) => None,
            Some(Fault::Lost) => Some(Reply::ok(Bytes::new(), tag(&bytes))),
            Some(Fault::Garbled) => {
                let tag = tag(&bytes);
                let mut other = bytes.to_vec();
                other.pop();
                self.land(name, other.into());
                Some(Reply::ok(Bytes::new(), tag))
            }
            Some(fault @ (Fault::LandedAndFailed | Fault::LandedAndSilent)) => {
                if landing {
                    self.land(name, bytes);
                }
                (fault == Fault::LandedAndFailed).then(|| Reply::error(500, "InternalError"))
            }
            None => Some(match refused {
                Some(status) => Reply::error(status, "PreconditionFailed"),
                None => {
                    let tag = tag(&bytes);
                    self.land(name, bytes);
                    Reply::ok(Bytes::new(), tag)
                }
            }),
        }
    }

    fn get(&mut self, name: &str) -> Reply {
        self.gets.push(name.to_owned());
        match self.objects.get(name) {
            Some(bytes) => Reply::ok(bytes.clone(), tag(bytes)),
            None => Reply::error(404, "NoSuchKey"),
        }
    }
}

struct Reply {
    status: u16,
    body: Bytes,
    tag: Option<String>,
}

impl Reply {
    fn error(status: u16, code: &str) -> Self {
        let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code></Error>");
        Self {
            status,
            body: body.into(),
            tag: None,
        }
    }

    fn ok(body: Bytes, tag: String) -> Self {
        Self {
            status: 200,
            body,
            tag: Some(tag),
        }
    }

    fn into_response(self) -> Response<Body> {
        let mut response = Response::builder()
            .status(StatusCode::from_u16(self.status).unwrap())
            .header("content-length", self.body.len())
            .header("last-modified", "Wed, 22 Jul 2026 10:00:00 GMT");
        if let Some(tag) = self.tag {
            response = response.header("etag", tag);
        }
        let body = Full::new(self.body).map_err(|never| match never {}).boxed();
        response.body(body).unwrap()
    }
}

impl Handler for FakeS3 {
    async fn answer(&self, request: Request<RequestBody>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let Ok(body) = body.collect().await else {
            return Reply::error(400, "IncompleteBody").into_response();
        };
        let bytes = body.to_bytes();
        let name = head.uri.path().strip_prefix("/bucket/").unwrap().to_owned();
        let reply = {
            let mut bucket = self.0.lock().unwrap();
            if !head.headers.contains_key("authorization") {
                bucket.unsigned += 1;
            }
            if head.method == Method::PUT {
                bucket.put(&name, &head, bytes)
            } else {
                Some(bucket.get(&name))
            }
        };
        match reply {
            Some(reply) => reply.into_response(),
            // The client gives up first.
            None => std::future::pending().await,
        }
    }
}

fn tag(bytes: &[u8]) -> String {
    format!("\"{}\"", &Digest::of(bytes).hex()[..32])
}
