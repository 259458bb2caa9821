//! One object at a time: bounded attempts, and after each write, however it ended, a look at what is really there.

use std::time::Duration;

use bytes::Bytes;
use gonogo_core::Digest;

use super::Patience;
use super::destination::{Destination, Failure, Object, Put};
use super::judge::Verdict;
use crate::error::Error;
use crate::publication::{CHECKPOINT, MAX_BUNDLE, MAX_CHECKPOINT};

const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Counts the attempts at one object and pauses between them.
struct Attempts<'a> {
    destination: &'a Destination,
    name: &'a str,
    patience: &'a Patience,
    made: u32,
}

impl<'a> Attempts<'a> {
    const fn new(destination: &'a Destination, name: &'a str, patience: &'a Patience) -> Self {
        Self {
            destination,
            name,
            patience,
            made: 0,
        }
    }

    /// Pauses after a failure, or gives up.
    async fn again(&mut self, text: String) -> Result<(), Error> {
        self.made += 1;
        if self.made >= self.patience.attempts {
            return Err(Error::Exhausted {
                place: self.destination.to_string(),
                name: self.name.to_owned(),
                attempts: self.made,
                text,
            });
        }
        let doubled = self.patience.pause * 2_u32.saturating_pow((self.made - 1).min(16));
        let longest = doubled.min(LONGEST_PAUSE);
        tokio::time::sleep(longest.mul_f64(1.0 - fastrand::f64() / 2.0)).await;
        Ok(())
    }

    /// Sorts a failure: pauses for a passing one, ends with a lasting one.
    async fn failed(&mut self, failure: Failure) -> Result<(), Error> {
        match failure {
            Failure::Passing(text) => self.again(text).await,
            Failure::Lasting(text) => Err(Error::Refused {
                place: self.destination.to_string(),
                name: self.name.to_owned(),
                text,
            }),
            Failure::Own(e) => Err(e),
        }
    }
}

/// Sees to it that an immutable object is there: reads it and compares, and writes it if it is absent. What was written is read back.
/// Returns how many bytes were written, `None` if it was there already. `due` says that it is expected there, and only decides
/// whether reading or writing is tried first.
///
/// # Errors
/// [`Error::Different`] if it is there with other bytes; [`Error::Refused`], [`Error::Exhausted`].
pub(super) async fn ensure(
    destination: &Destination,
    name: &str,
    bytes: Bytes,
    patience: &Patience,
    due: bool,
) -> Result<Option<u64>, Error> {
    let mut attempts = Attempts::new(destination, name, patience);
    // Whether an attempt of ours may have landed: then what is found is our own.
    let mut sent = false;
    let mut doubt = None;
    if !due {
        doubt = Some(write(destination, name, &bytes, &mut sent, &mut attempts).await?);
    }
    loop {
        match destination.read(name, MAX_BUNDLE).await {
            Ok(Some(found)) if found.bytes == bytes => {
                return Ok(sent.then_some(bytes.len() as u64));
            }
            Ok(Some(found)) => {
                return Err(Error::Different {
                    place: destination.to_string(),
                    name: name.to_owned(),
                    there: Digest::of(&found.bytes),
                    here: Digest::of(&bytes),
                });
            }
            Ok(None) => {
                if let Some(doubt) = doubt.take() {
                    attempts.again(doubt).await?;
                }
                doubt = Some(write(destination, name, &bytes, &mut sent, &mut attempts).await?);
            }
            Err(failure) => attempts.failed(failure).await?,
        }
    }
}

/// Tries to create the object until there is an answer to that; returns what to say if it is not there afterwards.
async fn write(
    destination: &Destination,
    name: &str,
    bytes: &Bytes,
    sent: &mut bool,
    attempts: &mut Attempts<'_>,
) -> Result<String, Error> {
    loop {
        match destination.create(name, bytes.clone()).await {
            Ok(Put::Landed) => {
                *sent = true;
                return Ok("it was taken, and is not there".to_owned());
            }
            Ok(Put::Taken) => return Ok("it is said to exist, and is not there".to_owned()),
            Ok(Put::Unclear(text)) => {
                *sent = true;
                return Ok(text);
            }
            Err(failure) => attempts.failed(failure).await?,
        }
    }
}

/// Reads the checkpoint at the destination.
///
/// # Errors
/// [`Error::Refused`], [`Error::Exhausted`].
pub(super) async fn read_checkpoint(
    destination: &Destination,
    patience: &Patience,
) -> Result<Option<Object>, Error> {
    let mut attempts = Attempts::new(destination, CHECKPOINT, patience);
    loop {
        match destination.read(CHECKPOINT, MAX_CHECKPOINT).await {
            Ok(found) => return Ok(found),
            Err(failure) => attempts.failed(failure).await?,
        }
    }
}

/// Replaces the checkpoint at the destination, `there`, by `note`, if `verdict` says so. After each write, however it ended, what is
/// there is read and judged again. Returns how many bytes were written, `None` if it stays.
///
/// # Errors
/// What `judge` gives for a checkpoint that came in between; [`Error::Refused`], [`Error::Exhausted`].
pub(super) async fn checkpoint(
    destination: &Destination,
    mut there: Option<Object>,
    mut verdict: Verdict,
    note: Bytes,
    patience: &Patience,
    mut judge: impl FnMut(Option<&Object>) -> Result<Verdict, Error>,
) -> Result<Option<u64>, Error> {
    let mut attempts = Attempts::new(destination, CHECKPOINT, patience);
    let mut sent = false;
    loop {
        let put = match (&there, verdict) {
            (_, Verdict::Keep { .. }) => {
                let ours = there.as_ref().is_some_and(|t| t.bytes == note);
                return Ok((sent && ours).then_some(note.len() as u64));
            }
            (Some(there), Verdict::Replace { .. }) => {
                destination
                    .replace(CHECKPOINT, note.clone(), &there.version)
                    .await
            }
            (_, Verdict::Create | Verdict::Replace { .. }) => {
                destination.create(CHECKPOINT, note.clone()).await
            }
        };
        let mut landed = false;
        match put {
            Ok(Put::Landed) => {
                sent = true;
                landed = true;
            }
            Ok(Put::Taken) => {
                attempts
                    .again("somebody else wrote it meanwhile".into())
                    .await?;
            }
            Ok(Put::Unclear(text)) => {
                sent = true;
                attempts.again(text).await?;
            }
            Err(failure) => attempts.failed(failure).await?,
        }
        there = read_checkpoint(destination, patience).await?;
        verdict = judge(there.as_ref())?;
        if landed && !matches!(verdict, Verdict::Keep { .. }) {
            attempts
                .again("it was taken, and is not there".into())
                .await?;
        }
    }
}
