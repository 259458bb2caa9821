//! The static server of a publication: the read side of a log, as C2SP tlog-tiles asks for it.
//!
//! `gonogo ledger serve` runs it with [`run`](crate::server::run); an API server mounts [`Site::handle`] under `/log`. Whatever it
//! answers is public and immutable but for the checkpoint.
//!
//! Invariants: GET and HEAD only. Only `checkpoint`, `log.vkey` and canonical tile paths exist; everything else is 404, so there is no
//! path to walk out of. Nothing is read into memory beyond one chunk.

use http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG,
    HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH, X_CONTENT_TYPE_OPTIONS,
};
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use tokio::task::spawn_blocking;

use gonogo_core::Digest;
use gonogo_ledger::tile::TilePath;

use crate::body::{FileBody, full};
use crate::error::Error;
use crate::publication::{CHECKPOINT, LOG_VKEY, Part, Publication};
use crate::server::{Body, Handler, RequestBody};

pub(crate) const TEXT: &str = "text/plain; charset=utf-8";
pub(crate) const BYTES: &str = "application/octet-stream";
pub(crate) const FRESH: &str = "no-cache";
pub(crate) const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// A publication with the prefix that it is served under.
#[derive(Debug, Clone)]
pub struct Site {
    publication: Publication,
    prefix: String,
}

/// What a path names.
enum Found {
    Text(Vec<u8>),
    Tile(Part),
}

impl Site {
    /// Serves `publication` under `prefix`: `""` for the root, `"/log"` for `/log/checkpoint`.
    #[must_use]
    pub fn new(publication: Publication, prefix: &str) -> Self {
        Self {
            publication,
            prefix: prefix.trim_end_matches('/').to_owned(),
        }
    }

    /// Answers one request; its body is not looked at. A path outside the prefix is 404.
    pub async fn handle<B>(&self, request: &Request<B>) -> Response<Body> {
        if request.method() != Method::GET && request.method() != Method::HEAD {
            let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
            let allow = HeaderValue::from_static("GET, HEAD");
            response.headers_mut().insert(ALLOW, allow);
            return response;
        }
        let found = match self.name(request.uri().path()) {
            Some(name) => self.find(name).await,
            None => Ok(None),
        };
        let mut response = match found {
            Ok(Some(Found::Text(bytes))) => text(request.headers(), bytes),
            Ok(Some(Found::Tile(part))) => tile(part),
            Ok(None) => plain(StatusCode::NOT_FOUND, "not found\n"),
            // The reason names paths of this machine: it is the operator's, who finds it with `ledger fsck`.
            Err(_) => plain(
                StatusCode::INTERNAL_SERVER_ERROR,
                "this part of the log cannot be read\n",
            ),
        };
        if request.method() == Method::HEAD {
            *response.body_mut() = full("");
        }
        response
    }

    fn name<'a>(&self, path: &'a str) -> Option<&'a str> {
        path.strip_prefix(self.prefix.as_str())?.strip_prefix('/')
    }

    async fn find(&self, name: &str) -> Result<Option<Found>, Error> {
        let publication = self.publication.clone();
        let read = match name {
            CHECKPOINT => spawn_blocking(move || Ok(publication.checkpoint()?.map(Found::Text))),
            LOG_VKEY => spawn_blocking(move || Ok(publication.vkey_file()?.map(Found::Text))),
            _ => {
                let Ok(path) = name.parse::<TilePath>() else {
                    return Ok(None);
                };
                spawn_blocking(move || Ok(publication.open_tile(&path)?.map(Found::Tile)))
            }
        };
        read.await.unwrap_or_else(|e| {
            Err(Error::Io {
                act: "read",
                path: self.publication.dir().join(name),
                source: std::io::Error::other(e),
            })
        })
    }
}

impl Handler for Site {
    async fn answer(&self, request: Request<RequestBody>) -> Response<Body> {
        self.handle(&request).await
    }
}

fn text(request: &HeaderMap, bytes: Vec<u8>) -> Response<Body> {
    let tag = format!("\"{}\"", Digest::of(&bytes).hex());
    let known = request
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .map(str::trim)
        .any(|t| t == "*" || t.strip_prefix("W/").unwrap_or(t) == tag);
    let (status, bytes) = if known {
        (StatusCode::NOT_MODIFIED, Vec::new())
    } else {
        (StatusCode::OK, bytes)
    };
    let length = (!known).then_some(bytes.len() as u64);
    let mut response = respond(
        status,
        full(bytes),
        length,
        &[(CONTENT_TYPE, TEXT), (CACHE_CONTROL, FRESH)],
    );
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

fn tile(Part { file, length }: Part) -> Response<Body> {
    respond(
        StatusCode::OK,
        FileBody::new(file, length).boxed(),
        Some(length),
        &[(CONTENT_TYPE, BYTES), (CACHE_CONTROL, FOR_EVER)],
    )
}

/// A short text. Errors are not cached: a tile that is missing now may exist in a moment.
pub(crate) fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    respond(
        status,
        full(text),
        Some(text.len() as u64),
        &[(CONTENT_TYPE, TEXT), (CACHE_CONTROL, FRESH)],
    )
}

pub(crate) fn respond(
    status: StatusCode,
    body: Body,
    length: Option<u64>,
    headers: &[(HeaderName, &'static str)],
) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let map = response.headers_mut();
    for (name, value) in headers {
        map.insert(name, HeaderValue::from_static(value));
    }
    map.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    map.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(length) = length {
        map.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    response
}
