//! What is kept of a webhook: how far the ledger was looked at, what waits, what was given up.

use std::collections::VecDeque;
use std::fs::File;
use std::path::PathBuf;

use gonogo_core::{Reason, Span, Timestamp};
use gonogo_store::ledger::Filter;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::event;
use super::sending::Said;
use crate::config::WebhookFile;
use crate::{AppError, Workspace};

/// The schema of the file.
const SCHEMA: &str = "gonogo.notices.webhook.v1";

/// Notices that may wait for one webhook. Where there are so many the ledger is not read on; nothing is lost, it is told later.
const MOST_WAITING: usize = 1_000;

/// Notices that were given up and are kept to be sent again.
const MOST_GIVEN_UP: usize = 100;

/// A notice that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Waiting {
    /// The record's index.
    pub index: u64,
    /// How often it was sent.
    pub attempts: u32,
    /// When it is sent next.
    pub due: Timestamp,
    /// What came of it the last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
}

/// A notice that is not sent any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GivenUp {
    /// The record's index.
    pub index: u64,
    /// When.
    pub at: Timestamp,
    /// What came of it the last time.
    pub said: String,
}

/// Why a webhook is not served any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Stopped {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub why: String,
}

/// The file.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Kept {
    schema: String,
    /// The last record that was looked at.
    pub(super) looked_at: Option<u64>,
    pub(super) delivered: u64,
    pub(super) last: Option<Timestamp>,
    pub(super) waiting: VecDeque<Waiting>,
    pub(super) given_up: VecDeque<GivenUp>,
    pub(super) stopped: Option<Stopped>,
}

fn directory(ws: &Workspace) -> PathBuf {
    ws.state.join("webhooks")
}

fn path(ws: &Workspace, name: &str) -> PathBuf {
    directory(ws).join(format!("{name}.json"))
}

impl Kept {
    /// A webhook that hears of what is recorded from now on, in a ledger of so many records.
    pub(super) fn at_the_end(size: u64) -> Self {
        Self {
            looked_at: size.checked_sub(1),
            ..Self::default()
        }
    }

    /// Reads it; none if there is none yet.
    pub(super) fn read(ws: &Workspace, name: &str) -> Result<Option<Self>, AppError> {
        let path = path(ws, name);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(AppError::io("read", &path, &e)),
        };
        let damaged = |why: String| {
            let text = format!("`{}` cannot be read: {why}", path.display());
            AppError::new(Reason::InputMalformed, text)
                .hint("remove it: the webhook then begins with what is recorded from now on")
        };
        let kept: Self = serde_json::from_slice(&bytes).map_err(|e| damaged(e.to_string()))?;
        if kept.schema != SCHEMA {
            return Err(damaged(format!("its schema is `{}`", kept.schema)));
        }
        Ok(Some(kept))
    }

    /// Writes it, so that a crash leaves the old one or the new one.
    pub(super) fn write(&self, ws: &Workspace, name: &str) -> Result<(), AppError> {
        let path = path(ws, name);
        let kept = Self {
            schema: SCHEMA.into(),
            ..self.clone()
        };
        let bytes = serde_json::to_vec(&kept)
            .map_err(|e| AppError::new(Reason::Internal, e.to_string()))?;
        crate::workspace::write_atomic(&path, &bytes)
    }

    /// Looks at what was recorded since; returns whether anything changed.
    pub(super) fn look(&mut self, ws: &Workspace, webhook: &WebhookFile) -> Result<bool, AppError> {
        let mut changed = false;
        while self.waiting.len() < MOST_WAITING {
            let filter = Filter {
                after: self.looked_at,
                ..Filter::default()
            };
            let page = ws.ledger.records(&filter)?;
            if page.is_empty() {
                break;
            }
            for record in page {
                self.looked_at = Some(record.index);
                if event::wanted(webhook, &record.kind).is_some() {
                    self.waiting.push_back(Waiting {
                        index: record.index,
                        attempts: 0,
                        due: record.time,
                        said: None,
                    });
                }
            }
            changed = true;
        }
        Ok(changed)
    }

    /// Place of the notice that is due first; none if none is.
    pub(super) fn first_due(&self, now: Timestamp) -> Option<usize> {
        let due = self
            .waiting
            .iter()
            .enumerate()
            .filter(|(_, w)| w.due <= now);
        due.min_by_key(|(_, w)| (w.due, w.index)).map(|(at, _)| at)
    }

    /// Notes what came of the notice at this place.
    pub(super) fn note(&mut self, at: usize, said: Said, now: Timestamp) {
        let Some(mut waiting) = self.waiting.remove(at) else {
            return;
        };
        match said {
            Said::Taken => {
                self.delivered += 1;
                self.last = Some(now);
            }
            Said::Gone(why) => {
                waiting.said = Some(why.clone());
                waiting.due = now;
                self.waiting.push_front(waiting);
                self.stopped = Some(Stopped { at: now, why });
            }
            Said::Failed { text, not_before } => {
                waiting.attempts += 1;
                match super::pause(waiting.attempts) {
                    Some(pause) => {
                        waiting.due = now.after(pause.max(not_before.unwrap_or(Span::ZERO)));
                        waiting.said = Some(text);
                        self.waiting.push_back(waiting);
                    }
                    None => {
                        self.given_up.push_back(GivenUp {
                            index: waiting.index,
                            at: now,
                            said: text,
                        });
                        if self.given_up.len() > MOST_GIVEN_UP {
                            self.given_up.pop_front();
                        }
                    }
                }
            }
        }
    }

    /// Makes everything due, also what was given up.
    pub(super) fn again(&mut self, now: Timestamp) {
        self.stopped = None;
        let back = self.given_up.drain(..).map(|g| Waiting {
            index: g.index,
            attempts: 0,
            due: now,
            said: Some(g.said),
        });
        self.waiting.extend(back.collect::<Vec<_>>());
        for waiting in &mut self.waiting {
            waiting.due = now;
            waiting.attempts = 0;
        }
    }
}

/// Held by who sends to one webhook.
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes it, waiting for whoever has it; none if that takes longer.
    pub(super) fn wait(
        ws: &Workspace,
        name: &str,
        longest: Span,
    ) -> Result<Option<Self>, AppError> {
        const STEP: Span = Span::from_millis(50);
        let mut waited = Span::ZERO;
        loop {
            let taken = Self::take(ws, name)?;
            if taken.is_some() || waited >= longest {
                return Ok(taken);
            }
            std::thread::sleep(STEP.to_std());
            waited = waited.plus(STEP);
        }
    }

    /// Takes it; none if somebody else has it.
    pub(super) fn take(ws: &Workspace, name: &str) -> Result<Option<Self>, AppError> {
        let directory = directory(ws);
        std::fs::create_dir_all(&directory).map_err(|e| AppError::io("make", &directory, &e))?;
        let path = directory.join(format!("{name}.lock"));
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|e| AppError::io("open", &path, &e))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(std::fs::TryLockError::WouldBlock) => Ok(None),
            Err(std::fs::TryLockError::Error(e)) => Err(AppError::io("lock", &path, &e)),
        }
    }
}
