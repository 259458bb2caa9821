//! One exchange while playing: the recorded answer to a recorded request, and 599 with the reason to any other.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::{Arc, Mutex};

use http::header::{CONTENT_LENGTH, HeaderValue};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::body::{Played, Sent, Source, chain, full};
use crate::cassette::{Response as Recorded, Tape, map_of};
use crate::coding::{Coding, decode};
use crate::door::own;
use crate::draft::locked;
use crate::error::Error;
use crate::fields;
use crate::matching::{Asked, Rules, distance};
use crate::record::bodyless;
use crate::recorder::Shared;
use crate::redact::{Redactor, Secrets, Tally, apply};
use crate::report::{Mismatch, Told};

/// Bodies up to this are read as they come; of larger ones one at a time.
const SMALL: usize = 1 << 20;
/// Recorded requests that are looked at for the nearest.
const LOOKED_AT: usize = 2_000;

/// A cassette that is played.
pub(crate) struct Player {
    pub(crate) tape: Tape,
    known: Vec<Asked>,
    /// By method and URL.
    index: BTreeMap<(String, String), Vec<usize>>,
    used: Mutex<Vec<u64>>,
    large: Semaphore,
}

impl Player {
    pub(crate) fn new(
        tape: Tape,
        rules: &Rules,
        redactor: &Redactor,
        limit: u64,
    ) -> Result<Self, Error> {
        let (mut known, mut index) = (Vec::new(), BTreeMap::<_, Vec<usize>>::new());
        let none = Secrets::default();
        let mut tally = Tally::new();
        for (n, interaction) in tape.cassette.interactions.iter().enumerate() {
            let request = &interaction.request;
            let invalid = |e: std::io::Error| Error::Invalid {
                path: tape.path.clone(),
                why: format!("/interactions/{n}/request/body: {e}"),
            };
            let body = tape.body(request.body.as_ref(), limit).map_err(invalid)?;
            // A cassette that was written by hand is compared in the same form as what comes.
            let content_type = crate::cassette::value_of(&request.headers, "content-type");
            let body = apply(
                &body,
                &redactor.edits(&body, content_type, &none),
                &mut tally,
            );
            let url = redactor.url(&request.url, &none, &mut tally);
            let headers = redactor.fields(&map_of(&request.headers), &none, &mut tally);
            let asked = rules.asked(&request.method, url, headers, &body);
            index
                .entry((asked.method.clone(), asked.url.clone()))
                .or_default()
                .push(n);
            known.push(asked);
        }
        let used = Mutex::new(vec![0; known.len()]);
        Ok(Self {
            tape,
            known,
            index,
            used,
            large: Semaphore::new(1),
        })
    }

    /// How often each exchange was played.
    pub(crate) fn used(&self) -> Vec<u64> {
        locked(&self.used).clone()
    }

    pub(crate) fn told(&self, n: usize) -> Told {
        let request = &self.tape.cassette.interactions[n].request;
        Told {
            index: n as u64,
            method: request.method.clone(),
            url: request.url.chars().take(500).collect(),
        }
    }

    /// Takes the first exchange of this request that may still be used.
    fn find(&self, came: &Asked, rules: &Rules) -> Option<usize> {
        let key = (came.method.clone(), came.url.clone());
        let candidates = self.index.get(&key)?;
        let mut used = locked(&self.used);
        let same = |n: &&usize| rules.differences(&self.known[**n], came).is_empty();
        let repeats = |n: usize| self.tape.cassette.interactions[n].repeat;
        let fresh = candidates.iter().filter(|n| used[**n] == 0).find(same);
        // Of those that repeat the last stays: what was recorded before it was to be seen once.
        let n = fresh.or_else(|| candidates.iter().rev().filter(|n| repeats(**n)).find(same));
        let n = *n?;
        used[n] += 1;
        Some(n)
    }

    fn mismatch(&self, came: &Asked, rules: &Rules) -> Mismatch {
        let near = |n: usize| {
            let differences = rules.differences(&self.known[n], came);
            (distance(&differences), n, differences)
        };
        // Those of the same URL first: a long cassette is not compared whole for each request.
        let key = (came.method.clone(), came.url.clone());
        let same = self.index.get(&key).into_iter().flatten().copied();
        let others = 0..self.known.len();
        let nearest = same
            .chain(others)
            .take(LOOKED_AT)
            .map(near)
            .min_by_key(|(distance, n, _)| (*distance, *n));
        let (nearest, differences) = match nearest {
            Some((0, n, _)) => {
                let text = "all recorded exchanges of this request were used; one that may come more often is declared `repeat`";
                (Some(self.told(n)), vec![text.to_owned()])
            }
            Some((_, n, differences)) => {
                let words = differences.iter();
                let words = words.map(|d| format!("{:?}: {}", d.what, d.text).to_lowercase_first());
                (Some(self.told(n)), words.collect())
            }
            None => (None, Vec::new()),
        };
        Mismatch {
            method: came.method.clone(),
            url: came.url.chars().take(2000).collect(),
            body: came.hash.clone(),
            nearest,
            differences,
        }
    }
}

trait LowercaseFirst {
    fn to_lowercase_first(self) -> String;
}

impl LowercaseFirst for String {
    fn to_lowercase_first(self) -> String {
        let mut chars = self.chars();
        let first = chars.next().map(|c| c.to_ascii_lowercase());
        first.into_iter().chain(chars).collect()
    }
}

