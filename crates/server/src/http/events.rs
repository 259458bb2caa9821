//! What happens, as it happens: the ledger's records as server-sent events (WHATWG HTML, section 9.2).
//!
//! An event's id is the record's index in the ledger, so whoever was cut off goes on behind the last one with `Last-Event-ID` and
//! misses nothing: events come from what was acknowledged, not from a queue that somebody keeps. A slow reader is waited for and holds
//! up nobody. Every page is asked for anew in the reader's name, so a token that was taken back ends its streams.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use gonogo_app::AppError;
use gonogo_app::doors::{self, Tool};
use gonogo_core::Reason;
use gonogo_core::envelope::Class;
use http_body_util::channel::{Channel, Sender};
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::reply::Reply;
use super::{Door, guard, request};
use crate::lanes::Call;

/// Readers at once.
const READERS: usize = 256;

/// How often it is looked whether the ledger has grown, while somebody reads.
const LOOK: Duration = Duration::from_millis(200);

/// After so much silence a comment says that the stream is alive.
const ALIVE: Duration = Duration::from_secs(15);

/// How long a reader may take for one event.
const SLOW: Duration = Duration::from_secs(60);

/// Records of one page.
const PAGE: u32 = 100;

/// What all readers share: how long the ledger is, places, and the end.
pub(crate) struct Feed {
    size: watch::Sender<u64>,
    places: Arc<Semaphore>,
    ended: watch::Receiver<bool>,
}

impl Feed {
    /// A feed whose streams end when `ended` says so.
    pub(crate) fn new(ended: watch::Receiver<bool>) -> Self {
        Self {
            size: watch::channel(0).0,
            places: Arc::new(Semaphore::new(READERS)),
            ended,
        }
    }

    /// Says when streams end.
    pub(crate) fn ended(&self) -> watch::Receiver<bool> {
        self.ended.clone()
    }

    /// How many read now.
    pub(crate) fn readers(&self) -> usize {
        self.size.receiver_count()
    }
}

