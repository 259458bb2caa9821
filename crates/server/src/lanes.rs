//! Carrying out use cases beside the network: each class has places of its own and a time for an answer.
//!
//! Use cases block, so each runs on a thread. A place is held until its thread is done, not until the caller is answered: a use case that
//! hangs takes one of its class's places and nothing of the others'. What takes back or holds back has places of its own, which nothing
//! that goes forward can fill; and who waits for the end of what was begun has given its place back.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gonogo_app::AppError;
use gonogo_app::Workspace;
use gonogo_app::access::{Means, Principal, Scope, tokens};
use gonogo_app::calls::Meter;
use gonogo_app::doors::{self, Desk, Done, Once, Tool};
use gonogo_app::project::{FAULT, Project};
use gonogo_app::workspace::Caller;
use gonogo_core::Reason;
use gonogo_core::envelope::Class;
use gonogo_telemetry::Context;
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// Whose places a call takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lane {
    Read,
    Plan,
    Apply,
    /// What takes back or holds back, of whatever class.
    Urgent,
}

impl Lane {
    fn of(tool: &Tool) -> Self {
        match tool.facts.class {
            _ if tool.facts.urgent => Self::Urgent,
            Class::Read => Self::Read,
            Class::Plan => Self::Plan,
            Class::Apply => Self::Apply,
        }
    }
}

/// Places of each lane, in the order of [`Lane`].
const PLACES: [usize; 4] = [32, 8, 16, 16];

/// Those who wait for the end of what they began; more are answered at once, with what they hold of it.
const WAITERS: usize = 256;

/// Of those who wait, so many look at once whether it has ended.
const LOOKERS: usize = 4;

/// How often it is looked whether anything has happened.
const LOOK: Duration = Duration::from_millis(50);

/// Threads that all places together can need.
pub(crate) const THREADS: usize = 32 + 8 + 16 + 16 + LOOKERS;

/// A call of a use case.
pub(crate) struct Call {
    /// Which.
    pub(crate) tool: &'static Tool,
    /// With what.
    pub(crate) input: Value,
    /// For whom.
    pub(crate) principal: Principal,
    /// In which trace.
    pub(crate) trace: String,
    /// The time that the caller gives it, which its class admits; its class's own if absent.
    pub(crate) within: Option<Duration>,
    /// What it decides on, where it decides only on that.
    pub(crate) seen: Option<Arc<Sight>>,
    /// The key under which it is carried out once, if it came with one.
    pub(crate) once: Option<Once>,
}

/// The ledger as somebody saw it who decides on that.
pub(crate) struct Sight {
    /// Records that it had.
    pub(crate) size: u64,
    /// Whether it had others when the decision was to be recorded: then nothing was decided.
    pub(crate) moved: AtomicBool,
}

/// The places.
pub struct Lanes {
    project: Arc<Project>,
    meter: Arc<Meter>,
    base: String,
    places: [Arc<Semaphore>; 4],
    waiters: Semaphore,
    lookers: Semaphore,
    /// What whoever runs the server was told last of a configuration that cannot be read.
    warned: Mutex<String>,
}

impl Lanes {
    /// Lanes over a project; `base` is where the server is reached.
    pub fn new(project: Arc<Project>, base: String) -> Self {
        let places = PLACES.map(|n| Arc::new(Semaphore::new(n)));
        let root = project.root();
        Self {
            meter: Arc::new(Meter::of(&root.state, root.tracer.clone())),
            project,
            base,
            places,
            waiters: Semaphore::new(WAITERS),
            lookers: Semaphore::new(LOOKERS),
            warned: Mutex::default(),
        }
    }

    /// The project.
    pub fn project(&self) -> &Project {
        &self.project
    }

    /// Where the server is reached; empty if nowhere.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The answer that a request with a key was given before, if it was.
    pub(crate) async fn answered(&self, once: &Once) -> Result<Option<Done>, AppError> {
        let (project, once) = (Arc::clone(&self.project), once.clone());
        let look = move || once.known(project.root());
        let joined = tokio::task::spawn_blocking(look).await;
        joined.map_err(|e| AppError::new(Reason::Internal, e.to_string()))?
    }

    /// Whether something of a request with a key is recorded already.
    pub(crate) async fn is_begun(&self, once: &Once) -> Result<bool, AppError> {
        let (project, once) = (Arc::clone(&self.project), once.clone());
        let look = move || once.is_begun(project.root());
        let joined = tokio::task::spawn_blocking(look).await;
        joined.map_err(|e| AppError::new(Reason::Internal, e.to_string()))?
    }

    /// How many records the ledger has.
    pub(crate) async fn size(&self) -> Result<u64, AppError> {
        let project = Arc::clone(&self.project);
        let size = move || project.root().ledger.size();
        let joined = tokio::task::spawn_blocking(size).await;
        let size = joined.map_err(|e| AppError::new(Reason::Internal, e.to_string()))?;
        Ok(size?)
    }

    /// What measures the calls.
    pub fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    /// Tells whoever runs the server of a configuration that cannot be read, once for each fault.
    pub(crate) fn warn(&self, error: &AppError) {
        let Some(fault) = error.details[FAULT].as_str() else {
            return;
        };
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if *warned != fault {
            fault.clone_into(&mut warned);
            drop(writeln!(
                std::io::stderr(),
                "warning[{}]: {fault}",
                error.reason
            ));
        }
    }

