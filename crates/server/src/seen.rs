//! Answers that depend on the store alone, kept until the store changes.
//!
//! Whoever waits for an operation asks again and again, and most of the time nothing has happened. Such an answer is given without a
//! thread and without a query: what is asked is whether anybody has committed anything since. Invariant: what is given is what the use
//! case would answer now, because the store's generation was read before the use case read the store.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use gonogo_app::doors::Done;
use gonogo_app::project::Generation;

/// Answers at once; another operation begins anew.
const MOST: usize = 1024;

/// An answer's `data` as text, and how it ends a command.
#[derive(Clone)]
pub(crate) struct Kept {
    /// The JSON text.
    pub(crate) data: std::sync::Arc<str>,
    /// Its tag.
    pub(crate) tag: std::sync::Arc<str>,
    /// What stands around it.
    pub(crate) around: std::sync::Arc<Around>,
    /// Exit code of a command that ends with it.
    pub(crate) exit: gonogo_core::Exit,
}

/// The envelope's text around an answer, without what differs from request to request.
pub(crate) struct Around {
    /// Between the answer and the time.
    pub(crate) before: String,
    /// Between the time and the trace.
    pub(crate) between: String,
    /// Behind the trace.
    pub(crate) behind: String,
}

/// What was answered since the store last changed.
#[derive(Default)]
pub(crate) struct Seen(Mutex<Answers>);

#[derive(Default)]
struct Answers {
    of: Option<Generation>,
    by_address: HashMap<String, Kept>,
}

impl Seen {
    /// The answer for this address, if it was given since the store last changed.
    pub(crate) fn get(&self, now: Generation, address: &str) -> Option<Kept> {
        let answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = answers.of == Some(now);
        known.then(|| answers.by_address.get(address).cloned())?
    }

    /// Keeps an answer that was made from the store as it was at `at`, or later.
    pub(crate) fn keep(
        &self,
        at: Generation,
        address: &str,
        done: &Done,
        tag: &str,
        around: Option<Around>,
    ) {
        let Some(around) = around else { return };
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.of != Some(at) || answers.by_address.len() >= MOST {
            answers.by_address.clear();
            answers.of = Some(at);
        }
        let kept = Kept {
            data: done.data.to_string().into(),
            tag: tag.into(),
            around: around.into(),
            exit: done.exit,
        };
        answers.by_address.insert(address.to_owned(), kept);
    }
}