/// Looks at the ledger's length while somebody reads, once for all of them; until the feed ends.
pub(crate) async fn look(door: Arc<Door>) {
    let mut ended = door.feed.ended.clone();
    while !*ended.borrow_and_update() {
        if door.feed.size.receiver_count() > 0 {
            let looking = Arc::clone(&door);
            let size = move || looking.lanes.project().root().ledger.size();
            // What cannot be read now is read the next time; a reader's own page says what is wrong.
            if let Ok(Ok(size)) = tokio::task::spawn_blocking(size).await {
                door.feed.size.send_if_modified(|known| {
                    let grown = *known != size;
                    *known = size;
                    grown
                });
            }
        }
        tokio::select! {
            _ = ended.changed() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

/// What a reader wants, and how far it has come.
struct Reading {
    tool: &'static Tool,
    parts: Parts,
    trace: String,
    stream: Option<String>,
    kind: Option<String>,
    /// The index behind which it goes on; none at the ledger's begin.
    after: Option<u64>,
}

/// `GET /v1/events?stream=&kind=&after=&from=`.
pub(super) async fn events(State(door): State<Arc<Door>>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let reply = Reply::to(&parts.headers, "events", Class::Read);
    let trace = reply.trace.clone();
    match begin(&door, parts, trace).await {
        Ok(response) => response,
        Err(e) => reply.fail(&e),
    }
}

async fn begin(door: &Arc<Door>, parts: Parts, trace: String) -> Result<Response, AppError> {
    guard::enter(door, &parts)?;
    request::trace(&parts.headers)?;
    request::acceptable(&parts.headers, "text/event-stream")?;
    let tool = doors::find("evidence_search")
        .ok_or_else(|| AppError::new(Reason::Internal, "no use case reads records"))?;
    let place = Arc::clone(&door.feed.places).try_acquire_owned();
    let place = place.map_err(|_| {
        AppError::new(
            Reason::Overloaded,
            format!("{READERS} readers follow already"),
        )
    })?;
    // Before the first page is read: what is added meanwhile is noticed.
    let grown = door.feed.size.subscribe();
    let mut reading = wanted(door, tool, parts, trace).await?;
    let first = reading.page(door).await?;
    if first.is_empty() {
        is_there(door, reading.after).await?;
    }
    if first.is_empty() && has_ended(door, &reading).await? {
        // Nothing will come: a browser asks again and again unless it is told so.
        let mut nothing = Response::new(Body::empty());
        *nothing.status_mut() = StatusCode::NO_CONTENT;
        return Ok(nothing);
    }
    let (sender, body) = Channel::new(1);
    tokio::spawn(feed(Arc::clone(door), reading, first, grown, sender, place));
    let mut response = Response::new(Body::new(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // A proxy that gathers would keep events back.
    headers.insert(
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    Ok(response)
}

/// Reads what is asked for.
async fn wanted(
    door: &Arc<Door>,
    tool: &'static Tool,
    parts: Parts,
    trace: String,
) -> Result<Reading, AppError> {
    let malformed = |text: &str| AppError::new(Reason::InputMalformed, text);
    let mut asked = request::query(tool, parts.uri.query().unwrap_or_default())?;
    let mut take = |name: &str| asked.as_object_mut().and_then(|map| map.remove(name));
    let text = |value: Option<Value>| value.and_then(|v| v.as_str().map(str::to_owned));
    let (stream, kind, from) = (text(take("stream")), text(take("kind")), text(take("from")));
    let after = take("after");
    if let Some(name) = asked.as_object().and_then(|map| map.keys().next()) {
        let name = super::reply::short(name);
        let text = format!("`{name}` is not known here; stream, kind, after and from are");
        return Err(malformed(&text));
    }
    let number = |value: &Value| {
        let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
        number.filter(|n| *n < 1 << 53)
    };
    let last = match parts.headers.get("last-event-id") {
        None => None,
        Some(id) => {
            let id = id.to_str().ok().and_then(|id| id.parse::<u64>().ok());
            let id = id.filter(|n| *n < 1 << 53);
            Some(id.ok_or_else(|| malformed("`Last-Event-ID` is no event's id"))?)
        }
    };
    let after = match after {
        None => None,
        Some(value) => {
            let text = "`after` must be the index of a record";
            Some(number(&value).ok_or_else(|| malformed(text))?)
        }
    };
    let begin = match from.as_deref() {
        Some("begin") => true,
        Some("now") => false,
        None => stream.is_some(),
        Some(_) => return Err(malformed("`from` must be `begin` or `now`")),
    };
    // Whoever was cut off has come further than where it first began.
    let after = match (last.or(after), begin) {
        (Some(after), _) => Some(after),
        (None, true) => None,
        (None, false) => size(door).await?.checked_sub(1),
    };
    Ok(Reading {
        tool,
        parts,
        trace,
        stream,
        kind,
        after,
    })
}

/// Refuses a place that the ledger does not have yet: what is told behind it would not be what the reader has not seen.
async fn is_there(door: &Arc<Door>, after: Option<u64>) -> Result<(), AppError> {
    let size = size(door).await?;
    match after.filter(|after| *after >= size) {
        None => Ok(()),
        Some(after) => {
            let text =
                format!("the ledger has no record {after}: it has {size} of them, from 0 on");
            Err(AppError::new(Reason::InputNotFound, text).hint(
                "begin anew, with `from=begin` or `from=now` and without it: the id is of another ledger",
            ))
        }
    }
}

/// How many records there are.
async fn size(door: &Arc<Door>) -> Result<u64, AppError> {
    let at = Arc::clone(door);
    let size = move || at.lanes.project().root().ledger.size();
    let size = tokio::task::spawn_blocking(size).await;
    Ok(size.map_err(|e| AppError::new(Reason::Internal, e.to_string()))??)
}

impl Reading {
    /// The records behind those that were read, in the reader's name as it is now.
    async fn page(&mut self, door: &Arc<Door>) -> Result<Vec<Value>, AppError> {
        let mut input = json!({ "limit": PAGE });
        let texts = [("stream", &self.stream), ("kind", &self.kind)];
        for (name, text) in texts {
            if let Some(text) = text {
                input[name] = json!(text);
            }
        }
        if let Some(after) = self.after {
            input["after"] = json!(after);
        }
        let call = Call {
            tool: self.tool,
            input,
            principal: guard::who(door, &self.parts)?,
            trace: self.trace.clone(),
            within: None,
            seen: None,
            once: None,
        };
        let mut done = door.lanes.call(call).await?;
        let records = match done.data["records"].take() {
            Value::Array(records) => records,
            _ => Vec::new(),
        };
        if let Some(last) = records.last().and_then(|r| r["index"].as_u64()) {
            self.after = Some(last);
        }
        Ok(records)
    }
}

/// Whether a stream is an operation's that has ended: nothing will be added to it.
async fn has_ended(door: &Arc<Door>, reading: &Reading) -> Result<bool, AppError> {
    let stream = reading.stream.as_deref().unwrap_or_default();
    let Some(Ok(id)) = stream.strip_prefix("operation/").map(str::parse) else {
        return Ok(false);
    };
    let door = Arc::clone(door);
    let look = move || door.lanes.project().root().store.operation(&id);
    let known = tokio::task::spawn_blocking(look).await;
    let known = known.map_err(|e| AppError::new(Reason::Internal, e.to_string()))?;
    Ok(known.is_ok_and(|o| o.terminal.is_some()))
}

/// Sends events until the reader goes, may not read any more, or the server ends.
async fn feed(
    door: Arc<Door>,
    mut reading: Reading,
    first: Vec<Value>,
    mut grown: watch::Receiver<u64>,
    mut sender: Sender<Bytes>,
    _place: OwnedSemaphorePermit,
) {
    let mut ended = door.feed.ended.clone();
    let mut records = first;
    loop {
        let full = records.len() == PAGE as usize;
        for record in records.drain(..) {
            if !send(&mut sender, event(&record)).await {
                return;
            }
        }
        // A full page may not have been the last one.
        let mut waits = !full;
        while waits {
            tokio::select! {
                changed = grown.changed() => match changed {
                    Ok(()) => waits = false,
                    Err(_) => return,
                },
                () = async { drop(ended.wait_for(|ended| *ended).await) } => return,
                () = tokio::time::sleep(ALIVE) => {
                    if !send(&mut sender, Bytes::from_static(b": alive\n\n")).await {
                        return;
                    }
                }
            }
        }
        match reading.page(&door).await {
            Ok(page) => records = page,
            // Too much at once, or not in time: the reader comes again behind the last event that it has.
            Err(e) => {
                send(&mut sender, failed(&e)).await;
                return;
            }
        }
    }
}

async fn send(sender: &mut Sender<Bytes>, bytes: Bytes) -> bool {
    let sent = tokio::time::timeout(SLOW, sender.send_data(bytes)).await;
    matches!(sent, Ok(Ok(())))
}

/// A record as an event. JSON has no line ends of its own, and kinds are words.
fn event(record: &Value) -> Bytes {
    let kind = record["kind"].as_str().unwrap_or_default();
    let kind: String = kind.chars().filter(|c| !c.is_control()).collect();
    Bytes::from(format!(
        "id: {}\nevent: {kind}\ndata: {record}\n\n",
        record["index"]
    ))
}

fn failed(error: &AppError) -> Bytes {
    let told = json!({"reasonCodes": [error.reason], "message": error.message});
    Bytes::from(format!("event: error\ndata: {told}\n\n"))
}
