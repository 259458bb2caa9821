//! Asks the witnesses of a policy to cosign a checkpoint of ours, and believes none of them.
//!
//! All are asked at the same time, each over its `add-checkpoint` (c2sp.org/tlog-witness). What comes back counts only if it verifies under
//! the policy's key over our text with a time that can be true.
//!
//! Invariants: no request leaves after the deadline or after the call has returned. A witness that knows more of our log than we do is
//! never argued with: it is [`Outcome::Ahead`], with the proof if it has one. What a witness claims changes nothing that we sign.

mod ask;
mod recall;

use std::time::Duration;

use gonogo_core::Digest;
use gonogo_ledger::policy::{Policy, Quorum};
use gonogo_ledger::{Note, Vkey, cosignature};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::error::Error;
use ask::Asked;
use gonogo_outbound::Client;
pub use recall::{Recall, Sizes};

/// How long witnesses may take, and what times are believed.
#[derive(Debug, Clone)]
pub struct Terms {
    /// For everything.
    pub deadline: Duration,
    /// How much longer to wait for the others once the quorum is met.
    pub linger: Duration,
    /// How old a cosignature may be, in seconds. A replayed one bounds nothing.
    pub oldest: u64,
    /// How far in the future one may be, in seconds: clocks differ.
    pub newest: u64,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(1),
            linger: Duration::from_millis(100),
            oldest: 3600,
            newest: 300,
        }
    }
}

/// What came of asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosigned {
    /// The note with every good cosignature, in the policy's order.
    pub note: String,
    /// What the policy's quorum says of it.
    pub quorum: Quorum,
    /// Each witness of the policy by its name, in the policy's order.
    pub witnesses: Vec<(String, Outcome)>,
}

/// What came of asking one witness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It cosigned.
    Cosigned {
        /// When, by its clock, in seconds since 1970.
        time: u64,
        /// The larger size that it had cosigned before and no longer knows: its memory was set back. For its operator.
        forgot: Option<u64>,
    },
    /// The note carried its cosignature already.
    Already {
        /// When, in seconds since 1970.
        time: u64,
    },
    /// The policy gives no address for it.
    NoAddress,
    /// It knows a larger tree of this log: the log was rolled back, or is served from an old copy. Stop, and find out which. Without a
    /// proof it may be the witness that lies.
    Ahead {
        /// The size that it claims.
        size: u64,
        /// A checkpoint of more leaves than ours with our own log's good signature.
        proof: Option<String>,
    },
    /// It holds another tree of the same size, or one that ours does not extend: the log has forked. Without a proof it may be the witness that lies.
    Fork {
        /// The size.
        size: u64,
        /// A checkpoint of that size that contradicts ours, with our own log's good signature.
        proof: Option<String>,
    },
    /// It answered with a status that says no.
    Refused {
        /// The status.
        status: u16,
        /// The beginning of its words.
        text: String,
    },
    /// Its answer cannot be used.
    Unusable(String),
    /// It was not reached, or not in time.
    Silent(String),
}

impl Outcome {
    /// Returns whether the log must stop until a person has looked: its own signature proves that it went back or forked.
    #[must_use]
    pub const fn is_hard_stop(&self) -> bool {
        matches!(
            self,
            Self::Ahead { proof: Some(_), .. } | Self::Fork { proof: Some(_), .. }
        )
    }
}

