//! A request that came with a key of its caller's is carried out once: the same again has the same answer, and another one under the same
//! key is a conflict. For use cases that take no such key in their input; those that do keep it themselves.
//!
//! Also where a process ended between its record and its answer: where a request is about to write is noted before it does (`Marks`), and a
//! use case that is carried out again asks first what it left (`Workspace::left`).

use std::time::Duration;

use gonogo_core::envelope::Class;
use gonogo_core::{Digest, Exit, Reason, canonical};
use gonogo_store::answers::{Answers, AnswersError, Stands};
use serde_json::{Value, json};

use super::desk::Done;
use super::tool::Tool;
use crate::access::Principal;
use crate::marks::Marks;
use crate::{AppError, Workspace};

/// How often it is looked whether somebody else has answered.
const LOOK: Duration = Duration::from_millis(20);

/// How long somebody waits for whoever carries the same request out.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a use case does with the header `Idempotency-Key`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    /// Nothing: it keeps nothing, or the key stands in what it carries.
    Nothing,
    /// The request is carried out once under it.
    Request,
    /// It is the key of its input: `idempotencyKey`.
    Input,
}

impl Reads {
    /// What this one does with it.
    pub fn of(tool: &Tool) -> Self {
        let facts = &tool.facts;
        let has = |fields: &Value| fields["properties"].get("idempotencyKey").is_some();
        // Of a dispatch it stands one deeper.
        let deeper = || has(&tool.input()["properties"]["input"]);
        match has(tool.input()) {
            true => Self::Input,
            false if facts.class == Class::Read || facts.keeps_nothing || deeper() => Self::Nothing,
            false => Self::Request,
        }
    }
}

/// A request with its key.
#[derive(Debug, Clone)]
pub struct Once {
    who: String,
    key: String,
    digest: String,
    /// Whether it goes on though the key cannot be noted: what takes back or holds back must work on a full disk.
    urgent: bool,
}

impl Once {
    /// The request of who asks, and for whom, under `key`; none for what keeps nothing, or takes the key itself.
    ///
    /// # Errors
    /// The input cannot be written.
    pub fn of(
        tool: &Tool,
        who: &Principal,
        key: &str,
        input: &Value,
    ) -> Result<Option<Self>, AppError> {
        let facts = &tool.facts;
        if Reads::of(tool) != Reads::Request {
            return Ok(None);
        }
        let all = canonical::to_vec(&json!([facts.name, input]))?;
        Ok(Some(Self {
            // The key of what was begun may come with everything that is asked of it: each use case has keys of its own.
            // An agent that asks for somebody else asks something else.
            who: match &who.acts_for {
                None => format!("{} {}", who.name, facts.name),
                Some(person) => format!("{} for {person} {}", who.name, facts.name),
            },
            key: key.to_owned(),
            digest: Digest::of(&all).hex(),
            urgent: facts.urgent,
        }))
    }

    /// The answer that it was given before, if it was.
    ///
    /// # Errors
    /// [`Reason::IdempotencyConflict`]; what is kept cannot be read.
    pub fn known(&self, ws: &Workspace) -> Result<Option<Done>, AppError> {
        let answers = Answers::of(&ws.state);
        let stands = answers.look(&self.who, &self.key, &self.digest);
        let stands = match stands {
            Err(_) if self.urgent => None,
            other => other.map_err(unkept)?,
        };
        match stands {
            Some(Stands::Answered(text)) => read(&text).map(Some),
            Some(Stands::Another) => Err(self.conflict("belongs to another request")),
            _ => Ok(None),
        }
    }

    /// Whether something of it stands in the ledger already, or all of it was answered: what it changed itself is no reason to refuse it.
    ///
    /// # Errors
    /// What is kept cannot be read.
    pub fn is_begun(&self, ws: &Workspace) -> Result<bool, AppError> {
        let answers = Answers::of(&ws.state);
        match answers.look(&self.who, &self.key, &self.digest) {
            Ok(Some(Stands::Answered(_))) => Ok(true),
            Ok(Some(Stands::UnderWay)) => Ok(!self.marks(ws)?.left(ws)?.is_empty()),
            Ok(_) => Ok(false),
            Err(_) if self.urgent => Ok(false),
            Err(e) => Err(unkept(e)),
        }
    }

