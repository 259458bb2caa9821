//! Objectives as people state them: `NAME=STATUS[:NOTE]`.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Status;

/// Something that the run was to show, and whether it did, in somebody's judgement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Objective {
    /// What.
    pub name: String,
    /// Whether.
    pub status: Status,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Words for each status, in any case.
const WORDS: [(Status, &[&str]); 3] = [
    (Status::Pass, &["pass", "ok", "ready", "go", "success"]),
    (Status::Warn, &["warn", "warning", "at_risk", "yellow"]),
    (
        Status::Fail,
        &["fail", "failed", "block", "blocked", "no", "stop", "red"],
    ),
];

/// An objective that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ObjectiveError {
    /// No `=`.
    #[error(
        "objective `{0}` states no status; write NAME=STATUS or NAME=STATUS:NOTE, such as `latency=pass:p99 under 40 ms`"
    )]
    NoStatus(String),
    /// No name.
    #[error("objective `{0}` has no name; write NAME=STATUS[:NOTE]")]
    NoName(String),
    /// A status that is none of the words.
    #[error(
        "objective `{name}` has the status `{word}`, which is none of: pass, ok, ready, go, success; warn, warning, at_risk, yellow; fail, failed, block, blocked, no, stop, red"
    )]
    Word {
        /// The objective.
        name: String,
        /// What stands where a status should.
        word: String,
    },
}

impl FromStr for Objective {
    type Err = ObjectiveError;

    fn from_str(text: &str) -> Result<Self, ObjectiveError> {
        let shown = |text: &str| super::escape::shortened(text.trim(), 80);
        let Some((name, rest)) = text.split_once('=') else {
            return Err(ObjectiveError::NoStatus(shown(text)));
        };
        let name = name.trim();
        if name.is_empty() {
            return Err(ObjectiveError::NoName(shown(text)));
        }
        let (word, note) = match rest.split_once(':') {
            Some((word, note)) => (word, Some(note.trim()).filter(|note| !note.is_empty())),
            None => (rest, None),
        };
        let lower = word.trim().to_ascii_lowercase();
        let status = WORDS
            .iter()
            .find(|(_, words)| words.contains(&lower.as_str()))
            .map(|(status, _)| *status)
            .ok_or_else(|| ObjectiveError::Word {
                name: shown(name),
                word: shown(word),
            })?;
        Ok(Self {
            name: name.to_owned(),
            status,
            note: note.map(str::to_owned),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_the_runbooks_is_understood() {
        for (status, words) in WORDS {
            for word in words {
                for spelling in [(*word).to_owned(), word.to_uppercase(), format!(" {word} ")] {
                    let objective: Objective = format!("uptime={spelling}").parse().unwrap();
                    assert_eq!(objective.status, status, "{spelling}");
                }
            }
        }
    }

    #[test]
    fn the_note_may_hold_anything() {
        let objective: Objective = " p99 = ready : under 40 ms: a=b ".parse().unwrap();
        assert_eq!(objective.name, "p99");
        assert_eq!(objective.status, Status::Pass);
        assert_eq!(objective.note.as_deref(), Some("under 40 ms: a=b"));
        assert_eq!("x=go:".parse::<Objective>().unwrap().note, None);
    }

    #[test]
    fn errors_name_the_objective_and_the_way_out() {
        assert_eq!(
            "latency".parse::<Objective>(),
            Err(ObjectiveError::NoStatus("latency".to_owned()))
        );
        assert!(matches!(
            "=pass".parse::<Objective>(),
            Err(ObjectiveError::NoName(_))
        ));
        let error = "latency=maybe:x"
            .parse::<Objective>()
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("`latency`") && error.contains("`maybe`") && error.contains("at_risk"),
            "{error}"
        );
        // An empty status is no status: nothing defaults to a pass.
        assert!("latency=".parse::<Objective>().is_err());
    }
}