/// Answers from the cassette.
pub(crate) async fn answer(
    request: Request<Incoming>,
    url: &Uri,
    player: &Player,
    shared: &Arc<Shared>,
) -> Response<Sent> {
    let (mut head, body) = request.into_parts();
    let address = url.to_string();
    shared.learn(&address, &head.headers);
    let secrets = shared.known();
    let limit = shared.settings.limits.body;
    let body = match collect(body, limit, player, shared).await {
        Ok(body) => body,
        Err(why) => return shared.refuse(StatusCode::BAD_REQUEST, format!("its body: {why}")),
    };
    let coding = Coding::of(&head.headers);
    let length = body.len();
    let body = match decode(&coding, body, vec![(length, 0)], limit) {
        Ok((body, _)) => body,
        Err(e) => {
            return shared.refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("its body: {e}"));
        }
    };
    fields::strip(&mut head.headers);
    let content_type = head
        .headers
        .get("content-type")
        .and_then(|v| v.to_str().ok());
    let mut tally = Tally::new();
    let edits = shared.redactor.edits(&body, content_type, &secrets);
    let body = apply(&body, &edits, &mut tally);
    let url = shared.redactor.url(&address, &secrets, &mut tally);
    let headers = shared.redactor.fields(&head.headers, &secrets, &mut tally);
    shared.count(&tally);
    let came = shared
        .rules
        .asked(head.method.as_str(), url, headers, &body);
    drop(body);
    match player.find(&came, &shared.rules) {
        Some(n) => play(player, n, &head.method, shared),
        None => {
            let mismatch = player.mismatch(&came, &shared.rules);
            let body = json!({
                "schema": "gonogo.suite.recording-answer.v1",
                "code": "RECORDING_MISMATCH",
                "text": "this request is not in the recording, or was used up",
                "came": {"method": mismatch.method, "url": mismatch.url, "body": mismatch.body},
                "nearest": mismatch.nearest,
                "differences": mismatch.differences,
                "recorded": player.known.len(),
            });
            shared.note_mismatch(mismatch);
            let status = StatusCode::from_u16(599).unwrap_or(StatusCode::BAD_GATEWAY);
            own(status, &body)
        }
    }
}

async fn collect(
    mut body: Incoming,
    limit: u64,
    player: &Player,
    shared: &Shared,
) -> Result<Vec<u8>, String> {
    let idle = shared.settings.limits.idle.to_std();
    let (mut bytes, mut turn) = (Vec::new(), None);
    loop {
        let frame = match timeout(idle, body.frame()).await {
            Err(_) => return Err(format!("silence for {idle:?}")),
            Ok(None) => return Ok(bytes),
            Ok(Some(Err(e))) => return Err(chain(&e)),
            Ok(Some(Ok(frame))) => frame,
        };
        let Some(data) = frame.data_ref() else {
            continue;
        };
        if (bytes.len() + data.len()) as u64 > limit {
            return Err(format!("longer than {limit} bytes"));
        }
        if turn.is_none() && bytes.len() + data.len() > SMALL {
            turn = player.large.acquire().await.ok();
        }
        bytes.extend_from_slice(data);
    }
}

fn play(player: &Player, n: usize, method: &Method, shared: &Shared) -> Response<Sent> {
    let recorded = &player.tape.cassette.interactions[n].response;
    let status = StatusCode::from_u16(recorded.status).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut headers = map_of(&recorded.headers);
    // A pause in a hand-written cassette is no longer than the silence of a real service may be.
    let most = shared.settings.limits.idle.as_millis();
    let timing = shared.settings.timing.then_some(most);
    let body = match body_of(player, recorded, timing) {
        Ok(body) => body,
        Err(e) => {
            let text = format!("the cassette's blob cannot be read any more: {e}");
            return shared.refuse(StatusCode::INTERNAL_SERVER_ERROR, text);
        }
    };
    let body = match body {
        _ if bodyless(method, status) => full(""),
        Whole::Empty => full(""),
        Whole::One(bytes) => full(bytes),
        Whole::Length(length, body) => {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
            body.boxed_unsync()
        }
        Whole::Stream(body) => body.boxed_unsync(),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// A recorded body, by how its end is told.
enum Whole {
    Empty,
    One(Vec<u8>),
    Length(u64, Played),
    Stream(Played),
}

fn body_of(player: &Player, recorded: &Recorded, timing: Option<u64>) -> std::io::Result<Whole> {
    let trailers = map_of(&recorded.trailers);
    let stream = recorded.cut || !trailers.is_empty();
    let played = |source| Played::new(source, timing, trailers.clone(), recorded.cut);
    let Some(body) = &recorded.body else {
        return Ok(if stream {
            Whole::Stream(played(Source::Pieces(Vec::new().into_iter())))
        } else {
            Whole::Empty
        });
    };
    if let Some(blob) = &body.blob {
        let file = File::open(player.tape.blob_path(blob))?;
        let mut last = 0;
        let mut pieces: Vec<(u64, u64)> = Vec::with_capacity(blob.chunks.len());
        for (end, ms) in &blob.chunks {
            pieces.push((end - last, *ms));
            last = *end;
        }
        if pieces.is_empty() {
            let body = played(Source::File(file, vec![(blob.bytes, 0)].into_iter()));
            return Ok(if stream {
                Whole::Stream(body)
            } else {
                Whole::Length(blob.bytes, body)
            });
        }
        return Ok(Whole::Stream(played(Source::File(
            file,
            pieces.into_iter(),
        ))));
    }
    let chunks = body.chunks.as_deref().unwrap_or_default();
    match chunks {
        [one] if !stream && one.after_ms == 0 => Ok(Whole::One(one.bytes())),
        _ => {
            let pieces: Vec<_> = chunks.iter().map(|c| (c.bytes(), c.after_ms)).collect();
            Ok(Whole::Stream(played(Source::Pieces(pieces.into_iter()))))
        }
    }
}
