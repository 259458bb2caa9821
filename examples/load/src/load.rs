//! A running load: the runtime's thread, and the handle that sync code holds.

use crate::config::{LoadConfig, LoadError};
use crate::pacer::{Pacer, Stop};
use crate::pool::Pool;
use crate::report::{ErrorKind, Report};
use crate::schedule::{Due, Schedule};
use crate::shot::{self, Requests, Trace};
use crate::tally::{Outcome, Tally};
use crate::time;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinSet;

/// Starts loads.
#[derive(Debug)]
pub struct Load;

/// A load that has been started. Dropping it stops the load without waiting for it.
pub struct Handle {
    shared: Arc<Shared>,
    stop: Stop,
    threads: Option<(Pacer, JoinHandle<()>)>,
}

struct Shared {
    start: Instant,
    timeout: Duration,
    pool: Pool,
    requests: Requests,
    tally: Mutex<Tally>,
}

impl Load {
    /// Starts sending at once, on two threads of its own, and returns.
    ///
    /// Errors: settings that make no sense, or no threads to be had. A target that cannot be reached is
    /// not an error here: its refusals are counted.
    pub fn start(config: LoadConfig) -> Result<Handle, LoadError> {
        config.check()?;
        let requests = Requests::new(&config).map_err(|_| LoadError::Config {
            field: "mix",
            why: "a path or the host cannot be sent in HTTP",
        })?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let start = time::now();
        let shared = Arc::new(Shared {
            start,
            timeout: config.timeout,
            pool: Pool::new(config.target.address, config.connections),
            requests,
            tally: Mutex::new(Tally::new(time::unix_ms())),
        });
        let (due, dues) = unbounded_channel();
        let driven = shared.clone();
        let runner = std::thread::Builder::new()
            .name("load".to_owned())
            .spawn(move || runtime.block_on(drive(driven, dues)))?;
        // If this fails the channel closes, and the runner ends by itself.
        let pacer = Pacer::start(start, Schedule::new(&config), due)?;
        Ok(Handle {
            shared,
            stop: pacer.stop_switch(),
            threads: Some((pacer, runner)),
        })
    }
}

impl Handle {
    /// What has been seen so far.
    pub fn snapshot(&self) -> Report {
        let now = self.shared.since_start();
        self.shared.tally().report(Some(now))
    }

    /// Starts no further request; those in flight keep their timeout.
    pub fn stop(&self) {
        self.stop.stop();
    }

    /// Whether all is sent and has its outcome, so that [`Handle::join`] returns at once.
    pub fn is_finished(&self) -> bool {
        self.threads
            .as_ref()
            .is_none_or(|(_, runner)| runner.is_finished())
    }

    /// Waits for the end of the duration or the total, or after a [`Handle::stop`] for what is in
    /// flight: at most the configured duration and one timeout.
    pub fn join(mut self) -> Report {
        if let Some((pacer, runner)) = self.threads.take() {
            pacer.join();
            if let Err(panic) = runner.join() {
                std::panic::resume_unwind(panic);
            }
        }
        self.shared.tally().report(None)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.stop.stop();
    }
}

impl Shared {
    fn since_start(&self) -> Duration {
        time::now().saturating_duration_since(self.start)
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        // Counts stay counts: a panic elsewhere does not make them wrong.
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes up what is due until the pacer is done, then waits for what is in flight.
async fn drive(shared: Arc<Shared>, mut dues: UnboundedReceiver<Due>) {
    let mut flying = JoinSet::new();
    loop {
        tokio::select! {
            due = dues.recv() => match due {
                Some(due) => {
                    shared.tally().sent(due.at, shared.since_start());
                    flying.spawn(fly(shared.clone(), due));
                }
                None => break,
            },
            Some(landed) = flying.join_next() => rethrow(landed),
        }
    }
    while let Some(landed) = flying.join_next().await {
        rethrow(landed);
    }
}

/// A request that panicked has no outcome: the load ends with its panic rather than a wrong sum.
fn rethrow(landed: Result<(), tokio::task::JoinError>) {
    if let Err(error) = landed
        && let Ok(panic) = error.try_into_panic()
    {
        std::panic::resume_unwind(panic);
    }
}

/// One request; its deadline counts from its intended start.
async fn fly(shared: Arc<Shared>, due: Due) {
    let deadline = shared.start + due.at + shared.timeout;
    let mut trace = Trace::default();
    let sending = shot::send(&shared.pool, shared.requests.make(due.shot), &mut trace);
    let result = match tokio::time::timeout_at(deadline.into(), sending).await {
        Ok(result) => result,
        Err(_) => Err((
            ErrorKind::Timeout,
            format!("no answer in {:?}", shared.timeout),
        )),
    };
    let end = shared.since_start();
    shared.tally().record(Outcome {
        shot: due.shot,
        due: due.at,
        end,
        trace,
        result,
    });
}
