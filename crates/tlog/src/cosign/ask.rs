//! One request to one witness, and what its answer means. Everything in the answer is a claim.

use bytes::Bytes;
use gonogo_core::Digest;
use gonogo_ledger::merkle::verify_consistency;
use gonogo_ledger::witness::{AddCheckpoint, origin_hash};
use gonogo_ledger::{Checkpoint, Note, Vkey};
use http::{Method, Request, Response};
use tokio::time::Instant;

use super::Outcome;
use crate::publication::MAX_CHECKPOINT;
use gonogo_outbound::{Client, NoAnswer};

/// The longest answer, in bytes.
const MAX_ANSWER: usize = MAX_CHECKPOINT as usize;

/// How much of a witness's words is passed on, in characters.
const WORDS: usize = 200;

pub(super) struct Question {
    pub(super) client: Client,
    pub(super) url: String,
    pub(super) log: Vkey,
    pub(super) ours: Checkpoint,
    pub(super) note: String,
    pub(super) old: u64,
    pub(super) path: Vec<Digest>,
    /// Whether it was asked before: then another size in its answer is not followed any more.
    pub(super) again: bool,
    pub(super) deadline: Instant,
}

pub(super) enum Asked {
    /// Status 200, with this body.
    Lines(String),
    /// It cosigned this size last, not the one that we named.
    Knows(u64),
    Ended(Outcome),
}

impl Question {
    pub(super) async fn ask(self) -> Asked {
        let body = AddCheckpoint {
            old: self.old,
            path: self.path.clone(),
            note: self.note.clone(),
        };
        let url = format!("{}/add-checkpoint", self.url);
        let body = Bytes::from(body.to_text());
        let response = match self.send(Method::POST, &url, body).await {
            Ok(response) => response,
            Err(outcome) => return Asked::Ended(outcome),
        };
        let status = response.status().as_u16();
        let size = (status == 409).then(|| told_size(&response)).flatten();
        let body = response.into_body();
        match (status, size) {
            (200, _) => match String::from_utf8(body.into()) {
                Ok(lines) => Asked::Lines(lines),
                Err(_) => Asked::Ended(Outcome::Unusable("its answer is not UTF-8".into())),
            },
            (409, Some(size)) if size > self.ours.size => {
                let proof = self.proof(|known| known.size > self.ours.size).await;
                Asked::Ended(Outcome::Ahead { size, proof })
            }
            (409, Some(size)) if size == self.old && size == self.ours.size => {
                let fork = |known: &Checkpoint| known.size == size && known.root != self.ours.root;
                let proof = self.proof(fork).await;
                Asked::Ended(Outcome::Fork { size, proof })
            }
            (409, Some(size)) if size != self.old && !self.again => Asked::Knows(size),
            (422, _) => Asked::Ended(self.unproven(&body).await),
            _ => Asked::Ended(Outcome::Refused {
                status,
                text: words(&body),
            }),
        }
    }

    /// Our proof does not convince it: either it lies, or what it cosigned is not what our tree began with.
    async fn unproven(&self, body: &[u8]) -> Outcome {
        let (old, new) = (self.old, &self.ours);
        let differs = |known: &Checkpoint| {
            let shown = verify_consistency(old, &known.root, new.size, &new.root, &self.path);
            known.size == old && shown.is_err()
        };
        match self.proof(differs).await {
            None => Outcome::Refused {
                status: 422,
                text: words(body),
            },
            proof => Outcome::Fork { size: old, proof },
        }
    }

    /// Fetches what the witness cosigned last. Only our own log's signature makes it a proof; the witness's is not asked for.
    async fn proof(&self, contradicts: impl Fn(&Checkpoint) -> bool) -> Option<String> {
        let url = format!("{}/{}/checkpoint", self.url, origin_hash(&self.ours.origin));
        let response = self.send(Method::GET, &url, Bytes::new()).await.ok()?;
        let note = String::from_utf8(response.into_body().into()).ok()?;
        let known = Checkpoint::open_foreign(&Note::parse(&note).ok()?, &self.log).ok()?;
        contradicts(&known).then_some(note)
    }

    async fn send(
        &self,
        method: Method,
        url: &str,
        body: Bytes,
    ) -> Result<Response<Bytes>, Outcome> {
        let request = Request::builder()
            .method(method)
            .uri(url)
            .header(http::header::CONTENT_TYPE, "text/plain; charset=utf-8")
            .body(body)
            .map_err(|e| Outcome::Unusable(format!("`{url}` is no address: {e}")))?;
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Outcome::Silent("the time was over".into()));
        }
        self.client
            .send(request, MAX_ANSWER, left)
            .await
            .map_err(|e| match e {
                NoAnswer::TooLarge(_) | NoAnswer::Unsupported(_) => {
                    Outcome::Unusable(e.to_string())
                }
                e => Outcome::Silent(e.to_string()),
            })
    }
}

/// The size in a 409: `text/x.tlog.size`, a decimal number and a newline.
fn told_size(response: &Response<Bytes>) -> Option<u64> {
    let kind = response.headers().get(http::header::CONTENT_TYPE)?;
    if kind.to_str().ok()?.split(';').next()?.trim() != "text/x.tlog.size" {
        return None;
    }
    let text = std::str::from_utf8(response.body()).ok()?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    let canonical = !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'));
    canonical.then(|| text.parse().ok()).flatten()
}

/// The beginning of a stranger's words, fit to be shown on a terminal.
fn words(body: &[u8]) -> String {
    let body = String::from_utf8_lossy(body);
    let begin: String = body.chars().take(WORDS).collect();
    begin.trim().escape_debug().to_string()
}