    fn marks(&self, ws: &Workspace) -> Result<Marks, AppError> {
        Marks::of(&ws.state, &self.who, &self.key, self.urgent).map_err(unkept)
    }

    /// Carries it out, unless it was: then the answer is the one that was given.
    ///
    /// # Errors
    /// As `work`, which may be asked again then; [`Reason::IdempotencyConflict`].
    pub fn carry_out(
        &self,
        ws: &mut Workspace,
        work: impl FnOnce(&Workspace) -> Result<Done, AppError>,
    ) -> Result<Done, AppError> {
        let answers = Answers::of(&ws.state);
        let begin = ws.clock.now().mono_ms;
        loop {
            let now = ws.clock.now();
            let stands = answers.begin(&self.who, &self.key, &self.digest, now.wall);
            let stands = match stands {
                Err(_) if self.urgent => return work(ws),
                other => other.map_err(unkept)?,
            };
            match stands {
                Stands::Begun => break,
                Stands::Answered(text) => return read(&text),
                Stands::Another => return Err(self.conflict("belongs to another request")),
                Stands::UnderWay
                    if now.mono_ms.saturating_sub(begin) < PATIENCE.as_millis() as u64 =>
                {
                    std::thread::sleep(LOOK);
                }
                Stands::UnderWay => {
                    let error =
                        self.conflict("belongs to this request, which nobody has answered yet");
                    return Err(error.hint(
                        "ask again; what nobody carries out any more is taken up, at the latest after ten minutes",
                    ));
                }
            }
        }
        ws.marks = match self.marks(ws) {
            Ok(marks) => Some(marks),
            Err(_) if self.urgent => None,
            Err(e) => {
                drop(answers.end(&self.who, &self.key, None));
                return Err(e);
            }
        };
        let done = work(ws);
        let kept = match &done {
            Ok(done) => answers.end(&self.who, &self.key, Some(&written(done))),
            // Of what failed something may be recorded: that stays its.
            Err(_) if ws.marks.take().is_some_and(|m| m.may_be_recorded(ws)) => {
                answers.leave(&self.who, &self.key)
            }
            Err(_) => answers.end(&self.who, &self.key, None),
        };
        match done {
            // It is done either way; that it may not be known again is for whoever asks again.
            Ok(done) => Ok(done),
            Err(e) => Err(match kept {
                Ok(()) => e,
                Err(fault) => e.hint(format!("the key stays taken for a while: {fault}")),
            }),
        }
    }

    fn conflict(&self, what: &str) -> AppError {
        let text = format!("key `{}` {what}", self.key);
        AppError::new(Reason::IdempotencyConflict, text)
    }
}

fn unkept(e: AnswersError) -> AppError {
    AppError::new(Reason::StoreFailed, e.to_string())
}

fn written(done: &Done) -> String {
    json!({"data": done.data, "handle": done.handle, "exit": done.exit.code()}).to_string()
}

fn read(text: &str) -> Result<Done, AppError> {
    let unreadable = |why: String| {
        AppError::new(
            Reason::StoreFailed,
            format!("an answer that was kept: {why}"),
        )
    };
    let mut kept: Value = serde_json::from_str(text).map_err(|e| unreadable(e.to_string()))?;
    let exit = kept["exit"].as_u64().and_then(|n| u8::try_from(n).ok());
    let exit = exit.and_then(Exit::of_code);
    Ok(Done {
        handle: serde_json::from_value(kept["handle"].take())
            .map_err(|e| unreadable(e.to_string()))?,
        exit: exit.ok_or_else(|| unreadable("it ended as nothing does".into()))?,
        data: kept["data"].take(),
    })
}
