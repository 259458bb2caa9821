//! Exchanges while they are recorded. An exchange is ready when nobody holds it any more: its request and its response may end in
//! any order, at any time, and for any reason.
//!
//! Invariant: every exchange that began ends in the log, whole or with the reason why it is not.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{HeaderMap, StatusCode};
use tokio::sync::Notify;

use crate::spool::{Spool, Vault};

/// How a body ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Ended {
    /// Nobody read it to its end.
    #[default]
    Left,
    /// Whole.
    Whole,
    /// It broke.
    Broken(String),
}

/// One direction.
#[derive(Debug, Default)]
pub(crate) struct Side {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Spool,
    pub(crate) trailers: HeaderMap,
    pub(crate) ended: Ended,
}

/// An exchange.
#[derive(Debug)]
pub(crate) struct Draft {
    /// In the order in which requests came.
    pub(crate) number: u64,
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) request: Side,
    pub(crate) status: Option<StatusCode>,
    pub(crate) response: Side,
    /// Why there is no response.
    pub(crate) failed: Option<String>,
}

/// All exchanges of a run.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) vault: Vault,
    next: AtomicU64,
    open: AtomicUsize,
    closed: Notify,
    drafts: Mutex<Vec<Draft>>,
}

impl Log {
    pub(crate) fn new(vault: Vault) -> Self {
        Self {
            vault,
            next: AtomicU64::new(0),
            open: AtomicUsize::new(0),
            closed: Notify::new(),
            drafts: Mutex::new(Vec::new()),
        }
    }

    /// Begins an exchange.
    pub(crate) fn begin(self: &Arc<Self>, method: &str, url: String, headers: HeaderMap) -> Held {
        self.open.fetch_add(1, Ordering::SeqCst);
        let draft = Draft {
            number: self.next.fetch_add(1, Ordering::SeqCst),
            method: method.to_owned(),
            url,
            request: Side {
                headers,
                ..Side::default()
            },
            status: None,
            response: Side::default(),
            failed: None,
        };
        Held(Arc::new(Holder {
            log: Arc::clone(self),
            draft: Mutex::new(Some(draft)),
        }))
    }

    /// How many began so far.
    pub(crate) fn begun(&self) -> u64 {
        self.next.load(Ordering::SeqCst)
    }

    /// Waits until none is under way.
    pub(crate) async fn settled(&self) {
        loop {
            let closed = self.closed.notified();
            if self.open.load(Ordering::SeqCst) == 0 {
                return;
            }
            closed.await;
        }
    }

    /// Takes all that ended, in order.
    pub(crate) fn take(&self) -> Vec<Draft> {
        let mut drafts = std::mem::take(&mut *locked(&self.drafts));
        drafts.sort_by_key(|draft| draft.number);
        drafts
    }
}

/// A holder of an exchange.
#[derive(Debug, Clone)]
pub(crate) struct Held(Arc<Holder>);

#[derive(Debug)]
struct Holder {
    log: Arc<Log>,
    draft: Mutex<Option<Draft>>,
}

impl Held {
    /// Changes the exchange.
    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut Draft, &Vault) -> T) -> Option<T> {
        let mut draft = locked(&self.0.draft);
        draft.as_mut().map(|draft| change(draft, &self.0.log.vault))
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let draft = locked(&self.draft).take();
        if let Some(mut draft) = draft {
            draft.request.body.close(&self.log.vault);
            draft.response.body.close(&self.log.vault);
            locked(&self.log.drafts).push(draft);
        }
        self.log.open.fetch_sub(1, Ordering::SeqCst);
        self.log.closed.notify_waiters();
    }
}

/// A lock whose holder panicked still guards a whole value: each change here is one assignment.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
