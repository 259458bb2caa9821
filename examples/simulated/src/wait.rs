//! Waiting for the next tick or for a signal, whichever comes first.
//!
//! Signals are heard by a thread of their own and handed over, so that a wait ends at once and nothing is polled.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Instant;

use signal_hook::consts::signal::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::time;

/// The end that somebody may ask for.
pub(crate) struct Waiter {
    signals: Receiver<i32>,
    asked: Option<i32>,
}

impl Waiter {
    /// Starts to listen for SIGINT and SIGTERM.
    pub(crate) fn listen() -> io::Result<Self> {
        let mut heard = Signals::new([SIGINT, SIGTERM])?;
        let (send, signals) = channel();
        std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                for signal in heard.forever() {
                    if send.send(signal).is_err() {
                        return;
                    }
                }
            })?;
        Ok(Self {
            signals,
            asked: None,
        })
    }

    /// Waits until `due`, or until a signal came that is to be heard. Returns that signal; also one that came before.
    pub(crate) fn until(&mut self, due: Instant, deaf: bool) -> Option<i32> {
        loop {
            if self.asked.is_some() && !deaf {
                return self.asked;
            }
            let left = due.saturating_duration_since(time::now());
            match self.signals.recv_timeout(left) {
                // What a deaf runtime did not hear it does not hear later either.
                Ok(_) if deaf => {}
                Ok(signal) => self.asked = Some(signal),
                Err(RecvTimeoutError::Timeout) => return None,
                Err(RecvTimeoutError::Disconnected) => {
                    std::thread::sleep(left);
                    return None;
                }
            }
        }
    }
}