/// Asks every witness of `policy` that has an address and has not cosigned `note` yet.
///
/// `prove` gives the consistency proof from an old size to the note's. `recall` knows what each witness cosigned last and is told what it
/// cosigned now. `now` is the time in seconds since 1970. Needs a tokio runtime with IO and time.
///
/// # Errors
/// [`Error::Ledger`] if `note` is not a checkpoint of a log of the policy. No witness can cause an error.
pub async fn cosign<P, E>(
    client: &Client,
    policy: &Policy,
    note: &str,
    mut prove: P,
    recall: &mut dyn Recall,
    now: u64,
    terms: &Terms,
) -> Result<Cosigned, Error>
where
    P: FnMut(u64) -> Result<Vec<Digest>, E>,
    E: std::fmt::Display,
{
    let deadline = Instant::now() + terms.deadline;
    let (checkpoint, log, _) = policy.open(note)?;
    let parsed = Note::parse(note)?;
    let mut outcomes = vec![Outcome::NoAddress; policy.witnesses().len()];
    let mut lines: Vec<Option<String>> = vec![None; outcomes.len()];
    let mut asked: JoinSet<(usize, u64, Asked)> = JoinSet::new();
    let mut remembered = Vec::with_capacity(outcomes.len());
    let mut begin = |asked: &mut JoinSet<_>, at: usize, old: u64, again: bool| {
        let witness = &policy.witnesses()[at];
        let Some(url) = &witness.url else {
            return Outcome::NoAddress;
        };
        let path = match prove(old) {
            Ok(path) => path,
            Err(e) => return Outcome::Unusable(format!("no proof from size {old}: {e}")),
        };
        let question = ask::Question {
            client: client.clone(),
            url: url.trim_end_matches('/').to_owned(),
            log: log.clone(),
            ours: checkpoint.clone(),
            note: note.to_owned(),
            old,
            path,
            again,
            deadline,
        };
        asked.spawn(async move { (at, old, question.ask().await) });
        Outcome::Silent(format!("no answer within {:?}", terms.deadline))
    };
    for (at, witness) in policy.witnesses().iter().enumerate() {
        let last = recall.last(&checkpoint.origin, &witness.vkey);
        remembered.push(last);
        outcomes[at] = match cosignature::find(&parsed, &witness.vkey) {
            Ok(Some(time)) => Outcome::Already { time },
            Err(e) => Outcome::Unusable(format!("the note carries a bad cosignature: {e}")),
            // It told us of a larger tree with its own signature. Asking it again would say the same, at best.
            Ok(None) if last > checkpoint.size => begin(&mut asked, at, checkpoint.size, true),
            Ok(None) => begin(&mut asked, at, last, false),
        };
    }
    let mut until = deadline;
    let mut lingering = false;
    loop {
        let answered = tokio::select! {
            biased;
            answered = asked.join_next() => answered,
            () = sleep_until(until) => break,
        };
        let Some(answered) = answered else { break };
        let Ok((at, old, answered)) = answered else {
            continue;
        };
        let witness = &policy.witnesses()[at];
        outcomes[at] = match answered {
            Asked::Knows(size) if Instant::now() < deadline => begin(&mut asked, at, size, true),
            Asked::Knows(size) => {
                Outcome::Silent(format!("it knows size {size}; no time to go on"))
            }
            Asked::Lines(body) => match acceptable(&parsed, &witness.vkey, &body, now, terms) {
                Ok((line, time)) => {
                    lines[at] = Some(line);
                    recall.cosigned(&checkpoint.origin, &witness.vkey, checkpoint.size);
                    let last = remembered[at];
                    let forgot = (last > old).then_some(last);
                    Outcome::Cosigned { time, forgot }
                }
                Err(text) => Outcome::Unusable(text),
            },
            Asked::Ended(outcome) => outcome,
        };
        if !lingering && policy.judge(&with_lines(&parsed, &lines)).met {
            lingering = true;
            until = deadline.min(Instant::now() + terms.linger);
        }
    }
    // Dropping the set would do; this says that nothing goes on.
    asked.shutdown().await;
    let note = with_lines(&parsed, &lines);
    let names = policy.witnesses().iter().map(|w| w.name.clone());
    Ok(Cosigned {
        quorum: policy.judge(&note),
        note: note.to_text(),
        witnesses: names.zip(outcomes).collect(),
    })
}

/// Finds the line by `key` in an answer, if it cosigns our text at a time that can be true.
fn acceptable(
    note: &Note,
    key: &Vkey,
    body: &str,
    now: u64,
    terms: &Terms,
) -> Result<(String, u64), String> {
    let mut why = "no signature line".to_owned();
    for line in body.lines().take(16) {
        let Ok(signed) = note.with_line(line) else {
            continue;
        };
        match cosignature::find(&signed, key) {
            Ok(Some(time)) if time < now.saturating_sub(terms.oldest) => {
                why = format!("a cosignature of time {time}, which is too old at {now}");
            }
            Ok(Some(time)) if time > now.saturating_add(terms.newest) => {
                why = format!("a cosignature of time {time}, which is in the future at {now}");
            }
            Ok(Some(time)) => return Ok((line.to_owned(), time)),
            Ok(None) => why = "a signature by another key".to_owned(),
            Err(e) => why = e.to_string(),
        }
    }
    Err(format!("it answered with {why}"))
}

/// The note with the lines that there are. Each was added to it before, so one that does not fit now is one too many, and left out.
fn with_lines(note: &Note, lines: &[Option<String>]) -> Note {
    lines.iter().flatten().fold(note.clone(), |note, line| {
        note.with_line(line).unwrap_or(note)
    })
}
