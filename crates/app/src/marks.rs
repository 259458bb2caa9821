//! Where a request that came with a key writes, noted before it does: where its process ends between the record and the answer, whoever
//! carries it out again finds the record and does not write another.

use std::path::{Path, PathBuf};

use gonogo_core::{Digest, Reason, canonical};
use gonogo_store::answers::{Answers, AnswersError, Place};
use gonogo_store::ledger::{Draft, LedgerError, Receipt, RecordView};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{AppError, Workspace};

/// Where a request under a key writes, noted before it does.
pub(crate) struct Marks {
    answers: Answers,
    who: String,
    key: String,
    /// Whether it writes though that cannot be noted.
    urgent: bool,
    /// Where whoever carried it out before was about to write.
    places: Vec<Place>,
}

impl Marks {
    /// What the request of `who` under `key` was about to write so far.
    ///
    /// # Errors
    /// [`AnswersError`].
    pub(crate) fn of(
        state: &Path,
        who: &str,
        key: &str,
        urgent: bool,
    ) -> Result<Self, AnswersError> {
        let answers = Answers::of(state);
        let places = answers.places(who, key)?;
        Ok(Self {
            answers,
            who: who.to_owned(),
            key: key.to_owned(),
            urgent,
            places,
        })
    }

    /// Notes where these are about to be written.
    ///
    /// # Errors
    /// [`LedgerError::Io`]; nothing must be written then.
    pub(crate) fn note(&self, drafts: &[Draft]) -> Result<(), LedgerError> {
        let places: Result<Vec<Place>, _> = drafts.iter().map(place).collect();
        let places = places.map_err(|e| unnoted("answers.db".into(), e.to_string()))?;
        self.write(&places)
    }

    fn write(&self, places: &[Place]) -> Result<(), LedgerError> {
        match self.answers.note(&self.who, &self.key, places) {
            Err(_) if self.urgent => Ok(()),
            other => other.map_err(|e| unnoted(e.path, e.text)),
        }
    }

    /// What whoever carried it out before has written, in that order.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub(crate) fn left(&self, ws: &Workspace) -> Result<Vec<RecordView>, AppError> {
        let mut left = Vec::new();
        for place in self.places.iter().filter(|p| !p.content.is_empty()) {
            let Some(record) = ws.ledger.record_of(&place.stream, &place.key)? else {
                continue;
            };
            // The place may have been taken by somebody else before.
            if content(&record.body)? == place.content {
                left.push(record);
            }
        }
        Ok(left)
    }

    /// Whether something of it is recorded, as far as that can be seen.
    pub(crate) fn may_be_recorded(mut self, ws: &Workspace) -> bool {
        self.places = match self.answers.places(&self.who, &self.key) {
            Ok(places) => places,
            Err(_) => return true,
        };
        self.left(ws).map_or(true, |left| !left.is_empty())
    }
}

impl Workspace {
    /// Appends what a use case is for. Where the request came with a key, it is noted first where: whoever carries it out again finds it.
    ///
    /// # Errors
    /// As the ledger.
    pub(crate) fn append(&self, drafts: Vec<Draft>) -> Result<Vec<Receipt>, LedgerError> {
        if let Some(marks) = &self.marks {
            marks.note(&drafts)?;
        }
        self.ledger.append(drafts)
    }

    /// The first record of this kind that the request wrote before, where whoever carried it out was cut off: then it is done.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub(crate) fn left(&self, kind: &str) -> Result<Option<RecordView>, AppError> {
        Ok(self.all_left()?.into_iter().find(|r| r.kind == kind))
    }

    /// Every record that the request wrote before, where whoever carried it out was cut off.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub(crate) fn all_left(&self) -> Result<Vec<RecordView>, AppError> {
        let left = self.marks.as_ref().map(|m| m.left(self)).transpose()?;
        Ok(left.unwrap_or_default())
    }

    /// Notes something that is about to be done and is no record of this request's own.
    ///
    /// # Errors
    /// As [`Self::append`]; it must not be done then.
    pub(crate) fn intend(&self, what: &str, about: &str) -> Result<(), LedgerError> {
        let place = Place {
            stream: what.to_owned(),
            key: about.to_owned(),
            content: String::new(),
        };
        let noted = self.marks.as_ref().map(|m| m.write(&[place]));
        noted.unwrap_or(Ok(()))
    }

    /// What the request was about to do so, before it was cut off.
    pub(crate) fn intended(&self, what: &str) -> Vec<String> {
        let places = self.marks.iter().flat_map(|m| &m.places);
        let intended = places.filter(|p| p.content.is_empty() && p.stream == what);
        intended.map(|p| p.key.clone()).collect()
    }

    /// What [`Self::left`] says, at `pointer` of its body.
    ///
    /// # Errors
    /// The ledger cannot be read; [`Reason::LedgerCorrupt`] if nothing of that form is there.
    pub(crate) fn left_as<T: DeserializeOwned>(
        &self,
        kind: &str,
        pointer: &str,
    ) -> Result<Option<T>, AppError> {
        let Some(record) = self.left(kind)? else {
            return Ok(None);
        };
        let said = record.body.pointer(pointer).cloned().unwrap_or_default();
        serde_json::from_value(said).map(Some).map_err(|e| {
            let text = format!("record {} of this request: {e}", record.index);
            AppError::new(Reason::LedgerCorrupt, text)
        })
    }
}

fn unnoted(path: PathBuf, text: String) -> LedgerError {
    LedgerError::Io {
        action: "note a request",
        path,
        text,
    }
}

fn place(draft: &Draft) -> Result<Place, AppError> {
    Ok(Place {
        stream: draft.stream.clone(),
        key: draft.key.clone(),
        content: content(&draft.body)?,
    })
}

fn content(body: &Value) -> Result<String, AppError> {
    Ok(Digest::of(&canonical::to_vec(body)?).hex())
}