    async fn place(&self, lane: Lane, within: Duration) -> Result<OwnedSemaphorePermit, AppError> {
        let taken = Arc::clone(&self.places[lane as usize]).acquire_owned();
        let full = || {
            let text = "too many requests of this class are under way";
            AppError::new(Reason::Overloaded, text)
        };
        // A third of its time a request waits for a place; then it is told to come again.
        let patience = within / 3;
        let place = tokio::time::timeout(patience, taken).await;
        place.map_err(|_| full())?.map_err(|_| full())
    }

    /// Carries a call out, within the time of its class. It is measured, the wait for a place included.
    pub(crate) async fn call(&self, call: Call) -> Result<Done, AppError> {
        let context = Context::of(&call.trace);
        self.call_in(call, context).await
    }

    /// As [`Self::call`], for a caller who says where in the trace that is.
    pub(crate) async fn call_in(&self, call: Call, context: Context) -> Result<Done, AppError> {
        let running = self.meter.begin(call.tool, context);
        let own = Duration::from_millis(call.tool.facts.class.policy().default_timeout_ms);
        // A tenth is left to say how it stands.
        let until = Instant::now() + call.within.unwrap_or(own) / 10 * 9;
        let done = match self.carry_out(call, running.within()).await {
            Ok(done) if doors::awaited(&done) => Ok(self.ended(done, until).await),
            done => done,
        };
        running.end(done.as_ref().err());
        done
    }

    /// Looks once more for a caller who waits: no call of its own.
    pub(crate) async fn once_more(&self, call: Call) -> Result<Done, AppError> {
        self.carry_out(call, None).await
    }

    /// The answer when what was begun has ended, or when the time is over: then with where it stands. It takes nobody's place meanwhile.
    async fn ended(&self, begun: Done, until: Instant) -> Done {
        let Ok(_waits) = self.waiters.try_acquire() else {
            return begun;
        };
        let (mut done, mut seen) = (begun, None);
        loop {
            let now = self.project.generation().ok().flatten();
            if now.is_none() || now != seen {
                done = self.caught_up(done).await;
                seen = now;
            }
            if !doors::awaited(&done) || Instant::now() >= until {
                return done;
            }
            tokio::time::sleep_until(until.min(Instant::now() + LOOK)).await;
        }
    }

    /// The answer as it would be given now; as it was, where that cannot be told.
    async fn caught_up(&self, done: Done) -> Done {
        let _looks = self.lookers.acquire().await;
        let (project, was) = (Arc::clone(&self.project), done.clone());
        let work = move || {
            let ws = project.workspace(Caller::default(), None)?;
            doors::caught_up(&ws, was)
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(Ok(now)) => now,
            _ => done,
        }
    }

    async fn carry_out(&self, call: Call, parent: Option<String>) -> Result<Done, AppError> {
        let class = call.tool.facts.class;
        let own = Duration::from_millis(class.policy().default_timeout_ms);
        let within = match call.within {
            // The time is for the wait: who gives little of it shall hold what was begun all the same.
            Some(within) if call.input["mode"] == "await" => within.max(own),
            given => given.unwrap_or(own),
        };
        let place = self.place(Lane::of(call.tool), within).await?;
        let (project, base) = (Arc::clone(&self.project), self.base.clone());
        let may_look = call.principal.must_have(Scope::Read).is_ok();
        let work = move || {
            let _place = place;
            let mut ws = project.workspace(call.principal.caller(), Some(call.trace))?;
            ws.within = parent;
            if matches!(call.principal.means, Means::Issuer(_)) {
                tokens::must_fit(&ws, &call.principal)?;
            }
            let (tool, input, seen) = (call.tool, call.input, call.seen);
            let run = |ws: &Workspace| {
                let desk = Desk {
                    workspace: ws,
                    principal: &call.principal,
                    base: &base,
                    patient: false,
                };
                match seen {
                    None => tool.call(input, &desk),
                    Some(seen) => {
                        let (done, moved) = tool.call_unmoved(input, &desk, seen.size);
                        seen.moved.store(moved, Ordering::Relaxed);
                        done
                    }
                }
            };
            match &call.once {
                Some(once) => once.carry_out(&mut ws, run),
                None => run(&ws),
            }
        };
        match tokio::time::timeout(within, tokio::task::spawn_blocking(work)).await {
            Ok(Ok(Err(mut e))) if e.reason == Reason::ServerMisconfigured => {
                self.warn(&e);
                if let (false, Some(details)) = (may_look, e.details.as_object_mut()) {
                    details.remove(FAULT);
                }
                Err(e)
            }
            Ok(Ok(done)) => done,
            Ok(Err(e)) => Err(AppError::new(Reason::Internal, e.to_string())),
            Err(_) => {
                let text = format!("no answer within {} ms", within.as_millis());
                Err(AppError::new(Reason::DeadlineExceeded, text))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_back_or_holds_back_has_places_that_nothing_else_takes() {
        let urgent: Vec<&str> = doors::TOOLS
            .iter()
            .filter(|tool| Lane::of(tool) == Lane::Urgent)
            .map(|tool| tool.facts.name)
            .collect();
        assert_eq!(
            urgent,
            [
                "freeze_declare",
                "operation_cancel",
                "operation_resume",
                "pin_set",
                "rollback_change",
                "rollback_posture"
            ]
        );
        for tool in &doors::TOOLS {
            let going_forward = matches!(tool.facts.name, "apply_change" | "operation_dispatch");
            assert_eq!(
                Lane::of(tool) == Lane::Apply,
                going_forward,
                "{}",
                tool.facts.name
            );
        }
        assert_eq!(THREADS, PLACES.iter().sum::<usize>() + LOOKERS);
    }
}
